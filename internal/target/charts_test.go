package target_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/render"
	"github.com/tiphys-io/tiphys/internal/render/helm"
	"github.com/tiphys-io/tiphys/internal/source/helmrepo"
	"github.com/tiphys-io/tiphys/internal/target"
	"github.com/tiphys-io/tiphys/internal/tracking"
)

// packed is a chart with a template, as repositories serve it.
func packed(t *testing.T, metadata, template string) []byte {
	t.Helper()
	var data bytes.Buffer
	zipped := gzip.NewWriter(&data)
	out := tar.NewWriter(zipped)
	var failed error
	for _, file := range [][2]string{{"app/Chart.yaml", metadata}, {"app/templates/a.yaml", template}} {
		failed = errors.Join(failed, out.WriteHeader(&tar.Header{Name: file[0], Mode: 0o644, Size: int64(len(file[1]))}))
		_, err := out.Write([]byte(file[1]))
		failed = errors.Join(failed, err)
	}
	if err := errors.Join(failed, out.Close(), zipped.Close()); err != nil {
		t.Fatal(err)
	}
	return data.Bytes()
}

// TestCharts renders a chart of a repository, with a dependency and a file with values that come from there too.
func TestCharts(t *testing.T) {
	files := map[string][]byte{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if files[r.URL.Path] == nil {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		_, _ = w.Write(files[r.URL.Path])
	}))
	t.Cleanup(server.Close)
	object := "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Chart.Name }}-{{ .Values.suffix | default \"none\" }}}\n"
	files["/index.yaml"] = []byte("entries: {app: [{version: 1.0.0, urls: [a.tgz]}, {version: 1.1.0, urls: [b.tgz]}], dep: [{version: 2.3.4, urls: [dep.tgz]}]}")
	files["/b.tgz"] = packed(t, "apiVersion: v2\nname: app\nversion: 1.1.0\ndependencies: [{name: dep, version: 2.x, repository: \""+server.URL+"\"}]\n", object)
	files["/dep.tgz"] = packed(t, "apiVersion: v2\nname: dep\nversion: 2.3.4\n", object)
	files["/values.yaml"] = []byte("suffix: remote\n")

	rendering := &target.Repositories{
		Charts:   helmrepo.New(helmrepo.Options{}),
		Renderer: render.Dispatcher{argov1.SourceTypeHelm: helm.New(helm.Options{})},
	}
	req := target.Request{
		Sources: []argov1.ApplicationSource{{
			RepoURL: server.URL, Chart: "app", TargetRevision: "1.*", Helm: &argov1.ApplicationSourceHelm{ValueFiles: []string{server.URL + "/values.yaml"}},
		}},
		Project: "default",
		Scope: target.Scope{
			Instance: "x", DestinationNamespace: "default", Tracker: tracking.Tracker{Method: tracking.MethodAnnotation},
			Namespaced: func(schema.GroupVersionKind) (bool, bool, error) { return true, true, nil },
			Excluded:   func(string, string) bool { return false },
		},
	}
	revisions, err := target.Resolve(t.Context(), rendering, req)
	if err != nil || !slices.Equal(revisions, []string{"1.1.0"}) {
		t.Fatalf("revisions %v, %v; want the version of the chart", revisions, err)
	}
	state, err := target.Build(t.Context(), rendering, req, revisions)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, o := range state.Objects {
		names = append(names, o.Key.Name)
	}
	slices.Sort(names)
	if !slices.Equal(names, []string{"app-remote", "dep-none"}) || state.Types[0] != argov1.SourceTypeHelm {
		t.Errorf("objects %v of type %v", names, state.Types)
	}
	if _, err := target.Resolve(t.Context(), &target.Repositories{}, req); err == nil {
		t.Error("a chart is resolved without anything that reads charts")
	}
}
