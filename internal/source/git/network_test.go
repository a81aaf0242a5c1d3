package git

import (
	"bufio"
	"io"
	"io/fs"
	"net"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"
	"github.com/go-git/go-git/v5/plumbing/transport"
	"github.com/google/go-cmp/cmp"

	"github.com/tiphys-io/tiphys/internal/source"
	"github.com/tiphys-io/tiphys/test/fixture"
)

// startDaemon serves one repository over git://, by a server that knows nothing of depth and gives out deltas.
func startDaemon(t *testing.T, dir string) (url string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	served := make(chan struct{})
	go func() {
		defer close(served)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			if err := serveGit(t, conn, dir); err != nil {
				t.Errorf("the server fails: %v", err)
			}
		}
	}()
	t.Cleanup(func() {
		_ = listener.Close()
		<-served
	})
	return "git://" + listener.Addr().String() + "/app.git"
}

func serveGit(t *testing.T, conn net.Conn, dir string) error {
	defer func() { _ = conn.Close() }()
	in := bufio.NewReader(conn)
	var hello packp.GitProtoRequest
	if err := hello.Decode(in); err != nil {
		return err
	}
	return fixture.ServeUploadPack(t.Context(), dir, struct {
		io.Reader
		io.Writer
	}{in, conn})
}

func TestGitProtocol(t *testing.T) {
	repository := newServer(t).Repository("app")
	long := strings.Repeat("many lines that are the same\n", 100)
	first := commit(t, repository, map[string]string{"a.txt": long + "one"})
	repo := source.Repository{URL: startDaemon(t, strings.TrimPrefix(repository.FileURL(), "file://"))}
	fetcher := newFetcher(t, Options{})
	got, err := fetcher.Resolve(t.Context(), repo, "main", source.ResolveOptions{})
	if err != nil || got != first {
		t.Fatalf("Resolve = %q, %v; want %q", got, err, first)
	}
	_, err = fetcher.Fetch(t.Context(), repo, first)
	must(t, err)
	second := commit(t, repository, map[string]string{"a.txt": long + "two", "dir/b": long})
	tree, err := fetcher.Fetch(t.Context(), repo, second)
	must(t, err)
	if err := fstest.TestFS(tree, "a.txt", "dir/b"); err != nil {
		t.Error(err)
	}
	if data, err := fs.ReadFile(tree, "a.txt"); err != nil || string(data) != long+"two" {
		t.Errorf("a.txt = %q, %v", data, err)
	}
}

func TestCollect(t *testing.T) {
	advertised := packp.NewAdvRefs()
	head := hashOf("head")
	advertised.Head = &head
	advertised.References = map[string]plumbing.Hash{"refs/tags/v1": hashOf("tag"), "refs/heads/main": head, "refs/tags/light": head}
	advertised.Peeled = map[string]plumbing.Hash{"refs/tags/v1": hashOf("commit")}
	var got []string
	for _, r := range collect(advertised) {
		got = append(got, r.name+" "+r.commit.String()[:6])
	}
	short := func(name string) string { return hashOf(name).String()[:6] }
	want := []string{"HEAD " + short("head"), "refs/heads/main " + short("head"), "refs/tags/light " + short("head"), "refs/tags/v1 " + short("commit")}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	refs := collect(advertised)
	for _, tc := range []struct {
		reason string
		want   plumbing.Hash
		as     plumbing.Hash
	}{
		{"a branch is asked for as it is", head, head},
		{"a commit behind an annotated tag is asked for by the tag", hashOf("commit"), hashOf("tag")},
		{"an unknown commit is asked for as it is", hashOf("x"), hashOf("x")},
	} {
		if got := advertisedAs(refs, tc.want); got != tc.as {
			t.Errorf("%s: got %s, want %s", tc.reason, got, tc.as)
		}
	}
}

// TestRequests holds what is asked for against what a server can do.
func TestRequests(t *testing.T) {
	have, want := hashOf("have"), hashOf("want")
	ask := request{want: want, haves: []plumbing.Hash{have}, shallows: []plumbing.Hash{have}}
	for _, tc := range []struct {
		reason, host           string
		shallow                bool
		depth, haves, shallows int
		multiACK               bool
	}{
		{"a common server", "example.com", true, 1, 1, 1, false},
		{"one without depth cannot be told that history is missing", "example.com", false, 0, 0, 0, false},
		{"Azure DevOps wants a capability that allows no commits to build on", "dev.azure.com", true, 1, 0, 0, true},
		{"its older name", "me.visualstudio.com", true, 1, 0, 0, true},
	} {
		advertised := packp.NewAdvRefs()
		advertised.References["refs/heads/main"] = want
		if tc.shallow {
			must(t, advertised.Capabilities.Set(capability.Shallow))
		}
		n := &network{endpoint: transport.Endpoint{Host: tc.host}}
		upload, tips, err := n.compose(ask, advertised)
		must(t, err)
		got := []int{0, len(upload.Haves), len(upload.Shallows)}
		if !upload.Depth.IsZero() {
			got[0] = 1
		}
		if diff := cmp.Diff([]int{tc.depth, tc.haves, tc.shallows}, got); diff != "" || upload.Capabilities.Supports(capability.MultiACK) != tc.multiACK {
			t.Errorf("%s: depth, haves, shallows: %s, capabilities %s", tc.reason, diff, upload.Capabilities)
		}
		if err := upload.Validate(); err != nil || len(tips) != 1 || tips[0].shallow != tc.shallow {
			t.Errorf("%s: %v, %v", tc.reason, tips, err)
		}
	}
}
