package operator

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"k8s.io/client-go/rest"
)

// leaseDuration is how long others wait before they take the lead from one that has fallen silent.
const leaseDuration = 15 * time.Second

// errNotLeading is the answer to a write before the first lease.
var errNotLeading = errors.New("not written: this replica does not lead")

// fence keeps a replica that has lost the lead without noticing from writing. One that was frozen, with its machine or alone,
// goes on in the middle of its work when it wakes; that another has taken over it only finds out at its next renewal.
type fence struct {
	now func() time.Time

	mu      sync.Mutex
	renewed time.Time // when the last successful renewal was sent, which is the latest that others may count from
}

// observe has a client of leases tell the fence of each renewal.
func (f *fence) observe(config *rest.Config) {
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(req *http.Request) (*http.Response, error) {
			sent := f.now()
			response, err := next.RoundTrip(req)
			if err == nil && response.StatusCode < http.StatusMultipleChoices && writes(req) && strings.Contains(req.URL.Path, "/leases") {
				f.mu.Lock()
				f.renewed = sent
				f.mu.Unlock()
			}
			return response, err
		})
	})
}

// anyReplica marks the context of a write that a replica may do which does not lead: one that asks the leader for something.
type anyReplica struct{}

// guard has a client refuse to write unless the lease is sure to be held, or any replica may.
func (f *fence) guard(config *rest.Config) {
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(req *http.Request) (*http.Response, error) {
			if writes(req) && req.Context().Value(anyReplica{}) == nil {
				if err := f.check(); err != nil {
					return nil, err
				}
			}
			return next.RoundTrip(req)
		})
	})
}

// check asks the steady clock and the clock on the wall, and believes the later: the first stands still while a machine sleeps,
// the second can be set back.
func (f *fence) check() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.renewed.IsZero() {
		return errNotLeading
	}
	now := f.now()
	if silent := max(now.Sub(f.renewed), now.Round(0).Sub(f.renewed.Round(0))); silent >= leaseDuration {
		return fmt.Errorf("not written: the lease of this replica was renewed %s ago, others may lead since it is older than %s",
			silent.Round(time.Millisecond), leaseDuration)
	}
	return nil
}

// writes tells whether a request may change something.
func writes(req *http.Request) bool {
	return req.Method != http.MethodGet && req.Method != http.MethodHead
}

// roundTripper is a function that carries out requests.
type roundTripper func(*http.Request) (*http.Response, error)

// RoundTrip calls the function.
func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }
