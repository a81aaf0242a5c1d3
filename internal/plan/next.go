package plan

import (
	"fmt"
	"slices"
	"strings"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/resource"
)

// Next decides what comes next. If what is observed settles a recorded task, the step holds only the new rows: actions come
// in the step after they were written, so that a crash in between can lose neither (remember before you act).
func Next(in Input) Step {
	tasks := Tasks(in)
	if in.Phase == argov1.OperationTerminating {
		return Step{Phase: argov1.OperationFailed, Message: "Operation terminated", Results: in.Results}
	}
	if step, rejected := reject(in, tasks); rejected {
		return step
	}
	if len(in.Results) == 0 && !in.Validated && len(tasks) > 0 {
		return Step{Phase: argov1.OperationRunning, Message: "one or more tasks are running", Groups: dryRuns(in, tasks)}
	}
	multiStep := len(tasks) > 0 && !sameWave(tasks[0], tasks[len(tasks)-1])
	rows, waiting := observe(in, tasks, multiStep)
	if changed(in.Results, rows) {
		return Step{Phase: argov1.OperationRunning, Message: waitMessage(waiting, in.Message), Results: rows}
	}
	if len(waiting) > 0 {
		return Step{Phase: argov1.OperationRunning, Message: waitMessage(waiting, ""), Results: rows}
	}
	if failed := failures(rows); len(failed) > 0 {
		return Step{
			Phase: argov1.OperationFailed, Results: rows,
			Message: "one or more synchronization tasks completed unsuccessfully, reason: " + strings.Join(failed, ","),
		}
	}
	if deleting := terminating(tasks, rows); len(deleting) > 0 {
		return Step{Phase: argov1.OperationRunning, Message: "waiting for deletion of " + names(deleting, "resources"), Results: rows}
	}
	return perform(in, pending(in, tasks, rows), rows)
}

// perform does the first wave of what is left.
func perform(in Input, left []Task, rows argov1.ResourceResults) Step {
	if len(left) == 0 {
		return Step{Phase: argov1.OperationSucceeded, Message: "successfully synced (no more tasks)", Results: rows}
	}
	wave := left
	for i, task := range left {
		if !sameWave(left[0], task) {
			wave = left[:i]
			break
		}
	}
	if unconfirmed := awaitsApproval(in.Options, wave); len(unconfirmed) > 0 {
		return Step{
			Phase: argov1.OperationRunning, Results: rows,
			Message: "waiting for pruning confirmation of " + names(unconfirmed, "resources"),
		}
	}
	return Step{
		Phase: argov1.OperationRunning, Message: "one or more tasks are running", Results: rows,
		Groups: group(wave), Pause: len(wave) < len(left),
	}
}

func sameWave(a, b Task) bool { return a.Phase == b.Phase && a.Wave == b.Wave }

// reject ends a sync that holds a task which may not be done, before anything is touched.
func reject(in Input, tasks []Task) (Step, bool) {
	var reasons []string
	rows := slices.Clone(in.Results)
	for _, task := range tasks {
		if task.Rejected == "" {
			continue
		}
		if !slices.Contains(reasons, task.Rejected) {
			reasons = append(reasons, task.Rejected)
		}
		rows = put(rows, row(task, argov1.ResultCodeSyncFailed, task.Rejected, argov1.OperationFailed))
	}
	if len(reasons) == 0 {
		return Step{}, false
	}
	return Step{
		Phase: argov1.OperationFailed, Results: rows,
		Message: "one or more synchronization tasks are not valid: " + strings.Join(reasons, "; "),
	}, true
}

// dryRuns validates all tasks of all waves at once. A task whose kind or namespace this very sync makes cannot be validated
// before that exists.
func dryRuns(in Input, tasks []Task) [][]Action {
	var actions []Action
	for _, task := range tasks {
		made := slices.ContainsFunc(tasks, func(t Task) bool {
			needs := user(t)
			return needs != nil && t.Live == nil && needs(task)
		})
		if !made && (task.Target != nil || in.Options.Prune) && !(task.Target == nil && keeps(in.Options, task) != "") {
			actions = append(actions, Action{Verb: DryRun, Task: task})
		}
	}
	return [][]Action{actions}
}

// observe brings the rows of tasks that run up to what is seen in the cluster, and lists the tasks that still run. Only a
// sync of several waves waits for health (contract 2.4 step 5).
func observe(in Input, tasks []Task, multiStep bool) (rows argov1.ResourceResults, waiting []Task) {
	rows = slices.Clone(in.Results)
	for _, task := range tasks {
		at := find(rows, task)
		if at < 0 || rows[at].HookPhase != argov1.OperationRunning || task.Target == nil {
			continue
		}
		settled := settle(in, task, *rows[at])
		if settled.HookPhase == argov1.OperationRunning {
			if multiStep && len(pending(in, tasks, rows)) > 0 {
				waiting = append(waiting, task)
			}
			continue
		}
		rows[at] = &settled
	}
	return rows, waiting
}

// settle reads the end of a running task from the health of its object.
func settle(in Input, task Task, r argov1.ResourceResult) argov1.ResourceResult {
	if task.Live == nil {
		r.Status, r.HookPhase = argov1.ResultCodeSyncFailed, argov1.OperationError
		r.Message = fmt.Sprintf("Resource %s is missing, it might have been deleted", display(task.Key))
		return r
	}
	code, message, ok := in.Health(task.Live)
	switch {
	case !ok:
		r.HookPhase = argov1.OperationSucceeded
		return r
	case code == argov1.HealthHealthy:
		r.HookPhase = argov1.OperationSucceeded
	case code == argov1.HealthDegraded:
		r.HookPhase = argov1.OperationFailed
	default:
		return r
	}
	if message != "" {
		r.Message = message
	}
	return r
}

// pending are the tasks without a row, less those that a sync of what differs leaves out.
func pending(in Input, tasks []Task, rows argov1.ResourceResults) []Task {
	var left []Task
	for _, task := range tasks {
		if find(rows, task) >= 0 {
			continue
		}
		if in.Options.SyncOptions.Has("ApplyOutOfSyncOnly=true") && task.Live != nil && task.Target != nil && !task.Modified {
			continue
		}
		left = append(left, task)
	}
	return left
}

func terminating(tasks []Task, rows argov1.ResourceResults) []Task {
	var deleting []Task
	for _, task := range tasks {
		at := find(rows, task)
		if task.Target == nil && at >= 0 && rows[at].Status == argov1.ResultCodePruned && task.Live.GetDeletionTimestamp() != nil {
			deleting = append(deleting, task)
		}
	}
	return deleting
}

// awaitsApproval lists the prunes that a user has to confirm and has not (contract 2.6).
func awaitsApproval(options Options, wave []Task) []Task {
	var unconfirmed []Task
	for _, task := range wave {
		if task.Target == nil && options.Prune && keeps(options, task) == "" && pruneOption(options, task) == "confirm" &&
			options.Approved.Before(options.StartedAt) {
			unconfirmed = append(unconfirmed, task)
		}
	}
	return unconfirmed
}

// pruneOption is the value of Prune= for a live object; its own annotation overrides the application's (contract 2.6).
func pruneOption(options Options, task Task) string {
	own := resource.Values(task.Live, argov1.AnnotationSyncOptions)
	for _, list := range [][]string{own, options.SyncOptions} {
		for _, option := range list {
			if value, ok := strings.CutPrefix(option, "Prune="); ok {
				return value
			}
		}
	}
	return ""
}

// keeps says why a prune is not done; empty when it is.
func keeps(options Options, task Task) string {
	switch {
	case pruneOption(options, task) == "false":
		return "ignored (no prune)"
	case !options.Prune:
		return "ignored (requires pruning)"
	}
	return ""
}

// group puts the prunes of a wave first, all at once, then its applies kind by kind (contract 2.2).
func group(wave []Task) [][]Action {
	var groups [][]Action
	for i, task := range wave {
		verb := Apply
		if task.Target == nil {
			verb = Prune
		}
		same := i > 0 && (wave[i-1].Target == nil) == (task.Target == nil) &&
			(task.Target == nil || wave[i-1].Key.GroupKind() == task.Key.GroupKind())
		if !same {
			groups = append(groups, nil)
		}
		groups[len(groups)-1] = append(groups[len(groups)-1], Action{Verb: verb, Task: task})
	}
	return groups
}
