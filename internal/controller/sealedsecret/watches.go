package sealedsecret

import (
	"context"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	bitnamiv1 "github.com/tiphys-io/tiphys/api/bitnami/v1alpha1"
)

type workQueue = workqueue.TypedRateLimitingInterface[reconcile.Request]

// queue is the controller's work queue, known once the controller has started.
type queue struct {
	mu   sync.Mutex
	work workQueue
}

func (q *queue) start(_ context.Context, work workQueue) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.work = work
	return nil
}

// Everything has all SealedSecrets looked at again, as when the keys have changed. Those that nothing has changed for cost a
// comparison.
func (r *Reconciler) Everything(ctx context.Context) {
	r.queue.mu.Lock()
	work := r.queue.work
	r.queue.mu.Unlock()
	if work == nil {
		return // the controller begins with all of them
	}
	list := &bitnamiv1.SealedSecretList{}
	if err := r.Client.List(ctx, list); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "listing the SealedSecrets")
		return
	}
	for i := range list.Items {
		work.Add(reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&list.Items[i])})
	}
}

// SetupWithManager registers the reconciler for the SealedSecrets in the manager's cache.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	b := ctrl.NewControllerManagedBy(mgr).
		Named("sealedsecret").
		For(&bitnamiv1.SealedSecret{}, builder.WithPredicates(predicate.Or(
			predicate.GenerationChangedPredicate{}, predicate.AnnotationChangedPredicate{}))).
		WatchesRawSource(source.Func(r.queue.start)).
		WithOptions(controller.Options{
			MaxConcurrentReconciles: max(r.Options.Concurrency, 1),
			RateLimiter:             workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](firstRetry, lastRetry),
		})
	if !r.Options.SkipRecreate {
		b = b.WatchesMetadata(&corev1.Secret{}, handler.Funcs{
			CreateFunc:  func(ctx context.Context, e event.CreateEvent, q workQueue) { r.secretChanged(ctx, e.Object, q) },
			UpdateFunc:  func(ctx context.Context, e event.UpdateEvent, q workQueue) { r.secretChanged(ctx, e.ObjectNew, q) },
			DeleteFunc:  func(ctx context.Context, e event.DeleteEvent, q workQueue) { r.secretDeleted(ctx, e.Object, q) },
			GenericFunc: func(context.Context, event.GenericEvent, workQueue) {},
		})
	}
	if err := b.Complete(r); err != nil {
		return fmt.Errorf("setting up the SealedSecret controller: %w", err)
	}
	return nil
}

// secretChanged has the SealedSecret of the same name looked at again.
func (r *Reconciler) secretChanged(ctx context.Context, secret client.Object, q workQueue) {
	name := client.ObjectKeyFromObject(secret)
	if r.sealed(ctx, name) != nil {
		q.Add(reconcile.Request{NamespacedName: name})
	}
}

// secretDeleted has a Secret made anew: at once if it was ours, after a while if it was not (contract A9).
func (r *Reconciler) secretDeleted(ctx context.Context, secret client.Object, q workQueue) {
	name := client.ObjectKeyFromObject(secret)
	object := r.sealed(ctx, name)
	var record *bitnamiv1.UnsealedRecord
	if uid, known := r.made.Load(name); known {
		record = &bitnamiv1.UnsealedRecord{}
		record.SecretUID, _ = uid.(types.UID)
	}
	if object == nil {
		object = &bitnamiv1.SealedSecret{ObjectMeta: metav1.ObjectMeta{UID: "none"}} // it may be on its way
	}
	switch claimOf(secret, object, record) {
	case ours, managed, patchedAndManaged:
		q.Add(reconcile.Request{NamespacedName: name})
		return
	}
	r.vanished.note(name, r.Now())
	q.AddAfter(reconcile.Request{NamespacedName: name}, vanishedFor)
}

// sealed is the SealedSecret of a name, nil when there is none.
func (r *Reconciler) sealed(ctx context.Context, name types.NamespacedName) *bitnamiv1.SealedSecret {
	object := &bitnamiv1.SealedSecret{}
	if r.Client.Get(ctx, name, object) != nil {
		return nil
	}
	return object
}

// vanishedFor is how long a name is left alone after a Secret went that was not ours.
const vanishedFor = 1100 * time.Millisecond

// vanished remembers the names of Secrets that were not ours and went a moment ago.
type vanished struct {
	mu    sync.Mutex
	names map[types.NamespacedName]time.Time
}

func (v *vanished) note(name types.NamespacedName, now time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.names == nil {
		v.names = map[types.NamespacedName]time.Time{}
	}
	for other, at := range v.names {
		if now.Sub(at) > vanishedFor {
			delete(v.names, other)
		}
	}
	v.names[name] = now
}

// until is how long the name is still to be left alone.
func (v *vanished) until(name types.NamespacedName, now time.Time) time.Duration {
	v.mu.Lock()
	defer v.mu.Unlock()
	at, noted := v.names[name]
	if !noted {
		return 0
	}
	return max(at.Add(vanishedFor).Sub(now), 0)
}
