package helm_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/render"
	"github.com/tiphys-io/tiphys/internal/render/helm"
	"github.com/tiphys-io/tiphys/internal/render/manifest"
)

const command = "failed to execute helm template command: failed running helm: `helm template . --name-template app --namespace dest --kube-version 1.37.2 "

func TestErrors(t *testing.T) {
	valueFiles := func(names ...string) *argov1.ApplicationSourceHelm {
		return &argov1.ApplicationSourceHelm{ValueFiles: names}
	}
	cm := func(text string) files {
		return files{"app/Chart.yaml": chartYAML, "app/templates/cm.yaml": text}
	}
	for _, tc := range []struct {
		reason  string
		in      files
		options *argov1.ApplicationSourceHelm
		want    string
	}{
		{
			"a missing file, as recorded", values, &argov1.ApplicationSourceHelm{ValueFiles: []string{"absent.yaml"}, SkipCrds: true},
			command + "--values <path to cached source>/app/absent.yaml <api versions removed> failed exit status 1: Error: open <path to cached source>/app/absent.yaml: no such file or directory",
		},
		{
			"every option of the command", values,
			&argov1.ApplicationSourceHelm{
				ValueFiles: []string{"one.yaml", "/absent.yaml"}, Values: "a: b", SkipTests: true, SkipSchemaValidation: true,
				Parameters:     []argov1.HelmParameter{{Name: "a", Value: "1,2", ForceString: true}, {Name: "b", Value: "x"}},
				FileParameters: []argov1.HelmFileParameter{{Name: "f", Path: "one.yaml"}},
			},
			command + `--set b=x --set-string a=1\,2 --set-file f=<path to cached source>/app/one.yaml --values <path to cached source>/app/one.yaml --values <path to cached source>/absent.yaml --values <path> ` +
				"<api versions removed> --include-crds --skip-schema-validation --skip-tests` failed exit status 1: Error: open <path to cached source>/absent.yaml: no such file or directory",
		},
		{"a pattern without files", values, valueFiles("x/*.yaml"), `error resolving helm value files: error resolving value file path: no file matches "x/*.yaml"`},
		{"a broken pattern", values, valueFiles("x/[.yaml"), `error resolving helm value files: error resolving value file path: "x/[.yaml" is not a valid pattern: syntax error in pattern`},
		{"a file outside", values, valueFiles("../../x.yaml"), "error resolving helm value files: error resolving value file path: file '../../x.yaml' resolved to outside repository root"},
		{"a file outside, from the root", values, valueFiles("/../x.yaml"), "error resolving helm value files: error resolving value file path: file '/../x.yaml' resolved to outside repository root"},
		{"files outside", values, valueFiles("../../*.yaml"), "error resolving helm value files: error resolving value file path: file '../../*.yaml' resolved to outside repository root"},
		{"the repository itself", values, valueFiles(".."), "error resolving helm value files: error resolving value file path: file '..' resolved to outside repository root"},
		{"a file parameter outside", values, &argov1.ApplicationSourceHelm{FileParameters: []argov1.HelmFileParameter{{Name: "a", Path: "../../etc/passwd"}}}, "error resolving helm value file path: error resolving value file path: file '../../etc/passwd' resolved to outside repository root"},
		{"a file of the machine", values, valueFiles("file:///etc/passwd"), "error resolving helm value files: error resolving value file path: the URL scheme 'file' is not allowed"},
		{"a server", values, valueFiles("https://user:hunter2@example.com/x.yaml"), "error resolving helm value files: error resolving value file path: values from example.com are not fetched by this version: copy them into a repository, and name it as a source with a ref"},
		{"a folder", values, valueFiles("envs"), "Error: read <path to cached source>/app/envs: is a directory"},
		{"a link into nothing", with(values, files{"app/l.yaml": "-> nowhere"}), valueFiles("l.yaml"), "Error: open <path to cached source>/app/l.yaml: no such file or directory"},
		{"no chart", files{"app/x": ""}, nil, "Error: Chart.yaml file is missing"},
		{"a chart without a version", files{"app/Chart.yaml": "apiVersion: v2\nname: chart\n"}, nil, "Error: validation: chart.metadata.version is required"},
		{"a library", files{"app/Chart.yaml": chartYAML + "type: library\n"}, nil, "Error: library charts are not installable"},
		{"a chart for another Kubernetes", files{"app/Chart.yaml": chartYAML + "kubeVersion: '>=1.99'\n"}, nil, "Error: chart requires kubeVersion: >=1.99 which is incompatible with Kubernetes v1.37.2\n\nUse --debug flag to render out invalid YAML"},
		{"no version", values, &argov1.ApplicationSourceHelm{KubeVersion: "new"}, `spec.source.helm.kubeVersion "new" is no version such as 1.37.2`},
		{"a name that is too long", values, &argov1.ApplicationSourceHelm{ReleaseName: strings.Repeat("x", 54)}, `Error: release name "` + strings.Repeat("x", 54) + `": invalid release name, must match regex`},
		{"values that are no YAML", with(values, files{"app/bad.yaml": "a: b: c"}), valueFiles("bad.yaml"), "Error: failed to parse <path to cached source>/app/bad.yaml: error converting YAML to JSON: yaml: mapping values are not allowed in this context"},
		{"values that are a list", values, &argov1.ApplicationSourceHelm{Values: "- a"}, "Error: failed to parse <path>: error unmarshaling JSON"},
		{"a parameter without a name", values, &argov1.ApplicationSourceHelm{Parameters: []argov1.HelmParameter{{Name: "a[x]", Value: "b"}}}, "Error: failed parsing --set data: "},
		{
			"a schema, as recorded", with(cm(""), files{"app/values.yaml": "num: word", "app/values.schema.json": `{"type":"object","properties":{"num":{"type":"integer"}}}`}), nil,
			"<api versions removed> --include-crds` failed exit status 1: Error: values don't meet the specifications of the schema(s) in the following chart(s):\nchart:\n- at '/num': got string, want integer",
		},
		{"a template that does not parse", cm("{{ if }}"), nil, "Error: parse error at (chart/templates/cm.yaml:1): missing value for if"},
		{"the environment is no function", cm(`{{ env "HOME" }}`), nil, `Error: parse error at (chart/templates/cm.yaml:1): function "env" not defined`},
		{"nor is its expansion", cm(`{{ expandenv "$HOME" }}`), nil, `Error: parse error at (chart/templates/cm.yaml:1): function "expandenv" not defined`},
		{"a template that fails", cm(`{{ fail "say why" }}`), nil, "Error: execution error at (chart/templates/cm.yaml:1:3): say why\n\nUse --debug flag to render out invalid YAML"},
		{"a value that must be there", cm(`{{ required "say what" .Values.x }}`), nil, "Error: execution error at (chart/templates/cm.yaml:1:3): say what"},
		{
			"a template that goes wrong, with the text of Helm 3", cm(`{{ .Values.a.b.c }}`), nil,
			`Error: template: chart/templates/cm.yaml:1:10: executing "chart/templates/cm.yaml" at <.Values.a.b.c>: nil pointer evaluating interface {}.b` + "\n\nUse --debug flag to render out invalid YAML",
		},
		{
			"a template within a template that goes wrong", cm(`{{ define "x" }}{{ .a.b.c }}{{ end }}{{ include "x" .Values }}`), nil,
			`Error: template: chart/templates/cm.yaml:1:40: executing "chart/templates/cm.yaml" at <include "x" .Values>: error calling include: template: chart/templates/cm.yaml:1:21: executing "x" at <.a.b.c>: nil pointer evaluating interface {}.b`,
		},
		{"templates that call each other without an end", cm(`{{ define "x" }}{{ include "x" . }}{{ end }}{{ include "x" . }}`), nil, " ... "},
		{"a template that makes no YAML", cm("a: b: c"), nil, "Error: YAML parse error on chart/templates/cm.yaml: error converting YAML to JSON: yaml: mapping values are not allowed in this context\n\nUse --debug"},
		{"a template that makes no object", cm("just: values"), nil, "chart/templates/cm.yaml: the template makes something without apiVersion and kind"},
		{"a dependency that is missing", files{"app/Chart.yaml": chartYAML + "dependencies: [{name: redis, version: 1.x, repository: 'https://u:hunter2@example.com'}]\n"}, nil, "missing in charts/ directory: redis: https://example.com: charts of repositories are not fetched by this version: commit redis 1.x to charts/"},
		{"a dependency from nowhere", files{"app/Chart.yaml": chartYAML + "dependencies: [{name: redis, version: 1.x}]\n"}, nil, "An error occurred while checking for chart dependencies. You may need to run `helm dependency build` to fetch missing dependencies: found in Chart.yaml, but missing in charts/ directory: redis"},
		{"a dependency outside", files{"app/Chart.yaml": chartYAML + "dependencies: [{name: x, version: 1.x, repository: 'file://../../x'}]\n"}, nil, "file://../../x: it leads out of the repository"},
		{"a dependency of the machine", files{"app/Chart.yaml": chartYAML + "dependencies: [{name: x, version: 1.x, repository: 'file:///etc'}]\n"}, nil, "file:///etc: it leads out of the repository"},
		{"a dependency in another version", files{"app/Chart.yaml": chartYAML + "dependencies: [{name: sub, version: 2.x, repository: 'file://../sub'}]\n", "sub/Chart.yaml": "apiVersion: v2\nname: sub\nversion: 1.0.0\n"}, nil, "file://../sub: the chart there has another name or version"},
		{"folders in a circle", with(values, files{"app/templates/l": "-> ../templates"}), nil, "folders are nested deeper than 100 levels"},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			_, err := renderChart(t, request(tc.in, tc.options))
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%v\nwant %s", err, tc.want)
			}
			if err != nil && (strings.Contains(err.Error(), "hunter2") || len(err.Error()) > 6000) {
				t.Errorf("a password, or far too much: %v", err)
			}
		})
	}
}

func TestDependencies(t *testing.T) {
	sub := files{"Chart.yaml": "apiVersion: v2\nname: sub\nversion: 0.1.0\n", "values.yaml": "v: default\n", "templates/cm.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Chart.Name }}}\ndata: {v: {{ .Values.v }}}\n"}
	at := func(folder string) files {
		moved := files{}
		for name, content := range sub {
			moved[folder+"/"+name] = content
		}
		return moved
	}
	parent := func(fields string) files {
		return files{"app/Chart.yaml": chartYAML + "dependencies: [{name: sub, version: ~0.1.0" + fields + "}]\n", "app/values.yaml": "sub: {v: parent}\nother: {v: alias}\n"}
	}
	nested := pack(t, with(sub, files{"charts/deep-1.0.0.tgz": string(pack(t, files{"Chart.yaml": "apiVersion: v2\nname: deep\nversion: 1.0.0\n", "templates/cm.yaml": sub["templates/cm.yaml"], "values.yaml": "v: deep"}))}))
	for _, tc := range []struct {
		reason string
		in     files
		want   string
	}{
		{"unpacked", with(parent(""), at("app/charts/sub")), "ConfigMap/sub=parent"},
		{"packed", with(parent(""), files{"app/charts/sub-0.1.0.tgz": string(pack(t, sub))}), "ConfigMap/sub=parent"},
		{"packed within a packed one", with(parent(""), files{"app/charts/sub-0.1.0.tgz": string(nested)}), "ConfigMap/deep=deep ConfigMap/sub=parent"},
		{"that nobody asks for", with(files{"app/Chart.yaml": chartYAML}, at("app/charts/sub")), "ConfigMap/sub=default"},
		{"off by a condition", with(parent(", condition: sub.enabled"), with(at("app/charts/sub"), files{"app/values.yaml": "sub: {enabled: false}"})), ""},
		{"under another name", with(parent(", alias: other"), at("app/charts/sub")), "ConfigMap/other=alias"},
		{"in another folder of the repository", with(parent(", repository: 'file://../lib/sub'"), at("lib/sub")), "ConfigMap/sub=parent"},
		{"in a folder of the chart", with(parent(", repository: 'file://./lib/sub'"), at("app/lib/sub")), "ConfigMap/sub=parent"},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			objects, err := renderChart(t, request(tc.in, nil))
			if err != nil {
				t.Fatal(err)
			}
			var list []string
			for _, object := range objects {
				data, _ := object.Object["data"].(map[string]any)
				list = append(list, fmt.Sprintf("%s/%s=%v", object.GetKind(), object.GetName(), data["v"]))
			}
			if got := strings.Join(list, " "); got != tc.want {
				t.Errorf("%s, want %s", got, tc.want)
			}
		})
	}
}

// pack makes an archive of a chart.
func pack(t *testing.T, content files) []byte {
	t.Helper()
	var headers []*tar.Header
	var bodies []string
	for name, body := range content {
		headers = append(headers, &tar.Header{Name: "chart/" + name, Mode: 0o644, Size: int64(len(body))})
		bodies = append(bodies, body)
	}
	return packEntries(t, headers, bodies)
}

func packEntries(t *testing.T, headers []*tar.Header, bodies []string) []byte {
	t.Helper()
	var b bytes.Buffer
	zipped := gzip.NewWriter(&b)
	writer := tar.NewWriter(zipped)
	for i, header := range headers {
		if err := writer.WriteHeader(header); err != nil {
			t.Fatal(err)
		}
		if _, err := writer.Write([]byte(bodies[i])); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(writer.Close(), zipped.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestArchives(t *testing.T) {
	big := strings.Repeat("x", 3<<20)
	many := func(count int) (headers []*tar.Header, bodies []string) {
		for i := range count {
			headers, bodies = append(headers, &tar.Header{Name: fmt.Sprintf("chart/%d", i), Mode: 0o644}), append(bodies, "")
		}
		return headers, bodies
	}
	bomb := func() []byte {
		inner := []byte(strings.Repeat("x", 1<<20))
		for range 12 {
			inner = pack(t, files{"Chart.yaml": chartYAML, "charts/a.tgz": string(inner), "charts/b.tgz": string(inner)})
		}
		return inner
	}
	manyHeaders, manyBodies := many(200)
	for _, tc := range []struct {
		reason  string
		archive []byte
		want    string
	}{
		{"no archive", []byte("x"), "error unpacking subchart charts/a.tgz: "},
		{"a broken one", pack(t, files{"Chart.yaml": chartYAML})[:50], "error unpacking subchart charts/a.tgz: "},
		{"an empty one", packEntries(t, nil, nil), "the archive has no files"},
		{"a file above the chart", packEntries(t, []*tar.Header{{Name: "chart/../../x", Mode: 0o644}}, []string{""}), "outside of the chart's folder"},
		{"a file beside the chart", packEntries(t, []*tar.Header{{Name: "x", Mode: 0o644}}, []string{""}), "outside of the chart's folder"},
		{"links are left out", packEntries(t, []*tar.Header{{Name: "chart/Chart.yaml", Linkname: "/etc/passwd", Typeflag: tar.TypeSymlink}, {Name: "chart/l", Linkname: "/etc/passwd", Typeflag: tar.TypeLink}}, []string{"", ""}), "the archive has no files"},
		{"a large file", pack(t, files{"Chart.yaml": chartYAML, "x": big}), "larger than what is read at most"},
		{"a file whose header lies", packEntries(t, []*tar.Header{{Name: "chart/x", Mode: 0o644, Size: 3 << 20}}, []string{big}), "larger than what is read at most"},
		{"many files", packEntries(t, manyHeaders, manyBodies), "more files and folders than are read at most"},
		{"archives within archives", bomb(), "error unpacking subchart"},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			req := request(files{"app/Chart.yaml": chartYAML, "app/charts/a.tgz": string(tc.archive)}, nil)
			_, err := helm.New(helm.Options{MaxBytes: 2 << 20, MaxFiles: 100}).Render(t.Context(), req)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%v, want %s", err, tc.want)
			}
		})
	}
}

// TestSchemasReadNothingElse has schemas that refer to a file of the machine and to a server.
func TestSchemasReadNothingElse(t *testing.T) {
	var asked atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		_, _ = w.Write([]byte("{}"))
	}))
	defer server.Close()
	file := filepath.Join(t.TempDir(), "schema.json")
	if err := os.WriteFile(file, []byte(`{"type": "string"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, ref := range []string{server.URL, "file://" + file, file, "../../../../../../" + file, "urn:x"} {
		in := with(show("x"), files{"app/values.schema.json": `{"$ref": "` + ref + `"}`})
		if _, err := renderChart(t, request(in, nil)); err == nil || !strings.Contains(err.Error(), "a schema outside of the chart is not fetched") {
			t.Errorf("%s: %v", ref, err)
		}
	}
	if asked.Load() > 0 {
		t.Error("the server was asked")
	}
}

func TestBombsOfYAML(t *testing.T) {
	var laughs strings.Builder
	laughs.WriteString("a0: &a0 {x: lol}\n")
	for i := 1; i < 30; i++ {
		fmt.Fprintf(&laughs, "a%d: &a%d [*a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d]\n", i, i, i-1, i-1, i-1, i-1, i-1, i-1, i-1, i-1, i-1)
	}
	long := "t: &t " + strings.Repeat("x", 100_000) + "\nu: [" + strings.Repeat("*t,", 2000) + "]\n"
	deep := "a: " + strings.Repeat("[", 5000) + strings.Repeat("]", 5000)
	for reason, bomb := range map[string]string{"aliases of aliases": laughs.String(), "a long text": long, "lists in lists": deep} {
		for where, in := range map[string]files{
			"values of the chart":      with(show("x"), files{"app/values.yaml": bomb}),
			"its description":          with(show("x"), files{"app/Chart.yaml": chartYAML + bomb}),
			"values of a subchart":     with(show("x"), files{"app/charts/sub/Chart.yaml": "apiVersion: v2\nname: sub\nversion: 1.0.0\n", "app/charts/sub/values.yaml": bomb}),
			"a file of values":         with(show("x"), files{"app/more.yaml": bomb}),
			"what a template makes":    {"app/Chart.yaml": chartYAML, "app/templates/x.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n" + bomb},
			"a definition in a folder": {"app/Chart.yaml": chartYAML, "app/crds/x.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n" + bomb},
		} {
			_, err := renderChart(t, request(in, &argov1.ApplicationSourceHelm{ValueFiles: []string{"more.yaml"}, IgnoreMissingValueFiles: true}))
			if err == nil {
				t.Errorf("%s in %s: no error", reason, where)
			}
		}
	}
}

func TestHugeChartsAreRefused(t *testing.T) {
	for reason, in := range map[string]files{
		"a huge file":   with(show("x"), files{"app/big.bin": strings.Repeat("x", 3<<20)}),
		"many files":    with(show("x"), manyFiles("app/f%d")),
		"many folders":  with(show("x"), manyFiles("app/%d/f")),
		"a huge value":  with(show("x"), files{"app/more.yaml": "a: " + strings.Repeat("x", 3<<20)}),
		"many to match": with(show("x"), manyFiles("many/f%d")),
	} {
		req := request(in, &argov1.ApplicationSourceHelm{ValueFiles: []string{"more.yaml", "../many/**"}, IgnoreMissingValueFiles: true})
		if _, err := helm.New(helm.Options{MaxBytes: 2 << 20, MaxFiles: 100}).Render(t.Context(), req); err == nil || !strings.Contains(err.Error(), "move what is no part of the chart elsewhere") {
			t.Errorf("%s: %v", reason, err)
		}
	}
}

func manyFiles(format string) files {
	many := files{}
	for i := range 200 {
		many[fmt.Sprintf(format, i)] = ""
	}
	return many
}

// TestErrorsShowNoTemplates has secrets in values, and templates that quote them.
func TestErrorsShowNoTemplates(t *testing.T) {
	for _, template := range []string{
		`{{ tpl (printf "%s {{ .Values.a.b.c }}" .Values.password) . }}`, `{{ tpl (printf "%s {{ if }}" .Values.password) . }}`,
		`apiVersion: v1
kind: Secret
metadata: {name: x}
data: *{{ .Values.password }}`, `apiVersion: v1
kind: Secret
metadata: {name: x}
data: !!binary {{ .Values.password }}!`, `apiVersion: v1
kind: Secret
metadata: {{ .Values.password }}`, `{{ .Values.password }}`, `- {{ .Values.password }}`,
	} {
		in := files{"app/Chart.yaml": chartYAML, "app/values.yaml": "password: hunter2hunter2", "app/templates/x.yaml": template}
		objects, err := renderChart(t, request(in, nil))
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v %v", template, objects, err)
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
	for _, link := range []string{"app/one.yaml", "app/templates/cm.yaml", "app/envs/a.yaml", "shared/text.txt", "app/envs"} {
		req := request(values, &argov1.ApplicationSourceHelm{
			ValueFiles: []string{"one.yaml", "envs/*.yaml"}, IgnoreMissingValueFiles: true,
			FileParameters: []argov1.HelmFileParameter{{Name: "x", Path: "/shared/text.txt"}},
		})
		req.Tree = escaping{req.Tree, link}
		if _, err := renderChart(t, req); !errors.Is(err, errEscapes) {
			t.Errorf("%s: %v", link, err)
		}
	}
}

func TestWhatTemplatesMakeIsAnErrorOfAManifest(t *testing.T) {
	_, err := renderChart(t, request(files{"app/Chart.yaml": chartYAML, "app/templates/x.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: 1}\n"}, nil))
	if found, ok := errors.AsType[*manifest.Error](err); !ok || found.File != "chart/templates/x.yaml" {
		t.Error(err)
	}
}

func BenchmarkRender(b *testing.B) {
	req := request(values, nil)
	for b.Loop() {
		if _, err := helm.New(helm.Options{}).Render(b.Context(), req); err != nil {
			b.Fatal(err)
		}
	}
}

var _ render.Renderer = helm.New(helm.Options{})
