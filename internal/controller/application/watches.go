package application

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/live"
	"github.com/tiphys-io/tiphys/internal/tracking"
)

// queue is the controller's work queue, known once the controller has started.
type queue struct {
	mu     sync.RWMutex
	work   workqueue.TypedRateLimitingInterface[reconcile.Request]
	serves func(namespace string) bool // nil before the setup
}

func (q *queue) start(_ context.Context, work workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.work = work
	return nil
}

// after has an application reconciled after a while, if its namespace is served: a mark in the cluster may name any. Before
// the controller has started there is no need: it begins with all applications.
func (q *queue) after(request reconcile.Request, wait time.Duration) {
	q.mu.RLock()
	defer q.mu.RUnlock()
	if q.work != nil && q.serves(request.Namespace) {
		q.work.AddAfter(request, wait)
	}
}

// pushed has an application reconciled because of a push, after a while; those that are not urgent let all others go first.
func (q *queue) pushed(request reconcile.Request, wait time.Duration, urgent bool) {
	q.mu.RLock()
	defer q.mu.RUnlock()
	switch work := q.work.(type) {
	case nil:
	case priorityqueue.PriorityQueue[reconcile.Request]:
		options := priorityqueue.AddOpts{After: wait}
		if !urgent {
			options.Priority = new(handler.LowPriority)
		}
		work.AddWithOpts(options, request)
	default:
		work.AddAfter(request, wait)
	}
}

// Refresh has an application compared with what its repositories have now, after a while. It is nothing that is written down: a
// process that begins compares all applications anyway, and so does one that has not begun yet.
func (r *Reconciler) Refresh(name types.NamespacedName, wait time.Duration, urgent bool) {
	if value, known := r.memories.Load(name); known {
		if mem, ok := value.(*memory); ok {
			mem.pushed.Store(true)
		}
	}
	r.queue.pushed(reconcile.Request{NamespacedName: name}, wait, urgent)
}

func requestFor(app *argov1.Application) reconcile.Request {
	return reconcile.Request{NamespacedName: types.NamespacedName{Namespace: app.Namespace, Name: app.Name}}
}

// Changed takes in what the watcher of the destination cluster sees.
func (r *Reconciler) Changed(change live.Change) {
	name, namespace := tracking.ParseInstanceName(change.Instance, r.Options.ControlNamespace)
	r.queue.after(reconcile.Request{NamespacedName: types.NamespacedName{Namespace: namespace, Name: name}}, 0)
}

// byProject is the index of the applications by the name of their project.
const byProject = "spec.project"

// What failed is tried again after pauses that grow from the first to the last. The last is short: what fails here, fails because
// the API server cannot be reached, and nobody tells when it is back.
const (
	firstRetry = 5 * time.Millisecond
	lastRetry  = 10 * time.Second
)

// SetupWithManager registers the reconciler for the applications of those namespaces that are served. Every ConfigMap that
// the manager's cache lets through counts as settings, which concern all applications.
func (r *Reconciler) SetupWithManager(ctx context.Context, mgr ctrl.Manager, serves func(namespace string) bool) error {
	r.queue.serves = serves
	err := mgr.GetFieldIndexer().IndexField(ctx, &argov1.Application{}, byProject, projectOf)
	if err != nil {
		return fmt.Errorf("indexing applications by project: %w", err)
	}
	served := predicate.NewPredicateFuncs(func(obj client.Object) bool { return serves(obj.GetNamespace()) })
	err = ctrl.NewControllerManagedBy(mgr).
		Named("application").
		For(&argov1.Application{}, builder.WithPredicates(served, predicate.Funcs{UpdateFunc: r.updated})).
		Watches(&argov1.AppProject{}, handler.EnqueueRequestsFromMapFunc(r.ofProject), builder.WithPredicates(decisive)).
		Watches(&corev1.ConfigMap{}, handler.EnqueueRequestsFromMapFunc(r.all), builder.WithPredicates(decisive)).
		WatchesRawSource(source.Func(r.queue.start)).
		WithOptions(controller.Options{
			MaxConcurrentReconciles: max(r.Options.Concurrency, 1),
			RateLimiter:             workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](firstRetry, lastRetry),
		}).
		Complete(reconcile.Func(r.reconcileBound))
	if err != nil {
		return fmt.Errorf("setting up the application controller: %w", err)
	}
	return nil
}

// reconcileBound reconciles until the settings change whose the objects of the cluster are; it is then begun again.
func (r *Reconciler) reconcileBound(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	if r.Begin != nil {
		select {
		case <-r.Begin:
		case <-ctx.Done():
			return ctrl.Result{}, fmt.Errorf("waiting for the default project: %w", ctx.Err())
		}
	}
	ctx, release := r.Watcher.Bind(ctx)
	defer release()
	return r.Reconcile(ctx, req)
}

func projectOf(obj client.Object) []string {
	if app, ok := obj.(*argov1.Application); ok {
		return []string{app.Spec.GetProject()}
	}
	return nil
}

// ofProject lists the applications of a project; those of a global one may be any.
func (r *Reconciler) ofProject(ctx context.Context, project client.Object) []reconcile.Request {
	settings, err := r.Settings(ctx)
	if err != nil || slices.ContainsFunc(settings.GlobalProjects, func(global GlobalProject) bool { return global.Name == project.GetName() }) {
		return r.list(ctx)
	}
	return r.list(ctx, client.MatchingFields{byProject: project.GetName()})
}

// RepositoriesChanged has the applications reconciled at once, and their repositories asked, for one of whose repositories
// concerned says so. Those that cannot be compared are, too: what a repository itself names may be what was missing.
func (r *Reconciler) RepositoriesChanged(ctx context.Context, concerned func(repoURL, project string) bool) {
	var list argov1.ApplicationList
	if err := r.Client.List(ctx, &list); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "listing the applications whose credentials changed; they count from the next poll on")
		return
	}
	for i := range list.Items {
		app := &list.Items[i]
		uses := slices.ContainsFunc(app.Spec.GetSources(), func(source argov1.ApplicationSource) bool {
			return concerned(source.RepoURL, app.Spec.GetProject())
		})
		fails := slices.ContainsFunc(app.Status.Conditions, func(condition argov1.ApplicationCondition) bool {
			return condition.Type == argov1.ConditionComparisonError
		})
		if (!uses && !fails) || !r.queue.serves(app.Namespace) {
			continue
		}
		r.Refresh(requestFor(app).NamespacedName, 0, true)
	}
}

func (r *Reconciler) all(ctx context.Context, _ client.Object) []reconcile.Request {
	return r.list(ctx)
}

func (r *Reconciler) list(ctx context.Context, options ...client.ListOption) []reconcile.Request {
	var list argov1.ApplicationList
	if err := r.Client.List(ctx, &list, append(options, client.UnsafeDisableDeepCopy)...); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "listing the applications that a change concerns; they are compared at the next poll")
		return nil
	}
	var requests []reconcile.Request
	for i := range list.Items {
		if r.queue.serves(list.Items[i].Namespace) {
			requests = append(requests, requestFor(&list.Items[i]))
		}
	}
	return requests
}

// decisive leaves out what changes nothing for an application: what was there at the start, when all applications are
// reconciled anyway, and what else there is of projects and settings: their status, their annotations.
var decisive = predicate.Funcs{
	CreateFunc: func(e event.CreateEvent) bool { return !e.IsInInitialList },
	UpdateFunc: func(e event.UpdateEvent) bool {
		switch before := e.ObjectOld.(type) {
		case *argov1.AppProject:
			after, ok := e.ObjectNew.(*argov1.AppProject)
			return !ok || !reflect.DeepEqual(before.Spec, after.Spec) || !reflect.DeepEqual(before.Labels, after.Labels)
		case *corev1.ConfigMap:
			after, ok := e.ObjectNew.(*corev1.ConfigMap)
			return !ok || !reflect.DeepEqual(before.Data, after.Data) || !reflect.DeepEqual(before.Labels, after.Labels)
		}
		return true
	},
}

// updated takes in that the cache has a later version, and tells whether it is worth a reconcile.
func (r *Reconciler) updated(e event.UpdateEvent) bool {
	if after, ok := e.ObjectNew.(*argov1.Application); ok {
		value, _ := r.memories.Load(requestFor(after).NamespacedName)
		if mem, known := value.(*memory); known {
			mem.cached.Store(version(after))
			mem.catchUp()
		}
	}
	return relevant(e)
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
