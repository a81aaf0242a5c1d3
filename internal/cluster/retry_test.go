package cluster

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestRetry plays a server that has trouble with the first calls.
func TestRetry(t *testing.T) {
	breaks := func(w http.ResponseWriter) {
		connection, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		if tcp, ok := connection.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
		_ = connection.Close()
	}
	status := func(code int) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) { w.WriteHeader(code) }
	}
	for _, c := range []struct {
		reason  string
		trouble func(http.ResponseWriter)
		times   int // how many calls meet it
		query   string
		calls   int // how many are made
		want    int // the code, 0 for an error
	}{
		{"all is well", nil, 0, "", 1, 200},
		{"the connection breaks", breaks, 2, "", 3, 200},
		{"an answer breaks off", func(w http.ResponseWriter) { w.Header().Set("Content-Length", "100"); _, _ = io.WriteString(w, "half") }, 1, "", 2, 200},
		{"an error of the server", status(500), 1, "", 2, 200},
		{"no gateway", status(502), 1, "", 2, 200},
		{"the server cannot", status(503), 4, "", 5, 200},
		{"it never recovers: the answer is the server's", status(503), 100, "", 5, 503},
		{"the connection breaks always", breaks, 100, "", 5, 0},
		{"a refusal is an answer", status(403), 100, "", 1, 403},
		{"so is a conflict", status(409), 100, "", 1, 409},
		{"whoever is told when to come back waits elsewhere", func(w http.ResponseWriter) { w.Header().Set("Retry-After", "1"); w.WriteHeader(503) }, 100, "", 1, 503},
		{"who watches begins anew after an answer", status(500), 100, "watch=true", 1, 500},
		{"a watch waits for its server", breaks, 7, "watch=true", 8, 200},
	} {
		t.Run(c.reason, func(t *testing.T) {
			var made atomic.Int64
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				call := int(made.Add(1))
				if body, err := io.ReadAll(r.Body); err != nil || string(body) != "hello" {
					t.Errorf("call %d has the body %q: %v", call, body, err)
				}
				if call <= c.times {
					c.trouble(w)
				}
			}))
			defer server.Close()
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPatch, server.URL+"/?"+c.query, strings.NewReader("hello"))
			if err != nil {
				t.Fatal(err)
			}
			transport := http.DefaultTransport.(*http.Transport).Clone()
			transport.DisableKeepAlives = true // the standard library repeats by itself on connections it used before
			code := 0
			response, err := (&retrying{next: transport, pause: time.Millisecond}).RoundTrip(req)
			if err == nil {
				code = response.StatusCode
				_ = response.Body.Close()
			}
			if calls := int(made.Load()); code != c.want || calls != c.calls {
				t.Errorf("%d calls, code %d (%v); want %d, %d", calls, code, err, c.calls, c.want)
			}
		})
	}
}

// A long answer arrives whole, although only its first part is read ahead.
func TestRetryHandsLongAnswersOn(t *testing.T) {
	want := strings.Repeat("0123456789abcdef", 3*readAhead/16)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, want) }))
	defer server.Close()
	response, err := (&retrying{next: http.DefaultTransport, pause: time.Millisecond}).RoundTrip(request(t.Context(), t, server.URL))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if got, err := io.ReadAll(response.Body); err != nil || string(got) != want {
		t.Errorf("%d bytes of %d arrive: %v", len(got), len(want), err)
	}
}

// Who no longer waits for the answer is not kept.
func TestRetryEndsWithItsCaller(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }))
	defer server.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	response, err := (&retrying{next: http.DefaultTransport, pause: time.Hour}).RoundTrip(request(ctx, t, server.URL))
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	if response != nil {
		_ = response.Body.Close()
	}
}
