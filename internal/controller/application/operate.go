package application

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/controller/outcome"
	"github.com/tiphys-io/tiphys/internal/health"
	"github.com/tiphys-io/tiphys/internal/plan"
	"github.com/tiphys-io/tiphys/internal/policy"
	"github.com/tiphys-io/tiphys/internal/refresh"
	"github.com/tiphys-io/tiphys/internal/resource"
)

const (
	// waitPass is how long a waiting operation sleeps when no event comes (contract 2.1).
	waitPass = 30 * time.Second
	// maxPasses bounds the passes of one reconcile; an operation that needs more goes on in the next.
	maxPasses = 100
)

// operate carries out the operation as far as it goes now. What it will do is written to the status before it is done.
func (r *Reconciler) operate(ctx context.Context, s *scope) error {
	if s.app.Operation == nil {
		return nil
	}
	if failed := s.comparison.Err; failed != nil {
		s.abortOperation(argov1.OperationError, failed.Error())
		return outcome.Waiting(s.untilPoll())
	}
	if wait := r.startOperation(s); wait > 0 {
		return outcome.Waiting(wait)
	}
	blocked, err := r.blocked(s)
	if err != nil {
		return err
	}
	if blocked {
		return outcome.Waiting(waitPass)
	}
	if wait := s.memory.resume.Sub(s.now); wait > 0 && s.app.Status.OperationState.Phase == argov1.OperationRunning {
		return outcome.Waiting(wait)
	}
	validated := false
	for range maxPasses {
		done, err := r.pass(ctx, s, &validated)
		if done || err != nil {
			return err
		}
	}
	return outcome.Waiting(time.Second)
}

// blocked tells whether a sync window holds the operation up; it then stays Running and says so (contract 2.4 step 0).
func (r *Reconciler) blocked(s *scope) (bool, error) {
	state := s.app.Status.OperationState
	if state.Phase != argov1.OperationRunning {
		return false, nil
	}
	at := policy.Moment{Now: s.now, Manual: !s.app.Operation.InitiatedBy.Automated, StartedAt: state.StartedAt.Time}
	permitted, err := r.Permissions.Window(s.project, s.app, at)
	if err == nil && !permitted {
		state.Message = "Sync operation blocked by sync window"
	}
	return !permitted, err
}

// startOperation makes the state of a new operation, or of a retry that is due; it gives the time until a retry is.
func (r *Reconciler) startOperation(s *scope) time.Duration {
	state := s.app.Status.OperationState
	if state == nil || state.Phase.Completed() {
		state = &argov1.OperationState{Operation: *s.app.Operation, Phase: argov1.OperationRunning, StartedAt: metav1.NewTime(s.now)}
		s.app.Status.OperationState = state
		r.event(s, corev1.EventTypeNormal, "OperationStarted", operationText(s.app, "initiated"))
	}
	if state.FinishedAt != nil && state.Phase == argov1.OperationRunning {
		if wait := retryAt(state).Sub(s.now); wait > 0 {
			return wait
		}
		state.FinishedAt, state.SyncResult = nil, nil
		state.Message = fmt.Sprintf("Retrying operation. Attempt #%d", state.RetryCount)
	}
	if state.SyncResult == nil {
		state.SyncResult = &argov1.SyncOperationResult{}
		if s.app.Spec.HasMultipleSources() {
			state.SyncResult.Revisions, state.SyncResult.Sources = s.memory.state.Revisions, r.targetRequest(s).Sources
		} else {
			state.SyncResult.Revision, state.SyncResult.Source = s.memory.state.Revisions[0], r.targetRequest(s).Sources[0]
		}
	}
	return 0
}

// pass is one round of decide, remember, act and remember again; done ends the rounds of this reconcile.
func (r *Reconciler) pass(ctx context.Context, s *scope, validated *bool) (done bool, err error) {
	state := s.app.Status.OperationState
	in, err := r.planInput(ctx, s, *validated)
	if err != nil {
		return true, err
	}
	next := plan.Next(in)
	observed := len(next.Groups) == 0 && differ(state.SyncResult.Resources, next.Results)
	s.record(next)
	switch {
	case next.Phase.Completed():
		return true, r.finish(ctx, s)
	case len(next.Groups) == 0 && !observed:
		return true, outcome.Waiting(waitPass)
	}
	if err := r.write(ctx, s); err != nil || observed {
		return err != nil, err
	}
	return r.act(ctx, s, in, next, validated)
}

// act does what was decided and written, and records what came of it.
func (r *Reconciler) act(ctx context.Context, s *scope, in plan.Input, next plan.Step, validated *bool) (done bool, err error) {
	outcomes := r.Runner.Run(ctx, r.Conn, in.Options, next.Groups, r.Watcher.Store.Put)
	if ctx.Err() != nil {
		return true, fmt.Errorf("the sync was interrupted: %w", ctx.Err())
	}
	recorded := plan.Record(in, next, outcomes)
	s.record(recorded)
	if next.Validates() {
		if recorded.Phase.Completed() {
			return true, r.finish(ctx, s)
		}
		*validated = true
		return false, nil
	}
	r.observePrunes(ctx, next.Groups)
	if err := r.compare(ctx, s); err != nil {
		return true, err
	}
	if recorded.Phase.Completed() {
		return true, r.finish(ctx, s)
	}
	if recorded.Pause && r.Options.WaveDelay > 0 {
		s.memory.resume = r.Now().Add(r.Options.WaveDelay)
		return true, outcome.Waiting(r.Options.WaveDelay)
	}
	return false, r.write(ctx, s)
}

// record takes a step over into the operation state.
func (s *scope) record(step plan.Step) {
	state := s.app.Status.OperationState
	state.Phase, state.Message, state.SyncResult.Resources = step.Phase, step.Message, step.Results
}

func differ(a, b argov1.ResourceResults) bool {
	return !slices.EqualFunc(a, b, func(x, y *argov1.ResourceResult) bool { return reflect.DeepEqual(x, y) })
}

// observePrunes reads back what was deleted, so that the comparison does not have to wait for the watch.
func (r *Reconciler) observePrunes(ctx context.Context, groups [][]plan.Action) {
	for _, group := range groups {
		for _, action := range group {
			if action.Verb != plan.Prune {
				continue
			}
			client, err := r.Conn.Client(action.Task.Live)
			if err != nil {
				continue
			}
			obj, err := client.Get(ctx, action.Task.Key.Name, metav1.GetOptions{})
			switch {
			case apierrors.IsNotFound(err):
				r.Watcher.Store.Delete(action.Task.Key, "")
			case err == nil:
				r.Watcher.Store.Put(obj)
			}
		}
	}
}

// planInput gathers what the planner looks at.
func (r *Reconciler) planInput(ctx context.Context, s *scope, validated bool) (plan.Input, error) {
	op, state := s.app.Operation.Sync, s.app.Status.OperationState
	if op == nil {
		op = &argov1.SyncOperation{}
	}
	in := plan.Input{
		Options: plan.Options{
			Prune: op.Prune, DryRun: op.DryRun, Force: forced(op.SyncStrategy), SyncOptions: op.SyncOptions, Resources: op.Resources,
			StartedAt: state.StartedAt.Time, Namespace: s.app.Spec.Destination.Namespace,
		},
		Results: state.SyncResult.Resources, Phase: state.Phase, Message: state.Message, Validated: validated, Health: assess,
	}
	if approved, err := time.Parse(time.RFC3339, s.app.Annotations[argov1.AnnotationDeletionApproved]); err == nil {
		in.Options.Approved = approved
	}
	for _, row := range s.comparison.Rows {
		object := plan.Object{
			Target: row.Target, Live: row.Live, Modified: row.Modified, SelfReferenced: row.SelfReferenced,
		}
		rejected, err := r.rejected(s, row)
		if err != nil {
			return plan.Input{}, err
		}
		object.Rejected = rejected
		in.Objects = append(in.Objects, object)
	}
	if op.SyncOptions.Has("CreateNamespace=true") {
		exists, err := r.namespaceExists(ctx, in.Options.Namespace)
		if err != nil {
			return plan.Input{}, err
		}
		in.NamespaceExists = exists
	}
	return in, nil
}

func forced(strategy *argov1.SyncStrategy) bool {
	return strategy != nil && ((strategy.Apply != nil && strategy.Apply.Force) || (strategy.Hook != nil && strategy.Hook.Force))
}

func assess(obj *unstructured.Unstructured) (argov1.HealthStatusCode, string, bool) {
	status := health.Assess(obj)
	if status == nil {
		return "", "", false
	}
	return status.Status, status.Message, true
}

// rejected says why an object may not be synced; empty when it may. A kind that a definition of the same sync makes known
// is not unknown.
func (r *Reconciler) rejected(s *scope, row refresh.Row) (string, error) {
	if row.UnknownKind {
		if s.definesKind(row.Key) {
			return "", nil
		}
		if resource.HasOption(row.Target, "SkipDryRunOnMissingResource=true") {
			return "", nil
		}
		gvk := row.Target.GroupVersionKind()
		return fmt.Sprintf("The Kubernetes API could not find %s/%s for requested resource %s/%s. Make sure the %q CRD is installed on the destination cluster.",
			gvk.Group, gvk.Kind, row.Key.Namespace, row.Key.Name, gvk.Kind), nil
	}
	namespaced, ok := s.namespaced[row.Key]
	if !ok {
		obj := row.Target
		if obj == nil {
			obj = row.Live
		}
		var err error
		if namespaced, err = r.Conn.Namespaced(obj.GroupVersionKind()); err != nil {
			return "", fmt.Errorf("looking up kind %s: %w", row.Key.GroupKind(), err)
		}
		s.namespaced[row.Key] = namespaced
	}
	return r.Permissions.Object(s.project, row.Key, namespaced), nil
}

func (s *scope) definesKind(key resource.Key) bool {
	return slices.ContainsFunc(s.comparison.Rows, func(row refresh.Row) bool {
		if row.Target == nil || row.Key.Kind != "CustomResourceDefinition" {
			return false
		}
		group, _, _ := unstructured.NestedString(row.Target.Object, "spec", "group")
		kind, _, _ := unstructured.NestedString(row.Target.Object, "spec", "names", "kind")
		return group == key.Group && kind == key.Kind
	})
}

func (r *Reconciler) namespaceExists(ctx context.Context, name string) (bool, error) {
	_, err := r.Conn.Dynamic.Resource(schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	return err == nil, err
}

// finish ends an operation, or arranges for another attempt (contract 2.11).
func (r *Reconciler) finish(ctx context.Context, s *scope) error {
	state := s.app.Status.OperationState
	finished := metav1.NewTime(r.Now())
	state.FinishedAt = &finished
	terminated := state.Message == "Operation terminated"
	limit := s.app.Operation.Retry.Limit
	if state.Phase != argov1.OperationSucceeded && !terminated && (limit < 0 || state.RetryCount < limit) {
		state.Phase = argov1.OperationRunning
		state.RetryCount++
		at := retryAt(state)
		state.Message = fmt.Sprintf("%s. Retrying attempt #%d at %s.", state.Message, state.RetryCount, at.Format(time.Kitchen))
		return outcome.Waiting(max(at.Sub(r.Now()), time.Second))
	}
	if state.Phase != argov1.OperationSucceeded && state.RetryCount > 0 {
		state.Message = fmt.Sprintf("%s (retried %d times).", state.Message, state.RetryCount)
	}
	s.remember()
	s.app.Operation = nil
	countSync(s.app, state.Phase)
	kind := corev1.EventTypeNormal
	if state.Phase != argov1.OperationSucceeded {
		kind = corev1.EventTypeWarning
	}
	r.event(s, kind, "OperationCompleted", operationText(s.app, string(state.Phase)+": "+state.Message))
	return r.compare(ctx, s)
}

// retryAt is when the next attempt is due: duration×factor^retries, capped (contract 2.11, with its quirk).
func retryAt(state *argov1.OperationState) time.Time {
	duration, limit, factor := 5*time.Second, 3*time.Minute, int64(2)
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

// abortOperation ends a running operation that cannot go on.
func (s *scope) abortOperation(phase argov1.OperationPhase, message string) {
	if s.app.Operation == nil {
		return
	}
	state := s.app.Status.OperationState
	if state == nil || state.Phase.Completed() {
		state = &argov1.OperationState{Operation: *s.app.Operation, StartedAt: metav1.NewTime(s.now)}
		s.app.Status.OperationState = state
	}
	finished := metav1.NewTime(s.now)
	state.Phase, state.Message, state.FinishedAt = phase, message, &finished
	s.app.Operation = nil
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
