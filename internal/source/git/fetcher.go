package git

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/plumbing/transport"

	"github.com/tiphys-io/tiphys/internal/source"
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

// Fetcher implements [source.Fetcher] for Git repositories behind http, https, git and file URLs.
type Fetcher struct {
	options Options
	client  transport.Transport
	cache   cache.Object

	mu           sync.Mutex
	repositories map[string]*repository
}

var _ source.Fetcher = (*Fetcher)(nil)

// New makes a fetcher; the folder is created if it is missing.
func New(options Options) (*Fetcher, error) {
	options = options.withDefaults()
	if err := os.MkdirAll(options.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("folder for Git repositories: %w", err)
	}
	return &Fetcher{
		options: options, client: newHTTPClient(options.Timeout), cache: cache.NewObjectLRU(cache.FileSize(options.CacheBytes)),
		repositories: map[string]*repository{},
	}, nil
}

// Resolve implements [source.Fetcher]. A full commit id comes back as it is, without asking anybody.
func (f *Fetcher) Resolve(ctx context.Context, repo source.Repository, revision string, opts source.ResolveOptions) (string, error) {
	if isFullSHA(revision) {
		return revision, nil
	}
	r := f.repository(repo.URL)
	refs, err := r.references(ctx, opts.Force)
	if err != nil {
		return "", failure(repo.URL, err)
	}
	sha, err := resolve(refs, revision, opts.TagPrefix)
	if err != nil || isFullSHA(sha) {
		return sha, err
	}
	hash, err := r.expand(ctx, sha, refs)
	if err != nil {
		return "", failure(repo.URL, err)
	}
	return hash.String(), nil
}

// Fetch implements [source.Fetcher]. Submodules are fetched when something in them is first read.
func (f *Fetcher) Fetch(ctx context.Context, repo source.Repository, sha string) (source.Tree, error) {
	t, err := f.fetchTree(ctx, repo.URL, sha, 0)
	if err != nil {
		return nil, err
	}
	return t, nil
}

func (f *Fetcher) fetchTree(ctx context.Context, repoURL, sha string, depth int) (*tree, error) {
	if !isFullSHA(sha) {
		return nil, &source.RevisionError{Revision: sha, Detail: "a full commit id is needed here"}
	}
	r := f.repository(repoURL)
	hash := plumbing.NewHash(strings.ToLower(sha))
	s, err := r.fetch(ctx, hash)
	if err != nil {
		return nil, failure(repoURL, err)
	}
	t := &tree{
		// Reading has no context of its own, and a tree outlives the call that made it; time-outs hold all the same.
		ctx: context.WithoutCancel(ctx), repository: r, commit: hash, depth: depth, store: s,
		dirs: map[plumbing.Hash]dir{}, submodules: map[string]*tree{},
	}
	if t.root, err = t.rootHash(); err != nil {
		return nil, failure(repoURL, err)
	}
	return t, nil
}

func (f *Fetcher) repository(repoURL string) *repository {
	key := source.Normalize(repoURL)
	f.mu.Lock()
	defer f.mu.Unlock()
	r := f.repositories[key]
	if r == nil {
		r = newRepository(f, repoURL, key)
		f.repositories[key] = r
	}
	return r
}
