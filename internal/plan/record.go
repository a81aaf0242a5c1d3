package plan

import (
	"fmt"
	"slices"
	"strings"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/resource"
)

// Record turns what came of a step's actions into what the operation state becomes. Tasks that were begun and have no
// outcome were not done and stay pending.
func Record(in Input, step Step, outcomes []Outcome) Step {
	rows := newLedger(step.Results)
	var reasons distinct
	done := rows.settleGone(step.gone)
	for _, outcome := range outcomes {
		task := outcome.Action.Task
		switch {
		case outcome.Err != nil:
			reasons.add(outcome.Err.Error())
			rows.put(failed(outcome, rows.of(task)))
		case outcome.Action.Verb == Apply, outcome.Action.Verb == Prune:
			done = true
			rows.put(succeeded(in, task, outcome.Message))
		}
	}
	recorded := Step{Phase: step.Phase, Message: step.Message, Results: rows.withoutIntents()}
	if len(reasons.texts) > 0 {
		recorded.Phase, recorded.Message = failure(in, step, reasons.texts, done)
		return recorded
	}
	recorded.Pause = step.Pause
	if step.Final {
		recorded.Phase, recorded.Message = argov1.OperationSucceeded, messageAllRun
	}
	return recorded
}

// failure is what the operation becomes when actions have failed: it ends at once when nothing of the wave was done, and
// nobody waits for the failure; else one pass later (contract B 1).
func failure(in Input, step Step, reasons []string, done bool) (argov1.OperationPhase, string) {
	switch {
	case step.Phase == argov1.OperationTerminating:
		return argov1.OperationError, "Operation termination had errors"
	case isNamespaceStep(step):
		return argov1.OperationFailed, "the namespace failed to apply"
	case !done && !slices.ContainsFunc(Tasks(in), isSyncFail):
		return argov1.OperationFailed, withReasons("one or more objects failed to apply", reasons)
	}
	return step.Phase, step.Message
}

func isSyncFail(task Task) bool { return task.Phase == argov1.SyncPhaseSyncFail }

func isNamespaceStep(step Step) bool {
	return len(step.Groups) > 0 && len(step.Groups[0]) > 0 && isNamespaceTask(step.Groups[0][0].Task)
}

// failed is the row of a task whose action failed. Of a hook that cannot be deleted or released it keeps what is known
// besides.
func failed(outcome Outcome, before *argov1.ResourceResult) *argov1.ResourceResult {
	message := outcome.Err.Error()
	switch outcome.Action.Verb {
	case DeleteHook:
		message = "failed to delete the hook: " + message
	case ReleaseHook:
		message = "failed to remove hook finalizer: " + message
	default:
		return row(outcome.Action.Task, argov1.ResultCodeSyncFailed, message, argov1.OperationFailed)
	}
	if before == nil {
		return row(outcome.Action.Task, argov1.ResultCodeSyncFailed, message, argov1.OperationError)
	}
	kept := *before
	kept.HookPhase, kept.Message = argov1.OperationError, message
	return &kept
}

// succeeded is the row of a task that was done.
func succeeded(in Input, task Task, message string) *argov1.ResourceResult {
	if task.Target != nil {
		done := row(task, argov1.ResultCodeSynced, message, argov1.OperationRunning)
		done.Images = resource.Images(task.Target)
		return done
	}
	if why := keeps(in.Options, task); why != "" {
		return row(task, argov1.ResultCodePruneSkipped, why, argov1.OperationSucceeded)
	}
	return row(task, argov1.ResultCodePruned, "pruned", argov1.OperationSucceeded)
}

func row(task Task, status argov1.ResultCode, message string, phase argov1.OperationPhase) *argov1.ResourceResult {
	obj := task.Target
	if obj == nil {
		obj = task.Live
	}
	return &argov1.ResourceResult{
		Group: task.Key.Group, Version: obj.GroupVersionKind().Version, Kind: task.Key.Kind,
		Namespace: task.RowNamespace, Name: task.Key.Name,
		Status: status, Message: message, HookType: task.HookType, HookPhase: phase, SyncPhase: task.Phase,
	}
}

// isIntent tells whether a row says no more than that something was begun.
func isIntent(r *argov1.ResourceResult) bool {
	return r.Status == "" && (r.HookPhase == argov1.OperationRunning || r.HookPhase == argov1.OperationTerminating)
}

// id identifies a row: one object in one phase.
type id struct {
	group, kind, namespace, name string
	phase                        argov1.SyncPhase
}

func idOf(task Task) id {
	return id{task.Key.Group, task.Key.Kind, task.RowNamespace, task.Key.Name, task.Phase}
}

func idOfRow(r *argov1.ResourceResult) id {
	return id{r.Group, r.Kind, r.Namespace, r.Name, r.SyncPhase}
}

// ledger is the rows of an operation in the order of execution, found by identity. It does not change the rows that it was
// made from.
type ledger struct {
	rows argov1.ResourceResults
	at   map[id]int
}

func newLedger(rows argov1.ResourceResults) ledger {
	l := ledger{rows: slices.Clone(rows), at: make(map[id]int, len(rows))}
	for i, r := range rows {
		l.at[idOfRow(r)] = i
	}
	return l
}

// of is the row of a task, nil when there is none.
func (l *ledger) of(task Task) *argov1.ResourceResult {
	if i, ok := l.at[idOf(task)]; ok {
		return l.rows[i]
	}
	return nil
}

// put replaces the row of the same task or appends it.
func (l *ledger) put(r *argov1.ResourceResult) {
	if i, ok := l.at[idOfRow(r)]; ok {
		l.rows[i] = r
		return
	}
	l.at[idOfRow(r)] = len(l.rows)
	l.rows = append(l.rows, r)
}

// settleGone turns the rows of begun prunes whose objects have gone into results, and tells whether there were any.
func (l *ledger) settleGone(gone []id) bool {
	for _, key := range gone {
		if i, ok := l.at[key]; ok {
			settled := *l.rows[i]
			settled.Status, settled.Message, settled.HookPhase = argov1.ResultCodePruned, "pruned", argov1.OperationSucceeded
			l.rows[i] = &settled
		}
	}
	return len(gone) > 0
}

func (l *ledger) withoutIntents() argov1.ResourceResults {
	return slices.DeleteFunc(l.rows, isIntent)
}

// reasons are the messages of the failed tasks of some rows, each once.
func (l *ledger) reasons(of func(*argov1.ResourceResult) bool) []string {
	var reasons distinct
	for _, r := range l.rows {
		if of(r) && r.Status == argov1.ResultCodeSyncFailed {
			reasons.add(r.Message)
		}
	}
	return reasons.texts
}

// distinct are texts in the order in which they were added first.
type distinct struct {
	texts []string
	seen  map[string]bool
}

func (d *distinct) add(text string) {
	if d.seen[text] {
		return
	}
	if d.seen == nil {
		d.seen = map[string]bool{}
	}
	d.seen[text], d.texts = true, append(d.texts, text)
}

func withReasons(message string, reasons []string) string {
	if len(reasons) == 0 {
		return message
	}
	return message + ", reason: " + strings.Join(reasons, ",")
}

func changed(old, now argov1.ResourceResults) bool {
	return !slices.EqualFunc(old, now, func(a, b *argov1.ResourceResult) bool {
		return a.HookPhase == b.HookPhase && a.Status == b.Status && a.Message == b.Message
	})
}

// waitMessage says what an operation waits for, in the contract's words (2.4 steps 5 and 6): objects that are no hooks
// decide the wording.
func waitMessage(tasks []Task, pendingDeletion bool) string {
	resources := slices.DeleteFunc(slices.Clone(tasks), Task.IsHook)
	switch {
	case pendingDeletion:
		return "waiting for deletion of " + names(tasks, "resources")
	case len(resources) > 0:
		return "waiting for healthy state of " + names(slices.Concat(resources, slices.DeleteFunc(slices.Clone(tasks), func(t Task) bool { return !t.IsHook() })), "resources")
	}
	return "waiting for completion of hook " + names(tasks, "hooks")
}

// names is the first object and how many more there are (contract 2.4 step 5).
func names(tasks []Task, noun string) string {
	text := display(tasks[0].Key)
	if more := len(tasks) - 1; more > 0 {
		text += fmt.Sprintf(" and %d more %s", more, noun)
	}
	return text
}

// display is group/Kind/name, as messages write it.
func display(key resource.Key) string {
	return key.Group + "/" + key.Kind + "/" + key.Name
}
