package diff

import (
	"cmp"
	"reflect"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/resource"
)

// Changed tells whether the answer to a dry run differs from the live object in a field that is ours: one that we own after
// the apply, or owned before. What differs elsewhere was changed by others meanwhile, or is added by webhooks to whatever
// passes (contract 3.2); an object with the compare option IncludeMutationWebhook=true counts as a whole.
func Changed(live, predicted *unstructured.Unstructured) bool {
	if reflect.DeepEqual(content(live), content(predicted)) {
		return false
	}
	sets, known := compared(live, predicted)
	return !known || slices.ContainsFunc(sets, func(set *fieldpath.Set) bool { return differs(set, live.Object, predicted.Object) })
}

// compared are the fields in which a difference counts; known is false when they cannot be told, or all count.
func compared(live, predicted *unstructured.Unstructured) (sets []*fieldpath.Set, known bool) {
	before, after := ownedByUs(live), ownedByUs(predicted)
	if len(after) == 0 || slices.Contains(resource.Values(predicted, argov1.AnnotationCompareOptions), "IncludeMutationWebhook=true") {
		return nil, false
	}
	for _, own := range append(before, after...) {
		if own.set == nil || own.version != live.GetAPIVersion() || own.version != predicted.GetAPIVersion() {
			return nil, false // recorded in another version: the fields cannot be looked up
		}
		sets = append(sets, own.set)
	}
	return sets, true
}

// differs compares two values in the fields of a set: whether they are there, what they hold, and in which order the items of
// a list stand.
func differs(set *fieldpath.Set, a, b any) bool {
	var places [][2]int
	elements := set.Union(below(set)).Members
	inA, inB := newFinder(a, elements.Size()), newFinder(b, elements.Size())
	for element := range elements.All() {
		x, atA, isInA := inA.find(element)
		y, atB, isInB := inB.find(element)
		if isInA != isInB {
			return true
		}
		if !isInA {
			continue
		}
		fields, holdsMore := set.Children.Get(element)
		if holdsMore && differs(fields, x, y) || !holdsMore && !reflect.DeepEqual(x, y) {
			return true
		}
		if i, isItem := atA.(int); isItem {
			j, _ := atB.(int)
			places = append(places, [2]int{i, j})
		}
	}
	slices.SortFunc(places, func(p, q [2]int) int { return cmp.Compare(p[0], q[0]) })
	return !slices.IsSortedFunc(places, func(p, q [2]int) int { return cmp.Compare(p[1], q[1]) })
}

// below are the elements that hold further fields, as members of a set.
func below(set *fieldpath.Set) *fieldpath.Set {
	out := &fieldpath.Set{}
	for element := range set.Children.All() {
		out.Members.Insert(element)
	}
	return out
}

// content is an object without status and without the metadata that the server keeps for itself. Empty labels and annotations
// are none: ignored ones may have been the last.
func content(obj *unstructured.Unstructured) map[string]any {
	out := make(map[string]any, len(obj.Object))
	for key, value := range obj.Object {
		if key != "metadata" && key != "status" {
			out[key] = value
		}
	}
	metadata := map[string]any{}
	if all, ok := obj.Object["metadata"].(map[string]any); ok {
		for _, key := range []string{"labels", "annotations", "finalizers", "ownerReferences"} {
			if value, set := all[key]; set && !empty(value) {
				metadata[key] = value
			}
		}
	}
	out["metadata"] = metadata
	return out
}

func empty(value any) bool {
	switch value := value.(type) {
	case map[string]any:
		return len(value) == 0
	case []any:
		return len(value) == 0
	}
	return value == nil
}
