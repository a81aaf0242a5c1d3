package replay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/tools/cache"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
)

// applications follows all Applications of the control namespace through one watch. What a write answers counts as seen,
// so that nobody who has written reads something older.
type applications struct {
	client dynamic.ResourceInterface

	mu      sync.Mutex
	seen    map[string]sighting
	changed chan struct{} // Closed, and replaced, when anything changes.
}

// sighting is the latest state of one Application; nil means that it is gone.
type sighting struct {
	application *argov1.Application
	version     uint64
}

// followApplications returns once all Applications are known; the watch ends with ctx.
func followApplications(ctx context.Context, client dynamic.Interface, namespace string) (*applications, error) {
	resource := argov1.GroupVersion.WithResource("applications")
	a := &applications{
		client: client.Resource(resource).Namespace(namespace), seen: map[string]sighting{}, changed: make(chan struct{}),
	}
	informer := dynamicinformer.NewFilteredDynamicInformer(client, resource, namespace, 0, cache.Indexers{}, nil).Informer()
	_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(object any) { a.observe(object, false) },
		UpdateFunc: func(_, object any) { a.observe(object, false) },
		DeleteFunc: func(object any) { a.observe(object, true) },
	})
	if err != nil {
		return nil, fmt.Errorf("watch applications: %w", err)
	}
	go informer.RunWithContext(ctx)
	if !cache.WaitForCacheSync(ctx.Done(), informer.HasSynced) {
		return nil, errors.New("watch applications: ended before all were known")
	}
	return a, nil
}

func (a *applications) observe(object any, deleted bool) {
	if last, ok := object.(cache.DeletedFinalStateUnknown); ok {
		object = last.Obj
	}
	if u, ok := object.(*unstructured.Unstructured); ok {
		a.note(u, deleted)
	}
}

// note remembers a state, unless a later one is known.
func (a *applications) note(u *unstructured.Unstructured, deleted bool) {
	version, err := strconv.ParseUint(u.GetResourceVersion(), 10, 64)
	if err != nil {
		return // No API server of Kubernetes sends anything but numbers.
	}
	next := sighting{version: version}
	if !deleted {
		application := &argov1.Application{}
		data, err := u.MarshalJSON()
		if err != nil || json.Unmarshal(data, application) != nil {
			return // What the CRD took and our types do not cannot be recorded; the case then runs into its deadline.
		}
		next.application = application
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if last, known := a.seen[u.GetName()]; known && last.version >= version && !deleted {
		return
	}
	a.seen[u.GetName()] = next
	close(a.changed)
	a.changed = make(chan struct{})
}

// get is the latest state of an Application, nil when there is none, and a channel that closes with the next change.
func (a *applications) get(name string) (*argov1.Application, <-chan struct{}) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.seen[name].application, a.changed
}

// until waits for a state of an Application (nil when it is gone), and says whether it came before the limit.
func (a *applications) until(ctx context.Context, name string, limit time.Duration, condition func(*argov1.Application) bool) bool {
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	for {
		application, changed := a.get(name)
		if condition(application) {
			return true
		}
		select {
		case <-changed:
		case <-deadline.C:
			return false
		case <-ctx.Done():
			return false
		}
	}
}

// patch sends a merge patch.
func (a *applications) patch(ctx context.Context, name string, body map[string]any) error {
	data, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("patch application %s: %w", name, err)
	}
	u, err := a.client.Patch(ctx, name, types.MergePatchType, data, metav1.PatchOptions{})
	if err != nil {
		return fmt.Errorf("patch application %s: %w", name, err)
	}
	a.note(u, false)
	return nil
}

// remove deletes an Application, whatever that takes; one that is gone is no error.
func (a *applications) remove(ctx context.Context, name string) error {
	if err := a.client.Delete(ctx, name, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("delete application %s: %w", name, err)
	}
	return nil
}
