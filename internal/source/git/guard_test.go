package git

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"strings"
	"testing"

	"github.com/tiphys-io/tiphys/internal/credentials"
	"github.com/tiphys-io/tiphys/internal/source"
	"github.com/tiphys-io/tiphys/internal/source/connection"
	"github.com/tiphys-io/tiphys/test/fixture"
)

// TestGuard has repositories that a repository names, on this machine.
func TestGuard(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	var access accessTo
	access.set(credentials.Access{Insecure: true, Login: credentials.Login{SSHPrivateKey: string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))}})
	server, other := newServer(t), newServer(t)
	for _, s := range []*fixture.GitServer{server, other} {
		commit(t, s.Repository("lib"), map[string]string{"a.txt": "one"})
	}
	redirected := 0
	other.Intercept(func(http.ResponseWriter, *http.Request) bool { redirected++; return false })
	here, there := server.Repository("lib").URL(), other.Repository("lib").URL()
	port := other.URL()[strings.LastIndexByte(other.URL(), ':')+1:]
	const refused = "is refused: files, charts and repositories that a repository names"
	for _, tc := range []struct {
		why, url, namedBy, text string
		reason                  source.Reason
		guard                   *connection.Guard
	}{
		{"an application may name it", there, "", "", "", &connection.Guard{}},
		{"so may a repository of the same server", here, server.URL() + "/app.git", "", "", &connection.Guard{}},
		{"not one of elsewhere", there, "https://example.com/app", "127.0.0.1 " + refused, source.Invalid, &connection.Guard{}},
		{"not by name", "http://localhost:" + port + "/lib", "https://example.com/app", "localhost " + refused, source.Invalid, &connection.Guard{}},
		{"not one of another port", there, here, "127.0.0.1 " + refused, source.Invalid, &connection.Guard{}},
		{"not by SSH", "ssh://git@127.0.0.1:1/lib", "https://example.com/app", "127.0.0.1 " + refused, source.Invalid, &connection.Guard{}},
		{"not by SSH, by name", "git@localhost:lib", "https://example.com/app", "localhost " + refused, source.Invalid, &connection.Guard{}},
		{"not the API server by SSH", "git@api.example.com:lib", "https://example.com/app", "api.example.com " + refused, source.Invalid, &connection.Guard{Hosts: []string{"api.example.com"}}},
		{"not by git://, which nobody can check", "git://127.0.0.1/lib", "https://example.com/app", "and not by git://", source.Invalid, &connection.Guard{}},
		{"unless it is permitted", there, "https://example.com/app", "", "", nil},
	} {
		fetcher := newFetcher(t, Options{Guard: tc.guard, Access: access.get})
		_, err := fetcher.Resolve(t.Context(), source.Repository{URL: tc.url, NamedBy: tc.namedBy}, "main", source.ResolveOptions{})
		expect(t, tc.why, err, tc.reason, tc.text)
	}

	// A server that is permitted may not hand us on.
	before := redirected
	server.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
		http.Redirect(w, r, other.URL()+r.URL.RequestURI(), http.StatusFound)
		return true
	})
	fetcher := newFetcher(t, Options{Guard: &connection.Guard{}})
	r, err := fetcher.repository(t.Context(), source.Repository{URL: here, NamedBy: "https://example.com/app"})
	must(t, err)
	if r.guard == nil {
		t.Fatal("nobody guards it")
	}
	if _, err := r.references(t.Context(), true); err == nil || redirected != before {
		t.Errorf("%v, and the other server was asked %d times", err, redirected-before)
	}
}

// A submodule may lie on the server of its parent, and not elsewhere on this machine.
func TestGuardOfSubmodules(t *testing.T) {
	server, other := newServer(t), newServer(t)
	pinned := commit(t, server.Repository("lib"), map[string]string{"a.txt": "here"})
	if commit(t, other.Repository("lib"), map[string]string{"a.txt": "here"}) != pinned {
		t.Fatal("the two have one commit")
	}
	for _, tc := range []struct{ why, url, text string }{
		{"beside its parent", "../lib.git", ""},
		{"on another server", other.Repository("lib").URL(), "127.0.0.1 is refused"},
	} {
		modules := "[submodule \"x\"]\n\tpath = lib\n\turl = " + tc.url + "\n"
		sha := commit(t, server.Repository("app"), map[string]string{".gitmodules": modules}, fixture.WithGitlink("lib", pinned))
		tree, err := newFetcher(t, Options{Guard: &connection.Guard{}}).Fetch(t.Context(), source.Repository{URL: server.Repository("app").URL()}, sha)
		must(t, err)
		data, err := tree.ReadFile("lib/a.txt")
		if tc.text == "" && (err != nil || string(data) != "here") {
			t.Errorf("%s: %q, %v", tc.why, data, err)
		}
		if tc.text != "" && (err == nil || !strings.Contains(err.Error(), tc.text)) {
			t.Errorf("%s: %q, %v", tc.why, data, err)
		}
	}
}
