package application

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/health"
	"github.com/tiphys-io/tiphys/internal/refresh"
	"github.com/tiphys-io/tiphys/internal/resource"
)

// raise reports a condition; all are written at the end of the reconcile.
func (s *scope) raise(conditionType argov1.ApplicationConditionType, message string) {
	s.conditions = append(s.conditions, argov1.ApplicationCondition{Type: conditionType, Message: message})
}

// report writes the status once, if it says anything new; for how long that can wait is the answer, 0 when there is nothing. When an operation ended that was about something else than the spec,
// what the spec wants is compared in the next reconcile, and all but the operation waits for that.
func (r *Reconciler) report(ctx context.Context, s *scope) (held time.Duration, err error) {
	s.app.Status.ControllerNamespace = r.Options.ControlNamespace
	if s.unfinished {
		return 0, r.write(ctx, s)
	}
	s.setConditions()
	if s.comparison != nil {
		s.setComparison()
	}
	if s.requested {
		if !s.refreshed {
			s.memory.refreshed = time.Time{} // an operation had the say; the repositories are asked after it
		}
		delete(s.app.Annotations, argov1.AnnotationRefresh)
		delete(s.app.Annotations, argov1.AnnotationRefreshTimestamp)
	}
	if s.app.Status.ReconciledAt == nil || s.requested || (s.pushed && s.refreshed) || s.finishedOperation() {
		now := metav1.NewTime(r.Now())
		s.app.Status.ReconciledAt = &now
	}
	if held := s.holdWords(); held > 0 {
		return held, nil
	}
	r.announce(s)
	return 0, r.write(ctx, s)
}

// finishedOperation tells whether this pass ended an operation: clients wait for a comparison that is later (contract 8.4).
func (s *scope) finishedOperation() bool {
	return s.base.Operation != nil && s.app.Operation == nil ||
		(s.app.Status.OperationState != nil && s.app.Status.OperationState.FinishedAt != nil &&
			s.app.Status.ReconciledAt.Before(s.app.Status.OperationState.FinishedAt))
}

// write patches what differs from what the API server has. What somebody else wrote in between is not lost: a patch that
// touches more than the status is refused when the application has changed.
func (r *Reconciler) write(ctx context.Context, s *scope) error {
	if s.memory.full == nil && apiequality.Semantic.DeepEqual(s.base, s.app) {
		return nil // as nearly always: it costs less than to write both down and compare that
	}
	fitted, err := fit(s.app, maxApplication, s.now)
	if err != nil {
		return err
	}
	s.memory.full = nil
	if slices.ContainsFunc(fitted.Status.Conditions, isSizeWarning) {
		s.memory.full = rowsOf(s.app)
	}
	before, err := json.Marshal(s.base)
	if err != nil {
		return fmt.Errorf("encoding the application: %w", err)
	}
	after, err := json.Marshal(fitted)
	if err != nil {
		return fmt.Errorf("encoding the application: %w", err)
	}
	patch, err := jsonpatch.CreateMergePatch(before, after)
	if err != nil {
		return fmt.Errorf("comparing the application: %w", err)
	}
	if string(patch) == "{}" {
		return nil
	}
	fields := map[string]any{}
	if err := json.Unmarshal(patch, &fields); err != nil {
		return fmt.Errorf("comparing the application: %w", err)
	}
	if touchesUsers(fields) {
		setResourceVersion(fields, s.base.ResourceVersion)
	}
	if patch, err = json.Marshal(fields); err != nil {
		return fmt.Errorf("encoding the patch: %w", err)
	}
	written := &argov1.Application{}
	written.Name, written.Namespace = s.base.Name, s.base.Namespace
	if err := r.Client.Patch(ctx, written, client.RawPatch(types.MergePatchType, patch), client.FieldOwner(argov1.FieldManager)); err != nil {
		return fmt.Errorf("writing the application: %w", err)
	}
	written.ManagedFields = nil // as in the cache
	s.base, s.memory.writtenAt = written, r.Now()
	s.memory.wrote(written)
	s.app = written.DeepCopy()
	s.memory.full.restore(s.app)
	return nil
}

// touchesUsers tells whether a patch changes what users write as well: then it must not be made from an old version.
func touchesUsers(fields map[string]any) bool {
	for _, field := range []string{"metadata", "spec", "operation"} {
		if _, ok := fields[field]; ok {
			return true
		}
	}
	return false
}

func setResourceVersion(fields map[string]any, version string) {
	metadata, ok := fields["metadata"].(map[string]any)
	if !ok {
		metadata = map[string]any{}
		fields["metadata"] = metadata
	}
	metadata["resourceVersion"] = version
}

// setConditions replaces the conditions of the types that this pass evaluated (contract 1.8).
func (s *scope) setConditions() {
	var conditions []argov1.ApplicationCondition
	for _, old := range s.app.Status.Conditions {
		if !slices.Contains(s.evaluated, old.Type) {
			conditions = append(conditions, old)
		}
	}
	for _, condition := range s.conditions {
		if slices.ContainsFunc(conditions, sameCondition(condition)) {
			continue
		}
		now := metav1.NewTime(s.now)
		condition.LastTransitionTime = &now
		if at := slices.IndexFunc(s.app.Status.Conditions, sameCondition(condition)); at >= 0 {
			condition.LastTransitionTime = s.app.Status.Conditions[at].LastTransitionTime
		}
		conditions = append(conditions, condition)
	}
	s.app.Status.Conditions = conditions
}

func sameCondition(a argov1.ApplicationCondition) func(argov1.ApplicationCondition) bool {
	return func(b argov1.ApplicationCondition) bool { return a.Type == b.Type && a.Message == b.Message }
}

// setComparison writes what the comparison found.
func (s *scope) setComparison() {
	status := &s.app.Status
	status.Sync.Status = s.comparison.Status
	status.Sync.ComparedTo = argov1.ComparedTo{Destination: s.app.Spec.Destination, IgnoreDifferences: s.app.Spec.IgnoreDifferences}
	state := s.memory.state
	if s.app.Spec.HasMultipleSources() {
		status.Sync.ComparedTo.Sources = s.app.Spec.Sources
		status.Sync.Revision, status.Sync.Revisions = "", state.Revisions
		status.SourceType, status.SourceTypes = "", state.Types
	} else {
		status.Sync.ComparedTo.Source = s.app.Spec.GetSource()
		status.Sync.Revision, status.Sync.Revisions = state.Revisions[0], nil
		status.SourceType, status.SourceTypes = state.Types[0], nil
	}
	s.showRows(s.comparison.Rows)
}

// showRows writes the objects, and what they make of the application. A hook shows only while it stands in the cluster.
func (s *scope) showRows(rows []refresh.Row) {
	status := &s.app.Status
	status.Resources = make([]argov1.ResourceStatus, 0, len(rows))
	healthRows := make([]health.Row, 0, len(rows))
	for _, row := range rows {
		if row.Hook && row.Live == nil {
			continue
		}
		assessed := s.assess(row)
		status.Resources = append(status.Resources, s.resourceStatus(row, assessed))
		healthRows = append(healthRows, s.healthRow(row, assessed))
	}
	overall := health.Aggregate(healthRows)
	s.setHealth(overall.Status, overall.Message)
	status.Summary = summarize(rows)
}

func (s *scope) assess(row refresh.Row) *health.Status {
	if row.Hook || row.Skipped {
		return nil
	}
	if row.Live != nil {
		return s.settings.Health.Assess(row.Live)
	}
	return &health.Status{Status: argov1.HealthMissing}
}

func (s *scope) resourceStatus(row refresh.Row, assessed *health.Status) argov1.ResourceStatus {
	obj := row.Target
	if obj == nil {
		obj = row.Live
	}
	result := argov1.ResourceStatus{
		Group: row.Key.Group, Version: obj.GroupVersionKind().Version, Kind: row.Key.Kind,
		Namespace: row.Key.Namespace, Name: row.Key.Name,
		Status: row.Status, Hook: row.Hook, RequiresPruning: row.RequiresPruning(),
		RequiresDeletionConfirmation: row.Live != nil && asksFirst(row.Live, s.syncOptions()),
	}
	if row.Target != nil {
		result.SyncWave = int64(resource.Wave(row.Target))
	}
	if assessed != nil {
		result.Health = &argov1.HealthStatus{Status: assessed.Status, Message: assessed.Message}
	}
	return result
}

// healthRow leaves out what does not count for the application's health (contract 4.4).
func (s *scope) healthRow(row refresh.Row, assessed *health.Status) health.Row {
	self := row.Key == resource.Key{Group: "argoproj.io", Kind: "Application", Namespace: s.app.Namespace, Name: s.app.Name}
	return health.Row{
		Key: row.Key, Live: row.Live != nil, Health: assessed, Hook: row.Hook || row.Skipped,
		Ignored: self || (row.Live != nil && health.Ignored(row.Live)),
	}
}

// setHealth moves the time only when the status changes (contract 1.7).
func (s *scope) setHealth(status argov1.HealthStatusCode, message string) {
	if s.app.Status.Health.Status != status || s.app.Status.Health.LastTransitionTime == nil {
		now := metav1.NewTime(s.now)
		s.app.Status.Health.LastTransitionTime = &now
	}
	s.app.Status.Health.Status, s.app.Status.Health.Message = status, message
}

// summarize lists images, links and whether the application makes applications (contract 1.7).
func summarize(rows []refresh.Row) argov1.ApplicationSummary {
	var summary argov1.ApplicationSummary
	for _, row := range rows {
		if row.Key.Group == "argoproj.io" && row.Key.Kind == "Application" && row.Target != nil {
			summary.IsAppOfApps = true
		}
		if row.Live == nil {
			continue
		}
		if resource.HasPods(row.Live) {
			summary.Images = append(summary.Images, resource.Images(row.Live)...)
		}
		for name, value := range row.Live.GetAnnotations() {
			if strings.HasPrefix(name, argov1.AnnotationLinkPrefix) {
				summary.ExternalURLs = append(summary.ExternalURLs, value)
			}
		}
	}
	slices.Sort(summary.Images)
	slices.Sort(summary.ExternalURLs)
	summary.Images, summary.ExternalURLs = slices.Compact(summary.Images), slices.Compact(summary.ExternalURLs)
	return summary
}

// announce writes events for what became different (texts as users of Argo CD know them).
func (r *Reconciler) announce(s *scope) {
	old, now := s.base.Status, s.app.Status
	if old.Sync.Status != now.Sync.Status {
		r.event(s, corev1.EventTypeNormal, "ResourceUpdated", fmt.Sprintf("Updated sync status: %s -> %s", old.Sync.Status, now.Sync.Status))
	}
	if old.Health.Status != now.Health.Status {
		r.event(s, corev1.EventTypeNormal, "ResourceUpdated", fmt.Sprintf("Updated health status: %s -> %s", old.Health.Status, now.Health.Status))
	}
}

func (r *Reconciler) event(s *scope, kind, reason, message string) {
	r.Recorder.Eventf(s.base, nil, kind, reason, "Reconcile", "%s", message)
}

// version is the resource version of an application, 0 if it is no number; versions of one object are comparable integers
// (Kubernetes 1.35).
func version(app *argov1.Application) uint64 {
	number, err := strconv.ParseUint(app.ResourceVersion, 10, 64)
	if err != nil {
		return 0
	}
	return number
}
