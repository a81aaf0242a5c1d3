package git

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing/transport"
	gitssh "github.com/go-git/go-git/v5/plumbing/transport/ssh"
	"github.com/skeema/knownhosts"
	"golang.org/x/crypto/ssh"
	"golang.org/x/net/proxy"

	"github.com/tiphys-io/tiphys/internal/credentials"
	"github.com/tiphys-io/tiphys/internal/source/connection"
)

// limitedScheme is a way to connect under which the library finds ours: one whose connections end by themselves. It would
// otherwise wait for a server that accepts a connection and says nothing, for ever.
const limitedScheme = "tiphys-limited"

func init() {
	gitssh.DefaultSSHConfig = nil // What the user of this machine has configured has no say.
	proxy.RegisterDialerType(limitedScheme, func(u *url.URL, _ proxy.Dialer) (proxy.Dialer, error) {
		lifetime, err := time.ParseDuration(u.Query().Get("lifetime"))
		dialer := &limitedDialer{lifetime: lifetime, socks: u.Query().Get("socks")}
		if refused, isGuarded := u.Query()["refused"]; isGuarded {
			dialer.guard = &connection.Guard{Hosts: refused}
		}
		return dialer, err
	})
}

// limitedDialer dials connections that live no longer than they may.
type limitedDialer struct {
	lifetime time.Duration
	socks    string // URL of a proxy; empty for none
	guard    *connection.Guard
}

// Dial implements proxy.Dialer, which the registry wants. The library calls DialContext.
func (*limitedDialer) Dial(string, string) (net.Conn, error) {
	return nil, errors.New("a connection needs a context")
}

// DialContext implements proxy.ContextDialer.
func (d *limitedDialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	if err := d.guard.Check(host); err != nil {
		return nil, err
	}
	var dialer proxy.ContextDialer = d.guard.Dialer()
	if d.socks != "" {
		u, err := url.Parse(d.socks)
		if err != nil || u.Host == "" {
			return nil, &invalidError{"the proxy in its Secret is no URL such as socks5://proxy.example.com:1080"}
		}
		var login *proxy.Auth
		if u.User != nil {
			password, _ := u.User.Password()
			login = &proxy.Auth{User: u.User.Username(), Password: password}
		}
		socks, err := proxy.SOCKS5(network, u.Host, login, &net.Dialer{})
		if err != nil {
			return nil, err
		}
		dialer = socks.(proxy.ContextDialer) //nolint:forcetypeassert // it documents that it is one
	}
	conn, err := dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return conn, conn.SetDeadline(time.Now().Add(d.lifetime))
}

// connectSSH gives the connection and the login of a repository behind SSH.
func connectSSH(access credentials.Access, endpoint *transport.Endpoint, o Options, guard *connection.Guard) (transport.Transport, transport.AuthMethod, error) {
	if access.SSHPrivateKey == "" {
		return nil, nil, &unauthorizedError{"no SSH key is known for it: add a Secret with the label " + credentials.SecretTypeLabel + "=" +
			credentials.RepositorySecret + ", its url, and the key as sshPrivateKey"}
	}
	signer, err := ssh.ParsePrivateKey([]byte(access.SSHPrivateKey))
	if err != nil {
		text := access.Origin + ": sshPrivateKey is no private key in the format of OpenSSH or PEM"
		if _, locked := errors.AsType[*ssh.PassphraseMissingError](err); locked {
			text = access.Origin + ": sshPrivateKey is protected by a passphrase, which nobody can enter: take it off"
		}
		return nil, nil, &unauthorizedError{text}
	}
	login := &sshLogin{config: ssh.ClientConfig{
		User: endpoint.User, Auth: []ssh.AuthMethod{ssh.PublicKeys(signer)}, Timeout: min(o.Timeout, maxSSHDial),
		HostKeyCallback: ssh.InsecureIgnoreHostKey(), //nolint:gosec // replaced below unless the Secret asks for it
	}}
	if !access.Insecure {
		if err := login.checkHost(access.KnownHosts, endpoint, o.Dir); err != nil {
			return nil, nil, err
		}
	}
	query := url.Values{"lifetime": {(totalPatience * o.Timeout).String()}, "socks": {access.Proxy}}
	if guard != nil {
		query["refused"] = append([]string{""}, guard.Hosts...) // also one that refuses no more than it always does
	}
	endpoint.Proxy = transport.ProxyOptions{URL: limitedScheme + "://direct/?" + query.Encode()}
	return gitssh.DefaultClient, login, nil
}

const maxSSHDial = 30 * time.Second

// sshLogin implements the library's AuthMethod.
type sshLogin struct{ config ssh.ClientConfig }

// Name implements transport.AuthMethod.
func (l *sshLogin) Name() string { return gitssh.PublicKeysName }

// String implements transport.AuthMethod, and tells nothing.
func (l *sshLogin) String() string { return l.Name() }

// ClientConfig implements gitssh.AuthMethod.
func (l *sshLogin) ClientConfig() (*ssh.ClientConfig, error) {
	config := l.config
	return &config, nil
}

// checkHost accepts only the keys that are known for a host. The library reads them from a file.
func (l *sshLogin) checkHost(known string, endpoint *transport.Endpoint, dir string) error {
	file, err := os.CreateTemp(dir, "known-hosts-")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(file.Name()) }()
	_, err = file.WriteString(usableLines(known))
	if err := errors.Join(err, file.Close()); err != nil {
		return err
	}
	db, err := knownhosts.NewDB(file.Name())
	if err != nil {
		return &invalidError{fmt.Sprintf("ConfigMap %s cannot be read", credentials.KnownHostsConfigMap)}
	}
	check := db.HostKeyCallback()
	l.config.HostKeyAlgorithms = db.HostKeyAlgorithms(fmt.Sprintf("%s:%d", bracketed(endpoint.Host), endpoint.Port))
	l.config.HostKeyCallback = func(hostname string, remote net.Addr, key ssh.PublicKey) error {
		err := check(hostname, remote, key)
		switch {
		case err == nil:
			return nil
		case knownhosts.IsHostUnknown(err):
			return &invalidError{fmt.Sprintf("ssh: handshake failed: knownhosts: key is unknown: add the key of %s to ConfigMap %s", hostname, credentials.KnownHostsConfigMap)}
		case knownhosts.IsHostKeyChanged(err):
			return &invalidError{fmt.Sprintf("ssh: handshake failed: knownhosts: key mismatch: %s has another key than ConfigMap %s says; correct that if the server was changed", hostname, credentials.KnownHostsConfigMap)}
		}
		return &invalidError{"ssh: handshake failed: the key of the server is revoked"}
	}
	return nil
}

func bracketed(host string) string {
	if strings.Contains(host, ":") {
		return "[" + host + "]"
	}
	return host
}

// usableLines leaves out what is no line with a key, as OpenSSH does: one typing error must not lock out all other hosts.
func usableLines(known string) string {
	var usable strings.Builder
	for line := range strings.Lines(known) {
		if _, _, _, _, _, err := ssh.ParseKnownHosts([]byte(line)); err == nil {
			usable.WriteString(strings.TrimSpace(line) + "\n")
		}
	}
	return usable.String()
}
