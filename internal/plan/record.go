package plan

import (
	"fmt"
	"slices"
	"strings"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/resource"
)

// Record turns what came of a step's actions into what the operation state becomes. Actions without an outcome were not
// done and stay pending.
func Record(in Input, step Step, outcomes []Outcome) Step {
	recorded := Step{Phase: argov1.OperationRunning, Message: step.Message, Results: slices.Clone(step.Results), Pause: step.Pause}
	var reasons []string
	applied, dryRun := false, false
	for _, outcome := range outcomes {
		task := outcome.Action.Task
		dryRun = dryRun || outcome.Action.Verb == DryRun
		switch {
		case outcome.Err != nil:
			reasons = append(reasons, outcome.Err.Error())
			recorded.Results = put(recorded.Results, row(task, argov1.ResultCodeSyncFailed, outcome.Err.Error(), argov1.OperationFailed))
		case outcome.Action.Verb != DryRun:
			applied = true
			recorded.Results = put(recorded.Results, succeeded(in, task, outcome.Message))
		}
	}
	if dryRun {
		return recordDryRun(in, recorded, reasons)
	}
	switch {
	case len(reasons) > 0 && !applied:
		recorded.Phase = argov1.OperationFailed
		recorded.Message = "one or more objects failed to apply, reason: " + strings.Join(reasons, ",")
	case len(reasons) == 0 && !step.Pause && len(step.Groups) > 0:
		recorded.Phase, recorded.Message = argov1.OperationSucceeded, "successfully synced (all tasks run)"
	}
	recorded.Pause = recorded.Pause && len(reasons) == 0
	return recorded
}

// recordDryRun ends an operation whose dry run failed, with all errors at once, or that wanted no more than a dry run.
func recordDryRun(in Input, recorded Step, reasons []string) Step {
	switch {
	case len(reasons) > 0:
		recorded.Phase = argov1.OperationFailed
		recorded.Message = "one or more objects failed to apply (dry run), reason: " + strings.Join(reasons, ",")
	case in.Options.DryRun:
		return dryRunOperation(in, recorded)
	}
	return recorded
}

// dryRunOperation ends an operation that only wanted to know.
func dryRunOperation(in Input, recorded Step) Step {
	for _, task := range Tasks(in) {
		r := succeeded(in, task, "")
		r.HookPhase = argov1.OperationSucceeded
		switch {
		case task.Target != nil:
			r.Message = kubectlName(task) + " " + dryRunVerb(task) + " (dry run)"
		case r.Status == argov1.ResultCodePruned:
			r.Message = "pruned (dry run)"
		}
		recorded.Results = put(recorded.Results, r)
	}
	recorded.Phase, recorded.Message = argov1.OperationSucceeded, "successfully synced (no more tasks)"
	return recorded
}

func dryRunVerb(task Task) string {
	switch {
	case task.Live == nil:
		return "created"
	case task.Modified:
		return "configured"
	}
	return "unchanged"
}

// succeeded is the row of a task that was done.
func succeeded(in Input, task Task, message string) *argov1.ResourceResult {
	if task.Target != nil {
		return row(task, argov1.ResultCodeSynced, message, argov1.OperationRunning)
	}
	if why := keeps(in.Options, task); why != "" {
		return row(task, argov1.ResultCodePruneSkipped, why, argov1.OperationSucceeded)
	}
	return row(task, argov1.ResultCodePruned, "pruned", argov1.OperationSucceeded)
}

// Skipped tells whether a prune action is to be recorded as skipped rather than done.
func Skipped(options Options, task Task) bool {
	return task.Target == nil && keeps(options, task) != ""
}

func row(task Task, status argov1.ResultCode, message string, phase argov1.OperationPhase) *argov1.ResourceResult {
	obj := task.Target
	if obj == nil {
		obj = task.Live
	}
	return &argov1.ResourceResult{
		Group: task.Key.Group, Version: obj.GroupVersionKind().Version, Kind: task.Key.Kind,
		Namespace: task.Key.Namespace, Name: task.Key.Name,
		Status: status, Message: message, HookPhase: phase, SyncPhase: task.Phase,
	}
}

// find is the index of the task's row, or -1.
func find(rows argov1.ResourceResults, task Task) int {
	return slices.IndexFunc(rows, func(r *argov1.ResourceResult) bool {
		return rowKey(r) == task.Key && r.SyncPhase == task.Phase
	})
}

func rowKey(r *argov1.ResourceResult) resource.Key {
	return resource.Key{Group: r.Group, Kind: r.Kind, Namespace: r.Namespace, Name: r.Name}
}

// put replaces the row of the same task or appends it.
func put(rows argov1.ResourceResults, r *argov1.ResourceResult) argov1.ResourceResults {
	for i, old := range rows {
		if rowKey(old) == rowKey(r) && old.SyncPhase == r.SyncPhase {
			rows[i] = r
			return rows
		}
	}
	return append(rows, r)
}

func changed(old, now argov1.ResourceResults) bool {
	return !slices.EqualFunc(old, now, func(a, b *argov1.ResourceResult) bool {
		return a.HookPhase == b.HookPhase && a.Status == b.Status && a.Message == b.Message
	})
}

func failures(rows argov1.ResourceResults) []string {
	var messages []string
	for _, r := range rows {
		if r.HookPhase == argov1.OperationFailed || r.HookPhase == argov1.OperationError {
			messages = append(messages, r.Message)
		}
	}
	return messages
}

func waitMessage(waiting []Task, otherwise string) string {
	if len(waiting) == 0 {
		return otherwise
	}
	return "waiting for healthy state of " + names(waiting, "resources")
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

// kubectlName is the object as kubectl prints it: configmap/x, deployment.apps/x.
func kubectlName(task Task) string {
	name := strings.ToLower(task.Key.Kind)
	if task.Key.Group != "" {
		name += "." + task.Key.Group
	}
	return name + "/" + task.Key.Name
}
