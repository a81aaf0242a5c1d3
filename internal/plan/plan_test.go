package plan

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/resource"
)

func object(kind, name, wave string, options ...string) *unstructured.Unstructured {
	obj := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": kind}}
	obj.SetName(name)
	obj.SetNamespace("ns")
	annotations := map[string]string{argov1.AnnotationSyncWave: wave}
	if len(options) > 0 {
		annotations[argov1.AnnotationSyncOptions] = strings.Join(options, ",")
	}
	obj.SetAnnotations(annotations)
	return obj
}

// world is a cluster in memory, and the operation state of one sync.
type world struct {
	targets   []*unstructured.Unstructured
	live      map[resource.Key]*unstructured.Unstructured
	health    map[resource.Key]argov1.HealthStatusCode
	refuses   map[string]string
	options   Options
	phase     argov1.OperationPhase
	message   string
	results   argov1.ResourceResults
	validated bool
	effects   []string // the first effect on each object, one group a line
}

func newWorld(targets ...*unstructured.Unstructured) *world {
	return &world{
		targets: targets, live: map[resource.Key]*unstructured.Unstructured{}, health: map[resource.Key]argov1.HealthStatusCode{},
		refuses: map[string]string{}, phase: argov1.OperationRunning, options: Options{Prune: true},
	}
}

func (w *world) input() Input {
	in := Input{
		Options: w.options, Results: w.results, Phase: w.phase, Message: w.message, Validated: w.validated,
		Health: func(obj *unstructured.Unstructured) (argov1.HealthStatusCode, string, bool) {
			code, ok := w.health[resource.KeyOf(obj)]
			return code, "", ok
		},
	}
	seen := map[resource.Key]bool{}
	for _, target := range w.targets {
		key := resource.KeyOf(target)
		seen[key] = true
		in.Objects = append(in.Objects, Object{Target: target, Live: w.live[key], Modified: true, SelfReferenced: true})
	}
	var extra []resource.Key
	for key := range w.live {
		if !seen[key] {
			extra = append(extra, key)
		}
	}
	slices.SortFunc(extra, resource.Key.Compare)
	for _, key := range extra {
		in.Objects = append(in.Objects, Object{Live: w.live[key], Modified: true, SelfReferenced: true})
	}
	return in
}

// act carries out actions as a cluster would; it stops after limit actions, as a process that is killed.
func (w *world) act(step Step, limit int) (outcomes []Outcome, killed bool) {
	for _, group := range step.Groups {
		var line []string
		for _, action := range group {
			if limit--; limit < 0 {
				w.note(line)
				return outcomes, true
			}
			outcome := Outcome{Action: action, Message: "done"}
			key := action.Task.Key
			switch {
			case w.refuses[key.Name] != "" && (action.Verb == DryRun) == (w.refuses[key.Name] == "dry run"):
				outcome.Err = errors.New(key.Name + " is refused")
			case action.Verb == Apply:
				line = append(line, "apply "+key.Name)
				w.live[key] = action.Task.Target
			case action.Verb == Prune && !Skipped(w.options, action.Task):
				line = append(line, "prune "+key.Name)
				delete(w.live, key)
			}
			outcomes = append(outcomes, outcome)
		}
		w.note(line)
	}
	return outcomes, false
}

// note records the effects of a group that are the first on their object.
func (w *world) note(line []string) {
	all := strings.Join(w.effects, " ") + " "
	line = slices.DeleteFunc(line, func(effect string) bool { return strings.Contains(all, effect+" ") })
	if len(line) > 0 {
		slices.Sort(line)
		w.effects = append(w.effects, strings.Join(line, " "))
	}
}

func (w *world) remember(step Step) {
	w.phase, w.message, w.results = step.Phase, step.Message, step.Results
}

// run drives the sync until it ends or nothing happens any more. crash says before each write and after how many actions
// the process dies.
func (w *world) run(t *testing.T, crash func() (beforeWrite bool, actions int)) {
	t.Helper()
	for range 500 {
		beforeWrite, actions := crash()
		in := w.input()
		step := Next(in)
		if beforeWrite {
			w.validated = false
			continue
		}
		waits := len(step.Groups) == 0 && cmp.Equal(step.Results, w.results) && step.Message == w.message
		w.remember(step)
		if step.Phase.Completed() || waits {
			return
		}
		outcomes, killed := w.act(step, actions)
		if killed {
			w.validated = false
			continue
		}
		if len(step.Groups) == 0 {
			continue
		}
		recorded := Record(in, step, outcomes)
		w.remember(recorded)
		if recorded.Phase.Completed() {
			return
		}
		w.validated = w.validated || step.Validates()
	}
	t.Fatalf("the sync does not end: %s %q after %v", w.phase, w.message, w.effects)
}

func never() (bool, int) { return false, 1 << 30 }

func TestSync(t *testing.T) {
	for _, tc := range []struct {
		reason  string
		world   *world
		change  func(*world)
		effects []string
		phase   argov1.OperationPhase
		message string
	}{
		{
			reason:  "kinds are applied in their order, what is of one kind at once",
			world:   newWorld(object("Service", "svc", "0"), object("ConfigMap", "b", "0"), object("ConfigMap", "a", "0"), object("Other", "x", "0")),
			effects: []string{"apply a apply b", "apply svc", "apply x"}, phase: argov1.OperationSucceeded, message: "successfully synced (all tasks run)",
		},
		{
			reason:  "waves come one after the other",
			world:   newWorld(object("ConfigMap", "late", "5"), object("Service", "early", "-1"), object("ConfigMap", "mid", "0")),
			effects: []string{"apply early", "apply mid", "apply late"}, phase: argov1.OperationSucceeded, message: "successfully synced (all tasks run)",
		},
		{
			reason: "a wave waits for the health of the one before",
			world:  newWorld(object("Deployment", "web", "0"), object("ConfigMap", "late", "1")),
			change: func(w *world) {
				w.health[resource.Key{Kind: "Deployment", Namespace: "ns", Name: "web"}] = argov1.HealthProgressing
			},
			effects: []string{"apply web"}, phase: argov1.OperationRunning, message: "waiting for healthy state of /Deployment/web",
		},
		{
			reason: "a degraded object in an earlier wave fails the sync",
			world:  newWorld(object("Deployment", "web", "0"), object("ConfigMap", "late", "1")),
			change: func(w *world) {
				w.health[resource.Key{Kind: "Deployment", Namespace: "ns", Name: "web"}] = argov1.HealthDegraded
			},
			effects: []string{"apply web"}, phase: argov1.OperationFailed, message: "one or more synchronization tasks completed unsuccessfully, reason: done",
		},
		{
			reason: "the last wave is not gated",
			world:  newWorld(object("ConfigMap", "first", "0"), object("Deployment", "web", "1")),
			change: func(w *world) {
				w.health[resource.Key{Kind: "Deployment", Namespace: "ns", Name: "web"}] = argov1.HealthProgressing
			},
			effects: []string{"apply first", "apply web"}, phase: argov1.OperationSucceeded, message: "successfully synced (all tasks run)",
		},
		{
			reason:  "prunes go in mirrored waves, before the applies of their wave",
			world:   newWorld(object("ConfigMap", "new", "1")),
			change:  func(w *world) { w.exist(object("Secret", "p0", "0"), object("Secret", "p1", "1")) },
			effects: []string{"prune p1", "prune p0", "apply new"}, phase: argov1.OperationSucceeded, message: "successfully synced (all tasks run)",
		},
		{
			reason:  "PruneLast waits for everything else",
			world:   newWorld(object("ConfigMap", "new", "3")),
			change:  func(w *world) { w.exist(object("Secret", "old", "0", "PruneLast=true")) },
			effects: []string{"apply new", "prune old"}, phase: argov1.OperationSucceeded, message: "successfully synced (all tasks run)",
		},
		{
			reason:  "nothing is pruned without being asked",
			world:   newWorld(object("ConfigMap", "new", "0")),
			change:  func(w *world) { w.options.Prune = false; w.exist(object("Secret", "old", "0")) },
			effects: []string{"apply new"}, phase: argov1.OperationSucceeded, message: "successfully synced (all tasks run)",
		},
		{
			reason: "a prune that asks for confirmation waits for it",
			world:  newWorld(),
			change: func(w *world) {
				w.options.StartedAt = time.Unix(100, 0)
				w.exist(object("Secret", "old", "0", "Prune=confirm"))
			},
			phase: argov1.OperationRunning, message: "waiting for pruning confirmation of /Secret/old",
		},
		{
			reason: "all errors of the dry run are told and nothing is touched",
			world:  newWorld(object("ConfigMap", "a", "0"), object("ConfigMap", "b", "1"), object("ConfigMap", "c", "2")),
			change: func(w *world) { w.refuses["b"], w.refuses["c"] = "dry run", "dry run" },
			phase:  argov1.OperationFailed, message: "one or more objects failed to apply (dry run), reason: b is refused,c is refused",
		},
		{
			reason:  "a failed apply ends the sync after its wave",
			world:   newWorld(object("ConfigMap", "a", "0"), object("Service", "b", "0"), object("ConfigMap", "late", "1")),
			change:  func(w *world) { w.refuses["a"] = "apply" },
			effects: []string{"apply b"}, phase: argov1.OperationFailed, message: "one or more synchronization tasks completed unsuccessfully, reason: a is refused",
		},
		{
			reason:  "a selective sync does what was selected",
			world:   newWorld(object("ConfigMap", "a", "0"), object("ConfigMap", "b", "0")),
			change:  func(w *world) { w.options.Resources = []argov1.SyncOperationResource{{Kind: "ConfigMap", Name: "b"}} },
			effects: []string{"apply b"}, phase: argov1.OperationSucceeded, message: "successfully synced (all tasks run)",
		},
		{
			reason: "a terminated operation does nothing more",
			world:  newWorld(object("ConfigMap", "a", "0")),
			change: func(w *world) { w.phase = argov1.OperationTerminating },
			phase:  argov1.OperationFailed, message: "Operation terminated",
		},
		{
			reason:  "a namespace is made before what lives in it, whatever its wave",
			world:   newWorld(object("ConfigMap", "a", "-5"), namespace("ns")),
			effects: []string{"apply ns", "apply a"}, phase: argov1.OperationSucceeded, message: "successfully synced (all tasks run)",
		},
	} {
		if tc.change != nil {
			tc.change(tc.world)
		}
		tc.world.run(t, never)
		if diff := cmp.Diff(tc.effects, tc.world.effects); diff != "" {
			t.Errorf("%s: effects (-want +got):\n%s", tc.reason, diff)
		}
		if tc.world.phase != tc.phase || tc.world.message != tc.message {
			t.Errorf("%s: %s %q, want %s %q", tc.reason, tc.world.phase, tc.world.message, tc.phase, tc.message)
		}
	}
}

func namespace(name string) *unstructured.Unstructured {
	obj := object("Namespace", name, "3")
	obj.SetNamespace("")
	return obj
}

func (w *world) exist(objects ...*unstructured.Unstructured) {
	for _, obj := range objects {
		w.live[resource.KeyOf(obj)] = obj
	}
}

// TestCrashAnywhere kills the process at random points of random syncs: the order of the first effects and the end are those
// of a process that was not killed.
func TestCrashAnywhere(t *testing.T) {
	for seed := range uint64(20000) {
		random := rand.New(rand.NewPCG(seed, 1))
		calm, killed := randomWorld(rand.New(rand.NewPCG(seed, 2))), randomWorld(rand.New(rand.NewPCG(seed, 2)))
		calm.run(t, never)
		crashes := random.IntN(6)
		killed.run(t, func() (bool, int) {
			if crashes--; crashes < 0 {
				return never()
			}
			return random.IntN(3) == 0, random.IntN(4)
		})
		if calm.phase != killed.phase || !sameOrder(calm.effects, killed.effects) || len(calm.live) != len(killed.live) {
			t.Fatalf("seed %d: without a crash %s %v, with crashes %s %v", seed, calm.phase, calm.effects, killed.phase, killed.effects)
		}
	}
}

// sameOrder tells whether the same effects came group by group; inside a group the order is free, and a crash may cut it.
func sameOrder(want, got []string) bool {
	var left []string
	for _, group := range got {
		left = append(left, splitEffects(group)...)
	}
	for _, group := range want {
		effects := splitEffects(group)
		if len(left) < len(effects) {
			return false
		}
		head := slices.Sorted(slices.Values(left[:len(effects)]))
		if !slices.Equal(head, slices.Sorted(slices.Values(effects))) {
			return false
		}
		left = left[len(effects):]
	}
	return len(left) == 0
}

// splitEffects cuts "apply a apply b" into its effects.
func splitEffects(group string) []string {
	words := strings.Fields(group)
	var effects []string
	for i := 0; i+1 < len(words); i += 2 {
		effects = append(effects, words[i]+" "+words[i+1])
	}
	return effects
}

func randomWorld(random *rand.Rand) *world {
	kinds := []string{"ConfigMap", "Deployment", "Service", "Other"}
	w := newWorld()
	for i := range 1 + random.IntN(6) {
		obj := object(kinds[random.IntN(len(kinds))], fmt.Sprintf("o%d", i), fmt.Sprint(random.IntN(3)-1))
		if random.IntN(4) == 0 { // one wave only: prunes of several waves are mirrored anew over what is left (contract, B 2)
			w.exist(object(obj.GetKind(), obj.GetName(), "0"))
			continue
		}
		w.targets = append(w.targets, obj)
		switch random.IntN(12) {
		case 0:
			w.health[resource.KeyOf(obj)] = argov1.HealthDegraded
		case 1, 2, 3:
			w.health[resource.KeyOf(obj)] = argov1.HealthHealthy
		case 4:
			w.refuses[obj.GetName()] = "dry run"
		}
	}
	return w
}
