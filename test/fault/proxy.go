package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strconv"
	"sync"
	"time"

	"k8s.io/client-go/rest"
)

// fault is what the proxy does to a call.
type fault string

// The faults of calls to the API server.
const (
	none        fault = ""
	tooMany     fault = "429 with Retry-After"
	internal    fault = "500"
	unavailable fault = "503"
	conflict    fault = "409 on writes"
	gone        fault = "410 on watches"
	reset       fault = "connection reset"
	stall       fault = "30 s stall"
	truncated   fault = "truncated body"
	slow        fault = "slow reads"
)

// faults are all of them.
var faults = []fault{tooMany, internal, unavailable, conflict, gone, reset, stall, truncated, slow}

const (
	// share is how many of the calls meet the fault.
	share = 0.1
	// stalled is how long a call stands still.
	stalled = 30 * time.Second
	// slowFor bounds how long a slow body takes; what is left then comes at once.
	slowFor = 10 * time.Second
)

// proxy stands between the operator and the API server. It speaks HTTP/1.1, so that each watch has a connection of its own.
type proxy struct {
	url       string
	server    *http.Server
	transport http.RoundTripper
	target    *url.URL

	mu    sync.Mutex
	kind  fault
	met   map[fault]int
	epoch context.Context // ends when the fault changes, and with it all watches: the next ones meet the new fault
	end   context.CancelFunc
}

// newProxy begins to serve, without any fault.
func newProxy(config *rest.Config) (*proxy, error) {
	transport, err := rest.TransportFor(config)
	if err != nil {
		return nil, err
	}
	target, err := url.Parse(config.Host)
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &proxy{url: "http://" + listener.Addr().String(), transport: transport, target: target, met: map[fault]int{}}
	p.epoch, p.end = context.WithCancel(context.Background())
	p.server = &http.Server{Handler: p, ReadHeaderTimeout: time.Minute}
	go func() { _ = p.server.Serve(listener) }() // It always ends with an error: that close was called.
	return p, nil
}

func (p *proxy) close() error {
	p.set(none)
	return p.server.Close()
}

// set has a tenth of the calls meet a fault from now on.
func (p *proxy) set(kind fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.kind = kind
	p.end()
	p.epoch, p.end = context.WithCancel(context.Background())
}

// count is how many calls have met a fault.
func (p *proxy) count(kind fault) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.met[kind]
}

// draw decides about a call, and says when the fault is over.
func (p *proxy) draw(r *http.Request) (fault, context.Context) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.kind == gone && !watches(r), p.kind == conflict && !writes(r):
		return none, p.epoch
	case p.kind != gone && rand.Float64() >= share: //nolint:gosec // G404: chance, no secret.
		return none, p.epoch
	}
	// Watches are few and long: all of them meet an end with 410.
	if p.kind != none {
		p.met[p.kind]++
	}
	return p.kind, p.epoch
}

func watches(r *http.Request) bool { return r.URL.Query().Get("watch") != "" }
func writes(r *http.Request) bool  { return r.Method != http.MethodGet }

// ServeHTTP forwards a call, or does to it what was drawn.
func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	kind, epoch := p.draw(r)
	if watches(r) {
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		defer context.AfterFunc(epoch, cancel)()
		r = r.WithContext(ctx)
	}
	coin := rand.IntN(2) == 0 //nolint:gosec // G404: chance, no secret.
	switch kind {
	case tooMany:
		w.Header().Set("Retry-After", "1")
		refuse(w, http.StatusTooManyRequests, "TooManyRequests")
	case internal:
		refuse(w, http.StatusInternalServerError, "InternalError")
	case unavailable:
		refuse(w, http.StatusServiceUnavailable, "ServiceUnavailable")
	case conflict:
		refuse(w, http.StatusConflict, "Conflict")
	case gone:
		p.gone(w, r, coin)
	case reset:
		if coin && !watches(r) { // done, but nobody is told
			p.forward(&discard{}, r)
		}
		breakOff(w)
	case stall:
		p.stall(epoch, w, r, coin || watches(r))
	case truncated:
		p.truncate(w, r)
	case slow:
		p.forward(&slowly{ResponseWriter: w, until: time.Now().Add(slowFor)}, r)
	default:
		p.forward(w, r)
	}
}

// forward hands the call on as it is.
func (p *proxy) forward(w http.ResponseWriter, r *http.Request) {
	(&httputil.ReverseProxy{
		Rewrite:       func(out *httputil.ProxyRequest) { out.SetURL(p.target) },
		Transport:     p.transport,
		FlushInterval: -1,
		ErrorHandler:  func(w http.ResponseWriter, _ *http.Request, _ error) { breakOff(w) },
		ErrorLog:      log.New(io.Discard, "", 0), // broken answers are the purpose
	}).ServeHTTP(w, r)
}

// refuse answers as the API server does.
func refuse(w http.ResponseWriter, code int, reason string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_, _ = fmt.Fprintln(w, failure(code, reason))
}

func failure(code int, reason string) string {
	return fmt.Sprintf(`{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"a fault of the test","reason":"%s","code":%d}`, reason, code)
}

// gone ends a watch: at once, or in the middle.
func (p *proxy) gone(w http.ResponseWriter, r *http.Request, atOnce bool) {
	if atOnce {
		refuse(w, http.StatusGone, "Expired")
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), time.Duration(rand.Int64N(int64(3*time.Second)))) //nolint:gosec // G404: chance, no secret.
	defer cancel()
	end := &ending{ResponseWriter: w}
	func() {
		defer func() { _ = recover() }() // the reverse proxy panics when it cannot copy to the end; here that is meant
		p.forward(end, r.WithContext(ctx))
	}()
	if end.begun {
		_, _ = fmt.Fprintf(w, "{\"type\":\"ERROR\",\"object\":%s}\n", failure(http.StatusGone, "Expired"))
	}
}

// ending remembers whether an answer has begun.
type ending struct {
	http.ResponseWriter
	begun bool
}

func (e *ending) WriteHeader(code int) {
	e.begun = code == http.StatusOK
	e.ResponseWriter.WriteHeader(code)
}

// Unwrap lets the reverse proxy flush.
func (e *ending) Unwrap() http.ResponseWriter { return e.ResponseWriter }

// stall has a call stand still: before it is done, or afterwards.
func (p *proxy) stall(over context.Context, w http.ResponseWriter, r *http.Request, before bool) {
	wait := func() {
		select {
		case <-time.After(stalled):
		case <-over.Done():
		case <-r.Context().Done():
		}
	}
	if before {
		wait()
		p.forward(w, r)
		return
	}
	answer := &recorded{header: http.Header{}}
	p.forward(answer, r)
	wait()
	answer.send(w, answer.body.Len())
}

// truncate breaks off in the middle of the answer.
func (p *proxy) truncate(w http.ResponseWriter, r *http.Request) {
	if watches(r) {
		ctx, cancel := context.WithTimeout(r.Context(), time.Second)
		defer cancel()
		p.forward(w, r.WithContext(ctx))
		return
	}
	answer := &recorded{header: http.Header{}}
	p.forward(answer, r)
	answer.header.Set("Content-Length", strconv.Itoa(answer.body.Len()))
	answer.send(w, answer.body.Len()/2)
	breakOff(w)
}

// breakOff resets the connection; what was written before may arrive or not.
func breakOff(w http.ResponseWriter) {
	if _, pretended := w.(interface{ pretended() }); pretended {
		return
	}
	connection, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // an answer that has begun in chunks: the server closes the connection
	}
	if tcp, ok := connection.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = connection.Close()
}

// discard is an answer that nobody gets.
type discard struct{ header http.Header }

func (d *discard) pretended() {}

// Header is thrown away.
func (d *discard) Header() http.Header {
	if d.header == nil {
		d.header = http.Header{}
	}
	return d.header
}
func (d *discard) Write(data []byte) (int, error) { return len(data), nil }
func (d *discard) WriteHeader(int)                {}

// recorded is an answer that is sent later.
type recorded struct {
	header http.Header
	code   int
	body   bytes.Buffer
}

func (a *recorded) pretended()          {}
func (a *recorded) Header() http.Header { return a.header }
func (a *recorded) WriteHeader(code int) {
	if a.code == 0 {
		a.code = code
	}
}

func (a *recorded) Write(data []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(data)
}

// send sends the first bytes of the answer; one that never came breaks the connection.
func (a *recorded) send(w http.ResponseWriter, length int) {
	if a.code == 0 {
		breakOff(w)
		return
	}
	maps.Copy(w.Header(), a.header)
	w.WriteHeader(a.code)
	_, _ = io.CopyN(w, &a.body, int64(length))
	_ = http.NewResponseController(w).Flush()
}

// slowly is an answer that trickles.
type slowly struct {
	http.ResponseWriter
	until time.Time
}

// Unwrap lets the reverse proxy flush.
func (s *slowly) Unwrap() http.ResponseWriter { return s.ResponseWriter }

// Write sends small pieces with pauses.
func (s *slowly) Write(data []byte) (int, error) {
	written := 0
	for len(data) > 0 {
		piece := data
		if time.Now().Before(s.until) {
			piece = data[:min(len(data), 1024)]
			<-time.After(20 * time.Millisecond)
		}
		n, err := s.ResponseWriter.Write(piece)
		written += n
		if err != nil {
			return written, err
		}
		_ = http.NewResponseController(s.ResponseWriter).Flush()
		data = data[len(piece):]
	}
	return written, nil
}
