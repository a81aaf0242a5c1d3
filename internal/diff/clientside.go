package diff

import (
	"encoding/json"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
)

// clientSideManager is the field manager of kubectl apply.
const clientSideManager = "kubectl-client-side-apply"

// lastApplied holds what the last client-side apply set, as JSON: written by kubectl apply and by Argo CD's own sync.
const lastApplied = "kubectl.kubernetes.io/last-applied-configuration"

// Abandoned tells whether the target has dropped a live field that a sync removes though an apply alone would leave it, so that
// a dry run does not show it: it was set by a client-side apply, whose fields a sync takes over first, or somebody has updated it
// (see [Reclaim]). It is the three-way comparison of contract 3.2.
func Abandoned(target, live *unstructured.Unstructured) bool {
	return held(target, live) || leftFromClient(target, live)
}

// leftFromClient tells whether a client-side apply set a field that the target does not have. Once its fields are ours, what is
// left of the annotation says nothing any more.
func leftFromClient(target, live *unstructured.Unstructured) bool {
	text := live.GetAnnotations()[lastApplied]
	if text == "" || !appliedFromClient(live.GetManagedFields()) {
		return false
	}
	var last map[string]any
	if json.Unmarshal([]byte(text), &last) != nil {
		return false
	}
	return abandoned(content(&unstructured.Unstructured{Object: last}), target.Object, live.Object)
}

func appliedFromClient(entries []metav1.ManagedFieldsEntry) bool {
	return len(entries) == 0 || slices.ContainsFunc(entries, func(entry metav1.ManagedFieldsEntry) bool {
		return (entry.Manager == clientSideManager || entry.Manager == argov1.FieldManager) &&
			entry.Operation == metav1.ManagedFieldsOperationUpdate && entry.Subresource == ""
	})
}

func abandoned(last, target, live any) bool {
	switch set := last.(type) {
	case map[string]any:
		return abandonedKeys(set, target, live)
	case []any:
		have, _ := live.([]any)
		want, _ := target.([]any)
		for i := range set {
			at, wanted := identities{}.find(have, set, i), identities{}.find(want, set, i)
			if at >= 0 && (wanted < 0 || abandoned(set[i], want[wanted], have[at])) {
				return true
			}
		}
	}
	return false
}

func abandonedKeys(set map[string]any, target, live any) bool {
	have, _ := live.(map[string]any)
	want, isMap := target.(map[string]any)
	if !isMap && target != nil {
		return false // the target has another value here, which shows without this
	}
	for key, value := range set {
		found, isLive := have[key]
		wanted, isWanted := want[key]
		switch {
		case !isLive || empty(value):
		case !isWanted, abandoned(value, wanted, found):
			return true
		}
	}
	return false
}
