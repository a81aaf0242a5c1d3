// Package diff answers what differs between a target object and the live one, looking only at what the target sets and at
// what our field manager owns though the target no longer sets it.
//
// It is the cheap half of the comparison: it may see a difference where the server would change nothing (a defaulted or
// normalised value), and never the other way round. Whoever sees a difference asks the server by a dry run, and compares
// the answer with [Changed].
package diff

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"reflect"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
)

// Normalize is a copy of a target as it is compared and applied: without status and creation time, the stringData of a
// Secret folded into data (contract 3.3).
func Normalize(target *unstructured.Unstructured) *unstructured.Unstructured {
	out := target.DeepCopy()
	unstructured.RemoveNestedField(out.Object, "status")
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

// dropped tells whether our field manager owns a field that the target does not set: an apply would remove it.
func dropped(target, live *unstructured.Unstructured) bool {
	for _, entry := range live.GetManagedFields() {
		if entry.Manager != argov1.FieldManager || entry.Operation != "Apply" || entry.Subresource != "" || entry.FieldsV1 == nil {
			continue
		}
		var owned fieldpath.Set
		if err := owned.FromJSON(bytes.NewReader(entry.FieldsV1.GetRawBytes())); err != nil {
			return true
		}
		missing := false
		owned.Iterate(func(path fieldpath.Path) {
			missing = missing || !has(target.Object, path)
		})
		return missing
	}
	return false
}

// has tells whether the value has something at the path.
func has(value any, path fieldpath.Path) bool {
	for _, element := range path {
		next, ok := step(value, element)
		if !ok {
			return false
		}
		value = next
	}
	return true
}

func step(value any, element fieldpath.PathElement) (any, bool) {
	switch {
	case element.FieldName != nil:
		object, ok := value.(map[string]any)
		if !ok {
			return nil, false
		}
		next, ok := object[*element.FieldName]
		return next, ok
	case element.Index != nil:
		list, ok := value.([]any)
		if !ok || *element.Index < 0 || *element.Index >= len(list) {
			return nil, false
		}
		return list[*element.Index], true
	default:
		list, _ := value.([]any)
		for _, item := range list {
			if matches(item, element) {
				return item, true
			}
		}
		return nil, false
	}
}

// matches tells whether a list item has the key or is the value that the path element names. A key field that the item
// lacks has been defaulted by the server (the protocol of a port): it does not tell items apart.
func matches(item any, element fieldpath.PathElement) bool {
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

// Changed tells whether the answer to a dry run differs from the live object in anything that is not bookkeeping.
func Changed(live, predicted *unstructured.Unstructured) bool {
	return !reflect.DeepEqual(content(live), content(predicted))
}

// content is an object without status and without the metadata that the server keeps for itself.
func content(obj *unstructured.Unstructured) map[string]any {
	out := make(map[string]any, len(obj.Object))
	for key, value := range obj.Object {
		if key != "status" && key != "metadata" {
			out[key] = value
		}
	}
	metadata := map[string]any{}
	if all, ok := obj.Object["metadata"].(map[string]any); ok {
		for _, key := range []string{"labels", "annotations", "finalizers", "ownerReferences"} {
			if value, set := all[key]; set {
				metadata[key] = value
			}
		}
	}
	out["metadata"] = metadata
	return out
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
