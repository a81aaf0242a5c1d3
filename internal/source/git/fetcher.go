// Package git reads Git repositories: it resolves revisions, keeps one shared object store for each repository, and hands
// out commits as read-only file trees.
package git

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/go-git/go-billy/v5/osfs"
	gogit "github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/config"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/plumbing/transport"
	"github.com/go-git/go-git/v5/storage/filesystem"

	"github.com/tiphys-io/tiphys/internal/source"
)

// maxPacks is how many fetches a store takes before it is started afresh: shallow fetches share little with one another.
const maxPacks = 50

// objectCache is the memory that one tree may use for decoded objects.
const objectCache = 4 * cache.MiByte

// Options says where stores are kept and how patient to be.
type Options struct {
	// Dir holds one bare object store for each repository. It is a cache: removing it costs time only.
	Dir string
	// Timeout bounds each call to a server; 0 means a minute.
	Timeout time.Duration
	// ResolveTTL is how long the references of a repository are remembered; 0 means that they are not.
	ResolveTTL time.Duration
	// MaxFileBytes is the largest file that can be read; 0 means 50 MiB.
	MaxFileBytes int64
}

// Fetcher implements source.Fetcher.
type Fetcher struct {
	options Options

	mu    sync.Mutex
	repos map[string]*repository
}

// repository is what is known of one remote repository. Its lock is a channel, so that waiting ends with the context.
type repository struct {
	url  string
	lock chan struct{}

	refs   []ref
	listed time.Time
}

// New makes a fetcher; the folder is created if it is missing.
func New(options Options) (*Fetcher, error) {
	if options.Timeout == 0 {
		options.Timeout = time.Minute
	}
	if options.MaxFileBytes == 0 {
		options.MaxFileBytes = 50 << 20
	}
	if err := os.MkdirAll(options.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("folder for Git repositories: %w", err)
	}
	return &Fetcher{options: options, repos: map[string]*repository{}}, nil
}

// Resolve turns a revision into a commit id. Applications that ask at the same time share one call to the server.
func (f *Fetcher) Resolve(ctx context.Context, repo source.Repository, revision string, opts source.ResolveOptions) (string, error) {
	if isFullSHA(revision) {
		return strings.ToLower(revision), nil
	}
	asked := time.Now()
	r := f.repository(repo.URL)
	if err := r.acquire(ctx); err != nil {
		return "", failure(repo.URL, err)
	}
	defer r.release()
	fresh := !r.listed.IsZero() && (time.Since(r.listed) < f.options.ResolveTTL || r.listed.After(asked))
	if !fresh || (opts.Force && r.listed.Before(asked)) {
		if err := f.list(ctx, r); err != nil {
			return "", failure(repo.URL, err)
		}
	}
	return resolve(r.refs, revision, opts.TagPrefix)
}

// Fetch returns the tree of a commit and of its submodules; at most one fetch of a repository is under way.
func (f *Fetcher) Fetch(ctx context.Context, repo source.Repository, sha string) (source.Tree, error) {
	t, err := f.fetchTree(ctx, repo.URL, sha, 0)
	if err != nil {
		return nil, err
	}
	return t, nil
}

func (f *Fetcher) fetchTree(ctx context.Context, repoURL, sha string, depth int) (*tree, error) {
	t, err := f.fetchCommit(ctx, repoURL, sha)
	if err != nil {
		return nil, failure(repoURL, err)
	}
	if err := f.fetchSubmodules(ctx, t, repoURL, depth); err != nil {
		return nil, err
	}
	return t, nil
}

// fetchCommit reads a commit; a damaged store is thrown away and fetched again once.
func (f *Fetcher) fetchCommit(ctx context.Context, repoURL, sha string) (*tree, error) {
	r := f.repository(repoURL)
	if err := r.acquire(ctx); err != nil {
		return nil, err
	}
	defer r.release()
	t, err := f.load(ctx, r, sha)
	if err == nil || !(errors.Is(err, plumbing.ErrObjectNotFound) || errors.Is(err, errCorrupt)) {
		return t, err
	}
	if err := r.reset(f.storePath(r.url)); err != nil {
		return nil, err
	}
	return f.load(ctx, r, sha)
}

var errCorrupt = errors.New("the local copy of the repository is damaged")

func (f *Fetcher) repository(repoURL string) *repository {
	key := source.Normalize(repoURL)
	f.mu.Lock()
	defer f.mu.Unlock()
	r := f.repos[key]
	if r == nil {
		r = &repository{url: repoURL, lock: make(chan struct{}, 1)}
		f.repos[key] = r
	}
	return r
}

func (r *repository) acquire(ctx context.Context) error {
	select {
	case r.lock <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("waiting for another fetch of the repository: %w", ctx.Err())
	}
}

func (r *repository) release() { <-r.lock }

// reset throws the store away; it will be fetched again.
func (r *repository) reset(path string) error {
	if local, ok := localPath(r.url); ok {
		return fmt.Errorf("%w: %s", errCorrupt, local)
	}
	return os.RemoveAll(path)
}

func (f *Fetcher) storePath(repoURL string) string {
	sum := sha256.Sum256([]byte(source.Normalize(repoURL)))
	return filepath.Join(f.options.Dir, hex.EncodeToString(sum[:16]))
}

// localPath is the folder of a file:// URL. Such a repository is read where it is.
func localPath(repoURL string) (string, bool) {
	parsed, err := url.Parse(repoURL)
	if err != nil || parsed.Scheme != "file" {
		return "", false
	}
	return filepath.FromSlash(parsed.Path), true
}

// open opens the store of a repository, making an empty one if there is none. Each tree and each fetch has a view of its
// own, because go-git's storage loads its index without locking.
func (f *Fetcher) open(r *repository) (*filesystem.Storage, error) {
	path, local := localPath(r.url)
	if !local {
		path = f.storePath(r.url)
	}
	if _, err := os.Stat(filepath.Join(path, ".git")); local && err == nil {
		path = filepath.Join(path, ".git")
	}
	_, err := os.Stat(filepath.Join(path, "HEAD"))
	if err != nil && local {
		return nil, transport.ErrRepositoryNotFound
	}
	store := filesystem.NewStorageWithOptions(osfs.New(path), cache.NewObjectLRU(objectCache), filesystem.Options{LargeObjectThreshold: f.options.MaxFileBytes})
	if err != nil {
		if _, err := gogit.Init(store, nil); err != nil && !errors.Is(err, gogit.ErrRepositoryAlreadyExists) {
			return nil, fmt.Errorf("%w: %w", errCorrupt, err)
		}
	}
	return store, nil
}

// load reads a commit from the store, fetching it when it is not there.
func (f *Fetcher) load(ctx context.Context, r *repository, sha string) (*tree, error) {
	store, err := f.open(r)
	if err != nil {
		return nil, err
	}
	hash := plumbing.NewHash(sha)
	if t, err := f.tree(store, hash); err == nil {
		return t, nil
	}
	if _, local := localPath(r.url); local {
		return nil, &source.RevisionError{Revision: sha}
	}
	if packs, err := store.ObjectPacks(); err == nil && len(packs) > maxPacks {
		if err := r.reset(f.storePath(r.url)); err != nil {
			return nil, err
		}
		if store, err = f.open(r); err != nil {
			return nil, err
		}
	}
	if err := f.fetch(ctx, r, store, hash); err != nil {
		return nil, err
	}
	if store, err = f.open(r); err != nil {
		return nil, err
	}
	return f.tree(store, hash)
}

func (f *Fetcher) tree(store *filesystem.Storage, hash plumbing.Hash) (*tree, error) {
	commit, err := object.GetCommit(store, hash)
	if err != nil {
		return nil, err
	}
	root, err := commit.Tree()
	if err != nil {
		return nil, err
	}
	return &tree{store: store, root: root, maxBytes: f.options.MaxFileBytes}, nil
}

// fetch gets one commit without its history; a server that gives out only what its references name is asked for those.
func (f *Fetcher) fetch(ctx context.Context, r *repository, store *filesystem.Storage, hash plumbing.Hash) error {
	exact := config.RefSpec(hash.String() + ":refs/tiphys/" + hash.String())
	err := f.fetchRefs(ctx, r, store, []config.RefSpec{exact}, 1)
	if err == nil || ctx.Err() != nil || !isRefusal(err) {
		return err
	}
	all := []config.RefSpec{"+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"}
	if errAll := f.fetchRefs(ctx, r, store, all, 0); errAll != nil {
		return errAll
	}
	if _, err := object.GetCommit(store, hash); err != nil {
		return &source.RevisionError{Revision: hash.String(), Detail: "the repository has no such commit on any branch or tag"}
	}
	return nil
}

func (f *Fetcher) fetchRefs(ctx context.Context, r *repository, store *filesystem.Storage, specs []config.RefSpec, depth int) error {
	ctx, cancel := f.deadline(ctx)
	defer cancel()
	remote := gogit.NewRemote(store, &config.RemoteConfig{Name: "origin", URLs: []string{r.url}})
	err := remote.FetchContext(ctx, &gogit.FetchOptions{RefSpecs: specs, Depth: depth, Tags: gogit.NoTags, Force: true})
	if errors.Is(err, gogit.NoErrAlreadyUpToDate) {
		return nil
	}
	return withCause(ctx, err)
}

// list asks the server for its references.
func (f *Fetcher) list(ctx context.Context, r *repository) error {
	if _, local := localPath(r.url); local {
		return f.listLocal(r)
	}
	ctx, cancel := f.deadline(ctx)
	defer cancel()
	remote := gogit.NewRemote(nil, &config.RemoteConfig{Name: "origin", URLs: []string{r.url}})
	found, err := remote.ListContext(ctx, &gogit.ListOptions{PeelingOption: gogit.AppendPeeled})
	if err != nil {
		return withCause(ctx, err)
	}
	r.refs, r.listed = collect(found), time.Now()
	return nil
}

// listLocal reads the references of a repository on disk; tags are peeled to their commits.
func (f *Fetcher) listLocal(r *repository) error {
	store, err := f.open(r)
	if err != nil {
		return err
	}
	found, err := store.IterReferences()
	if err != nil {
		return err
	}
	defer found.Close()
	var refs []*plumbing.Reference
	err = found.ForEach(func(ref *plumbing.Reference) error {
		refs = append(refs, ref)
		if tag, err := object.GetTag(store, ref.Hash()); err == nil {
			refs = append(refs, plumbing.NewHashReference(ref.Name()+"^{}", tag.Target))
		}
		return nil
	})
	if err != nil {
		return err
	}
	r.refs, r.listed = collect(refs), time.Now()
	return nil
}

func (f *Fetcher) deadline(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, f.options.Timeout, fmt.Errorf("no complete answer within %s", f.options.Timeout))
}

// withCause says that a deadline of ours was the reason, which the transport does not know.
func withCause(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return errors.Join(context.Cause(ctx), ctx.Err())
	}
	return err
}
