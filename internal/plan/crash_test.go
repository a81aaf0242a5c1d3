package plan

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/resource"
)

// TestCrashAnywhere kills the process at random points of random syncs with hooks, waves, prunes and failures: what happens
// to the cluster, in which order, and how the sync ends are the same as without.
func TestCrashAnywhere(t *testing.T) {
	phases := map[argov1.OperationPhase]int{}
	for seed := range uint64(5000) {
		random := rand.New(rand.NewPCG(seed, 1))
		calm, killed := randomWorld(rand.New(rand.NewPCG(seed, 2))), randomWorld(rand.New(rand.NewPCG(seed, 2)))
		calm.run(t, never)
		crashes := 1 + random.IntN(8)
		killed.run(t, func() (bool, int) {
			if crashes--; crashes < 0 {
				return never()
			}
			return random.IntN(3) == 0, random.IntN(5)
		})
		phases[calm.in.Phase]++
		if problem := differ(calm, killed); problem != "" {
			t.Fatalf("seed %d: %s\nwithout a crash %s %q\n  %s\nwith crashes %s %q\n  %s", seed, problem,
				calm.in.Phase, calm.in.Message, strings.Join(calm.effects, "\n  "),
				killed.in.Phase, killed.in.Message, strings.Join(killed.effects, "\n  "))
		}
		if calm.in.Phase.Completed() {
			if checkReleased(t, killed); t.Failed() {
				t.Fatalf("seed %d: %s %q\n  %s", seed, killed.in.Phase, killed.in.Message, strings.Join(killed.effects, "\n  "))
			}
		}
	}
	for _, phase := range []argov1.OperationPhase{argov1.OperationSucceeded, argov1.OperationFailed, argov1.OperationRunning} {
		if phases[phase] < 125 {
			t.Errorf("only %d of the random syncs end %s: the generator no longer covers that end", phases[phase], phase)
		}
	}
}

// differ tells in what two runs of the same sync differ; empty when in nothing that matters.
func differ(calm, killed *world) string {
	switch {
	case calm.in.Phase != killed.in.Phase || calm.in.Message != killed.in.Message:
		return "another end"
	case !sameOrder(calm.effects, killed.effects):
		return "another order of effects"
	}
	if d := cmp.Diff(rowsOf(calm), rowsOf(killed)); d != "" {
		return "other rows: " + d
	}
	if d := cmp.Diff(calm.standing(), killed.standing()); d != "" {
		return "other objects: " + d
	}
	return ""
}

// sameOrder tells whether the same effects came group by group; inside a group the order is free, and a crash may cut it.
func sameOrder(want, got []string) bool {
	left := strings.Split(strings.Join(got, ", "), ", ")
	for _, group := range want {
		effects := strings.Split(group, ", ")
		if len(left) < len(effects) || !slices.Equal(slices.Sorted(slices.Values(left[:len(effects)])), slices.Sorted(slices.Values(effects))) {
			return false
		}
		left = left[len(effects):]
	}
	return len(strings.Join(left, "")) == 0
}

// rowsOf are the rows without their order: inside a group it is free.
func rowsOf(w *world) map[string]string {
	rows := map[string]string{}
	for _, r := range w.in.Results {
		rows[fmt.Sprintf("%s/%s %s", r.Kind, r.Name, r.SyncPhase)] = fmt.Sprintf("%s %s %s", r.Status, r.HookPhase, r.Message)
	}
	return rows
}

func (w *world) standing() map[resource.Key]string {
	objects := map[resource.Key]string{}
	for key, obj := range w.live {
		objects[key] = obj.GetAnnotations()[annotationRevision]
	}
	return objects
}

// randomWorld makes a cluster and a target of every sort that matters: plain objects and hooks of all types, waves and
// policies, some there from an earlier sync, some that never become healthy, some that the API server refuses, and objects
// to prune, some held by finalizers.
func randomWorld(random *rand.Rand) *world {
	w := newWorld()
	if random.IntN(5) == 0 {
		w.in.Options.SyncOptions = append(w.in.Options.SyncOptions, "CreateNamespace=true")
	}
	if random.IntN(8) == 0 {
		w.in.Options.SyncOptions = append(w.in.Options.SyncOptions, "ApplyOutOfSyncOnly=true")
	}
	w.in.Options.Prune = random.IntN(6) > 0
	for i := range 1 + random.IntN(7) {
		name := fmt.Sprintf("o%d", i)
		switch random.IntN(5) {
		case 0, 1:
			w.addPlain(random, name)
		case 2, 3:
			w.addHook(random, name)
		case 4:
			w.addPrune(random, name)
		}
		switch random.IntN(14) {
		case 0:
			w.ends[name] = end{code: argov1.HealthDegraded, slow: random.IntN(3)}
		case 1, 2, 3:
			w.ends[name] = end{code: argov1.HealthHealthy, slow: random.IntN(4)}
		case 4:
			w.refuses[name] = name + " is refused"
		case 5:
			if random.IntN(3) == 0 {
				w.ends[name] = end{code: argov1.HealthProgressing}
			}
		}
	}
	return w
}

var kinds = []string{"ConfigMap", "Deployment", "Service", "Other"}

func randomWave(random *rand.Rand) string { return fmt.Sprint(random.IntN(3) - 1) }

func (w *world) addPlain(random *rand.Rand, name string) {
	obj := object(kinds[random.IntN(len(kinds))], name, randomWave(random))
	w.targets = append(w.targets, obj)
	if random.IntN(3) == 0 {
		w.exist(obj.DeepCopy())
	}
}

func (w *world) addHook(random *rand.Rand, name string) {
	types := []string{"PreSync", "Sync", "PostSync", "SyncFail", "PreSync,PostSync", "PreSync,Sync"}
	deletions := []string{"", "BeforeHookCreation", "HookSucceeded", "HookFailed", "HookSucceeded,HookFailed", "BeforeHookCreation,HookSucceeded"}
	obj := hook(kinds[random.IntN(len(kinds))], name, randomWave(random), types[random.IntN(len(types))], policies(deletions[random.IntN(len(deletions))]))
	w.targets = append(w.targets, obj)
	if random.IntN(3) == 0 {
		old := obj.DeepCopy()
		if random.IntN(2) == 0 {
			held(old)
		}
		w.exist(old)
	}
}

func (w *world) addPrune(random *rand.Rand, name string) {
	extra := []string{}
	if random.IntN(5) == 0 {
		extra = append(extra, options("PruneLast=true"))
	}
	obj := object(kinds[random.IntN(len(kinds))], name, randomWave(random), extra...)
	if random.IntN(4) == 0 {
		obj.SetFinalizers([]string{finalizerHold})
	}
	w.exist(obj)
}
