package application

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/policy"
	"github.com/tiphys-io/tiphys/internal/refresh"
	"github.com/tiphys-io/tiphys/internal/resource"
)

// retryComparison is how long a failed comparison waits before it is tried again without an event.
const retryComparison = 30 * time.Second

// longestRetry is the longest wait between two attempts when the spec says nothing (contract 1.3).
const longestRetry = 3 * time.Minute

// decision is what automated sync makes of a comparison.
type decision struct {
	operation *argov1.Operation
	// refusal is the text of a SyncError condition; empty when there is nothing to complain about.
	refusal string
	// wait is how long to wait for the self-heal back-off; 0 when there is nothing to wait for.
	wait time.Duration
}

// autosync asks for an operation when automated sync says so; the operation is carried out by the same reconcile.
func (r *Reconciler) autosync(_ context.Context, s *scope) error {
	s.evaluated = append(s.evaluated, argov1.ConditionSyncError)
	if s.app.Operation != nil || !s.comparesSpec() {
		s.evaluated = s.evaluated[:len(s.evaluated)-1] // what was said about the last sync stays until this one has ended
		return nil
	}
	healing := healing{backoff: r.Options.SelfHeal, resting: r.contend(s)}
	d := decide(s.asAttempted(), s.comparison, s.memory.state.Revisions, healing, s.now)
	if d.refusal != "" {
		s.raise(argov1.ConditionSyncError, d.refusal)
	}
	if d.wait > 0 {
		r.queue.after(requestFor(s.app), d.wait)
	}
	if d.operation == nil {
		return nil
	}
	permitted, err := r.Permissions.Window(s.project, s.app, policy.Moment{Now: s.now})
	if err != nil {
		s.raise(argov1.ConditionSyncError, err.Error())
		return nil
	}
	if permitted {
		s.memory.contests.healedNow(d.operation, s.now)
		s.app.Operation, s.app.Status.OperationState = d.operation, nil
	}
	return nil
}

// healing is what bounds self-heal.
type healing struct {
	// backoff is the wait between heals of one revision.
	backoff Backoff
	// resting are the objects that are not healed, and until when, because another controller undoes it.
	resting map[resource.Key]time.Time
}

// drifted tells whether what was synced before is no longer as it was, and is healed.
func drifted(app *argov1.Application, comparison *refresh.Comparison, revisions []string) bool {
	policy := app.Spec.SyncPolicy
	return policy.IsAutomated() && isTrue(policy.Automated.SelfHeal) && comparison.Status == argov1.SyncStatusOutOfSync &&
		attempted(app, revisions) && app.Status.OperationState.Phase == argov1.OperationSucceeded
}

// asAttempted is the application for that decision. Where the user says which paths matter, a revision at which nothing that was
// read has changed counts as the one that the last operation was about (contract 5.6).
func (s *scope) asAttempted() *argov1.Application {
	state := s.app.Status.OperationState
	if s.app.Annotations[argov1.AnnotationManifestGeneratePaths] == "" || state == nil || state.SyncResult == nil {
		return s.app
	}
	result := *state.SyncResult
	last := result.Revisions
	if !s.app.Spec.HasMultipleSources() {
		last = []string{result.Revision}
	}
	if !slices.ContainsFunc(s.memory.state.Earlier, func(earlier []string) bool { return slices.Equal(earlier, last) }) {
		return s.app
	}
	if revisions := s.memory.state.Revisions; s.app.Spec.HasMultipleSources() {
		result.Revisions = revisions
	} else {
		result.Revision = revisions[0]
	}
	app, advanced := *s.app, *state
	advanced.SyncResult = &result
	app.Status.OperationState = &advanced
	return &app
}

// decide is the decision table of contract 2.9.
func decide(app *argov1.Application, comparison *refresh.Comparison, revisions []string, healing healing, now time.Time) decision {
	policy := app.Spec.SyncPolicy
	if !policy.IsAutomated() || app.Operation != nil || app.DeletionTimestamp != nil || comparison.Status != argov1.SyncStatusOutOfSync {
		return decision{}
	}
	prune := isTrue(policy.Automated.Prune)
	if onlyPrunes(comparison, prune) {
		return decision{}
	}
	operation := automatedOperation(app, revisions, prune)
	if attempted(app, revisions) {
		state := app.Status.OperationState
		switch {
		case state.Phase != argov1.OperationSucceeded:
			if again := decideAgain(operation, state, revisions, now); again.operation == nil {
				return again
			}
			return guard(operation, app, comparison, revisions)
		case !isTrue(policy.Automated.SelfHeal):
			return decision{}
		}
		if wait := healDelay(state, healing.backoff, now); wait > 0 {
			return decision{wait: wait}
		}
		if rested := heal(operation, app, comparison, healing, now); rested && len(operation.Sync.Resources) == 0 {
			return decision{wait: healing.rest(now)}
		}
	}
	return guard(operation, app, comparison, revisions)
}

// guard refuses an operation that would delete all that the application has, unless that is allowed (contract 2.9).
func guard(operation *argov1.Operation, app *argov1.Application, comparison *refresh.Comparison, revisions []string) decision {
	if operation.Sync.Prune && !isTrue(app.Spec.SyncPolicy.Automated.AllowEmpty) && wipesOut(comparison) {
		return decision{refusal: fmt.Sprintf("Skipping sync attempt to [%s]: auto-sync will wipe out all resources", strings.Join(revisions, " "))}
	}
	return decision{operation: operation}
}

// decideAgain has an automated sync that failed for good tried once more each time the longest back-off of its retries has
// passed, while the condition says what is wrong. The original never tries again before the revision changes.
func decideAgain(operation *argov1.Operation, state *argov1.OperationState, revisions []string, now time.Time) decision {
	d := decision{refusal: fmt.Sprintf("Failed last sync attempt to [%s]: %s%s", strings.Join(revisions, " "), state.Message, unnamed(state))}
	if !state.Operation.InitiatedBy.Automated || state.FinishedAt == nil || strings.HasPrefix(state.Message, terminated) {
		return d // a person has decided
	}
	longest := longestRetry
	if backoff := operation.Retry.Backoff; backoff != nil {
		longest = max(longest, parseDuration(backoff.MaxDuration, longest))
	}
	if d.wait = longest - now.Sub(state.FinishedAt.Time); d.wait > 0 {
		return d
	}
	operation.Retry.Limit = 0
	return decision{operation: operation}
}

// maxUnnamed bounds the objects that unnamed lists.
const maxUnnamed = 5

// unnamed lists the objects that failed and that the message of an operation leaves out, with the reason where it leaves that
// out too: the texts of the contract for unknown kinds, failed dry runs and some errors of the API server do not say which
// objects are meant.
func unnamed(state *argov1.OperationState) string {
	if state.SyncResult == nil {
		return ""
	}
	var text strings.Builder
	listed := 0
	for _, row := range state.SyncResult.Resources {
		told := strings.Contains(state.Message, row.Message)
		if row.Status != argov1.ResultCodeSyncFailed || told && strings.Contains(state.Message, strconv.Quote(row.Name)) {
			continue
		}
		if listed++; listed > maxUnnamed {
			continue
		}
		_, _ = fmt.Fprintf(&text, "; %s %s", row.Kind, strings.TrimPrefix(row.Namespace+"/"+row.Name, "/"))
		if !told {
			_, _ = text.WriteString(": " + row.Message)
		}
	}
	if listed > maxUnnamed {
		_, _ = fmt.Fprintf(&text, "; and %d more, see status.operationState.syncResult", listed-maxUnnamed)
	}
	return text.String()
}

func isTrue(b *bool) bool { return b != nil && *b }

// onlyPrunes tells whether nothing but deletions is left to do: those that may not be done, or that are under way.
func onlyPrunes(comparison *refresh.Comparison, prune bool) bool {
	differs := false
	for _, row := range comparison.Rows {
		if row.Status == argov1.SyncStatusSynced || row.Status == "" {
			continue
		}
		differs = true
		going := row.Live != nil && row.Live.GetDeletionTimestamp() != nil
		if !row.RequiresPruning() || (prune && !going) {
			return false
		}
	}
	return differs
}

// wipesOut tells whether a sync would delete everything that the application has.
func wipesOut(comparison *refresh.Comparison) bool {
	for _, row := range comparison.Rows {
		if !row.RequiresPruning() {
			return false
		}
	}
	return true
}

// attempted tells whether the last operation was about these revisions and sources.
func attempted(app *argov1.Application, revisions []string) bool {
	state := app.Status.OperationState
	if state == nil {
		return false
	}
	result := state.SyncResult
	if result == nil {
		return state.Phase.Completed()
	}
	if app.Spec.HasMultipleSources() {
		return reflect.DeepEqual(result.Revisions, revisions) && reflect.DeepEqual(result.Sources, app.Spec.Sources)
	}
	return len(revisions) == 1 && result.Revision == revisions[0] && reflect.DeepEqual(result.Source, app.Spec.GetSource())
}

func automatedOperation(app *argov1.Application, revisions []string, prune bool) *argov1.Operation {
	sync := &argov1.SyncOperation{Prune: prune, SyncOptions: app.Spec.SyncPolicy.SyncOptions}
	if app.Spec.HasMultipleSources() {
		sync.Revisions, sync.Sources = revisions, app.Spec.Sources
	} else {
		sync.Revision, sync.Source = revisions[0], app.Spec.Source
	}
	operation := &argov1.Operation{Sync: sync, InitiatedBy: argov1.OperationInitiator{Automated: true}}
	operation.Retry = argov1.RetryStrategy{Limit: 5}
	if app.Spec.SyncPolicy.Retry != nil {
		operation.Retry = *app.Spec.SyncPolicy.Retry
	}
	return operation
}

// heal narrows an operation to what differs and does not rest; such a sync runs no hooks and writes no history (contract 2.9).
// Only heals that did not hold are counted: an application that was in sync for longer than its back-off begins anew. It tells
// whether something that differs rests.
func heal(operation *argov1.Operation, app *argov1.Application, comparison *refresh.Comparison, healing healing, now time.Time) (rested bool) {
	state := app.Status.OperationState
	if state.Operation.Sync != nil && !held(app, healing, now) {
		operation.Sync.SelfHealAttemptsCount = state.Operation.Sync.SelfHealAttemptsCount
	}
	operation.Sync.SelfHealAttemptsCount++
	for _, row := range comparison.Rows {
		if row.Status == argov1.SyncStatusSynced || row.Status == "" {
			continue
		}
		if _, rests := healing.resting[row.Key]; rests {
			rested = true
			continue
		}
		operation.Sync.Resources = append(operation.Sync.Resources, argov1.SyncOperationResource{
			Group: row.Key.Group, Kind: row.Key.Kind, Name: row.Key.Name,
		})
	}
	return rested
}

// rest is how long it takes until the first object rests no more.
func (h healing) rest(now time.Time) time.Duration {
	var first time.Duration
	for _, until := range h.resting {
		if wait := until.Sub(now); first == 0 || wait < first {
			first = wait
		}
	}
	return first
}

// held tells whether the last heal held: the application was in sync until now, but for what rests, for longer than its
// back-off. The status still tells what the comparison before this one found.
func held(app *argov1.Application, healing healing, now time.Time) bool {
	state := app.Status.OperationState
	return healing.inSync(app) && state.FinishedAt != nil && state.Operation.Sync != nil &&
		now.Sub(state.FinishedAt.Time) > healBackoff(healing.backoff, state.Operation.Sync.SelfHealAttemptsCount)
}

// inSync tells whether the status of an application shows nothing OutOfSync but what rests.
func (h healing) inSync(app *argov1.Application) bool {
	if app.Status.Sync.Status != argov1.SyncStatusOutOfSync || len(h.resting) == 0 {
		return app.Status.Sync.Status == argov1.SyncStatusSynced
	}
	return !slices.ContainsFunc(app.Status.Resources, func(row argov1.ResourceStatus) bool {
		_, rests := h.resting[resource.Key{Group: row.Group, Kind: row.Kind, Namespace: row.Namespace, Name: row.Name}]
		return row.Status == argov1.SyncStatusOutOfSync && !rests
	})
}

// healDelay is what is left of the back-off, counted from the end of the last operation.
func healDelay(state *argov1.OperationState, backoff Backoff, now time.Time) time.Duration {
	if state.FinishedAt == nil || state.Operation.Sync == nil {
		return 0
	}
	delay := healBackoff(backoff, state.Operation.Sync.SelfHealAttemptsCount)
	return max(delay-now.Sub(state.FinishedAt.Time), 0)
}

// healBackoff is the delay before the given attempt: 0, then Base growing by Factor up to Cap.
func healBackoff(backoff Backoff, attempts int64) time.Duration {
	if attempts <= 0 {
		return 0
	}
	delay := backoff.Base
	for range attempts - 1 {
		if delay = delay * time.Duration(backoff.Factor); delay >= backoff.Cap {
			return backoff.Cap
		}
	}
	return min(delay, backoff.Cap)
}
