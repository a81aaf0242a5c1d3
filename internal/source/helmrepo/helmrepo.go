// Package helmrepo reads charts from repositories of charts: those behind HTTP, which have an index, and OCI registries.
//
// Everything that arrives is bounded in size and time. A chart is unpacked in memory: nothing is written, and neither a link nor
// a path in an archive leads anywhere.
package helmrepo

import (
	"context"
	"fmt"
	"io/fs"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/tiphys-io/tiphys/internal/credentials"
	"github.com/tiphys-io/tiphys/internal/source"
	"github.com/tiphys-io/tiphys/internal/source/connection"
)

// Options says how patient to be, and how much to take.
type Options struct {
	// Timeout bounds each download; 0 means a minute.
	Timeout time.Duration
	// ResolveTTL is how long the versions of a repository are remembered.
	ResolveTTL time.Duration
	// MaxIndexBytes, MaxArchiveBytes and MaxFileBytes bound the index of a repository, a packed chart, and a remote file; 0 means
	// 64 MiB, 32 MiB and 8 MiB.
	MaxIndexBytes, MaxArchiveBytes, MaxFileBytes int64
	// MaxTreeBytes and MaxTreeFiles bound an unpacked chart; 0 means 64 MiB and 20,000.
	MaxTreeBytes int64
	MaxTreeFiles int
	// CacheBytes is how much memory packed charts may take that are kept; 0 means 64 MiB.
	CacheBytes int64
	// Access finds the credentials for a URL in a project; nil for none.
	Access func(ctx context.Context, repoURL, project string) (credentials.Access, error)
	// Named finds the URL of the repository that has a name in its Secret; empty for none. Nil finds none.
	Named func(ctx context.Context, name, project string) (string, error)
	// Guard refuses addresses that files and dependencies may not come from; nil refuses none.
	Guard *connection.Guard
}

func (o Options) withDefaults() Options {
	if o.Timeout <= 0 {
		o.Timeout = time.Minute
	}
	for _, d := range []struct {
		value  *int64
		preset int64
	}{{&o.MaxIndexBytes, 64 << 20}, {&o.MaxArchiveBytes, 32 << 20}, {&o.MaxFileBytes, 8 << 20}, {&o.MaxTreeBytes, 64 << 20}, {&o.CacheBytes, 64 << 20}} {
		if *d.value <= 0 {
			*d.value = d.preset
		}
	}
	if o.MaxTreeFiles <= 0 {
		o.MaxTreeFiles = 20_000
	}
	return o
}

// Chart says which chart is meant.
type Chart struct {
	source.Repository
	// Name of the chart; empty for an OCI artifact, whose URL says it all.
	Name string
	// PassCredentials sends the credentials of the repository to every host that its charts come from (contract 1.2).
	PassCredentials bool
	// Guarded tells that a repository asks for it, and not an application.
	Guarded bool
}

// Fetcher reads charts. It is safe for concurrent use, and those who ask for the same share the answer.
type Fetcher struct {
	options  Options
	archives archives

	mu           sync.Mutex
	repositories map[repositoryKey]*repository
	transports   map[transportKey]*http.Transport
}

// New makes a fetcher.
func New(options Options) *Fetcher {
	options = options.withDefaults()
	return &Fetcher{
		options: options, archives: archives{limit: options.CacheBytes, byKey: map[archiveKey][]byte{}},
		repositories: map[repositoryKey]*repository{}, transports: map[transportKey]*http.Transport{},
	}
}

// Shed forgets the packed charts; they are downloaded again.
func (f *Fetcher) Shed() { f.archives.clear() }

// Resolve turns the target revision of a chart into a version of it; that of an artifact into its digest. A version is taken as
// it is, without asking anybody. Force asks although an answer is remembered.
func (f *Fetcher) Resolve(ctx context.Context, c Chart, revision string, force bool) (string, error) {
	artifact := c.Name == ""
	if strings.HasPrefix(revision, digestPrefix) || (!artifact && revision != "" && !source.IsConstraint(revision)) {
		return revision, nil
	}
	r, err := f.repository(ctx, c)
	if err != nil {
		return "", err
	}
	if !artifact && revision == "" {
		revision = "*" // the newest, as Helm has it
	}
	if source.IsConstraint(revision) {
		versions, err := r.versions(ctx, c, force)
		if err != nil {
			return "", r.failure(err)
		}
		if revision, err = source.MaxVersion(revision, versions, ""); err != nil {
			return "", &source.RevisionError{Revision: revision, Detail: fmt.Sprintf("of the %d versions of %s in %s none is permitted by it", len(versions), c.title(), source.Sanitize(c.URL))}
		}
	}
	if !artifact {
		return revision, nil
	}
	digest, err := r.digest(ctx, c, revision)
	return digest, r.failure(err)
}

// Forget drops what is remembered of the versions in a repository, whoever read them: an answer that somebody gets from here on
// was asked for later.
func (f *Fetcher) Forget(repoURL string) {
	known, now := repositoryURL(repoURL), time.Now()
	f.mu.Lock()
	defer f.mu.Unlock()
	for key, r := range f.repositories {
		if key.url == known {
			r.forgotten.Store(&now)
		}
	}
}

func repositoryURL(repoURL string) string { return strings.TrimRight(strings.TrimSpace(repoURL), "/") }

func (c Chart) title() string {
	if c.Name == "" {
		return "the artifact"
	}
	return "chart " + c.Name
}

// Archive is the packed chart of a version that Resolve gave.
func (f *Fetcher) Archive(ctx context.Context, c Chart, version string) ([]byte, error) {
	r, err := f.repository(ctx, c)
	if err != nil {
		return nil, err
	}
	key := archiveKey{repositoryKey: r.key, name: c.Name, version: version}
	if data := f.archives.get(key); data != nil {
		return data, nil
	}
	if err := r.enter(ctx); err != nil {
		return nil, r.failure(err)
	}
	defer r.leave()
	if data := f.archives.get(key); data != nil {
		return data, nil
	}
	data, err := r.download(ctx, c, version)
	if err != nil {
		return nil, r.failure(err)
	}
	f.archives.put(key, data)
	return data, nil
}

// Fetch is the chart or artifact of a version as a tree of files; the chart is its root.
func (f *Fetcher) Fetch(ctx context.Context, c Chart, version string) (fs.FS, error) {
	data, err := f.Archive(ctx, c, version)
	if err != nil {
		return nil, err
	}
	tree, err := unpack(data, c.Name != "", f.options.MaxTreeBytes, f.options.MaxTreeFiles)
	if err != nil {
		return nil, &source.Error{URL: source.Sanitize(c.URL), Reason: source.Invalid, Err: fmt.Errorf("%s %s: %w", c.title(), version, err)}
	}
	return tree, nil
}

// repository is that of a URL and of the login that a project has for it.
func (f *Fetcher) repository(ctx context.Context, c Chart) (*repository, error) {
	var access credentials.Access
	if f.options.Access != nil {
		var err error
		if access, err = f.options.Access(ctx, c.URL, c.Project); err != nil {
			reason := source.Unauthorized
			if ctx.Err() != nil {
				reason = source.Unavailable
			}
			return nil, &source.Error{URL: source.Sanitize(c.URL), Reason: reason, Err: err}
		}
	}
	key := repositoryKey{url: repositoryURL(c.URL), identity: access.Identity, guarded: c.Guarded}
	f.mu.Lock()
	defer f.mu.Unlock()
	r := f.repositories[key]
	if r == nil {
		if len(f.repositories) >= maxRepositories {
			clear(f.repositories)
		}
		r = &repository{fetcher: f, key: key, gate: make(chan struct{}, 1), tags: map[string]tags{}}
		f.repositories[key] = r
	}
	r.access.Store(&access)
	return r, nil
}

// maxRepositories is of how many repositories something is remembered.
const maxRepositories = 1000

type repositoryKey struct {
	url, identity string
	guarded       bool
}

type transportKey struct {
	access  credentials.Access
	guarded bool
}

// client gives the connection for an access. Connections are shared by all requests with the same one.
func (f *Fetcher) client(access credentials.Access, guarded, pass bool) (*http.Client, error) {
	key := transportKey{access: credentials.Access{
		Insecure: access.Insecure, Authorities: access.Authorities, Proxy: access.Proxy, NoProxy: access.NoProxy, Origin: access.Origin,
		Login: credentials.Login{TLSClientCert: access.TLSClientCert, TLSClientKey: access.TLSClientKey},
	}, guarded: guarded}
	f.mu.Lock()
	defer f.mu.Unlock()
	transport := f.transports[key]
	if transport == nil {
		var err error
		if transport, err = connection.Transport(key.access, f.options.Timeout); err != nil {
			return nil, err
		}
		if guarded {
			f.options.Guard.Apply(transport)
		}
		if len(f.transports) >= maxRepositories {
			clear(f.transports)
		}
		f.transports[key] = transport
	}
	return &http.Client{Transport: connection.Courteous{Next: transport}, CheckRedirect: func(r *http.Request, via []*http.Request) error {
		if len(via) > maxRedirects {
			return &invalidError{fmt.Sprintf("more than %d redirects, probably a loop", maxRedirects)}
		}
		if !pass && !sameOrigin(r.URL, via[0].URL) {
			r.Header.Del("Authorization")
		}
		if guarded {
			return f.options.Guard.CheckURL(r.URL)
		}
		return nil
	}}, nil
}

const maxRedirects = 5
