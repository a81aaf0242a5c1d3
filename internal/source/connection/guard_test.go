package connection

import (
	"net/url"
	"testing"
)

func TestGuard(t *testing.T) {
	guard := &Guard{Hosts: []string{"10.96.0.1", "api.example.com"}}
	for _, tc := range []struct {
		reason, url string
		refused     bool
	}{
		{"this machine by name", "http://localhost:8080/x", true},
		{"in any case, with the root's dot", "http://LocalHost.:8080/x", true},
		{"by address", "http://127.8.9.1/x", true},
		{"of the other family", "http://[::1]/x", true},
		{"in the dress of the other family", "http://[::ffff:127.0.0.1]/x", true},
		{"any address is this machine too", "http://0.0.0.0/x", true},
		{"the metadata of a cloud", "http://169.254.169.254/latest", true},
		{"link-local of the other family", "http://[fe80::1]/x", true},
		{"the API server by its name in the cluster", "https://kubernetes.default.svc/api", true},
		{"by the address that we use", "https://10.96.0.1/api", true},
		{"by the name that we use", "https://API.example.com/api", true},
		{"a service in the cluster", "http://charts.tools.svc/index.yaml", false},
		{"a private network", "http://10.0.0.7/index.yaml", false},
		{"the world", "https://charts.example.org/index.yaml", false},
	} {
		u, err := url.Parse(tc.url)
		if err != nil {
			t.Fatal(err)
		}
		if err := guard.CheckURL(u); (err != nil) != tc.refused {
			t.Errorf("%s: %s gives %v", tc.reason, tc.url, err)
		}
	}
	var none *Guard
	if err := none.CheckURL(&url.URL{Host: "localhost"}); err != nil {
		t.Errorf("no guard refuses: %v", err)
	}
}
