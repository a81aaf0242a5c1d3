package git

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tiphys-io/tiphys/internal/source"
	"github.com/tiphys-io/tiphys/test/fixture"
)

func packsOf(t *testing.T, f *Fetcher) []string {
	t.Helper()
	packs, err := filepath.Glob(filepath.Join(f.options.Dir, "*", "*", "objects", "pack", "*.pack"))
	must(t, err)
	return packs
}

func read(t *testing.T, tree fs.FS, name string) string {
	t.Helper()
	data, err := fs.ReadFile(tree, name)
	if err != nil {
		t.Errorf("%s: %v", name, err)
	}
	return string(data)
}

// again is a fetcher on the same folder, as after a restart.
func again(t *testing.T, f *Fetcher) *Fetcher {
	t.Helper()
	next, err := New(f.options)
	must(t, err)
	return next
}

func TestDamageHeals(t *testing.T) {
	flip := func(name string) error {
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		data[len(data)/2] ^= 0xff
		return os.WriteFile(name, data, 0o600)
	}
	for _, tc := range []struct {
		reason string
		damage func(pack string) error
	}{
		{"a pack that is cut off", func(p string) error { return os.Truncate(p, 40) }},
		{"a pack with wrong bytes", flip},
		{"a pack that is gone", os.Remove},
		{"an index that is cut off", func(p string) error { return os.Truncate(strings.TrimSuffix(p, ".pack")+".idx", 40) }},
		{"an index that is gone", func(p string) error { return os.Remove(strings.TrimSuffix(p, ".pack") + ".idx") }},
		{"tips that make no sense", func(p string) error {
			return os.WriteFile(filepath.Join(filepath.Dir(p), "..", "..", tipsFile), []byte("?\n"), 0o600)
		}},
		{"a process that died while fetching", func(p string) error {
			return os.WriteFile(filepath.Join(filepath.Dir(p), "incoming-1"), []byte("PACK"), 0o600)
		}},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			repository := newServer(t).Repository("app")
			sha := commit(t, repository, map[string]string{"a.txt": "one", "dir/b.txt": strings.Repeat("two\n", 100)})
			repo := source.Repository{URL: repository.URL()}
			// The cache is too small to hide what happens on disk.
			fetcher := newFetcher(t, Options{CacheBytes: 1})
			early, err := fetcher.Fetch(t.Context(), repo, sha)
			must(t, err)
			for _, pack := range packsOf(t, fetcher) {
				must(t, tc.damage(pack))
			}
			restarted := again(t, fetcher)
			late, err := restarted.Fetch(t.Context(), repo, sha)
			must(t, err)
			for _, name := range []string{"a.txt", "dir/b.txt"} {
				if got, want := read(t, late, name), read(t, early, name); got != want || got == "" {
					t.Errorf("%s after a restart is %q, want %q", name, got, want)
				}
			}
			if left, err := filepath.Glob(filepath.Join(fetcher.options.Dir, "*", "*", "objects", "pack", "incoming-*")); len(left) > 0 || err != nil {
				t.Errorf("left behind: %v, %v", left, err)
			}
		})
	}
}

// TestTreesOutliveStores begins fresh stores under trees that are being read.
func TestTreesOutliveStores(t *testing.T) {
	repository := newServer(t).Repository("app")
	sha := commit(t, repository, map[string]string{"a.txt": "one", "dir/b.txt": "two"})
	fetcher := newFetcher(t, Options{CacheBytes: 1})
	repo := source.Repository{URL: repository.URL()}
	tree, err := fetcher.Fetch(t.Context(), repo, sha)
	must(t, err)
	for i := range maxPacks + 10 {
		next := commit(t, repository, map[string]string{"a.txt": fmt.Sprint(i), "dir/b.txt": "two"})
		latest, err := fetcher.Fetch(t.Context(), repo, next)
		must(t, err)
		if got := read(t, latest, "a.txt") + read(t, latest, "dir/b.txt"); got != fmt.Sprint(i)+"two" {
			t.Fatalf("fetch %d: %q", i, got)
		}
	}
	if n := len(packsOf(t, fetcher)); n > maxPacks {
		t.Errorf("%d packs in the store, want at most %d", n, maxPacks)
	}
	if got := read(t, tree, "a.txt") + read(t, tree, "dir/b.txt"); got != "onetwo" {
		t.Errorf("the first tree reads %q", got)
	}
}

func TestStoreOutlivesTheProcess(t *testing.T) {
	server := newServer(t)
	repository := server.Repository("app")
	// It compresses badly, so that the size of a pack tells whether it is in it.
	var big strings.Builder
	for i := range 500 {
		fmt.Fprint(&big, hashOf(fmt.Sprint(i)))
	}
	first := commit(t, repository, map[string]string{"a.txt": "one", "big": big.String()})
	repo := source.Repository{URL: repository.URL()}
	fetcher := newFetcher(t, Options{})
	_, err := fetcher.Fetch(t.Context(), repo, first)
	must(t, err)
	before := server.Requests(fixture.RequestPack)

	fetcher = again(t, fetcher)
	sha, err := fetcher.Resolve(t.Context(), repo, first, source.ResolveOptions{})
	must(t, err)
	tree, err := fetcher.Fetch(t.Context(), repo, sha)
	must(t, err)
	if got := read(t, tree, "a.txt"); got != "one" || server.Requests(fixture.RequestPack) != before {
		t.Errorf("a commit that is in the store: %q, %d more requests", got, server.Requests(fixture.RequestPack)-before)
	}
	second := commit(t, repository, map[string]string{"a.txt": "two", "big": big.String()})
	tree, err = fetcher.Fetch(t.Context(), repo, second)
	must(t, err)
	if got := read(t, tree, "a.txt") + read(t, tree, "big"); got != "two"+big.String() {
		t.Errorf("after an incremental fetch: %q", got)
	}
	packs := packsOf(t, fetcher)
	if len(packs) != 2 {
		t.Fatalf("%d packs, want one for each fetch", len(packs))
	}
	for _, name := range packs {
		info, err := os.Stat(name)
		must(t, err)
		if info.Size() < 500 {
			return // a commit, a tree and a short file
		}
	}
	t.Error("the second fetch brought the whole tree again")
}

func TestReferencesAreAskedForSparingly(t *testing.T) {
	server := newServer(t)
	repository := server.Repository("app")
	commit(t, repository, map[string]string{"a.txt": "one"})
	commit(t, repository, map[string]string{"a.txt": "dev"}, fixture.OnBranch("dev"))
	repo := source.Repository{URL: repository.URL()}
	fetcher := newFetcher(t, Options{ResolveTTL: time.Hour})
	for i := range 1000 {
		_, err := fetcher.Resolve(t.Context(), repo, []string{"main", "dev", "HEAD", ""}[i%4], source.ResolveOptions{})
		must(t, err)
	}
	// The same repository in another spelling.
	_, err := fetcher.Resolve(t.Context(), source.Repository{URL: strings.TrimSuffix(repository.URL(), ".git") + "/"}, "main", source.ResolveOptions{})
	must(t, err)
	if n := server.Requests(fixture.RequestRefs); n != 1 {
		t.Errorf("1,001 resolves made %d requests, want 1", n)
	}
	_, err = fetcher.Resolve(t.Context(), repo, "main", source.ResolveOptions{Force: true})
	must(t, err)
	if n := server.Requests(fixture.RequestRefs); n != 2 {
		t.Errorf("a forced resolve made %d requests, want 1", n-1)
	}
}

func TestAbbreviatedCommits(t *testing.T) {
	server := newServer(t)
	repository := server.Repository("app")
	first := commit(t, repository, map[string]string{"a.txt": "one"})
	commit(t, repository, map[string]string{"a.txt": "two"})
	for _, url := range []string{repository.URL(), repository.FileURL()} {
		repo := source.Repository{URL: url}
		fetcher := newFetcher(t, Options{})
		for _, short := range []string{first[:7], first[:12], strings.ToUpper(first[:9])} {
			if got, err := fetcher.Resolve(t.Context(), repo, short, source.ResolveOptions{}); err != nil || got != first {
				t.Errorf("%s: Resolve(%q) = %q, %v; want %q", url, short, got, err, first)
			}
		}
		before := server.Requests(fixture.RequestPack)
		for range 3 {
			if _, err := fetcher.Resolve(t.Context(), repo, "fedcba9", source.ResolveOptions{}); err == nil || err.Error() != "unable to resolve 'fedcba9' to a commit SHA: revision not found" {
				t.Errorf("%s: an unknown abbreviation gives %v", url, err)
			}
		}
		if n := server.Requests(fixture.RequestPack) - before; n > 1 {
			t.Errorf("%s: an unknown abbreviation fetched everything %d times, want once", url, n)
		}
	}
}

// TestReferencesMove follows a repository whose default branch is renamed, and a branch that is deleted.
func TestReferencesMove(t *testing.T) {
	repository := newServer(t).Repository("app")
	first := commit(t, repository, map[string]string{"a.txt": "one"})
	for _, url := range []string{repository.URL(), repository.FileURL()} {
		repo := source.Repository{URL: url}
		fetcher := newFetcher(t, Options{})
		gone := commit(t, repository, map[string]string{"a.txt": "gone"}, fixture.OnBranch("topic"))
		_, err := fetcher.Fetch(t.Context(), repo, gone)
		must(t, err)
		must(t, repository.DeleteBranch("topic"))
		if _, err := fetcher.Resolve(t.Context(), repo, "topic", source.ResolveOptions{}); err == nil || err.Error() != "unable to resolve 'topic' to a commit SHA: revision not found" {
			t.Errorf("a deleted branch gives %v", err)
		}
		trunk := commit(t, repository, map[string]string{"a.txt": "trunk"}, fixture.OnBranch("trunk"))
		must(t, repository.SetHEAD("trunk"))
		if got, err := fetcher.Resolve(t.Context(), repo, "HEAD", source.ResolveOptions{}); err != nil || got != trunk {
			t.Errorf("HEAD after renaming the default branch is %q, %v; want %q", got, err, trunk)
		}
		tree, err := fetcher.Fetch(t.Context(), repo, first)
		must(t, err)
		if got := read(t, tree, "a.txt"); got != "one" {
			t.Errorf("an older commit reads %q", got)
		}
		must(t, repository.SetHEAD("main"))
	}
}
