package target

import (
	"context"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/render"
	"github.com/tiphys-io/tiphys/internal/source"
)

// Repositories renders sources straight from their repositories.
type Repositories struct {
	Fetcher  source.Fetcher
	Renderer render.Dispatcher
}

// Resolve asks the repository what the target revision of a source is.
func (r *Repositories) Resolve(ctx context.Context, src argov1.ApplicationSource, force bool) (string, error) {
	return r.Fetcher.Resolve(ctx, source.Repository{URL: src.RepoURL}, src.TargetRevision,
		source.ResolveOptions{TagPrefix: src.TagPrefix, Force: force})
}

// Render reads the tree of the revision and renders the source's path of it.
func (r *Repositories) Render(ctx context.Context, src argov1.ApplicationSource, revision string) ([]*unstructured.Unstructured, argov1.ApplicationSourceType, error) {
	tree, err := r.Fetcher.Fetch(ctx, source.Repository{URL: src.RepoURL}, revision)
	if err != nil {
		return nil, "", err
	}
	return r.Renderer.Render(ctx, render.Request{Source: src, Tree: tree})
}
