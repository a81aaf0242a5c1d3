// Package diff answers what differs between a target object and the live one, looking only at what the target sets and at
// what our field manager owns though the target no longer sets it.
//
// It is the cheap half of the comparison: it may see a difference where the server would change nothing (a defaulted or
// normalised value), and never the other way round. Whoever sees a difference asks the server by a dry run, and compares
// the answer with [Changed].
package diff

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"reflect"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// StatusScope is the option ignoreResourceStatusField (contract 3.4).
type StatusScope string

// The scopes; an empty one is StatusOfAll.
const (
	StatusOfAll  StatusScope = "all"
	StatusOfCRDs StatusScope = "crd"
	StatusOfNone StatusScope = "none"
)

// Ignores tells whether the status of a kind is ignored.
func (s StatusScope) Ignores(kind schema.GroupKind) bool {
	switch s {
	case StatusOfNone:
		return false
	case StatusOfCRDs:
		return kind == schema.GroupKind{Group: "apiextensions.k8s.io", Kind: "CustomResourceDefinition"}
	}
	return true
}

// Normalize is a copy of a target as it is compared and applied: without creation time, without the status that is ignored, the
// stringData of a Secret folded into data (contract 3.3).
func Normalize(target *unstructured.Unstructured, status StatusScope) *unstructured.Unstructured {
	out := target.DeepCopy()
	if status.Ignores(out.GroupVersionKind().GroupKind()) {
		unstructured.RemoveNestedField(out.Object, "status")
	}
	unstructured.RemoveNestedField(out.Object, "metadata", "creationTimestamp")
	if out.GetKind() == "Secret" && out.GroupVersionKind().Group == "" {
		foldStringData(out)
	}
	return out
}

func foldStringData(secret *unstructured.Unstructured) {
	stringData, ok := secret.Object["stringData"].(map[string]any)
	delete(secret.Object, "stringData")
	if !ok || len(stringData) == 0 {
		return
	}
	data, ok := secret.Object["data"].(map[string]any)
	if !ok {
		data = map[string]any{}
		secret.Object["data"] = data
	}
	for key, value := range stringData {
		text := ""
		if value != nil {
			text = fmt.Sprint(value)
		}
		data[key] = base64.StdEncoding.EncodeToString([]byte(text))
	}
}

// Local tells whether a normalised target may differ from the live object.
func Local(target, live *unstructured.Unstructured) bool {
	return !covers(live.Object, target.Object) || dropped(target, live)
}

// covers tells whether live holds everything that target sets. Lists of equal length are compared item by item; the server
// decides about the others.
func covers(live, target any) bool {
	switch want := target.(type) {
	case map[string]any:
		have, ok := live.(map[string]any)
		if !ok {
			return len(want) == 0 && live == nil
		}
		for key, value := range want {
			if !covers(have[key], value) {
				return false
			}
		}
		return true
	case []any:
		have, ok := live.([]any)
		if len(have) != len(want) || (!ok && live != nil) {
			return false
		}
		for i := range want {
			if !covers(have[i], want[i]) {
				return false
			}
		}
		return true
	default:
		return equalScalar(live, target)
	}
}

func equalScalar(a, b any) bool {
	if reflect.DeepEqual(a, b) {
		return true
	}
	x, okX := number(a)
	y, okY := number(b)
	return okX && okY && x == y
}

func number(v any) (float64, bool) {
	switch n := v.(type) {
	case int64:
		return float64(n), true
	case float64:
		return n, true
	}
	return 0, false
}

// has tells whether the value has something at the path.
func has(value any, path fieldpath.Path) bool {
	_, ok := valueAt(value, path)
	return ok
}

// step goes to the field that an element of a managed path names, and tells its key or index.
func step(value any, element fieldpath.PathElement) (next, at any, ok bool) {
	if element.FieldName != nil {
		object, _ := value.(map[string]any)
		next, ok = object[*element.FieldName]
		return next, *element.FieldName, ok
	}
	list, _ := value.([]any)
	for i, item := range list {
		if matches(item, i, element) {
			return item, i, true
		}
	}
	return nil, nil, false
}

// matches tells whether a list item has the index or the key, or is the value, that the path element names. A key field that the item
// lacks has been defaulted by the server (the protocol of a port): it does not tell items apart.
func matches(item any, index int, element fieldpath.PathElement) bool {
	if element.Index != nil {
		return index == *element.Index
	}
	if element.Value != nil {
		return equalScalar(item, (*element.Value).Unstructured())
	}
	object, ok := item.(map[string]any)
	if !ok || element.Key == nil {
		return false
	}
	for _, field := range *element.Key {
		value, set := object[field.Name]
		if set && !equalScalar(value, field.Value.Unstructured()) {
			return false
		}
	}
	return true
}

// Hash identifies the content of a target; equal targets have equal hashes.
func Hash(target *unstructured.Unstructured) (string, error) {
	data, err := json.Marshal(target.Object)
	if err != nil {
		return "", fmt.Errorf("target %s/%s: %w", target.GetKind(), target.GetName(), err)
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:]), nil
}
