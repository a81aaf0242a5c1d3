package git

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/tiphys-io/tiphys/internal/source"
	"github.com/tiphys-io/tiphys/test/fixture"
)

func newServer(t *testing.T) *fixture.GitServer {
	t.Helper()
	server, err := fixture.StartGitServer()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	return server
}

func newFetcher(t *testing.T, options Options) *Fetcher {
	t.Helper()
	options.Dir = t.TempDir()
	fetcher, err := New(options)
	if err != nil {
		t.Fatal(err)
	}
	return fetcher
}

func commit(t *testing.T, repository *fixture.Repository, files map[string]string, options ...fixture.CommitOption) string {
	t.Helper()
	sha, err := repository.Commit(files, options...)
	if err != nil {
		t.Fatal(err)
	}
	return sha
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestResolveAndFetch(t *testing.T) {
	server := newServer(t)
	repository := server.Repository("app")
	first := commit(t, repository, map[string]string{"a.txt": "one"})
	must(t, repository.Tag("v1.0.0", first))
	second := commit(t, repository, map[string]string{"a.txt": "two", "dir/b.txt": "b"})
	_, err := repository.AnnotatedTag("v1.2.0", second, "release")
	must(t, err)
	feature := commit(t, repository, map[string]string{"a.txt": "feature"}, fixture.OnBranch("feature"))

	for url, kind := range map[string]string{repository.URL(): "http", repository.FileURL(): "file"} {
		fetcher := newFetcher(t, Options{})
		for _, tc := range []struct{ reason, revision, sha, content string }{
			{"an empty revision is HEAD", "", second, "two"},
			{"HEAD is the default branch", "HEAD", second, "two"},
			{"a branch", "feature", feature, "feature"},
			{"a full reference", "refs/heads/main", second, "two"},
			{"a tag", "v1.0.0", first, "one"},
			{"an annotated tag is peeled", "refs/tags/v1.2.0", second, "two"},
			{"a constraint takes the highest version", "1.x", second, "two"},
			{"a constraint is narrow", "~1.0.0", first, "one"},
			{"a commit id is taken as it is", first, first, "one"},
		} {
			sha, err := fetcher.Resolve(t.Context(), source.Repository{URL: url}, tc.revision, source.ResolveOptions{})
			if err != nil || sha != tc.sha {
				t.Errorf("%s: %s: Resolve(%q) = %q, %v; want %q", kind, tc.reason, tc.revision, sha, err, tc.sha)
				continue
			}
			tree, err := fetcher.Fetch(t.Context(), source.Repository{URL: url}, sha)
			must(t, err)
			if data, err := fs.ReadFile(tree, "a.txt"); err != nil || string(data) != tc.content {
				t.Errorf("%s: %s: a.txt = %q, %v; want %q", kind, tc.reason, data, err, tc.content)
			}
		}
		_, err := fetcher.Resolve(t.Context(), source.Repository{URL: url}, "nope", source.ResolveOptions{})
		var unknown *source.RevisionError
		if !errors.As(err, &unknown) || err.Error() != "unable to resolve 'nope' to a commit SHA: revision not found" {
			t.Errorf("%s: an unknown revision gives %v", kind, err)
		}
		tree, err := fetcher.Fetch(t.Context(), source.Repository{URL: url}, second)
		must(t, err)
		if err := fstest.TestFS(tree, "a.txt", "dir/b.txt"); err != nil {
			t.Errorf("%s: the tree is no proper file system: %v", kind, err)
		}
	}
}

func TestCallsAreShared(t *testing.T) {
	server := newServer(t)
	repository := server.Repository("app")
	sha := commit(t, repository, map[string]string{"a.txt": "one"})
	fetcher := newFetcher(t, Options{ResolveTTL: time.Minute})
	var group sync.WaitGroup
	for range 100 {
		group.Go(func() {
			got, err := fetcher.Resolve(t.Context(), source.Repository{URL: repository.URL()}, "main", source.ResolveOptions{})
			if err != nil || got != sha {
				t.Errorf("Resolve = %q, %v", got, err)
			}
			tree, err := fetcher.Fetch(t.Context(), source.Repository{URL: repository.URL()}, sha)
			if err != nil {
				t.Errorf("Fetch: %v", err)
				return
			}
			if _, err := fs.ReadFile(tree, "a.txt"); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if packs := server.Requests(fixture.RequestPack); packs != 1 {
		t.Errorf("100 fetches of one commit made %d pack requests, want 1", packs)
	}
	if refs := server.Requests(fixture.RequestRefs); refs > 2 {
		t.Errorf("100 resolves and a fetch asked for the references %d times, want at most 2", refs)
	}
	newSHA := commit(t, repository, map[string]string{"a.txt": "two"})
	if got, _ := fetcher.Resolve(t.Context(), source.Repository{URL: repository.URL()}, "main", source.ResolveOptions{Force: true}); got != newSHA {
		t.Errorf("a forced resolve gives %q, want the new commit %q", got, newSHA)
	}
}

func TestLinksStayInside(t *testing.T) {
	repository := newServer(t).Repository("app")
	sha := commit(t, repository, map[string]string{"dir/a.txt": "one"},
		fixture.WithSymlink("inside", "dir/a.txt"), fixture.WithSymlink("folder", "dir"),
		fixture.WithSymlink("dir/out", "../../etc/passwd"), fixture.WithSymlink("absolute", "/etc/passwd"), fixture.WithSymlink("loop", "loop"))
	tree, err := newFetcher(t, Options{}).Fetch(t.Context(), source.Repository{URL: repository.URL()}, sha)
	must(t, err)
	for _, tc := range []struct {
		reason, name string
		err          error
	}{
		{"a link to a file is followed", "inside", nil},
		{"a link to a folder is followed", "folder/a.txt", nil},
		{"a relative link may not leave", "dir/out", source.ErrLinkEscapes},
		{"an absolute link may not be followed", "absolute", source.ErrLinkEscapes},
		{"a loop ends", "loop", source.ErrLinkLoop},
		{"what is not there is not there", "dir/nothing", fs.ErrNotExist},
	} {
		data, err := fs.ReadFile(tree, tc.name)
		if !errors.Is(err, tc.err) || (tc.err == nil && string(data) != "one") {
			t.Errorf("%s: ReadFile(%q) = %q, %v; want error %v", tc.reason, tc.name, data, err, tc.err)
		}
	}
}

func TestSubmodules(t *testing.T) {
	server := newServer(t)
	library := server.Repository("library")
	pinned := commit(t, library, map[string]string{"lib.yaml": "pinned"})
	commit(t, library, map[string]string{"lib.yaml": "newer"})
	repository := server.Repository("app")
	sha := commit(t, repository, map[string]string{
		".gitmodules": "[submodule \"lib\"]\n\tpath = vendor/lib\n\turl = ../library.git\n", "vendor/README": "x",
	}, fixture.WithGitlink("vendor/lib", pinned))
	tree, err := newFetcher(t, Options{}).Fetch(t.Context(), source.Repository{URL: repository.URL()}, sha)
	must(t, err)
	if data, err := fs.ReadFile(tree, "vendor/lib/lib.yaml"); err != nil || string(data) != "pinned" {
		t.Errorf("a file of a submodule = %q, %v; want the pinned one", data, err)
	}
	hostile := commit(t, repository, map[string]string{
		".gitmodules": "[submodule \"lib\"]\n\tpath = lib\n\turl = file:///etc\n",
	}, fixture.WithGitlink("lib", pinned))
	tree, err = newFetcher(t, Options{}).Fetch(t.Context(), source.Repository{URL: repository.URL()}, hostile)
	must(t, err)
	if _, err := fs.ReadFile(tree, "lib/passwd"); err == nil || !strings.Contains(err.Error(), "submodule lib: the URL file:///etc is not allowed") {
		t.Errorf("a submodule on the local disk gives %v, want a refusal", err)
	}
}

func TestFaults(t *testing.T) {
	for _, tc := range []struct {
		reason    string
		intercept intercept
		want      source.Reason
	}{
		{"credentials are needed", answer(http.StatusUnauthorized), source.Unauthorized},
		{"access is forbidden", answer(http.StatusForbidden), source.Unauthorized},
		{"there is no repository", answer(http.StatusNotFound), source.NotFound},
		{"the server fails", answer(http.StatusBadGateway), source.Unavailable},
		{"too many requests", answer(http.StatusTooManyRequests), source.Unavailable},
		{"the server never answers", func(_ http.ResponseWriter, r *http.Request) bool { <-r.Context().Done(); return true }, source.Unavailable},
		{"redirects never end", func(w http.ResponseWriter, r *http.Request) bool {
			http.Redirect(w, r, r.URL.String(), http.StatusFound)
			return true
		}, source.Invalid},
		{"the server speaks something else", func(w http.ResponseWriter, _ *http.Request) bool {
			_, _ = w.Write([]byte("<html>welcome</html>"))
			return true
		}, source.Invalid},
		{"the server speaks something else, and calls it Git", func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Content-Type", "application/x-git-upload-pack-advertisement")
			_, _ = w.Write([]byte("<html>welcome</html>"))
			return true
		}, source.Invalid},
	} {
		server := newServer(t)
		repository := server.Repository("app")
		sha := commit(t, repository, map[string]string{"a.txt": "one"})
		server.Intercept(tc.intercept)
		fetcher := newFetcher(t, Options{Timeout: time.Second})
		_, errResolve := fetcher.Resolve(t.Context(), source.Repository{URL: repository.URL()}, "main", source.ResolveOptions{})
		_, errFetch := fetcher.Fetch(t.Context(), source.Repository{URL: repository.URL()}, sha)
		for what, err := range map[string]error{"resolve": errResolve, "fetch": errFetch} {
			var failed *source.Error
			if !errors.As(err, &failed) || failed.Reason != tc.want {
				t.Errorf("%s: %s gives %v, want reason %s", tc.reason, what, err, tc.want)
			}
		}
		server.Intercept(nil)
		if _, err := fetcher.Fetch(t.Context(), source.Repository{URL: repository.URL()}, sha); err != nil {
			t.Errorf("%s: afterwards a fetch gives %v, want success", tc.reason, err)
		}
	}
}

// intercept is a fault of a server.
type intercept = func(http.ResponseWriter, *http.Request) bool

func answer(status int) intercept {
	return func(w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(status)
		return true
	}
}

func TestStoreHeals(t *testing.T) {
	repository := newServer(t).Repository("app")
	sha := commit(t, repository, map[string]string{"a.txt": "one"})
	fetcher := newFetcher(t, Options{})
	repo := source.Repository{URL: repository.URL()}
	_, err := fetcher.Fetch(t.Context(), repo, sha)
	must(t, err)
	packs, err := filepath.Glob(filepath.Join(fetcher.options.Dir, "*", "*", "objects", "pack", "*.pack"))
	if err != nil || len(packs) == 0 {
		t.Fatalf("no packs in the store: %v", err)
	}
	for _, pack := range packs {
		must(t, os.Chmod(pack, 0o600))
		must(t, os.Truncate(pack, 16))
	}
	tree, err := fetcher.Fetch(t.Context(), repo, sha)
	must(t, err)
	if data, err := fs.ReadFile(tree, "a.txt"); err != nil || string(data) != "one" {
		t.Errorf("after the damage: %q, %v", data, err)
	}
}

func TestRewrittenHistory(t *testing.T) {
	server := newServer(t)
	repository := server.Repository("app")
	fetcher := newFetcher(t, Options{})
	repo := source.Repository{URL: repository.URL()}
	base := commit(t, repository, map[string]string{"a.txt": "base"})
	dropped := commit(t, repository, map[string]string{"a.txt": "dropped"})
	_, err := fetcher.Fetch(t.Context(), repo, dropped)
	must(t, err)
	must(t, repository.SetBranch("main", base))
	forced := commit(t, repository, map[string]string{"a.txt": "forced"})
	got, err := fetcher.Resolve(t.Context(), repo, "main", source.ResolveOptions{Force: true})
	if err != nil || got != forced {
		t.Fatalf("after a force push Resolve = %q, %v; want %q", got, err, forced)
	}
	tree, err := fetcher.Fetch(t.Context(), repo, got)
	must(t, err)
	if data, _ := fs.ReadFile(tree, "a.txt"); string(data) != "forced" {
		t.Errorf("a.txt = %q after a force push", data)
	}
}

func TestLargeFileIsNotRead(t *testing.T) {
	repository := newServer(t).Repository("app")
	sha := commit(t, repository, map[string]string{"big": strings.Repeat("x", 2000)})
	tree, err := newFetcher(t, Options{MaxFileBytes: 1000}).Fetch(t.Context(), source.Repository{URL: repository.URL()}, sha)
	must(t, err)
	if info, err := fs.Stat(tree, "big"); err != nil || info.Size() != 2000 {
		t.Errorf("Stat = %v, %v; want 2000 bytes", info, err)
	}
	var tooLarge *source.FileSizeError
	if _, err := fs.ReadFile(tree, "big"); !errors.As(err, &tooLarge) {
		t.Errorf("ReadFile of a file above the limit gives %v", err)
	}
}

func TestWaitingEndsWithTheContext(t *testing.T) {
	fetcher := newFetcher(t, Options{})
	repository, err := fetcher.repository(t.Context(), source.Repository{URL: "http://127.0.0.1:1/x"})
	must(t, err)
	must(t, enter(t.Context(), repository.listing))
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := fetcher.Resolve(ctx, source.Repository{URL: "http://127.0.0.1:1/x"}, "main", source.ResolveOptions{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Resolve behind another call gives %v", err)
	}
}

// After a push was told of, nobody gets an answer that was asked for before.
func TestForget(t *testing.T) {
	server := newServer(t)
	repository, other := server.Repository("app"), server.Repository("other")
	commit(t, repository, map[string]string{"a.txt": "one"})
	fetcher := newFetcher(t, Options{ResolveTTL: time.Hour})
	resolve := func(repoURL string) string {
		sha, err := fetcher.Resolve(t.Context(), source.Repository{URL: repoURL}, "main", source.ResolveOptions{})
		must(t, err)
		return sha
	}
	commit(t, other, map[string]string{"a.txt": "one"})
	before := resolve(other.URL())
	resolve(repository.URL())
	asked := server.Requests(fixture.RequestRefs)
	sha := commit(t, repository, map[string]string{"a.txt": "two"})
	commit(t, other, map[string]string{"a.txt": "two"})
	if got := resolve(repository.URL()); got == sha {
		t.Fatal("the repository is asked each time, and the test proves nothing")
	}
	fetcher.Forget(strings.TrimSuffix(repository.URL(), ".git") + "/")
	if got := resolve(repository.URL()); got != sha {
		t.Errorf("%s is remembered, the repository has %s", got, sha)
	}
	if got := resolve(other.URL()); got != before {
		t.Errorf("another repository was asked as well: %s", got)
	}
	resolve(repository.URL())
	if got := server.Requests(fixture.RequestRefs) - asked; got != 1 {
		t.Errorf("the repositories were asked %d times, want once: the new answer is remembered", got)
	}
}
