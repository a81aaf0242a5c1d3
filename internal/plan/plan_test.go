package plan

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
)

const (
	unsuccessful = "one or more synchronization tasks completed unsuccessfully"
	failedApply  = "one or more objects failed to apply"
)

func TestSync(t *testing.T) {
	for _, tc := range []struct {
		reason  string
		world   *world
		change  func(*world)
		effects []string
		phase   argov1.OperationPhase
		message string
		rows    map[string]string // "name phase" -> row
	}{
		{
			reason:  "kinds are applied in their order, what is of one kind at once",
			world:   newWorld(object("Service", "svc", "0"), object("ConfigMap", "b", "0"), object("ConfigMap", "a", "0"), object("Other", "x", "0")),
			effects: []string{"apply a, apply b", "apply svc", "apply x"}, phase: argov1.OperationSucceeded, message: messageAllRun,
			rows: map[string]string{"a Sync": "Synced Running done"},
		},
		{
			reason:  "waves come one after the other, and rows of all but the last are settled",
			world:   newWorld(object("ConfigMap", "late", "5"), object("Service", "early", "-1"), object("ConfigMap", "mid", "0")),
			effects: []string{"apply early", "apply mid", "apply late"}, phase: argov1.OperationSucceeded, message: messageAllRun,
			rows: map[string]string{"early Sync": "Synced Succeeded done", "late Sync": "Synced Running done"},
		},
		{
			reason:  "a wave waits for the health of the one before",
			world:   newWorld(object("Deployment", "web", "0"), object("ConfigMap", "late", "1")),
			change:  func(w *world) { w.ends["web"] = end{code: argov1.HealthProgressing} },
			effects: []string{"apply web"}, phase: argov1.OperationRunning, message: "waiting for healthy state of /Deployment/web",
		},
		{
			reason:  "a degraded object in an earlier wave fails the sync, and its row tells why",
			world:   newWorld(object("Deployment", "web", "0"), object("ConfigMap", "late", "1")),
			change:  func(w *world) { w.ends["web"] = end{code: argov1.HealthDegraded, message: "no image"} },
			effects: []string{"apply web"}, phase: argov1.OperationFailed, message: unsuccessful,
			rows: map[string]string{"web Sync": "Synced Failed no image"},
		},
		{
			reason: "a degraded object does not fail the sync while another still runs",
			world:  newWorld(object("Deployment", "web", "0"), object("Deployment", "slow", "0"), object("ConfigMap", "late", "1")),
			change: func(w *world) {
				w.ends["web"], w.ends["slow"] = end{code: argov1.HealthDegraded}, end{code: argov1.HealthProgressing}
			},
			effects: []string{"apply slow, apply web"}, phase: argov1.OperationRunning, message: "waiting for healthy state of /Deployment/slow",
		},
		{
			reason:  "the last wave is not gated",
			world:   newWorld(object("ConfigMap", "first", "0"), object("Deployment", "web", "1")),
			change:  func(w *world) { w.ends["web"] = end{code: argov1.HealthProgressing} },
			effects: []string{"apply first", "apply web"}, phase: argov1.OperationSucceeded, message: messageAllRun,
		},
		{
			reason: "prunes go in mirrored waves over what is left, before the applies of their wave",
			world:  newWorld(object("ConfigMap", "new", "1")),
			change: func(w *world) {
				w.exist(object("Secret", "p0", "0"), object("Secret", "p1", "1"), object("Secret", "p2", "2"))
			},
			effects: []string{"prune p2", "prune p1", "prune p0", "apply new"}, phase: argov1.OperationSucceeded, message: messageAllRun,
			rows: map[string]string{"p2 Sync": "Pruned Succeeded pruned"},
		},
		{
			reason:  "PruneLast waits for everything else",
			world:   newWorld(object("ConfigMap", "new", "3")),
			change:  func(w *world) { w.exist(object("Secret", "old", "0", options("PruneLast=true"))) },
			effects: []string{"apply new", "prune old"}, phase: argov1.OperationSucceeded, message: messageAllRun,
		},
		{
			reason:  "nothing is pruned without being asked",
			world:   newWorld(object("ConfigMap", "new", "0")),
			change:  func(w *world) { w.in.Options.Prune = false; w.exist(object("Secret", "old", "0")) },
			effects: []string{"apply new"}, phase: argov1.OperationSucceeded, message: messageAllRun,
			rows: map[string]string{"old Sync": "PruneSkipped Succeeded ignored (requires pruning)"},
		},
		{
			reason: "Prune=false keeps, and the object's own option beats the application's",
			world:  newWorld(),
			change: func(w *world) {
				w.in.Options.SyncOptions = argov1.SyncOptions{"Prune=false"}
				w.exist(object("Secret", "old", "0"), object("Secret", "own", "0", options("Prune=true")))
			},
			effects: []string{"prune own"}, phase: argov1.OperationSucceeded, message: messageAllRun,
			rows: map[string]string{"old Sync": "PruneSkipped Succeeded ignored (no prune)"},
		},
		{
			reason: "a prune that asks for confirmation holds its whole wave",
			world:  newWorld(object("ConfigMap", "new", "0")),
			change: func(w *world) { w.exist(object("Secret", "old", "0", options("Prune=confirm"))) },
			phase:  argov1.OperationRunning, message: "waiting for pruning confirmation of /Secret/old",
		},
		{
			reason: "an approval given after the start of the operation lets it go on",
			world:  newWorld(object("ConfigMap", "new", "0")),
			change: func(w *world) {
				w.in.Options.Approved = w.in.Options.StartedAt.Add(time.Second)
				w.exist(object("Secret", "old", "0", options("Prune=confirm")))
			},
			effects: []string{"prune old", "apply new"}, phase: argov1.OperationSucceeded, message: messageAllRun,
		},
		{
			reason: "a pruned object that a finalizer holds is waited for",
			world:  newWorld(object("ConfigMap", "new", "1")),
			change: func(w *world) {
				old := object("Secret", "old", "0")
				old.SetFinalizers([]string{finalizerHold})
				w.exist(old)
			},
			effects: []string{"prune old", "apply new"}, phase: argov1.OperationSucceeded, message: messageAllRun,
		},
		{
			reason: "a failed prune stops the applies of its wave",
			world:  newWorld(object("ConfigMap", "new", "0")),
			change: func(w *world) { w.exist(object("Secret", "old", "0")); w.refuses["old"] = "not allowed" },
			phase:  argov1.OperationFailed, message: failedApply + ", reason: not allowed",
			rows: map[string]string{"old Sync": "SyncFailed Failed not allowed", "new Sync": "none"},
		},
		{
			reason: "what cannot be applied at all is told at once, all of it, and nothing is touched",
			world:  newWorld(object("ConfigMap", "a", "0"), object("ConfigMap", "", "1"), generated(object("Secret", "", "2"), "fresh-")),
			phase:  argov1.OperationFailed, message: failedApply + " (dry run)",
			rows: map[string]string{
				"ConfigMap/ Sync": "SyncFailed Failed resource name may not be empty: give ConfigMap a metadata.name",
				"Secret/ Sync":    "SyncFailed Failed from fresh-: cannot use generate name with apply",
			},
		},
		{
			reason:  "when nothing of a wave could be applied the sync ends at once",
			world:   newWorld(object("ConfigMap", "a", "0"), object("ConfigMap", "late", "1")),
			change:  func(w *world) { w.refuses["a"] = "invalid" },
			effects: nil, phase: argov1.OperationFailed, message: failedApply + ", reason: invalid",
		},
		{
			reason:  "a failed apply does not stop the other kinds of its wave, but the next wave, and each reason is told once",
			world:   newWorld(object("ConfigMap", "a", "0"), object("ConfigMap", "c", "0"), object("Service", "b", "0"), object("ConfigMap", "late", "1")),
			change:  func(w *world) { w.refuses["a"], w.refuses["c"] = "invalid", "invalid" },
			effects: []string{"apply b"}, phase: argov1.OperationFailed, message: unsuccessful + ", reason: invalid",
			rows: map[string]string{"b Sync": "Synced Succeeded done", "a Sync": "SyncFailed Failed invalid"},
		},
		{
			reason: "a selective sync does what was selected, without hooks",
			world:  newWorld(object("ConfigMap", "a", "0"), object("ConfigMap", "b", "0"), hook("Job", "h", "0", "PreSync")),
			change: func(w *world) {
				w.in.Options.Resources = []argov1.SyncOperationResource{{Kind: "ConfigMap", Name: "b"}}
			},
			effects: []string{"apply b"}, phase: argov1.OperationSucceeded, message: messageAllRun,
		},
		{
			reason: "a selective sync that selects nothing has nothing to do",
			world:  newWorld(object("ConfigMap", "a", "0")),
			change: func(w *world) {
				w.in.Options.Resources = []argov1.SyncOperationResource{{Kind: "ConfigMap", Name: "x"}}
			},
			phase: argov1.OperationSucceeded, message: messageDone,
		},
		{
			reason:  "ApplyOutOfSyncOnly leaves out what is as it should be",
			world:   newWorld(object("ConfigMap", "same", "0"), object("ConfigMap", "new", "0"), hook("Job", "h", "0", "PreSync")),
			effects: []string{"apply h", "apply new"}, phase: argov1.OperationSucceeded, message: messageAllRun,
			change: func(w *world) {
				w.in.Options.SyncOptions = argov1.SyncOptions{"ApplyOutOfSyncOnly=true"}
				same := object("ConfigMap", "same", "0")
				w.exist(same)
				same.SetAnnotations(object("ConfigMap", "same", "0").GetAnnotations())
			},
			rows: map[string]string{"same Sync": "none"},
		},
		{
			reason:  "a namespace is made before what lives in it, whatever its wave, and waited for with that wave",
			world:   newWorld(object("ConfigMap", "a", "-5"), namespace("ns")),
			effects: []string{"apply ns", "apply a"}, phase: argov1.OperationSucceeded, message: messageAllRun,
			rows: map[string]string{"ns Sync": "Synced Running done"},
		},
		{
			reason:  "CreateNamespace makes the destination before hooks of any wave",
			world:   newWorld(object("ConfigMap", "a", "0"), hook("Job", "h", "-3", "PreSync")),
			change:  func(w *world) { w.in.Options.SyncOptions = argov1.SyncOptions{"CreateNamespace=true"} },
			effects: []string{"apply ns", "apply h", "apply a"}, phase: argov1.OperationSucceeded, message: messageAllRun,
			rows: map[string]string{"ns PreSync": "Synced Succeeded done"},
		},
		{
			reason: "a namespace that cannot be made ends the sync",
			world:  newWorld(object("ConfigMap", "a", "0")),
			change: func(w *world) {
				w.in.Options.SyncOptions = argov1.SyncOptions{"CreateNamespace=true"}
				w.refuses["ns"] = "not allowed"
			},
			phase: argov1.OperationFailed, message: "the namespace failed to apply",
		},
		{
			reason: "a sync of what may not be synced touches nothing and names all reasons",
			world:  newWorld(object("ConfigMap", "a", "0")),
			change: func(w *world) { w.targets = append(w.targets, object("Forbidden", "x", "0")) },
			phase:  argov1.OperationFailed, message: "one or more synchronization tasks are not valid: forbidden",
			rows: map[string]string{"x Sync": "SyncFailed  forbidden here", "a Sync": "none"},
		},
		{
			reason:  "a dry-run operation changes nothing and lists hooks too",
			world:   newWorld(object("ConfigMap", "a", "0"), hook("Job", "h", "0", "PostSync"), hook("Job", "f", "0", "SyncFail")),
			change:  func(w *world) { w.in.Options.DryRun = true; w.exist(object("Secret", "old", "0")) },
			effects: nil, phase: argov1.OperationSucceeded, message: messageDone,
			rows: map[string]string{
				"a Sync": "Synced Succeeded configmap/a created (dry run)", "h PostSync": "Synced Succeeded job/h created (dry run)",
				"old Sync": "Pruned Succeeded pruned (dry run)", "f SyncFail": "none",
			},
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
		})
	}
}
