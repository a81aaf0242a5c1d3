package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// errGaveUp says that the server took a request and never began to answer.
var errGaveUp = errors.New("no answer")

// headerDeadline gives up on a server that takes a request and never begins to answer.
type headerDeadline struct {
	next    http.RoundTripper
	timeout time.Duration
}

// RoundTrip cancels the request when no header has come within the timeout; the body may then take its time.
func (h *headerDeadline) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(req.Context())
	timer := time.AfterFunc(h.timeout, func() {
		cancel(fmt.Errorf("%w from %s within %s", errGaveUp, req.URL.Host, h.timeout))
	})
	response, err := h.next.RoundTrip(req.WithContext(ctx))
	timer.Stop()
	if err != nil {
		cause := context.Cause(ctx)
		cancel(nil)
		if cause != nil && req.Context().Err() == nil {
			return nil, cause
		}
		return nil, err
	}
	response.Body = &cancellingBody{ReadCloser: response.Body, cancel: cancel}
	return response, nil
}

// cancellingBody frees the context of its request when the body is closed.
type cancellingBody struct {
	io.ReadCloser
	cancel context.CancelCauseFunc
}

// Close closes the body and frees the context.
func (b *cancellingBody) Close() error {
	err := b.ReadCloser.Close()
	b.cancel(nil)
	return err
}
