package directory_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/render"
	"github.com/tiphys-io/tiphys/internal/render/directory"
	"github.com/tiphys-io/tiphys/internal/render/manifest"
)

func object(name string) string {
	return fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: %s\n", name)
}

// tree is a file tree in which each file that ends in a YAML or JSON extension holds an object named like it, unless it
// is given a text.
func tree(files ...string) fstest.MapFS {
	made := fstest.MapFS{}
	for _, file := range files {
		name, text, given := strings.Cut(file, "=")
		if !given {
			text = object(strings.ReplaceAll(name, "/", "."))
		}
		made[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return made
}

func link(in fstest.MapFS, name, target string) fstest.MapFS {
	in[name] = &fstest.MapFile{Data: []byte(target), Mode: fs.ModeSymlink | 0o777}
	return in
}

func names(objects []*unstructured.Unstructured) []string {
	var list []string
	for _, o := range objects {
		list = append(list, o.GetName())
	}
	return list
}

func TestRenderChoosesFiles(t *testing.T) {
	all := tree("app/b.yml", "app/a.yaml", "app/c.txt", "app/d", "app/.hidden.yaml", "app/sub/e.yaml", "app/sub/deep/f.yaml", "app/test/g.yaml", "other/h.yaml", "app2/i.yaml",
		`app/j.json={"apiVersion":"v1","kind":"A","metadata":{"name":"app.j.json"}}`)
	for _, tc := range []struct {
		reason, path string
		options      *argov1.ApplicationSourceDirectory
		want         []string
	}{
		{"the folder only, by extension", "app", nil, []string{"app..hidden.yaml", "app.a.yaml", "app.b.yml", "app.j.json"}},
		{"a path may be written in several ways", "./app/", nil, []string{"app..hidden.yaml", "app.a.yaml", "app.b.yml", "app.j.json"}},
		{
			"recurse, in the order of the paths", "app", &argov1.ApplicationSourceDirectory{Recurse: true},
			[]string{"app..hidden.yaml", "app.a.yaml", "app.b.yml", "app.j.json", "app.sub.deep.f.yaml", "app.sub.e.yaml", "app.test.g.yaml"},
		},
		{"include", "app", &argov1.ApplicationSourceDirectory{Include: "*.yaml"}, []string{"app..hidden.yaml", "app.a.yaml"}},
		{"several patterns", "app", &argov1.ApplicationSourceDirectory{Include: "{a,b}.*"}, []string{"app.a.yaml", "app.b.yml"}},
		{"a star crosses folders", "app", &argov1.ApplicationSourceDirectory{Recurse: true, Include: "sub*"}, []string{"app.sub.deep.f.yaml", "app.sub.e.yaml"}},
		{"patterns are about the path below the source's", "app", &argov1.ApplicationSourceDirectory{Recurse: true, Include: "app/*"}, nil},
		{
			"exclude", "app", &argov1.ApplicationSourceDirectory{Recurse: true, Exclude: "{test/*,.*}"},
			[]string{"app.a.yaml", "app.b.yml", "app.j.json", "app.sub.deep.f.yaml", "app.sub.e.yaml"},
		},
		{"exclude wins over include", "app", &argov1.ApplicationSourceDirectory{Recurse: true, Include: "*.yaml", Exclude: "sub/*"}, []string{"app..hidden.yaml", "app.a.yaml", "app.test.g.yaml"}},
		{"include does not add other extensions", "app", &argov1.ApplicationSourceDirectory{Include: "*"}, []string{"app..hidden.yaml", "app.a.yaml", "app.b.yml", "app.j.json"}},
		{
			"every extension", "app", &argov1.ApplicationSourceDirectory{DisableExtensionFilter: true},
			[]string{"app..hidden.yaml", "app.a.yaml", "app.b.yml", "app.c.txt", "app.d", "app.j.json"},
		},
		{"the whole repository", ".", &argov1.ApplicationSourceDirectory{Recurse: true, Include: "{app2,other}/*"}, []string{"app2.i.yaml", "other.h.yaml"}},
		{"no files at all", "app/test", &argov1.ApplicationSourceDirectory{Exclude: "*"}, nil},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			got := rendered(t, all, argov1.ApplicationSource{Path: tc.path, Directory: tc.options})
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func rendered(t *testing.T, in fs.FS, source argov1.ApplicationSource) []string {
	t.Helper()
	objects, err := directory.New(directory.Options{}).Render(t.Context(), render.Request{Source: source, Tree: in})
	if err != nil {
		t.Fatal(err)
	}
	return names(objects)
}

func TestRenderFollowsLinksToFiles(t *testing.T) {
	in := tree("app/a.yaml", "base/b.yaml", "base/sub/c.yaml")
	link(in, "app/linked.yaml", "../base/b.yaml")
	link(in, "app/folder", "../base")
	link(in, "app/folder.yaml", "../base")
	link(in, "app/text.txt", "nowhere")
	got := rendered(t, in, argov1.ApplicationSource{Path: "app", Directory: &argov1.ApplicationSourceDirectory{Recurse: true}})
	if diff := cmp.Diff([]string{"app.a.yaml", "base.b.yaml"}, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestRenderLeavesMarkedFilesOut(t *testing.T) {
	got := rendered(t, tree("app/a.yaml", "app/b.yaml=# +argocd:skip-file-rendering\n"+object("b"), "app/c.jsonnet=// +argocd:skip-file-rendering\n{}",
		"app/d.yaml=# +argocd:skip-file-rendering\nkind: [", "app/e.json={\"+argocd:skip-file-rendering\": 1"), argov1.ApplicationSource{Path: "app"})
	if diff := cmp.Diff([]string{"app.a.yaml"}, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestRenderRefuses(t *testing.T) {
	for _, tc := range []struct {
		reason  string
		tree    fs.FS
		options *argov1.ApplicationSourceDirectory
		want    []string // parts of the text
	}{
		{"a broken file after good ones", tree("app/a.yaml", "app/sub/b.yaml="+object("b")+"---\nkind: [\n"), &argov1.ApplicationSourceDirectory{Recurse: true}, []string{"app/sub/b.yaml: document 2, line 6: "}},
		{"Jsonnet without a renderer", tree("app/a.yaml", "app/b.jsonnet={}"), nil, []string{"app/b.jsonnet", "Jsonnet", "exclude"}},
		{"a pattern that is none", tree("app/a.yaml"), &argov1.ApplicationSourceDirectory{Include: "[a"}, []string{"spec.source.directory.include", `"[a"`}},
		{"another pattern that is none", tree("app/a.yaml"), &argov1.ApplicationSourceDirectory{Exclude: "a]["}, []string{"spec.source.directory.exclude", `"a]["`}},
		{"a link that leads to nothing", link(tree("app/a.yaml"), "app/b.yaml", "nowhere"), nil, []string{"app/b.yaml", "leads to nothing"}},
		{"a folder that cannot be read", tree("other/a.yaml"), nil, []string{"app", fs.ErrNotExist.Error()}},
		{"a folder below that cannot be read", failing{tree("app/a.yaml", "app/sub/b.yaml"), "app/sub"}, &argov1.ApplicationSourceDirectory{Recurse: true}, []string{"app/sub", errBroken.Error()}},
		{"a file that cannot be read", failing{tree("app/a.yaml", "app/b.yaml"), "app/b.yaml"}, nil, []string{"app/b.yaml", errBroken.Error()}},
		{"a file above the limit", sized{tree("app/a.yaml", "app/big.yaml"), 100 << 20}, nil, []string{"app/big.yaml", "104857600 bytes", "reposerver.max.combined.directory.manifests.size"}},
		{"files that are above the limit together", sized{tree("app/a.yaml", "app/b/big.yaml", "app/c/big.yaml"), 6 << 20}, &argov1.ApplicationSourceDirectory{Recurse: true}, []string{"app/c/big.yaml", "manifests of app above the limit of 10485760 bytes"}},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			objects, err := directory.New(directory.Options{}).Render(t.Context(), render.Request{Tree: tc.tree, Source: argov1.ApplicationSource{Path: "app", Directory: tc.options}})
			if err == nil {
				t.Fatalf("%d objects and no error", len(objects))
			}
			for _, part := range tc.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%v, want %q in it", err, part)
				}
			}
			if len(objects) > 0 {
				t.Errorf("%d objects beside an error", len(objects))
			}
		})
	}
}

func TestRenderTakesLargeFilesThatAreNotChosen(t *testing.T) {
	in := sized{tree("app/a.yaml", "app/big.yaml", "app/big.bin"), 100 << 20}
	got := rendered(t, in, argov1.ApplicationSource{Path: "app", Directory: &argov1.ApplicationSourceDirectory{Exclude: "big*"}})
	if diff := cmp.Diff([]string{"app.a.yaml"}, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// TestRenderBoundsTheSumOfAliases has files that are small each, but not once their aliases are written out.
func TestRenderBoundsTheSumOfAliases(t *testing.T) {
	text := object("a") + "t: &t " + strings.Repeat("x", 1000) + "\nu: [" + strings.Repeat("*t,", 99) + "]\n"
	for count, fits := range map[int]bool{9: true, 11: false} {
		in := tree()
		for i := range count {
			in[fmt.Sprintf("app/%02d.yaml", i)] = &fstest.MapFile{Data: []byte(text)}
		}
		objects, err := directory.New(directory.Options{MaxBytes: 1_000_000}).Render(t.Context(), render.Request{Tree: in, Source: argov1.ApplicationSource{Path: "app"}})
		if fits && (err != nil || len(objects) != count) {
			t.Errorf("%d files: %d objects, %v", count, len(objects), err)
		}
		if found, ok := errors.AsType[*manifest.Error](err); !fits && (!ok || found.File != "app/09.yaml") {
			t.Errorf("%d files: %d objects, %v", count, len(objects), err)
		}
	}
}

// TestRenderBoundsTheWalk has trees as a few small Git objects can make them: each folder holds the one below ten times.
func TestRenderBoundsTheWalk(t *testing.T) {
	for _, tc := range []struct {
		reason string
		depth  int
		want   string
	}{
		{"wide", 6, "app has more than 100000 files and folders"},
		{"deep", 1_000_000, "longer than 4096 bytes"},
	} {
		_, err := directory.New(directory.Options{}).Render(t.Context(), render.Request{Tree: newBomb(tc.depth), Source: argov1.ApplicationSource{
			Path: "app", Directory: &argov1.ApplicationSourceDirectory{Recurse: true},
		}})
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v", tc.reason, err)
		}
	}
}

func TestRenderStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	objects, err := directory.New(directory.Options{}).Render(ctx, render.Request{Tree: tree("app/a.yaml"), Source: argov1.ApplicationSource{Path: "app"}})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%d objects, %v", len(objects), err)
	}
}

var errBroken = errors.New("the repository is broken")

// failing is a tree in which one name cannot be read.
type failing struct {
	fstest.MapFS
	name string
}

func (f failing) ReadDir(name string) ([]fs.DirEntry, error) {
	if name == f.name {
		return nil, errBroken
	}
	return f.MapFS.ReadDir(name)
}

func (f failing) ReadFile(name string) ([]byte, error) {
	if name == f.name {
		return nil, errBroken
	}
	return f.MapFS.ReadFile(name)
}

// sized is a tree in which files whose name begins with "big" have a size, and must not be read.
type sized struct {
	fstest.MapFS
	size int64
}

func (s sized) Stat(name string) (fs.FileInfo, error) {
	info, err := s.MapFS.Stat(name)
	if err == nil && strings.HasPrefix(info.Name(), "big") {
		return sizedInfo{info, s.size}, nil
	}
	return info, err
}

func (s sized) ReadFile(name string) ([]byte, error) {
	if strings.Contains(name, "big") {
		return nil, errors.New("a file above the limit was read")
	}
	return s.MapFS.ReadFile(name)
}

type sizedInfo struct {
	fs.FileInfo
	size int64
}

func (s sizedInfo) Size() int64 { return s.size }

// bomb is a tree in which every folder holds ten, down to a depth.
type bomb struct {
	fstest.MapFS
	entries []fs.DirEntry
	depth   int
}

func newBomb(depth int) bomb {
	in := fstest.MapFS{}
	for i := range 10 {
		in[fmt.Sprint(i)] = &fstest.MapFile{Mode: fs.ModeDir | 0o755}
	}
	entries, _ := in.ReadDir(".")
	return bomb{in, entries, depth}
}

func (b bomb) ReadDir(name string) ([]fs.DirEntry, error) {
	if strings.Count(name, "/") >= b.depth {
		return nil, nil
	}
	return b.entries, nil
}
