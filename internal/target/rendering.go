package target

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/render"
	"github.com/tiphys-io/tiphys/internal/render/worker"
	"github.com/tiphys-io/tiphys/internal/source"
	"github.com/tiphys-io/tiphys/internal/source/helmrepo"
)

// Repositories renders sources straight from their repositories.
type Repositories struct {
	Fetcher  source.Fetcher
	Renderer render.Dispatcher
	// Charts reads repositories of charts, and what sources name elsewhere; nil reads none.
	Charts *helmrepo.Fetcher

	pool   *worker.Pool // ended by Close
	forget []func(repoURL string)
	shed   []func()
}

// Resolve asks the repository what the target revision of a source is.
func (r *Repositories) Resolve(ctx context.Context, req Request, src argov1.ApplicationSource) (string, error) {
	if chart, isChart := chartOf(req, src); isChart {
		if r.Charts == nil {
			return "", errNoCharts
		}
		return r.Charts.Resolve(ctx, chart, src.TargetRevision, req.Force)
	}
	return r.Fetcher.Resolve(ctx, source.Repository{URL: src.RepoURL, Project: req.Project}, src.TargetRevision,
		source.ResolveOptions{TagPrefix: src.TagPrefix, Force: req.Force})
}

// Render reads the tree of a source's revision and renders the source's path of it. The trees of the sources that others
// may refer to are read when a renderer wants a file of them.
func (r *Repositories) Render(ctx context.Context, req Request, index int, revisions []string) ([]*unstructured.Unstructured, argov1.ApplicationSourceType, error) {
	src := req.Sources[index]
	if req.origin == nil {
		req.origin = newOrigin()
	}
	tree, err := r.tree(ctx, req, index, revisions)
	if err != nil {
		return nil, "", err
	}
	if git, ok := tree.(source.Tree); ok {
		tree = req.origin.trace(index).Of(git)
	}
	instance := render.Instance{Name: req.Scope.Instance, Namespace: req.Scope.DestinationNamespace, Project: req.Project}
	return r.Renderer.Render(ctx, render.Request{
		Source: src, Tree: tree, Instance: instance, Environment: render.NewEnvironment(instance, src, revisions[index]),
		References: r.references(ctx, req, revisions), Cluster: req.origin.asks(req.Cluster), Settings: req.Rendering, Remote: r.remote(req),
		Repositories: elsewhere{fetcher: r.Fetcher, force: req.Force, project: req.Project, namedBy: src.RepoURL, reached: req.origin.reached},
		Names:        req.origin.name, Fresh: req.Fresh,
	})
}

// tree is the files of a source at its full revision.
func (r *Repositories) tree(ctx context.Context, req Request, index int, revisions []string) (fs.FS, error) {
	src, revision := req.Sources[index], revisions[index]
	if req.isLocal(index) {
		return req.Local, nil
	}
	if chart, isChart := chartOf(req, src); isChart {
		if r.Charts == nil {
			return nil, errNoCharts
		}
		return r.Charts.Fetch(ctx, chart, revision)
	}
	return r.Fetcher.Fetch(ctx, source.Repository{URL: src.RepoURL, Project: req.Project}, revision)
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
		tree := &lazyTree{fetch: sync.OnceValues(func() (fs.FS, error) { return r.tree(ctx, req, i, revisions) })}
		references[src.Ref] = render.Reference{Chart: src.Chart, Tree: req.origin.trace(i).Of(tree)}
	}
	return references
}

var errNoCharts = errors.New("repositories of charts are not read here")

// chartOf is the chart or OCI artifact that a source is, unless it is a folder in Git.
func chartOf(req Request, src argov1.ApplicationSource) (helmrepo.Chart, bool) {
	chart := helmrepo.Chart{Repository: source.Repository{URL: src.RepoURL, Project: req.Project}, Name: src.Chart}
	chart.PassCredentials = src.Helm != nil && src.Helm.PassCredentials
	return chart, src.Chart != "" || strings.HasPrefix(strings.ToLower(src.RepoURL), "oci://")
}

// remote gets what the sources of a request name elsewhere, with what its project may use.
func (r *Repositories) remote(req Request) render.Remote {
	if r.Charts == nil {
		return nil
	}
	return remote{charts: r.Charts, project: req.Project, reached: req.origin.reached}
}

// remote implements [render.Remote].
type remote struct {
	charts  *helmrepo.Fetcher
	project string
	reached func() // is told that something was asked for
}

// Chart implements [render.Remote].
func (r remote) Chart(ctx context.Context, reference render.ChartReference) ([]byte, error) {
	r.reached()
	url, err := r.charts.Locate(ctx, reference.Repository, r.project)
	if err != nil {
		return nil, err
	}
	chart := helmrepo.Chart{
		Repository: source.Repository{URL: url, Project: r.project}, Name: reference.Name, PassCredentials: reference.PassCredentials, Guarded: true,
	}
	version, err := r.charts.Resolve(ctx, chart, reference.Version, false)
	if err != nil {
		return nil, err
	}
	return r.charts.Archive(ctx, chart, version)
}

// File implements [render.Remote].
func (r remote) File(ctx context.Context, url string, _ render.RemoteOptions) ([]byte, error) {
	r.reached()
	return r.charts.File(ctx, url)
}

// elsewhere implements [render.Repositories].
type elsewhere struct {
	fetcher          source.Fetcher
	force            bool
	project, namedBy string
	reached          func() // is told that something was asked for
}

// Repository implements [render.Repositories].
func (e elsewhere) Repository(ctx context.Context, url, revision string) (tree fs.FS, commit string, err error) {
	e.reached()
	repo := source.Repository{URL: url, Project: e.project, NamedBy: e.namedBy}
	if commit, err = e.fetcher.Resolve(ctx, repo, revision, source.ResolveOptions{Force: e.force}); err != nil {
		return nil, "", err
	}
	tree, err = e.fetcher.Fetch(ctx, repo, commit)
	return tree, commit, err
}

// lazyTree is a tree that is fetched when something of it is wanted. One that is none of Git cannot tell what is in it.
type lazyTree struct {
	fetch func() (fs.FS, error)
}

var _ source.Tree = (*lazyTree)(nil)

// Hash implements [source.Tree].
func (l *lazyTree) Hash(name string) (string, error) {
	tree, err := l.git()
	if err != nil {
		return "", err
	}
	return tree.Hash(name)
}

// Fingerprint implements [source.Tree].
func (l *lazyTree) Fingerprint(name string, aspect source.Aspect) (string, error) {
	tree, err := l.git()
	if err != nil {
		return "", err
	}
	return tree.Fingerprint(name, aspect)
}

func (l *lazyTree) git() (source.Tree, error) {
	tree, err := l.fetch()
	if err != nil {
		return nil, err
	}
	git, ok := tree.(source.Tree)
	if !ok {
		return nil, errors.ErrUnsupported
	}
	return git, nil
}

// Lstat implements [fs.ReadLinkFS].
func (l *lazyTree) Lstat(name string) (fs.FileInfo, error) {
	tree, err := l.fetch()
	if err != nil {
		return nil, err
	}
	return fs.Lstat(tree, name)
}

// ReadLink implements [fs.ReadLinkFS].
func (l *lazyTree) ReadLink(name string) (string, error) {
	tree, err := l.fetch()
	if err != nil {
		return "", err
	}
	return fs.ReadLink(tree, name)
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
