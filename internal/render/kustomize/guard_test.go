package kustomize

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/kustomize/api/pkg/loader"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/kustomize/kyaml/kio"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/render"
)

// TestEveryPathIsChecked puts a text into each field of a kustomization, and wants to find it among the paths, unless it is
// known that nothing is loaded from the field. A new version of the library with a new field fails here.
func TestEveryPathIsChecked(t *testing.T) {
	const mark = "mark"
	noPath := []string{
		"apiVersion", "kind", "metadata", "namePrefix", "nameSuffix", "namespace", "commonLabels", "labels", "commonAnnotations", "images", "replicas", "vars", "sortOptions",
		"generatorOptions", "buildMetadata",
		"openapi.KEY", // openapi is a map, of which path alone is loaded
		"patches.patch", "patches.target", "patches.options", "patchesJson6902.patch", "patchesJson6902.target", "patchesJson6902.options",
		"replacements.source", "replacements.sourceValue", "replacements.targets",
		"configMapGenerator.name", "configMapGenerator.namespace", "configMapGenerator.behavior", "configMapGenerator.literals", "configMapGenerator.options",
		"secretGenerator.name", "secretGenerator.namespace", "secretGenerator.behavior", "secretGenerator.literals", "secretGenerator.options", "secretGenerator.type",
		"helmGlobals", "helmCharts", "helmChartInflationGenerator", // charts are refused as a whole
		"imageTags",
	}
	for _, leaf := range leaves(reflect.TypeFor[types.Kustomization](), "", 0) {
		if slices.ContainsFunc(noPath, func(known string) bool { return leaf == known || strings.HasPrefix(leaf, known+".") }) {
			continue
		}
		var k types.Kustomization
		set(reflect.ValueOf(&k).Elem(), strings.Split(leaf, "."), mark)
		k.FixKustomization()
		if !slices.ContainsFunc(paths(&k), func(p fieldPath) bool { return p.path == mark }) {
			t.Errorf("nobody checks %s", leaf)
		}
	}
	k := types.Kustomization{OpenAPI: map[string]string{"path": mark}}
	if !slices.ContainsFunc(paths(&k), func(p fieldPath) bool { return p.path == mark }) {
		t.Error("nobody checks openapi.path")
	}
}

// leaves are the names of all fields that hold texts.
func leaves(of reflect.Type, prefix string, depth int) (names []string) {
	switch of.Kind() {
	case reflect.Pointer, reflect.Slice:
		return leaves(of.Elem(), prefix, depth)
	case reflect.Map:
		return leaves(of.Elem(), prefix+".KEY", depth)
	case reflect.String, reflect.Interface:
		return []string{strings.TrimPrefix(prefix, ".")}
	case reflect.Struct:
		for field := range of.Fields() {
			name := fieldName(field)
			if name != "" {
				name = "." + name
			}
			if depth < 8 {
				names = append(names, leaves(field.Type, prefix+name, depth+1)...)
			}
		}
	}
	return names
}

// fieldName is the name in JSON; it is empty for an embedded struct.
func fieldName(field reflect.StructField) string {
	name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
	if name == "" && !field.Anonymous {
		return field.Name
	}
	return name
}

// set puts a text into the field of a name.
func set(value reflect.Value, name []string, text string) bool {
	switch value.Kind() {
	case reflect.Pointer:
		value.Set(reflect.New(value.Type().Elem()))
		return set(value.Elem(), name, text)
	case reflect.Slice:
		value.Set(reflect.MakeSlice(value.Type(), 1, 1))
		return set(value.Index(0), name, text)
	case reflect.String:
		value.SetString(text)
		return len(name) == 0
	case reflect.Struct:
		for i := range value.NumField() {
			switch field := fieldName(value.Type().Field(i)); {
			case field == "" && set(value.Field(i), name, text):
				return true
			case field != "" && len(name) > 0 && field == name[0]:
				return set(value.Field(i), name[1:], text)
			}
		}
	}
	return false
}

func TestIsRemote(t *testing.T) {
	for path, want := range map[string]bool{
		"a.yaml": false, "../base": false, "./a/b": false, "/abs": false, "a b": false, "a@b": true, "a/b@c": false, "github.com.yaml": false, "github.command": false, "x/github.com/y": false,
		"c:/x": false, "httpsx": false, "http": false, "https:": true, "HTTP:x": true, "https://x": true, "git::a": false, "git::github.com/x": true, "GIT::ssh://x": true, "file://x": true, "file:x": false,
		"git@host:x": true, "1@x": false, "github.com:x": true, "GitHub.com/x": true, "": false, "\n": false, "https://x\n": true,
	} {
		if got := isRemote(path); got != want {
			t.Errorf("%q: %v, want %v", path, got, want)
		}
	}
}

// refusing fails a test that uses the network.
type refusing struct{ t testing.TB }

func (r refusing) RoundTrip(req *http.Request) (*http.Response, error) {
	r.t.Errorf("asked for %s", req.URL)
	return nil, errors.New("no network")
}

// offline makes git impossible to find, and has every request of the default client fail the test.
func offline(t testing.TB) {
	t.Setenv("PATH", "")
	before := http.DefaultTransport
	http.DefaultTransport = refusing{t}
	t.Cleanup(func() { http.DefaultTransport = before })
}

// FuzzIsRemote gives the library what isRemote takes for a path in the tree: it neither asks a server nor looks for git.
func FuzzIsRemote(f *testing.F) {
	for _, path := range []string{"a.yaml", "../base", "https://a/b", "github.com/a/b", "git@a:b/c", "git::git::https://a/b.git", "ssh://a/b//c?ref=d", "a//b", "x_git/y", "host:a/b", "file:///a", "GITHUB.com:a/b", " https://a/b", "a:b@c/d"} {
		f.Add(path)
	}
	offline(f)
	f.Fuzz(func(t *testing.T, path string) {
		if isRemote(path) {
			return
		}
		fsys := filesys.MakeFsInMemory()
		if _, err := loader.NewFileLoaderAtCwd(fsys).Load(path); err == nil && path != "" {
			t.Logf("%q is in the tree", path)
		}
		_, err := loader.NewFileLoaderAtCwd(fsys).New(path)
		if err != nil && strings.Contains(err.Error(), "git") && !strings.Contains(path, "git") {
			t.Fatalf("%q: %v", path, err)
		}
		if err != nil && strings.Contains(err.Error(), "no 'git' program on path") {
			t.Fatalf("%q: %v", path, err)
		}
	})
}

// TestParseAsTheLibrary holds the documents found against those that the library finds.
func TestParseAsTheLibrary(t *testing.T) {
	parts := []string{"---\n", "--- # x\n", "---\n---\n", "...\n", "a: b\n", "c: {d: [1, 2]}\n", "# y\n", "\n", "null\n", "kind: A\nmetadata: {name: a}\n", "x: |\n  ---\n  y\n", "---x\n", "- 1\n", "{\"a\": 1}\n", "\"\n---\n\"\n", "%YAML 1.1\n", "--- a\n", "\r", "\r\n"}
	both := 0
	for seed := range uint64(20_000) {
		random := rand.New(rand.NewPCG(seed, 1))
		var text strings.Builder
		for range random.IntN(8) {
			text.WriteString(parts[random.IntN(len(parts))])
		}
		theirs, theirErr := (&kio.ByteReader{Reader: strings.NewReader(text.String()), OmitReaderAnnotations: true, DisableUnwrapping: true}).Read()
		ours, _, err := parse([]byte(text.String()))
		if theirErr != nil {
			continue // then it expands nothing
		}
		if err != nil {
			t.Fatalf("seed %d: %v of %q", seed, err, text.String())
		}
		ours = slices.DeleteFunc(ours, func(n *yaml.Node) bool {
			return n.ShortTag() == yaml.NodeTagNull || len(n.Content) == 0 && n.Kind != yaml.ScalarNode
		})
		theirs = slices.DeleteFunc(theirs, func(n *yaml.RNode) bool { return n.IsNilOrEmpty() })
		if len(theirs) != len(ours) {
			t.Fatalf("seed %d: %d documents, the library finds %d in %q", seed, len(ours), len(theirs), text.String())
		}
		for i := range ours {
			if diff := cmp.Diff(shape(theirs[i].YNode()), shape(ours[i])); diff != "" {
				t.Fatalf("seed %d, document %d of %q:\n%s", seed, i, text.String(), diff)
			}
		}
		both++
	}
	if both < 5000 {
		t.Errorf("only %d texts could be read", both)
	}
}

// shape is a node without its comments and places.
func shape(node *yaml.Node) string {
	text := fmt.Sprintf("%d %s %q", node.Kind, node.Tag, node.Value)
	for _, child := range node.Content {
		text += " (" + shape(child) + ")"
	}
	return text
}

func TestFatalStopperLetsOthersWrite(t *testing.T) {
	var written strings.Builder
	stopper := &fatalStopper{next: &written}
	if _, err := fmt.Fprint(stopper, "a line of somebody"); err != nil || written.String() != "a line of somebody" {
		t.Errorf("%q, %v", written.String(), err)
	}
}

// FuzzRender gives the library any kustomization and any resource: it answers, asks nobody, and the process goes on.
func FuzzRender(f *testing.F) {
	const object = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: cm}\ndata: {a: b}\n"
	for _, kustomization := range []string{
		"resources: [a.yaml]", "resources: [a.yaml]\nnamePrefix: x\nnamespace: y\nlabels: [{pairs: {a: b}, includeSelectors: true}]\ncommonAnnotations: {a: b}",
		"configMapGenerator: [{name: g, files: [a.yaml], literals: [a=b]}]", "resources: [a.yaml]\npatches: [{path: a.yaml}]", "resources: [a.yaml]\ntransformers: [a.yaml]",
		"resources: [a.yaml]\nreplacements: [{source: {kind: ConfigMap, fieldPath: data.a}, targets: [{select: {kind: ConfigMap}, fieldPaths: [data.b], options: {create: true}}]}]",
		"resources: [a.yaml]\nvars: [{name: X, objref: {kind: ConfigMap, name: cm, apiVersion: v1}}]", "crds: [a.yaml]", "configurations: [a.yaml]", "openapi: {path: a.yaml}", "resources: ['https://x']",
		"resources: [a.yaml]\nreplicas: [{name: cm, count: 1}]\nimages: [{name: x, newTag: y}]", "components: [.]", "helmCharts: [{name: x}]", "a: &a [*a]", "resources: [a.yaml]\nbuildMetadata: [originAnnotations, transformerAnnotations, managedByLabel]",
	} {
		f.Add([]byte(kustomization), []byte(object))
		f.Add([]byte(kustomization), []byte("a: &a {b: *a}"))
		f.Add([]byte(kustomization), []byte("a: a {b:&*a}")) // a text that is itself when it is read again
	}
	offline(f)
	r := New(Options{MaxBytes: 1 << 16, MaxObjects: 50})
	f.Fuzz(func(t *testing.T, kustomization, resource []byte) {
		tree := fstest.MapFS{"app/kustomization.yaml": {Data: kustomization}, "app/a.yaml": {Data: resource}}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		objects, err := r.Render(ctx, render.Request{Source: argov1.ApplicationSource{Path: "app", Kustomize: &argov1.ApplicationSourceKustomize{NameSuffix: "-x"}}, Tree: tree})
		if err != nil && len(objects) > 0 || err != nil && err.Error() == "" {
			t.Fatalf("%d objects and error %v", len(objects), err)
		}
		for _, object := range objects {
			if object.GetKind() == "" {
				t.Fatalf("no kind: %v", object)
			}
		}
	})
}
