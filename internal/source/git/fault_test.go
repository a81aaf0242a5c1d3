package git

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/tiphys-io/tiphys/internal/source"
	"github.com/tiphys-io/tiphys/test/fixture"
)

// altered answers as the server would, after a function has changed the answer.
func altered(server *fixture.GitServer, kind string, change func([]byte) []byte) intercept {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if r.Header.Get("Altered") != "" || !strings.HasSuffix(r.URL.Path, kind) {
			return false
		}
		r.Header.Set("Altered", "1")
		answer := httptest.NewRecorder()
		server.ServeHTTP(answer, r)
		maps.Copy(w.Header(), answer.Header())
		w.WriteHeader(answer.Code)
		_, _ = w.Write(change(answer.Body.Bytes()))
		return true
	}
}

func half(b []byte) []byte { return b[:len(b)/2] }

func TestAnswersThatBreakOff(t *testing.T) {
	server := newServer(t)
	repository := server.Repository("app")
	sha := commit(t, repository, map[string]string{"a.txt": strings.Repeat("one of many lines\n", 100), "b.txt": "two"})
	repo := source.Repository{URL: repository.URL()}
	fetcher := newFetcher(t, Options{})

	server.Intercept(altered(server, fixture.RequestRefs, half))
	if _, err := fetcher.Resolve(t.Context(), repo, "main", source.ResolveOptions{}); !source.Transient(err) {
		t.Errorf("half a list of references gives %v, want something transient", err)
	}
	for cut := range 20 {
		server.Intercept(altered(server, fixture.RequestPack, func(b []byte) []byte { return b[:len(b)*(cut+10)/30] }))
		if _, err := fetcher.Fetch(t.Context(), repo, sha); !source.Transient(err) {
			t.Errorf("%d/30 of a pack give %v, want something transient", cut+10, err)
		}
	}
	flipped := func(b []byte) []byte { b[len(b)-30] ^= 0x40; return b }
	server.Intercept(altered(server, fixture.RequestPack, flipped))
	if _, err := fetcher.Fetch(t.Context(), repo, sha); !source.Transient(err) {
		t.Errorf("a pack with a wrong bit gives %v, want something transient", err)
	}
	server.Intercept(nil)
	if _, err := fetcher.Fetch(t.Context(), repo, sha); err != nil {
		t.Errorf("afterwards a fetch gives %v, want success", err)
	}
}

// TestRefusedCommit has a server that gives out only what its references name, as many do by default.
func TestRefusedCommit(t *testing.T) {
	server := newServer(t)
	repository := server.Repository("app")
	old := commit(t, repository, map[string]string{"a.txt": "old"})
	commit(t, repository, map[string]string{"a.txt": "new"})
	var refused atomic.Int32
	server.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, fixture.RequestPack) || refused.Add(1) > 1 {
			return false
		}
		w.Header().Set("Content-Type", "application/x-git-upload-pack-result")
		line := "ERR upload-pack: not our ref " + old
		_, _ = fmt.Fprintf(w, "%04x%s", len(line)+4, line)
		return true
	})
	repo := source.Repository{URL: repository.URL()}
	fetcher := newFetcher(t, Options{})
	tree, err := fetcher.Fetch(t.Context(), repo, old)
	must(t, err)
	if data, err := fs.ReadFile(tree, "a.txt"); err != nil || string(data) != "old" {
		t.Errorf("a.txt = %q, %v; want the old content", data, err)
	}
	if n := refused.Load(); n != 2 {
		t.Errorf("%d requests for packs, want the refused one and one for everything", n)
	}
	_, err = fetcher.Fetch(t.Context(), repo, strings.Repeat("12", 20))
	if _, ok := errors.AsType[*source.RevisionError](err); !ok {
		t.Errorf("a commit that does not exist gives %v, want a RevisionError", err)
	}
}

func TestPacksAreBounded(t *testing.T) {
	repository := newServer(t).Repository("app")
	sha := commit(t, repository, map[string]string{"a.txt": "one"})
	for url, kind := range map[string]string{repository.URL(): "http", repository.FileURL(): "file"} {
		_, err := newFetcher(t, Options{MaxPackBytes: 100}).Fetch(t.Context(), source.Repository{URL: url}, sha)
		if failed, ok := errors.AsType[*source.Error](err); !ok || failed.Reason != source.TooLarge {
			t.Errorf("%s: a pack above the limit gives %v", kind, err)
		}
	}
}

func TestCredentialsAreNotTold(t *testing.T) {
	server := newServer(t)
	repository := server.Repository("app")
	sha := commit(t, repository, map[string]string{"a.txt": "one"})
	host := strings.TrimPrefix(server.URL(), "http://")
	faults := map[string]intercept{
		"login refused": answer(http.StatusUnauthorized), "not found": answer(http.StatusNotFound), "failing": answer(http.StatusBadGateway),
		"redirects": func(w http.ResponseWriter, r *http.Request) bool {
			http.Redirect(w, r, r.URL.String(), http.StatusFound)
			return true
		},
		"connection lost": func(http.ResponseWriter, *http.Request) bool { panic(http.ErrAbortHandler) },
		"nonsense":        func(w http.ResponseWriter, _ *http.Request) bool { _, _ = w.Write([]byte("?")); return true },
	}
	for reason, fault := range faults {
		server.Intercept(fault)
		for _, url := range []string{"http://canary-user:canary-pass@" + host + "/app.git", "http://canary-token@" + host + "/app", "http://a:canary pass/%zz@" + host + "/app"} {
			fetcher := newFetcher(t, Options{Timeout: time.Second})
			_, errResolve := fetcher.Resolve(t.Context(), source.Repository{URL: url}, "main", source.ResolveOptions{})
			_, errFetch := fetcher.Fetch(t.Context(), source.Repository{URL: url}, sha)
			for _, err := range []error{errResolve, errFetch} {
				if err == nil || strings.Contains(err.Error(), "canary") || !strings.Contains(err.Error(), host) {
					t.Errorf("%s: %v; want an error that names the host and no secret", reason, err)
				}
			}
		}
	}
}

func TestLoginIsSent(t *testing.T) {
	server := newServer(t)
	repository := server.Repository("app")
	sha := commit(t, repository, map[string]string{"a.txt": "one"})
	server.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
		user, password, _ := r.BasicAuth()
		if user == "me" && password == "p@ss" {
			return false
		}
		return answer(http.StatusUnauthorized)(w, r)
	})
	url := strings.Replace(repository.URL(), "http://", "http://me:p%40ss@", 1)
	fetcher := newFetcher(t, Options{})
	if got, err := fetcher.Resolve(t.Context(), source.Repository{URL: url}, "main", source.ResolveOptions{}); err != nil || got != sha {
		t.Errorf("Resolve = %q, %v", got, err)
	}
	if _, err := fetcher.Fetch(t.Context(), source.Repository{URL: url}, sha); err != nil {
		t.Error(err)
	}
	// What one login has fetched is not for others, although the commit is known by now.
	if _, err := fetcher.Fetch(t.Context(), source.Repository{URL: repository.URL()}, sha); err == nil {
		t.Error("a commit fetched with a login can be read without it")
	}
}

// TestHangCostsOnce has a server that accepts and is silent: who waits shares the one time-out.
func TestHangCostsOnce(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer func() { _ = listener.Close() }()
	for _, scheme := range []string{"http", "git"} {
		fetcher := newFetcher(t, Options{Timeout: 500 * time.Millisecond})
		repo := source.Repository{URL: scheme + "://" + listener.Addr().String() + "/app"}
		began := time.Now()
		var group sync.WaitGroup
		for i := range 40 {
			group.Go(func() {
				var err error
				if i%2 == 0 {
					_, err = fetcher.Resolve(t.Context(), repo, "main", source.ResolveOptions{})
				} else {
					_, err = fetcher.Fetch(t.Context(), repo, strings.Repeat("ab", 20))
				}
				if !source.Transient(err) || !strings.Contains(err.Error(), "no answer within 500ms") {
					t.Errorf("%s: %v; want a time-out", scheme, err)
				}
			})
		}
		group.Wait()
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("%s: 40 callers waited %s, want about one time-out", scheme, took)
		}
	}
}

func TestUnusableURLs(t *testing.T) {
	fetcher := newFetcher(t, Options{})
	inside := "file://" + fetcher.options.Dir + "/0123"
	for url, want := range map[string]string{
		"":                      "not supported",
		"/srv/repo.git":         "not supported",
		"git@example.com:a/b":   "no SSH key is known for it",
		"ftp://example.com/a":   `protocol "ftp" is not supported`,
		"http:///path":          "names no host",
		"file://relative/path":  "file:///absolute/path",
		"file:///does/not/be":   "repository not found",
		inside:                  "repository not found",
		"https://[::1/unclosed": "cannot be parsed",
	} {
		_, err := fetcher.Resolve(t.Context(), source.Repository{URL: url}, "main", source.ResolveOptions{})
		if err == nil || source.Transient(err) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q gives %v, want %q", url, err, want)
		}
	}
}

func TestEmptyRepository(t *testing.T) {
	repository := newServer(t).Repository("app")
	for _, url := range []string{repository.URL(), repository.FileURL()} {
		_, err := newFetcher(t, Options{}).Resolve(t.Context(), source.Repository{URL: url}, "", source.ResolveOptions{})
		if failed, ok := errors.AsType[*source.Error](err); !ok || failed.Reason != source.Empty || !strings.Contains(err.Error(), "push a first commit") {
			t.Errorf("%s gives %v, want that it is empty", url, err)
		}
	}
}

// TestRetryAfter leaves a server alone that asks for it, and asks it again when the time is over.
func TestRetryAfter(t *testing.T) {
	server := newServer(t)
	repository := server.Repository("app")
	sha := commit(t, repository, map[string]string{"a.txt": "one"})
	commit(t, server.Repository("other"), map[string]string{"a.txt": "one"})
	var asked atomic.Int32
	after := "1"
	server.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasPrefix(r.URL.Path, "/app") {
			return false
		}
		if asked.Add(1) > 1 {
			return false
		}
		w.Header().Set("Retry-After", after)
		return answer(http.StatusTooManyRequests)(w, r)
	})
	repo := source.Repository{URL: repository.URL()}
	for _, after = range []string{"3600", "1"} {
		asked.Store(0)
		fetcher := newFetcher(t, Options{})
		for range 3 {
			_, err := fetcher.Resolve(t.Context(), repo, "main", source.ResolveOptions{Force: true})
			if !source.Transient(err) || !strings.Contains(err.Error(), "the server answers with status 429 Too Many Requests, and is asked again after ") {
				t.Fatalf("%v; want that it is asked again later", err)
			}
		}
		if n := asked.Load(); n != 1 {
			t.Errorf("it was asked %d times, want once", n)
		}
		if _, err := fetcher.Resolve(t.Context(), source.Repository{URL: server.Repository("other").URL()}, "main", source.ResolveOptions{}); err != nil {
			t.Errorf("another repository of the server: %v", err)
		}
		if after != "1" {
			continue
		}
		for deadline := time.Now().Add(10 * time.Second); ; {
			got, err := fetcher.Resolve(t.Context(), repo, "main", source.ResolveOptions{})
			if err == nil && got == sha {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("it is not asked again: %v", err)
			}
			<-time.After(20 * time.Millisecond)
		}
	}
}

// TestDiskFull runs in a process of its own, which may write little.
func TestDiskFull(t *testing.T) {
	const asked = "TIPHYS_TEST_DISK_FULL"
	if os.Getenv(asked) != "" {
		fillDisk(t)
		return
	}
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestDiskFull$")
	child.Env = append(os.Environ(), asked+"=1")
	if out, err := child.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// fillDisk fetches more than may be written. What was begun is not left behind, and when there is space again it goes on.
func fillDisk(t *testing.T) {
	t.Helper()
	repository := newServer(t).Repository("app")
	random := make([]byte, 300<<10)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(random) // it never fails
	small := commit(t, repository, map[string]string{"a.txt": "one"})
	large := commit(t, repository, map[string]string{"a.txt": string(random)})
	repo := source.Repository{URL: repository.URL()}
	fetcher, fresh := newFetcher(t, Options{}), newFetcher(t, Options{})
	_, err := fetcher.Fetch(t.Context(), repo, small)
	must(t, err)

	// A limit on the size of files is what a test can set; the file system gives another number for the same.
	var before syscall.Rlimit
	must(t, syscall.Getrlimit(syscall.RLIMIT_FSIZE, &before))
	signal.Ignore(syscall.SIGXFSZ)
	defer signal.Reset(syscall.SIGXFSZ)
	limit := func(r syscall.Rlimit) { must(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &r)) }
	limit(syscall.Rlimit{Cur: 64 << 10, Max: before.Max})
	defer limit(before)
	for why, f := range map[string]*Fetcher{"into a store that is there": fetcher, "into a new one": fresh} {
		_, err := f.Fetch(t.Context(), repo, large)
		failed, ok := errors.AsType[*source.Error](err)
		if !ok || failed.Reason != source.Unavailable || !strings.Contains(err.Error(), "no space is left for the local copy of it: give the volume of --cache-dir more") {
			t.Errorf("%s: %v", why, err)
		}
		if left, err := filepath.Glob(filepath.Join(f.options.Dir, "*", "*", "objects", "pack", "incoming-*")); len(left) > 0 || err != nil {
			t.Errorf("%s: left behind: %v, %v", why, left, err)
		}
	}
	if tree, err := fetcher.Fetch(t.Context(), repo, small); err != nil || read(t, tree, "a.txt") != "one" {
		t.Errorf("what is there is not read any more: %v", err)
	}
	limit(before)
	for why, f := range map[string]*Fetcher{"into a store that is there": fetcher, "into a new one": fresh} {
		if tree, err := f.Fetch(t.Context(), repo, large); err != nil || read(t, tree, "a.txt") != string(random) {
			t.Errorf("%s, with space again: %v", why, err)
		}
	}
}
