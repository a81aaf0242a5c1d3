package plan

import (
	"cmp"
	"slices"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/resource"
)

// DeletionStep is what the hooks of a deleted application ask for next (contract 2.11).
type DeletionStep struct {
	// Actions are done at the same time.
	Actions []Action
	// Waiting says what is waited for; empty when Done.
	Waiting string
	// Done tells that all hooks have ended well.
	Done bool
}

// NextDeletion decides what comes next among the hooks of one type, PreDelete or PostDelete. Nothing is recorded: what
// stands in the cluster says how far they have come. A hook that failed is deleted and run again.
func NextDeletion(in Input, hookType argov1.HookType) DeletionStep {
	tasks := deletionTasks(in, hookType)
	for len(tasks) > 0 {
		wave := firstWave(tasks)
		tasks = tasks[len(wave):]
		var step DeletionStep
		var waiting []Task
		for _, task := range wave {
			switch ended, failed := hookEnd(in, task); {
			case task.Live == nil:
				step.Actions = append(step.Actions, Action{Verb: Apply, Task: task})
				waiting = append(waiting, task)
			case failed && task.Live.GetDeletionTimestamp() == nil:
				step.Actions = append(step.Actions, Action{Verb: DeleteHook, Task: task})
				waiting = append(waiting, task)
			case !ended:
				waiting = append(waiting, task)
			}
		}
		if len(waiting) > 0 {
			step.Waiting = "waiting for completion of " + string(hookType) + " hook " + names(waiting, "hooks")
			return step
		}
	}
	return DeletionStep{Done: true}
}

// DeletionCleanup are the hooks of one type that go when all of them have ended well.
func DeletionCleanup(in Input, hookType argov1.HookType) []Action {
	var doomed []Action
	for _, task := range deletionTasks(in, hookType) {
		if deletable(task) && hasPolicy(task, resource.HookSucceeded) {
			doomed = append(doomed, Action{Verb: DeleteHook, Task: task})
		}
	}
	return doomed
}

// hookEnd tells whether a hook has ended, and whether it failed.
func hookEnd(in Input, task Task) (ended, failed bool) {
	if task.Live == nil {
		return false, false
	}
	code, _, ok := in.Health(task.Live)
	switch {
	case !ok, code == argov1.HealthHealthy:
		return true, false
	case code == argov1.HealthDegraded, code == argov1.HealthUnknown:
		return true, true
	}
	return false, false
}

func deletionTasks(in Input, hookType argov1.HookType) []Task {
	live := liveObjects(in.Objects)
	var tasks []Task
	for _, object := range in.Objects {
		if object.Target != nil && slices.Contains(resource.HookTypes(object.Target), hookType) {
			tasks = append(tasks, hookTask(in.Options, object, hookType, argov1.SyncPhase(hookType), live))
		}
	}
	slices.SortStableFunc(tasks, func(a, b Task) int {
		return cmp.Or(cmp.Compare(a.Wave, b.Wave), cmp.Compare(kindRank[a.Key.Kind], kindRank[b.Key.Kind]), a.Key.Compare(b.Key))
	})
	return tasks
}
