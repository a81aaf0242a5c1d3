package commands

import (
	"context"
	"fmt"
	"os"
	"testing"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/render"
	"github.com/tiphys-io/tiphys/internal/render/directory"
	"github.com/tiphys-io/tiphys/internal/render/helm"
	"github.com/tiphys-io/tiphys/internal/render/jsonnet"
	"github.com/tiphys-io/tiphys/internal/render/kustomize"
	"github.com/tiphys-io/tiphys/internal/render/worker"
	"github.com/tiphys-io/tiphys/test/conformance"
)

// BenchmarkRender gives the renders of a second for each renderer: in this process, in a worker as the operator has them, and by
// the command on the same input, which is started each time.
func BenchmarkRender(b *testing.B) {
	pool, err := worker.New(worker.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(pool.Close)
	examples := conformance.Path(b, "applications", "sources", "e2e")
	for _, tc := range []struct {
		name, dir, path string
		inProcess       render.Renderer
		inWorker        render.Renderer // nil for what the operator renders in its own process
		command         []string
	}{
		{"helm/small", examples, "helm-guestbook", helm.New(helm.Options{}), pool.Renderer(argov1.SourceTypeHelm), []string{helmPath, "template", "release", "."}},
		{"helm/larger", "testdata", "charts/web", helm.New(helm.Options{}), pool.Renderer(argov1.SourceTypeHelm), []string{helmPath, "template", "release", ".", "--kube-version", "1.33.4"}},
		{"kustomize/small", examples, "guestbook", kustomize.New(kustomize.Options{}), nil, []string{kustomizePath, "build", "."}},
		{"kustomize/larger", "testdata", "overlays/base", kustomize.New(kustomize.Options{}), nil, []string{kustomizePath, "build", "."}},
		{
			"jsonnet", examples, "jsonnet-tla", directory.New(directory.Options{Jsonnet: jsonnet.New(jsonnet.Options{})}),
			directory.New(directory.Options{Jsonnet: pool}), nil,
		},
		{"directory", examples, "guestbook", directory.New(directory.Options{}), nil, nil},
	} {
		req := render.Request{
			Source: argov1.ApplicationSource{Path: tc.path}, Tree: os.DirFS(tc.dir), Instance: render.Instance{Name: "release", Namespace: "ns"},
			Cluster: func(context.Context) (render.Cluster, error) { return render.Cluster{KubeVersion: "1.33.4"}, nil },
		}
		measure := func(how string, once func() error) {
			b.Run(fmt.Sprintf("%s/%s", tc.name, how), func(b *testing.B) {
				for b.Loop() {
					if err := once(); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "renders/s")
			})
		}
		for how, renderer := range map[string]render.Renderer{"process": tc.inProcess, "worker": tc.inWorker} {
			if renderer != nil {
				measure(how, func() error {
					objects, err := renderer.Render(b.Context(), req)
					if err == nil && len(objects) == 0 {
						err = fmt.Errorf("nothing is rendered")
					}
					return err
				})
			}
		}
		if tc.command != nil {
			measure("command", func() error {
				_, err := run(b, tc.dir+"/"+tc.path, tc.command...)
				return err
			})
		}
	}
}
