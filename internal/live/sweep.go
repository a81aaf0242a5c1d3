package live

import (
	"context"
	"fmt"
	"slices"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"

	"github.com/tiphys-io/tiphys/internal/cluster"
	"github.com/tiphys-io/tiphys/internal/resource"
)

// sweepPage is how many objects one page of a sweep holds.
const sweepPage = 500

// sweep is one search through the cluster, whose answer is kept.
type sweep struct {
	turn  chan struct{} // holds the right to search, and is closed once there is an answer
	found []schema.GroupVersionKind
}

func newSweep() *sweep {
	s := &sweep{turn: make(chan struct{}, 1)}
	s.turn <- struct{}{}
	return s
}

// Sweep finds the kinds that hold objects tracked by any application, by paging once through the metadata of all kinds that
// can be listed and deleted. It is for applications without a recorded inventory; the answer is kept until Retrack, because
// what comes later is made by us, of kinds that are watched.
func (w *Watcher) Sweep(ctx context.Context) ([]schema.GroupVersionKind, error) {
	w.mu.Lock()
	s := w.swept
	w.mu.Unlock()
	select {
	case _, first := <-s.turn:
		if !first {
			return s.found, nil
		}
	case <-ctx.Done():
		return nil, fmt.Errorf("waiting for the sweep of the cluster: %w", context.Cause(ctx))
	}
	found, err := w.search(ctx)
	if err != nil {
		s.turn <- struct{}{}
		return nil, err
	}
	s.found = found
	close(s.turn)
	return found, nil
}

// search asks for each kind whether it holds tracked objects.
func (w *Watcher) search(ctx context.Context) ([]schema.GroupVersionKind, error) {
	lists, err := w.conn.Discovery.ServerPreferredResources()
	if err != nil && !discovery.IsGroupDiscoveryFailedError(err) {
		return nil, fmt.Errorf("discovering the kinds of the cluster: %w", err)
	}
	var kinds []schema.GroupVersionKind
	var resources []schema.GroupVersionResource
	for _, list := range discovery.FilteredBy(discovery.SupportsAllVerbs{Verbs: []string{"list", "delete"}}, lists) {
		gv, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			return nil, fmt.Errorf("discovering the kinds of the cluster: %w", err)
		}
		for _, r := range list.APIResources {
			if gv.Group != "events.k8s.io" && r.Kind != "Event" && r.Kind != "Lease" {
				kinds, resources = append(kinds, gv.WithKind(r.Kind)), append(resources, gv.WithResource(r.Name))
			}
		}
	}
	return w.thoseWithTracked(ctx, kinds, resources)
}

// sweepParallel is how many kinds are searched at the same time: the first application waits for the answer.
const sweepParallel = 8

// thoseWithTracked are the kinds whose resources hold tracked objects.
func (w *Watcher) thoseWithTracked(ctx context.Context, kinds []schema.GroupVersionKind, resources []schema.GroupVersionResource) ([]schema.GroupVersionKind, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	tracked, slots := make([]bool, len(kinds)), make(chan struct{}, sweepParallel)
	var all sync.WaitGroup
	for i := range kinds {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			var err error
			if tracked[i], err = w.holdsTracked(ctx, resources[i]); err != nil {
				cancel(err) // the first one counts
			}
		})
	}
	all.Wait()
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	var found []schema.GroupVersionKind
	for i, kind := range kinds {
		if tracked[i] {
			found = append(found, kind)
		}
	}
	return found, nil
}

// holdsTracked tells whether any object of a kind carries a tracking mark. A kind that may not be listed cannot hold
// objects that this operator manages.
func (w *Watcher) holdsTracked(ctx context.Context, gvr schema.GroupVersionResource) (bool, error) {
	options := metav1.ListOptions{Limit: sweepPage}
	for {
		page, err := w.conn.Metadata.Resource(gvr).List(ctx, options)
		if apierrors.IsForbidden(err) || apierrors.IsNotFound(err) || apierrors.IsMethodNotSupported(err) {
			return false, nil
		}
		if err != nil {
			return false, fmt.Errorf("listing metadata of %s: %w", gvr, err)
		}
		if slices.ContainsFunc(page.Items, func(item metav1.PartialObjectMetadata) bool {
			_, tracked := w.Store.owner(&item)
			return tracked
		}) {
			return true, nil
		}
		if options.Continue = page.Continue; options.Continue == "" {
			return false, nil
		}
	}
}

// Snapshot is what an application has in the cluster now, from the store; objects whose content was not kept are read directly.
// It fails once ctx has ended, in particular by a Retrack, before which Bind was called: it never tells what another tracker
// has attributed.
func (w *Watcher) Snapshot(ctx context.Context, instance string) (Snapshot, error) {
	objects, missing := w.Store.Snapshot(instance)
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("looking up the live objects: %w (%w)", err, context.Cause(ctx))
	}
	for _, key := range missing {
		mapping, err := w.conn.Mapping(key.GroupKind().WithVersion(""))
		if cluster.IsUnknownKind(err) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("looking up kind %s: %w", key.GroupKind(), err)
		}
		obj, err := w.conn.Dynamic.Resource(mapping.Resource).Namespace(key.Namespace).Get(ctx, key.Name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", resource.Key(key), err)
		}
		w.Store.Put(obj)
		objects[key] = obj
	}
	return objects, nil
}
