// Package apply makes the calls that a plan asks for: dry runs, server-side applies, replacements and deletions.
package apply

import (
	"context"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/cluster"
	"github.com/tiphys-io/tiphys/internal/plan"
)

// Observer takes in an object as the API server answered it, before the watch tells.
type Observer func(obj *unstructured.Unstructured)

// Runner carries out actions on clusters. Make one with NewRunner; it is safe for concurrent use.
type Runner struct {
	slots chan struct{}
}

// NewRunner bounds the calls that are under way at the same time on all clusters.
func NewRunner(parallel int) *Runner {
	return &Runner{slots: make(chan struct{}, max(parallel, 1))}
}

// Run carries out the groups one after the other and the actions of a group at the same time, and tells what came of each.
// A failed prune stops the applies that follow; any other failure stops nothing (contract 2.2).
func (r *Runner) Run(ctx context.Context, conn *cluster.Conn, options plan.Options, groups [][]plan.Action, observe Observer) []plan.Outcome {
	var outcomes []plan.Outcome
	for _, group := range groups {
		done := make([]plan.Outcome, len(group))
		finished := make(chan struct{}, len(group))
		for i, action := range group {
			r.slots <- struct{}{}
			go func() {
				defer func() { <-r.slots; finished <- struct{}{} }()
				done[i] = r.one(ctx, conn, options, action, observe)
			}()
		}
		for range group {
			<-finished
		}
		outcomes = append(outcomes, done...)
		for _, outcome := range done {
			if outcome.Err != nil && outcome.Action.Verb == plan.Prune {
				return outcomes
			}
		}
	}
	return outcomes
}

func (r *Runner) one(ctx context.Context, conn *cluster.Conn, options plan.Options, action plan.Action, observe Observer) plan.Outcome {
	outcome := plan.Outcome{Action: action}
	task := action.Task
	obj := task.Target
	if obj == nil {
		obj = task.Live
	}
	if plan.Skipped(options, task) {
		return outcome
	}
	if task.Target != nil && task.Target.GetName() == "" {
		outcome.Err = fmt.Errorf("%s without metadata.name cannot be applied: give it a name", task.Key.Kind)
		if task.Target.GetGenerateName() != "" {
			outcome.Err = fmt.Errorf("from %s: cannot use generate name with apply", task.Target.GetGenerateName())
		}
		return outcome
	}
	client, err := conn.Client(obj)
	if err != nil {
		outcome.Err = err
		return outcome
	}
	switch {
	case action.Verb == plan.DryRun && task.Target == nil:
		outcome.Err = remove(ctx, client, task, []string{metav1.DryRunAll})
	case action.Verb == plan.DryRun:
		_, outcome.Err = put(ctx, client, task, []string{metav1.DryRunAll})
	case action.Verb == plan.Prune:
		outcome.Err = remove(ctx, client, task, nil)
	default:
		var after *unstructured.Unstructured
		if after, outcome.Err = put(ctx, client, task, nil); outcome.Err == nil {
			outcome.Message = describe(task, after)
			observe(after)
		}
	}
	return outcome
}

// put applies the target server-side, or replaces the live object where the task says so.
func put(ctx context.Context, client dynamic.ResourceInterface, task plan.Task, dryRun []string) (*unstructured.Unstructured, error) {
	target := task.Target
	if task.Replace && task.Live != nil {
		target = target.DeepCopy()
		target.SetResourceVersion(task.Live.GetResourceVersion())
		return client.Update(ctx, target, metav1.UpdateOptions{FieldManager: argov1.FieldManager, DryRun: dryRun})
	}
	options := metav1.ApplyOptions{FieldManager: argov1.FieldManager, Force: true, DryRun: dryRun}
	after, err := client.Apply(ctx, target.GetName(), target, options)
	if err == nil || !task.Force || task.Live == nil || !(apierrors.IsInvalid(err) || apierrors.IsConflict(err)) {
		return after, err
	}
	if len(dryRun) > 0 {
		return task.Live, nil
	}
	uid := task.Live.GetUID()
	if err := client.Delete(ctx, target.GetName(), metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &uid}}); err != nil && !apierrors.IsNotFound(err) {
		return nil, err
	}
	return client.Apply(ctx, target.GetName(), target, options)
}

// remove deletes the live object that was compared, and no other of the same name. One that is going already is left alone.
func remove(ctx context.Context, client dynamic.ResourceInterface, task plan.Task, dryRun []string) error {
	if task.Live.GetDeletionTimestamp() != nil {
		return nil
	}
	uid := task.Live.GetUID()
	policy := Propagation(task.Propagation)
	err := client.Delete(ctx, task.Live.GetName(), metav1.DeleteOptions{
		Preconditions: &metav1.Preconditions{UID: &uid}, PropagationPolicy: &policy, DryRun: dryRun,
	})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
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

// describe says in kubectl's words what an apply did (contract 2.5).
func describe(task plan.Task, after *unstructured.Unstructured) string {
	word := "configured"
	switch {
	case task.ServerSideApply:
		word = "serverside-applied"
	case task.Live == nil:
		word = "created"
	case task.Replace:
		word = "replaced"
	case task.Live.GetResourceVersion() == after.GetResourceVersion():
		word = "unchanged"
	}
	name := strings.ToLower(task.Key.Kind)
	if task.Key.Group != "" {
		name += "." + task.Key.Group
	}
	return name + "/" + task.Key.Name + " " + word
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

// Delete removes one live object as the cascade of a deleted application does (contract 2.11).
func Delete(ctx context.Context, conn *cluster.Conn, obj *unstructured.Unstructured, propagation string) error {
	client, err := conn.Client(obj)
	if err != nil {
		return err
	}
	return remove(ctx, client, plan.Task{Live: obj, Propagation: propagation}, nil)
}
