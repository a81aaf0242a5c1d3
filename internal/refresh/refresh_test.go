package refresh

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/diff"
	"github.com/tiphys-io/tiphys/internal/live"
	"github.com/tiphys-io/tiphys/internal/resource"
	"github.com/tiphys-io/tiphys/internal/target"
)

const instance = "app"

// mark writes the tracking annotation that names the object itself.
func mark(obj *unstructured.Unstructured) *unstructured.Unstructured {
	key := resource.KeyOf(obj)
	annotations := obj.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[argov1.AnnotationTrackingID] = fmt.Sprintf("%s:%s/%s:%s/%s", instance, key.Group, key.Kind, key.Namespace, key.Name)
	obj.SetAnnotations(annotations)
	return obj
}

func configMap(name, value string) *unstructured.Unstructured {
	return mark(&unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap",
		"metadata": map[string]any{"namespace": "ns", "name": name}, "data": map[string]any{"v": value},
	}})
}

// stored is an object as a cluster holds it, at a resource version.
func stored(obj *unstructured.Unstructured, version string) *unstructured.Unstructured {
	obj = obj.DeepCopy()
	obj.SetResourceVersion(version)
	obj.SetUID("uid")
	return obj
}

func annotate(obj *unstructured.Unstructured, pairs ...string) *unstructured.Unstructured {
	annotations := obj.GetAnnotations()
	for i := 0; i < len(pairs); i += 2 {
		annotations[pairs[i]] = pairs[i+1]
	}
	obj.SetAnnotations(annotations)
	return obj
}

func state(t testing.TB, targets ...*unstructured.Unstructured) *target.State {
	t.Helper()
	s := &target.State{}
	for _, obj := range targets {
		hash, err := diff.Hash(obj)
		if err != nil {
			t.Fatal(err)
		}
		s.Objects = append(s.Objects, target.Object{Key: resource.KeyOf(obj), Target: obj, Hash: hash})
	}
	return s
}

func snapshot(objs ...*unstructured.Unstructured) live.Snapshot {
	s := live.Snapshot{}
	for _, obj := range objs {
		s[resource.KeyOf(obj)] = obj
	}
	return s
}

// server answers dry runs and counts them.
type server struct {
	asked  []string
	answer func(target *unstructured.Unstructured) (*unstructured.Unstructured, error)
}

func (s *server) predict(_ context.Context, target *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	s.asked = append(s.asked, target.GetName())
	if s.answer == nil {
		return target.DeepCopy(), nil
	}
	return s.answer(target)
}

// shown is what a row says, in short.
type shown struct {
	Name, Status                         string
	Modified, Hook, Skipped, Prune, Self bool
}

func show(rows []Row) []shown {
	var list []shown
	for _, row := range rows {
		list = append(list, shown{
			row.Key.Name, string(row.Status), row.Modified, row.Hook, row.Skipped, row.RequiresPruning(), row.SelfReferenced,
		})
	}
	return list
}

func compare(t *testing.T, m *Memory, s *server, st *target.State, sn live.Snapshot, change ...func(*Request)) *Comparison {
	t.Helper()
	req := Request{State: st, Snapshot: sn, Instance: instance, Predict: s.predict}
	for _, c := range change {
		c(&req)
	}
	return m.Compare(t.Context(), req)
}

func TestCompare(t *testing.T) {
	extraneous := func(name string) *unstructured.Unstructured {
		return annotate(configMap(name, "1"), "argocd.argoproj.io/compare-options", "IgnoreExtraneous")
	}
	hook := func(name string, types string) *unstructured.Unstructured {
		return annotate(configMap(name, "1"), "argocd.argoproj.io/hook", types)
	}
	copied := configMap("genuine", "1")
	copied.SetName("copy")
	foreign := annotate(configMap("a", "1"), argov1.AnnotationTrackingID, "other:/ConfigMap:ns/a")
	untracked := configMap("a", "1")
	untracked.SetAnnotations(nil)

	tests := []struct {
		reason  string
		targets []*unstructured.Unstructured
		live    []*unstructured.Unstructured
		want    []shown
		status  argov1.SyncStatusCode
		shared  string
	}{
		{
			"Equal objects are in sync.",
			[]*unstructured.Unstructured{configMap("a", "1")},
			[]*unstructured.Unstructured{configMap("a", "1")},
			[]shown{{Name: "a", Status: "Synced", Self: true}},
			"Synced", "",
		},
		{
			"A changed object is not.",
			[]*unstructured.Unstructured{configMap("a", "1")},
			[]*unstructured.Unstructured{configMap("a", "2")},
			[]shown{{Name: "a", Status: "OutOfSync", Modified: true, Self: true}},
			"OutOfSync", "",
		},
		{
			"A missing object is not.",
			[]*unstructured.Unstructured{configMap("a", "1")},
			nil,
			[]shown{{Name: "a", Status: "OutOfSync", Modified: true}},
			"OutOfSync", "",
		},
		{
			"What has left the sources is pruned.", nil,
			[]*unstructured.Unstructured{configMap("a", "1")},
			[]shown{{Name: "a", Status: "OutOfSync", Modified: true, Prune: true, Self: true}},
			"OutOfSync", "",
		},
		{
			"What may stay without a target is pruned all the same, but does not count.", nil,
			[]*unstructured.Unstructured{extraneous("a")},
			[]shown{{Name: "a", Status: "OutOfSync", Modified: true, Prune: true, Self: true}},
			"Synced", "",
		},
		{
			"A copied mark proves nothing (B17).", nil,
			[]*unstructured.Unstructured{copied},
			[]shown{{Name: "copy", Modified: true}},
			"Synced", "",
		},
		{
			"A live hook shows that it would be pruned, and no status (B16).",
			[]*unstructured.Unstructured{hook("a", "PreSync")},
			[]*unstructured.Unstructured{hook("a", "PreSync")},
			[]shown{{Name: "a", Modified: true, Hook: true, Prune: true, Self: true}},
			"Synced", "",
		},
		{
			"So does one that no source has any more.", nil,
			[]*unstructured.Unstructured{hook("a", "PostSync")},
			[]shown{{Name: "a", Modified: true, Hook: true, Prune: true, Self: true}},
			"Synced", "",
		},
		{
			"A skipped object is not compared.",
			[]*unstructured.Unstructured{hook("a", "Skip")},
			[]*unstructured.Unstructured{hook("a", "Skip")},
			[]shown{{Name: "a", Modified: true, Skipped: true, Self: true}},
			"Synced", "",
		},
		{
			"The mark of another application is a difference, and names it.",
			[]*unstructured.Unstructured{configMap("a", "1")},
			[]*unstructured.Unstructured{foreign},
			[]shown{{Name: "a", Status: "OutOfSync", Modified: true}},
			"OutOfSync", "other",
		},
		{
			"An object without a mark is adopted.",
			[]*unstructured.Unstructured{configMap("a", "1")},
			[]*unstructured.Unstructured{untracked},
			[]shown{{Name: "a", Status: "OutOfSync", Modified: true}},
			"OutOfSync", "",
		},
	}
	for _, tc := range tests {
		t.Run(tc.reason, func(t *testing.T) {
			got := compare(t, &Memory{}, &server{}, state(t, tc.targets...), snapshot(tc.live...))
			if d := cmp.Diff(tc.want, show(got.Rows)); d != "" {
				t.Errorf("rows (-want +got):\n%s", d)
			}
			if got.Status != tc.status || got.Err != nil {
				t.Errorf("status %s, error %v, want %s", got.Status, got.Err, tc.status)
			}
			if got.Rows[0].SharedWith != tc.shared {
				t.Errorf("shared with %q, want %q", got.Rows[0].SharedWith, tc.shared)
			}
		})
	}
}

func TestRowsWithoutANameStayApart(t *testing.T) {
	nameless := func(value string) *unstructured.Unstructured {
		obj := annotate(configMap("", value), "argocd.argoproj.io/hook", "PreSync")
		obj.SetGenerateName("made-")
		return obj
	}
	made := nameless("1")
	made.SetName("made-abc")
	for range 20 { // the order must not depend on chance
		got := compare(t, &Memory{}, &server{}, state(t, nameless("2"), nameless("1"), nameless("3")), snapshot(made))
		var values []string
		for _, row := range got.Rows {
			obj := row.Target
			if obj == nil {
				obj = row.Live
			}
			value, _, _ := unstructured.NestedString(obj.Object, "data", "v")
			values = append(values, row.Key.Name+"="+value)
		}
		if d := cmp.Diff([]string{"=2", "=1", "=3", "made-abc=1"}, values); d != "" {
			t.Fatalf("rows (-want +got):\n%s", d)
		}
		if last := got.Rows[3]; !last.Hook || last.RequiresPruning() {
			t.Fatalf("a hook made by generateName is not known by its mark (B16): %+v", last)
		}
	}
}

func TestDryRunsAreAskedOnce(t *testing.T) {
	targets := state(t, configMap("a", "1"), configMap("b", "1"), configMap("c", "1"))
	objects := []*unstructured.Unstructured{stored(configMap("a", "2"), "1"), stored(configMap("b", "2"), "2"), stored(configMap("c", "1"), "3")}
	m, s := &Memory{}, &server{}
	step := func(reason string, want ...string) {
		t.Helper()
		s.asked = nil
		compare(t, m, s, targets, snapshot(objects...))
		if d := cmp.Diff(want, s.asked); d != "" {
			t.Errorf("%s (-want +got):\n%s", reason, d)
		}
	}
	step("What seems to differ is asked about.", "a", "b")
	step("Nothing changed, nothing is asked.")
	objects[0] = stored(configMap("a", "3"), "4")
	step("One object changed, one is asked about.", "a")
	objects[2] = stored(configMap("c", "1"), "5")
	step("A changed object that seems equal is not asked about.")
	targets = state(t, configMap("a", "1"), configMap("b", "3"), configMap("c", "1"))
	step("One target changed, one is asked about.", "b")
}

func TestFailedDryRuns(t *testing.T) {
	gk := schema.GroupKind{Kind: "ConfigMap"}
	tests := []struct {
		reason string
		err    error
		status argov1.SyncStatusCode
		failed bool
	}{
		{"The server understood and would not: a sync reports it.", apierrors.NewInvalid(gk, "a", nil), "OutOfSync", false},
		{"It could not be asked: nothing is known.", errors.New("connection refused"), "Unknown", true},
		{"It is too busy: nothing is known.", apierrors.NewTooManyRequests("later", 1), "Unknown", true},
	}
	for _, tc := range tests {
		t.Run(tc.reason, func(t *testing.T) {
			s := &server{answer: func(*unstructured.Unstructured) (*unstructured.Unstructured, error) { return nil, tc.err }}
			m := &Memory{}
			sn := snapshot(stored(configMap("a", "2"), "1"))
			got := compare(t, m, s, state(t, configMap("a", "1")), sn)
			if got.Status != tc.status || got.Rows[0].Status != tc.status || !got.Rows[0].Modified || (got.Err != nil) != tc.failed {
				t.Errorf("%+v", got)
			}
			if tc.failed && !errors.Is(got.Err, tc.err) {
				t.Errorf("the error does not say why: %v", got.Err)
			}
			compare(t, m, s, state(t, configMap("a", "1")), sn)
			if want := map[bool]int{true: 2, false: 1}[tc.failed]; len(s.asked) != want {
				t.Errorf("asked %d times, want %d", len(s.asked), want)
			}
		})
	}
}
