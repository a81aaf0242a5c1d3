package cli

import (
	"bytes"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/kustomize/kyaml/openapi"
	kyaml "sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/tiphys-io/tiphys/test/fixture"
)

// rendered is what a call of the command gave.
type rendered struct {
	out, warnings, err string
	code               int
}

// runRender calls the command in a folder with files, and links if the content begins with "-> ".
func runRender(t *testing.T, files map[string]string, input string, args ...string) rendered {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, name)
		err := os.MkdirAll(filepath.Dir(path), 0o700)
		if link, isLink := strings.CutPrefix(content, "-> "); isLink {
			err = errors.Join(err, os.Symlink(link, path))
		} else {
			err = errors.Join(err, os.WriteFile(path, []byte(content), 0o600))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
	root := New()
	var out, warnings bytes.Buffer
	root.SetIn(strings.NewReader(input))
	root.SetOut(&out)
	root.SetErr(&warnings)
	root.SetArgs(append([]string{"render"}, args...))
	got := rendered{}
	if err := root.Execute(); err != nil {
		got.err, got.code = err.Error(), ExitCode(err)
	}
	got.out, got.warnings = out.String(), warnings.String()
	return got
}

// oneSource is an Application of one source, given as YAML in one line.
func oneSource(source string) string {
	return `
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: app, namespace: argocd}
spec:
  project: default
  destination: {server: "https://kubernetes.default.svc", namespace: shop}
  source: ` + source + "\n"
}

func configMap(name, rest string) string {
	return "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: " + name + "}\n" + rest
}

// marked is how a ConfigMap of the application is printed.
func marked(name, data string) string {
	return "apiVersion: v1\n" + data + "kind: ConfigMap\nmetadata:\n  annotations:\n    argocd.argoproj.io/tracking-id: app:/ConfigMap:shop/" + name +
		"\n  name: " + name + "\n  namespace: shop\n"
}

const loadError = "ComparisonError: Failed to load target state: failed to generate manifest for source 1 of 1: rpc error: code = Unknown desc = "

func TestRender(t *testing.T) {
	chart := map[string]string{
		"chart/Chart.yaml":              "{apiVersion: v2, name: web, version: 1.0.0}",
		"chart/values.yaml":             "colour: red\n",
		"chart/templates/cm.yaml":       "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Release.Name }}}\ndata: {colour: {{ .Values.colour }}}\n",
		"plain/a.yaml":                  configMap("a", ""),
		"plain/b.yaml":                  "apiVersion: v1\nkind: Namespace\nmetadata: {name: spaces}\n---\n" + configMap("b", ""),
		"overlay/kustomization.yaml":    "resources: [a.yaml, ../base]\nnameSuffix: -x\n",
		"overlay/a.yaml":                configMap("a", ""),
		"base/kustomization.yaml":       "configMapGenerator: [{name: made, literals: [k=v], options: {disableNameSuffixHash: true}}]\n",
		"sonnet/a.jsonnet":              "{apiVersion: 'v1', kind: 'ConfigMap', metadata: {name: std.extVar('name')}}",
		"twice/a.yaml":                  configMap("a", "data: {k: one}\n"),
		"twice/b.yaml":                  configMap("a", "data: {k: two}\n"),
		"own/a.yaml":                    "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: things.example.com}\nspec: {group: example.com, scope: Cluster, names: {kind: Thing}}\n",
		"own/b.yaml":                    "apiVersion: example.com/v1\nkind: Thing\nmetadata: {name: t}\n---\napiVersion: example.com/v1\nkind: Other\nmetadata: {name: o}\n",
		"escape/a.yaml":                 "-> ../../secret.yaml",
		"broken/a.yaml":                 "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n b: c\n",
		"secret/a.yaml":                 "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {k: v}\n",
		"nowhere/a.yaml":                "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n",
		"endless/Chart.yaml":            "{apiVersion: v2, name: endless, version: 1.0.0}",
		"endless/templates/a.yaml":      `{{ define "x" }}{{ template "x" . }}{{ end }}{{ template "x" . }}`,
		"local-values/Chart.yaml":       "{apiVersion: v2, name: remote, version: 1.0.0}",
		"local-values/templates/a.yaml": "",
	}
	files := func(app string) map[string]string {
		all := map[string]string{"app.yaml": app, "secret.yaml": configMap("outside", "")}
		for name, content := range chart {
			all["repo/"+name] = content
		}
		return all
	}
	for _, tc := range []struct {
		reason, source string
		args           []string
		want           rendered
	}{
		{
			"A directory: objects are placed and marked; what lives in no namespace has none.",
			"{repoURL: https://git.example/x, path: plain}",
			nil,
			rendered{out: marked("a", "") + "---\napiVersion: v1\nkind: Namespace\nmetadata:\n  annotations:\n    argocd.argoproj.io/tracking-id: app:/Namespace:shop/spaces\n  name: spaces\n---\n" + marked("b", "")},
		},
		{"A chart is rendered by a process of its own.", "{repoURL: https://git.example/x, path: chart, helm: {parameters: [{name: colour, value: blue}]}}", nil, rendered{out: marked("app", "data:\n  colour: blue\n")}},
		{
			"A kustomization, with what is beside it in the repository.",
			"{repoURL: https://git.example/x, path: overlay}",
			nil,
			rendered{out: marked("a-x", "") + "---\n" + marked("made-x", "data:\n  k: v\n")},
		},
		{"Jsonnet.", "{repoURL: https://git.example/x, path: sonnet, directory: {jsonnet: {extVars: [{name: name, value: $ARGOCD_APP_NAME}]}}}", nil, rendered{out: marked("app", "")}},
		{
			"Of several objects with one key the last counts, with a warning.",
			"{repoURL: https://git.example/x, path: twice}",
			nil,
			rendered{out: marked("a", "data:\n  k: two\n"), warnings: "Warning: RepeatedResourceWarning: Resource /ConfigMap/shop/a appeared 2 times among application resources.\n"},
		},
		{
			"A kind that the manifests define is known, and another one counts as namespaced.",
			"{repoURL: https://git.example/x, path: own}",
			nil,
			rendered{out: "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata:\n  name: things.example.com\nspec:\n  group: example.com\n  names:\n    kind: Thing\n  scope: Cluster\n---\n" +
				"apiVersion: example.com/v1\nkind: Thing\nmetadata:\n  annotations:\n    argocd.argoproj.io/tracking-id: app:example.com/Thing:shop/t\n  name: t\n---\n" +
				"apiVersion: example.com/v1\nkind: Other\nmetadata:\n  annotations:\n    argocd.argoproj.io/tracking-id: app:example.com/Other:shop/o\n  name: o\n  namespace: shop\n"},
		},
		{
			"The path of the source is missing, as the operator says it.",
			"{repoURL: https://git.example/x, path: none}",
			nil,
			rendered{err: loadError + "none: app path does not exist", code: 2},
		},
		{
			"A link that leads out of the folder is refused, although there is something.",
			"{repoURL: https://git.example/x, path: escape}",
			nil,
			rendered{err: loadError + "escape/a.yaml: stat escape/a.yaml: link escape/a.yaml to ../../secret.yaml: symbolic link leads out of the repository", code: 2},
		},
		{
			"So is a path.",
			"{repoURL: https://git.example/x, path: ../repo/plain}",
			nil,
			rendered{err: loadError + "../repo/plain: app path outside root", code: 2},
		},
		{
			"A template without an end ends its process, and not the command.",
			"{repoURL: https://git.example/x, path: endless}",
			nil,
			rendered{err: loadError, code: 2}, // the limit that it meets first depends on how the process was built
		},
		{
			"Values from this machine are refused.",
			"{repoURL: https://git.example/x, path: local-values, helm: {valueFiles: ['http://127.0.0.1:1/v.yaml']}}",
			nil,
			rendered{err: "127.0.0.1 is refused", code: 2},
		},
		{
			"A spec without a source.",
			"{repoURL: https://git.example/x}",
			nil,
			rendered{err: "InvalidSpecError: spec.source.repoURL and either spec.source.path or spec.source.chart are required", code: 2},
		},
		{
			"Somebody gives the folder of the application.",
			"{repoURL: https://git.example/x, path: plain}",
			[]string{"--local", "repo/plain"},
			rendered{err: "it has no folder plain: give the root of the repository, which is ", code: 2},
		},
		{
			"The folder is missing.",
			"{repoURL: https://git.example/x, path: plain}",
			[]string{"--local", "none"},
			rendered{err: "--local: open none: no such file or directory", code: 2},
		},
		{
			"More revisions than sources are a mistake.",
			"{repoURL: https://git.example/x, path: plain}",
			[]string{"--revision", "a", "--revision", "b"},
			rendered{err: "--revision is given 2 times for an Application of 1 sources", code: 2},
		},
		{"A flag that does not exist.", "{repoURL: https://git.example/x, path: plain}", []string{"--loco"}, rendered{err: "unknown flag: --loco", code: 2}},
		{"A file too many.", "{repoURL: https://git.example/x, path: plain}", []string{"other.yaml"}, rendered{err: "accepts 1 arg(s), received 2", code: 2}},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			args := append([]string{"app.yaml", "--local", "repo"}, tc.args...)
			got := runRender(t, files(oneSource(tc.source)), "", args...)
			if tc.want.err != "" && strings.Contains(got.err, tc.want.err) {
				got.err = tc.want.err
			}
			if diff := gocmp.Diff(tc.want, got, gocmp.AllowUnexported(rendered{})); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestRenderSettings(t *testing.T) {
	files := map[string]string{
		"app.yaml":         oneSource("{repoURL: https://git.example/x, path: .}"),
		"repo/a.yaml":      configMap("a", "") + "---\napiVersion: v1\nkind: Secret\nmetadata: {name: s}\n",
		"repo/.git/b.yaml": configMap("of-git", ""),
		"cm.yaml": `
apiVersion: v1
kind: ConfigMap
metadata: {name: argocd-cm}
data:
  application.resourceTrackingMethod: label
  application.instanceLabelKey: example.com/app
  resource.exclusions: "[{kinds: [Secret]}]"
  timeout.reconciliation: often
`,
	}
	got := runRender(t, files, "", "app.yaml", "--local", "repo", "--argocd-cm", "cm.yaml")
	want := rendered{
		out: "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  labels:\n    example.com/app: app\n  name: a\n  namespace: shop\n",
		warnings: "Warning: cm.yaml: argocd-cm: timeout.reconciliation is \"often\": write a duration such as 120s or 3m, or a number of seconds; 0 turns it off\n" +
			"Warning: ExcludedResourceWarning: Resource /Secret s is excluded in the settings\n",
	}
	if diff := gocmp.Diff(want, got, gocmp.AllowUnexported(rendered{})); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// An Application in another namespace is marked with it; unknown fields are told; other objects may stand in the file.
func TestRenderOfStandardInput(t *testing.T) {
	app := strings.Replace(oneSource("{repoURL: https://git.example/x, path: ., pathh: b}"), "namespace: argocd", "namespace: team", 1)
	files := map[string]string{"repo/a.yaml": configMap("a", "")}
	got := runRender(t, files, configMap("other", "")+"---"+app, "-", "--local", "repo")
	want := rendered{
		out:      strings.Replace(marked("a", ""), "app:/", "team_app:/", 1),
		warnings: "Warning: -: unknown field \"spec.source.pathh\", which the API server would leave out\n",
	}
	if diff := gocmp.Diff(want, got, gocmp.AllowUnexported(rendered{})); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	for reason, tc := range map[string]struct {
		app, err string
		args     []string
	}{
		"no Application":              {configMap("a", ""), "-: it holds 0 Applications (apiVersion: argoproj.io/v1alpha1, kind: Application): give a file with one", nil},
		"several":                     {app + "---" + app, "-: it holds 2 Applications (apiVersion: argoproj.io/v1alpha1, kind: Application): give a file with one", nil},
		"a field of another type":     {strings.Replace(app, "path: .", "path: 1", 1), "-: the Application app: cannot convert int64 to string", nil},
		"without a name":              {strings.Replace(app, "name: app, ", "", 1), "-: the Application has no metadata.name", nil},
		"of another version":          {strings.Replace(app, "v1alpha1", "v2", 1), "-: an Application has the apiVersion argoproj.io/v1alpha1, and not argoproj.io/v2", nil},
		"standard input for two uses": {app, "only one file can be the standard input", []string{"--repo-secrets", "-"}},
	} {
		got := runRender(t, files, tc.app, append([]string{"-", "--local", "repo"}, tc.args...)...)
		if got.err != tc.err || got.code != 2 || got.out != "" {
			t.Errorf("%s: %+v; want the error %s", reason, got, tc.err)
		}
	}
}

// Several sources come from their repositories, the first perhaps from a folder; values of one serve the chart of another.
func TestRenderOfRepositories(t *testing.T) {
	server, err := fixture.StartGitServer()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	values, charts := server.Repository("values"), server.Repository("charts")
	commit := func(r *fixture.Repository, files map[string]string, options ...fixture.CommitOption) string {
		t.Helper()
		sha, err := r.Commit(files, options...)
		if err != nil {
			t.Fatal(err)
		}
		return sha
	}
	old := commit(values, map[string]string{"prod.yaml": "colour: old\n", "cm.yaml": configMap("cm", "")})
	commit(values, map[string]string{"prod.yaml": "colour: new\n", "cm.yaml": configMap("cm", "")})
	commit(charts, map[string]string{
		"web/Chart.yaml":        "{apiVersion: v2, name: web, version: 1.0.0}",
		"web/templates/cm.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {colour: {{ .Values.colour }}}\n",
	})
	app := strings.Replace(oneSource(""), "source: ", `sources:
  - {repoURL: `+values.URL()+`, ref: values}
  - {repoURL: `+charts.URL()+`, path: web, targetRevision: main, helm: {valueFiles: [$values/prod.yaml]}}`, 1)
	files := map[string]string{"app.yaml": app, "here/prod.yaml": "colour: here\n"}
	for _, tc := range []struct {
		reason, colour string
		args           []string
	}{
		{"The revisions of the spec.", "new", nil},
		{"Another revision of the first source.", "old", []string{"--revision", old}},
		{"An empty one is that of the spec, of the first source as of the second.", "new", []string{"--revision", "", "--revision", "main"}},
		{"The first source from a folder.", "here", []string{"--local", "here"}},
	} {
		got := runRender(t, files, "", append([]string{"app.yaml"}, tc.args...)...)
		if want := (rendered{out: marked("web", "data:\n  colour: "+tc.colour+"\n")}); got != want {
			t.Errorf("%s: %+v, want %+v", tc.reason, got, want)
		}
	}
	got := runRender(t, files, "", "app.yaml", "--revision", "none")
	if want := "ComparisonError: Failed to load target state: failed to generate manifest for source 1 of 2: rpc error: code = Unknown desc = unable to resolve 'none' to a commit SHA: revision not found"; got.err != want || got.code != 2 {
		t.Errorf("%+v, want %s", got, want)
	}
}

// Secrets of repositories are used as in the cluster, and do not show in an error.
func TestRenderOfAPrivateRepository(t *testing.T) {
	server, err := fixture.StartGitServer()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	server.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if user, password, _ := r.BasicAuth(); user == "robot" && password == "hunter2" {
			return false
		}
		w.Header().Set("WWW-Authenticate", "Basic")
		w.WriteHeader(http.StatusUnauthorized)
		return true
	})
	if _, err := server.Repository("private").Commit(map[string]string{"a/cm.yaml": configMap("a", "")}); err != nil {
		t.Fatal(err)
	}
	secrets := `
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: Secret
  metadata: {name: broken, labels: {argocd.argoproj.io/secret-type: repository}}
  stringData: {type: git}
- apiVersion: v1
  kind: Secret
  metadata: {name: creds, labels: {argocd.argoproj.io/secret-type: repo-creds}}
  data: {username: cm9ib3Q=}
  stringData: {url: "` + server.URL() + `", password: PASSWORD}
`
	files := map[string]string{
		"app.yaml":    oneSource("{repoURL: " + server.Repository("private").URL() + ", path: a}"),
		"right.yaml":  strings.Replace(secrets, "PASSWORD", "hunter2", 1),
		"wrong.yaml":  strings.Replace(secrets, "PASSWORD", "hunter3", 1),
		"number.yaml": strings.Replace(secrets, "cm9ib3Q=", "hunter4", 1),
	}
	if got, want := runRender(t, files, "", "app.yaml", "--repo-secrets", "right.yaml"), (rendered{out: marked("a", "")}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	for reason, tc := range map[string]struct{ file, says string }{
		"nobody's credentials": {"", "credentials"}, "a wrong password": {"wrong.yaml", "does not accept the credentials of Secret /creds"}, "no base64": {"number.yaml", "Secret creds cannot be read"},
	} {
		got := runRender(t, files, "", "app.yaml", "--repo-secrets", tc.file)
		if got.code != 2 || !strings.Contains(got.err, tc.says) || strings.Contains(got.err, "hunter") || got.out != "" {
			t.Errorf("%s: %+v, want an error that says %q", reason, got, tc.says)
		}
	}
}

// Nothing of a repository stays on the disk.
func TestRenderCleansUp(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	got := runRender(t, map[string]string{"app.yaml": oneSource("{repoURL: 'https://git.example/x', path: .}"), "repo/a.yaml": configMap("a", "")}, "", "app.yaml", "--local", "repo")
	left, err := filepath.Glob(filepath.Join(os.Getenv("TMPDIR"), "tiphys-*"))
	if got.err != "" || err != nil || len(left) > 0 {
		t.Errorf("%+v leaves %v, %v", got, left, err)
	}
}

// The scopes of Kubernetes' own kinds are those of its API description.
func TestScopes(t *testing.T) {
	known, compared := newScopes(), 0
	for gvk := range clientgoscheme.Scheme.AllKnownTypes() {
		apiVersion, kind := gvk.ToAPIVersionAndKind()
		want, found := openapi.IsNamespaceScoped(kyaml.TypeMeta{APIVersion: apiVersion, Kind: kind})
		if !found || strings.HasSuffix(kind, "Options") { // of a request, and no object
			continue
		}
		compared++
		if got, isKnown, err := known.namespaced(gvk); err != nil || !isKnown || got != want {
			t.Errorf("%s: namespaced %v, known %v, %v; want %v", gvk, got, isKnown, err, want)
		}
	}
	if compared < 50 {
		t.Errorf("only %d kinds were compared", compared)
	}
	if kinds := clusterKinds["networking.k8s.io"]; !slices.Contains(kinds, "ServiceCIDR") {
		t.Errorf("kinds newer than that description are missing: %v", kinds)
	}
}
