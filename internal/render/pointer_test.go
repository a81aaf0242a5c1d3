package render_test

import (
	"strings"
	"testing"
	"testing/fstest"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/render"
	"github.com/tiphys-io/tiphys/internal/render/directory"
	"github.com/tiphys-io/tiphys/internal/render/helm"
	"github.com/tiphys-io/tiphys/internal/render/jsonnet"
	"github.com/tiphys-io/tiphys/internal/render/kustomize"
)

// TestPointersOfLFS puts a pointer to Git LFS in every place that a render reads, and where nothing reads it.
func TestPointersOfLFS(t *testing.T) {
	const pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n"
	const cm = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"
	dispatcher := render.Dispatcher{
		argov1.SourceTypeDirectory: directory.New(directory.Options{Jsonnet: jsonnet.New(jsonnet.Options{})}),
		argov1.SourceTypeHelm:      helm.New(helm.Options{}),
		argov1.SourceTypeKustomize: kustomize.New(kustomize.Options{}),
	}
	chart := "{apiVersion: v2, name: c, version: 1.0.0}"
	for _, tc := range []struct {
		reason string
		files  map[string]string
		source argov1.ApplicationSource
		names  string // the file that the error names; empty for none
	}{
		{"a manifest", map[string]string{"app/a.yaml": pointer}, argov1.ApplicationSource{}, "app/a.yaml"},
		{"a file that is no manifest", map[string]string{"app/a.yaml": cm, "app/logo.png": pointer}, argov1.ApplicationSource{}, ""},
		{"Jsonnet", map[string]string{"app/a.jsonnet": "import 'b.libsonnet'", "app/b.libsonnet": pointer}, argov1.ApplicationSource{}, "app/b.libsonnet"},
		{"a resource", map[string]string{"app/kustomization.yaml": "resources: [a.yaml]", "app/a.yaml": pointer}, argov1.ApplicationSource{}, "app/a.yaml"},
		{"a file for a ConfigMap", map[string]string{"app/kustomization.yaml": "configMapGenerator: [{name: g, files: [a.bin]}]", "app/a.bin": pointer}, argov1.ApplicationSource{}, "app/a.bin"},
		{"a template", map[string]string{"app/Chart.yaml": chart, "app/templates/a.yaml": pointer}, argov1.ApplicationSource{}, "app/templates/a.yaml"},
		{"a packed chart", map[string]string{"app/Chart.yaml": chart, "app/charts/d-1.0.0.tgz": pointer}, argov1.ApplicationSource{}, "app/charts/d-1.0.0.tgz"},
		{"a chart's values", map[string]string{"app/Chart.yaml": chart, "app/values.yaml": pointer}, argov1.ApplicationSource{}, "app/values.yaml"},
		{
			"values",
			map[string]string{"app/Chart.yaml": chart, "app/prod.yaml": pointer},
			argov1.ApplicationSource{Helm: &argov1.ApplicationSourceHelm{ValueFiles: []string{"prod.yaml"}}},
			"app/prod.yaml",
		},
		{
			"a parameter",
			map[string]string{"app/Chart.yaml": chart, "app/cert.pem": pointer},
			argov1.ApplicationSource{Helm: &argov1.ApplicationSourceHelm{FileParameters: []argov1.HelmFileParameter{{Name: "cert", Path: "cert.pem"}}}},
			"app/cert.pem",
		},
		{
			"a file that a template uses",
			map[string]string{"app/Chart.yaml": chart, "app/f.bin": pointer, "app/templates/a.yaml": cm + "data:\n  f: {{ .Files.Get \"f.bin\" | quote }}\n"},
			argov1.ApplicationSource{},
			"c/templates/a.yaml",
		},
		{"files of a chart that nothing uses", map[string]string{"app/Chart.yaml": chart, "app/logo.png": pointer, "app/charts/d/Chart.yaml": chart, "app/charts/d/docs/x.png": pointer, "app/templates/a.yaml": cm}, argov1.ApplicationSource{}, ""},
		{"options of the source", map[string]string{"app/a.yaml": cm, "app/.argocd-source.yaml": pointer}, argov1.ApplicationSource{}, ".argocd-source.yaml"},
	} {
		tree := fstest.MapFS{}
		for name, content := range tc.files {
			tree[name] = &fstest.MapFile{Data: []byte(content), Mode: 0o644}
		}
		tc.source.Path = "app"
		objects, _, err := dispatcher.Render(t.Context(), render.Request{Source: tc.source, Tree: tree, Instance: render.Instance{Name: "x", Namespace: "ns"}, Environment: render.Environment{}})
		switch {
		case tc.names == "":
			if err != nil || len(objects) != 1 {
				t.Errorf("%s: %d objects, %v", tc.reason, len(objects), err)
			}
		case err == nil || !strings.Contains(err.Error(), tc.names) || !strings.Contains(err.Error(), "a pointer to Git LFS: content of Git LFS is not fetched: commit the file itself"):
			t.Errorf("%s: %v; want an error that names %s", tc.reason, err, tc.names)
		}
	}
}
