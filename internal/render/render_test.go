package render_test

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/render"
	"github.com/tiphys-io/tiphys/internal/render/directory"
	"github.com/tiphys-io/tiphys/internal/render/helm"
	"github.com/tiphys-io/tiphys/internal/render/jsonnet"
	"github.com/tiphys-io/tiphys/internal/render/kustomize"
	"github.com/tiphys-io/tiphys/internal/source"
	"github.com/tiphys-io/tiphys/internal/source/git"
	"github.com/tiphys-io/tiphys/test/conformance"
	"github.com/tiphys-io/tiphys/test/fixture"
)

func tree(files ...string) fstest.MapFS {
	made := fstest.MapFS{}
	for _, name := range files {
		made[name] = &fstest.MapFile{}
	}
	return made
}

func TestDetect(t *testing.T) {
	kustomize := &argov1.ApplicationSourceKustomize{}
	helm := &argov1.ApplicationSourceHelm{}
	plain := &argov1.ApplicationSourceDirectory{}
	for _, tc := range []struct {
		reason string
		source argov1.ApplicationSource
		files  []string
		want   argov1.ApplicationSourceType
	}{
		{"what nothing else claims is a directory", argov1.ApplicationSource{Path: "app"}, []string{"app/a.yaml"}, argov1.SourceTypeDirectory},
		{"a chart", argov1.ApplicationSource{Path: "app"}, []string{"app/Chart.yaml"}, argov1.SourceTypeHelm},
		{"kustomization.yaml", argov1.ApplicationSource{Path: "app"}, []string{"app/a.yaml", "app/kustomization.yaml"}, argov1.SourceTypeKustomize},
		{"kustomization.yml", argov1.ApplicationSource{Path: "app"}, []string{"app/kustomization.yml"}, argov1.SourceTypeKustomize},
		{"Kustomization", argov1.ApplicationSource{Path: "app"}, []string{"app/Kustomization"}, argov1.SourceTypeKustomize},
		{"a chart comes before a kustomization (contract 1.2)", argov1.ApplicationSource{Path: "app"}, []string{"app/Chart.yaml", "app/kustomization.yaml"}, argov1.SourceTypeHelm},
		{"other spellings do not count", argov1.ApplicationSource{Path: "app"}, []string{"app/chart.yaml", "app/Kustomization.yaml"}, argov1.SourceTypeDirectory},
		{"a folder does not count", argov1.ApplicationSource{Path: "app"}, []string{"app/Chart.yaml/x", "app/a.yaml"}, argov1.SourceTypeDirectory},
		{"folders above and below do not count", argov1.ApplicationSource{Path: "app"}, []string{"Chart.yaml", "app/sub/Chart.yaml", "app/a.yaml"}, argov1.SourceTypeDirectory},
		{"the root of the repository", argov1.ApplicationSource{Path: "."}, []string{"Chart.yaml"}, argov1.SourceTypeHelm},
		{"the spec comes before the files", argov1.ApplicationSource{Path: "app", Directory: plain}, []string{"app/Chart.yaml"}, argov1.SourceTypeDirectory},
		{"the spec says Kustomize", argov1.ApplicationSource{Path: "app", Kustomize: kustomize}, []string{"app/a.yaml"}, argov1.SourceTypeKustomize},
		{"the spec says Helm", argov1.ApplicationSource{Path: "app", Helm: helm}, []string{"app/a.yaml"}, argov1.SourceTypeHelm},
		{"the spec says plugin", argov1.ApplicationSource{Path: "app", Plugin: &argov1.ApplicationSourcePlugin{}}, []string{"app/a.yaml"}, argov1.SourceTypePlugin},
		{"a chart of a repository of charts", argov1.ApplicationSource{Chart: "redis"}, nil, argov1.SourceTypeHelm},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			got, err := render.Detect(tc.source, tree(tc.files...), render.Settings{})
			if err != nil || got != tc.want {
				t.Errorf("%s, %v; want %s", got, err, tc.want)
			}
		})
	}
}

func TestDetectWithoutTools(t *testing.T) {
	helm, kustomize := render.Settings{WithoutHelm: true}, render.Settings{WithoutKustomize: true}
	for _, tc := range []struct {
		reason   string
		settings render.Settings
		source   argov1.ApplicationSource
		files    []string
		want     argov1.ApplicationSourceType
	}{
		{"a chart without Helm", helm, argov1.ApplicationSource{Path: "app"}, []string{"app/Chart.yaml"}, argov1.SourceTypeDirectory},
		{"a chart that is also a kustomization", helm, argov1.ApplicationSource{Path: "app"}, []string{"app/Chart.yaml", "app/kustomization.yaml"}, argov1.SourceTypeKustomize},
		{"the spec says Helm", helm, argov1.ApplicationSource{Path: "app", Helm: &argov1.ApplicationSourceHelm{}}, []string{"app/a.yaml"}, argov1.SourceTypeDirectory},
		{"a kustomization without Kustomize", kustomize, argov1.ApplicationSource{Path: "app"}, []string{"app/kustomization.yaml"}, argov1.SourceTypeDirectory},
		{"a chart without Kustomize", kustomize, argov1.ApplicationSource{Path: "app"}, []string{"app/Chart.yaml"}, argov1.SourceTypeHelm},
	} {
		if got, err := render.Detect(tc.source, tree(tc.files...), tc.settings); err != nil || got != tc.want {
			t.Errorf("%s: %s, %v; want %s", tc.reason, got, err, tc.want)
		}
	}
}

// capture is a renderer that keeps what it is asked for.
type capture struct{ source *argov1.ApplicationSource }

func (c capture) Render(_ context.Context, req render.Request) ([]*unstructured.Unstructured, error) {
	*c.source = req.Source
	return nil, nil
}

func TestOverrides(t *testing.T) {
	source := argov1.ApplicationSource{
		RepoURL: "https://example.com/r.git", Path: "app", TargetRevision: "main", Ref: "r",
		Helm: &argov1.ApplicationSourceHelm{ReleaseName: "given", ValueFiles: []string{"a.yaml"}, Values: "a: b"},
	}
	const all, one, other = "app/.argocd-source.yaml", "app/.argocd-source-team_app.yaml", "app/.argocd-source-other.yaml"
	for _, tc := range []struct {
		reason string
		files  map[string]string
		want   func(s *argov1.ApplicationSource)
		err    string
	}{
		{"no file", nil, func(*argov1.ApplicationSource) {}, ""},
		{"fields are merged, lists replaced", map[string]string{all: "helm: {valueFiles: [b.yaml, c.yaml], skipCrds: true}"}, func(s *argov1.ApplicationSource) {
			s.Helm.ValueFiles, s.Helm.SkipCrds = []string{"b.yaml", "c.yaml"}, true
		}, ""},
		{"null removes", map[string]string{all: "helm: {values: null}"}, func(s *argov1.ApplicationSource) { s.Helm.Values = "" }, ""},
		{"the file of the application wins", map[string]string{all: "helm: {releaseName: all, values: x}", one: "helm: {releaseName: one}"}, func(s *argov1.ApplicationSource) {
			s.Helm.ReleaseName, s.Helm.Values = "one", "x"
		}, ""},
		{"the file of another application", map[string]string{other: "helm: {releaseName: other}"}, func(*argov1.ApplicationSource) {}, ""},
		{"a file elsewhere", map[string]string{".argocd-source.yaml": "helm: {releaseName: other}"}, func(*argov1.ApplicationSource) {}, ""},
		{
			"what is fetched stays",
			map[string]string{all: "{repoURL: x, path: ../.., targetRevision: x, chart: x, ref: x, name: x, tagPrefix: x, helm: {releaseName: all}}"},
			func(s *argov1.ApplicationSource) { s.Helm.ReleaseName = "all" }, "",
		},
		{"another type is chosen", map[string]string{all: "{helm: null, directory: {recurse: true}}"}, func(s *argov1.ApplicationSource) {
			s.Helm, s.Directory = nil, &argov1.ApplicationSourceDirectory{Recurse: true}
		}, ""},
		{"two types", map[string]string{all: "kustomize: {namePrefix: x}"}, nil, "error getting app source type: multiple application sources defined: Kustomize,Helm"},
		{"no YAML", map[string]string{all: "a: b: c"}, nil, "error getting app source type: error while parsing source parameters: .argocd-source.yaml: "},
		{"no object", map[string]string{one: "[a]"}, nil, "error getting app source type: error while parsing source parameters: .argocd-source-team_app.yaml: "},
		{"a field of another type", map[string]string{all: "helm: text"}, nil, "error while parsing source parameters: .argocd-source.yaml: "},
		{"a large file", map[string]string{all: strings.Repeat("#", 2<<20)}, nil, "more than the limit"},
		{"a bomb", map[string]string{all: "t: &t " + strings.Repeat("x", 100_000) + "\nu: [" + strings.Repeat("*t,", 2000) + "]\n"}, nil, "larger than the limit"},
		{"a plugin", map[string]string{all: "{helm: null, plugin: {name: x}}"}, nil, render.PluginProblem},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			in := tree("app/a.yaml")
			for name, content := range tc.files {
				in[name] = &fstest.MapFile{Data: []byte(content)}
			}
			var got argov1.ApplicationSource
			renderer := capture{&got}
			dispatcher := render.Dispatcher{argov1.SourceTypeHelm: renderer, argov1.SourceTypeDirectory: renderer}
			_, _, err := dispatcher.Render(t.Context(), render.Request{Source: *source.DeepCopy(), Tree: in, Instance: render.Instance{Name: "team_app"}})
			if tc.want == nil {
				if err == nil || !strings.Contains(err.Error(), tc.err) {
					t.Errorf("%v, want %s", err, tc.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			want := source.DeepCopy()
			tc.want(want)
			if diff := cmp.Diff(*want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestReferencesThatAreNotThere(t *testing.T) {
	helm := func(files ...string) *argov1.ApplicationSourceHelm {
		return &argov1.ApplicationSourceHelm{ValueFiles: files}
	}
	two := map[string]render.Reference{"vals": {}, "other": {}, "chart": {Chart: "redis"}}
	for _, tc := range []struct {
		reason     string
		helm       *argov1.ApplicationSourceHelm
		references map[string]render.Reference
		want       string
	}{
		{"a single source has variables only", helm("$nothere/a.yaml"), nil, ""},
		{"one that is there", helm("a.yaml", "$vals/a.yaml"), two, ""},
		{"one that is not", helm("$nothere/a.yaml"), two, `source referenced "$nothere", which is not one of the available sources ($chart, $other, $vals)`},
		{"of a file parameter", &argov1.ApplicationSourceHelm{FileParameters: []argov1.HelmFileParameter{{Path: "$nothere/x"}}}, two, `source referenced "$nothere", which is not one of the available sources ($chart, $other, $vals)`},
		{"none is there", helm("$nothere/a.yaml"), map[string]render.Reference{}, `source referenced "$nothere", but no source has a 'ref' field defined`},
		{"a chart", helm("$chart/a.yaml"), two, "source has a 'chart' field defined, but Helm charts are not yet not supported for 'ref' sources"},
	} {
		var got argov1.ApplicationSource
		req := render.Request{Source: argov1.ApplicationSource{Path: "app", Helm: tc.helm}, Tree: tree("app/a.yaml"), References: tc.references}
		_, _, err := render.Dispatcher{argov1.SourceTypeHelm: capture{&got}}.Render(t.Context(), req)
		if (err == nil) != (tc.want == "") || (err != nil && err.Error() != tc.want) {
			t.Errorf("%s: %v, want %s", tc.reason, err, tc.want)
		}
	}
}

func TestDetectConformance(t *testing.T) {
	var tables struct {
		ExplicitType []struct {
			Source argov1.ApplicationSource
			Type   argov1.ApplicationSourceType
			Error  bool
		}
	}
	conformance.Load(t, &tables, "tables", "sources.yaml")
	if len(tables.ExplicitType) == 0 {
		t.Fatal("no rows")
	}
	for _, row := range tables.ExplicitType {
		got, err := render.Detect(row.Source, tree("a.yaml"), render.Settings{})
		if got != row.Type || (err != nil) != row.Error {
			t.Errorf("%v: %s, %v; want %s", row.Source, got, err, row.Type)
		}
	}
}

var errBroken = errors.New("the repository is broken")

// broken is a tree whose folders can be asked for but not listed.
type broken struct{ fstest.MapFS }

func (broken) ReadDir(string) ([]fs.DirEntry, error) { return nil, errBroken }

func TestDetectTakesNoFailureForAnAnswer(t *testing.T) {
	if got, err := render.Detect(argov1.ApplicationSource{Path: "app"}, broken{tree("app/Chart.yaml")}, render.Settings{}); !errors.Is(err, errBroken) {
		t.Errorf("type %q, %v", got, err)
	}
}

// fake is a renderer that gives one object.
type fake struct{ err error }

func (f fake) Render(_ context.Context, req render.Request) ([]*unstructured.Unstructured, error) {
	object := &unstructured.Unstructured{}
	object.SetName(render.Root(req.Source))
	return []*unstructured.Unstructured{object}, f.err
}

func TestDispatcherRender(t *testing.T) {
	in := tree("app/a.yaml", "chart/Chart.yaml", "file")
	in["link"] = &fstest.MapFile{Data: []byte("app"), Mode: fs.ModeSymlink}
	for _, tc := range []struct {
		reason string
		source argov1.ApplicationSource
		want   string // the name of the object
		err    string // else
	}{
		{"the renderer of the type", argov1.ApplicationSource{Path: "app"}, "app", ""},
		{"a path in another spelling", argov1.ApplicationSource{Path: "./x/../app//"}, "app", ""},
		{"the root", argov1.ApplicationSource{Path: "."}, ".", ""},
		{"the root, unsaid", argov1.ApplicationSource{}, ".", ""},
		{"a link to a folder", argov1.ApplicationSource{Path: "link"}, "link", ""},
		{"a path that is not there", argov1.ApplicationSource{Path: "nowhere"}, "", "nowhere: app path does not exist"},
		{"a path below a file", argov1.ApplicationSource{Path: "file/x"}, "", "file/x: app path does not exist"},
		{"a file", argov1.ApplicationSource{Path: "file"}, "", "file: app path is not a directory"},
		{"an absolute path", argov1.ApplicationSource{Path: "/app"}, "", "/app: app path is absolute"},
		{"a path outside", argov1.ApplicationSource{Path: "../app"}, "", "../app: app path outside root"},
		{"a path that comes from outside", argov1.ApplicationSource{Path: "app/../../app"}, "", "app/../../app: app path outside root"},
		{
			"two types",
			argov1.ApplicationSource{Path: "app", Helm: &argov1.ApplicationSourceHelm{}, Kustomize: &argov1.ApplicationSourceKustomize{}},
			"",
			"error getting app source type: multiple application sources defined: Kustomize,Helm",
		},
		{"a type that nobody renders", argov1.ApplicationSource{Path: "chart"}, "", "chart: sources of type Helm are not rendered by this version: use Helm, Kustomize, Jsonnet, or a directory of plain YAML or JSON"},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			objects, _, err := render.Dispatcher{argov1.SourceTypeDirectory: fake{}}.Render(t.Context(), render.Request{Source: tc.source, Tree: in})
			switch {
			case tc.err != "":
				if err == nil || err.Error() != tc.err || objects != nil {
					t.Errorf("%d objects and error %v", len(objects), err)
				}
			case err != nil || len(objects) != 1 || objects[0].GetName() != tc.want:
				t.Errorf("%d objects and error %v", len(objects), err)
			}
		})
	}
}

func TestDispatcherRenderSaysTheTypeOfWhatFails(t *testing.T) {
	_, sourceType, err := render.Dispatcher{argov1.SourceTypeDirectory: fake{errBroken}}.Render(t.Context(), render.Request{Source: argov1.ApplicationSource{Path: "app"}, Tree: tree("app/a.yaml")})
	if sourceType != argov1.SourceTypeDirectory || !errors.Is(err, errBroken) {
		t.Errorf("type %q, %v", sourceType, err)
	}
}

// TestLinksThatLeaveTheRepositoryAreRefused works on a tree from Git, where such a link can be.
func TestLinksThatLeaveTheRepositoryAreRefused(t *testing.T) {
	server, err := fixture.StartGitServer()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	repository := server.Repository("links")
	sha, err := repository.Commit(map[string]string{
		"app/a.yaml": "apiVersion: v1\nkind: A\nmetadata: {name: a}\n", "inside/b.txt": "",
		"kustomized/kustomization.yaml": "configMapGenerator: [{name: g, files: [passwd]}]", "looped/kustomization.yaml": "resources: [a.yaml]",
		"valued/Chart.yaml": "apiVersion: v2\nname: c\nversion: 1.0.0\n", "valued/templates/a.yaml": "apiVersion: v1\nkind: A\nmetadata: {name: {{ .Values.name }}}\n", "shared/values.yaml": "name: a",
		"helm-link/Chart.yaml": "apiVersion: v2\nname: c\nversion: 1.0.0\n", "helm-names/Chart.yaml": "apiVersion: v2\nname: c\nversion: 1.0.0\n", "helm-names/templates/a\nb.yaml": "apiVersion: v1\nkind: A\nmetadata: {name: a}\n",
		"helm-bytes/Chart.yaml": "apiVersion: v2\nname: c\nversion: 1.0.0\n", "helm-bytes/templates/\xff.yaml": "apiVersion: v1\nkind: A\nmetadata: {name: a}\n",
		"jsonnet-in/a.jsonnet": "import 'l.libsonnet'", "jsonnet-out/a.jsonnet": "importstr 'passwd'", "lib.libsonnet": "{apiVersion: 'v1', kind: 'A', metadata: {name: 'a'}}",
		"linked/kustomization.yaml": "resources: [base]", "based/kustomization.yaml": "resources: [a.yaml]", "based/a.yaml": "apiVersion: v1\nkind: A\nmetadata: {name: a}\n",
	},
		fixture.WithSymlink("escaping/a.yaml", "../../../etc/passwd"), fixture.WithSymlink("absolute/a.yaml", "/etc/passwd"), fixture.WithSymlink("loop/a.yaml", "a.yaml"),
		fixture.WithSymlink("out", "../elsewhere"), fixture.WithSymlink("chart/Chart.yaml", "../../etc/passwd"),
		fixture.WithSymlink("inside/a.yaml", "../app/a.yaml"), fixture.WithSymlink("inside/unused.txt", "/etc/passwd"),
		fixture.WithSymlink("kustomized/passwd", "../../../etc/passwd"), fixture.WithSymlink("looped/a.yaml", "a.yaml"), fixture.WithSymlink("linked/base", "../based"),
		fixture.WithSymlink("valued/values.yaml", "../shared/values.yaml"), fixture.WithSymlink("valued-out/Chart.yaml", "../valued/Chart.yaml"), fixture.WithSymlink("valued-out/out.yaml", "../../etc/passwd"), fixture.WithSymlink("helm-link/templates/a.yaml", "/etc/passwd"),
		fixture.WithSymlink("jsonnet-in/l.libsonnet", "../lib.libsonnet"), fixture.WithSymlink("jsonnet-out/passwd", "../../../etc/passwd"), fixture.WithSymlink("override/.argocd-source.yaml", "/etc/passwd"))
	if err != nil {
		t.Fatal(err)
	}
	fetcher, err := git.New(git.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	in, err := fetcher.Fetch(t.Context(), source.Repository{URL: repository.URL()}, sha)
	if err != nil {
		t.Fatal(err)
	}
	dispatcher := render.Dispatcher{
		argov1.SourceTypeDirectory: directory.New(directory.Options{Jsonnet: jsonnet.New(jsonnet.Options{})}), argov1.SourceTypeKustomize: kustomize.New(kustomize.Options{}),
		argov1.SourceTypeHelm: helm.New(helm.Options{}),
	}
	for _, tc := range []struct {
		path string
		want error
		text string
	}{
		{"escaping", source.ErrLinkEscapes, "escaping/a.yaml"},
		{"absolute", source.ErrLinkEscapes, "absolute/a.yaml"},
		{"loop", source.ErrLinkLoop, "loop/a.yaml"},
		{"out", source.ErrLinkEscapes, "out"},
		{"chart", source.ErrLinkEscapes, "chart/Chart.yaml"},
		{"valued", nil, ""},
		{"valued-out", source.ErrLinkEscapes, "valued-out/out.yaml"},
		{"helm-link", source.ErrLinkEscapes, "helm-link/templates/a.yaml"},
		{"helm-names", nil, ""},
		{"helm-bytes", nil, "helm-bytes/templates/"},
		{"jsonnet-in", nil, ""},
		{"jsonnet-out", source.ErrLinkEscapes, "Failed to evaluate jsonnet"},
		{"override", source.ErrLinkEscapes, ".argocd-source.yaml"},
		{"inside", nil, ""},
		{"kustomized", source.ErrLinkEscapes, "symbolic link leads out of the repository"},
		{"looped", source.ErrLinkLoop, "too many symbolic links"},
		{"linked", nil, ""},
	} {
		objects, _, err := dispatcher.Render(t.Context(), render.Request{Source: argov1.ApplicationSource{Path: tc.path}, Tree: in, Instance: render.Instance{Name: "app"}})
		switch {
		case tc.text == "":
			if err != nil || len(objects) != 1 {
				t.Errorf("%s: %d objects, %v", tc.path, len(objects), err)
			}
		case err == nil, tc.want != nil && !errors.Is(err, tc.want), !strings.Contains(err.Error(), tc.text):
			t.Errorf("%s: %d objects, %v", tc.path, len(objects), err)
		}
	}
}
