package helm_test

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/render"
	"github.com/tiphys-io/tiphys/internal/render/helm"
)

// files are the content of a repository by path; what begins with "-> " is a link.
type files map[string]string

func (f files) tree() fstest.MapFS {
	tree := fstest.MapFS{}
	for name, content := range f {
		tree[name] = &fstest.MapFile{Data: []byte(content), Mode: 0o644}
		if target, link := strings.CutPrefix(content, "-> "); link {
			tree[name] = &fstest.MapFile{Data: []byte(target), Mode: fs.ModeSymlink | 0o777}
		}
	}
	return tree
}

func with(base, more files) files {
	all := files{}
	for _, set := range []files{base, more} {
		maps.Copy(all, set)
	}
	return all
}

const chartYAML = "apiVersion: v2\nname: chart\nversion: 1.2.3\nappVersion: '4'\n"

// values is a chart that shows its values, with files around it that hold more.
var values = files{
	"app/Chart.yaml":          chartYAML,
	"app/values.yaml":         "base: base\nfile: base\nother: base\ninline: base\nset: base\n",
	"app/templates/cm.yaml":   "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Release.Name }}}\ndata:\n  values: {{ toJson .Values | quote }}\n",
	"app/templates/NOTES.txt": "hello\n",
	"app/one.yaml":            "file: one\nother: one\n",
	"app/envs/a.yaml":         "file: a\n",
	"app/envs/b.yaml":         "file: b\n",
	"app/envs/deep/c.yaml":    "file: c\ndeep: c\n",
	"app/envs/folder.yaml/x":  "",
	"shared/two.yaml":         "file: two\n",
	"shared/text.txt":         "a, b\nc",
	"app/app-values.yaml":     "file: app\n",
}

func request(in files, options *argov1.ApplicationSourceHelm) render.Request {
	instance := render.Instance{Name: "team_app", Namespace: "dest", Project: "default"}
	source := argov1.ApplicationSource{RepoURL: "https://example.com/r.git", Path: "app", Helm: options}
	return render.Request{
		Source: source, Tree: in.tree(), Instance: instance, Environment: render.NewEnvironment(instance, source, "0123456789"),
		Cluster: func(context.Context) (render.Cluster, error) {
			return render.Cluster{KubeVersion: "v1.37.2-gke.1", APIVersions: []string{"v1", "v1/Pod"}}, nil
		},
	}
}

func renderChart(t *testing.T, req render.Request) ([]*unstructured.Unstructured, error) {
	t.Helper()
	return helm.New(helm.Options{}).Render(t.Context(), req)
}

// data is the data of the one ConfigMap that comes out.
func data(t *testing.T, req render.Request) map[string]string {
	t.Helper()
	objects, err := renderChart(t, req)
	if err != nil {
		t.Fatal(err)
	}
	if len(objects) != 1 {
		t.Fatalf("%d objects", len(objects))
	}
	found, _, err := unstructured.NestedStringMap(objects[0].Object, "data")
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestValues(t *testing.T) {
	base := map[string]any{"base": "base", "file": "base", "other": "base", "inline": "base", "set": "base"}
	for _, tc := range []struct {
		reason  string
		options *argov1.ApplicationSourceHelm
		want    map[string]any // what differs from base
	}{
		{"the values of the chart", nil, nil},
		{"a file", &argov1.ApplicationSourceHelm{ValueFiles: []string{"one.yaml"}}, map[string]any{"file": "one", "other": "one"}},
		{"a later file wins", &argov1.ApplicationSourceHelm{ValueFiles: []string{"one.yaml", "/shared/two.yaml"}}, map[string]any{"file": "two", "other": "one"}},
		{"a file above the chart", &argov1.ApplicationSourceHelm{ValueFiles: []string{"../shared/two.yaml"}}, map[string]any{"file": "two"}},
		{"a pattern, sorted", &argov1.ApplicationSourceHelm{ValueFiles: []string{"envs/*.yaml"}}, map[string]any{"file": "b"}},
		{"a pattern through folders", &argov1.ApplicationSourceHelm{ValueFiles: []string{"envs/**/*.yaml"}}, map[string]any{"file": "c", "deep": "c"}},
		{"a file that is named keeps its place", &argov1.ApplicationSourceHelm{ValueFiles: []string{"envs/b.yaml", "envs/*.yaml"}}, map[string]any{"file": "a"}},
		{"also when it is named later", &argov1.ApplicationSourceHelm{ValueFiles: []string{"envs/*.yaml", "envs/a.yaml"}}, map[string]any{"file": "a"}},
		{"what an earlier pattern found is not repeated", &argov1.ApplicationSourceHelm{ValueFiles: []string{"envs/**/*.yaml", "/shared/two.yaml", "envs/*.yaml"}}, map[string]any{"file": "two", "deep": "c"}},
		{"a variable", &argov1.ApplicationSourceHelm{ValueFiles: []string{"${ARGOCD_APP_SOURCE_PATH}-values.yaml"}}, map[string]any{"file": "app"}},
		{"a missing file that may be missing", &argov1.ApplicationSourceHelm{ValueFiles: []string{"absent.yaml", "absent/*.yaml", "one.yaml"}, IgnoreMissingValueFiles: true}, map[string]any{"file": "one", "other": "one"}},
		{"values beat files", &argov1.ApplicationSourceHelm{ValueFiles: []string{"one.yaml"}, Values: "inline: text\nfile: text\n"}, map[string]any{"file": "text", "other": "one", "inline": "text"}},
		{"an object beats values", &argov1.ApplicationSourceHelm{Values: "inline: text\nset: text", ValuesObject: &runtime.RawExtension{Raw: []byte(`{"inline":"object"}`)}}, map[string]any{"inline": "object"}},
		{"null removes", &argov1.ApplicationSourceHelm{Values: "inline: null"}, map[string]any{"inline": nil}},
		{"a parameter beats values", &argov1.ApplicationSourceHelm{Values: "set: text", Parameters: []argov1.HelmParameter{{Name: "set", Value: "1"}}}, map[string]any{"set": 1.0}},
		{"a parameter that stays a text", &argov1.ApplicationSourceHelm{Parameters: []argov1.HelmParameter{{Name: "set", Value: "1", ForceString: true}}}, map[string]any{"set": "1"}},
		{"the last of several", &argov1.ApplicationSourceHelm{Parameters: []argov1.HelmParameter{{Name: "set", Value: "a"}, {Name: "set", Value: "b"}}}, map[string]any{"set": "b"}},
		{"a path", &argov1.ApplicationSourceHelm{Parameters: []argov1.HelmParameter{{Name: "x.y[1].z", Value: "v"}}}, map[string]any{"x": map[string]any{"y": []any{nil, map[string]any{"z": "v"}}}}},
		{"commas do not separate", &argov1.ApplicationSourceHelm{Parameters: []argov1.HelmParameter{{Name: "set", Value: `a,b=c\,d`}}}, map[string]any{"set": "a,b=c,d"}},
		{"but in a list", &argov1.ApplicationSourceHelm{Parameters: []argov1.HelmParameter{{Name: "set", Value: `{a,b}`}}}, map[string]any{"set": []any{"a", "b"}}},
		{"a variable in a parameter", &argov1.ApplicationSourceHelm{Parameters: []argov1.HelmParameter{{Name: "set", Value: "$ARGOCD_APP_REVISION_SHORT/$ARGOCD_APP_NAME", ForceString: true}}}, map[string]any{"set": "0123456/team_app"}},
		{"a file as a value", &argov1.ApplicationSourceHelm{FileParameters: []argov1.HelmFileParameter{{Name: "set", Path: "../shared/text.txt"}}, Parameters: []argov1.HelmParameter{{Name: "set", Value: "x"}}}, map[string]any{"set": "a, b\nc"}},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			want := maps.Clone(base)
			for key, value := range tc.want {
				if want[key] = value; value == nil {
					delete(want, key)
				}
			}
			var got map[string]any
			if err := json.Unmarshal([]byte(data(t, request(values, tc.options))["values"]), &got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestPatternsTakeThePathOfTheSourceAsItIs(t *testing.T) {
	in := files{"a[1]*/Chart.yaml": chartYAML, "a[1]*/templates/cm.yaml": values["app/templates/cm.yaml"], "a[1]*/v/x.yaml": "x: here", "a1/v/x.yaml": "x: elsewhere"}
	req := request(in, &argov1.ApplicationSourceHelm{ValueFiles: []string{"v/*.yaml"}})
	req.Source.Path = "a[1]*"
	if got := data(t, req)["values"]; got != `{"x":"here"}` {
		t.Error(got)
	}
}

func TestReferences(t *testing.T) {
	other := files{"envs/prod.yaml": "file: prod\n", "envs/a/1.yaml": "file: one\n", "text": "text", "team_app.yaml": "file: variable\n"}.tree()
	for _, tc := range []struct {
		reason, file, want string
	}{
		{"a file of another source", "$vals/envs/prod.yaml", "prod"},
		{"files of another source", "$vals/envs/*/*.yaml", "one"},
		{"a variable behind the reference", "$vals/$ARGOCD_APP_NAME.yaml", "variable"},
		{"one of the own source", "one.yaml", "one"},
	} {
		req := request(values, &argov1.ApplicationSourceHelm{ValueFiles: []string{tc.file}, FileParameters: []argov1.HelmFileParameter{{Name: "set", Path: "$vals/text"}}})
		req.References = map[string]render.Reference{"vals": {Tree: other}}
		var got map[string]any
		if err := json.Unmarshal([]byte(data(t, req)["values"]), &got); err != nil {
			t.Fatal(err)
		}
		if got["file"] != tc.want || got["set"] != "text" {
			t.Errorf("%s: %v", tc.reason, got)
		}
	}
}

// show is a chart of one template that shows a text.
func show(template string) files {
	return files{"app/Chart.yaml": chartYAML, "app/templates/cm.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: cm}\ndata:\n  text: |-\n    " + template + "\n"}
}

func TestRelease(t *testing.T) {
	for _, tc := range []struct {
		reason, template string
		options          *argov1.ApplicationSourceHelm
		want             string
	}{
		{"the name is that of the Application, without its namespace", "{{ .Release.Name }}", nil, "app"},
		{"the name that is given", "{{ .Release.Name }}", &argov1.ApplicationSourceHelm{ReleaseName: "other"}, "other"},
		{"the namespace of the destination", "{{ .Release.Namespace }}", nil, "dest"},
		{"the namespace that is given", "{{ .Release.Namespace }}", &argov1.ApplicationSourceHelm{Namespace: "elsewhere"}, "elsewhere"},
		{"an installation, the first", "{{ .Release.IsInstall }} {{ .Release.IsUpgrade }} {{ .Release.Revision }} {{ .Release.Service }}", nil, "true false 1 Helm"},
		{"the version of the cluster, without what its provider adds", "{{ .Capabilities.KubeVersion.Version }} {{ .Capabilities.KubeVersion }} {{ .Capabilities.KubeVersion.Minor }}", nil, "v1.37.2 v1.37.2 37"},
		{"the version that is given", "{{ .Capabilities.KubeVersion }}", &argov1.ApplicationSourceHelm{KubeVersion: "1.20.3"}, "v1.20.3"},
		{"a version of two parts", "{{ .Capabilities.KubeVersion }}", &argov1.ApplicationSourceHelm{KubeVersion: "1.20"}, "v1.20.0"},
		{"what the cluster serves", `{{ .Capabilities.APIVersions.Has "v1/Pod" }} {{ .Capabilities.APIVersions.Has "example.com/v1" }}`, nil, "true false"},
		{"what is given in its place", `{{ .Capabilities.APIVersions.Has "v1/Pod" }} {{ .Capabilities.APIVersions.Has "example.com/v1" }}`, &argov1.ApplicationSourceHelm{APIVersions: []string{"example.com/v1"}}, "false true"},
		{"a cluster has nothing to look up", `{{ lookup "v1" "Secret" "kube-system" "" | len }}{{ (lookup "v1" "Node" "" "x").metadata }}`, nil, "0"},
		{"there is no name server", `<{{ getHostByName "localhost" }}>`, nil, "<>"},
		{"files of the chart", `{{ .Files.Get "x.txt" }}{{ .Files.Get "../secret" }}`, nil, "x"},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			in := with(show(tc.template), files{"app/x.txt": "x", "secret": "y"})
			if got := data(t, request(in, tc.options))["text"]; got != tc.want {
				t.Errorf("%q, want %q", got, tc.want)
			}
		})
	}
}

func TestClusterIsAskedOnlyWhenItCounts(t *testing.T) {
	req := request(show("x"), &argov1.ApplicationSourceHelm{KubeVersion: "1.20.3", APIVersions: []string{"v1"}})
	failing := errors.New("the cluster does not answer")
	req.Cluster = func(context.Context) (render.Cluster, error) { return render.Cluster{}, failing }
	if _, err := renderChart(t, req); err != nil {
		t.Error(err)
	}
	req.Source.Helm = nil
	if _, err := renderChart(t, req); !errors.Is(err, failing) {
		t.Errorf("a chart must not be rendered for a cluster that nothing is known of: %v", err)
	}
}

func names(objects []*unstructured.Unstructured) string {
	var list []string
	for _, object := range objects {
		list = append(list, object.GetKind()+"/"+object.GetName())
	}
	return strings.Join(list, " ")
}

func TestWhatComesOut(t *testing.T) {
	const crd = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: parts.example.com}\n"
	object := func(kind, name, annotations string) string {
		return "apiVersion: v1\nkind: " + kind + "\nmetadata: {name: " + name + ", annotations: {" + annotations + "}}\n"
	}
	all := files{
		"app/Chart.yaml": chartYAML, "app/crds/crd.yaml": crd, "app/crds/README.md": "no manifest",
		"app/templates/z.yaml":        object("Service", "s", "") + "---\n" + object("ConfigMap", "c", "") + "---\n# nothing\n",
		"app/templates/_helpers.tpl":  "{{ define \"x\" }}x{{ end }}",
		"app/templates/empty.yaml":    "{{ if false }}x{{ end }}\n",
		"app/templates/hooks.yaml":    object("Job", "before", "helm.sh/hook: pre-install") + "---\n" + object("Job", "unknown", "helm.sh/hook: no-such-hook"),
		"app/templates/tests/t.yaml":  object("Pod", "test", "helm.sh/hook: test"),
		"app/templates/list.yaml":     "apiVersion: v1\nkind: List\nitems: [{apiVersion: v1, kind: Secret, metadata: {name: listed}}]\n---\napiVersion: v1\nkind: List\nitems: null\n",
		"app/templates/.hidden.yaml":  object("ConfigMap", "hidden", ""),
		"app/templates/ignored.yaml":  object("ConfigMap", "ignored", ""),
		"app/.helmignore":             "templates/ignored.yaml\n",
		"app/charts/sub/Chart.yaml":   "apiVersion: v2\nname: sub\nversion: 0.1.0\n",
		"app/charts/sub/crds/c.yaml":  strings.ReplaceAll(crd, "parts", "subs"),
		"app/charts/sub/templates/c":  object("ConfigMap", "{{ .Values.name }}", ""),
		"app/charts/sub/values.yaml":  "name: sub",
		"app/charts/_off/Chart.yaml":  "left out",
		"app/templates/linked.yaml":   "-> ../../shared/cm.yaml",
		"shared/cm.yaml":              object("ConfigMap", "linked", ""),
		"app/values.yaml":             "sub: {name: from-parent}",
		"app/templates/crlf.yaml":     strings.ReplaceAll(object("ConfigMap", "crlf", ""), "\n", "\r\n"),
		"app/templates/mark.yaml":     "\xef\xbb\xbf" + object("ConfigMap", "mark", ""),
		"app/templates/NOTES.txt":     "{{ .Release.Name }}",
		"app/templates/sub/NOTES.txt": "not YAML: [",
	}
	for _, tc := range []struct {
		reason  string
		options *argov1.ApplicationSourceHelm
		want    string
	}{
		{
			"definitions, objects as Helm installs them, hooks", nil,
			"CustomResourceDefinition/parts.example.com CustomResourceDefinition/subs.example.com ConfigMap/from-parent ConfigMap/crlf ConfigMap/linked ConfigMap/mark ConfigMap/c Service/s Secret/listed Pod/test Job/before",
		},
		{
			"without definitions and tests", &argov1.ApplicationSourceHelm{SkipCrds: true, SkipTests: true},
			"ConfigMap/from-parent ConfigMap/crlf ConfigMap/linked ConfigMap/mark ConfigMap/c Service/s Secret/listed Job/before",
		},
	} {
		objects, err := renderChart(t, request(all, tc.options))
		if err != nil {
			t.Errorf("%s: %v", tc.reason, err)
		}
		if got := names(objects); got != tc.want {
			t.Errorf("%s:\n%s, want\n%s", tc.reason, got, tc.want)
		}
	}
}
