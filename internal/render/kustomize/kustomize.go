package kustomize

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
	"sync"
	"time"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/kyaml/openapi"

	"github.com/tiphys-io/tiphys/internal/render"
	"github.com/tiphys-io/tiphys/internal/render/manifest"
)

// Options limits what a build reads and makes.
type Options struct {
	// MaxBytes is the largest sum of the sizes of what is read, a file as often as it is read and with its YAML aliases
	// written out, and the largest size of what is made; 0 means 16 MiB.
	MaxBytes int64
	// MaxObjects is how many objects may be read, each as often as it is read; 0 means 5,000.
	MaxObjects int
	// FetchTimeout is how long fetching what a source names elsewhere may take in all; 0 means two minutes.
	FetchTimeout time.Duration
	// Helm renders the charts of kustomizations, where kustomize.buildOptions permits them; without it they are an error.
	Helm render.Renderer
}

// Renderer renders kustomizations. Make one with New.
type Renderer struct {
	options Options
}

var (
	// building is held by the one build that may run in the process.
	building = make(chan struct{}, 1)
	confine  sync.Once
)

// New makes a renderer. It makes log.Fatal inside the Kustomize library a panic, and bounds the growth of all JSON patches.
func New(options Options) *Renderer {
	if options.MaxBytes == 0 {
		options.MaxBytes = 16 << 20
	}
	if options.MaxObjects == 0 {
		options.MaxObjects = 5000
	}
	if options.FetchTimeout == 0 {
		options.FetchTimeout = 2 * time.Minute
	}
	confine.Do(func() {
		surviveFatal()
		jsonpatch.AccumulatedCopySizeLimit = 64 << 10 // a few "copy" operations could double an object for ever
	})
	return &Renderer{options: options}
}

// Render builds the kustomization in the source's path, with the options of the source. It waits for other builds to end. What
// the kustomization names elsewhere is fetched between two builds, so that no other build waits for a server.
func (r *Renderer) Render(ctx context.Context, req render.Request) ([]*unstructured.Unstructured, error) {
	elsewhere := newFetched(req, r.options)
	for {
		objects, err := r.attempt(ctx, req, elsewhere)
		if len(elsewhere.wanted) == 0 {
			return objects, elsewhere.explain(err)
		}
		if err := elsewhere.fetch(ctx); err != nil {
			return nil, elsewhere.explain(err)
		}
	}
}

// attempt builds with what was fetched so far, and puts what else it needs on the list.
func (r *Renderer) attempt(ctx context.Context, req render.Request, elsewhere *fetched) ([]*unstructured.Unstructured, error) {
	select {
	case building <- struct{}{}:
		defer func() { <-building }()
	case <-ctx.Done():
		return nil, fmt.Errorf("%s: waiting for another kustomization to be built: %w", render.Root(req.Source), ctx.Err())
	}
	text, err := buildOptionsOf(req)
	if err != nil {
		return nil, err
	}
	options, err := parseBuildOptions(text)
	if err != nil {
		return nil, err
	}
	req.Settings.KustomizeBuildOptions = text
	v := newView(ctx, elsewhere.tree, r.options)
	v.fetched = elsewhere
	if options.helm && r.options.Helm != nil {
		req := req
		req.Tree = elsewhere.tree
		v.charts = &charts{renderer: r.options.Helm, req: req}
	}
	if err := edit(v, req); err != nil {
		return nil, v.explain(err)
	}
	objects, err := r.build(v, req, options)
	if err != nil {
		return nil, v.explain(err)
	}
	return objects, ctx.Err()
}

var errLibrary = errors.New("the Kustomize library cannot build this kustomization and does not say why: build it with the kustomize command to find out")

// build runs the library. Its panics are errors: they are about this kustomization.
func (r *Renderer) build(v *view, req render.Request, chosen buildOptions) (objects []*unstructured.Unstructured, err error) {
	defer func() {
		if recover() != nil {
			objects, err = nil, errLibrary
		}
		if v.schema {
			openapi.ResetOpenAPI()
		}
	}()
	dir := render.Root(req.Source)
	options := krusty.MakeDefaultOptions() // no plugins
	options.Reorder, options.LoadRestrictions, options.AddManagedbyLabel = chosen.reorder, chosen.restrictions, chosen.managedBy
	made, err := krusty.MakeKustomizer(options).Run(v, absolute(dir))
	if err == nil {
		objects, err = convert(made, dir, r.options.MaxBytes)
	}
	if err != nil {
		command := "build " + repository + strings.TrimSuffix(path.Join("/", dir), "/") + " " + req.Settings.KustomizeBuildOptions
		return nil, commandError(strings.TrimSpace(command), err)
	}
	return objects, nil
}

// convert gives the objects as other renderers do.
func convert(made resmap.ResMap, dir string, left int64) ([]*unstructured.Unstructured, error) {
	var objects []*unstructured.Unstructured
	for _, resource := range made.Resources() {
		data, err := resource.MarshalJSON()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", resource.CurId(), err)
		}
		parsed, size, err := manifest.Parse(path.Join(dir, resource.CurId().String()+".json"), data, left)
		if err != nil {
			return nil, err
		}
		left -= size
		objects = append(objects, parsed...)
	}
	return objects, nil
}

// commandError has the wording of the command that would have failed.
func commandError(command string, err error) error {
	return fmt.Errorf("`kustomize %s` failed exit status 1: Error: %w", command, err)
}

// explain is the error to show: what the view refused comes before what the library made of that.
func (v *view) explain(err error) error {
	if v.refused != nil {
		return v.refused
	}
	return &cleanError{text: v.clean(err.Error()), err: err}
}

// cleanError is an error whose text shows nothing of the files.
type cleanError struct {
	text string
	err  error
}

func (e *cleanError) Error() string { return e.text }

func (e *cleanError) Unwrap() error { return e.err }
