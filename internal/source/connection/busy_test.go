package connection

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	for _, tc := range []struct {
		reason, value string
		want          time.Duration
		ok            bool
	}{
		{"seconds", "30", 30 * time.Second, true},
		{"none", "0", 0, true},
		{"a date", "Tue, 24 Nov 2026 12:01:00 GMT", time.Minute, true},
		{"a date that is over", "Tue, 24 Nov 2026 11:00:00 GMT", -time.Hour, true},
		{"longer than anybody waits", "999999999", time.Hour, true},
		{"a date in another year", "Wed, 24 Nov 2027 12:00:00 GMT", time.Hour, true},
		{"nothing", "", 0, false},
		{"nonsense", "soon", 0, false},
		{"less than nothing", "-5", 0, false},
		{"too large a number", "99999999999999999999", 0, false},
	} {
		got, ok := retryAfter(tc.value, now)
		if ok != tc.ok || (ok && got.Sub(now) != tc.want) {
			t.Errorf("%s: %q is %v, %v", tc.reason, tc.value, got, ok)
		}
	}
}

func TestCourteous(t *testing.T) {
	var status int
	var after string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if after != "" {
			w.Header().Set("Retry-After", after)
		}
		w.WriteHeader(status)
	}))
	t.Cleanup(server.Close)
	client := &http.Client{Transport: Courteous{http.DefaultTransport}}
	for _, tc := range []struct {
		reason string
		status int
		after  string
		busy   bool
	}{
		{"too many requests", http.StatusTooManyRequests, "60", true},
		{"a server that is being repaired", http.StatusServiceUnavailable, "60", true},
		{"one that does not say how long", http.StatusTooManyRequests, "", false},
		{"an answer", http.StatusOK, "60", false},
	} {
		status, after = tc.status, tc.after
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		response, err := client.Do(request)
		if err == nil {
			_ = response.Body.Close()
		}
		busy, isBusy := errors.AsType[*BusyError](err)
		if isBusy != tc.busy || (err != nil) != tc.busy {
			t.Errorf("%s: %v", tc.reason, err)
		}
		var rest Rest
		rest.Note(err)
		if err := rest.Check(); (err != nil) != tc.busy {
			t.Errorf("%s: afterwards %v", tc.reason, err)
		}
		if tc.busy {
			busy.Until = time.Now()
			if err := rest.Check(); err != nil {
				t.Errorf("%s: when the time is over: %v", tc.reason, err)
			}
		}
	}
}
