package jsonnet_test

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/render"
	"github.com/tiphys-io/tiphys/internal/render/directory"
	"github.com/tiphys-io/tiphys/internal/render/jsonnet"
	"github.com/tiphys-io/tiphys/internal/render/manifest"
)

// files are the content of a repository by path.
type files map[string]string

func request(in files, options argov1.ApplicationSourceJsonnet) render.Request {
	tree := fstest.MapFS{}
	for name, content := range in {
		tree[name] = &fstest.MapFile{Data: []byte(content), Mode: 0o644}
	}
	instance := render.Instance{Name: "app", Namespace: "ns", Project: "default"}
	source := argov1.ApplicationSource{Path: "app", Directory: &argov1.ApplicationSourceDirectory{Jsonnet: options}}
	return render.Request{Source: source, Tree: tree, Instance: instance, Environment: render.NewEnvironment(instance, source, "")}
}

// object is a program that gives a ConfigMap.
func object(name, text string) string {
	return fmt.Sprintf("{ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: '%s' }, data: { text: %s } }", name, text)
}

func TestRenderFile(t *testing.T) {
	text := func(name, value string) argov1.JsonnetVar { return argov1.JsonnetVar{Name: name, Value: value} }
	code := func(name, value string) argov1.JsonnetVar {
		return argov1.JsonnetVar{Name: name, Value: value, Code: true}
	}
	for _, tc := range []struct {
		reason  string
		in      files
		options argov1.ApplicationSourceJsonnet
		want    []string // the texts of the objects
	}{
		{"an object", files{"app/a.jsonnet": object("a", "1 + 1")}, argov1.ApplicationSourceJsonnet{}, []string{"2"}},
		{"a list", files{"app/a.jsonnet": "[" + object("a", "'x'") + "," + object("b", "'y'") + "]"}, argov1.ApplicationSourceJsonnet{}, []string{"x", "y"}},
		{"an empty list", files{"app/a.jsonnet": "[]"}, argov1.ApplicationSourceJsonnet{}, nil},
		{"nothing", files{"app/a.jsonnet": "null"}, argov1.ApplicationSourceJsonnet{}, nil},
		{"a List", files{"app/a.jsonnet": "{apiVersion: 'v1', kind: 'List', items: [" + object("a", "'x'") + "]}"}, argov1.ApplicationSourceJsonnet{}, []string{"x"}},
		{"external variables", files{"app/a.jsonnet": object("a", "std.extVar('s') + std.extVar('c')")}, argov1.ApplicationSourceJsonnet{ExtVars: []argov1.JsonnetVar{text("s", "1+1"), code("c", "1+1")}}, []string{"1+12"}},
		{"arguments", files{"app/a.jsonnet": "function(s, c, d='z') " + object("a", "s + c + d")}, argov1.ApplicationSourceJsonnet{TLAs: []argov1.JsonnetVar{text("s", "1+1"), code("c", "[1,2]")}}, []string{"1+1[1, 2]z"}},
		{"the build environment", files{"app/a.jsonnet": object("a", "std.extVar('s')")}, argov1.ApplicationSourceJsonnet{ExtVars: []argov1.JsonnetVar{text("s", "$ARGOCD_APP_NAME in ${ARGOCD_APP_NAMESPACE}")}}, []string{"app in ns"}},
		{"an import beside the file", files{"app/a.jsonnet": object("a", "(import 'lib/l.libsonnet').v"), "app/lib/l.libsonnet": "import 'm.libsonnet'", "app/lib/m.libsonnet": "{v: 'm'}"}, argov1.ApplicationSourceJsonnet{}, []string{"m"}},
		{"an import from above", files{"app/a.jsonnet": object("a", "importstr '../x.txt'"), "x.txt": "x"}, argov1.ApplicationSourceJsonnet{}, []string{"x"}},
		{"an import from a library", files{"app/a.jsonnet": object("a", "(import 'l.libsonnet').v"), "lib/l.libsonnet": "{v: 'lib'}"}, argov1.ApplicationSourceJsonnet{Libs: []string{"lib"}}, []string{"lib"}},
		{"the last library first", files{"app/a.jsonnet": object("a", "(import 'l.libsonnet').v"), "one/l.libsonnet": "{v: 1}", "two/l.libsonnet": "{v: 2}"}, argov1.ApplicationSourceJsonnet{Libs: []string{"one", "/two"}}, []string{"2"}},
		{"beside the file before libraries", files{"app/a.jsonnet": object("a", "(import 'l.libsonnet').v"), "app/l.libsonnet": "{v: 'own'}", "one/l.libsonnet": "{v: 1}"}, argov1.ApplicationSourceJsonnet{Libs: []string{"one"}}, []string{"own"}},
		{"the source's path, from a folder in it", files{"app/sub/a.jsonnet": object("a", "(import 'l.libsonnet').v"), "app/l.libsonnet": "{v: 'app'}"}, argov1.ApplicationSourceJsonnet{}, []string{"app"}},
		{"beside plain manifests", files{"app/a.jsonnet": object("a", "'x'"), "app/b.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\ndata: {text: plain}"}, argov1.ApplicationSourceJsonnet{}, []string{"x", "plain"}},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			req := request(tc.in, tc.options)
			req.Source.Directory.Recurse = true
			objects, err := directory.New(directory.Options{Jsonnet: jsonnet.New(jsonnet.Options{})}).Render(t.Context(), req)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, o := range objects {
				data, _ := o.Object["data"].(map[string]any)
				got = append(got, fmt.Sprint(data["text"]))
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestErrors(t *testing.T) {
	for _, tc := range []struct {
		reason, program string
		libs            []string
		want            string
	}{
		{"what does not parse", "{", nil, `Failed to evaluate jsonnet "a.jsonnet": <path to cached source>/app/a.jsonnet:1:2 Unexpected: end of file`},
		{"what fails", "error 'say why'", nil, `Failed to evaluate jsonnet "a.jsonnet": RUNTIME ERROR: say why`},
		{"a missing variable", "std.extVar('x')", nil, "Undefined external variable: x"},
		{"an object without a kind", "{a: 1}", nil, "app/a.jsonnet: an object needs apiVersion and kind"},
		{"no object", "1", nil, "app/a.jsonnet: a manifest is an object, this is a number"},
		{"nothing in a list", "[null]", nil, "app/a.jsonnet: a manifest is an object, this is null"},
		{"a missing import", "import 'x'", nil, `couldn't open import "x": no match locally or in the Jsonnet library paths`},
		{"an import of the machine", "importstr '/etc/passwd'", nil, "absolute paths are not imported"},
		{"an import from outside", "importstr '../../etc/passwd'", nil, "leads out of the repository"},
		{"a folder", "importstr 'folder'", nil, "app/folder is a folder"},
		{"a library outside", "{}", []string{"../lib"}, "file '../lib' resolved to outside repository root"},
		{"an import that imports itself", "import 'a.jsonnet'", nil, "Failed to evaluate jsonnet"},
		{"a function without an end", "local f(x) = f(x + 1) + 1; f(0)", nil, "max stack frames exceeded"},
		{"a native function", "std.native('exec')('id')", nil, "Failed to evaluate jsonnet"},
		{"a long text", "error std.repeat('x', 10000)", nil, " ..."},
		{"too much", "[" + object("a", "std.repeat('x', 20000)") + "]", nil, "bytes, more than the 10000 that are left: make less"},
		{"too large imports", "importstr 'big'", nil, "larger than what is read at most"},
	} {
		req := request(files{"app/a.jsonnet": tc.program, "app/folder/x": "", "app/big": strings.Repeat("x", 2_000_000)}, argov1.ApplicationSourceJsonnet{Libs: tc.libs})
		objects, _, err := jsonnet.New(jsonnet.Options{MaxBytes: 1_000_000}).RenderFile(t.Context(), req, "a.jsonnet", 10_000)
		if err == nil || !strings.Contains(err.Error(), tc.want) || len(err.Error()) > 6000 {
			t.Errorf("%s: %v, %.300v", tc.reason, objects, err)
		}
		if _, ok := errors.AsType[*manifest.Error](err); !ok && tc.libs == nil {
			t.Errorf("%s: %v is not about a manifest", tc.reason, err)
		}
	}
}

var errEscapes = errors.New("the link leads out")

// escaping is a tree with a link that leads out of the repository.
type escaping struct {
	fs.FS
	link string
}

func (e escaping) Stat(name string) (fs.FileInfo, error) {
	if name == e.link {
		return nil, errEscapes
	}
	return fs.Stat(e.FS, name)
}

func TestLinksThatLeadOut(t *testing.T) {
	for _, link := range []string{"app/a.jsonnet", "app/l.libsonnet", "lib/l.libsonnet"} {
		in := files{"app/a.jsonnet": "import 'l.libsonnet'", "lib/l.libsonnet": object("a", "1")}
		if link == "app/l.libsonnet" {
			in[link] = ""
		}
		req := request(in, argov1.ApplicationSourceJsonnet{Libs: []string{"lib"}})
		req.Tree = escaping{req.Tree, link}
		if _, _, err := jsonnet.New(jsonnet.Options{}).RenderFile(t.Context(), req, "a.jsonnet", 1000); !errors.Is(err, errEscapes) {
			t.Errorf("%s: %v", link, err)
		}
	}
}

func BenchmarkRenderFile(b *testing.B) {
	req := request(files{"app/a.jsonnet": object("a", "1")}, argov1.ApplicationSourceJsonnet{})
	for b.Loop() {
		if _, _, err := jsonnet.New(jsonnet.Options{}).RenderFile(b.Context(), req, "a.jsonnet", 1000); err != nil {
			b.Fatal(err)
		}
	}
}
