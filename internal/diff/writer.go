package diff

import (
	"bytes"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
)

// tools are the field managers of programs that a person works with, besides kubectl and its subcommands. A client that names
// no manager is recorded by the first part of its user agent (Kubernetes, server-side apply, managers), so that browsers and
// Lens appear by that of their libraries.
var tools = []string{"kubectl", "oc", "k9s", "Lens", "node-fetch", "freelens", "headlamp", "dashboard", "octant", "Mozilla", "curl"}

// ByHand tells whether a field manager is a tool that a person works with, rather than a controller.
func ByHand(manager string) bool {
	return strings.HasPrefix(manager, "kubectl-") || slices.Contains(tools, manager)
}

// ours tells whether a field manager is this operator, or Argo CD, which applied under the same name.
func ours(manager string) bool { return manager == argov1.FieldManager }

// ownership is what one manager has written of an object.
type ownership struct {
	manager string
	time    *metav1.Time
	fields  *fieldpath.Set
}

// ownerships are the managed fields of an object, the latest first. What cannot be read, and what stands in a subresource that
// no target sets, is left out.
func ownerships(obj *unstructured.Unstructured) []ownership {
	var list []ownership
	for _, entry := range obj.GetManagedFields() {
		if entry.FieldsV1 == nil || entry.Subresource == "status" {
			continue
		}
		fields := &fieldpath.Set{}
		if fields.FromJSON(bytes.NewReader(entry.FieldsV1.GetRawBytes())) != nil {
			continue
		}
		list = append(list, ownership{manager: entry.Manager, time: entry.Time, fields: fields})
	}
	slices.SortStableFunc(list, func(a, b ownership) int { return b.when().Compare(a.when()) })
	return list
}

// when is the time of the last write; the API server gives none to scales.
func (o ownership) when() time.Time {
	if o.time == nil {
		return time.Time{}
	}
	return o.time.Time
}

// writers are those who have written what stands at a path, the latest first: who owns it or a part of it; if nobody does, who
// owns a value as a whole that it is a part of.
func writers(all []ownership, path fieldpath.Path) []ownership {
	var exact, around []ownership
	for _, o := range all {
		switch {
		case ownsWithin(o.fields, path):
			exact = append(exact, o)
		case ownsAround(o.fields, path):
			around = append(around, o)
		}
	}
	if len(exact) > 0 {
		return exact
	}
	return around
}

// ownsWithin tells whether a set has a path, or something below it.
func ownsWithin(set *fieldpath.Set, path fieldpath.Path) bool {
	for i, element := range path {
		if i == len(path)-1 && set.Members.Has(element) {
			return true
		}
		child, ok := set.Children.Get(element)
		if !ok {
			return false
		}
		set = child
	}
	return !set.Empty()
}

// ownsAround tells whether a set has a value as a whole that a path leads into.
func ownsAround(set *fieldpath.Set, path fieldpath.Path) bool {
	for _, element := range path {
		child, deeper := set.Children.Get(element)
		if !deeper {
			return set.Members.Has(element)
		}
		set = child
	}
	return false
}
