package git

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/cache"

	"github.com/tiphys-io/tiphys/internal/credentials"
	"github.com/tiphys-io/tiphys/internal/source"
	"github.com/tiphys-io/tiphys/internal/source/connection"
)

// Options says where stores are kept, how patient to be, and how much to take.
type Options struct {
	// Dir holds one object store for each repository. It is a cache: removing it costs time only. One process at a time may
	// use it.
	Dir string
	// Timeout is how long a server may say nothing; 0 means a minute. A transfer may last ten times as long in all.
	Timeout time.Duration
	// ResolveTTL is how long the references of a repository are remembered; 0 means that they are shared only by those who
	// ask at the same time.
	ResolveTTL time.Duration
	// MaxFileBytes is the largest file that can be read; 0 means 50 MiB.
	MaxFileBytes int64
	// MaxPackBytes is the most that is received at once; 0 means 1 GiB. A store that holds twice as much is begun afresh.
	MaxPackBytes int64
	// CacheBytes is how much memory recently read objects may take, for all repositories together; 0 means 32 MiB.
	CacheBytes int64
	// Access finds the credentials for a URL in a project; nil for none but those in the URL.
	Access func(ctx context.Context, repoURL, project string) (credentials.Access, error)
	// Guard refuses addresses that a repository may not name, as for a submodule; nil refuses none. A repository may name
	// others of its own server, wherever that is.
	Guard *connection.Guard
}

func (o Options) withDefaults() Options {
	if o.Timeout <= 0 {
		o.Timeout = time.Minute
	}
	if o.MaxFileBytes <= 0 {
		o.MaxFileBytes = 50 << 20
	}
	if o.MaxPackBytes <= 0 {
		o.MaxPackBytes = 1 << 30
	}
	if o.CacheBytes <= 0 {
		o.CacheBytes = 32 << 20
	}
	return o
}

// Fetcher implements [source.Fetcher] for Git repositories behind http, https, ssh, git and file URLs.
type Fetcher struct {
	options Options
	shared  http.RoundTripper // for repositories that ask for nothing special
	guarded http.RoundTripper // the same, for those that a repository names
	tokens  connection.Tokens
	cache   cache.Object
	dirs    dirCache

	mu           sync.Mutex
	repositories map[repositoryKey]*repository
}

var _ source.Fetcher = (*Fetcher)(nil)

// New makes a fetcher; the folder is created if it is missing.
func New(options Options) (*Fetcher, error) {
	options = options.withDefaults()
	if err := os.MkdirAll(options.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("folder for Git repositories: %w", err)
	}
	guarded := connection.Default(options.Timeout)
	options.Guard.Apply(guarded)
	return &Fetcher{
		options: options, shared: connection.Default(options.Timeout), guarded: guarded, cache: cache.NewObjectLRU(cache.FileSize(options.CacheBytes)),
		repositories: map[repositoryKey]*repository{},
	}, nil
}

// Shed forgets the objects that were read recently; they are read from disk again.
func (f *Fetcher) Shed() { f.cache.Clear() }

// Resolve implements [source.Fetcher]. A full commit id comes back as it is, without asking anybody.
func (f *Fetcher) Resolve(ctx context.Context, repo source.Repository, revision string, opts source.ResolveOptions) (string, error) {
	if isFullSHA(revision) {
		return revision, nil
	}
	r, err := f.repository(ctx, repo)
	if err != nil {
		return "", err
	}
	refs, err := r.references(ctx, opts.Force)
	if err != nil {
		return "", r.failure(err)
	}
	sha, err := resolve(refs, revision, opts.TagPrefix)
	if err != nil || isFullSHA(sha) {
		return sha, err
	}
	hash, err := r.expand(ctx, sha, refs)
	if err != nil {
		return "", r.failure(err)
	}
	return hash.String(), nil
}

// Forget drops what is remembered of the references of a repository, whoever read them: an answer that somebody gets from here
// on was asked for later.
func (f *Fetcher) Forget(repoURL string) {
	key, now := source.Normalize(repoURL), time.Now()
	f.mu.Lock()
	defer f.mu.Unlock()
	for known, r := range f.repositories {
		if known.url == key {
			r.forgotten.Store(&now)
		}
	}
}

// Fetch implements [source.Fetcher]. Submodules are fetched when something in them is first read.
func (f *Fetcher) Fetch(ctx context.Context, repo source.Repository, sha string) (source.Tree, error) {
	t, err := f.fetchTree(ctx, repo, sha, 0)
	if err != nil {
		return nil, err
	}
	return t, nil
}

func (f *Fetcher) fetchTree(ctx context.Context, repo source.Repository, sha string, depth int) (*tree, error) {
	if !isFullSHA(sha) {
		return nil, &source.RevisionError{Revision: sha, Detail: "a full commit id is needed here"}
	}
	r, err := f.repository(ctx, repo)
	if err != nil {
		return nil, err
	}
	hash := plumbing.NewHash(strings.ToLower(sha))
	s, err := r.fetch(ctx, hash)
	if err != nil {
		return nil, r.failure(err)
	}
	t := &tree{
		// Reading has no context of its own, and a tree outlives the call that made it; time-outs hold all the same.
		ctx: context.WithoutCancel(ctx), repository: r, project: repo.Project, names: repo.URL, commit: hash, depth: depth, store: s,
		submodules: map[string]*tree{},
	}
	if r.guard != nil { // what is refused here is refused to its submodules, too
		t.names = repo.NamedBy
	}
	if t.root, err = t.rootHash(); err != nil {
		return nil, r.failure(err)
	}
	return t, nil
}

// repository is that of a URL and of the login that a project has for it: what was read with one login is not shown to those
// who have another.
func (f *Fetcher) repository(ctx context.Context, repo source.Repository) (*repository, error) {
	var access credentials.Access
	if f.options.Access != nil && !isLocal(repo.URL) {
		var err error
		if access, err = f.options.Access(ctx, repo.URL, repo.Project); err != nil {
			reason := source.Unauthorized
			if ctx.Err() != nil {
				reason = source.Unavailable
			}
			return nil, &source.Error{URL: source.Sanitize(repo.URL), Reason: reason, Err: err}
		}
	}
	key := repositoryKey{
		url: source.Normalize(repo.URL), identity: access.Identity,
		guarded: f.options.Guard != nil && repo.NamedBy != "" && !source.SameServer(repo.URL, repo.NamedBy),
	}
	f.mu.Lock()
	r := f.repositories[key]
	var superseded *repository
	if r == nil {
		superseded = f.supersede(key)
		r = newRepository(f, repo.URL, key)
		f.repositories[key] = r
	}
	f.mu.Unlock()
	r.access.Store(&access)
	if superseded != nil {
		superseded.drop()
	}
	return r, nil
}

// repositoryKey tells repositories apart.
type repositoryKey struct {
	url, identity string
	guarded       bool // whether it is refused where a repository may not send us
}

// supersede takes out the repository that was read with an earlier version of the same Secrets.
func (f *Fetcher) supersede(key repositoryKey) *repository {
	for other, r := range f.repositories {
		if other.url == key.url && other.guarded == key.guarded && key.identity != "" && sameSecrets(other.identity, key.identity) {
			delete(f.repositories, other)
			return r
		}
	}
	return nil
}

// sameSecrets tells whether two identities are those of the same Secrets, in whatever version.
func sameSecrets(a, b string) bool {
	words, others := strings.Fields(a), strings.Fields(b)
	return slices.EqualFunc(words, others, func(a, b string) bool {
		a, _, _ = strings.Cut(a, "@")
		b, _, _ = strings.Cut(b, "@")
		return a == b
	})
}
