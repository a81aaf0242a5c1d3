package connection

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"
)

// Guard refuses connections to where a repository must not send us: this machine, the neighbourhood of the link (which has the
// metadata of clouds), and the API server. The nil Guard refuses nothing.
type Guard struct {
	// Hosts are refused besides: names and addresses.
	Hosts []string
}

// GuardError tells that an address is refused.
type GuardError struct{ host string }

// Error names the address and the remedy.
func (e *GuardError) Error() string {
	return fmt.Sprintf("%s is refused: files, charts and repositories that a repository names may not come from loopback or link-local addresses or the API server (--allow-local-remotes permits it)", e.host)
}

// Apply has a transport check each address when it connects, after names were looked up.
func (g *Guard) Apply(transport *http.Transport) {
	if g == nil {
		return
	}
	transport.DialContext = g.Dialer().DialContext
}

// Dialer is one that checks each address when it connects, after names were looked up.
func (g *Guard) Dialer() *net.Dialer {
	dialer := &net.Dialer{Timeout: maxDial, KeepAlive: 30 * time.Second}
	if g != nil {
		dialer.Control = func(_, address string, _ syscall.RawConn) error {
			host, _, err := net.SplitHostPort(address)
			if err != nil {
				return err
			}
			return g.Check(host)
		}
	}
	return dialer
}

// CheckURL checks what a URL says, which a proxy would otherwise look up.
func (g *Guard) CheckURL(u *url.URL) error {
	return g.Check(u.Hostname())
}

// Check checks a host, which is a name or an address.
func (g *Guard) Check(host string) error {
	if g == nil {
		return nil
	}
	for _, refused := range append([]string{"localhost", "kubernetes.default.svc"}, g.Hosts...) {
		if strings.EqualFold(strings.TrimSuffix(host, "."), refused) {
			return &GuardError{host}
		}
	}
	address, _ := netip.ParseAddr(host) // A name, which is no address, is checked once it is looked up.
	address = address.Unmap()
	if address.IsLoopback() || address.IsLinkLocalUnicast() || address.IsLinkLocalMulticast() || address.IsUnspecified() || address.IsMulticast() {
		return &GuardError{host}
	}
	return nil
}
