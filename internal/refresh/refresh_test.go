package refresh

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
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

func ignoring(entries ...argov1.ResourceIgnoreDifferences) func(*Request) {
	return func(req *Request) { req.Ignore.Application = entries }
}

func TestIgnoredDifferences(t *testing.T) {
	value := argov1.ResourceIgnoreDifferences{Kind: "ConfigMap", JSONPointers: []string{"/data/v"}}
	other := configMap("a", "2")
	other.SetLabels(map[string]string{"l": "m"})
	labelled := configMap("a", "1")
	labelled.SetLabels(map[string]string{"l": "n"})
	tests := []struct {
		reason       string
		target, live *unstructured.Unstructured
		rules        []argov1.ResourceIgnoreDifferences
		answer       error
		status       argov1.SyncStatusCode
		modified     bool
	}{
		{"An ignored difference does not show, but a sync applies it.", configMap("a", "1"), configMap("a", "2"), []argov1.ResourceIgnoreDifferences{value}, nil, "Synced", true},
		{"Without the rule it shows.", configMap("a", "1"), configMap("a", "2"), nil, nil, "OutOfSync", true},
		{"A difference beside it shows.", labelled, other, []argov1.ResourceIgnoreDifferences{value}, nil, "OutOfSync", true},
		{"A server that refuses the target does not make an ignored difference show.", configMap("a", "1"), configMap("a", "2"), []argov1.ResourceIgnoreDifferences{value}, apierrors.NewBadRequest("no"), "Synced", true},
		{"Nor does it hide one that counts.", labelled, other, []argov1.ResourceIgnoreDifferences{value}, apierrors.NewBadRequest("no"), "OutOfSync", true},
	}
	for _, tc := range tests {
		t.Run(tc.reason, func(t *testing.T) {
			s := &server{}
			if tc.answer != nil {
				s.answer = func(*unstructured.Unstructured) (*unstructured.Unstructured, error) { return nil, tc.answer }
			}
			got := compare(t, &Memory{}, s, state(t, tc.target), snapshot(tc.live), ignoring(tc.rules...))
			if row := got.Rows[0]; row.Status != tc.status || row.Modified != tc.modified || got.Status != tc.status || got.Err != nil {
				t.Errorf("row %s, modified %v, application %s, error %v", row.Status, row.Modified, got.Status, got.Err)
			}
			if got.Rules.For(got.Rows[0].Key).Hides() != (len(tc.rules) > 0) {
				t.Error("the comparison does not hand on its rules")
			}
			if len(s.asked) != 1 {
				t.Errorf("asked %d times, want once", len(s.asked))
			}
		})
	}
}

func TestRulesThatCannotBeUsedMakeEverythingUnknown(t *testing.T) {
	tests := []struct {
		reason string
		rule   argov1.ResourceIgnoreDifferences
		broken error
		want   string
	}{
		{"A pointer that is none.", argov1.ResourceIgnoreDifferences{Kind: "ConfigMap", JSONPointers: []string{"data"}}, nil, `Failed to compare desired state to live state: spec.ignoreDifferences[0] of ConfigMap: jsonPointers "data": a JSON pointer begins with a slash; write /data`},
		{"An expression that never ends.", argov1.ResourceIgnoreDifferences{Kind: "ConfigMap", JQPathExpressions: []string{"until(false; .)"}}, nil, `Failed to compare desired state to live state: /ConfigMap/ns/a: spec.ignoreDifferences[0] of ConfigMap: jqPathExpressions "until(false; .)": it was stopped for taking too much time or memory; select fewer fields, or build no values`},
		{"Settings that cannot be read.", argov1.ResourceIgnoreDifferences{}, errors.New("argocd-cm: broken"), "Failed to compare desired state to live state: argocd-cm: broken"},
	}
	for _, tc := range tests {
		t.Run(tc.reason, func(t *testing.T) {
			m, s := &Memory{}, &server{}
			sn := snapshot(stored(configMap("a", "2"), "1"), stored(configMap("b", "1"), "2"))
			ask := func() *Comparison {
				return compare(t, m, s, state(t, configMap("a", "1"), configMap("b", "1")), sn, ignoring(tc.rule), func(req *Request) {
					req.Ignore.Broken, req.JQTimeout = tc.broken, 20*time.Millisecond
				})
			}
			for range 2 {
				got := ask()
				if got.Err == nil || got.Err.Error() != tc.want {
					t.Fatalf("error: %v", got.Err)
				}
				if got.Status != "Unknown" || got.Rows[0].Status != "Unknown" || got.Rows[1].Status != "Unknown" {
					t.Errorf("%s: %+v", got.Status, show(got.Rows))
				}
			}
			if len(s.asked) > 1 {
				t.Errorf("asked %v again though nothing changed", s.asked)
			}
			tc.rule, tc.broken = argov1.ResourceIgnoreDifferences{}, nil
			if got := ask(); got.Err != nil || got.Status != "OutOfSync" || got.Rows[1].Status != "Synced" {
				t.Errorf("with the rule gone: %s, %v", got.Status, got.Err)
			}
		})
	}
}

func TestMarksFromBeforeTheTrackingMethodChanged(t *testing.T) {
	unmarked := func(labels map[string]string) *unstructured.Unstructured {
		obj := configMap("a", "1")
		obj.SetAnnotations(nil)
		obj.SetLabels(labels)
		return obj
	}
	with := func(labels map[string]string) *unstructured.Unstructured {
		obj := configMap("a", "1")
		obj.SetLabels(labels)
		return obj
	}
	tests := []struct {
		reason       string
		target, live *unstructured.Unstructured
		status       argov1.SyncStatusCode
	}{
		{"A mark that was removed is noticed.", configMap("a", "1"), unmarked(nil), "OutOfSync"},
		{"It is not if the object has an instance label (B18).", with(map[string]string{argov1.LabelInstance: "release"}), unmarked(map[string]string{argov1.LabelInstance: "release"}), "Synced"},
		{"Nor if the label is all there was.", configMap("a", "1"), unmarked(map[string]string{argov1.LabelInstance: instance}), "Synced"},
		{"Another difference shows all the same.", configMap("a", "2"), unmarked(map[string]string{argov1.LabelInstance: instance}), "OutOfSync"},
	}
	for _, tc := range tests {
		t.Run(tc.reason, func(t *testing.T) {
			s := &server{answer: func(target *unstructured.Unstructured) (*unstructured.Unstructured, error) {
				after := target.DeepCopy() // a label that the target does not set stays
				if labels := tc.live.GetLabels(); labels != nil {
					after.SetLabels(labels)
				}
				return after, nil
			}}
			got := compare(t, &Memory{}, s, state(t, tc.target), snapshot(tc.live))
			if row := got.Rows[0]; row.Status != tc.status || !row.Modified {
				t.Errorf("row %s, modified %v", row.Status, row.Modified)
			}
		})
	}
}

func TestTargetsThatDoNotFitTheSchema(t *testing.T) {
	// These are the words of the API server; it gives no other reason.
	answer := &apierrors.StatusError{ErrStatus: metav1.Status{
		Status: "Failure", Code: 500, Message: `failed to create typed patch object (ns/a; /v1, Kind=ConfigMap): .nonsense: field not declared in schema`,
	}}
	s := &server{answer: func(*unstructured.Unstructured) (*unstructured.Unstructured, error) { return nil, answer }}
	odd := configMap("a", "1")
	odd.Object["nonsense"] = "x"
	got := compare(t, &Memory{}, s, state(t, odd), snapshot(configMap("a", "1")))
	if got.Err != nil || got.Status != "OutOfSync" || !got.Rows[0].Modified {
		t.Errorf("a field that is unknown makes the object OutOfSync (B6): %s, %v", got.Status, got.Err)
	}
	got = compare(t, &Memory{}, s, state(t, configMap("a", "1")), snapshot(configMap("a", "1")))
	if got.Err != nil || got.Status != "Synced" {
		t.Errorf("an object that has all that the target sets: %s, %v", got.Status, got.Err)
	}
}

func TestWhatWasAppliedFromTheClient(t *testing.T) {
	applied := annotate(configMap("a", "1"), "kubectl.kubernetes.io/last-applied-configuration", `{"data":{"v":"1","dropped":"1"}}`)
	if err := unstructured.SetNestedField(applied.Object, "1", "data", "dropped"); err != nil {
		t.Fatal(err)
	}
	s := &server{answer: func(*unstructured.Unstructured) (*unstructured.Unstructured, error) { return applied.DeepCopy(), nil }}
	got := compare(t, &Memory{}, s, state(t, configMap("a", "1")), snapshot(applied))
	if got.Status != "OutOfSync" || !got.Rows[0].Modified {
		t.Error("a field that Git dropped before the take-over does not show")
	}
	got = compare(t, &Memory{}, s, state(t, configMap("a", "1")), snapshot(applied),
		ignoring(argov1.ResourceIgnoreDifferences{Kind: "ConfigMap", JSONPointers: []string{"/data/dropped"}}))
	if got.Status != "Synced" || !got.Rows[0].Modified {
		t.Error("it shows though it is ignored")
	}
}

func TestForbiddenKinds(t *testing.T) {
	m, version := &Memory{}, "1"
	forbidden := true
	ask := func(sn live.Snapshot) *Comparison {
		return compare(t, m, &server{}, state(t, configMap("a", "1")), sn, func(req *Request) {
			req.Forbidden, req.ForbiddenVersion = func(resource.Key) bool { return forbidden }, version
		})
	}
	same := snapshot(stored(configMap("a", "1"), "1"))
	if got := ask(same); got.Rows[0].Status != "Unknown" || !got.Rows[0].Forbidden || got.Status != "Synced" {
		t.Errorf("an equal object of a forbidden kind: row %s, application %s", got.Rows[0].Status, got.Status)
	}
	if got := ask(nil); got.Rows[0].Status != "Unknown" || got.Status != "OutOfSync" {
		t.Errorf("a missing one counts as what it is: row %s, application %s", got.Rows[0].Status, got.Status)
	}
	forbidden, version = false, "2"
	if got := ask(same); got.Rows[0].Status != "Synced" || got.Rows[0].Forbidden {
		t.Errorf("after the project changed: %s", got.Rows[0].Status)
	}
}

func explained(t *testing.T, row Row, namespace *ManagedNamespace) *Explanation {
	t.Helper()
	explanation, err := Explain(t.Context(), Request{Namespace: namespace}, nil, row, nil)
	if err != nil {
		t.Fatal(err)
	}
	return explanation
}

func TestManagedNamespace(t *testing.T) {
	app := &argov1.Application{}
	if NamespaceOf(app) != nil {
		t.Error("an application that manages no metadata has a namespace")
	}
	app.Spec.Destination.Namespace = "dest"
	app.Spec.SyncPolicy = &argov1.SyncPolicy{ManagedNamespaceMetadata: &argov1.ManagedNamespaceMetadata{Labels: map[string]string{"team": "red"}}}
	ns := func(labels map[string]string) *unstructured.Unstructured {
		obj := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": "dest"}}}
		mark(obj).SetLabels(labels)
		return obj
	}
	tests := []struct {
		reason string
		last   *argov1.ManagedNamespaceMetadata
		live   map[string]string
		row    argov1.SyncStatusCode
		status argov1.SyncStatusCode
	}{
		{"A namespace with the metadata is in sync, and not pruned.", app.Spec.SyncPolicy.ManagedNamespaceMetadata, map[string]string{"team": "red", "x": "y"}, "Synced", "Synced"},
		{"One without it is not.", app.Spec.SyncPolicy.ManagedNamespaceMetadata, map[string]string{"team": "blue"}, "OutOfSync", "OutOfSync"},
		{"Metadata that the last sync did not write is a change.", &argov1.ManagedNamespaceMetadata{}, map[string]string{"team": "red"}, "Synced", "OutOfSync"},
	}
	for _, tc := range tests {
		t.Run(tc.reason, func(t *testing.T) {
			app.Status.OperationState = &argov1.OperationState{SyncResult: &argov1.SyncOperationResult{ManagedNamespaceMetadata: tc.last}}
			got := compare(t, &Memory{}, &server{}, state(t), snapshot(ns(tc.live)), func(req *Request) { req.Namespace = NamespaceOf(app) })
			row := got.Rows[0]
			if row.Status != tc.row || row.RequiresPruning() || got.Status != tc.status {
				t.Errorf("row %s, prune %v, application %s", row.Status, row.RequiresPruning(), got.Status)
			}
			var told []string
			for _, explanation := range []*Explanation{NamespaceOf(app).Explain(), explained(t, row, NamespaceOf(app))} {
				if explanation != nil {
					told = append(told, explanation.Differences[0].Path)
				}
			}
			if (len(told) > 0) != (got.Status == argov1.SyncStatusOutOfSync) || row.Status == argov1.SyncStatusOutOfSync && told[0] != "metadata.labels.team" {
				t.Errorf("told are %v", told)
			}
		})
	}
}

func TestLiveObjectsInAnotherVersion(t *testing.T) {
	watched := stored(configMap("a", "1"), "1")
	watched.SetAPIVersion("v1beta1")
	tests := []struct {
		reason string
		read   func() (*unstructured.Unstructured, error)
		status argov1.SyncStatusCode
	}{
		{"It is read in the version of the target.", func() (*unstructured.Unstructured, error) { return configMap("a", "1"), nil }, "Synced"},
		{"It may be gone by then.", func() (*unstructured.Unstructured, error) {
			return nil, apierrors.NewNotFound(schema.GroupResource{Resource: "configmaps"}, "a")
		}, "OutOfSync"},
		{"It may not be readable.", func() (*unstructured.Unstructured, error) { return nil, errors.New("refused") }, "Unknown"},
	}
	for _, tc := range tests {
		t.Run(tc.reason, func(t *testing.T) {
			s := &server{}
			got := compare(t, &Memory{}, s, state(t, configMap("a", "1")), snapshot(watched), func(req *Request) {
				req.Read = func(context.Context, *unstructured.Unstructured) (*unstructured.Unstructured, error) {
					return tc.read()
				}
			})
			if got.Status != tc.status || len(s.asked) > 0 {
				t.Errorf("status %s, %d dry runs", got.Status, len(s.asked))
			}
		})
	}
}

// TestOneEventComparesOneObject holds the promise of the design: work is in proportion to what changed.
func TestOneEventComparesOneObject(t *testing.T) {
	const size = 5000
	targets, objects := make([]*unstructured.Unstructured, size), make([]*unstructured.Unstructured, size)
	for i := range size {
		targets[i] = configMap(fmt.Sprintf("c%d", i), "1")
		objects[i] = stored(configMap(fmt.Sprintf("c%d", i), "2"), strconv.Itoa(i+1))
	}
	m, s, st, sn := &Memory{}, &server{}, state(t, targets...), snapshot(objects...)
	var evaluated int
	ask := func() *Comparison {
		s.asked, evaluated = nil, 0
		return compare(t, m, s, st, sn, func(req *Request) {
			req.ForbiddenVersion, req.Forbidden = "1", func(resource.Key) bool { evaluated++; return false }
		})
	}
	if ask(); len(s.asked) != size || evaluated != size {
		t.Fatalf("at first %d dry runs, %d rows, want %d", len(s.asked), evaluated, size)
	}
	sn[resource.KeyOf(objects[77])] = stored(configMap("c77", "1"), "9001")
	got := ask()
	if len(s.asked) != 0 || evaluated != 1 || got.Status != "OutOfSync" {
		t.Errorf("one object that became equal: %d dry runs, %d rows", len(s.asked), evaluated)
	}
	sn[resource.KeyOf(objects[78])] = stored(configMap("c78", "3"), "9002")
	if ask(); len(s.asked) != 1 || evaluated != 1 {
		t.Errorf("one object that differs: %d dry runs, %d rows", len(s.asked), evaluated)
	}
	delete(sn, resource.KeyOf(objects[79]))
	if got = ask(); len(s.asked) != 0 || evaluated != 1 {
		t.Errorf("one object that went: %d dry runs, %d rows", len(s.asked), evaluated)
	}
	if !slices.IsSortedFunc(got.Rows, func(a, b Row) int { return a.Key.Compare(b.Key) }) || len(got.Rows) != size {
		t.Error("rows are lost or not in order")
	}
	again := make([]*unstructured.Unstructured, 0, size)
	for _, obj := range targets[1:] {
		again = append(again, obj.DeepCopy())
	}
	st = state(t, again...)
	if got = ask(); len(s.asked) != 0 || len(got.Rows) != size || !got.Rows[0].RequiresPruning() {
		t.Errorf("a new commit that changes nothing but one object: %d dry runs, %d rows", len(s.asked), len(got.Rows))
	}
}
