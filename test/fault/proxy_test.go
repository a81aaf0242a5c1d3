package main

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/rest"
)

// TestFaults lets each fault meet calls until one has shown what it does to the caller.
func TestFaults(t *testing.T) {
	body := strings.Repeat("x", 4096)
	executed := make(chan string, 1000)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		executed <- r.Method
		if watches(r) {
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
			return
		}
		_, _ = io.WriteString(w, body)
	}))
	defer server.Close()
	for _, c := range []struct {
		kind   fault
		method string
		query  string
		met    func(call) bool
		reason string
	}{
		{tooMany, http.MethodGet, "", func(c call) bool { return c.code == 429 && c.retryAfter == "1" }, "the caller is told when to come back"},
		{internal, http.MethodPatch, "", func(c call) bool { return c.code == 500 }, "writes meet it too"},
		{unavailable, http.MethodGet, "", func(c call) bool { return c.code == 503 }, ""},
		{conflict, http.MethodPatch, "", func(c call) bool { return c.code == 409 }, "only writes conflict"},
		{gone, http.MethodGet, "watch=true", func(c call) bool { return strings.Contains(c.body, `"code":410`) }, "a watch ends with 410, at once or in its middle"},
		{reset, http.MethodPatch, "", func(c call) bool { return c.err != nil }, "the connection breaks"},
		{truncated, http.MethodGet, "", func(c call) bool { return c.err != nil && len(c.body) == 2048 }, "half of the body arrives"},
		{slow, http.MethodGet, "", func(c call) bool { return c.err == nil && c.body == body && c.took > 60*time.Millisecond }, "all arrives, late"},
	} {
		t.Run(string(c.kind), func(t *testing.T) {
			p, err := newProxy(&rest.Config{Host: server.URL})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = p.close() }()
			p.set(c.kind)
			for n := range 500 {
				got := send(t.Context(), c.method, p.url+"/?"+c.query)
				if c.met(got) {
					if p.count(c.kind) == 0 {
						t.Error("it is not counted")
					}
					return
				}
				if got.err != nil || got.code != 200 {
					t.Fatalf("call %d is neither right nor met by the fault: %+v", n, got)
				}
			}
			t.Errorf("no call met it: %s", c.reason)
		})
	}
}

// TestStalledCallsAreFreedAtTheEnd does not wait for the stall to be over.
func TestStalledCallsAreFreedAtTheEnd(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	p, err := newProxy(&rest.Config{Host: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.close() }()
	p.set(stall)
	answers := make(chan call, 200)
	for range cap(answers) {
		go func() { answers <- send(t.Context(), http.MethodGet, p.url) }()
	}
	for p.count(stall) == 0 {
		answers <- send(t.Context(), http.MethodGet, p.url)
		<-answers
	}
	p.set(none)
	for range cap(answers) {
		if got := <-answers; got.err != nil || got.code != 200 || got.took > stalled/2 {
			t.Fatalf("a call that stood still: %+v", got)
		}
	}
}

// call is what the caller sees.
type call struct {
	code       int
	body       string
	retryAfter string
	err        error
	took       time.Duration
}

func send(ctx context.Context, method, url string) call {
	begin := time.Now()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, url, http.NoBody)
	if err != nil {
		return call{err: err}
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return call{err: err, took: time.Since(begin)}
	}
	defer func() { _ = response.Body.Close() }()
	data, err := io.ReadAll(response.Body)
	return call{code: response.StatusCode, body: string(data), retryAfter: response.Header.Get("Retry-After"), err: err, took: time.Since(begin)}
}
