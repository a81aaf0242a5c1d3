package plan

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/resource"
)

// syncHooks are the hook types that run during a sync, and their phases.
var syncHooks = map[argov1.HookType]argov1.SyncPhase{
	argov1.HookTypePreSync:  argov1.SyncPhasePreSync,
	argov1.HookTypeSync:     argov1.SyncPhaseSync,
	argov1.HookTypePostSync: argov1.SyncPhasePostSync,
	argov1.HookTypeSyncFail: argov1.SyncPhaseSyncFail,
}

// hookTasks are the tasks of a hook, one for each of its phases. Hooks run in full syncs only, and never with the strategy
// apply; a hook of an unknown type has no phase and is never applied (contract 2.3).
func hookTasks(options Options, object Object, live map[resource.Key]*unstructured.Unstructured) []Task {
	if options.WithoutHooks || len(options.Resources) > 0 {
		return nil
	}
	var tasks []Task
	for _, hookType := range resource.HookTypes(object.Target) {
		if phase, ok := syncHooks[hookType]; ok {
			tasks = append(tasks, hookTask(options, object, hookType, phase, live))
		}
	}
	return tasks
}

func hookTask(options Options, object Object, hookType argov1.HookType, phase argov1.SyncPhase, live map[resource.Key]*unstructured.Unstructured) Task {
	target := object.Target.DeepCopy()
	if target.GetName() == "" && target.GetGenerateName() != "" {
		target.SetName(hookName(options, target.GetGenerateName(), phase))
	}
	if _, duringSync := syncHooks[hookType]; duringSync && !slices.Contains(target.GetFinalizers(), argov1.FinalizerHook) {
		target.SetFinalizers(append(target.GetFinalizers(), argov1.FinalizerHook))
	}
	task := targetTask(options, target, live[resource.KeyOf(target)])
	task.Phase, task.HookType, task.Modified, task.Rejected, task.Invalid = phase, hookType, true, object.Rejected, object.Invalid
	task.Propagation = propagation(options)
	return task
}

// hookName makes the name of a hook with generateName: the same within one operation, another in the next (contract 2.3).
func hookName(options Options, prefix string, phase argov1.SyncPhase) string {
	revision := options.Revision
	if len(revision) > 7 {
		revision = revision[:7]
	}
	return prefix + strings.ToLower(fmt.Sprintf("%s-%s-%d", revision, phase, options.StartedAt.Unix()))
}

// hasPolicy tells whether a hook is deleted on an occasion. An object that applies says so itself; its live form counts
// when an earlier revision wrote it (contract 2.3).
func hasPolicy(task Task, policy resource.HookDeletePolicy) bool {
	return task.IsHook() && slices.Contains(resource.HookDeletePolicies(task.Target), policy)
}

// deletable tells whether a hook stands there and nobody has deleted it yet.
func deletable(task Task) bool {
	return task.IsHook() && task.Live != nil && task.Live.GetDeletionTimestamp() == nil
}

func holdsFinalizer(task Task) bool {
	return task.IsHook() && task.Live != nil && slices.Contains(task.Live.GetFinalizers(), argov1.FinalizerHook)
}

// unique leaves one task for each live object: a hook of several phases is one object.
func unique(tasks []Task) []Task {
	seen := map[resource.Key]bool{}
	var kept []Task
	for _, task := range tasks {
		if !seen[task.Key] {
			seen[task.Key] = true
			kept = append(kept, task)
		}
	}
	return kept
}

func actions(verb Verb, tasks []Task) []Action {
	all := make([]Action, 0, len(tasks))
	for _, task := range tasks {
		all = append(all, Action{Verb: verb, Task: task})
	}
	return all
}
