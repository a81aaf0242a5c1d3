package connection

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// maxRest is the longest time for which a server is left alone, however long it asks for.
const maxRest = time.Hour

// BusyError tells that a server asks to be left alone for a while.
type BusyError struct {
	// Status is that of its answer.
	Status int
	// Until is when it may be asked again.
	Until time.Time
}

// Error says until when.
func (e *BusyError) Error() string {
	return fmt.Sprintf("the server answers with status %d %s, and is asked again after %s", e.Status, http.StatusText(e.Status), e.Until.UTC().Format(time.RFC3339))
}

// Courteous makes an error, a *[BusyError], of answers that say when to come back (RFC 9110, 10.2.3, Retry-After).
type Courteous struct{ Next http.RoundTripper }

// RoundTrip implements [http.RoundTripper].
func (c Courteous) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := c.Next.RoundTrip(r)
	if err != nil || (response.StatusCode != http.StatusTooManyRequests && response.StatusCode != http.StatusServiceUnavailable) {
		return response, err
	}
	now := time.Now()
	until, says := retryAfter(response.Header.Get("Retry-After"), now)
	if !says {
		return response, nil
	}
	_ = response.Body.Close() // Nothing in it is for us.
	return nil, &BusyError{Status: response.StatusCode, Until: until}
}

// retryAfter reads a number of seconds or a date.
func retryAfter(value string, now time.Time) (until time.Time, ok bool) {
	if seconds, err := strconv.ParseUint(value, 10, 32); err == nil {
		until = now.Add(min(time.Duration(seconds)*time.Second, maxRest))
	} else if until, err = http.ParseTime(value); err != nil {
		return time.Time{}, false
	}
	if latest := now.Add(maxRest); until.After(latest) {
		until = latest
	}
	return until, true
}

// Rest remembers until when a server is left alone. The zero value has it asked.
type Rest struct {
	mu   sync.Mutex
	busy *BusyError
}

// Check is an error while the server is left alone.
func (r *Rest) Check() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.busy == nil || !time.Now().Before(r.busy.Until) {
		return nil
	}
	return r.busy
}

// Note takes down what an error says about that.
func (r *Rest) Note(err error) {
	if busy, ok := errors.AsType[*BusyError](err); ok {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.busy = busy
	}
}
