package live

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"

	"github.com/tiphys-io/tiphys/internal/cluster"
	"github.com/tiphys-io/tiphys/internal/resource"
	"github.com/tiphys-io/tiphys/internal/tracking"
)

// syncTimeout bounds the wait for the first list of a kind.
const syncTimeout = 30 * time.Second

// Watcher keeps a Store up to date by watching the kinds that applications use, and no other.
type Watcher struct {
	// Store is what the watches feed.
	Store *Store

	base context.Context //nolint:containedctx // the life of the watches, which outlive the call that starts them
	conn *cluster.Conn

	mu    sync.Mutex
	kinds map[schema.GroupKind]*kindWatch
	swept *sweep

	censuses map[string]*census // by namespace
	bound    map[*context.CancelCauseFunc]struct{}
}

// kindWatch is the watch of one kind and the applications that use it.
type kindWatch struct {
	store    *Store
	kind     schema.GroupKind
	resource schema.GroupVersionResource
	cancel   context.CancelFunc
	users    map[string]struct{}
	synced   chan struct{}
	once     sync.Once

	mu      sync.Mutex
	lastErr error

	feeding sync.Mutex // held while the store takes in what was seen
	stopped bool       // what is still on its way is of no interest
}

// NewWatcher watches nothing yet; its watches end with ctx.
func NewWatcher(ctx context.Context, conn *cluster.Conn, store *Store) *Watcher {
	return &Watcher{
		Store: store, base: ctx, conn: conn,
		kinds: map[schema.GroupKind]*kindWatch{}, swept: newSweep(), bound: map[*context.CancelCauseFunc]struct{}{},
		censuses: map[string]*census{},
	}
}

// errRetracked ends what was begun under another tracker.
var errRetracked = errors.New("the settings of resource tracking have changed: comparing again")

// Bind gives a context that ends with ctx, and also when Retrack changes whose the objects are. Who settles anything by a
// Snapshot takes it before he reads the tracker that he compares with.
func (w *Watcher) Bind(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.bound[&cancel] = struct{}{}
	return ctx, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.bound, &cancel)
		cancel(nil)
	}
}

// Retrack has objects attributed by another tracker: everything begun before, under Bind, ends, and all kinds in use are
// listed again, which Use waits for.
func (w *Watcher) Retrack(tracker tracking.Tracker) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for cancel := range w.bound {
		(*cancel)(errRetracked)
	}
	w.Store.retrack(tracker)
	w.swept, w.censuses = newSweep(), map[string]*census{}
	for kind, old := range w.kinds {
		old.stop()
		w.kinds[kind] = w.start(kind, old.resource)
		w.kinds[kind].users = old.users
	}
}

// Use says which kinds an application uses, starts the watches that are lacking, ends those that nobody uses any more, and
// waits until all of them have been listed. Kinds that the cluster does not serve are left out. An error names the kind.
func (w *Watcher) Use(ctx context.Context, instance string, kinds []schema.GroupVersionKind) error {
	watches, err := w.assign(instance, kinds)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, syncTimeout)
	defer cancel()
	for _, kw := range watches {
		if err := kw.wait(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (w *Watcher) assign(instance string, kinds []schema.GroupVersionKind) ([]*kindWatch, error) {
	resources := map[schema.GroupKind]schema.GroupVersionResource{}
	for _, gvk := range kinds {
		mapping, err := w.conn.Mapping(gvk)
		if cluster.IsUnknownKind(err) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("looking up kind %s: %w", gvk.GroupKind(), err)
		}
		resources[gvk.GroupKind()] = mapping.Resource
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	var watches []*kindWatch
	for kind, gvr := range resources {
		kw := w.kinds[kind]
		if kw == nil {
			kw = w.start(kind, gvr)
			w.kinds[kind] = kw
		}
		kw.users[instance] = struct{}{}
		watches = append(watches, kw)
	}
	for kind, kw := range w.kinds {
		if _, used := resources[kind]; used {
			continue
		}
		delete(kw.users, instance)
		if len(kw.users) == 0 {
			kw.stop()
			delete(w.kinds, kind)
			w.Store.Replace(kind, nil)
		}
	}
	return watches, nil
}

func (w *Watcher) start(kind schema.GroupKind, gvr schema.GroupVersionResource) *kindWatch {
	ctx, stop := context.WithCancel(w.base)
	kw := &kindWatch{store: w.Store, kind: kind, resource: gvr, cancel: stop, users: map[string]struct{}{}, synced: make(chan struct{})}
	client := w.conn.Dynamic.Resource(gvr)
	lw := &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
			list, err := client.List(ctx, options)
			kw.remember(err)
			return list, err
		},
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			events, err := client.Watch(ctx, options)
			kw.remember(err)
			return events, err
		},
	}
	reflector := cache.NewReflectorWithOptions(cache.ToListWatcherWithWatchListSemantics(lw, w.conn.Dynamic), &unstructured.Unstructured{}, kw, cache.ReflectorOptions{
		Name: "live", TypeDescription: gvr.String(),
		Backoff: &wait.Backoff{Duration: 500 * time.Millisecond, Cap: 10 * time.Second, Steps: 20, Factor: 2, Jitter: 0.5},
	})
	go reflector.RunWithContext(ctx)
	return kw
}

// stop ends the watch; nothing of it reaches the store afterwards.
func (k *kindWatch) stop() {
	k.cancel()
	k.feeding.Lock()
	defer k.feeding.Unlock()
	k.stopped = true
}

// feed lets the store take in what was seen, unless the watch has been stopped since.
func (k *kindWatch) feed(take func()) {
	k.feeding.Lock()
	defer k.feeding.Unlock()
	if !k.stopped {
		take()
	}
}

// wait waits for the first list; a kind that may not be listed does not become listable by waiting.
func (k *kindWatch) wait(ctx context.Context) error {
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-k.synced:
			return nil
		case <-ctx.Done():
			return fmt.Errorf("waiting for the list of %s: %w", k.kind, errors.Join(ctx.Err(), k.failure()))
		case <-ticker.C:
			if err := k.failure(); apierrors.IsForbidden(err) {
				return fmt.Errorf("listing %s: %w", k.kind, err)
			}
		}
	}
}

func (k *kindWatch) remember(err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.lastErr = err
}

func (k *kindWatch) failure() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.lastErr
}

// Add takes in an object that the watch reports.
func (k *kindWatch) Add(obj any) error { return k.put(obj) }

// Update takes in an object that the watch reports.
func (k *kindWatch) Update(obj any) error { return k.put(obj) }

func (k *kindWatch) put(obj any) error {
	object, ok := obj.(*unstructured.Unstructured)
	if !ok {
		return fmt.Errorf("watch of %s: unexpected %T", k.kind, obj)
	}
	k.feed(func() { k.store.Put(object) })
	return nil
}

// Delete forgets an object that the watch reports gone.
func (k *kindWatch) Delete(obj any) error {
	object, ok := obj.(*unstructured.Unstructured)
	if !ok {
		return fmt.Errorf("watch of %s: unexpected %T", k.kind, obj)
	}
	k.feed(func() { k.store.Delete(resource.KeyOf(object), object.GetResourceVersion()) })
	return nil
}

// Replace takes in a whole list.
func (k *kindWatch) Replace(list []any, _ string) error {
	objects := make([]*unstructured.Unstructured, 0, len(list))
	for _, item := range list {
		object, ok := item.(*unstructured.Unstructured)
		if !ok {
			return fmt.Errorf("list of %s: unexpected %T", k.kind, item)
		}
		objects = append(objects, object)
	}
	k.feed(func() { k.store.Replace(k.kind, objects) })
	k.once.Do(func() { close(k.synced) })
	return nil
}

// Resync does nothing: the store is the truth that was seen.
func (k *kindWatch) Resync() error { return nil }
