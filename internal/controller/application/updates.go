package application

import (
	"maps"
	"reflect"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/resource"
)

// Matters tells whether an update of a live object can matter to its application: it changes its content, without what the
// API server keeps for itself and the fields that argocd-cm ignores, or its health (contract 3.4, ignoreResourceUpdates). What
// cannot be told counts. Objects that no application tracks count always, unless their annotation says that they do not.
func (s Settings) Matters(before, after *unstructured.Unstructured) bool {
	if !s.IgnoreUpdates {
		return true
	}
	if _, tracked := s.Tracker.Owner(after); !tracked && after.GetAnnotations()[argov1.AnnotationIgnoreUpdates] != "true" {
		return true
	}
	old, now := bare(before), bare(after)
	if reflect.DeepEqual(old.Object, now.Object) {
		return false
	}
	view := s.Updates.For(resource.KeyOf(after))
	if !view.Hides() {
		return true
	}
	left, right, err := view.Align(old, now)
	if err != nil || !reflect.DeepEqual(left.Object, right.Object) {
		return true
	}
	return !reflect.DeepEqual(s.Health.Assess(before), s.Health.Assess(after)) || !reflect.DeepEqual(s.Health.Gate(before), s.Health.Gate(after))
}

// bare is an object without what changes with every write. It shares all else with the object.
func bare(obj *unstructured.Unstructured) *unstructured.Unstructured {
	out := maps.Clone(obj.Object)
	if metadata, ok := out["metadata"].(map[string]any); ok {
		metadata = maps.Clone(metadata)
		for _, key := range []string{"resourceVersion", "generation", "managedFields"} {
			delete(metadata, key)
		}
		out["metadata"] = metadata
	}
	return &unstructured.Unstructured{Object: out}
}
