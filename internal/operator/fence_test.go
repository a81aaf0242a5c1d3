package operator

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/rest"
)

func TestFence(t *testing.T) {
	renew := func(status int) *http.Request { return leaseRequest(t, http.MethodPut, status) }
	for _, c := range []struct {
		reason  string
		request *http.Request // of the client of leases
		after   time.Duration
		method  string
		written bool
	}{
		{"before the first lease nothing is written", nil, 0, http.MethodPatch, false},
		{"reading needs no lease", nil, 0, http.MethodGet, true},
		{"a fresh lease", renew(http.StatusOK), time.Second, http.MethodPatch, true},
		{"just within the lease", renew(http.StatusOK), leaseDuration - time.Millisecond, http.MethodDelete, true},
		{"others may lead from here on", renew(http.StatusOK), leaseDuration, http.MethodDelete, false},
		{"reading goes on", renew(http.StatusOK), leaseDuration, http.MethodGet, true},
		{"a refused renewal is none", renew(http.StatusConflict), time.Second, http.MethodPost, false},
		{"to look at the lease does not renew it", leaseRequest(t, http.MethodGet, http.StatusOK), time.Second, http.MethodPost, false},
	} {
		t.Run(c.reason, func(t *testing.T) {
			now := time.Now()
			f := &fence{now: func() time.Time { return now }}
			if c.request != nil {
				if err := send(t, f.observe, c.request); err != nil {
					t.Fatal(err)
				}
			}
			now = now.Add(c.after)
			request, err := http.NewRequest(c.method, "https://cluster.example/api/v1/namespaces/a/configmaps/b", nil)
			if err != nil {
				t.Fatal(err)
			}
			if got := send(t, f.guard, request) == nil; got != c.written {
				t.Errorf("sent: %t, want %t", got, c.written)
			}
		})
	}
}

// A replica that does not lead may ask the leader for something, and nothing more.
func TestFenceLetsRequestsToTheLeaderThrough(t *testing.T) {
	f := &fence{now: time.Now}
	request, err := http.NewRequest(http.MethodPatch, "https://cluster.example/apis/argoproj.io/v1alpha1/namespaces/argocd/applications/a", nil)
	if err != nil {
		t.Fatal(err)
	}
	if send(t, f.guard, request) == nil {
		t.Error("a write without the lead is sent")
	}
	if err := send(t, f.guard, request.WithContext(context.WithValue(t.Context(), anyReplica{}, true))); err != nil {
		t.Errorf("a request to the leader: %v", err)
	}
}

// A clock that was set back must not make a lease younger than it is, nor one that stood still.
func TestFenceBelievesTheLaterClock(t *testing.T) {
	now := time.Now()
	f := &fence{now: func() time.Time { return now }}
	if err := send(t, f.observe, leaseRequest(t, http.MethodPut, http.StatusOK)); err != nil {
		t.Fatal(err)
	}
	wall := now.Round(0) // without the steady clock, as after a sleep of the machine
	now = wall.Add(leaseDuration)
	if f.check() == nil {
		t.Error("the clock on the wall is not believed")
	}
	now = time.Now().Add(-time.Hour)
	if err := f.check(); err != nil {
		t.Errorf("a clock that was set back ends the lease: %v", err)
	}
}

const statusHeader = "Answer"

func leaseRequest(t *testing.T, method string, status int) *http.Request {
	t.Helper()
	request, err := http.NewRequest(method, "https://cluster.example/apis/coordination.k8s.io/v1/namespaces/a/leases/b", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set(statusHeader, http.StatusText(status))
	return request
}

// send sends a request through a client that was configured, to a server that answers as the request asks.
func send(t *testing.T, configure func(*rest.Config), request *http.Request) error {
	t.Helper()
	config := &rest.Config{Host: "https://cluster.example", Transport: roundTripper(func(req *http.Request) (*http.Response, error) {
		status := http.StatusOK
		if req.Header.Get(statusHeader) == http.StatusText(http.StatusConflict) {
			status = http.StatusConflict
		}
		return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader("{}")), Request: req}, nil
	})}
	configure(config)
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Do(request)
	if err != nil {
		return errors.Unwrap(err)
	}
	return response.Body.Close()
}
