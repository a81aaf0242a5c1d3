package target

import (
	"context"
	"io/fs"
	"sync"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/render"
	"github.com/tiphys-io/tiphys/internal/source"
)

// Repositories renders sources straight from their repositories.
type Repositories struct {
	Fetcher  source.Fetcher
	Renderer render.Dispatcher
	// Remote gets charts and files that sources name elsewhere; nil gets nothing.
	Remote render.Remote
}

// Resolve asks the repository what the target revision of a source is.
func (r *Repositories) Resolve(ctx context.Context, req Request, src argov1.ApplicationSource) (string, error) {
	return r.Fetcher.Resolve(ctx, source.Repository{URL: src.RepoURL, Project: req.Project}, src.TargetRevision,
		source.ResolveOptions{TagPrefix: src.TagPrefix, Force: req.Force})
}

// Render reads the tree of a source's revision and renders the source's path of it. The trees of the sources that others
// may refer to are read when a renderer wants a file of them.
func (r *Repositories) Render(ctx context.Context, req Request, index int, revisions []string) ([]*unstructured.Unstructured, argov1.ApplicationSourceType, error) {
	src := req.Sources[index]
	tree, err := r.Fetcher.Fetch(ctx, source.Repository{URL: src.RepoURL, Project: req.Project}, revisions[index])
	if err != nil {
		return nil, "", err
	}
	instance := render.Instance{Name: req.Scope.Instance, Namespace: req.Scope.DestinationNamespace, Project: req.Project}
	return r.Renderer.Render(ctx, render.Request{
		Source: src, Tree: tree, Instance: instance, Environment: render.NewEnvironment(instance, src, revisions[index]),
		References: r.references(ctx, req, revisions), Cluster: req.Cluster, Settings: req.Rendering, Remote: r.Remote,
	})
}

// references are the sources that have a name for others; nil if there is only spec.source, where a dollar sign is one of a
// variable.
func (r *Repositories) references(ctx context.Context, req Request, revisions []string) map[string]render.Reference {
	if !req.Multiple {
		return nil
	}
	references := map[string]render.Reference{}
	for i, src := range req.Sources {
		if src.Ref == "" {
			continue
		}
		references[src.Ref] = render.Reference{Chart: src.Chart, Tree: &lazyTree{fetch: sync.OnceValues(func() (fs.FS, error) {
			return r.Fetcher.Fetch(ctx, source.Repository{URL: src.RepoURL, Project: req.Project}, revisions[i])
		})}}
	}
	return references
}

// lazyTree is a tree that is fetched when something of it is wanted.
type lazyTree struct {
	fetch func() (fs.FS, error)
}

// Open implements [fs.FS].
func (l *lazyTree) Open(name string) (fs.File, error) {
	tree, err := l.fetch()
	if err != nil {
		return nil, err
	}
	return tree.Open(name)
}

// ReadDir implements [fs.ReadDirFS].
func (l *lazyTree) ReadDir(name string) ([]fs.DirEntry, error) {
	tree, err := l.fetch()
	if err != nil {
		return nil, err
	}
	return fs.ReadDir(tree, name)
}

// ReadFile implements [fs.ReadFileFS].
func (l *lazyTree) ReadFile(name string) ([]byte, error) {
	tree, err := l.fetch()
	if err != nil {
		return nil, err
	}
	return fs.ReadFile(tree, name)
}

// Stat implements [fs.StatFS].
func (l *lazyTree) Stat(name string) (fs.FileInfo, error) {
	tree, err := l.fetch()
	if err != nil {
		return nil, err
	}
	return fs.Stat(tree, name)
}
