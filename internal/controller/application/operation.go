package application

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	ctrl "sigs.k8s.io/controller-runtime"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/apply"
	"github.com/tiphys-io/tiphys/internal/controller/outcome"
	"github.com/tiphys-io/tiphys/internal/resource"
	"github.com/tiphys-io/tiphys/internal/target"
)

const (
	terminated = "Operation terminated"
	timedOut   = terminated + ", triggered by controller sync timeout"
)

// effective is the sync that a state carries out, never nil.
func effective(state *argov1.OperationState) *argov1.SyncOperation {
	if state == nil || state.Operation.Sync == nil {
		return &argov1.SyncOperation{}
	}
	return state.Operation.Sync
}

// underway is the state of the operation that goes on now, nil when none does. A state that has not ended goes on with the
// operation that it was made for, whatever stands in the request by now (contract 1.6).
func (s *scope) underway() *argov1.OperationState {
	if s.app.Operation == nil {
		return nil
	}
	if state := s.app.Status.OperationState; state != nil && !state.Phase.Completed() {
		return state
	}
	return &argov1.OperationState{Operation: *s.app.Operation}
}

// begin takes up the operation: a new one gets a new state.
func (r *Reconciler) begin(s *scope) *argov1.OperationState {
	state := s.app.Status.OperationState
	if state == nil || state.Phase.Completed() {
		state = &argov1.OperationState{Operation: *s.app.Operation, Phase: argov1.OperationRunning, StartedAt: metav1.NewTime(s.now)}
		s.app.Status.OperationState = state
		s.memory.resume, s.memory.timedOut = time.Time{}, false
		r.event(s, corev1.EventTypeNormal, "OperationStarted", operationText(s.app, "initiated"))
	}
	return state
}

// beginResult makes the empty result of an attempt, with what it is about.
func (s *scope) beginResult() {
	state := s.app.Status.OperationState
	if state.SyncResult != nil {
		return
	}
	request := s.memory.request
	state.SyncResult = &argov1.SyncOperationResult{}
	if policy := s.app.Spec.SyncPolicy; policy != nil {
		state.SyncResult.ManagedNamespaceMetadata = policy.ManagedNamespaceMetadata
	}
	if s.app.Spec.HasMultipleSources() {
		state.SyncResult.Revisions, state.SyncResult.Sources = s.memory.state.Revisions, request.Sources
		return
	}
	state.SyncResult.Source = request.Sources[0]
	if len(request.Manifests) == 0 { // manifests that came with the request have no revision (contract B 12)
		state.SyncResult.Revision = s.memory.state.Revisions[0]
	}
}

// retry starts the next attempt when it is due; it gives the time until it is.
func (r *Reconciler) retry(s *scope, state *argov1.OperationState) time.Duration {
	if state.FinishedAt == nil {
		return 0
	}
	if wait := retryAt(state).Sub(s.now); wait > 0 {
		return wait
	}
	state.FinishedAt, state.SyncResult = nil, nil
	state.Message = fmt.Sprintf("Retrying operation. Attempt #%d", state.RetryCount)
	if state.Operation.Retry.Refresh && state.Operation.Sync != nil {
		state.Operation.Sync.Revision, state.Operation.Sync.Revisions = "", nil
		state.Message += " with latest revisions"
		return atOnce // the target of this reconcile is still the old one
	}
	return 0
}

// conclude ends an operation, or arranges for another attempt (contract 2.11). One that was to be terminated ends as that,
// whatever happened in between.
func (r *Reconciler) conclude(ctx context.Context, s *scope, phase argov1.OperationPhase, message string) error {
	state := s.app.Status.OperationState
	final := message == terminated || s.terminating || state.Phase == argov1.OperationTerminating || strings.HasPrefix(message, "superseded")
	if state.Phase == argov1.OperationTerminating {
		phase, message = argov1.OperationFailed, terminated
	}
	message = s.whyTerminated(message)
	finished := metav1.NewTime(r.Now())
	state.Phase, state.Message, state.FinishedAt = phase, message, &finished
	r.releaseHooks(ctx, s)
	limit := state.Operation.Retry.Limit
	if phase != argov1.OperationSucceeded && !final && (limit < 0 || state.RetryCount < limit) {
		s.memory.failure = targetFailure{} // the next attempt asks for itself
		return r.again(state)
	}
	if phase != argov1.OperationSucceeded && state.RetryCount > 0 {
		state.Message = fmt.Sprintf("%s (retried %d times).", state.Message, state.RetryCount)
	}
	s.remember()
	s.app.Operation = nil
	r.announceEnd(s, state)
	if s.comparison == nil || !s.comparesSpec() {
		s.unfinished = true
		return outcome.Waiting(atOnce)
	}
	if s.app.DeletionTimestamp != nil {
		return outcome.Waiting(atOnce) // the deletion has waited for the operation
	}
	return nil
}

// whyTerminated tells the end at a deadline from one that a person asked for.
func (s *scope) whyTerminated(message string) string {
	if message == terminated && s.memory.timedOut {
		return timedOut
	}
	return message
}

// announceEnd tells metrics and events that an operation has ended.
func (r *Reconciler) announceEnd(s *scope, state *argov1.OperationState) {
	countSync(s.app, state.Phase)
	kind := corev1.EventTypeNormal
	if state.Phase != argov1.OperationSucceeded {
		kind = corev1.EventTypeWarning
	}
	r.event(s, kind, "OperationCompleted", operationText(s.app, string(state.Phase)+": "+state.Message))
}

// again has a failed operation tried once more after a while.
func (r *Reconciler) again(state *argov1.OperationState) error {
	state.Phase = argov1.OperationRunning
	state.RetryCount++
	at := retryAt(state)
	state.Message = fmt.Sprintf("%s. Retrying attempt #%d at %s.", state.Message, state.RetryCount, at.UTC().Format(time.Kitchen))
	return outcome.Waiting(max(at.Sub(r.Now()), atOnce))
}

// retryAt is when the next attempt is due: duration×factor^retries, capped (contract 2.11, with its quirk).
func retryAt(state *argov1.OperationState) time.Time {
	duration, limit, factor := 5*time.Second, longestRetry, int64(2)
	if backoff := state.Operation.Retry.Backoff; backoff != nil {
		duration, limit = parseDuration(backoff.Duration, duration), parseDuration(backoff.MaxDuration, limit)
		if backoff.Factor != nil && *backoff.Factor > 0 {
			factor = *backoff.Factor
		}
	}
	for range state.RetryCount {
		if duration *= time.Duration(factor); duration >= limit {
			duration = limit
			break
		}
	}
	return state.FinishedAt.Add(duration)
}

// parseDuration reads a Go duration or bare seconds (contract 1.3).
func parseDuration(text string, otherwise time.Duration) time.Duration {
	if d, err := time.ParseDuration(text); err == nil {
		return d
	}
	if d, err := time.ParseDuration(text + "s"); err == nil {
		return d
	}
	return otherwise
}

// remember appends a full, successful sync to the history (contract 2.11).
func (s *scope) remember() {
	state := s.app.Status.OperationState
	op := state.Operation.Sync
	if state.Phase != argov1.OperationSucceeded || op == nil || op.DryRun || len(op.Resources) > 0 {
		return
	}
	entry := argov1.RevisionHistory{
		DeployedAt: *state.FinishedAt, DeployStartedAt: &state.StartedAt, InitiatedBy: state.Operation.InitiatedBy,
		Revision: state.SyncResult.Revision, Revisions: state.SyncResult.Revisions,
		Source: state.SyncResult.Source, Sources: state.SyncResult.Sources,
	}
	history := s.app.Status.History
	if len(history) > 0 {
		entry.ID = history[len(history)-1].ID + 1
	}
	history = append(slices.Clone(history), entry)
	s.app.Status.History = history[max(0, len(history)-int(s.app.Spec.HistoryLimit())):]
}

// abort ends an operation whose target cannot be known or is not permitted (contract 2.4 step 1); resolved are the revisions
// of its sources, where they are known all the same.
func (r *Reconciler) abort(ctx context.Context, s *scope, message string, resolved ...string) error {
	if s.app.Operation == nil {
		return nil
	}
	state := r.begin(s)
	if state.FinishedAt != nil && state.Phase == argov1.OperationRunning && retryAt(state).After(s.now) {
		return nil // between two attempts; the next one will find out for itself
	}
	if state.SyncResult == nil {
		state.SyncResult = s.abortedResult(effective(state), resolved)
	}
	state.SyncResult.Resources = slices.DeleteFunc(slices.Clone(state.SyncResult.Resources), func(row *argov1.ResourceResult) bool { return row.Status == "" })
	return r.conclude(ctx, s, argov1.OperationError, message)
}

// abortedResult says what an operation was about that did nothing.
func (s *scope) abortedResult(op *argov1.SyncOperation, resolved []string) *argov1.SyncOperationResult {
	result := &argov1.SyncOperationResult{Revision: op.Revision, Revisions: op.Revisions}
	if s.app.Spec.HasMultipleSources() {
		result.Sources = s.app.Spec.Sources
		if len(op.Revisions) == 0 {
			result.Revisions = resolved
		}
		return result
	}
	result.Source = s.app.Spec.GetSource()
	if op.Revision == "" && len(resolved) > 0 {
		result.Revision = resolved[0]
	}
	return result
}

// resolvePermitted resolves the sources of a spec that is refused, unless the project forbids to ask their repositories.
func (r *Reconciler) resolvePermitted(ctx context.Context, s *scope) []string {
	if s.project == nil || s.app.Operation == nil || !r.Permissions.Sources(s.app, s.project) || len(s.app.Spec.GetSources()) == 0 {
		return nil
	}
	revisions, err := target.Resolve(ctx, r.Rendering, r.specRequest(s))
	if err != nil {
		return nil
	}
	return revisions
}

// releaseHooks takes our finalizer off every hook that stands there when an operation ends: nobody would do it later. The
// planner has done so after a sync that ended by itself; this is for those that were cut short.
func (r *Reconciler) releaseHooks(ctx context.Context, s *scope) {
	snapshot, err := r.Watcher.Snapshot(ctx, s.instance)
	if err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "looking for hooks to release")
		return
	}
	for _, obj := range snapshot {
		if !resource.IsHook(obj) || !slices.Contains(obj.GetFinalizers(), argov1.FinalizerHook) {
			continue
		}
		if err := apply.Release(ctx, r.Conn, obj, r.Watcher.Store); err != nil {
			ctrl.LoggerFrom(ctx).Error(err, "releasing a hook", "object", resource.KeyOf(obj).String())
		}
	}
}

// deleteSucceededHooks deletes the hooks that have done their work and ask to go then, when the operation does not come to its
// end: the next one does not know them.
func (r *Reconciler) deleteSucceededHooks(ctx context.Context, s *scope) {
	snapshot, err := r.Watcher.Snapshot(ctx, s.instance)
	if err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "looking for hooks to delete")
		return
	}
	var doomed []*unstructured.Unstructured
	for _, row := range s.app.Status.OperationState.SyncResult.Resources {
		obj := snapshot[resource.Key{Group: row.Group, Kind: row.Kind, Namespace: row.Namespace, Name: row.Name}]
		if obj != nil && row.HookPhase == argov1.OperationSucceeded && resource.IsHook(obj) && slices.Contains(resource.HookDeletePolicies(obj), resource.HookSucceeded) {
			doomed = append(doomed, obj)
		}
	}
	if err := errors.Join(r.Runner.Delete(ctx, r.Conn, doomed, "", r.Watcher.Store)...); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "deleting hooks")
	}
}

func operationText(app *argov1.Application, what string) string {
	who := "Unknown user"
	if by := app.Status.OperationState.Operation.InitiatedBy; by.Automated {
		who = "automated sync policy"
	} else if by.Username != "" {
		who = by.Username
	}
	return strings.Join([]string{"Sync operation", what, "by", who}, " ")
}
