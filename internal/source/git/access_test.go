package git

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/tiphys-io/tiphys/internal/credentials"
	"github.com/tiphys-io/tiphys/internal/source"
	"github.com/tiphys-io/tiphys/test/fixture"
)

// secretText is in every credential of these tests, and must be in no error.
const secretText = "s3cr3t"

// accessTo answers with one access for everything, which a test may replace.
type accessTo struct {
	access atomic.Pointer[credentials.Access]
}

func (a *accessTo) get(context.Context, string, string) (credentials.Access, error) {
	return *a.access.Load(), nil
}

func (a *accessTo) set(access credentials.Access) { a.access.Store(&access) }

// readBy tries to read a repository with an access.
func readBy(t *testing.T, url string, access credentials.Access) error {
	t.Helper()
	var a accessTo
	a.set(access)
	fetcher := newFetcher(t, Options{Access: a.get, Timeout: 20 * time.Second})
	repo := source.Repository{URL: url, Project: "default"}
	sha, err := fetcher.Resolve(t.Context(), repo, "main", source.ResolveOptions{})
	if err == nil {
		var tree source.Tree
		if tree, err = fetcher.Fetch(t.Context(), repo, sha); err == nil {
			_, err = tree.ReadFile("a.txt")
		}
	}
	if err != nil && strings.Contains(err.Error(), secretText) {
		t.Errorf("the error tells a secret: %v", err)
	}
	return err
}

// expect says what an error should be; an empty reason is success.
func expect(t *testing.T, why string, err error, reason source.Reason, texts ...string) {
	t.Helper()
	if reason == "" {
		if err != nil {
			t.Errorf("%s: %v", why, err)
		}
		return
	}
	failed, ok := errors.AsType[*source.Error](err)
	if !ok || failed.Reason != reason {
		t.Errorf("%s: %v, want it to be %s", why, err, reason)
		return
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("%s: %v does not say %q", why, err, text)
		}
	}
}

// guarded serves a repository to those whose requests a function lets in.
func guarded(t *testing.T, allow func(*http.Request) bool) (git *fixture.GitServer, handler http.Handler) {
	t.Helper()
	git = newServer(t)
	commit(t, git.Repository("app"), map[string]string{"a.txt": "one"})
	return git, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !allow(r) {
			w.Header().Set("WWW-Authenticate", `Basic realm="x"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		git.ServeHTTP(w, r)
	})
}

func TestLogins(t *testing.T) {
	var allow atomic.Pointer[func(*http.Request) bool]
	_, handler := guarded(t, func(r *http.Request) bool { return (*allow.Load())(r) })
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	basic := func(user, password string) func(*http.Request) bool {
		return func(r *http.Request) bool {
			u, p, ok := r.BasicAuth()
			return ok && u == user && p == password
		}
	}
	bearer := func(r *http.Request) bool { return r.Header.Get("Authorization") == "Bearer "+secretText }
	url := server.URL + "/app.git"
	for _, c := range []struct {
		why    string
		allow  func(*http.Request) bool
		login  credentials.Login
		reason source.Reason
		text   string
	}{
		{"user and password", basic("me", secretText), credentials.Login{Username: "me", Password: secretText}, "", ""},
		{"a wrong password names the Secret", basic("me", "x"), credentials.Login{Username: "me", Password: secretText}, source.Unauthorized, "the credentials of Secret argocd/x"},
		{"no login says how to give one", basic("me", "x"), credentials.Login{}, source.Unauthorized, credentials.SecretTypeLabel},
		{"a token without a user", basic("x-access-token", secretText), credentials.Login{Password: secretText}, "", ""},
		{"a bearer token", bearer, credentials.Login{BearerToken: secretText}, "", ""},
		{"a bearer token beside a user", bearer, credentials.Login{BearerToken: secretText, Username: "me", Password: "x"}, "", ""},
		{"basic where it is forced", basic("me", secretText), credentials.Login{BearerToken: "x", Username: "me", Password: secretText, ForceBasicAuth: true}, "", ""},
	} {
		allow.Store(&c.allow)
		access := credentials.Access{Login: c.login}
		if c.login != (credentials.Login{}) {
			access.Origin, access.Identity = "Secret argocd/x", "x@1"
		}
		expect(t, c.why, readBy(t, url, access), c.reason, c.text)
	}
}

func TestCredentialsTakeEffectAtOnce(t *testing.T) {
	git, handler := guarded(t, func(r *http.Request) bool { _, p, _ := r.BasicAuth(); return p == secretText })
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	var a accessTo
	fetcher := newFetcher(t, Options{Access: a.get, ResolveTTL: time.Hour})
	repo := source.Repository{URL: server.URL + "/app.git"}
	sha, err := git.Repository("app").Commit(map[string]string{"a.txt": "two"})
	must(t, err)
	read := func() error {
		_, err := fetcher.Resolve(t.Context(), repo, "main", source.ResolveOptions{})
		_, fetchErr := fetcher.Fetch(t.Context(), repo, sha)
		if (err == nil) != (fetchErr == nil) {
			t.Errorf("Resolve gives %v, Fetch %v", err, fetchErr)
		}
		return err
	}
	login := func(password, version string) credentials.Access {
		return credentials.Access{Login: credentials.Login{Username: "me", Password: password}, Origin: "Secret argocd/x", Identity: "x@" + version}
	}
	a.set(credentials.Access{})
	expect(t, "without a login", read(), source.Unauthorized)
	a.set(login(secretText, "1"))
	expect(t, "with one that was added", read(), "")
	a.set(login("wrong", "2"))
	expect(t, "with another password what was read is out of reach", read(), source.Unauthorized)
	a.set(login(secretText, "3"))
	expect(t, "with the right one again", read(), "")
	a.set(credentials.Access{})
	expect(t, "after it was removed", read(), source.Unauthorized)
	if n := len(fetcher.repositories); n != 2 {
		t.Errorf("%d repositories are kept, want one for the login and one for everybody", n)
	}
}

// pair makes a certificate that signs itself, and its key.
func pair(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	must(t, err)
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	must(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}))
}

func TestTLS(t *testing.T) {
	cert, key := pair(t)
	var needsClient atomic.Bool
	_, handler := guarded(t, func(r *http.Request) bool { return !needsClient.Load() || len(r.TLS.PeerCertificates) > 0 })
	server := httptest.NewUnstartedServer(handler)
	server.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
	server.Config.ErrorLog = nil
	server.StartTLS()
	t.Cleanup(server.Close)
	url := server.URL + "/app.git"
	authority := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))

	expect(t, "an authority that nobody knows", readBy(t, url, credentials.Access{}), source.Invalid, "certificate")
	expect(t, "the authority of the ConfigMap", readBy(t, url, credentials.Access{Authorities: authority}), "")
	expect(t, "another authority", readBy(t, url, credentials.Access{Authorities: cert}), source.Invalid, "certificate")
	expect(t, "insecure", readBy(t, url, credentials.Access{Insecure: true}), "")
	expect(t, "an entry that is no certificate", readBy(t, url, credentials.Access{Authorities: "x"}), source.Unauthorized, credentials.AuthoritiesConfigMap)
	needsClient.Store(true)
	expect(t, "without a client certificate", readBy(t, url, credentials.Access{Insecure: true}), source.Unauthorized)
	access := credentials.Access{Insecure: true, Login: credentials.Login{TLSClientCert: cert, TLSClientKey: key}}
	expect(t, "with one", readBy(t, url, access), "")
	access.Origin, access.TLSClientKey = "Secret argocd/x", secretText
	expect(t, "with a key that is none", readBy(t, url, access), source.Unauthorized, "Secret argocd/x", "tlsClientCertKey")
}

// TestLoginStaysWithTheHost has a redirect to another host, which must not learn the login.
func TestLoginStaysWithTheHost(t *testing.T) {
	var told atomic.Bool
	_, handler := guarded(t, func(r *http.Request) bool {
		if r.Header.Get("Authorization") != "" {
			told.Store(true)
		}
		return true
	})
	other := httptest.NewServer(handler)
	t.Cleanup(other.Close)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, strings.Replace(other.URL, "127.0.0.1", "localhost", 1)+r.URL.String(), http.StatusFound)
	}))
	t.Cleanup(server.Close)
	access := credentials.Access{Login: credentials.Login{Username: "me", Password: secretText}}
	expect(t, "the redirect is followed", readBy(t, server.URL+"/app.git", access), "")
	if told.Load() {
		t.Error("the other host was told the login")
	}
}

func TestProxy(t *testing.T) {
	git, _ := guarded(t, nil)
	var asked atomic.Int32
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Host == "git.example.invalid" {
			asked.Add(1)
		}
		git.ServeHTTP(w, r)
	}))
	t.Cleanup(proxy.Close)
	expect(t, "the proxy of the Secret", readBy(t, "http://git.example.invalid/app.git", credentials.Access{Proxy: proxy.URL}), "")
	if asked.Load() == 0 {
		t.Error("the proxy was not asked")
	}
	err := readBy(t, "http://git.example.invalid/app.git", credentials.Access{Proxy: proxy.URL, NoProxy: "example.invalid"})
	expect(t, "a host that needs no proxy", err, source.Unavailable)
	expect(t, "a proxy that is none", readBy(t, "http://git.example.invalid/app.git", credentials.Access{Proxy: "x", Origin: "Secret argocd/x"}), source.Unauthorized, "Secret argocd/x", "proxy")
}

func TestSSH(t *testing.T) {
	git := newServer(t)
	commit(t, git.Repository("org/app"), map[string]string{"a.txt": "one"})
	private, public, err := fixture.SSHKey()
	must(t, err)
	stranger, strangerPublic, err := fixture.SSHKey()
	must(t, err)
	server, err := fixture.StartSSHServer(git, public)
	must(t, err)
	t.Cleanup(server.Close)
	url := server.URL("org/app")
	known := knownhosts.Line([]string{server.Address()}, server.HostKey())
	with := func(key, hosts string) credentials.Access {
		return credentials.Access{Login: credentials.Login{SSHPrivateKey: key}, KnownHosts: hosts, Origin: "Secret argocd/x"}
	}
	expect(t, "a known host and the right key", readBy(t, url, with(private, "# a comment\nnonsense\n"+known+"\n")), "")
	hashed := knownhosts.HashHostname(knownhosts.Normalize(server.Address())) + known[strings.Index(known, " "):]
	expect(t, "a hashed name of the host", readBy(t, url, with(private, hashed)), "")
	expect(t, "a host that is not known", readBy(t, url, with(private, "")), source.Invalid, "key is unknown", credentials.KnownHostsConfigMap)
	changed := knownhosts.Line([]string{server.Address()}, strangerPublic)
	expect(t, "a host with another key", readBy(t, url, with(private, changed)), source.Invalid, "key mismatch", credentials.KnownHostsConfigMap)
	insecure := with(private, changed)
	insecure.Insecure = true
	expect(t, "insecure accepts every host", readBy(t, url, insecure), "")
	expect(t, "another key", readBy(t, url, with(stranger, known)), source.Unauthorized, "Secret argocd/x")
	expect(t, "no key", readBy(t, url, credentials.Access{KnownHosts: known}), source.Unauthorized, "sshPrivateKey")
	expect(t, "a key that is none", readBy(t, url, with(secretText, known)), source.Unauthorized, "Secret argocd/x", "sshPrivateKey")
	expect(t, "a repository that is not there", readBy(t, server.URL("nothing"), with(private, known)), source.NotFound)
	server.Close()
	expect(t, "a server that is gone", readBy(t, url, with(private, known)), source.Unavailable)
}

// TestSilentSSH has a server that accepts a connection and says nothing.
func TestSilentSSH(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		conn, err := listener.Accept()
		if err == nil {
			_, _ = io.Copy(io.Discard, conn) // until the client hangs up
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() { _ = listener.Close(); <-ended })
	private, _, err := fixture.SSHKey()
	must(t, err)
	var a accessTo
	a.set(credentials.Access{Login: credentials.Login{SSHPrivateKey: private}, Insecure: true})
	fetcher := newFetcher(t, Options{Access: a.get, Timeout: 100 * time.Millisecond})
	_, err = fetcher.Resolve(t.Context(), source.Repository{URL: "ssh://git@" + listener.Addr().String() + "/x"}, "main", source.ResolveOptions{})
	expect(t, "silence", err, source.Unavailable, "no answer within 100ms")
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Error("the connection is still open")
	}
}

func TestGitHubApp(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	private := string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))
	var tokens atomic.Int32
	git, _ := guarded(t, nil)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost && r.URL.Path == "/api/v3/app/installations/2/access_tokens" {
			if proof := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "); strings.Count(proof, ".") != 2 {
				t.Errorf("%q is no proof", proof)
			}
			tokens.Add(1)
			w.WriteHeader(http.StatusCreated)
			_, _ = io.WriteString(w, `{"token":"`+secretText+`","expires_at":"`+time.Now().Add(time.Hour).Format(time.RFC3339)+`"}`)
			return
		}
		if strings.HasPrefix(r.URL.Path, "/api/") {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		if user, password, _ := r.BasicAuth(); user != "x-access-token" || password != secretText {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		git.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	app := func(installation int64, key string) credentials.Access {
		return credentials.Access{Origin: "Secret argocd/x", Identity: "x@1", Login: credentials.Login{
			GitHubApp: &credentials.GitHubApp{ID: 1, InstallationID: installation, PrivateKey: key, BaseURL: server.URL + "/api/v3"},
		}}
	}
	expect(t, "the token of an installation", readBy(t, server.URL+"/app.git", app(2, private)), "")
	if n := tokens.Load(); n != 1 {
		t.Errorf("%d tokens were asked for, want one", n)
	}
	expect(t, "an unknown installation", readBy(t, server.URL+"/app.git", app(3, private)), source.Unauthorized, "Secret argocd/x", "githubAppInstallationID")
	expect(t, "a key that is none", readBy(t, server.URL+"/app.git", app(2, secretText)), source.Unauthorized, "Secret argocd/x", "githubAppPrivateKey")
}
