package git

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/sideband"
	"github.com/go-git/go-git/v5/plumbing/transport"
	gitgit "github.com/go-git/go-git/v5/plumbing/transport/git"
	githttp "github.com/go-git/go-git/v5/plumbing/transport/http"
	gitssh "github.com/go-git/go-git/v5/plumbing/transport/ssh"

	"github.com/tiphys-io/tiphys/internal/credentials"
	"github.com/tiphys-io/tiphys/internal/source"
	"github.com/tiphys-io/tiphys/internal/source/connection"
)

const (
	maxRedirects = 5
	// maxRefsBytes bounds a list of references; a million of them fit.
	maxRefsBytes = 128 << 20
	// maxErrorBytes bounds the page that comes with an error.
	maxErrorBytes = 1 << 20
	maxPort       = 65535
	// gitPort is where git:// is served.
	gitPort = 9418
)

// request says what to fetch.
type request struct {
	// want is a commit, or an annotated tag. Ignored if everything is set.
	want plumbing.Hash
	// everything asks for all branches and tags with their history.
	everything bool
	// haves are commits the receiving store has, shallows those of them without their parents.
	haves, shallows []plumbing.Hash
}

// upstream is where the objects of a repository come from.
type upstream interface {
	// list gives the references in the order of their names, HEAD first.
	list(ctx context.Context) ([]ref, error)
	// receive adds what is asked for to a store, and remembers it there.
	receive(ctx context.Context, ask request, into *store) error
}

// network is a repository behind http, https, ssh or git.
type network struct {
	endpoint transport.Endpoint
	client   transport.Transport
	auth     transport.AuthMethod
	timeout  time.Duration
	maxBytes int64
}

// cappedTransport bounds all answers but packs, which are bounded as they are written.
type cappedTransport struct {
	next  http.RoundTripper
	guard *connection.Guard // a proxy would look up what the URL says
}

// RoundTrip implements http.RoundTripper.
func (t *cappedTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := t.guard.CheckURL(r.URL); err != nil {
		return nil, err
	}
	response, err := t.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	switch {
	case response.StatusCode >= 300:
		response.Body = &cappedBody{ReadCloser: response.Body, left: maxErrorBytes}
	case r.Method == http.MethodGet && !isAdvertisement(response):
		_ = response.Body.Close() // Nothing in it is for us.
		return nil, &invalidError{"the server answers, but not as a Git server (a login page, or not the address of a repository): check the URL, which often ends in .git"}
	case r.Method == http.MethodGet:
		response.Body = &cappedBody{ReadCloser: response.Body, left: maxRefsBytes}
	}
	return response, nil
}

// isAdvertisement tells whether an answer is a list of references. The smart protocol demands this type of content, and has
// clients refuse every other (Git's http-protocol, "Smart Server Response").
func isAdvertisement(response *http.Response) bool {
	contentType, _, _ := strings.Cut(response.Header.Get("Content-Type"), ";")
	return strings.TrimSpace(contentType) == "application/x-git-upload-pack-advertisement"
}

type cappedBody struct {
	io.ReadCloser
	left int64
}

// Read fails beyond the limit.
func (b *cappedBody) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, fmt.Errorf("list of references: %w", errTooLarge)
	}
	n, err := b.ReadCloser.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}

// newNetwork prepares a connection. User information moves from the URL to the login, so that no error can repeat it.
func (r *repository) newNetwork(ctx context.Context) (*network, error) {
	o := r.fetcher.options
	access := *r.access.Load()
	endpoint, err := newEndpoint(r.url)
	if err != nil {
		return nil, err
	}
	n := &network{timeout: o.Timeout, maxBytes: o.MaxPackBytes}
	switch endpoint.Protocol {
	case "http", "https":
		n.client, n.auth, err = r.connectHTTP(ctx, access, endpoint)
	case "ssh":
		n.client, n.auth, err = connectSSH(access, endpoint, o, r.guard)
	case "git":
		if r.guard != nil { // the library connects by itself, and nobody could check where
			err = &invalidError{"a repository may name another one by https, http or ssh, and not by git://"}
		}
		n.client = gitgit.DefaultClient
		endpoint.Port = cmp.Or(endpoint.Port, gitPort)
	default:
		err = &invalidError{fmt.Sprintf("protocol %q is not supported: use https, http, ssh, git or file", endpoint.Protocol)}
	}
	if err != nil {
		return nil, err
	}
	n.endpoint = *endpoint
	n.endpoint.User, n.endpoint.Password = "", ""
	return n, nil
}

// newEndpoint reads a URL.
func newEndpoint(repoURL string) (*transport.Endpoint, error) {
	if address, isSSH := credentials.ParseSSH(repoURL); isSSH {
		port, err := strconv.Atoi(cmp.Or(address.Port, strconv.Itoa(gitssh.DefaultPort)))
		if address.Host == "" || err != nil || port > maxPort {
			return nil, &invalidError{"its URL names no host: write ssh://git@host/path or git@host:path"}
		}
		return &transport.Endpoint{Protocol: "ssh", User: cmp.Or(address.User, "git"), Host: address.Host, Port: port, Path: address.Path}, nil
	}
	endpoint, err := transport.NewEndpoint(strings.TrimSpace(repoURL))
	if err != nil {
		return nil, &invalidError{"its URL cannot be parsed: special characters in user information must be percent-encoded"}
	}
	switch {
	case endpoint.Protocol == "ssh":
		return nil, &invalidError{"its URL is not supported: write user@host:path for SSH, or https, http, ssh, git or file with ://"}
	case endpoint.Protocol != "file" && endpoint.Host == "":
		return nil, &invalidError{"its URL names no host"}
	}
	return endpoint, nil
}

// client is how one repository is reached by HTTP.
type client struct {
	access  credentials.Access
	http    http.RoundTripper
	git     transport.Transport
	release func()
}

// connectHTTP gives the connection and the login of a repository behind http or https.
func (r *repository) connectHTTP(ctx context.Context, access credentials.Access, endpoint *transport.Endpoint) (transport.Transport, transport.AuthMethod, error) {
	c, err := r.httpClient(access)
	if err != nil {
		return nil, nil, err
	}
	patience := newPatience(ctx, r.fetcher.options.Timeout)
	defer patience.end()
	login, err := r.fetcher.tokens.Login(patience.ctx, access, c.http)
	if err != nil {
		return nil, nil, patience.explain(err)
	}
	if login.BearerToken == "" && login.Username == "" && login.Password == "" {
		login.Username, login.Password = endpoint.User, endpoint.Password
	}
	switch {
	case login.BearerToken != "" && !login.ForceBasicAuth:
		return c.git, &githttp.TokenAuth{Token: login.BearerToken}, nil
	case login.Username != "" || login.Password != "":
		return c.git, &githttp.BasicAuth{Username: connection.UserOf(login), Password: login.Password}, nil
	}
	return c.git, nil, nil
}

// httpClient makes the client anew only when the access has changed.
func (r *repository) httpClient(access credentials.Access) (client, error) {
	r.connecting.Lock()
	defer r.connecting.Unlock()
	if r.client.git != nil && r.client.access == access {
		return r.client, nil
	}
	made := client{access: access, http: r.fetcher.shared, release: func() {}}
	if r.guard != nil {
		made.http = r.fetcher.guarded
	}
	if connection.IsSpecial(access) {
		special, err := connection.Transport(access, r.fetcher.options.Timeout)
		if err != nil {
			return client{}, err
		}
		r.guard.Apply(special)
		made.http, made.release = special, special.CloseIdleConnections
	}
	made.git = newHTTPClient(made.http, r.guard)
	if r.client.release != nil {
		r.client.release()
	}
	r.client = made
	return made, nil
}

// newHTTPClient speaks Git over HTTP. It follows few redirects and reads no more of a list or an error page than is sensible;
// deadlines come with the context of each request. The library takes a login off when a redirect leaves the host.
func newHTTPClient(next http.RoundTripper, guard *connection.Guard) transport.Transport {
	return githttp.NewClient(&http.Client{
		Transport: &cappedTransport{next: connection.Courteous{Next: next}, guard: guard},
		CheckRedirect: func(_ *http.Request, via []*http.Request) error {
			if len(via) > maxRedirects {
				return &invalidError{fmt.Sprintf("more than %d redirects, probably a loop", maxRedirects)}
			}
			return nil
		},
	})
}

// list implements upstream.
func (n *network) list(ctx context.Context) ([]ref, error) {
	patience := newPatience(ctx, n.timeout)
	defer patience.end()
	session, refs, err := n.open(patience.ctx)
	if err != nil {
		return nil, patience.explain(err)
	}
	_ = session.Close() // The list is complete.
	return collect(refs), nil
}

// open starts a conversation; the caller closes it.
func (n *network) open(ctx context.Context) (transport.UploadPackSession, *packp.AdvRefs, error) {
	type opened struct {
		session transport.UploadPackSession
		err     error
	}
	// git:// dials without a context, and would hold on to the caller longer than it wants to wait.
	result := make(chan opened)
	endpoint := n.endpoint // a redirect changes it
	go func() {
		session, err := n.client.NewUploadPackSession(&endpoint, n.auth)
		select {
		case result <- opened{session, err}:
		case <-ctx.Done():
			if err == nil {
				_ = session.Close() // Nobody waits for it any more.
			}
		}
	}()
	var o opened
	select {
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	case o = <-result:
	}
	if o.err != nil {
		return nil, nil, o.err
	}
	refs, err := o.session.AdvertisedReferencesContext(ctx)
	if err != nil {
		_ = o.session.Close() // What failed first says more.
		return nil, nil, err
	}
	return o.session, refs, nil
}

// collect sorts what a server advertises, and peels annotated tags.
func collect(advertised *packp.AdvRefs) []ref {
	refs := make([]ref, 0, len(advertised.References)+1)
	for name, hash := range advertised.References {
		r := ref{name: name, commit: hash, object: hash}
		if peeled, ok := advertised.Peeled[name]; ok {
			r.commit = peeled
		}
		refs = append(refs, r)
	}
	slices.SortFunc(refs, func(a, b ref) int { return strings.Compare(a.name, b.name) })
	if advertised.Head != nil {
		refs = slices.Insert(refs, 0, ref{name: "HEAD", commit: *advertised.Head, object: *advertised.Head})
	}
	return refs
}

// receive implements upstream.
func (n *network) receive(ctx context.Context, ask request, into *store) error {
	patience := newPatience(ctx, n.timeout)
	defer patience.end()
	session, advertised, err := n.open(patience.ctx)
	if err != nil {
		return patience.explain(err)
	}
	defer func() { _ = session.Close() }() // The pack is complete or has failed by then.
	upload, tips, err := n.compose(ask, advertised)
	if err != nil {
		return err
	}
	response, err := session.UploadPack(patience.ctx, upload)
	if err != nil {
		return patience.explain(err)
	}
	defer func() { _ = response.Close() }()
	if err := into.add(patience.ctx, demultiplex(upload.Capabilities, patience.reader(response)), n.maxBytes); err != nil {
		return patience.explain(err)
	}
	return into.keep(tips...)
}

// compose writes the request for a pack, and says what will be complete once it is received.
func (n *network) compose(ask request, advertised *packp.AdvRefs) (*packp.UploadPackRequest, []tip, error) {
	upload := packp.NewUploadPackRequestFromCapabilities(advertised.Capabilities)
	set := []capability.Capability{}
	if advertised.Capabilities.Supports(capability.NoProgress) {
		set = append(set, capability.NoProgress)
	}
	shallow := advertised.Capabilities.Supports(capability.Shallow) && !ask.everything
	if shallow {
		set = append(set, capability.Shallow)
		upload.Depth = packp.DepthCommits(1)
	}
	if needsMultiACK(n.endpoint.Host) {
		set = append(set, capability.MultiACK)
	} else if shallow || len(ask.shallows) == 0 {
		upload.Haves, upload.Shallows = ask.haves, ask.shallows
	}
	for _, c := range set {
		if err := upload.Capabilities.Set(c); err != nil {
			return nil, nil, err
		}
	}
	refs := collect(advertised)
	if !ask.everything {
		upload.Wants = []plumbing.Hash{advertisedAs(refs, ask.want)}
		return upload, []tip{{hash: ask.want, shallow: shallow}}, nil
	}
	var tips []tip
	for _, r := range refs {
		if !strings.HasPrefix(r.name, "refs/heads/") && !strings.HasPrefix(r.name, tagsPrefix) {
			continue
		}
		if !slices.Contains(upload.Wants, r.object) {
			upload.Wants = append(upload.Wants, r.object)
			tips = append(tips, tip{hash: r.commit})
		}
	}
	if len(upload.Wants) == 0 {
		return nil, nil, &source.RevisionError{Revision: ask.want.String(), Detail: "the repository has neither branches nor tags"}
	}
	return upload, tips, nil
}

// needsMultiACK names the servers that answer only clients which claim this capability (Azure DevOps). A request that is
// complete in one message, as ours are, gets the same answer with it, as long as it offers no commits to build on.
func needsMultiACK(host string) bool {
	return host == "dev.azure.com" || host == "ssh.dev.azure.com" || strings.HasSuffix(host, ".visualstudio.com")
}

// advertisedAs gives the tag for a commit that only an annotated tag leads to: servers know the tag by its own id.
func advertisedAs(refs []ref, want plumbing.Hash) plumbing.Hash {
	found := want
	for _, r := range refs {
		if r.object == want {
			return want
		}
		if r.commit == want {
			found = r.object
		}
	}
	return found
}

func demultiplex(c *capability.List, r io.Reader) io.Reader {
	switch {
	case c.Supports(capability.Sideband64k):
		return sideband.NewDemuxer(sideband.Sideband64k, r)
	case c.Supports(capability.Sideband):
		return sideband.NewDemuxer(sideband.Sideband, r)
	}
	return r
}
