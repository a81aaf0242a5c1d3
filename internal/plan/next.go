package plan

import (
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/resource"
)

const (
	messageRunning = "one or more tasks are running"
	messageDone    = "successfully synced (no more tasks)"
	messageAllRun  = "successfully synced (all tasks run)"
)

// situation is what the rules of Next look at.
type situation struct {
	in    Input
	tasks []Task
	rows  ledger
	// multiStep tells that the sync has more than one wave: then each but the last is waited for (contract 2.4 step 5).
	multiStep bool
}

// rule decides what is next in a certain situation, and whether the situation is given at all.
type rule func(s *situation) (Step, bool)

// rules are asked in turn; the first that decides wins. They are the steps of contract 2.4.
var rules = []rule{
	terminate,
	reject,
	validate,
	answerDryRun,
	resume,
	observe,
	awaitRunning,
	awaitDeletion,
	releaseHooks,
	fail,
	perform,
}

// Next decides what comes next. If what is observed settles a recorded task, the step holds only the new rows: actions come
// in the step after they were written, so that a crash in between can lose neither (remember before you act).
func Next(in Input) Step {
	tasks := Tasks(in)
	s := &situation{in: in, tasks: tasks, rows: newLedger(in.Results)}
	s.multiStep = len(tasks) > 0 && !sameWave(tasks[0], tasks[len(tasks)-1])
	for _, decide := range rules {
		if step, ok := decide(s); ok {
			return step
		}
	}
	return s.running(in.Message)
}

// running is a step that goes on with nothing to do.
func (s *situation) running(message string) Step {
	return Step{Phase: argov1.OperationRunning, Message: message, Results: s.rows.rows}
}

// act is a step that does things of which nothing has to be remembered: to do them again changes nothing.
func (s *situation) act(phase argov1.OperationPhase, groups ...[]Action) Step {
	return Step{Phase: phase, Message: s.in.Message, Results: s.rows.rows, Groups: groups}
}

func (s *situation) end(phase argov1.OperationPhase, message string) Step {
	return Step{Phase: phase, Message: message, Results: s.rows.withoutIntents()}
}

// await is a step that waits for objects.
func (s *situation) await(tasks []Task, pendingDeletion bool) Step {
	step := s.running(waitMessage(tasks, pendingDeletion))
	for _, task := range tasks {
		if task.Live != nil {
			step.Waiting = append(step.Waiting, task.Live)
		}
	}
	return step
}

func (s *situation) begun(task Task) bool { return s.rows.of(task) != nil }

func (s *situation) runs(task Task) bool {
	row := s.rows.of(task)
	return row != nil && row.HookPhase == argov1.OperationRunning
}

// stuck tells whether a hook could not be deleted or released before: that ends the sync and is not tried again.
func (s *situation) stuck(task Task) bool {
	row := s.rows.of(task)
	return row != nil && row.HookPhase == argov1.OperationError
}

func (s *situation) filter(keep func(Task) bool) []Task {
	var kept []Task
	for _, task := range s.tasks {
		if keep(task) {
			kept = append(kept, task)
		}
	}
	return kept
}

// disposable tells whether a hook may be deleted because of how the sync went.
func (s *situation) disposable(task Task) bool {
	return deletable(task) && !s.runs(task) && !s.stuck(task)
}

// idleHooks are the hooks with our finalizer that run in none of their phases.
func (s *situation) idleHooks() []Task {
	running := map[resource.Key]bool{}
	for _, task := range s.tasks {
		running[task.Key] = running[task.Key] || s.runs(task) || s.stuck(task)
	}
	return unique(s.filter(func(t Task) bool { return holdsFinalizer(t) && !running[t.Key] }))
}

// terminate ends a sync on request: running hooks are deleted, ended ones released (contract 2.4).
func terminate(s *situation) (Step, bool) {
	if s.in.Phase != argov1.OperationTerminating {
		return Step{}, false
	}
	doomed := unique(s.filter(func(t Task) bool { return s.runs(t) && deletable(t) }))
	ended := s.idleHooks()
	if len(doomed)+len(ended) > 0 {
		return s.act(argov1.OperationTerminating, append(actions(DeleteHook, doomed), actions(ReleaseHook, ended)...)), true
	}
	for _, task := range s.tasks {
		if task.IsHook() && s.runs(task) && (task.Live != nil || !isIntent(s.rows.of(task))) {
			row := *s.rows.of(task)
			row.Status, row.HookPhase, row.Message = argov1.ResultCodeSynced, argov1.OperationFailed, "Terminated"
			s.rows.put(&row)
		}
	}
	return s.end(argov1.OperationFailed, "Operation terminated"), true
}

// reject ends a sync that holds a task which may not be done, before anything is touched (contract 2.4 step 2).
func reject(s *situation) (Step, bool) {
	var reasons distinct
	for _, task := range s.tasks {
		if task.Rejected == (Rejection{}) {
			continue
		}
		reasons.add(task.Rejected.Reason)
		s.rows.put(row(task, argov1.ResultCodeSyncFailed, task.Rejected.Message, ""))
	}
	if len(reasons.texts) == 0 {
		return Step{}, false
	}
	return s.end(argov1.OperationFailed, "one or more synchronization tasks are not valid: "+strings.Join(reasons.texts, "; ")), true
}

// validate is the dry run of all tasks of all phases and waves, with all errors at once (contract 2.4 step 3).
func validate(s *situation) (Step, bool) {
	if len(s.in.Results) > 0 {
		return Step{}, false
	}
	valid := true
	for _, task := range s.tasks {
		if problem := invalid(task); problem != "" {
			valid = false
			s.rows.put(row(task, argov1.ResultCodeSyncFailed, problem, argov1.OperationFailed))
		}
	}
	if valid {
		return Step{}, false
	}
	return s.end(argov1.OperationFailed, "one or more objects failed to apply (dry run)"), true
}

// invalid says what is wrong with the target of a task, without asking the API server; empty when nothing is.
func invalid(task Task) string {
	switch {
	case task.Target == nil || task.Target.GetName() != "":
		return task.Invalid
	case task.Target.GetGenerateName() != "":
		return "from " + task.Target.GetGenerateName() + ": cannot use generate name with apply"
	}
	return "resource name may not be empty: give " + task.Key.Kind + " a metadata.name"
}

// resume does the wave again during which the process ended: its tasks were begun and no result of them is known. A begun
// task that exists no more was a prune, for only what is pruned leaves the tasks.
func resume(s *situation) (Step, bool) {
	intents := map[id]bool{}
	for _, row := range s.rows.rows {
		if isIntent(row) {
			intents[idOfRow(row)] = true
		}
	}
	if len(intents) == 0 {
		return Step{}, false
	}
	begun := s.filter(func(t Task) bool { return intents[idOf(t)] })
	for _, task := range begun {
		delete(intents, idOf(task))
	}
	var step Step
	if old := slices.DeleteFunc(slices.Clone(begun), func(t Task) bool { return s.runs(t) }); len(old) > 0 {
		step = s.clear(begun, old)
	} else {
		step = s.apply(begun, s.pending())
	}
	if len(step.Groups) == 0 {
		step.Groups = [][]Action{{}}
	}
	step.gone = slices.Collect(maps.Keys(intents))
	return step, true
}

// observe brings the rows of running tasks up to what is seen in the cluster (contract 2.4 steps 4 and 5).
func observe(s *situation) (Step, bool) {
	for _, task := range s.tasks {
		if task.Target == nil || !s.runs(task) {
			continue
		}
		row := *s.rows.of(task)
		switch {
		case task.Live != nil:
			settle(s.in, task, &row)
		case s.multiStep || task.IsHook():
			row.Status, row.HookPhase = argov1.ResultCodeSyncFailed, argov1.OperationError
			row.Message = "Resource " + display(task.Key) + " is missing, it might have been deleted"
		}
		s.rows.put(&row)
	}
	if !changed(s.in.Results, s.rows.rows) {
		return Step{}, false
	}
	return s.running(s.in.Message), true
}

// settle reads the end of a running task from the health of its object.
func settle(in Input, task Task, row *argov1.ResourceResult) {
	code, message, ok := in.Health(task.Live)
	switch {
	case !ok:
		row.HookPhase = argov1.OperationSucceeded
		if task.IsHook() {
			message = task.Key.Name + " created" // contract B 3
		}
	case code == argov1.HealthHealthy:
		row.HookPhase = argov1.OperationSucceeded
	case code == argov1.HealthDegraded, code == argov1.HealthUnknown && task.IsHook():
		row.HookPhase = argov1.OperationFailed
	default:
		return
	}
	if message != "" {
		row.Message = message
	}
}

// awaitRunning waits for hooks, and in a sync of several waves for all that was applied.
func awaitRunning(s *situation) (Step, bool) {
	running := s.filter(func(t Task) bool { return (s.multiStep || t.IsHook()) && s.runs(t) })
	if len(running) == 0 {
		return Step{}, false
	}
	return s.await(running, false), true
}

// awaitDeletion waits for pruned objects that finalizers hold.
func awaitDeletion(s *situation) (Step, bool) {
	going := s.filter(func(t Task) bool {
		row := s.rows.of(t)
		return t.Target == nil && row != nil && row.Status == argov1.ResultCodePruned && t.Live.GetDeletionTimestamp() != nil
	})
	if len(going) == 0 {
		return Step{}, false
	}
	return s.await(going, true), true
}

// releaseHooks takes the finalizer off hooks that do not run: those whose end is recorded, and what an earlier sync left.
func releaseHooks(s *situation) (Step, bool) {
	ended := s.idleHooks()
	if len(ended) == 0 {
		return Step{}, false
	}
	return s.act(argov1.OperationRunning, actions(ReleaseHook, ended)), true
}

// fail ends a sync in which something went wrong: hooks with the policy HookFailed go, SyncFail hooks run and are waited
// for (contract 2.4 step 7).
func fail(s *situation) (Step, bool) {
	if !slices.ContainsFunc(s.rows.rows, func(r *argov1.ResourceResult) bool {
		return r.SyncPhase != argov1.SyncPhaseSyncFail && r.HookPhase.Failed()
	}) {
		return Step{}, false
	}
	doomed := unique(s.filter(func(t Task) bool { return s.disposable(t) && hasPolicy(t, resource.HookFailed) }))
	if len(doomed) > 0 {
		return s.act(argov1.OperationRunning, actions(DeleteHook, doomed)), true
	}
	message := withReasons("one or more synchronization tasks completed unsuccessfully", s.rows.reasons(func(r *argov1.ResourceResult) bool {
		return r.SyncPhase != argov1.SyncPhaseSyncFail
	}))
	syncFail := s.filter(func(t Task) bool { return t.Phase == argov1.SyncPhaseSyncFail })
	left := slices.DeleteFunc(slices.Clone(syncFail), s.begun)
	if len(left) > 0 {
		return s.wave(left, nil), true
	}
	if failed := s.rows.reasons(func(r *argov1.ResourceResult) bool { return r.SyncPhase == argov1.SyncPhaseSyncFail }); len(failed) > 0 {
		message += "\n" + withReasons("one or more SyncFail hooks failed", failed)
	}
	return s.end(argov1.OperationFailed, message), true
}

// perform does the first wave of what is left; when nothing is, the sync has succeeded (contract 2.4 steps 8 and 9).
func perform(s *situation) (Step, bool) {
	left := s.pending()
	if len(left) == 0 {
		if doomed := s.succeededHooks(); len(doomed) > 0 {
			return s.act(argov1.OperationRunning, actions(DeleteHook, doomed)), true
		}
		return s.end(argov1.OperationSucceeded, messageDone), true
	}
	wave := firstWave(left)
	if unconfirmed := awaitsApproval(s.in.Options, wave); len(unconfirmed) > 0 {
		step := s.running("waiting for pruning confirmation of " + names(unconfirmed, "resources"))
		return step, true
	}
	return s.wave(wave, left), true
}

// wave does the tasks of one wave. Hooks of an earlier run that are in the way go first, together with the prunes; the rest
// follows in a later step, when they are gone (contract 2.4 step 9).
func (s *situation) wave(wave, left []Task) Step {
	old := unique(slices.DeleteFunc(slices.Clone(wave), func(t Task) bool {
		return s.begun(t) || !t.IsHook() || t.Live == nil || !hasPolicy(t, resource.BeforeHookCreation)
	}))
	if going := slices.DeleteFunc(slices.Clone(old), deletable); len(going) > 0 && len(going) == len(old) {
		return s.await(going, true)
	}
	if len(old) > 0 {
		return s.clear(wave, old)
	}
	return s.apply(wave, left)
}

// clear does the prunes of a wave and deletes the hooks of an earlier run that are in its way.
func (s *situation) clear(wave, old []Task) Step {
	prunes := slices.DeleteFunc(slices.Clone(wave), func(t Task) bool { return t.Target != nil })
	s.begin(prunes, argov1.OperationRunning)
	s.begin(old, argov1.OperationTerminating)
	return s.act(argov1.OperationRunning, append(group(prunes), actions(DeleteHook, slices.DeleteFunc(old, func(t Task) bool { return !deletable(t) })))...)
}

// apply does the tasks of a wave.
func (s *situation) apply(wave, left []Task) Step {
	s.begin(wave, argov1.OperationRunning)
	step := s.running(messageRunning)
	step.Groups = group(wave)
	rest := slices.DeleteFunc(slices.Clone(left), s.begun)
	step.Pause = len(rest) > 0 && len(wave) > 0 && !sameWave(rest[0], wave[0]) && !isNamespaceTask(wave[0])
	if step.Final = len(rest) == 0 && !slices.ContainsFunc(wave, Task.IsHook); step.Final {
		if doomed := s.succeededHooks(); len(doomed) > 0 {
			step.Groups = append(step.Groups, actions(DeleteHook, doomed))
		}
	}
	return step
}

// begin writes down what is about to be done: Running that tasks are, Terminating that hooks of an earlier run go first.
func (s *situation) begin(tasks []Task, phase argov1.OperationPhase) {
	for _, task := range tasks {
		s.rows.put(row(task, "", "", phase))
	}
}

// succeededHooks are the hooks that go when the sync has succeeded.
func (s *situation) succeededHooks() []Task {
	return unique(s.filter(func(t Task) bool { return s.disposable(t) && hasPolicy(t, resource.HookSucceeded) }))
}

// pending are the tasks that were not begun, less SyncFail hooks and those that a sync of what differs leaves out.
func (s *situation) pending() []Task {
	outOfSyncOnly := s.in.Options.SyncOptions.Has("ApplyOutOfSyncOnly=true")
	return s.filter(func(t Task) bool {
		if s.begun(t) || t.Phase == argov1.SyncPhaseSyncFail {
			return false
		}
		return !outOfSyncOnly || t.IsHook() || t.Target == nil || t.Live == nil || t.Modified
	})
}

// firstWave is the first wave of what is left. The destination namespace is one by itself: without it, all else would fail.
func firstWave(left []Task) []Task {
	if isNamespaceTask(left[0]) {
		return left[:1]
	}
	for i, task := range left {
		if !sameWave(left[0], task) {
			return left[:i]
		}
	}
	return left
}

func sameWave(a, b Task) bool { return a.Phase == b.Phase && a.Wave == b.Wave }

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

// answerDryRun ends an operation that only wanted to know what it would do (contract B 11).
func answerDryRun(s *situation) (Step, bool) {
	if !s.in.Options.DryRun {
		return Step{}, false
	}
	for _, task := range s.tasks {
		if task.Phase == argov1.SyncPhaseSyncFail {
			continue
		}
		done := succeeded(s.in, task, task.Key.KubectlName()+" "+dryRunVerb(task)+" (dry run)")
		if done.HookPhase = argov1.OperationSucceeded; done.Status == argov1.ResultCodePruned {
			done.Message = "pruned (dry run)"
		}
		s.rows.put(done)
	}
	return s.end(argov1.OperationSucceeded, messageDone), true
}

func dryRunVerb(task Task) string {
	switch {
	case task.Live == nil || task.IsHook():
		return "created"
	case task.Modified:
		return "configured"
	}
	return "unchanged"
}

// Waited is the message of a step, told in full: once an operation has waited for long, it says since when and what for.
// Of what it waits for, detail says the health message or who holds the object.
func Waited(message, since, detail string) string {
	text := message + ", since " + since
	if detail != "" {
		text += ": " + detail
	}
	return text
}

// Holders names the finalizers of an object that is being deleted, and who is known to own each.
func Holders(obj *unstructured.Unstructured) string {
	finalizers := obj.GetFinalizers()
	if len(finalizers) == 0 {
		return ""
	}
	owners := map[string]string{}
	for _, entry := range obj.GetManagedFields() {
		if entry.FieldsV1 == nil {
			continue
		}
		for _, finalizer := range finalizers {
			if strings.Contains(string(entry.FieldsV1.GetRawBytes()), `"v:\"`+finalizer+`\""`) {
				owners[finalizer] = entry.Manager
			}
		}
	}
	for i, finalizer := range finalizers {
		if owner := owners[finalizer]; owner != "" {
			finalizers[i] += " (set by " + owner + ")"
		}
	}
	return "held by " + strings.Join(finalizers, ", ")
}
