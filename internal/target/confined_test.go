package target_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/render"
	"github.com/tiphys-io/tiphys/internal/source/connection"
	"github.com/tiphys-io/tiphys/internal/source/folder"
	"github.com/tiphys-io/tiphys/internal/source/git"
	"github.com/tiphys-io/tiphys/internal/source/helmrepo"
	"github.com/tiphys-io/tiphys/internal/target"
	"github.com/tiphys-io/tiphys/internal/tracking"
	"github.com/tiphys-io/tiphys/test/fixture"
)

// canary is the content of files beside the repository, and of the environment. It must be neither in a manifest nor in an
// error.
const canary = "canary-in-the-mine"

// confinedCase is a hostile source. Files whose content begins with "-> " are links. What is rendered must not hold the canary;
// want is part of the error, and empty where something harmless is rendered.
type confinedCase struct {
	reason string
	files  map[string]string
	source argov1.ApplicationSource
	want   string
}

const (
	plainCM   = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"
	escapes   = "symbolic link leads out of the repository"
	plainMeta = "{apiVersion: v2, name: c, version: 1.0.0}"
)

func confinedCases() []confinedCase {
	chart := func(template string, more map[string]string) map[string]string {
		files := map[string]string{"app/Chart.yaml": plainMeta, "app/templates/a.yaml": plainCM + "data:\n  v: " + template + "\n"}
		maps.Copy(files, more)
		return files
	}
	values := func(names ...string) argov1.ApplicationSource {
		return argov1.ApplicationSource{Path: "app", Helm: &argov1.ApplicationSourceHelm{ValueFiles: names}}
	}
	parameter := func(name string) argov1.ApplicationSource {
		return argov1.ApplicationSource{Path: "app", Helm: &argov1.ApplicationSourceHelm{FileParameters: []argov1.HelmFileParameter{{Name: "v", Path: name}}}}
	}
	jsonnet := func(text string, more map[string]string) map[string]string {
		files := map[string]string{"app/a.jsonnet": "{apiVersion: 'v1', kind: 'ConfigMap', metadata: {name: 'a'}, data: {v: " + text + "}}"}
		maps.Copy(files, more)
		return files
	}
	kustomization := func(text string, more map[string]string) map[string]string {
		files := map[string]string{"app/kustomization.yaml": text, "app/a.yaml": plainCM}
		maps.Copy(files, more)
		return files
	}
	app := argov1.ApplicationSource{Path: "app"}
	shown := "{{ .Values.v | default \"nothing\" | quote }}"
	return []confinedCase{
		{"a path above the repository", map[string]string{"app/a.yaml": plainCM}, argov1.ApplicationSource{Path: "../outside"}, "app path outside root"},
		{"a path that climbs in the middle", map[string]string{"app/a.yaml": plainCM}, argov1.ApplicationSource{Path: "app/../../outside"}, "app path outside root"},
		{"an absolute path", map[string]string{"app/a.yaml": plainCM}, argov1.ApplicationSource{Path: "/etc"}, "app path is absolute"},
		{"a path through a link", map[string]string{"link": "-> ../outside"}, argov1.ApplicationSource{Path: "link"}, escapes},
		{"a path through a link to the parent", map[string]string{"link": "-> ..", "a.yaml": plainCM}, argov1.ApplicationSource{Path: "link/outside"}, escapes},

		{"a manifest that is a link", map[string]string{"app/a.yaml": "-> ../../outside/a.yaml"}, app, escapes},
		{"a manifest that is an absolute link", map[string]string{"app/a.yaml": "-> /etc/passwd"}, app, escapes},
		{"a folder that is a link", map[string]string{"app/b": "-> ../../outside", "app/a.yaml": plainCM}, argov1.ApplicationSource{Path: "app", Directory: &argov1.ApplicationSourceDirectory{Recurse: true}}, ""},
		{"a link in a circle", map[string]string{"app/a.yaml": "-> b.yaml", "app/b.yaml": "-> a.yaml"}, app, "too many symbolic links"},

		{"values above the repository", chart(shown, nil), values("../../outside/values.yaml"), "outside repository root"},
		{"values by an absolute name are those of the repository", chart(shown, nil), values("/etc/passwd"), "no such file"},
		{"values of the machine by a URL", chart(shown, nil), values("file:///etc/passwd"), "the URL scheme 'file' is not allowed"},
		{"values that are a link", chart(shown, map[string]string{"app/v.yaml": "-> ../../outside/values.yaml"}), values("v.yaml"), escapes},
		{"values through a linked folder", chart(shown, map[string]string{"app/v": "-> ../../outside"}), values("v/values.yaml"), escapes},
		{"values by a pattern through a linked folder", chart(shown, map[string]string{"app/v": "-> ../../outside"}), values("v/*.yaml"), "v"},
		{"values of this machine over HTTP", chart(shown, nil), values("http://127.0.0.1:1/values.yaml"), "127.0.0.1 is refused"},
		{"values of the cloud's metadata", chart(shown, nil), values("http://169.254.169.254/latest"), "169.254.169.254 is refused"},
		{"values of the API server", chart(shown, nil), values("https://kubernetes.default.svc/api"), "kubernetes.default.svc is refused"},
		{"a file parameter above the repository", chart(shown, nil), parameter("../../outside/a.yaml"), "outside repository root"},
		{"a file parameter that is a link", chart(shown, map[string]string{"app/f": "-> ../../outside/a.yaml"}), parameter("f"), escapes},

		{"a template that is a link", chart("x", map[string]string{"app/templates/b.yaml": "-> ../../../outside/a.yaml"}), app, escapes},
		{"templates through a linked folder", map[string]string{"app/Chart.yaml": plainMeta, "app/templates": "-> ../../outside"}, app, escapes},
		{"a chart that is a link", chart("x", map[string]string{"app/charts/d": "-> ../../../outside"}), app, escapes},
		{"a dependency above the repository", chart("x", map[string]string{"app/Chart.yaml": "{apiVersion: v2, name: c, version: 1.0.0, dependencies: [{name: d, version: 1.x, repository: 'file://../../outside'}]}"}), app, "d"},
		{"a file above the chart", chart(`{{ .Files.Get "../../outside/a.yaml" | quote }}`, nil), app, ""},
		{"files by a pattern", chart(`{{ range $n, $c := .Files.Glob "../**" }}{{ $c | toString | quote }}{{ end }}`, nil), app, ""},
		{"the environment", chart(`{{ env "CANARY" | quote }}`, nil), app, `function "env" not defined`},
		{"the environment, expanded", chart(`{{ expandenv "$CANARY" | quote }}`, nil), app, `function "expandenv" not defined`},
		{"the cluster", chart(`{{ lookup "v1" "Secret" "" "" | toJson | quote }}`, nil), app, ""},
		{"a name server", chart(`{{ getHostByName "localhost" | quote }}`, nil), app, ""},
		{"a schema of the machine", chart("x", map[string]string{"app/values.schema.json": `{"$ref": "file:///etc/passwd"}`}), app, "schema"},

		{"an import above the repository", jsonnet("importstr '../../outside/a.yaml'", nil), app, "a.yaml"},
		{"an absolute import", jsonnet("importstr '/etc/passwd'", nil), app, "passwd"},
		{"an import that is a link", jsonnet("importstr 'l'", map[string]string{"app/l": "-> ../../outside/a.yaml"}), app, escapes},
		{
			"a library above the repository", jsonnet("importstr 'a.yaml'", nil),
			argov1.ApplicationSource{Path: "app", Directory: &argov1.ApplicationSourceDirectory{Jsonnet: argov1.ApplicationSourceJsonnet{Libs: []string{"../outside"}}}},
			"outside",
		},
		{"the environment for Jsonnet", jsonnet("std.extVar('CANARY')", nil), app, "CANARY"},

		{"a resource above the repository", kustomization("resources: [../../outside/a.yaml]", nil), app, "outside of the repository"},
		{"an absolute resource", kustomization("resources: [/etc/passwd]", nil), app, "open /etc/passwd: no such file or directory"},
		{"a resource that is a link", kustomization("resources: [l.yaml]", map[string]string{"app/l.yaml": "-> ../../outside/a.yaml"}), app, escapes},
		{"a base that is a link", kustomization("resources: [b]", map[string]string{"app/b": "-> ../../outside"}), app, escapes},
		{"a file for a generator", kustomization("configMapGenerator: [{name: g, files: [../../outside/a.yaml]}]", nil), app, "no such file or directory"},
		{"a kustomization that is a link", map[string]string{"app/kustomization.yaml": "-> ../../outside/kustomization.yaml"}, app, "unable to find one of"},
		{"a component of the application", kustomization("resources: [a.yaml]", nil), argov1.ApplicationSource{Path: "app", Kustomize: &argov1.ApplicationSourceKustomize{Components: []string{"../../outside"}}}, "outside"},
		{"a program as a generator", kustomization("generators: [g.yaml]", map[string]string{"app/g.yaml": "apiVersion: v1\nkind: X\nmetadata:\n  name: g\n  annotations:\n    config.kubernetes.io/function: |\n      exec: {path: /bin/cat}\n"}), app, "kustomize"},

		{"options of the source that are a link", map[string]string{"app/a.yaml": plainCM, "app/.argocd-source.yaml": "-> ../../outside/values.yaml"}, app, escapes},
	}
}

// TestConfined renders hostile sources from a folder, which has something beside it, and from a Git server.
func TestConfined(t *testing.T) {
	t.Setenv("CANARY", canary)
	guard := &connection.Guard{}
	repositories := open(t, target.Options{Git: git.Options{Guard: guard}, Charts: helmrepo.Options{Guard: guard}})
	server := newGitServer(t)
	for _, tc := range confinedCases() {
		t.Run(tc.reason, func(t *testing.T) {
			tree, err := folder.Open(hostileFolder(t, tc.files))
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = tree.Close() }()
			checkConfined(t, tc, repositories, tree, "a folder")
			repository := server.Repository(strings.ReplaceAll(t.Name(), "/", "-"))
			tc.source.RepoURL = repository.URL()
			tc.source.TargetRevision = commitHostile(t, repository, tc.files)
			checkConfined(t, tc, repositories, nil, "a repository")
		})
	}
}

// hostileFolder makes a folder, beside which is what nobody may read.
func hostileFolder(t *testing.T, files map[string]string) string {
	t.Helper()
	parent := t.TempDir()
	all := map[string]string{
		"outside/a.yaml": plainCM + "data: {v: " + canary + "}\n", "outside/values.yaml": "v: " + canary + "\n", "outside/Chart.yaml": plainMeta,
		"outside/kustomization.yaml": "resources: [a.yaml]\n",
	}
	for name, content := range files {
		all["repository/"+name] = content
	}
	for name, content := range all {
		path := filepath.Join(parent, name)
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
	return filepath.Join(parent, "repository")
}

func commitHostile(t *testing.T, repository *fixture.Repository, files map[string]string) string {
	t.Helper()
	plain, options := map[string]string{}, []fixture.CommitOption{}
	for name, content := range files {
		if link, isLink := strings.CutPrefix(content, "-> "); isLink {
			options = append(options, fixture.WithSymlink(name, link))
			continue
		}
		plain[name] = content
	}
	sha, err := repository.Commit(plain, options...)
	if err != nil {
		t.Fatal(err)
	}
	return sha
}

func checkConfined(t *testing.T, tc confinedCase, repositories *target.Repositories, local fs.FS, from string) {
	t.Helper()
	req := target.Request{
		Sources: []argov1.ApplicationSource{tc.source}, Local: local, Project: "default",
		Rendering: render.Settings{ValueFileSchemes: []string{"https", "http"}, KustomizeBuildOptions: "--load-restrictor LoadRestrictionsNone"},
		Scope: target.Scope{
			Instance: "x", DestinationNamespace: "default", Tracker: tracking.Tracker{Method: tracking.MethodAnnotation},
			Namespaced: func(schema.GroupVersionKind) (bool, bool, error) { return true, true, nil },
			Excluded:   func(string, string) bool { return false },
		},
	}
	state, err := target.Build(t.Context(), repositories, req, []string{tc.source.TargetRevision})
	text := ""
	if err != nil {
		text = err.Error()
	} else {
		data, err := json.Marshal(state)
		if err != nil {
			t.Fatal(err)
		}
		text = string(data)
	}
	if strings.Contains(text, canary) || strings.Contains(text, "root:x:0:0") {
		t.Errorf("%s: what lies outside is told: %s", from, text)
	}
	if (err != nil) != (tc.want != "") || (err != nil && !strings.Contains(text, tc.want)) {
		t.Errorf("%s: %v; want %q", from, err, tc.want)
	}
}

// TestNamesOfFiles renders files with names that a terminal or a line of a log would misread.
func TestNamesOfFiles(t *testing.T) {
	repositories, server := open(t, target.Options{}), newGitServer(t)
	for _, tc := range []struct {
		reason, name, want string
	}{
		{"a line in a name", "a\nb.yaml", ""},
		{"an escape in a name", "a\x1b[2Jb.yaml", ""},
		{"a name that is an option", "--a.yaml", ""},
		{"a name in another script", "ä目.yaml", ""},
		{"a name that is no UTF-8", "a\xffb.yaml", `stat "app/a\xffb.yaml": the name is no UTF-8: rename the file`},
	} {
		repository := server.Repository("names")
		sha := commit(t, repository, map[string]string{"app/" + tc.name: plainCM, "app/z.yaml": strings.Replace(plainCM, "name: a", "name: z", 1)})
		tcCase := confinedCase{source: argov1.ApplicationSource{RepoURL: repository.URL(), Path: "app", TargetRevision: sha}, want: tc.want}
		checkConfined(t, tcCase, repositories, nil, tc.reason)
	}
}
