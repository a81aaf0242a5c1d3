package application

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/controller/outcome"
	"github.com/tiphys-io/tiphys/internal/plan"
	"github.com/tiphys-io/tiphys/internal/resource"
	"github.com/tiphys-io/tiphys/internal/target"
)

// failedHookPause is how long a failed hook of a deletion waits before it is run again.
const failedHookPause = 10 * time.Second

// deletionHook is a type of hooks that run when an application is deleted, and the finalizers that stand for them.
type deletionHook struct {
	hookType      argov1.HookType
	runs, cleanup string
}

var deletionHooks = []deletionHook{
	{argov1.HookTypePreDelete, argov1.FinalizerPreDelete, argov1.FinalizerPreDeleteCleanup},
	{argov1.HookTypePostDelete, argov1.FinalizerPostDelete, argov1.FinalizerPostDeleteCleanup},
}

// finalize runs PreDelete hooks, deletes what a deleted application manages, in reverse waves, runs PostDelete hooks, and
// lets the application go (contract 2.11). The deletion itself needs the inventory and the cluster, not Git. An operation
// that still runs comes first (contract 1.6).
func (r *Reconciler) finalize(ctx context.Context, s *scope) error {
	if s.app.DeletionTimestamp == nil || s.app.Operation != nil {
		return nil
	}
	if !slices.ContainsFunc(s.app.Finalizers, isOurs) {
		return outcome.Waiting(0)
	}
	s.evaluated = append(s.evaluated, argov1.ConditionDeletionError)
	if s.app.Spec.Destination.Server != r.Conn.Server && s.app.Spec.Destination.Name != r.Conn.Name {
		s.app.Finalizers = slices.DeleteFunc(s.app.Finalizers, isOurs)
		return outcome.Waiting(0)
	}
	if err := r.findProject(ctx, s); err != nil {
		s.raise(argov1.ConditionDeletionError, err.Error())
		return outcome.Waiting(waitPass)
	}
	for _, stage := range []func(context.Context, *scope) (string, error){r.runPreDelete, r.cascade, r.runPostDelete, r.cleanHooks} {
		waiting, err := stage(ctx, s)
		if err != nil {
			s.raise(argov1.ConditionDeletionError, err.Error())
			return err
		}
		if waiting != "" {
			s.explainDeletion(waiting)
			if pause := s.memory.resume.Sub(r.Now()); pause > 0 {
				return outcome.Waiting(pause)
			}
			return outcome.Waiting(waitPass)
		}
	}
	s.app.Finalizers = slices.DeleteFunc(s.app.Finalizers, isOurs)
	return outcome.Waiting(0)
}

func isOurs(finalizer string) bool {
	return isCascade(finalizer) || slices.ContainsFunc(deletionHooks, func(h deletionHook) bool { return finalizer == h.runs || finalizer == h.cleanup })
}

func isCascade(finalizer string) bool {
	return finalizer == argov1.FinalizerResources || finalizer == argov1.FinalizerResourcesForeground || finalizer == argov1.FinalizerResourcesBackground
}

// findProject looks the project up: without it nobody knows what may be deleted (contract B 23).
func (r *Reconciler) findProject(ctx context.Context, s *scope) error {
	err := r.readProject(ctx, s)
	if apierrors.IsNotFound(err) {
		return fmt.Errorf("error getting app project %q: appproject.argoproj.io %[1]q not found", s.app.Spec.GetProject())
	}
	return err
}

// explainDeletion raises a condition once the deletion has waited for long, or at once when it waits for a person.
func (s *scope) explainDeletion(waiting string) {
	if s.memory.waiting != waiting {
		s.memory.waiting, s.memory.waitingSince = waiting, s.now
	}
	if s.confirming || s.now.Sub(s.memory.waitingSince) >= explainAfter {
		s.raise(argov1.ConditionDeletionError, waiting)
	}
}

func (r *Reconciler) runPreDelete(ctx context.Context, s *scope) (string, error) {
	return r.runDeletionHooks(ctx, s, deletionHooks[0])
}

func (r *Reconciler) runPostDelete(ctx context.Context, s *scope) (string, error) {
	return r.runDeletionHooks(ctx, s, deletionHooks[1])
}

// runDeletionHooks runs the hooks of one type, and takes their finalizer away when all have ended well.
func (r *Reconciler) runDeletionHooks(ctx context.Context, s *scope, hook deletionHook) (waiting string, err error) {
	if !slices.Contains(s.app.Finalizers, hook.runs) {
		return "", nil
	}
	if s.now.Before(s.memory.resume) {
		return "waiting to run the failed " + string(hook.hookType) + " hooks again", nil
	}
	if err := r.permitsHooks(ctx, s); err != nil {
		return "", err
	}
	for {
		in, err := r.deletionInput(ctx, s)
		if err != nil {
			return "", err
		}
		step := plan.NextDeletion(in, hook.hookType)
		if step.Done {
			s.app.Finalizers = slices.DeleteFunc(s.app.Finalizers, func(f string) bool { return f == hook.runs })
			return "", r.write(ctx, s)
		}
		if len(step.Actions) == 0 {
			return step.Waiting, nil
		}
		if err := r.runActions(ctx, in, step.Actions); err != nil {
			return "", err
		}
		if slices.ContainsFunc(step.Actions, func(a plan.Action) bool { return a.Verb == plan.DeleteHook }) {
			s.memory.resume = r.Now().Add(failedHookPause)
			return step.Waiting, nil
		}
	}
}

// permitsHooks asks the project about an application whose hooks are to run: a deletion does not do what a sync may not.
func (r *Reconciler) permitsHooks(ctx context.Context, s *scope) error {
	violations := r.validate(&s.app.Spec)
	if len(violations) == 0 {
		violations = r.Permissions.Application(s.app, s.project)
	}
	if len(violations) > 0 {
		return fmt.Errorf("the hooks of the deletion may not run: %s; to delete without them, remove their finalizers", strings.Join(violations, "; "))
	}
	return ctx.Err()
}

// cleanHooks deletes what the policies of the deletion hooks want to be deleted when all went well.
func (r *Reconciler) cleanHooks(ctx context.Context, s *scope) (waiting string, err error) {
	for _, hook := range deletionHooks {
		if !slices.Contains(s.app.Finalizers, hook.cleanup) {
			continue
		}
		in, err := r.deletionInput(ctx, s)
		if err != nil {
			return "", err
		}
		if err := r.runActions(ctx, in, plan.DeletionCleanup(in, hook.hookType)); err != nil {
			return "", err
		}
	}
	return "", nil
}

func (r *Reconciler) runActions(ctx context.Context, in plan.Input, actions []plan.Action) error {
	for _, outcome := range r.Runner.Run(ctx, r.Conn, in.Options, [][]plan.Action{actions}, r.Watcher.Store) {
		if outcome.Err != nil {
			return fmt.Errorf("hook %s: %w", outcome.Action.Task.Key, outcome.Err)
		}
	}
	return ctx.Err()
}

// deletionInput gathers the hooks of the deletion as the spec wants them now.
func (r *Reconciler) deletionInput(ctx context.Context, s *scope) (plan.Input, error) {
	if err := r.loadTarget(ctx, s); err != nil {
		return plan.Input{}, fmt.Errorf("the deletion hooks cannot be rendered: %w; to delete without them, remove the finalizers %s and %s",
			err, argov1.FinalizerPreDelete, argov1.FinalizerPostDelete)
	}
	if err := r.compare(ctx, s); err != nil {
		return plan.Input{}, err
	}
	comparison := s.comparison
	s.comparison = nil // what is being deleted is not reported as missing
	in := plan.Input{Health: s.gate, Options: plan.Options{
		StartedAt: s.app.DeletionTimestamp.Time, Namespace: s.app.Spec.Destination.Namespace, Revision: s.firstRevision(),
	}}
	for _, row := range comparison.Rows {
		if row.Hook && row.Target != nil {
			rejected, err := r.rejected(s, row, &argov1.SyncOperation{})
			if err == nil && rejected != (plan.Rejection{}) {
				err = fmt.Errorf("hook %s may not run: %s", row.Key, rejected.Message)
			}
			if err != nil {
				return plan.Input{}, err
			}
		}
		in.Objects = append(in.Objects, plan.Object{Target: row.Target, Live: row.Live, SelfReferenced: row.SelfReferenced})
	}
	return in, nil
}

// cascade deletes the managed objects, the last wave first, and says what it waits for; empty when nothing is left.
func (r *Reconciler) cascade(ctx context.Context, s *scope) (waiting string, err error) {
	at := slices.IndexFunc(s.app.Finalizers, isCascade)
	if at < 0 {
		return "", nil
	}
	propagation := "foreground"
	if s.app.Finalizers[at] == argov1.FinalizerResourcesBackground {
		propagation = "background"
	}
	for {
		doomed, err := r.doomed(ctx, s)
		if err != nil || len(doomed) == 0 {
			return "", err
		}
		for _, obj := range doomed {
			if asksFirst(obj, s.syncOptions()) && s.approval().Before(s.app.DeletionTimestamp.Time) {
				s.confirming = true
				return fmt.Sprintf("waiting for the deletion of %s to be confirmed: set the annotation %s to the current time",
					resource.KeyOf(obj), argov1.AnnotationDeletionApproved), nil
			}
		}
		going, err := r.deleteWave(ctx, doomed, propagation)
		if err != nil || going != "" {
			return going, err
		}
	}
}

// deleteWave deletes the wave of the first object, side by side; it names an object that does not go at once.
func (r *Reconciler) deleteWave(ctx context.Context, doomed []*unstructured.Unstructured, propagation string) (going string, err error) {
	wave := slices.Clone(doomed)
	for i, obj := range doomed {
		if resource.Wave(obj) != resource.Wave(doomed[0]) {
			wave = wave[:i]
			break
		}
	}
	left := 0
	for i, err := range r.Runner.Delete(ctx, r.Conn, wave, propagation, r.Watcher.Store) {
		if err != nil {
			return "", fmt.Errorf("deleting %s: %w", resource.KeyOf(wave[i]), err)
		}
		if obj := r.Watcher.Store.Get(resource.KeyOf(wave[i])); obj != nil {
			wave[left] = obj
			left++
		}
	}
	if left == 0 {
		return "", nil
	}
	return "waiting for deletion of " + blocker(wave[0]), nil
}

// doomed are the objects that go with the application, the last wave first. Definitions of kinds, the application itself,
// hooks that run after the deletion, what asks to be kept and what the project no longer permits stay; so does everything
// that does not name itself in its mark (contract 2.11, B 21).
func (r *Reconciler) doomed(ctx context.Context, s *scope) ([]*unstructured.Unstructured, error) {
	if err := r.watch(ctx, s); err != nil {
		return nil, err
	}
	snapshot, err := r.snapshot(ctx, s)
	if err != nil {
		return nil, err
	}
	var doomed []*unstructured.Unstructured
	for _, obj := range snapshot {
		if !r.keeps(ctx, s, obj) {
			doomed = append(doomed, obj)
		}
	}
	slices.SortFunc(doomed, func(a, b *unstructured.Unstructured) int {
		if byWave := resource.Wave(b) - resource.Wave(a); byWave != 0 {
			return byWave
		}
		return resource.KeyOf(a).Compare(resource.KeyOf(b))
	})
	return doomed, nil
}

// keeps tells whether an object stays when its application is deleted.
func (r *Reconciler) keeps(ctx context.Context, s *scope, obj *unstructured.Unstructured) bool {
	owner, tracked := s.settings.Tracker.Owner(obj)
	if !tracked || owner != s.instance || !selfReferenced(s, obj) {
		return true
	}
	self := obj.GetKind() == "Application" && obj.GetName() == s.app.Name && obj.GetNamespace() == s.app.Namespace
	options := s.syncOptions()
	if self || obj.GetKind() == "CustomResourceDefinition" || resource.HasOption(obj, "Delete=false") ||
		(options.Has("Delete=false") && !resource.HasOption(obj, "Delete=true")) ||
		slices.Contains(resource.Values(obj, argov1.AnnotationHelmPolicy), "keep") ||
		slices.Contains(resource.HookTypes(obj), argov1.HookTypePostDelete) {
		return true
	}
	if r.Permissions.Object(s.project, resource.KeyOf(obj), obj.GetNamespace() != "") != "" {
		return true
	}
	return r.holdsOthers(ctx, s, obj)
}

// selfReferenced tells whether a live object names itself in its mark. A hook with a generated name cannot: it was marked
// before it had one, and counts by the mark of its application.
func selfReferenced(s *scope, obj *unstructured.Unstructured) bool {
	return s.settings.Tracker.SelfReferenced(obj, nil) || (resource.IsHook(obj) && s.settings.Tracker.Nameless(obj))
}

// holdsOthers tells whether an object is a namespace in which others live; such a namespace goes only by an explicit word.
func (r *Reconciler) holdsOthers(ctx context.Context, s *scope, obj *unstructured.Unstructured) bool {
	if obj.GetKind() != "Namespace" || obj.GroupVersionKind().Group != "" || obj.GetDeletionTimestamp() != nil ||
		resource.HasOption(obj, "Delete=true") || asksFirst(obj, s.syncOptions()) {
		return false
	}
	occupants := r.occupants(ctx, s, obj.GetName())
	if occupants != "" {
		r.event(s, corev1.EventTypeWarning, "NamespaceKept", fmt.Sprintf(
			"namespace %s stays because it holds %s: move or delete them, or set the sync option Delete=true on the namespace", obj.GetName(), occupants))
	}
	return occupants != ""
}

func (s *scope) syncOptions() argov1.SyncOptions { return s.app.Spec.SyncPolicy.GetSyncOptions() }

// asksFirst tells whether an object is deleted only after a person has agreed.
func asksFirst(obj *unstructured.Unstructured, options argov1.SyncOptions) bool {
	for _, option := range []string{"Delete=confirm", "Prune=confirm"} {
		if resource.HasOption(obj, option) || options.Has(option) {
			return true
		}
	}
	return false
}

// blocker names an object that is going, and who holds it.
func blocker(obj *unstructured.Unstructured) string {
	text := resource.KeyOf(obj).String()
	if holders := plan.Holders(obj); holders != "" {
		text += ", " + holders
	}
	return text
}

// deletionFinalizers makes the finalizers say whether the target has hooks for the deletion (contract 1.9).
func (s *scope) deletionFinalizers() {
	if s.app.DeletionTimestamp != nil {
		return
	}
	for _, hook := range deletionHooks {
		wanted := slices.ContainsFunc(s.memory.state.Objects, func(o target.Object) bool {
			return slices.Contains(resource.HookTypes(o.Target), hook.hookType)
		})
		for _, finalizer := range []string{hook.runs, hook.cleanup} {
			at := slices.Index(s.app.Finalizers, finalizer)
			switch {
			case wanted && at < 0:
				s.app.Finalizers = append(s.app.Finalizers, finalizer)
			case !wanted && at >= 0:
				s.app.Finalizers = slices.Delete(s.app.Finalizers, at, at+1)
			}
		}
	}
}
