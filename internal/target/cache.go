package target

import (
	"container/list"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io/fs"
	"slices"
	"sync"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utiljson "k8s.io/apimachinery/pkg/util/json"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/render"
	"github.com/tiphys-io/tiphys/internal/source"
)

// Cache keeps rendered manifests for all applications, found by what they were made of: the options of the source, and the
// content of all that was read. The revision is no part of that, nor is the application where the renderer does not look at it.
// It holds JSON, which takes a fraction of the memory that objects do. Make one with NewCache.
type Cache struct {
	limit int64

	mu       sync.Mutex
	bytes    int64
	byRecipe map[recipe][]*list.Element // the latest last
	order    *list.List                 // of *dish, the one used last in front
}

// recipe identifies what can be known before a source is rendered.
type recipe [sha256.Size]byte

// dish is what came of a recipe once, and what was read for it.
type dish struct {
	recipe  recipe
	objects []byte
	own     source.Reading
	others  map[string]source.Reading // of references, by name
	cluster string
	size    int64
}

// maxDishes is how many results of one recipe are kept: each lookup compares them all.
const maxDishes = 8

// NewCache makes a cache of at most so many bytes.
func NewCache(limit int64) *Cache {
	return &Cache{limit: limit, byRecipe: map[recipe][]*list.Element{}, order: list.New()}
}

// Clear forgets everything.
func (c *Cache) Clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.byRecipe)
	c.order.Init()
	c.bytes = 0
}

// Renderer is a renderer that renders what is not in the cache. Only what Git has can be recognised.
func (c *Cache) Renderer(sourceType argov1.ApplicationSourceType, renderer render.Renderer) render.Renderer {
	return &cached{cache: c, sourceType: sourceType, renderer: renderer}
}

type cached struct {
	cache      *Cache
	sourceType argov1.ApplicationSourceType
	renderer   render.Renderer
}

// Render implements [render.Renderer].
func (c *cached) Render(ctx context.Context, req render.Request) ([]*unstructured.Unstructured, error) {
	tree, isGit := req.Tree.(source.Tree)
	if !isGit {
		return c.renderer.Render(ctx, req)
	}
	key, err := c.recipe(req)
	if err != nil {
		return nil, err
	}
	if !req.Fresh {
		found, err := c.cache.find(ctx, key, req, tree)
		if err != nil || found != nil {
			return found, err
		}
	}
	own, others := &source.Trace{}, map[string]*source.Trace{}
	origin := newOrigin()
	noted := req
	noted.Tree, noted.Cluster = own.Of(tree), origin.asks(req.Cluster)
	if req.Remote != nil {
		noted.Remote = noting{Remote: req.Remote, reached: origin.reached}
	}
	if req.Repositories != nil {
		noted.Repositories = notingRepositories{Repositories: req.Repositories, reached: origin.reached}
	}
	if req.References != nil {
		noted.References = map[string]render.Reference{}
	}
	for name, reference := range req.References {
		if git, ok := reference.Tree.(source.Tree); ok {
			others[name] = &source.Trace{}
			reference.Tree = others[name].Of(git)
		}
		noted.References[name] = reference
	}
	objects, err := c.renderer.Render(ctx, noted)
	if err != nil || origin.made().fixed {
		return objects, err // an error may pass, and what came from elsewhere may change
	}
	d := &dish{recipe: key, own: own.Reading(), others: map[string]source.Reading{}, cluster: origin.made().cluster}
	for name, trace := range others {
		if reading := trace.Reading(); reading.Read() {
			d.others[name] = reading
		}
	}
	return objects, c.cache.keep(d, objects)
}

// recipe identifies a request by all but what is read for it.
func (c *cached) recipe(req render.Request) (recipe, error) {
	src := req.Source
	src.RepoURL, src.TargetRevision, src.TagPrefix, src.Ref, src.Name = "", "", "", "", "" // what of it is used is in the environment
	instance := req.Instance
	if c.sourceType == argov1.SourceTypeDirectory {
		instance = render.Instance{}
	}
	data, err := json.Marshal([]any{c.sourceType, src, instance, req.Environment, req.Settings, req.References != nil, req.Cluster != nil, req.Remote != nil, req.Repositories != nil})
	if err != nil {
		return recipe{}, fmt.Errorf("the source: %w", err)
	}
	return sha256.Sum256(data), nil
}

// noting tells when something is asked for elsewhere.
type noting struct {
	render.Remote

	reached func()
}

// Chart implements [render.Remote].
func (n noting) Chart(ctx context.Context, reference render.ChartReference) ([]byte, error) {
	n.reached()
	return n.Remote.Chart(ctx, reference)
}

// File implements [render.Remote].
func (n noting) File(ctx context.Context, url string, options render.RemoteOptions) ([]byte, error) {
	n.reached()
	return n.Remote.File(ctx, url, options)
}

// notingRepositories tells when another repository is asked for.
type notingRepositories struct {
	render.Repositories

	reached func()
}

// Repository implements [render.Repositories].
func (n notingRepositories) Repository(ctx context.Context, url, revision string) (tree fs.FS, commit string, err error) {
	n.reached()
	return n.Repositories.Repository(ctx, url, revision)
}

// find gives the objects of a request that were made of the same; nil if there are none. What they were made of then counts
// as read of its trees.
func (c *Cache) find(ctx context.Context, key recipe, req render.Request, tree source.Tree) ([]*unstructured.Unstructured, error) {
	c.mu.Lock()
	var dishes []*list.Element
	dishes = append(dishes, c.byRecipe[key]...)
	c.mu.Unlock()
	for _, element := range slices.Backward(dishes) {
		d, ok := element.Value.(*dish)
		if !ok {
			continue
		}
		same, err := d.fits(ctx, req, source.Untraced(tree), source.Untraced)
		if err != nil {
			return nil, err
		}
		if !same {
			continue
		}
		if same, err = d.fits(ctx, req, tree, func(tree source.Tree) source.Tree { return tree }); err != nil || !same {
			return nil, err
		}
		c.mu.Lock()
		c.order.MoveToFront(element)
		c.mu.Unlock()
		return decode(d.objects)
	}
	return nil, nil //nolint:nilnil // that nothing is kept is no error
}

// fits tells whether a request would read what was read.
func (d *dish) fits(ctx context.Context, req render.Request, tree source.Tree, of func(source.Tree) source.Tree) (bool, error) {
	if !d.own.Holds(tree) {
		return false, nil
	}
	for name, reading := range d.others {
		other, ok := req.References[name].Tree.(source.Tree)
		if !ok || !reading.Holds(of(other)) {
			return false, nil
		}
	}
	if d.cluster == "" {
		return true, nil
	}
	versions, err := req.Cluster(ctx)
	return err == nil && identify(versions) == d.cluster, err
}

func decode(data []byte) ([]*unstructured.Unstructured, error) {
	var contents []map[string]any
	if err := utiljson.Unmarshal(data, &contents); err != nil {
		return nil, fmt.Errorf("manifests that were kept: %w", err)
	}
	objects := make([]*unstructured.Unstructured, len(contents))
	for i, content := range contents {
		objects[i] = &unstructured.Unstructured{Object: content}
	}
	return objects, nil
}

// keep keeps what came of a recipe, and drops what was not used for longest.
func (c *Cache) keep(d *dish, objects []*unstructured.Unstructured) error {
	contents := make([]map[string]any, len(objects))
	for i, object := range objects {
		contents[i] = object.Object
	}
	var err error
	if d.objects, err = json.Marshal(contents); err != nil {
		return fmt.Errorf("manifests: %w", err)
	}
	d.size = int64(len(d.objects) + d.own.Size())
	for _, reading := range d.others {
		d.size += int64(reading.Size())
	}
	if !d.own.Known() || d.size > c.limit/4 {
		return nil // one of that size would push out too much
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if all := c.byRecipe[d.recipe]; len(all) >= maxDishes {
		c.drop(all[0])
	}
	c.byRecipe[d.recipe] = append(c.byRecipe[d.recipe], c.order.PushFront(d))
	c.bytes += d.size
	for c.bytes > c.limit {
		c.drop(c.order.Back())
	}
	return nil
}

// drop takes out one that is kept.
func (c *Cache) drop(element *list.Element) {
	d, ok := c.order.Remove(element).(*dish)
	if !ok {
		return
	}
	c.bytes -= d.size
	rest := slices.DeleteFunc(c.byRecipe[d.recipe], func(other *list.Element) bool { return other == element })
	if len(rest) == 0 {
		delete(c.byRecipe, d.recipe)
		return
	}
	c.byRecipe[d.recipe] = rest
}
