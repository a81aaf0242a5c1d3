// Package apply makes the calls that a plan asks for: server-side applies, replacements, deletions, and the releases of hooks.
package apply

import (
	"context"
	"fmt"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/cluster"
	"github.com/tiphys-io/tiphys/internal/plan"
	"github.com/tiphys-io/tiphys/internal/resource"
)

// Observer takes in objects as the API server answered them, before the watch tells.
type Observer interface {
	// Put takes in an object as it stands now.
	Put(obj *unstructured.Unstructured)
	// Delete forgets an object; an empty version means whatever version was seen.
	Delete(key resource.Key, version string)
}

// Runner carries out actions on clusters. Make one with NewRunner; it is safe for concurrent use.
type Runner struct {
	slots chan struct{}
}

// NewRunner bounds the calls that are under way at the same time on all clusters.
func NewRunner(parallel int) *Runner {
	return &Runner{slots: make(chan struct{}, max(parallel, 1))}
}

// Run carries out the groups one after the other and the actions of a group at the same time, and tells what came of each.
// A failed prune stops the applies that follow, and after any failure no hook is cleaned up any more; otherwise a failure
// stops nothing (contract 2.2). When ctx ends, actions that were not started have no outcome.
func (r *Runner) Run(ctx context.Context, conn *cluster.Conn, options plan.Options, groups [][]plan.Action, observer Observer) []plan.Outcome {
	call := call{conn: conn, options: options, observer: observer}
	var outcomes []plan.Outcome
	failed := false
	for _, group := range groups {
		if failed && len(group) > 0 && group[0].Verb == plan.DeleteHook {
			return outcomes
		}
		for _, outcome := range r.group(ctx, call, group) {
			outcomes = append(outcomes, outcome)
			failed = failed || outcome.Err != nil
		}
		if failed && group[0].Verb == plan.Prune {
			return outcomes
		}
	}
	return outcomes
}

// group does actions side by side.
func (r *Runner) group(ctx context.Context, call call, group []plan.Action) []plan.Outcome {
	done := make([]plan.Outcome, len(group))
	started := r.each(ctx, len(group), func(i int) { done[i] = call.do(ctx, group[i]) })
	return done[:started]
}

// each does n things side by side, as many at a time as there are slots, and waits for them; it tells how many were started
// before ctx ended.
func (r *Runner) each(ctx context.Context, n int, do func(i int)) (started int) {
	var all sync.WaitGroup
	defer all.Wait()
	for i := range n {
		select {
		case r.slots <- struct{}{}:
		case <-ctx.Done():
			return i
		}
		if ctx.Err() != nil { // a slot was free all the same
			<-r.slots
			return i
		}
		all.Go(func() {
			defer func() { <-r.slots }()
			do(i)
		})
	}
	return n
}

// call is what the actions of one run have in common.
type call struct {
	conn     *cluster.Conn
	options  plan.Options
	observer Observer
}

func (c call) do(ctx context.Context, action plan.Action) plan.Outcome {
	outcome := plan.Outcome{Action: action}
	task := action.Task
	if plan.Skipped(c.options, task) {
		return outcome
	}
	if action.Verb == plan.Apply && task.Unchanged() {
		outcome.Message = describe(task, unchanged(task))
		return outcome
	}
	client, err := c.client(task)
	if err != nil {
		outcome.Err = err
		return outcome
	}
	for range conflictAttempts { // somebody else writes the same object at the same time
		if outcome.Message, outcome.Err = c.act(ctx, client, action); !apierrors.IsConflict(outcome.Err) {
			break
		}
	}
	return outcome
}

// act does what the verb says, once.
func (c call) act(ctx context.Context, client dynamic.ResourceInterface, action plan.Action) (message string, err error) {
	task := action.Task
	switch action.Verb {
	case plan.Apply:
		return c.apply(ctx, client, task)
	case plan.Prune:
		if err := remove(ctx, client, task.Live, task.Propagation); err != nil {
			return "", err
		}
		return "", c.look(ctx, client, task.Live)
	case plan.ReleaseHook:
		return "", c.release(ctx, client, task.Live)
	case plan.DeleteHook:
		return "", c.deleteHook(ctx, client, task)
	}
	return "", nil
}

// client is the client for the object of a task.
func (c call) client(task plan.Task) (dynamic.ResourceInterface, error) {
	obj := task.Target
	if obj == nil {
		obj = task.Live
	}
	client, err := c.conn.Client(obj)
	if meta.IsNoMatchError(err) {
		return nil, fmt.Errorf("resource mapping not found for name: %q namespace: %q from \"\": %w\nensure CRDs are installed first",
			obj.GetName(), obj.GetNamespace(), err)
	}
	return client, err
}

// look reads an object back after it was deleted: it may be gone, or wait for finalizers.
func (c call) look(ctx context.Context, client dynamic.ResourceInterface, obj *unstructured.Unstructured) error {
	now, err := client.Get(ctx, obj.GetName(), metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		c.observer.Delete(resource.KeyOf(obj), "")
		return nil
	case err != nil:
		return err
	}
	c.observer.Put(now)
	return nil
}

// remove deletes the live object that was compared, and no other of the same name. One that is going already is left alone.
func remove(ctx context.Context, client dynamic.ResourceInterface, live *unstructured.Unstructured, propagation string) error {
	if live.GetDeletionTimestamp() != nil {
		return nil
	}
	uid := live.GetUID()
	policy := Propagation(propagation)
	err := client.Delete(ctx, live.GetName(), metav1.DeleteOptions{
		Preconditions: &metav1.Preconditions{UID: &uid}, PropagationPolicy: &policy,
	})
	return unlessGone(err)
}

// Propagation is the policy of that name, foreground when there is none such (contract 2.6).
func Propagation(name string) metav1.DeletionPropagation {
	switch name {
	case "background":
		return metav1.DeletePropagationBackground
	case "orphan":
		return metav1.DeletePropagationOrphan
	}
	return metav1.DeletePropagationForeground
}

// describe says in kubectl's words what was done to the object of a task (contract 2.5).
func describe(task plan.Task, word string) string {
	return task.Key.KubectlName() + " " + word
}

// unchanged is the word for an object that is as it should be.
func unchanged(task plan.Task) string {
	if task.ServerSideApply {
		return "serverside-applied"
	}
	return "unchanged"
}

// Predict asks the server what an apply of the target would make of the live object; nothing is changed.
func Predict(ctx context.Context, conn *cluster.Conn, target *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	client, err := conn.Client(target)
	if err != nil {
		return nil, err
	}
	return client.Apply(ctx, target.GetName(), target, metav1.ApplyOptions{
		FieldManager: argov1.FieldManager, Force: true, DryRun: []string{metav1.DryRunAll},
	})
}

// Read is the live object that a target describes, in the version of the target.
func Read(ctx context.Context, conn *cluster.Conn, target *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	client, err := conn.Client(target)
	if err != nil {
		return nil, err
	}
	return client.Get(ctx, target.GetName(), metav1.GetOptions{})
}

// Delete removes live objects side by side, as the cascade of a deleted application does (contract 2.11), and tells what came
// of each. The observer learns what is left of them.
func (r *Runner) Delete(ctx context.Context, conn *cluster.Conn, objs []*unstructured.Unstructured, propagation string, observer Observer) []error {
	errs := make([]error, len(objs))
	c := call{conn: conn, observer: observer}
	started := r.each(ctx, len(objs), func(i int) {
		task := plan.Task{Key: resource.KeyOf(objs[i]), Live: objs[i], Propagation: propagation}
		client, err := c.client(task)
		if err == nil {
			err = c.deleteHook(ctx, client, task) // an object that is no hook has no hook finalizer to lose
		}
		errs[i] = err
	})
	for i := range errs[started:] {
		errs[started+i] = ctx.Err()
	}
	return errs
}

// Release takes the hook finalizer off a live hook, so that nothing holds it when the operation is over.
func Release(ctx context.Context, conn *cluster.Conn, obj *unstructured.Unstructured, observer Observer) error {
	client, err := conn.Client(obj)
	if err != nil {
		return err
	}
	return call{conn: conn, observer: observer}.release(ctx, client, obj)
}
