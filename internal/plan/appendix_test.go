package plan

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/resource"
)

// TestAppendix holds the rules of the contract's appendices that are easily missed and that TestSync and TestHooks do not
// show; test/conformance/testdata/appendix.yaml says which test shows which.
func TestAppendix(t *testing.T) {
	for _, tc := range []struct {
		reason  string
		world   *world
		change  func(*world)
		effects []string
		phase   argov1.OperationPhase
		message string
		rows    map[string]string
	}{
		{
			reason: "A 4: the dry run covers the hooks of later phases before the first hook runs",
			world:  newWorld(hook("ConfigMap", "pre", "0", "PreSync"), object("ConfigMap", "main", "0"), hook("Job", "", "9", "PostSync")),
			phase:  argov1.OperationFailed, message: failedApply + " (dry run)",
			rows: map[string]string{"Job/ PostSync": "SyncFailed Failed resource name may not be empty: give Job a metadata.name", "pre PreSync": "none"},
		},
		{
			reason: "A 5: the definition of a kind goes before the first object of that kind, a hook too, and takes over its phase and wave",
			world: newWorld(object("ConfigMap", "main", "0"), hook("Thing", "early", "-3", "PreSync"), object("Thing", "late", "7"),
				defining("Thing", "things", "5"), defining("Other", "others", "5")),
			effects: []string{"apply things", "apply early", "apply main", "apply others", "apply late"},
			phase:   argov1.OperationSucceeded, message: messageAllRun,
			rows: map[string]string{"things PreSync": "Synced Succeeded done", "things Sync": "none", "others Sync": "Synced Succeeded done"},
		},
		{
			reason:  "A 9: hooks run although nothing has changed",
			world:   newWorld(hook("ConfigMap", "h", "0", "PreSync"), object("ConfigMap", "main", "0")),
			change:  func(w *world) { w.live[resource.KeyOf(w.targets[1])] = w.targets[1].DeepCopy() },
			effects: []string{"apply h"}, phase: argov1.OperationSucceeded, message: messageAllRun,
		},
		{
			reason: "A 12: a hook of an unknown type is never applied, and nobody says so",
			world:  newWorld(hook("ConfigMap", "odd", "0", "Whenever")),
			phase:  argov1.OperationSucceeded, message: messageDone,
			rows: map[string]string{"odd Sync": "none", "odd PreSync": "none"},
		},
		{
			reason: "A 14: a SyncFail hook makes every sync one of several waves: a failed wave waits for what of it was applied",
			world:  newWorld(object("ConfigMap", "bad", "0"), object("Deployment", "web", "0"), hook("Job", "cleanup", "0", "SyncFail")),
			change: func(w *world) {
				w.refuses["bad"] = "invalid"
				w.ends["web"] = end{code: argov1.HealthProgressing}
			},
			effects: []string{"apply web"}, phase: argov1.OperationRunning, message: "waiting for healthy state of /Deployment/web",
		},
		{
			reason:  "A 14: but the last wave is not waited for when all of it was applied",
			world:   newWorld(object("Deployment", "web", "0"), hook("Job", "cleanup", "0", "SyncFail")),
			change:  func(w *world) { w.ends["web"] = end{code: argov1.HealthProgressing} },
			effects: []string{"apply web"}, phase: argov1.OperationSucceeded, message: messageAllRun,
		},
		{
			reason: "A 23: what does not name itself in its mark is not pruned",
			world:  newWorld(object("ConfigMap", "main", "0")),
			change: func(w *world) {
				copied := object("Secret", "copied", "0")
				copied.SetAnnotations(nil)
				w.live[resource.KeyOf(copied)] = copied
			},
			effects: []string{"apply main"}, phase: argov1.OperationSucceeded, message: messageAllRun,
			rows: map[string]string{"copied Sync": "none"},
		},
		{
			reason: "A 25 and A 26: neither IgnoreExtraneous nor Helm's keep policy holds a prune up",
			world:  newWorld(object("ConfigMap", "main", "1")),
			change: func(w *world) {
				w.exist(object("Secret", "extra", "0", "argocd.argoproj.io/compare-options=IgnoreExtraneous"), object("Secret", "kept", "0", "helm.sh/resource-policy=keep"))
			},
			effects: []string{"prune extra, prune kept", "apply main"}, phase: argov1.OperationSucceeded, message: messageAllRun,
		},
		{
			reason: "B 1: what was applied in a failed wave is settled when it is healthy, and stays running when it is not",
			world:  newWorld(object("ConfigMap", "bad", "0"), object("Deployment", "good", "0"), object("Deployment", "slow", "0")),
			change: func(w *world) {
				w.refuses["bad"] = "invalid"
				w.ends["good"], w.ends["slow"] = end{code: argov1.HealthHealthy, message: "fine"}, end{code: argov1.HealthProgressing}
			},
			effects: []string{"apply good, apply slow"}, phase: argov1.OperationFailed, message: unsuccessful + ", reason: invalid",
			rows: map[string]string{"good Sync": "Synced Succeeded fine", "slow Sync": "Synced Running done"},
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

// defining is a CustomResourceDefinition of the core group, in which the kinds of these tests are.
func defining(kind, name, wave string) *unstructured.Unstructured {
	obj := object("CustomResourceDefinition", name, wave)
	obj.SetNamespace("")
	obj.Object["spec"] = map[string]any{"names": map[string]any{"kind": kind}}
	return obj
}

// steps carries a sync out pass by pass, and tells of each that did anything what it did and whether a pause follows.
func steps(w *world) (verbs []string, pauses []bool) {
	for range 30 {
		in := w.look()
		step := Next(in)
		w.remember(step)
		if w.in.Phase.Completed() {
			return verbs, pauses
		}
		if len(step.Groups) == 0 {
			w.pass()
			continue
		}
		told := len(w.effects)
		outcomes, _ := w.act(step, 1<<30)
		recorded := Record(in, step, outcomes)
		w.remember(recorded)
		if len(w.effects) > told || recorded.Phase.Completed() {
			verbs = append(verbs, strings.Join(w.effects[told:], "; "))
			pauses = append(pauses, recorded.Pause)
		}
		if w.in.Phase.Completed() {
			return verbs, pauses
		}
	}
	return verbs, pauses
}

// The pause between two waves does not ask whether it is needed (A 8).
func TestPauses(t *testing.T) {
	for _, tc := range []struct {
		reason string
		world  *world
		change func(*world)
		want   []bool
	}{
		{"after each wave but the last, although all is well at once", newWorld(object("ConfigMap", "a", "0"), object("ConfigMap", "b", "1"), object("ConfigMap", "c", "2")), nil, []bool{true, true, false}},
		{"between phases too", newWorld(hook("ConfigMap", "pre", "0", "PreSync"), object("ConfigMap", "a", "0")), nil, []bool{true, false}},
		{"after a wave of prunes", newWorld(object("ConfigMap", "a", "1")), func(w *world) { w.exist(object("Secret", "old", "0")) }, []bool{true, false}},
		{"not after a wave that failed", newWorld(object("ConfigMap", "a", "0"), object("Service", "s", "0"), object("ConfigMap", "b", "1")), func(w *world) { w.refuses["a"] = "invalid" }, []bool{false}},
		{"not after the destination namespace was made", newWorld(object("ConfigMap", "a", "0")), func(w *world) { w.in.Options.SyncOptions = argov1.SyncOptions{"CreateNamespace=true"} }, []bool{false, false}},
	} {
		if tc.change != nil {
			tc.change(tc.world)
		}
		if _, got := steps(tc.world); !slices.Equal(got, tc.want) {
			t.Errorf("%s: pauses %v, want %v", tc.reason, got, tc.want)
		}
	}
}

// The deletion of a hook of an earlier sync and its new creation take two passes (A 10).
func TestRecreationTakesTwoPasses(t *testing.T) {
	w := newWorld(hook("ConfigMap", "h", "0", "PreSync"), object("ConfigMap", "main", "0"))
	w.exist(hook("ConfigMap", "h", "0", "PreSync"))
	got, _ := steps(w)
	if diff := cmp.Diff([]string{"delete-hook h", "apply h", "apply main"}, got); diff != "" {
		t.Errorf("passes (-want +got):\n%s", diff)
	}
}

// What the options of an operation and of an object make of a task (contract 2.7, A 15).
func TestOptionsOfTasks(t *testing.T) {
	type resolved struct{ Force, Replace, ServerSideApply, Migrate bool }
	for _, tc := range []struct {
		reason    string
		options   Options
		annotated string
		live      string
		want      resolved
	}{
		{reason: "by default fields are migrated, and that is all", want: resolved{Migrate: true}},
		{reason: "Force in the options of the operation has no effect", options: Options{SyncOptions: argov1.SyncOptions{"Force=true"}}, want: resolved{Migrate: true}},
		{reason: "on the object it has", annotated: "Force=true", want: resolved{Force: true, Migrate: true}},
		{reason: "and so has that of the strategy", options: Options{Force: true}, want: resolved{Force: true, Migrate: true}},
		{reason: "Replace=false on an object is not consulted", options: Options{SyncOptions: argov1.SyncOptions{"Replace=true"}}, annotated: "Replace=false", want: resolved{Replace: true, Migrate: true}},
		{reason: "Replace counts on the live object too", live: "Replace=true", want: resolved{Replace: true, Migrate: true}},
		{reason: "Force does not", live: "Force=true", want: resolved{Migrate: true}},
		{reason: "ServerSideApply is for all", options: Options{SyncOptions: argov1.SyncOptions{"ServerSideApply=true"}}, want: resolved{ServerSideApply: true, Migrate: true}},
		{reason: "but for an object that does not want it", options: Options{SyncOptions: argov1.SyncOptions{"ServerSideApply=true"}}, annotated: "ServerSideApply=false", want: resolved{Migrate: true}},
		{reason: "migration can be switched off for all", options: Options{SyncOptions: argov1.SyncOptions{"ClientSideApplyMigration=false"}}},
		{reason: "not for one object", annotated: "ClientSideApplyMigration=false", want: resolved{Migrate: true}},
		{reason: "options are told exactly", options: Options{SyncOptions: argov1.SyncOptions{"Replace= true"}}, annotated: "force=true", want: resolved{Migrate: true}},
	} {
		target, live := object("ConfigMap", "a", "0", options(tc.annotated)), object("ConfigMap", "a", "0", options(tc.live))
		tasks := Tasks(Input{Options: tc.options, Objects: []Object{{Target: target, Live: live, Modified: true}}})
		got := resolved{tasks[0].Force, tasks[0].Replace, tasks[0].ServerSideApply, tasks[0].Migrate}
		if got != tc.want {
			t.Errorf("%s: %+v, want %+v", tc.reason, got, tc.want)
		}
	}
}

// Rows of cluster-scoped objects carry the destination namespace; that of the namespace which CreateNamespace makes does not
// (B 5).
func TestNamespacesOfRows(t *testing.T) {
	role, other := object("ClusterRole", "role", "0"), object("ConfigMap", "other", "0")
	role.SetNamespace("")
	other.SetNamespace("elsewhere")
	w := newWorld(role, other, object("ConfigMap", "own", "0"))
	w.in.Options.SyncOptions = argov1.SyncOptions{"CreateNamespace=true"}
	gone := object("ClusterRole", "gone", "0")
	gone.SetNamespace("")
	w.exist(gone)
	w.run(t, never)
	got := map[string]string{}
	for _, row := range w.in.Results {
		got[row.Kind+"/"+row.Name] = row.Namespace
	}
	want := map[string]string{"ClusterRole/role": "ns", "ClusterRole/gone": "ns", "ConfigMap/other": "elsewhere", "ConfigMap/own": "ns", "Namespace/ns": ""}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("namespaces (-want +got):\n%s", diff)
	}
}

// Everything that may not be synced is told at once: each reason in the message, each hint in its row (B 7).
func TestRejectionsAreToldTogether(t *testing.T) {
	in := newWorld().look()
	for name, rejection := range map[string]Rejection{"a": {"no a", "install a"}, "b": {"no b", "install b"}, "c": {}} {
		in.Objects = append(in.Objects, Object{Target: object("ConfigMap", name, "0"), Modified: true, Rejected: rejection})
	}
	step := Next(in)
	if want := "one or more synchronization tasks are not valid: no a; no b"; step.Phase != argov1.OperationFailed || step.Message != want || len(step.Groups) > 0 {
		t.Errorf("%s %q and %d groups, want %q", step.Phase, step.Message, len(step.Groups), want)
	}
	var got []string
	for _, row := range step.Results {
		got = append(got, row.Name+": "+row.Message)
	}
	if diff := cmp.Diff([]string{"a: install a", "b: install b"}, got); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
}

// What cannot work is told in the dry run: of a hook as of an object, and before anything of an earlier wave is applied.
func TestInvalidTargetsEndTheDryRun(t *testing.T) {
	in := newWorld().look()
	in.Objects = append(in.Objects, Object{Target: object("ConfigMap", "first", "-5"), Modified: true},
		Object{Target: object("ConfigMap", "broken", "5"), Modified: true, Invalid: "it cannot work"})
	step := Next(in)
	if step.Phase != argov1.OperationFailed || step.Message != "one or more objects failed to apply (dry run)" || len(step.Groups) > 0 {
		t.Errorf("%s %q and %d groups", step.Phase, step.Message, len(step.Groups))
	}
	if len(step.Results) != 1 || step.Results[0].Name != "broken" || step.Results[0].Message != "it cannot work" {
		t.Errorf("rows %v", step.Results)
	}
}
