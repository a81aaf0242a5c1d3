package application

import (
	"context"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/apply"
	"github.com/tiphys-io/tiphys/internal/controller/outcome"
	"github.com/tiphys-io/tiphys/internal/live"
	"github.com/tiphys-io/tiphys/internal/resource"
)

// finalize deletes what a deleted application manages, in reverse waves, and then lets it go. It needs the inventory and
// the cluster, and neither Git nor the project's permission to sync (contract 2.11).
func (r *Reconciler) finalize(ctx context.Context, s *scope) error {
	if s.app.DeletionTimestamp == nil {
		return nil
	}
	at := slices.IndexFunc(s.app.Finalizers, isCascade)
	if at < 0 {
		return outcome.Waiting(0)
	}
	s.evaluated = append(s.evaluated, argov1.ConditionDeletionError)
	if s.app.Spec.Destination.Server != r.Conn.Server && s.app.Spec.Destination.Name != r.Conn.Name {
		s.app.Finalizers = slices.Delete(s.app.Finalizers, at, at+1)
		return outcome.Waiting(0)
	}
	waiting, err := r.cascade(ctx, s, s.app.Finalizers[at])
	if err != nil {
		s.raise(argov1.ConditionDeletionError, err.Error())
		return err
	}
	if waiting != "" {
		s.raise(argov1.ConditionDeletionError, waiting)
		return outcome.Waiting(waitPass)
	}
	s.app.Finalizers = slices.Delete(s.app.Finalizers, at, at+1)
	return outcome.Waiting(0)
}

func isCascade(finalizer string) bool {
	return finalizer == argov1.FinalizerResources || finalizer == argov1.FinalizerResourcesForeground || finalizer == argov1.FinalizerResourcesBackground
}

// cascade deletes the last wave that is left and says what it waits for; empty when nothing is left.
func (r *Reconciler) cascade(ctx context.Context, s *scope, finalizer string) (waiting string, err error) {
	if err := r.watch(ctx, s); err != nil {
		return "", err
	}
	snapshot, err := r.Watcher.Snapshot(ctx, s.instance)
	if err != nil {
		return "", err
	}
	doomed := s.doomed(snapshot)
	if len(doomed) == 0 {
		return "", nil
	}
	for _, obj := range doomed {
		if asksFirst(obj, s.app) && s.approval().Before(s.app.DeletionTimestamp.Time) {
			return fmt.Sprintf("waiting for the deletion of %s to be confirmed: set the annotation %s to the current time",
				resource.KeyOf(obj), argov1.AnnotationDeletionApproved), nil
		}
	}
	propagation := "foreground"
	if finalizer == argov1.FinalizerResourcesBackground {
		propagation = "background"
	}
	wave := resource.Wave(doomed[0])
	for _, obj := range doomed {
		if resource.Wave(obj) != wave {
			break
		}
		if obj.GetDeletionTimestamp() != nil {
			continue
		}
		if err := apply.Delete(ctx, r.Conn, obj, propagation); err != nil {
			return "", fmt.Errorf("deleting %s: %w", resource.KeyOf(obj), err)
		}
	}
	return "waiting for deletion of " + blocker(doomed[0]), nil
}

// doomed are the objects that go with the application, the last wave first. Definitions of kinds, the application itself
// and what asks to be kept stay; so does everything that does not name itself in its mark (contract 2.11).
func (s *scope) doomed(snapshot live.Snapshot) []*unstructured.Unstructured {
	var doomed []*unstructured.Unstructured
	for _, obj := range snapshot {
		owner, tracked := s.settings.Tracker.Owner(obj)
		if !tracked || owner != s.instance || !s.settings.Tracker.SelfReferenced(obj, nil) || s.keeps(obj) {
			continue
		}
		doomed = append(doomed, obj)
	}
	slices.SortFunc(doomed, func(a, b *unstructured.Unstructured) int {
		if byWave := resource.Wave(b) - resource.Wave(a); byWave != 0 {
			return byWave
		}
		return resource.KeyOf(a).Compare(resource.KeyOf(b))
	})
	return doomed
}

func (s *scope) keeps(obj *unstructured.Unstructured) bool {
	self := obj.GetKind() == "Application" && obj.GetName() == s.app.Name && obj.GetNamespace() == s.app.Namespace
	options := s.syncOptions()
	return self || obj.GetKind() == "CustomResourceDefinition" || resource.HasOption(obj, "Delete=false") ||
		(options.Has("Delete=false") && !resource.HasOption(obj, "Delete=true")) ||
		slices.Contains(resource.Values(obj, argov1.AnnotationHelmPolicy), "keep")
}

func (s *scope) syncOptions() argov1.SyncOptions {
	if s.app.Spec.SyncPolicy == nil {
		return nil
	}
	return s.app.Spec.SyncPolicy.SyncOptions
}

func asksFirst(obj *unstructured.Unstructured, app *argov1.Application) bool {
	for _, option := range []string{"Delete=confirm", "Prune=confirm"} {
		if resource.HasOption(obj, option) || (app.Spec.SyncPolicy != nil && app.Spec.SyncPolicy.SyncOptions.Has(option)) {
			return true
		}
	}
	return false
}

// approval is the time of the user's consent, zero when there is none.
func (s *scope) approval() time.Time {
	approved, err := time.Parse(time.RFC3339, s.app.Annotations[argov1.AnnotationDeletionApproved])
	if err != nil {
		return time.Time{}
	}
	return approved
}

// blocker names an object that is going, and the finalizers that hold it.
func blocker(obj *unstructured.Unstructured) string {
	text := resource.KeyOf(obj).String()
	if finalizers := obj.GetFinalizers(); len(finalizers) > 0 {
		text += fmt.Sprintf(", held by finalizers %v", finalizers)
	}
	return text
}
