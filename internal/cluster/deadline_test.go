package cluster

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// impatient is a client that waits for headers as long as timeout.
func impatient(timeout time.Duration) *http.Client {
	return &http.Client{Transport: &headerDeadline{next: http.DefaultTransport, timeout: timeout}}
}

func request(ctx context.Context, t *testing.T, url string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

func TestServerThatNeverAnswers(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer server.Close()
	_, err := impatient(50 * time.Millisecond).Do(request(t.Context(), t, server.URL)) //nolint:bodyclose // there is no answer
	if err == nil || !strings.Contains(err.Error(), "no answer from "+strings.TrimPrefix(server.URL, "http://")+" within 50ms") {
		t.Errorf("the error has to say who did not answer, and for how long: %v", err)
	}
}

// A watch answers at once and then for hours.
func TestBodyMayTakeItsTime(t *testing.T) {
	more := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusOK)
		if flusher, ok := w.(http.Flusher); ok {
			flusher.Flush()
		}
		<-more
		_, _ = io.WriteString(w, "event")
	}))
	defer server.Close()
	// Whatever the machine is busy with, the headers come within a minute.
	deadline := &headerDeadline{next: http.DefaultTransport, timeout: time.Minute}
	response, err := deadline.RoundTrip(request(t.Context(), t, server.URL))
	if err != nil {
		t.Fatal(err)
	}
	if err := response.Request.Context().Err(); err != nil {
		t.Fatalf("the request ends with its headers: %v", err)
	}
	close(more)
	body, err := io.ReadAll(response.Body)
	if err != nil || string(body) != "event" {
		t.Errorf("read %q, %v", body, err)
	}
	if err := response.Body.Close(); err != nil {
		t.Fatal(err)
	}
	if response.Request.Context().Err() == nil {
		t.Error("a body that is closed does not free its context")
	}
}

func TestDeadlineKeepsOtherErrors(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	_, err := impatient(time.Minute).Do(request(ctx, t, server.URL)) //nolint:bodyclose // there is no answer
	if !errors.Is(err, context.Canceled) {
		t.Errorf("who gives up himself is told so: %v", err)
	}
	server.Close()
	_, err = impatient(time.Minute).Do(request(t.Context(), t, server.URL)) //nolint:bodyclose // there is no answer
	if err == nil || strings.Contains(err.Error(), "no answer") {
		t.Errorf("a refused connection is no missing answer: %v", err)
	}
}
