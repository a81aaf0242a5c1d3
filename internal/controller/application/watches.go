package application

import (
	"context"
	"fmt"
	"reflect"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/live"
	"github.com/tiphys-io/tiphys/internal/tracking"
)

// queue is the controller's work queue, known once the controller has started.
type queue struct {
	mu   sync.RWMutex
	work workqueue.TypedRateLimitingInterface[reconcile.Request]
}

func (q *queue) start(_ context.Context, work workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.work = work
	return nil
}

// after has an application reconciled after a while. Before the controller has started there is no need: it begins with
// all applications.
func (q *queue) after(request reconcile.Request, wait time.Duration) {
	q.mu.RLock()
	defer q.mu.RUnlock()
	if q.work != nil {
		q.work.AddAfter(request, wait)
	}
}

func requestFor(app *argov1.Application) reconcile.Request {
	return reconcile.Request{NamespacedName: types.NamespacedName{Namespace: app.Namespace, Name: app.Name}}
}

// Changed takes in what the watcher of the destination cluster sees.
func (r *Reconciler) Changed(change live.Change) {
	name, namespace := tracking.ParseInstanceName(change.Instance, r.Options.ControlNamespace)
	r.queue.after(reconcile.Request{NamespacedName: types.NamespacedName{Namespace: namespace, Name: name}}, 0)
}

// SetupWithManager registers the reconciler.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	err := ctrl.NewControllerManagedBy(mgr).
		Named("application").
		For(&argov1.Application{}).
		WithEventFilter(predicate.Funcs{UpdateFunc: relevant}).
		WatchesRawSource(source.Func(r.queue.start)).
		WithOptions(controller.Options{MaxConcurrentReconciles: max(r.Options.Concurrency, 1)}).
		Complete(r)
	if err != nil {
		return fmt.Errorf("setting up the application controller: %w", err)
	}
	return nil
}

// relevant leaves out updates of the status alone. An Application has no status subresource, so its generation says
// nothing; an operation that somebody terminates is the one change of the status that matters.
func relevant(e event.UpdateEvent) bool {
	before, ok := e.ObjectOld.(*argov1.Application)
	if !ok {
		return true
	}
	after, ok := e.ObjectNew.(*argov1.Application)
	if !ok {
		return true
	}
	return !reflect.DeepEqual(before.Spec, after.Spec) ||
		!reflect.DeepEqual(before.Operation, after.Operation) ||
		!reflect.DeepEqual(before.Annotations, after.Annotations) ||
		!reflect.DeepEqual(before.Finalizers, after.Finalizers) ||
		(before.DeletionTimestamp == nil) != (after.DeletionTimestamp == nil) ||
		isTerminating(after)
}

func isTerminating(app *argov1.Application) bool {
	return app.Status.OperationState != nil && app.Status.OperationState.Phase == argov1.OperationTerminating
}
