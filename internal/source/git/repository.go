package git

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/tiphys-io/tiphys/internal/credentials"
	"github.com/tiphys-io/tiphys/internal/source"
	"github.com/tiphys-io/tiphys/internal/source/connection"
)

// repository is what is known of one remote repository. Its two gates are channels and not mutexes, so that waiting for one
// ends with the context of who waits.
type repository struct {
	fetcher *Fetcher
	url     string
	access  atomic.Pointer[credentials.Access] // the latest; its login is always that of the identity
	guard   *connection.Guard                  // nil refuses nothing
	dir     string                             // holds one numbered folder for each store; the highest number is in use

	rest connection.Rest

	connecting sync.Mutex // guards client
	client     client

	listing   chan struct{} // gate for what follows
	listed    listing
	forgotten atomic.Pointer[time.Time] // a listing that began before this no longer counts

	fetching chan struct{} // gate for what follows, and for changing the store
	failed   fetchFailure
	expanded map[string]expansion // by abbreviated id

	store atomic.Pointer[store]
}

// listing is the last answer of the server about its references, a failure included.
type listing struct {
	refs            []ref
	err             error
	began, finished time.Time
}

// fetchFailure is the last fetch that went wrong.
type fetchFailure struct {
	want     plumbing.Hash
	err      error
	finished time.Time
}

// expansion is what an abbreviated id stood for, given what the repository advertised; the error says that it is unknown.
type expansion struct {
	refs []ref
	hash plumbing.Hash
	err  error
}

func newRepository(f *Fetcher, repoURL string, key repositoryKey) *repository {
	name := key.url
	if key.identity != "" {
		name += "\n" + key.identity
	}
	var guard *connection.Guard
	if key.guarded {
		guard = f.options.Guard
		name += "\nguarded"
	}
	sum := sha256.Sum256([]byte(name))
	return &repository{
		fetcher: f, guard: guard, url: repoURL, dir: filepath.Join(f.options.Dir, hex.EncodeToString(sum[:16])),
		listing: make(chan struct{}, 1), fetching: make(chan struct{}, 1), expanded: map[string]expansion{},
	}
}

func enter(ctx context.Context, gate chan struct{}) error {
	select {
	case gate <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("waiting for a call to the same repository: %w", context.Cause(ctx))
	}
}

func leave(gate chan struct{}) { <-gate }

func (r *repository) upstream(ctx context.Context) (upstream, error) {
	if isLocal(r.url) {
		return newLocal(r.url, r.fetcher.options)
	}
	if err := r.rest.Check(); err != nil {
		return nil, err
	}
	return r.newNetwork(ctx)
}

// drop gives back the disk of a repository that nobody will ask for again.
func (r *repository) drop() {
	if s := r.store.Swap(nil); s != nil {
		_ = s.remove() // It is a cache: what is left over costs disk and nothing else.
	}
}

// references lists what the repository advertises. Whoever waited while somebody else asked takes that answer; with force,
// the question must have been put after the caller came, because what made him force may be newer than an older question.
func (r *repository) references(ctx context.Context, force bool) ([]ref, error) {
	came := time.Now()
	if err := enter(ctx, r.listing); err != nil {
		return nil, err
	}
	defer leave(r.listing)
	last := r.listed
	shared := !last.finished.IsZero() && !last.finished.Before(came)
	if force {
		shared = shared && !last.began.Before(came)
	} else if !last.finished.IsZero() && last.err == nil && time.Since(last.finished) < r.fetcher.options.ResolveTTL {
		shared = true
	}
	if at := r.forgotten.Load(); at != nil && last.began.Before(*at) {
		shared = false
	}
	if shared {
		return last.refs, last.err
	}
	now := listing{began: time.Now()}
	up, err := r.upstream(ctx)
	if err == nil {
		now.refs, err = up.list(ctx)
	}
	if err != nil && ctx.Err() != nil {
		return nil, err // The caller gave up, which is no answer for others.
	}
	now.err, now.finished = err, time.Now()
	r.listed = now
	return now.refs, now.err
}

// fetch gives a store that holds a commit, and asks the server only if there is none yet.
func (r *repository) fetch(ctx context.Context, want plumbing.Hash) (*store, error) {
	if s := r.store.Load(); s != nil && s.has(want) {
		return s, nil
	}
	came := time.Now()
	if err := enter(ctx, r.fetching); err != nil {
		return nil, err
	}
	defer leave(r.fetching)
	s, err := r.current()
	if err != nil {
		return nil, err
	}
	if s != nil && s.has(want) {
		return s, nil
	}
	if last := r.failed; last.err != nil && !last.finished.Before(came) && last.concerns(want) {
		return nil, last.err
	}
	s, err = r.extend(ctx, s, want)
	if err != nil && ctx.Err() == nil {
		r.failed = fetchFailure{want: want, err: err, finished: time.Now()}
	}
	return s, err
}

// concerns says whether another fetch would fail as well: a missing commit is no reason why another one should be missing.
func (f fetchFailure) concerns(want plumbing.Hash) bool {
	_, missing := errors.AsType[*source.RevisionError](f.err)
	return f.want == want || !missing
}

// extend adds a commit to the store or begins a fresh one. A server that gives out only what its references name is asked
// for all of those.
func (r *repository) extend(ctx context.Context, s *store, want plumbing.Hash) (*store, error) {
	if s != nil && s.worn(2*r.fetcher.options.MaxPackBytes) {
		s = nil
	}
	ask := request{want: want}
	if s != nil {
		ask.haves, ask.shallows = s.known()
	}
	got, err := r.receive(ctx, s, ask)
	if _, damaged := errors.AsType[*damageError](err); damaged && s != nil {
		got, err = r.receive(ctx, nil, request{want: want})
	}
	if err == nil && got.has(want) {
		return got, nil
	}
	if err != nil && !isRefusal(err) {
		return nil, err
	}
	got, err = r.receive(ctx, nil, request{want: want, everything: true})
	if err != nil {
		return nil, err
	}
	if !got.has(want) {
		return nil, &source.RevisionError{Revision: want.String(), Detail: "no branch or tag of the repository leads to such a commit"}
	}
	return got, nil
}

// receive fetches into a store, or into a fresh one that takes its place when that has worked.
func (r *repository) receive(ctx context.Context, into *store, ask request) (*store, error) {
	up, err := r.upstream(ctx)
	if err != nil {
		return nil, err
	}
	if into != nil {
		return into, up.receive(ctx, ask, into)
	}
	fresh, err := r.fresh()
	if err != nil {
		return nil, err
	}
	if err := up.receive(ctx, ask, fresh); err != nil {
		return nil, errors.Join(err, fresh.remove())
	}
	old := r.store.Swap(fresh)
	if old != nil {
		err = old.remove()
	}
	return fresh, err
}

// fresh makes an empty store with the next number.
func (r *repository) fresh() (*store, error) {
	numbers, err := r.numbers()
	if err != nil {
		return nil, err
	}
	next := 1
	if len(numbers) > 0 {
		next = numbers[len(numbers)-1] + 1
	}
	return openStore(filepath.Join(r.dir, strconv.Itoa(next)), r.fetcher.cache)
}

// numbers lists the folders with stores in ascending order.
func (r *repository) numbers() ([]int, error) {
	entries, err := os.ReadDir(r.dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("folder of a Git repository: %w", err)
	}
	var numbers []int
	for _, e := range entries {
		if n, err := strconv.Atoi(e.Name()); err == nil {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	return numbers, nil
}

// current gives the store in use. When the process is new it opens the newest one on disk that holds something and removes
// all others, damaged ones among them. Nil means that there is none.
func (r *repository) current() (*store, error) {
	if s := r.store.Load(); s != nil {
		return s, nil
	}
	numbers, err := r.numbers()
	if err != nil {
		return nil, err
	}
	var chosen *store
	for _, n := range slices.Backward(numbers) {
		dir := filepath.Join(r.dir, strconv.Itoa(n))
		if chosen == nil {
			if s, err := openStore(dir, r.fetcher.cache); err == nil && len(s.tips) > 0 {
				chosen = s
				continue
			}
		}
		if err := os.RemoveAll(dir); err != nil {
			return nil, fmt.Errorf("remove an old Git store: %w", err)
		}
	}
	r.store.Store(chosen)
	return chosen, nil
}

// heal gives another store for a commit after one turned out to be damaged, or was replaced while it was being read.
func (r *repository) heal(ctx context.Context, damaged *store, want plumbing.Hash) (*store, error) {
	if err := enter(ctx, r.fetching); err != nil {
		return nil, err
	}
	defer leave(r.fetching)
	s, err := r.current()
	if err != nil {
		return nil, err
	}
	if s == damaged {
		r.store.Store(nil)
		if err := damaged.remove(); err != nil {
			return nil, err
		}
		s = nil
	}
	if s != nil && s.has(want) {
		return s, nil
	}
	return r.extend(ctx, s, want)
}

// expand completes an abbreviated commit id. Servers cannot be asked for one, so that everything is fetched if need be, but
// only once for the same references.
func (r *repository) expand(ctx context.Context, short string, refs []ref) (plumbing.Hash, error) {
	if err := enter(ctx, r.fetching); err != nil {
		return plumbing.ZeroHash, err
	}
	defer leave(r.fetching)
	if known, ok := r.expanded[short]; ok && (known.err == nil || slices.Equal(known.refs, refs)) {
		return known.hash, known.err
	}
	s, err := r.current()
	if err != nil {
		return plumbing.ZeroHash, err
	}
	hash, err := unique(s, short)
	if err != nil {
		s, err = r.receive(ctx, nil, request{everything: true})
		if err != nil {
			return plumbing.ZeroHash, err
		}
		hash, err = unique(s, short)
	}
	if len(r.expanded) > 1000 {
		clear(r.expanded)
	}
	r.expanded[short] = expansion{refs: refs, hash: hash, err: err}
	return hash, err
}

// unique finds the one commit that an abbreviation means.
func unique(s *store, short string) (plumbing.Hash, error) {
	var found []plumbing.Hash
	if s != nil {
		var err error
		if found, err = s.commits(short); err != nil {
			return plumbing.ZeroHash, err
		}
	}
	switch len(found) {
	case 0:
		return plumbing.ZeroHash, &source.RevisionError{Revision: short}
	case 1:
		return found[0], nil
	}
	return plumbing.ZeroHash, &source.RevisionError{Revision: short, Detail: fmt.Sprintf("%d commits begin like this", len(found))}
}
