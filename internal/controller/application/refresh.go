package application

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/apply"
	"github.com/tiphys-io/tiphys/internal/cluster"
	"github.com/tiphys-io/tiphys/internal/controller/outcome"
	"github.com/tiphys-io/tiphys/internal/refresh"
	"github.com/tiphys-io/tiphys/internal/resource"
	"github.com/tiphys-io/tiphys/internal/target"
)

// refresh compares at the revision that the spec asks for, or that a running operation is pinned to. An error leaves
// everything in the cluster as it is.
func (r *Reconciler) refresh(ctx context.Context, s *scope) error {
	s.evaluated = append(s.evaluated, argov1.ConditionComparisonError, argov1.ConditionRepeatedResourceWarning,
		argov1.ConditionExcludedResourceWarning, argov1.ConditionSharedResourceWarning)
	if err := r.loadTarget(ctx, s); err != nil {
		return r.failComparison(ctx, s, fmt.Errorf("Failed to load target state: %w", err)) //nolint:staticcheck // the contract's text (2.10)
	}
	if err := r.compare(ctx, s); err != nil {
		return r.failComparison(ctx, s, fmt.Errorf("Failed to load live state: %w", err)) //nolint:staticcheck // the contract's text (2.10)
	}
	for _, condition := range s.memory.state.Conditions {
		s.raise(condition.Type, condition.Message)
	}
	s.reportComparison()
	return nil
}

// reportComparison raises what the comparison found besides differences.
func (s *scope) reportComparison() {
	if s.comparison.Err != nil {
		s.raise(argov1.ConditionComparisonError, s.comparison.Err.Error())
		return
	}
	for _, row := range s.comparison.Rows {
		if row.SharedWith != "" && row.Target != nil {
			s.raise(argov1.ConditionSharedResourceWarning, fmt.Sprintf("%s/%s is part of applications %s/%s and %s",
				row.Key.Kind, row.Key.Name, s.app.Namespace, s.app.Name, row.SharedWith))
		}
	}
}

// loadTarget makes sure that the memory holds the target state; Git is asked only when the spec changed, somebody asked, or
// the polling interval is over (contract 2.10).
func (r *Reconciler) loadTarget(ctx context.Context, s *scope) error {
	req := r.targetRequest(s)
	key, err := requestKey(req)
	if err != nil {
		return err
	}
	if failure := s.memory.failure; failure.err != nil && failure.key == key && s.now.Before(failure.until) && !s.requested {
		return failure.err
	}
	due := s.settings.Timeout > 0 && !s.now.Before(s.pollAt())
	current := s.memory.state != nil && s.memory.stateKey == key && s.memory.failure.err == nil
	if current && !due && !s.requested {
		return nil
	}
	err = r.fetchTarget(ctx, s, req, key, current)
	s.memory.failure = targetFailure{err: err, key: key, until: s.now.Add(retryComparison)}
	return err
}

// fetchTarget asks the repositories, and renders when there is something new.
func (r *Reconciler) fetchTarget(ctx context.Context, s *scope, req target.Request, key string, current bool) error {
	req.Force = s.requested || (s.memory.state != nil && !current)
	revisions, err := target.Resolve(ctx, r.Rendering, req)
	if err != nil {
		return err
	}
	if !current || s.hard || !slices.Equal(revisions, s.memory.state.Revisions) {
		state, err := target.Build(ctx, r.Rendering, req, revisions)
		if err != nil {
			return err
		}
		s.memory.state, s.memory.stateKey = state, key
	}
	s.memory.refreshed, s.refreshed = s.now, true
	return nil
}

// targetRequest asks for the state of the running operation if there is one, else for that of the spec.
func (r *Reconciler) targetRequest(s *scope) target.Request {
	req := target.Request{Sources: s.app.Spec.GetSources(), Scope: target.Scope{
		Instance: s.instance, DestinationNamespace: s.app.Spec.Destination.Namespace,
		Tracker: s.settings.Tracker, Excluded: s.settings.Excluded, Namespaced: r.namespaced,
	}}
	if op := s.app.Operation; op != nil && op.Sync != nil {
		switch {
		case len(op.Sync.Sources) > 0:
			req.Sources = op.Sync.Sources
		case op.Sync.Source != nil:
			req.Sources = argov1.ApplicationSources{*op.Sync.Source}
		}
		req.Revisions = op.Sync.Revisions
		if op.Sync.Revision != "" {
			req.Revisions = []string{op.Sync.Revision}
		}
	}
	return req
}

func (r *Reconciler) namespaced(gvk schema.GroupVersionKind) (namespaced, known bool, err error) {
	namespaced, err = r.Conn.Namespaced(gvk)
	if cluster.IsUnknownKind(err) {
		return false, false, nil
	}
	return namespaced, err == nil, err
}

// requestKey changes when a target state would have to be built anew.
func requestKey(req target.Request) (string, error) {
	data, err := json.Marshal([]any{req.Sources, req.Revisions, req.Scope.Instance, req.Scope.DestinationNamespace, req.Scope.Tracker})
	if err != nil {
		return "", fmt.Errorf("the sources of the application: %w", err)
	}
	return string(data), nil
}

// compare brings target and live together.
func (r *Reconciler) compare(ctx context.Context, s *scope) error {
	if err := r.watch(ctx, s); err != nil {
		return err
	}
	snapshot, err := r.Watcher.Snapshot(ctx, s.instance)
	if err != nil {
		return err
	}
	s.comparison = s.memory.compare.Compare(ctx, refresh.Request{
		State: s.memory.state, Snapshot: snapshot, Tracker: s.settings.Tracker, Instance: s.instance,
		Predict: func(ctx context.Context, obj *unstructured.Unstructured) (*unstructured.Unstructured, error) {
			return apply.Predict(ctx, r.Conn, obj)
		},
	})
	return nil
}

// watch makes sure that all kinds which the application wants or has are watched.
func (r *Reconciler) watch(ctx context.Context, s *scope) error {
	kinds, err := r.inventory(ctx, s)
	if err != nil {
		return err
	}
	var keys []resource.Key
	if s.memory.state != nil {
		for _, object := range s.memory.state.Objects {
			keys = append(keys, object.Key)
			kinds = append(kinds, object.Target.GroupVersionKind())
		}
	}
	r.Watcher.Store.Want(s.instance, keys)
	return r.Watcher.Use(ctx, s.instance, kinds)
}

// inventory lists the kinds that the application has objects of: those of its status and of what the store knows; for an
// application without a status those of a sweep of the cluster (design decision 3).
func (r *Reconciler) inventory(ctx context.Context, s *scope) ([]schema.GroupVersionKind, error) {
	var kinds []schema.GroupVersionKind
	for _, row := range s.app.Status.Resources {
		kinds = append(kinds, schema.GroupVersionKind{Group: row.Group, Version: row.Version, Kind: row.Kind})
	}
	if op := s.app.Status.OperationState; op != nil && op.SyncResult != nil {
		for _, row := range op.SyncResult.Resources {
			kinds = append(kinds, schema.GroupVersionKind{Group: row.Group, Version: row.Version, Kind: row.Kind})
		}
	}
	if s.app.Status.ReconciledAt != nil {
		return kinds, nil
	}
	swept, err := r.Watcher.Sweep(ctx)
	return append(kinds, swept...), err
}

// failComparison reports that target or live state is not known. What was known of the objects stays in the status, as
// Unknown; nothing is synced, healed or pruned on such a basis.
func (r *Reconciler) failComparison(ctx context.Context, s *scope, err error) error {
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		return err
	}
	s.raise(argov1.ConditionComparisonError, err.Error())
	s.app.Status.Sync.Status = argov1.SyncStatusUnknown
	for i := range s.app.Status.Resources {
		s.app.Status.Resources[i].Status = argov1.SyncStatusUnknown
	}
	if s.app.Status.Health.Status == "" {
		s.setHealth(argov1.HealthHealthy, "")
	}
	s.abortOperation(argov1.OperationError, err.Error())
	s.memory.refreshed = s.now
	return outcome.Waiting(max(min(s.untilPoll(), retryComparison), 0))
}
