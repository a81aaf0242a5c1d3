package cluster

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestOnRewind(t *testing.T) {
	for _, c := range []struct {
		reason, query, list string
		code                int
		looked, rewound     bool
	}{
		{"the server has got further", "watch=true&resourceVersion=100", `{"metadata":{"resourceVersion":"120"}}`, 200, true, false},
		{"nothing has happened since", "watch=true&resourceVersion=100", `{"metadata":{"resourceVersion":"100"}}`, 200, true, false},
		{"the server has gone back", "watch=true&resourceVersion=100", `{"metadata":{"resourceVersion":"99"}}`, 200, true, true},
		{"a first watch has no version", "watch=true&sendInitialEvents=true", `{}`, 200, false, false},
		{"any version will do", "watch=true&resourceVersion=0", `{}`, 200, false, false},
		{"a list is no watch", "resourceVersion=100", `{}`, 200, false, false},
		{"a server that does not answer says nothing", "watch=true&resourceVersion=100", `{"metadata":{"resourceVersion":"9"}}`, 503, true, false},
		{"nor does one that talks nonsense", "watch=true&resourceVersion=100", `<html>`, 200, true, false},
	} {
		t.Run(c.reason, func(t *testing.T) {
			looked, asked := false, false
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.RawQuery == c.query {
					asked = true
					return
				}
				looked = true
				if r.URL.RawQuery != "limit=1" || !strings.Contains(r.Header.Get("Accept"), "PartialObjectMetadataList") {
					t.Errorf("it asks for %s as %s", r.URL.RawQuery, r.Header.Get("Accept"))
				}
				w.WriteHeader(c.code)
				_, _ = io.WriteString(w, c.list)
			}))
			defer server.Close()
			var told error
			response, err := (&rewinding{next: http.DefaultTransport, rewound: func(err error) { told = err }}).
				RoundTrip(request(t.Context(), t, server.URL+"/api/v1/configmaps?"+c.query))
			if err != nil {
				t.Fatal(err)
			}
			_ = response.Body.Close()
			if !asked || looked != c.looked || errors.Is(told, ErrRewound) != c.rewound {
				t.Errorf("asked %t, looked %t, told %v; want true, %t, %t", asked, looked, told, c.looked, c.rewound)
			}
		})
	}
}
