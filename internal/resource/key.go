// Package resource is the vocabulary of one Kubernetes object: its key, and what its annotations ask for.
package resource

import (
	"cmp"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Key identifies an object in a cluster whatever the version it is read at. Namespace is empty for cluster-scoped objects.
type Key struct {
	Group     string
	Kind      string
	Namespace string
	Name      string
}

// KeyOf is the key of obj as it stands.
func KeyOf(obj *unstructured.Unstructured) Key {
	gvk := obj.GroupVersionKind()
	return Key{Group: gvk.Group, Kind: gvk.Kind, Namespace: obj.GetNamespace(), Name: obj.GetName()}
}

// GroupKind is the kind of the object, without its version.
func (k Key) GroupKind() schema.GroupKind {
	return schema.GroupKind{Group: k.Group, Kind: k.Kind}
}

// String is group/Kind/namespace/name, with empty parts left empty.
func (k Key) String() string {
	return k.Group + "/" + k.Kind + "/" + k.Namespace + "/" + k.Name
}

// KubectlKind is the kind as kubectl prints it: configmap, deployment.apps.
func (k Key) KubectlKind() string {
	kind := strings.ToLower(k.Kind)
	if k.Group != "" {
		kind += "." + k.Group
	}
	return kind
}

// KubectlName is the object as kubectl prints it: configmap/x, deployment.apps/x.
func (k Key) KubectlName() string { return k.KubectlKind() + "/" + k.Name }

// Compare orders keys by group, kind, namespace and name, as status.resources is ordered (contract 1.7).
func (k Key) Compare(other Key) int {
	return cmp.Or(
		cmp.Compare(k.Group, other.Group),
		cmp.Compare(k.Kind, other.Kind),
		cmp.Compare(k.Namespace, other.Namespace),
		cmp.Compare(k.Name, other.Name),
	)
}
