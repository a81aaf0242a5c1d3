package refresh

import (
	"reflect"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/diff"
	"github.com/tiphys-io/tiphys/internal/resource"
)

// ManagedNamespace is the destination namespace of an application that manages its labels and annotations (contract 2.8).
type ManagedNamespace struct {
	Name                string
	Labels, Annotations map[string]string
	// Changed tells that the last sync wrote other metadata: the application is then OutOfSync (contract 3.5).
	Changed bool
}

// NamespaceOf is the namespace whose metadata the application manages; nil when it manages none.
func NamespaceOf(app *argov1.Application) *ManagedNamespace {
	if app.Spec.SyncPolicy == nil || app.Spec.SyncPolicy.ManagedNamespaceMetadata == nil {
		return nil
	}
	metadata := app.Spec.SyncPolicy.ManagedNamespaceMetadata
	n := &ManagedNamespace{Name: app.Spec.Destination.Namespace, Labels: metadata.Labels, Annotations: metadata.Annotations}
	if state := app.Status.OperationState; state != nil && state.SyncResult != nil {
		n.Changed = !reflect.DeepEqual(metadata, state.SyncResult.ManagedNamespaceMetadata)
	}
	return n
}

func (n *ManagedNamespace) is(key resource.Key) bool {
	return n != nil && n.Name != "" && key == resource.Key{Kind: "Namespace", Name: n.Name}
}

// covered tells whether the live namespace has all that the application wants on it.
func (n *ManagedNamespace) covered(live *unstructured.Unstructured) bool {
	return contains(live.GetLabels(), n.Labels) && contains(live.GetAnnotations(), n.Annotations)
}

// differences are the labels and annotations that the application wants and that the live namespace does not have so.
func (n *ManagedNamespace) differences(live *unstructured.Unstructured) []diff.Difference {
	wanted := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "Namespace"}}
	wanted.SetLabels(n.Labels)
	wanted.SetAnnotations(n.Annotations)
	sides := diff.Sides{Target: wanted, Live: live}
	return slices.DeleteFunc(sides.Explain(sides), func(d diff.Difference) bool { return d.Target == nil })
}

func contains(have, want map[string]string) bool {
	for key, value := range want {
		if got, ok := have[key]; !ok || got != value {
			return false
		}
	}
	return true
}
