package plan

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/resource"
)

const (
	annotationRevision = "revision" // tells the content of one revision from that of another
	finalizerHold      = "example.com/hold"
)

// object is a target of the current revision; further annotations are given as "key=value".
func object(kind, name, wave string, annotations ...string) *unstructured.Unstructured {
	obj := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": kind}}
	obj.SetName(name)
	obj.SetNamespace("ns")
	all := map[string]string{argov1.AnnotationSyncWave: wave, annotationRevision: "new"}
	for _, annotation := range annotations {
		key, value, _ := strings.Cut(annotation, "=")
		all[key] = value
	}
	obj.SetAnnotations(all)
	return obj
}

func hook(kind, name, wave, types string, annotations ...string) *unstructured.Unstructured {
	return object(kind, name, wave, append(annotations, argov1.AnnotationHook+"="+types)...)
}

// generated gives an object a prefix in place of its name.
func generated(obj *unstructured.Unstructured, prefix string) *unstructured.Unstructured {
	obj.SetName("")
	obj.SetGenerateName(prefix)
	return obj
}

func options(text string) string { return argov1.AnnotationSyncOptions + "=" + text }

func policies(text string) string { return argov1.AnnotationHookDeletePolicy + "=" + text }

func namespace(name string) *unstructured.Unstructured {
	obj := object("Namespace", name, "3")
	obj.SetNamespace("")
	return obj
}

// end is how an object turns out once it stands in the cluster.
type end struct {
	code    argov1.HealthStatusCode // empty for a kind without a health check
	message string
	slow    int // passes during which it is Progressing
}

// world is a cluster in memory, and the operation state of one sync.
type world struct {
	in      Input
	targets []*unstructured.Unstructured
	live    map[resource.Key]*unstructured.Unstructured
	ends    map[string]end    // by name
	refuses map[string]string // error of an apply or a delete, by name
	seen    map[string]int    // passes that each object was watched
	effects []string          // what changed the cluster, a line for what may happen at the same time
	told    int               // how many effects there were when something happened last
}

func newWorld(targets ...*unstructured.Unstructured) *world {
	return &world{
		in: Input{
			Phase:   argov1.OperationRunning,
			Options: Options{Prune: true, Namespace: "ns", Revision: "0123456789abcdef", StartedAt: time.Unix(1700000000, 0)},
		},
		targets: targets, live: map[resource.Key]*unstructured.Unstructured{}, ends: map[string]end{},
		refuses: map[string]string{}, seen: map[string]int{},
	}
}

// exist puts objects of an earlier revision into the cluster.
func (w *world) exist(objects ...*unstructured.Unstructured) {
	for _, obj := range objects {
		annotations := obj.GetAnnotations()
		annotations[annotationRevision] = "old"
		obj.SetAnnotations(annotations)
		w.live[resource.KeyOf(obj)] = obj
	}
}

// look is what the planner sees now.
func (w *world) look() Input {
	in := w.in
	in.Objects = nil
	in.Health = w.health
	wanted := map[resource.Key]bool{}
	for _, target := range w.targets {
		key := resource.KeyOf(target)
		live := w.live[key]
		wanted[key] = true
		object := Object{
			Target: target, Live: live, SelfReferenced: true,
			Modified: live == nil || live.GetAnnotations()[annotationRevision] != target.GetAnnotations()[annotationRevision],
		}
		if key.Kind == "Forbidden" {
			object.Rejected = Rejection{Reason: "forbidden", Message: "forbidden here"}
		}
		in.Objects = append(in.Objects, object)
	}
	var extra []resource.Key
	for key := range w.live {
		if !wanted[key] {
			extra = append(extra, key)
		}
	}
	slices.SortFunc(extra, resource.Key.Compare)
	for _, key := range extra {
		_, tracked := w.live[key].GetAnnotations()[annotationRevision]
		in.Objects = append(in.Objects, Object{Live: w.live[key], Modified: true, SelfReferenced: tracked})
	}
	in.Namespace.Live = w.live[resource.Key{Kind: "Namespace", Name: "ns"}]
	return in
}

func (w *world) health(obj *unstructured.Unstructured) (argov1.HealthStatusCode, string, bool) {
	name := obj.GetName()
	e, ok := w.ends[name]
	if !ok || e.code == "" {
		return "", "", false
	}
	if w.seen[name] <= e.slow {
		return argov1.HealthProgressing, "", true
	}
	return e.code, e.message, true
}

// pass lets time go by in the cluster: objects make progress, and what is being deleted goes once nobody holds it.
func (w *world) pass() {
	for key, obj := range w.live {
		w.seen[obj.GetName()]++
		if obj.GetDeletionTimestamp() != nil && !slices.Contains(obj.GetFinalizers(), argov1.FinalizerHook) && w.seen[obj.GetName()] > 2 {
			delete(w.live, key)
		}
	}
}

// act carries out actions as a cluster would; it stops after limit actions, as a process that is killed.
func (w *world) act(step Step, limit int) (outcomes []Outcome, killed bool) {
	broken := false
	for _, group := range step.Groups {
		if broken && group[0].Verb == DeleteHook {
			return outcomes, false
		}
		var line []string
		for _, action := range group {
			if limit--; limit < 0 {
				w.note(line)
				return outcomes, true
			}
			outcome := Outcome{Action: action, Message: "done"}
			if refusal := w.refuses[action.Task.Key.Name]; refusal != "" && action.Verb != ReleaseHook && !Skipped(w.in.Options, action.Task) {
				outcome.Err = errors.New(refusal)
				broken = true
			} else if effect := w.do(action); effect != "" {
				line = append(line, effect)
			}
			outcomes = append(outcomes, outcome)
		}
		w.note(line)
		if broken && group[0].Verb == Prune {
			return outcomes, false
		}
	}
	return outcomes, false
}

// do is one action; it tells the effect, empty when the cluster was like that before.
func (w *world) do(action Action) string {
	key, live := action.Task.Key, w.live[action.Task.Key]
	switch action.Verb {
	case Apply:
		if live != nil && live.GetAnnotations()[annotationRevision] == action.Task.Target.GetAnnotations()[annotationRevision] {
			w.seen[key.Name] = 0 // a second time only after a crash, and then this is when it counts
			return ""
		}
		w.live[key] = action.Task.Target.DeepCopy()
		w.seen[key.Name] = 0
	case ReleaseHook:
		w.release(live)
		return ""
	case DeleteHook:
		w.release(live)
		if !w.remove(key, live) {
			return ""
		}
	case Prune:
		if Skipped(w.in.Options, action.Task) || !w.remove(key, live) {
			return ""
		}
	}
	return string(action.Verb) + " " + key.Name
}

func (w *world) release(live *unstructured.Unstructured) {
	if live != nil {
		live.SetFinalizers(slices.DeleteFunc(live.GetFinalizers(), func(f string) bool { return f == argov1.FinalizerHook }))
	}
}

func (w *world) remove(key resource.Key, live *unstructured.Unstructured) bool {
	w.seen[key.Name] = 0
	if live == nil || live.GetDeletionTimestamp() != nil {
		return false
	}
	if len(live.GetFinalizers()) == 0 {
		delete(w.live, key)
		return true
	}
	now := metav1.NewTime(time.Unix(1700000001, 0))
	live.SetDeletionTimestamp(&now)
	return true
}

func (w *world) note(line []string) {
	if len(line) > 0 {
		slices.Sort(line)
		w.effects = append(w.effects, strings.Join(line, ", "))
	}
}

func (w *world) remember(step Step) {
	w.in.Phase, w.in.Message, w.in.Results = step.Phase, step.Message, step.Results
}

// crash says whether the process dies before the next write, and else after how many actions.
type crash func() (beforeWrite bool, actions int)

func never() (bool, int) { return false, 1 << 30 }

// run drives the sync until it ends or waits for what does not come. Time goes by in passes that the process survives, so
// that it is the same with crashes and without.
func (w *world) run(t *testing.T, dies crash) {
	t.Helper()
	for idle := 0; idle < 8; {
		before := w.in
		if killed := w.once(dies()); killed {
			continue
		}
		if w.in.Phase.Completed() {
			return
		}
		w.pass()
		if idle++; w.in.Message != before.Message || changed(w.in.Results, before.Results) || len(w.effects) > w.told {
			idle, w.told = 0, len(w.effects)
		}
	}
}

// once is one pass: decide, remember, act, remember again.
func (w *world) once(beforeWrite bool, limit int) (killed bool) {
	in := w.look()
	step := Next(in)
	if beforeWrite {
		return true
	}
	w.remember(step)
	if len(step.Groups) == 0 {
		return false
	}
	outcomes, killed := w.act(step, limit)
	if !killed {
		w.remember(Record(in, step, outcomes))
	}
	return killed
}

// checkRows compares rows, given as "name phase" or "Kind/name phase", with "status phase message".
func checkRows(t *testing.T, w *world, want map[string]string) {
	t.Helper()
	for key, text := range want {
		name, phase, _ := strings.Cut(key, " ")
		got := "none"
		for _, r := range w.in.Results {
			if string(r.SyncPhase) == phase && (r.Name == name || r.Kind+"/"+r.Name == name) {
				got = strings.Join([]string{string(r.Status), string(r.HookPhase), r.Message}, " ")
			}
		}
		if got != text {
			t.Errorf("row %s: %q, want %q", key, got, text)
		}
	}
}

// held gives a hook the finalizer that keeps it until its end was seen.
func held(obj *unstructured.Unstructured) *unstructured.Unstructured {
	obj.SetFinalizers([]string{argov1.FinalizerHook})
	return obj
}

// hooksLeft are the names of the hooks in the cluster.
func (w *world) hooksLeft() []string {
	var names []string
	for _, obj := range w.live {
		if resource.IsHook(obj) {
			names = append(names, obj.GetName())
		}
	}
	slices.Sort(names)
	return names
}
