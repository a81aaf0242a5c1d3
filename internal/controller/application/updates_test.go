package application

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/diff"
	"github.com/tiphys-io/tiphys/internal/refresh"
)

func TestMatters(t *testing.T) {
	web := func(changes ...func(map[string]any)) *unstructured.Unstructured {
		obj := &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "apps/v1", "kind": "Deployment",
			"metadata": map[string]any{
				"namespace": "ns", "name": "web", "resourceVersion": "1", "generation": int64(2),
				"annotations": map[string]any{argov1.AnnotationTrackingID: "app:apps/Deployment:ns/web"},
			},
			"spec":   map[string]any{"replicas": int64(1)},
			"status": map[string]any{"observedGeneration": int64(2), "replicas": int64(1), "updatedReplicas": int64(1), "availableReplicas": int64(1)},
		}}
		for _, change := range changes {
			change(obj.Object)
		}
		return obj
	}
	metadata := func(key string, value any) func(map[string]any) {
		return func(obj map[string]any) {
			meta, _ := obj["metadata"].(map[string]any)
			meta[key] = value
		}
	}
	status := func(key string, value any) func(map[string]any) {
		return func(obj map[string]any) {
			status, _ := obj["status"].(map[string]any)
			status[key] = value
		}
	}
	untracked := metadata("annotations", map[string]any{})
	silenced := metadata("annotations", map[string]any{argov1.AnnotationIgnoreUpdates: "true"})
	newer := metadata("resourceVersion", "2")
	rules := func(pointers ...string) Settings {
		compiled, err := diff.Compile(diff.Ignore{System: argov1.IgnoreDifferences{{Group: "apps", Kind: "Deployment", JSONPointers: pointers}}, Limit: refresh.Limit(time.Second)})
		if err != nil {
			t.Fatal(err)
		}
		return Settings{IgnoreUpdates: true, Updates: compiled}
	}
	tests := []struct {
		reason        string
		settings      Settings
		before, after *unstructured.Unstructured
		want          bool
	}{
		{"A new version of the same content does not matter,", rules(), web(), web(newer), false},
		{"nor does who wrote it, nor that it was written.", rules(), web(), web(newer, metadata("generation", int64(3)), metadata("managedFields", []any{map[string]any{"manager": "x"}})), false},
		{"Unless the user wants all.", Settings{}, web(), web(newer), true},
		{"The spec matters,", rules(), web(), web(newer, func(obj map[string]any) { obj["spec"] = map[string]any{"replicas": int64(2)} }), true},
		{"and the status,", rules(), web(), web(newer, status("labelled", "x")), true},
		{"and a mark for deletion.", rules("/status"), web(), web(newer, metadata("deletionTimestamp", "2026-01-01T00:00:00Z")), true},
		{"An ignored field does not,", rules("/status"), web(), web(newer, status("labelled", "x")), false},
		{"unless the health changes with it.", rules("/status"), web(), web(newer, status("availableReplicas", int64(0))), true},
		{"Rules of another kind say nothing.", Settings{IgnoreUpdates: true}, web(), web(newer, status("labelled", "x")), true},
		{"What no application tracks matters always,", rules("/status"), web(untracked), web(newer, untracked), true},
		{"unless it says that it does not,", rules("/status"), web(silenced), web(newer, silenced), false},
		{"which is about such updates only.", rules("/status"), web(silenced), web(newer, silenced, func(obj map[string]any) { obj["spec"] = nil }), true},
	}
	for _, tc := range tests {
		t.Run(tc.reason, func(t *testing.T) {
			before, after := tc.before.DeepCopy(), tc.after.DeepCopy()
			if got := tc.settings.Matters(tc.before, tc.after); got != tc.want {
				t.Errorf("got %v", got)
			}
			if tc.before.GetResourceVersion() != before.GetResourceVersion() || tc.after.GetGeneration() != after.GetGeneration() {
				t.Error("the objects, which are shared, changed")
			}
		})
	}
}

// A rule that cannot be evaluated hides nothing.
func TestMattersWhenARuleFails(t *testing.T) {
	compiled, err := diff.Compile(diff.Ignore{
		System: argov1.IgnoreDifferences{{Group: "*", Kind: "*", JQPathExpressions: []string{`error("no")`}}}, Limit: refresh.Limit(time.Second),
	})
	if err != nil {
		t.Fatal(err)
	}
	obj := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "data": map[string]any{"a": "b"}}}
	obj.SetAnnotations(map[string]string{argov1.AnnotationTrackingID: "app:/ConfigMap:ns/a"})
	after := obj.DeepCopy()
	after.Object["data"] = map[string]any{"a": "c"}
	after.SetCreationTimestamp(metav1.Now())
	if !(Settings{IgnoreUpdates: true, Updates: compiled}).Matters(obj, after) {
		t.Error("it is taken for one that does not matter")
	}
}
