package cluster

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"time"

	"k8s.io/client-go/rest"
)

const (
	// retries is how often a call that failed in passing is made again.
	retries = 4
	// watchRetries is the same for a watch; they last about half a minute.
	watchRetries = 10
	// firstPause is the pause before the first of them; each further one is three times as long. A random part of up to half is
	// added, so that not all come back at once. Together they last four to six seconds.
	firstPause = 100 * time.Millisecond
	// longestPause bounds the pause between two attempts to watch.
	longestPause = 4 * time.Second
)

// Retry has a client make a call again that failed in passing: the connection broke, or the server could not answer (500, 502,
// 503, 504). Without it, a moment's trouble in the middle of a sync would fail the sync. Every write of ours may be repeated:
// applies say the same again, deletions name the UID, patches of the status carry no count. 429 is client-go's to repeat, since
// it comes with the time to wait. Watches are left alone, who watches begins anew.
func Retry(config *rest.Config) {
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return &retrying{next: next, pause: firstPause} })
}

type retrying struct {
	next  http.RoundTripper
	pause time.Duration
}

// RoundTrip makes the call, and again if need be.
func (r *retrying) RoundTrip(req *http.Request) (*http.Response, error) {
	pause, most := r.pause, retries
	if isWatch(req) {
		most = watchRetries
	}
	for attempt := 0; ; attempt++ {
		response, err := r.next.RoundTrip(req)
		if err == nil && !isWatch(req) {
			err = begin(response)
		}
		if attempt == most || !passing(req, response, err) {
			return answer(response, err)
		}
		again, ok := repeat(req)
		if !ok {
			return answer(response, err)
		}
		select {
		case <-time.After(pause + rand.N(pause/2)): //nolint:gosec // G404: a spread, no secret.
		case <-req.Context().Done():
			return answer(response, err)
		}
		if err == nil {
			_ = response.Body.Close()
		}
		req, pause = again, min(pause*3, longestPause)
	}
}

// answer is either a response or an error.
func answer(response *http.Response, err error) (*http.Response, error) {
	if err != nil {
		return nil, err
	}
	return response, nil
}

// passing tells whether a failure may be over in a moment.
func passing(req *http.Request, response *http.Response, err error) bool {
	switch {
	case req.Context().Err() != nil:
		return false
	case err != nil:
		return !errors.Is(err, errGaveUp) // a server that was silent for a minute is not asked five times
	case isWatch(req):
		return false // an answer is for the caller, who begins anew
	}
	switch response.StatusCode {
	case http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return response.Header.Get("Retry-After") == "" // else client-go waits as long as it is told
	}
	return false
}

func isWatch(req *http.Request) bool { return req.URL.Query().Has("watch") }

// readAhead is how much of an answer is read before anybody sees it: all answers but long lists.
const readAhead = 1 << 20

// begin reads the first part of an answer, so that one that breaks off counts as a call that failed.
func begin(response *http.Response) error {
	var read bytes.Buffer
	n, err := io.CopyN(&read, response.Body, readAhead)
	switch {
	case n == readAhead && err == nil:
		response.Body = &continued{Reader: io.MultiReader(&read, response.Body), Closer: response.Body}
		return nil
	case errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
		response.Body = &continued{Reader: &read, Closer: response.Body}
		return nil
	}
	_ = response.Body.Close()
	return fmt.Errorf("the answer of %s breaks off: %w", response.Request.URL.Host, err)
}

// continued is a body of which a part was read already.
type continued struct {
	io.Reader
	io.Closer
}

// repeat is the same request with its body from the beginning.
func repeat(req *http.Request) (*http.Request, bool) {
	again := req.Clone(req.Context())
	if req.Body == nil || req.Body == http.NoBody {
		return again, true
	}
	if req.GetBody == nil {
		return nil, false
	}
	body, err := req.GetBody()
	again.Body = body
	return again, err == nil
}
