package application

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/controller/outcome"
	"github.com/tiphys-io/tiphys/internal/plan"
	"github.com/tiphys-io/tiphys/internal/policy"
	"github.com/tiphys-io/tiphys/internal/resource"
)

const (
	// waitPass is how long a waiting operation sleeps when no event comes (contract 2.1).
	waitPass = 30 * time.Second
	// explainAfter is how long an operation waits before its message tells more than the contract's words.
	explainAfter = 30 * time.Second
	// maxPasses bounds the passes of one reconcile; an operation that needs more goes on in the next.
	maxPasses = 1000
	// atOnce has the application reconciled again right after its status was written.
	atOnce = time.Millisecond
)

// operate carries out the operation as far as it goes now. What it will do is written to the status before it is done.
func (r *Reconciler) operate(ctx context.Context, s *scope) error {
	if s.app.Operation == nil {
		return nil
	}
	state := r.begin(s)
	if state.Phase == argov1.OperationRunning {
		if ended, err := r.hold(ctx, s, state); ended || err != nil {
			return err
		}
	}
	s.beginResult()
	if message := s.spoiled(state); message != "" && state.Phase == argov1.OperationRunning {
		phase := argov1.OperationError
		if strings.HasPrefix(message, "Shared resource found") {
			phase = argov1.OperationFailed
		}
		return r.conclude(ctx, s, phase, message)
	}
	for range maxPasses {
		done, err := r.pass(ctx, s)
		if done || err != nil {
			return err
		}
	}
	return outcome.Waiting(atOnce)
}

// hold tells what keeps a running operation from going on now: a retry that is not due, a sync window, a deadline, a newer
// revision, or the pause between two waves.
func (r *Reconciler) hold(ctx context.Context, s *scope, state *argov1.OperationState) (ended bool, err error) {
	if wait := r.retry(s, state); wait > 0 {
		return true, outcome.Waiting(wait)
	}
	blocked, err := r.blocked(s, state)
	if err != nil {
		return true, err
	}
	if blocked {
		return true, outcome.Waiting(waitPass)
	}
	if timeout := r.Options.SyncTimeout; timeout > 0 && s.now.Sub(state.StartedAt.Time) > timeout {
		state.Phase, state.Message = argov1.OperationTerminating, timedOut
		return false, nil
	}
	if newer := s.superseded(state); newer != "" {
		r.deleteSucceededHooks(ctx, s)
		return true, r.conclude(ctx, s, argov1.OperationFailed, "superseded by the newer revision "+newer)
	}
	if wait := s.memory.resume.Sub(s.now); wait > 0 {
		return true, outcome.Waiting(wait)
	}
	return false, nil
}

// blocked tells whether a sync window holds the operation up; it then stays Running and says so (contract 2.4 step 0).
func (r *Reconciler) blocked(s *scope, state *argov1.OperationState) (bool, error) {
	at := policy.Moment{Now: s.now, Manual: !state.Operation.InitiatedBy.Automated, StartedAt: state.StartedAt.Time}
	permitted, err := r.Permissions.Window(s.project, s.app, at)
	if err == nil && !permitted {
		state.Message = "Sync operation blocked by sync window"
	}
	return !permitted, err
}

// superseded is the newer revision that makes a running automated operation pointless, empty when there is none. It waits
// for hooks that run: to end one in the middle does more harm than to sync once too often.
func (s *scope) superseded(state *argov1.OperationState) string {
	newest := s.memory.resolved
	if !state.Operation.InitiatedBy.Automated || len(newest) == 0 || state.SyncResult == nil || slices.Equal(newest, s.memory.state.Revisions) {
		return ""
	}
	if slices.ContainsFunc(state.SyncResult.Resources, func(row *argov1.ResourceResult) bool {
		return row.HookType != "" && !row.HookPhase.Completed()
	}) {
		return ""
	}
	return strings.Join(newest, ",")
}

// spoiled says why the comparison is no basis for a sync (contract 2.4 step 1); empty when it is one.
func (s *scope) spoiled(state *argov1.OperationState) string {
	if s.comparison.Err != nil {
		return string(argov1.ConditionComparisonError) + ": " + s.comparison.Err.Error()
	}
	var shared, invalid []string
	for _, condition := range s.conditions {
		switch condition.Type {
		case argov1.ConditionSharedResourceWarning:
			shared = append(shared, condition.Message)
		case argov1.ConditionInvalidSpecError, argov1.ConditionComparisonError:
			invalid = append(invalid, string(condition.Type)+": "+condition.Message)
		}
	}
	switch {
	case len(shared) > 0 && effective(state).SyncOptions.Has("FailOnSharedResource=true"):
		return "Shared resource found: " + strings.Join(shared, ", ")
	case len(invalid) > 0:
		return strings.Join(slices.Concat(invalid, invalid), ";") // each twice, as recorded (contract B 14)
	}
	return ""
}

// pass is one round of decide, remember, act and remember again; done ends the rounds of this reconcile. What was only
// observed is written together with what is begun because of it.
func (r *Reconciler) pass(ctx context.Context, s *scope) (done bool, err error) {
	state := s.app.Status.OperationState
	in, err := r.planInput(ctx, s)
	if err != nil {
		return true, err
	}
	next := plan.Next(in)
	observed := differ(state.SyncResult.Resources, next.Results)
	s.record(next)
	switch {
	case next.Phase.Completed():
		return true, r.conclude(ctx, s, next.Phase, next.Message)
	case len(next.Groups) == 0 && observed:
		return false, nil
	case len(next.Groups) == 0:
		s.explain(next)
		return true, outcome.Waiting(waitPass)
	}
	if err := r.write(ctx, s); err != nil {
		return true, err
	}
	return r.act(ctx, s, in, next)
}

// act does what was decided and written, and records what came of it.
func (r *Reconciler) act(ctx context.Context, s *scope, in plan.Input, next plan.Step) (done bool, err error) {
	outcomes := r.Runner.Run(ctx, r.Conn, in.Options, next.Groups, r.Watcher.Store)
	if ctx.Err() != nil {
		return true, fmt.Errorf("the sync was interrupted: %w", ctx.Err())
	}
	r.announceTaken(s, outcomes)
	recorded := plan.Record(in, next, outcomes)
	s.record(recorded)
	if definesKinds(next) {
		if err := r.relocate(s); err != nil {
			return true, err
		}
	}
	if err := r.compare(ctx, s); err != nil {
		return true, err
	}
	if recorded.Phase.Completed() {
		return true, r.conclude(ctx, s, recorded.Phase, recorded.Message)
	}
	if recorded.Pause && r.Options.WaveDelay > 0 {
		s.memory.resume = r.Now().Add(r.Options.WaveDelay)
		return true, outcome.Waiting(r.Options.WaveDelay)
	}
	return false, nil
}

// announceTaken tells of objects that were another application's until now: nothing is taken in silence.
func (r *Reconciler) announceTaken(s *scope, outcomes []plan.Outcome) {
	owners := map[resource.Key]string{}
	for _, row := range s.comparison.Rows {
		if row.SharedWith != "" {
			owners[row.Key] = row.SharedWith
		}
	}
	for _, outcome := range outcomes {
		owner := owners[outcome.Action.Task.Key]
		if owner != "" && outcome.Action.Verb == plan.Apply && outcome.Err == nil && !outcome.Action.Task.Unchanged() {
			r.event(s, corev1.EventTypeWarning, "ResourceTaken", fmt.Sprintf("%s belonged to application %s until now", outcome.Action.Task.Key, owner))
		}
	}
}

// definesKinds tells whether a step applies definitions of kinds.
func definesKinds(step plan.Step) bool {
	return slices.ContainsFunc(step.Groups, func(group []plan.Action) bool {
		return len(group) > 0 && group[0].Verb == plan.Apply && group[0].Task.Key.Kind == "CustomResourceDefinition"
	})
}

// record takes a step over into the operation state. A step that was planned before somebody asked for the end does not undo
// that: the answer to a write may have told of it.
func (s *scope) record(step plan.Step) {
	state := s.app.Status.OperationState
	s.terminating = s.terminating || state.Phase == argov1.OperationTerminating
	if s.terminating && step.Phase == argov1.OperationRunning {
		step.Phase = argov1.OperationTerminating
	}
	if state.Phase == argov1.OperationTerminating && state.Message == timedOut {
		s.memory.timedOut = true
	}
	state.Phase, state.Message, state.SyncResult.Resources = step.Phase, step.Message, step.Results
}

func differ(a, b argov1.ResourceResults) bool {
	return !slices.EqualFunc(a, b, func(x, y *argov1.ResourceResult) bool {
		return x.Status == y.Status && x.HookPhase == y.HookPhase && x.Message == y.Message && x.Name == y.Name
	})
}

// explain tells more about a long wait: since when it lasts and what keeps the objects from being ready or from going. The
// contract's message stands first, so that tools find it.
func (s *scope) explain(step plan.Step) {
	state := s.app.Status.OperationState
	if s.memory.waiting != step.Message {
		s.memory.waiting, s.memory.waitingSince = step.Message, s.now
	}
	if s.now.Sub(s.memory.waitingSince) < explainAfter || len(step.Waiting) == 0 {
		return
	}
	obj := step.Waiting[0]
	detail := plan.Holders(obj)
	if obj.GetDeletionTimestamp() == nil {
		if status := s.settings.Health.Gate(obj); status != nil {
			detail = status.Message
		}
	}
	state.Message = plan.Waited(step.Message, metav1.NewTime(s.memory.waitingSince).UTC().Format(time.RFC3339), detail)
}
