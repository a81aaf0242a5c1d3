// Package connection makes connections to repositories: TLS, proxies and tokens, as the access to a repository says.
package connection

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/net/http/httpproxy"

	"github.com/tiphys-io/tiphys/internal/credentials"
)

// maxDial bounds how long a connection may take to come about.
const maxDial = 30 * time.Second

// Default is what repositories share that ask for nothing special. The timeout bounds connecting and the TLS handshake; those of
// requests come with their context.
func Default(timeout time.Duration) *http.Transport {
	dialer := &net.Dialer{Timeout: min(timeout, maxDial), KeepAlive: 30 * time.Second}
	return &http.Transport{
		Proxy: http.ProxyFromEnvironment, DialContext: dialer.DialContext, ForceAttemptHTTP2: true,
		TLSHandshakeTimeout: min(timeout, maxDial), MaxIdleConnsPerHost: 4, IdleConnTimeout: 90 * time.Second,
	}
}

// IsSpecial tells whether an access needs a transport of its own.
func IsSpecial(a credentials.Access) bool {
	return a.Insecure || a.Authorities != "" || a.TLSClientCert != "" || a.Proxy != "" || a.NoProxy != ""
}

// Transport is one for the access of a single repository. Its errors name the Secret or ConfigMap to correct.
func Transport(a credentials.Access, timeout time.Duration) (*http.Transport, error) {
	transport := Default(timeout)
	config, err := tlsConfig(a)
	if err != nil {
		return nil, err
	}
	transport.TLSClientConfig = config
	if transport.Proxy, err = proxyOf(a); err != nil {
		return nil, err
	}
	return transport, nil
}

func tlsConfig(a credentials.Access) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: a.Insecure} //nolint:gosec // as the Secret says
	if a.Authorities != "" {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM([]byte(a.Authorities)) {
			return nil, &RefusedError{fmt.Sprintf("the entry of ConfigMap %s for its host holds no certificate in PEM", credentials.AuthoritiesConfigMap)}
		}
	}
	if a.TLSClientCert != "" {
		pair, err := tls.X509KeyPair([]byte(a.TLSClientCert), []byte(a.TLSClientKey))
		if err != nil {
			// The cause may quote what it read.
			return nil, &RefusedError{a.Origin + ": tlsClientCertData and tlsClientCertKey are not a certificate and its key in PEM"}
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

// proxyOf finds the proxy for a request. A repository's own takes the place of that of the environment.
func proxyOf(a credentials.Access) (func(*http.Request) (*url.URL, error), error) {
	if a.Proxy == "" && a.NoProxy == "" {
		return http.ProxyFromEnvironment, nil
	}
	config := httpproxy.FromEnvironment()
	if a.Proxy != "" {
		if u, err := url.Parse(a.Proxy); err != nil || u.Host == "" {
			return nil, &RefusedError{a.Origin + ": the key proxy is no URL such as http://proxy.example.com:3128"}
		}
		config = &httpproxy.Config{HTTPProxy: a.Proxy, HTTPSProxy: a.Proxy}
	}
	config.NoProxy = a.NoProxy
	find := config.ProxyFunc()
	return func(r *http.Request) (*url.URL, error) { return find(r.URL) }, nil
}

// Authorize logs in to a request by a token or by user and password, whichever there is.
func Authorize(r *http.Request, login credentials.Login) {
	switch {
	case login.BearerToken != "" && !login.ForceBasicAuth:
		r.Header.Set("Authorization", "Bearer "+login.BearerToken)
	case login.Username != "" || login.Password != "":
		r.SetBasicAuth(UserOf(login), login.Password)
	}
}

// tokenUser is the user name that comes with a token in the place of a password, as GitHub has it.
const tokenUser = "x-access-token"

// UserOf is the user of a login by user and password.
func UserOf(login credentials.Login) string { return cmp.Or(login.Username, tokenUser) }

// errStatus is a server that fails.
var errStatus = errors.New("the server answers with status")

// RefusedError tells that a login cannot work before somebody corrects it.
type RefusedError struct{ text string }

// Error says what to correct.
func (e *RefusedError) Error() string { return e.text }
