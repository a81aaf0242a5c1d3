package git

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"sync"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/google/go-cmp/cmp"

	"github.com/tiphys-io/tiphys/internal/source"
	"github.com/tiphys-io/tiphys/test/fixture"
)

func TestTree(t *testing.T) {
	repository := newServer(t).Repository("app")
	sha := commit(t, repository, map[string]string{"a.txt": "one", "a/b/c.txt": "three", "a-b": "x", "empty": ""},
		fixture.WithExecutable("run.sh", "#!"), fixture.WithSymlink("a/up", "../a.txt"), fixture.WithSymlink("dir", "a/b"),
		fixture.WithSymlink("via", "dir/../up"), fixture.WithSymlink("a/over", "../../a.txt"), fixture.WithSymlink("dangling", "nowhere"))
	opened, err := newFetcher(t, Options{}).Fetch(t.Context(), source.Repository{URL: repository.URL()}, sha)
	must(t, err)

	entries, err := opened.ReadDir(".")
	must(t, err)
	var listing []string
	for _, e := range entries {
		info, err := e.Info()
		must(t, err)
		listing = append(listing, fmt.Sprintf("%s %s %d", e.Name(), info.Mode(), info.Size()))
	}
	want := []string{"a dr-xr-xr-x 0", "a-b -r--r--r-- 1", "a.txt -r--r--r-- 3", "dangling Lrwxrwxrwx 7", "dir Lrwxrwxrwx 3", "empty -r--r--r-- 0", "run.sh -r-xr-xr-x 2", "via Lrwxrwxrwx 9"}
	if diff := cmp.Diff(want, listing); diff != "" {
		t.Errorf("root (-want +got):\n%s", diff)
	}
	if info, err := opened.Stat("dir"); err != nil || !info.IsDir() {
		t.Errorf("Stat of a link to a directory = %v, %v; want the directory", info, err)
	}
	for name, want := range map[string]string{"a/up": "one", "dir/c.txt": "three", "via": "one", "empty": ""} {
		if got := read(t, opened, name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
	for name, want := range map[string]error{
		"a/over": source.ErrLinkEscapes, "dangling": fs.ErrNotExist, "a.txt/x": fs.ErrNotExist, "../a.txt": fs.ErrInvalid, "/a.txt": fs.ErrInvalid, "": fs.ErrInvalid, "a": errIsDir,
	} {
		if _, err := opened.ReadFile(name); !errors.Is(err, want) {
			t.Errorf("ReadFile(%q) gives %v, want %v", name, err, want)
		}
	}
	if _, err := opened.ReadFile("a/over"); err == nil || !strings.Contains(err.Error(), "link a/over to ../../a.txt") {
		t.Errorf("the error does not name the link: %v", err)
	}
	if _, err := opened.ReadDir("a.txt"); !errors.Is(err, errNotDir) {
		t.Errorf("ReadDir of a file gives %v", err)
	}
	if target, err := fs.ReadLink(opened, "dir"); err != nil || target != "a/b" {
		t.Errorf("ReadLink = %q, %v", target, err)
	}
}

func TestHashesTellWhatChanged(t *testing.T) {
	repository := newServer(t).Repository("app")
	fetcher := newFetcher(t, Options{})
	hashes := func(files map[string]string) map[string]string {
		tree, err := fetcher.Fetch(t.Context(), source.Repository{URL: repository.URL()}, commit(t, repository, files, fixture.WithSymlink("link", "app/x")))
		must(t, err)
		found := map[string]string{}
		for _, name := range []string{".", "app", "app/x", "other", "link"} {
			found[name], err = tree.Hash(name)
			must(t, err)
		}
		return found
	}
	before := hashes(map[string]string{"app/x": "1", "other/y": "1"})
	after := hashes(map[string]string{"app/x": "2", "other/y": "1"})
	for name, changed := range map[string]bool{".": true, "app": true, "app/x": true, "link": true, "other": false} {
		if got := before[name] != after[name]; got != changed {
			t.Errorf("the hash of %s changed: %t, want %t", name, got, changed)
		}
	}
	if want := plumbing.ComputeHash(plumbing.BlobObject, []byte("2")).String(); after["app/x"] != want {
		t.Errorf("Hash = %s, want the blob id %s", after["app/x"], want)
	}
}

func TestTreesAreReadConcurrently(t *testing.T) {
	repository := newServer(t).Repository("app")
	fetcher := newFetcher(t, Options{CacheBytes: 1})
	files := map[string]string{}
	for i := range 30 {
		files[fmt.Sprintf("dir%d/file%d", i%5, i)] = strings.Repeat(fmt.Sprint(i), 100)
	}
	repo := source.Repository{URL: repository.URL()}
	sha := commit(t, repository, files)
	tree, err := fetcher.Fetch(t.Context(), repo, sha)
	must(t, err)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for name, want := range files {
				if got := read(t, tree, name); got != want {
					t.Errorf("%s = %q", name, got)
				}
			}
		})
	}
	for i := range 10 {
		next := commit(t, repository, map[string]string{"next": fmt.Sprint(i)})
		if _, err := fetcher.Fetch(t.Context(), repo, next); err != nil {
			t.Error(err)
		}
	}
	group.Wait()
}

func TestSubmodulesOfSubmodules(t *testing.T) {
	server := newServer(t)
	// It contains itself, which ends at the limit and not before.
	self := server.Repository("self")
	modules := "[submodule \"s\"]\n\tpath = s\n\turl = ./../self.git\n"
	base := commit(t, self, map[string]string{".gitmodules": modules, "a.txt": "one"})
	sha := base
	for range 12 {
		sha = commit(t, self, map[string]string{".gitmodules": modules, "a.txt": "one"}, fixture.WithGitlink("s", sha))
	}
	tree, err := newFetcher(t, Options{}).Fetch(t.Context(), source.Repository{URL: self.URL()}, sha)
	must(t, err)
	if got := read(t, tree, strings.Repeat("s/", 10)+"a.txt"); got != "one" {
		t.Errorf("at the limit: %q", got)
	}
	if _, err := tree.ReadFile(strings.Repeat("s/", 11) + "a.txt"); err == nil || !strings.Contains(err.Error(), "nested more than 10 deep") {
		t.Errorf("beyond the limit: %v", err)
	}
	if info, err := tree.Stat("s"); err != nil || !info.IsDir() {
		t.Errorf("Stat of a submodule = %v, %v; want a directory", info, err)
	}
	if hash, err := tree.Hash("s"); err != nil || len(hash) != 40 {
		t.Errorf("Hash of a submodule = %q, %v", hash, err)
	}
	entries, err := tree.ReadDir("s")
	if err != nil || len(entries) != 3 {
		t.Errorf("ReadDir of a submodule = %v, %v; want 3 entries", entries, err)
	}
}

func TestSubmoduleFaults(t *testing.T) {
	server := newServer(t)
	library := server.Repository("library")
	pinned := commit(t, library, map[string]string{"a.txt": "one"}, fixture.WithSymlink("out", "../secret"))
	repository := server.Repository("app")
	fetcher := newFetcher(t, Options{})
	for _, tc := range []struct{ reason, modules, name, want string }{
		{"not listed", "[submodule \"x\"]\n\tpath = x\n\turl = ../library\n", "lib/a.txt", "submodule lib: .gitmodules names no URL for this path"},
		{"not readable", "[submodule \"x\n", "lib/a.txt", "submodule lib: .gitmodules:"},
		{"not there", "[submodule \"x\"]\n\tpath = lib\n\turl = ../none.git\n", "lib/a.txt", "repository not found"},
		{"another protocol", "[submodule \"x\"]\n\tpath = lib\n\turl = ext::sh -c true\n", "lib/a.txt", "not"},
		{"a link out of it", "[submodule \"x\"]\n\tpath = lib\n\turl = ../library.git\n", "lib/out", source.ErrLinkEscapes.Error()},
	} {
		sha := commit(t, repository, map[string]string{".gitmodules": tc.modules, "secret": "s", "plain": "p"}, fixture.WithGitlink("lib", pinned))
		tree, err := fetcher.Fetch(t.Context(), source.Repository{URL: repository.URL()}, sha)
		must(t, err)
		if _, err := tree.ReadFile(tc.name); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v; want %q", tc.reason, err, tc.want)
		}
		if got := read(t, tree, "plain"); got != "p" {
			t.Errorf("%s: a file outside of the submodule reads %q", tc.reason, got)
		}
	}
}

func TestSubmoduleURL(t *testing.T) {
	for _, tc := range []struct{ reason, parent, module, want string }{
		{"a sibling", "https://h/a/b.git", "../c.git", "https://h/a/c.git"},
		{"below", "https://h/a/b", "./c", "https://h/a/b/c"},
		{"the login stays with the host", "https://u:p@h/a/b", "../c", "https://u:p@h/a/c"},
		{"up to the root", "https://h/a/b", "../../c", "https://h/c"},
		{"not beyond", "https://h/a/b", "../../../c", ""},
		{"absolute", "https://h/a/b", "https://i/c", "https://i/c"},
		{"git", "https://h/a/b", "git://i/c", "git://i/c"},
		{"short SSH", "https://h/a/b", "git@i:c/d", "git@i:c/d"},
		{"a file from the network", "https://h/a/b", "file:///etc", ""},
		{"a file from the network, in capitals", "https://h/a/b", "FILE:///etc", ""},
		{"a path", "https://h/a/b", "/etc", ""},
		{"a path beside a file", "file:///srv/a", "/etc", ""},
		{"a file from a file", "file:///srv/a", "file:///srv/b", "file:///srv/b"},
		{"a helper", "https://h/a/b", "ext://sh", ""},
		{"an option", "https://h/a/b", "--upload-pack=x", ""},
		{"a sibling by short SSH", "git@h:a/b", "../c", "git@h:a/c"},
		{"not beyond the home", "git@h:a/b", "../../../c", ""},
		{"relative to nothing", "nothing", "../c", ""},
	} {
		got, err := submoduleURL(tc.parent, tc.module)
		if got != tc.want || (err == nil) != (tc.want != "") {
			t.Errorf("%s: submoduleURL(%q, %q) = %q, %v; want %q", tc.reason, tc.parent, tc.module, got, err, tc.want)
		}
	}
}

func treeObject(entries ...string) []byte {
	var b bytes.Buffer
	for _, e := range entries {
		b.WriteString(e + "\x00" + strings.Repeat("h", 20))
	}
	return b.Bytes()
}

func TestHostileDirectories(t *testing.T) {
	for _, tc := range []struct {
		reason string
		data   []byte
		ok     bool
	}{
		{"nothing", nil, true},
		{"files and folders", treeObject("100644 b", "40000 a", "120000 c", "160000 d", "100755 e", "100664 f"), true},
		{"parent", treeObject("40000 .."), false},
		{"itself", treeObject("40000 ."), false},
		{"no name", treeObject("100644 "), false},
		{"a path", treeObject("100644 a/b"), false},
		{"Git's own folder", treeObject("40000 .GIT"), false},
		{"twice the same", treeObject("100644 a", "40000 a"), false},
		{"a device", treeObject("20000 a"), false},
		{"no mode", treeObject("a"), false},
		{"a mode that is no number", treeObject("10x a"), false},
		{"cut off in the id", treeObject("100644 a")[:20], false},
		{"cut off in the name", []byte("100644 a"), false},
	} {
		if d, err := parseDir(tc.data); (err == nil) != tc.ok {
			t.Errorf("%s: %v, %v", tc.reason, d, err)
		}
	}
}

func FuzzParseDir(f *testing.F) {
	f.Add(treeObject("100644 b", "40000 a"))
	f.Add(treeObject("40000 ..", "120000 x/y"))
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := parseDir(data)
		if err != nil {
			return
		}
		for i, e := range d {
			if !fs.ValidPath(e.name) && strings.Contains(e.name, "/") || e.name == "." || e.name == ".." || e.name == "" {
				t.Errorf("name %q", e.name)
			}
			if found, ok := d.find(e.name); !ok || found != e {
				t.Errorf("entry %d, %q, is not found", i, e.name)
			}
		}
	})
}

func FuzzModules(f *testing.F) {
	f.Add([]byte("[submodule \"lib\"]\n\tpath = lib\n\turl = ../lib.git\n"), "https://example.com/a/b.git")
	f.Add([]byte("[submodule \"x\"]\n\tpath = ../x\n\turl = file:///etc\n"), "http://h")
	f.Fuzz(func(t *testing.T, data []byte, parent string) {
		urls, err := parseModules(data)
		if err != nil {
			return
		}
		for at, module := range urls {
			if !fs.ValidPath(at) || at == "." {
				t.Errorf("path %q", at)
			}
			if url, err := submoduleURL(parent, module); err == nil && isLocal(url) && !isLocal(parent) {
				t.Errorf("%q reads the local disk from %q: %q", module, parent, url)
			}
		}
	})
}

// FuzzWalk puts a link with any target into a tree: a name must not lead out of it, and every walk must end.
func FuzzWalk(f *testing.F) {
	server, err := fixture.StartGitServer()
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(server.Close)
	fetcher, err := New(Options{Dir: f.TempDir()})
	if err != nil {
		f.Fatal(err)
	}
	n := 0
	f.Add("dir/link/x", "../..")
	f.Add("dir/link", "link")
	f.Add("dir/../dir/a", "./a/.././b")
	f.Fuzz(func(t *testing.T, name, target string) {
		n++
		repository := server.Repository(fmt.Sprintf("r%d", n))
		sha, err := repository.Commit(map[string]string{"dir/a": "in", "b": "in"}, fixture.WithSymlink("dir/link", target))
		if err != nil {
			t.Fatal(err)
		}
		tree, err := fetcher.Fetch(t.Context(), source.Repository{URL: repository.FileURL()}, sha)
		must(t, err)
		for _, name := range []string{name, "dir/link", path.Join("dir/link", name)} {
			file, err := tree.Open(name)
			if err != nil {
				continue
			}
			data, err := io.ReadAll(file)
			if err == nil && string(data) != "in" {
				t.Errorf("%q by way of %q reads %q", name, target, data)
			}
		}
	})
}
