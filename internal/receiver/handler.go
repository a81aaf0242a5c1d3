package receiver

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/time/rate"
)

// Texts that senders know (contract 5.6; recorded).
const (
	textUnknown = "Unknown webhook event"
	textFailed  = "Webhook processing failed"
	textPayload = "Webhook processing failed: payload must be valid JSON under %d MB"
)

// errPayload is about the form of a request.
var errPayload = errors.New("the payload is no JSON, has another form than the event's, or is too large")

// Handler answers webhooks. It may be mounted at [Path] beside other things.
func (r *Receiver) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc(Path, r.serve)
	return mux
}

// refusal is an answer other than 200.
type refusal struct {
	status int
	text   string
	cause  error
}

func (r *Receiver) serve(w http.ResponseWriter, request *http.Request) {
	if refused := r.receive(w, request); refused != nil {
		logr.FromContextOrDiscard(request.Context()).Info("webhook refused", "status", refused.status, "reason", refused.cause.Error())
		http.Error(w, refused.text, refused.status)
	}
}

// receive reads a request, and has what it tells acted on.
func (r *Receiver) receive(w http.ResponseWriter, request *http.Request) *refusal {
	if !r.clients.allow(request.RemoteAddr) {
		w.Header().Set("Retry-After", "1")
		return &refusal{http.StatusTooManyRequests, "too many requests", errors.New("too many requests of one sender")}
	}
	select {
	case r.reading <- struct{}{}:
		defer func() { <-r.reading }()
	default:
		return busy
	}
	secrets, err := r.options.Secrets(request.Context())
	if err != nil {
		return &refusal{http.StatusServiceUnavailable, textFailed, err}
	}
	settings, err := r.options.Settings(request.Context())
	if err != nil {
		return &refusal{http.StatusServiceUnavailable, textFailed, err}
	}
	event, refused := read(w, request, secrets, settings.MaxPayloadBytes)
	if refused != nil || len(event.events.Pushes)+len(event.events.Artifacts) == 0 {
		return refused
	}
	select {
	case r.waiting <- event:
		return nil
	default:
		return busy
	}
}

var busy = &refusal{http.StatusServiceUnavailable, "the queue of webhooks is full, please retry later", errors.New("too many webhooks at the same time")}

// read understands a request.
func read(w http.ResponseWriter, request *http.Request, secrets Secrets, limit int64) (received, *refusal) {
	sender, known := find(request.Header, secrets)
	if !known {
		return received{}, &refusal{http.StatusBadRequest, textUnknown, errors.New("no provider is known by its headers")}
	}
	if request.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return received{}, &refusal{http.StatusMethodNotAllowed, textFailed, fmt.Errorf("the method is %s and not POST", request.Method)}
	}
	malformed := &refusal{http.StatusBadRequest, fmt.Sprintf(textPayload, limit>>20), errPayload}
	body, err := io.ReadAll(http.MaxBytesReader(w, request.Body, limit))
	if err != nil {
		return received{}, malformed
	}
	d := delivery{header: request.Header, body: body}
	if err := sender.verify(d, secrets); err != nil {
		status := http.StatusBadRequest
		if sender.refusedWith != 0 {
			status = sender.refusedWith
		}
		return received{}, &refusal{status, textFailed, fmt.Errorf("%s: %w", sender.name, err)}
	}
	if !json.Valid(body) {
		return received{}, malformed
	}
	events, err := sender.read(d)
	if err != nil {
		return received{}, malformed
	}
	return received{provider: sender.name, events: events, asks: secrets.Values[KeyBitbucketUUID] != ""}, nil
}

// Each sender may come this often, by the address that a connection comes from: many pushes at once are usual, but no stream.
const (
	perSecond  = 50
	burst      = 200
	maxSenders = 1024
)

// limit bounds how often each sender comes.
type limit struct {
	now func() time.Time

	mu      sync.Mutex
	senders map[string]*rate.Limiter
}

func newLimit(now func() time.Time) *limit {
	return &limit{now: now, senders: map[string]*rate.Limiter{}}
}

// allow takes in one request of an address. When too many are known, all are forgotten.
func (l *limit) allow(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = address
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	limiter := l.senders[host]
	if limiter == nil {
		if len(l.senders) >= maxSenders {
			clear(l.senders)
		}
		limiter = rate.NewLimiter(perSecond, burst)
		l.senders[host] = limiter
	}
	return limiter.AllowN(l.now(), 1)
}
