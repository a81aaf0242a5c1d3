package plan

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/resource"
)

func TestHooks(t *testing.T) {
	for _, tc := range []struct {
		reason  string
		world   *world
		change  func(*world)
		effects []string
		phase   argov1.OperationPhase
		message string
		rows    map[string]string
		left    []string // hooks that still stand there
	}{
		{
			reason: "hooks run in their phases and waves",
			world: newWorld(hook("ConfigMap", "post", "-7", "PostSync"), hook("ConfigMap", "pre-b", "2", "PreSync"), object("ConfigMap", "main", "0"),
				hook("ConfigMap", "pre-a", "-2", "PreSync"), hook("ConfigMap", "mid", "1", "Sync"), object("ConfigMap", "late", "2")),
			effects: []string{"apply pre-a", "apply pre-b", "apply main", "apply mid", "apply late", "apply post"},
			phase:   argov1.OperationSucceeded, message: messageDone,
			rows: map[string]string{"pre-a PreSync": "Synced Succeeded pre-a created", "main Sync": "Synced Succeeded done"},
			left: []string{"mid", "post", "pre-a", "pre-b"},
		},
		{
			reason:  "a hook is waited for although the sync has a single wave",
			world:   newWorld(object("Pod", "pod", "0"), hook("Pod", "h", "0", "Sync")),
			change:  func(w *world) { w.ends["h"] = end{code: argov1.HealthSuspended} },
			effects: []string{"apply h, apply pod"}, phase: argov1.OperationRunning, message: "waiting for completion of hook /Pod/h",
			left: []string{"h"},
		},
		{
			reason: "a wave with a hook ends one pass later, and its other rows stay as they are",
			world:  newWorld(object("Pod", "pod", "0"), hook("Pod", "h", "0", "Sync")),
			change: func(w *world) {
				w.ends["h"] = end{code: argov1.HealthHealthy, slow: 3}
				w.ends["pod"] = end{code: argov1.HealthProgressing}
			},
			effects: []string{"apply h, apply pod"}, phase: argov1.OperationSucceeded, message: messageDone,
			rows: map[string]string{"h Sync": "Synced Succeeded done", "pod Sync": "Synced Running done"}, left: []string{"h"},
		},
		{
			reason: "a hook that failed ends the sync: HookFailed hooks go, SyncFail hooks run, the next phase does not",
			world: newWorld(object("ConfigMap", "main", "0"), hook("Job", "bad", "0", "PreSync"),
				hook("ConfigMap", "gone", "0", "PreSync", policies("HookFailed")), hook("ConfigMap", "stays", "0", "PreSync", policies("HookSucceeded")),
				hook("Job", "cleanup", "0", "SyncFail")),
			change: func(w *world) {
				w.ends["bad"] = end{code: argov1.HealthDegraded, message: "deadline"}
				w.ends["cleanup"] = end{code: argov1.HealthHealthy, message: "cleaned", slow: 2}
			},
			effects: []string{"apply gone, apply stays", "apply bad", "delete-hook gone", "apply cleanup"},
			phase:   argov1.OperationFailed, message: unsuccessful,
			rows: map[string]string{"bad PreSync": "Synced Failed deadline", "cleanup SyncFail": "Synced Succeeded cleaned", "main Sync": "none"},
			left: []string{"bad", "cleanup", "stays"},
		},
		{
			reason:  "a SyncFail hook that cannot be made adds a line of its own",
			world:   newWorld(object("ConfigMap", "main", "0"), hook("ConfigMap", "notify", "0", "SyncFail")),
			change:  func(w *world) { w.refuses["main"], w.refuses["notify"] = "invalid", "not allowed" },
			phase:   argov1.OperationFailed,
			message: unsuccessful + ", reason: invalid\none or more SyncFail hooks failed, reason: not allowed",
		},
		{
			reason:  "an unknown health fails a hook",
			world:   newWorld(hook("Pod", "h", "0", "PreSync")),
			change:  func(w *world) { w.ends["h"] = end{code: argov1.HealthUnknown, message: "who knows"} },
			effects: []string{"apply h"}, phase: argov1.OperationFailed, message: unsuccessful, left: []string{"h"},
			rows: map[string]string{"h PreSync": "Synced Failed who knows"},
		},
		{
			reason:  "hooks with the policy HookSucceeded go when all went well, also when the last wave has no hook",
			world:   newWorld(object("ConfigMap", "main", "0"), hook("ConfigMap", "pre", "0", "PreSync", policies("HookSucceeded"))),
			effects: []string{"apply pre", "apply main", "delete-hook pre"}, phase: argov1.OperationSucceeded, message: messageAllRun,
		},
		{
			reason:  "by default a hook of an earlier sync is deleted and made again, and its wave waits for that",
			world:   newWorld(hook("ConfigMap", "h", "0", "PreSync"), object("ConfigMap", "main", "0")),
			change:  func(w *world) { w.exist(held(hook("ConfigMap", "h", "0", "PreSync"))) },
			effects: []string{"delete-hook h", "apply h", "apply main"}, phase: argov1.OperationSucceeded, message: messageAllRun, left: []string{"h"},
		},
		{
			reason:  "prunes come before a hook of an earlier sync is deleted, applies after it",
			world:   newWorld(hook("ConfigMap", "h", "0", "Sync"), object("ConfigMap", "main", "0")),
			change:  func(w *world) { w.exist(hook("ConfigMap", "h", "0", "Sync"), object("Secret", "old", "0")) },
			effects: []string{"prune old", "delete-hook h", "apply h, apply main"}, phase: argov1.OperationSucceeded, message: messageDone, left: []string{"h"},
		},
		{
			reason:  "without BeforeHookCreation a hook of an earlier sync is applied again",
			world:   newWorld(hook("ConfigMap", "h", "0", "PreSync", policies("HookFailed"))),
			change:  func(w *world) { w.exist(hook("ConfigMap", "h", "0", "PreSync", policies("HookFailed"))) },
			effects: []string{"apply h"}, phase: argov1.OperationSucceeded, message: messageDone, left: []string{"h"},
		},
		{
			reason:  "a hook of several phases runs once in each",
			world:   newWorld(object("Secret", "main", "0"), hook("ConfigMap", "twice", "0", "PreSync,PostSync")),
			effects: []string{"apply twice", "apply main", "delete-hook twice", "apply twice"}, phase: argov1.OperationSucceeded, message: messageDone,
			left: []string{"twice"},
		},
		{
			reason:  "Skip alone, unknown types and hooks of the deletion never run; what is known of a list does",
			effects: []string{"apply mixed", "apply half"}, phase: argov1.OperationSucceeded, message: messageDone,
			world: newWorld(hook("ConfigMap", "skip", "0", "Skip"), hook("ConfigMap", "odd", "0", "Whenever"), hook("ConfigMap", "pre-delete", "0", "PreDelete"),
				hook("ConfigMap", "half", "0", "PostSync,Whenever"), hook("ConfigMap", "mixed", "0", "Skip,PreSync"), hook("ConfigMap", "empty", "0", "")),
			left: []string{"half", "mixed"},
		},
		{
			reason:  "a hook with generateName gets a name of this operation",
			world:   newWorld(generated(hook("ConfigMap", "", "0", "PreSync"), "made-")),
			effects: []string{"apply made-0123456-presync-1700000000"}, phase: argov1.OperationSucceeded, message: messageDone,
			left: []string{"made-0123456-presync-1700000000"},
		},
		{
			reason:  "the strategy apply runs no hooks",
			world:   newWorld(object("ConfigMap", "main", "0"), hook("ConfigMap", "h", "0", "PreSync")),
			change:  func(w *world) { w.in.Options.WithoutHooks = true },
			effects: []string{"apply main"}, phase: argov1.OperationSucceeded, message: messageAllRun,
		},
		{
			reason:  "Helm's hooks are mapped",
			world:   newWorld(object("ConfigMap", "pre", "0", "helm.sh/hook=pre-install,pre-upgrade"), object("ConfigMap", "test", "0", "helm.sh/hook=test"), object("ConfigMap", "crd", "0", "helm.sh/hook=crd-install")),
			effects: []string{"apply pre", "apply crd"}, phase: argov1.OperationSucceeded, message: messageAllRun, left: []string{"pre"},
		},
		{
			reason: "terminating deletes running hooks and releases ended ones",
			world:  newWorld(hook("Pod", "runs", "0", "PreSync"), hook("ConfigMap", "ended", "-1", "PreSync")),
			change: func(w *world) {
				w.ends["runs"] = end{code: argov1.HealthProgressing}
				w.exist(held(hook("Pod", "runs", "0", "PreSync")), held(hook("ConfigMap", "ended", "-1", "PreSync")))
				w.in.Phase = argov1.OperationTerminating
				w.in.Results = argov1.ResourceResults{
					{Kind: "Pod", Version: "v1", Namespace: "ns", Name: "runs", Status: "Synced", HookType: "PreSync", HookPhase: "Running", SyncPhase: "PreSync"},
					{Kind: "ConfigMap", Version: "v1", Namespace: "ns", Name: "ended", Status: "Synced", HookType: "PreSync", HookPhase: "Succeeded", SyncPhase: "PreSync"},
				}
			},
			effects: []string{"delete-hook runs"}, phase: argov1.OperationFailed, message: "Operation terminated",
			rows: map[string]string{"runs PreSync": "Synced Failed Terminated", "ended PreSync": "Synced Succeeded "}, left: []string{"ended"},
		},
		{
			reason: "a hook that vanished while it ran fails the sync",
			world:  newWorld(hook("Pod", "h", "0", "PreSync"), object("ConfigMap", "main", "0")),
			change: func(w *world) {
				w.in.Results = argov1.ResourceResults{{
					Kind: "Pod", Version: "v1", Namespace: "ns", Name: "h", Status: "Synced", HookType: "PreSync", HookPhase: "Running", SyncPhase: "PreSync",
				}}
			},
			phase: argov1.OperationFailed, message: unsuccessful + ", reason: Resource /Pod/h is missing, it might have been deleted",
			rows: map[string]string{"h PreSync": "SyncFailed Error Resource /Pod/h is missing, it might have been deleted"},
		},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			if tc.change != nil {
				tc.change(tc.world)
			}
			tc.world.run(t, never)
			if diff := cmp.Diff(tc.effects, tc.world.effects); diff != "" {
				t.Errorf("effects (-want +got):\n%s", diff)
			}
			if tc.world.in.Phase != tc.phase || tc.world.in.Message != tc.message {
				t.Errorf("%s %q, want %s %q", tc.world.in.Phase, tc.world.in.Message, tc.phase, tc.message)
			}
			checkRows(t, tc.world, tc.rows)
			if diff := cmp.Diff(tc.left, tc.world.hooksLeft()); diff != "" {
				t.Errorf("hooks left (-want +got):\n%s", diff)
			}
			if tc.phase.Completed() {
				checkReleased(t, tc.world)
			}
		})
	}
}

// checkReleased fails when the end of a sync leaves a hook with our finalizer: nobody would take it off.
func checkReleased(t *testing.T, w *world) {
	t.Helper()
	for key, obj := range w.live {
		if holdsFinalizer(Task{HookType: argov1.HookTypeSync, Live: obj}) {
			t.Errorf("%s keeps the hook finalizer after the end", key)
		}
	}
}

func TestDeletionHooks(t *testing.T) {
	look := func(w *world) Input { w.pass(); return w.look() }
	t.Run("waves in order, a failed one again, then done", func(t *testing.T) {
		w := newWorld(object("ConfigMap", "main", "0"), hook("Job", "first", "-1", "PreDelete"), hook("Job", "second", "0", "PreDelete"), hook("Job", "other", "0", "PostDelete"))
		w.ends["first"] = end{code: argov1.HealthDegraded}
		var waits []string
		for range 12 {
			step := NextDeletion(look(w), argov1.HookTypePreDelete)
			if step.Done {
				break
			}
			waits = append(waits, step.Waiting)
			w.act(Step{Groups: [][]Action{step.Actions}}, 100)
			if len(w.effects) == 2 {
				w.ends["first"] = end{code: argov1.HealthHealthy}
			}
		}
		want := []string{"apply first", "delete-hook first", "apply first", "apply second"}
		if diff := cmp.Diff(want, w.effects); diff != "" {
			t.Errorf("effects (-want +got):\n%s", diff)
		}
		if waits[0] != "waiting for completion of PreDelete hook /Job/first" {
			t.Errorf("waits: %q", waits[0])
		}
		if step := NextDeletion(look(w), argov1.HookTypePreDelete); !step.Done {
			t.Errorf("not done: %+v", step)
		}
	})
	t.Run("only hooks with the policy HookSucceeded go at the end", func(t *testing.T) {
		w := newWorld(hook("ConfigMap", "goes", "0", "PostDelete", policies("HookSucceeded")), object("ConfigMap", "stays", "0", "helm.sh/hook=post-delete"))
		w.act(Step{Groups: [][]Action{NextDeletion(look(w), argov1.HookTypePostDelete).Actions}}, 100)
		w.act(Step{Groups: [][]Action{DeletionCleanup(look(w), argov1.HookTypePostDelete)}}, 100)
		if diff := cmp.Diff([]string{"apply goes, apply stays", "delete-hook goes"}, w.effects); diff != "" {
			t.Errorf("effects (-want +got):\n%s", diff)
		}
	})
}

// What a sync deletes goes as PrunePropagationPolicy says, hooks too (contract 2.6).
func TestHooksGoAsWhatIsPruned(t *testing.T) {
	for option, want := range map[string]string{"": "foreground", "PrunePropagationPolicy=background": "background", "PrunePropagationPolicy=orphan": "orphan"} {
		options := Options{SyncOptions: argov1.SyncOptions{option}}
		tasks := append(hookTasks(options, Object{Target: hook("ConfigMap", "h", "0", "PreSync")}, nil), pruneTask(options, Object{Live: object("ConfigMap", "old", "0")}))
		if len(tasks) != 2 {
			t.Fatalf("%q: %d tasks, want 2", option, len(tasks))
		}
		for _, task := range tasks {
			if task.Propagation != want {
				t.Errorf("%q: %s goes %s, want %s", option, task.Key, task.Propagation, want)
			}
		}
	}
}

func TestHookIsOneObject(t *testing.T) {
	w := newWorld(hook("ConfigMap", "twice", "0", "PreSync,PostSync", policies("HookSucceeded")))
	tasks := Tasks(w.look())
	if len(tasks) != 2 || len(unique(tasks)) != 1 {
		t.Errorf("%d tasks, %d objects; want 2 and 1", len(tasks), len(unique(tasks)))
	}
	if key := (resource.Key{Kind: "ConfigMap", Namespace: "ns", Name: "twice"}); tasks[0].Key != key || tasks[1].Key != key {
		t.Errorf("keys %v, %v", tasks[0].Key, tasks[1].Key)
	}
}
