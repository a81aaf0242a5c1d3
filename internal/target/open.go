package target

import (
	"cmp"
	"context"
	"fmt"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/render"
	"github.com/tiphys-io/tiphys/internal/render/directory"
	"github.com/tiphys-io/tiphys/internal/render/helm"
	"github.com/tiphys-io/tiphys/internal/render/jsonnet"
	"github.com/tiphys-io/tiphys/internal/render/kustomize"
	"github.com/tiphys-io/tiphys/internal/render/worker"
	"github.com/tiphys-io/tiphys/internal/source/git"
	"github.com/tiphys-io/tiphys/internal/source/helmrepo"
)

// Options are those of everything that reads and renders sources.
type Options struct {
	Git    git.Options
	Charts helmrepo.Options
	Worker worker.Options
	// MaxManifestBytes is the largest sum of a directory's manifests; 0 means ten million (contract 1.2).
	MaxManifestBytes int64
	// ManifestCacheBytes is how much memory rendered manifests may take that are kept; 0 keeps none.
	ManifestCacheBytes int64
}

// Open makes what reads and renders all kinds of sources. The operator and the command line have it from here, so that both
// render the same. The process that calls it starts itself again to render charts and Jsonnet, see [Work].
func Open(options Options) (*Repositories, error) {
	fetcher, err := git.New(options.Git)
	if err != nil {
		return nil, fmt.Errorf("opening the repository cache: %w", err)
	}
	pool, err := worker.New(options.Worker)
	if err != nil {
		return nil, err
	}
	charts := helmrepo.New(options.Charts)
	renderers := render.Dispatcher{
		argov1.SourceTypeDirectory: directory.New(directory.Options{MaxBytes: cmp.Or(options.MaxManifestBytes, 10_000_000), Jsonnet: pool}),
		argov1.SourceTypeHelm:      pool.Renderer(argov1.SourceTypeHelm),
		argov1.SourceTypeKustomize: kustomize.New(kustomize.Options{Helm: pool.Renderer(argov1.SourceTypeHelm)}),
	}
	shed := []func(){fetcher.Shed, charts.Shed}
	if options.ManifestCacheBytes > 0 {
		kept := NewCache(options.ManifestCacheBytes)
		shed = append(shed, kept.Clear)
		for sourceType, renderer := range renderers {
			renderers[sourceType] = kept.Renderer(sourceType, renderer)
		}
	}
	return &Repositories{
		Fetcher: fetcher, Charts: charts, Renderer: renderers, pool: pool, forget: []func(string){fetcher.Forget, charts.Forget}, shed: shed,
	}, nil
}

// Forget drops what is remembered of the revisions of a repository, as after a push.
func (r *Repositories) Forget(repoURL string) {
	for _, forget := range r.forget {
		forget(repoURL)
	}
}

// Shed empties the caches in memory; what was in them is read and rendered again.
func (r *Repositories) Shed() {
	for _, shed := range r.shed {
		shed()
	}
}

// Close ends the processes that render; nothing is rendered afterwards.
func (r *Repositories) Close() {
	if r.pool != nil {
		r.pool.Close()
	}
}

// Work renders for the process that started this one, if the arguments of the process ask for it; it then returns when that
// one ends. A program that calls [Open] calls it first.
func Work(ctx context.Context, arguments []string) (asked bool, err error) {
	if len(arguments) != 3 || arguments[1] != worker.CommandName {
		return false, nil
	}
	return true, worker.Main(ctx, worker.Renderers{
		Sources: render.Dispatcher{argov1.SourceTypeHelm: helm.New(helm.Options{})},
		Files:   jsonnet.New(jsonnet.Options{}),
	}, arguments[2])
}
