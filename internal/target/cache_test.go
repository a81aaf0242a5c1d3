package target_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/render"
	"github.com/tiphys-io/tiphys/internal/source"
	"github.com/tiphys-io/tiphys/internal/source/git"
	"github.com/tiphys-io/tiphys/internal/target"
	"github.com/tiphys-io/tiphys/test/fixture"
)

// reader is a renderer that reads one file of its tree, and does what that says.
type reader struct{ renders *int }

func (r reader) Render(ctx context.Context, req render.Request) ([]*unstructured.Unstructured, error) {
	*r.renders++
	data, err := req.Tree.(source.Tree).ReadFile(req.Source.Path + "/file")
	if err != nil {
		return nil, err
	}
	text := string(data)
	switch {
	case strings.HasPrefix(text, "fail"):
		return nil, errors.New(text)
	case strings.HasPrefix(text, "remote"):
		if _, err := req.Remote.File(ctx, "https://example.com", render.RemoteOptions{}); err != nil {
			return nil, err
		}
	case strings.HasPrefix(text, "cluster"):
		cluster, err := req.Cluster(ctx)
		if err != nil {
			return nil, err
		}
		text += cluster.KubeVersion
	case strings.HasPrefix(text, "reference"):
		if _, err := req.References["vals"].Tree.Open("file"); err != nil {
			return nil, err
		}
	}
	return []*unstructured.Unstructured{{Object: map[string]any{"text": text, "whole": int64(3), "part": 2.5, "none": nil}}}, nil
}

// elsewhere is what a source has fetched.
type elsewhere struct{ render.Remote }

func (elsewhere) File(context.Context, string, render.RemoteOptions) ([]byte, error) {
	return nil, nil
}

// cacheFixture renders folders of commits through a cache.
type cacheFixture struct {
	t        *testing.T
	git      *fixture.Repository
	fetcher  *git.Fetcher
	renderer render.Renderer
	renders  int
}

func newCacheFixture(t *testing.T, sourceType argov1.ApplicationSourceType, limit int64) *cacheFixture {
	t.Helper()
	server, err := fixture.StartGitServer()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	f := &cacheFixture{t: t, git: server.Repository("one")}
	if f.fetcher, err = git.New(git.Options{Dir: t.TempDir()}); err != nil {
		t.Fatal(err)
	}
	f.renderer = target.NewCache(limit).Renderer(sourceType, reader{&f.renders})
	return f
}

// tree is that of a commit of these files.
func (f *cacheFixture) tree(files map[string]string) source.Tree {
	f.t.Helper()
	sha, err := f.git.Commit(files)
	if err != nil {
		f.t.Fatal(err)
	}
	tree, err := f.fetcher.Fetch(f.t.Context(), source.Repository{URL: f.git.FileURL()}, sha)
	if err != nil {
		f.t.Fatal(err)
	}
	return tree
}

// expect renders, and tells when it did so although it need not have, or the other way round.
func (f *cacheFixture) expect(reason string, rendered bool, req render.Request) *unstructured.Unstructured {
	f.t.Helper()
	before := f.renders
	objects, err := f.renderer.Render(f.t.Context(), req)
	if (f.renders > before) != rendered {
		f.t.Errorf("%s: rendered %v", reason, f.renders > before)
	}
	if err != nil || len(objects) != 1 {
		return nil
	}
	return objects[0]
}

func request(tree source.Tree, path, instance string) render.Request {
	return render.Request{
		Tree: tree, Source: argov1.ApplicationSource{RepoURL: "r", Path: path}, Instance: render.Instance{Name: instance}, Remote: elsewhere{},
		Cluster: func(context.Context) (render.Cluster, error) { return render.Cluster{KubeVersion: "1.37"}, nil },
	}
}

func TestCache(t *testing.T) {
	f := newCacheFixture(t, argov1.SourceTypeDirectory, 1<<20)
	tree := f.tree(map[string]string{"a/file": "x", "b/file": "x", "remote/file": "remote", "fail/file": "fail", "cluster/file": "cluster", "reference/file": "reference"})
	first := f.expect("for the first time", true, request(tree, "a", "one"))
	again := f.expect("for the second time", false, request(tree, "a", "one"))
	if diff := gocmp.Diff(first, again); diff != "" {
		t.Errorf("what comes from the cache is another thing (-rendered +kept):\n%s", diff)
	}
	again.Object["text"] = "changed"
	if third := f.expect("for the third time", false, request(tree, "a", "one")); third.Object["text"] != "x" {
		t.Error("who changes an object changes it for all others")
	}
	f.expect("another application, of which the renderer knows nothing", false, request(tree, "a", "two"))
	f.expect("another path", true, request(tree, "b", "one"))

	req := request(f.tree(map[string]string{"a/file": "x", "a/other": "y"}), "a", "one")
	f.expect("another commit with the same file", false, req)
	req.Fresh = true
	f.expect("when somebody insists", true, req)
	f.expect("another content", true, request(f.tree(map[string]string{"a/file": "y"}), "a", "one"))
	f.expect("the first content again", false, request(f.tree(map[string]string{"a/file": "x"}), "a", "one"))
	req = request(tree, "a", "one")
	req.Environment = render.Environment{"ARGOCD_APP_REVISION": "1"}
	f.expect("a variable that the source names", true, req)
	req = request(tree, "a", "one")
	req.Source.Directory = &argov1.ApplicationSourceDirectory{Recurse: true}
	f.expect("another option", true, req)

	f.expect("from elsewhere", true, request(tree, "remote", "one"))
	f.expect("from elsewhere, where it may have changed", true, request(tree, "remote", "one"))
	f.expect("a failure", true, request(tree, "fail", "one"))
	f.expect("a failure may pass", true, request(tree, "fail", "one"))
	f.expect("a cluster", true, request(tree, "cluster", "one"))
	f.expect("the same cluster", false, request(tree, "cluster", "one"))
	upgraded := request(tree, "cluster", "one")
	upgraded.Cluster = func(context.Context) (render.Cluster, error) { return render.Cluster{KubeVersion: "1.38"}, nil }
	if got := f.expect("the cluster is another version", true, upgraded); got.Object["text"] != "cluster1.38" {
		t.Errorf("%v", got.Object)
	}
	for i, tc := range []struct {
		file     string
		rendered bool
	}{{"1", true}, {"1", false}, {"2", true}, {"1", false}} {
		referring := request(tree, "reference", "one")
		referring.References = map[string]render.Reference{"vals": {Tree: f.tree(map[string]string{"file": tc.file})}, "unread": {Tree: f.tree(map[string]string{"file": fmt.Sprint(i)})}}
		f.expect(fmt.Sprint("the file of a reference is ", tc.file, ", step ", i), tc.rendered, referring)
	}
}

func TestCacheOfCharts(t *testing.T) {
	f := newCacheFixture(t, argov1.SourceTypeHelm, 1<<20)
	tree := f.tree(map[string]string{"a/file": "x"})
	f.expect("a chart", true, request(tree, "a", "one"))
	f.expect("another release of it", true, request(tree, "a", "two"))
	f.expect("the first", false, request(tree, "a", "one"))
}

// The budget holds, and what was not used for longest goes first.
func TestCacheHasABudget(t *testing.T) {
	f := newCacheFixture(t, argov1.SourceTypeDirectory, 40_000)
	files := map[string]string{"large/file": strings.Repeat("x", 11_000)}
	for i := range 5 {
		files[fmt.Sprint(i, "/file")] = strings.Repeat("x", 9_000)
	}
	tree := f.tree(files)
	for i := range 4 {
		f.expect("it is new", true, request(tree, fmt.Sprint(i), "one"))
	}
	f.expect("four fit in", false, request(tree, "0", "one"))
	f.expect("a fifth", true, request(tree, "4", "one"))
	f.expect("the one used last is kept", false, request(tree, "0", "one"))
	f.expect("the one not used for longest is gone", true, request(tree, "1", "one"))
	f.expect("one that takes more than a quarter", true, request(tree, "large", "one"))
	f.expect("is not kept", true, request(tree, "large", "one"))
	f.expect("and pushes nothing out", false, request(tree, "0", "one"))

	f = newCacheFixture(t, argov1.SourceTypeDirectory, 1<<20)
	var trees []source.Tree
	for i := range 9 {
		trees = append(trees, f.tree(map[string]string{"a/file": fmt.Sprint(i)}))
		f.expect("another content of one source", true, request(trees[i], "a", "one"))
	}
	f.expect("the latest are kept", false, request(trees[1], "a", "one"))
	f.expect("but not all: each is compared", true, request(trees[0], "a", "one"))
}
