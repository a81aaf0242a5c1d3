package resource

import (
	"maps"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

// Masked stands in place of every value of a Secret that leaves the operator (contract 3.3). Its length says nothing
// about the value.
const Masked = "++++++"

// lastApplied holds a whole object as JSON, written by kubectl.
const lastApplied = "kubectl.kubernetes.io/last-applied-configuration"

// Mask is the form of obj that may be shown: a Secret without its values and without kubectl's copy of them. The keys
// stay, because they are needed to understand a difference and are no secret. The copy shares nothing with obj. Objects
// of other kinds are returned as they are.
func Mask(obj *unstructured.Unstructured) *unstructured.Unstructured {
	if obj == nil || KeyOf(obj).Group != "" || obj.GetKind() != "Secret" {
		return obj
	}
	masked := make(map[string]any, len(obj.Object))
	for field, value := range obj.Object {
		switch field {
		case "data", "stringData":
			masked[field] = maskValues(value)
		case "metadata":
			masked[field] = maskMetadata(value)
		default:
			masked[field] = runtime.DeepCopyJSONValue(value)
		}
	}
	return &unstructured.Unstructured{Object: masked}
}

// maskValues does not trust the shape of what it is given: a broken manifest must not show what a valid one hides.
func maskValues(value any) any {
	values, ok := value.(map[string]any)
	if !ok {
		if value == nil {
			return nil
		}
		return Masked
	}
	masked := make(map[string]any, len(values))
	for key := range values {
		masked[key] = Masked
	}
	return masked
}

func maskMetadata(value any) any {
	metadata, ok := value.(map[string]any)
	if !ok {
		return runtime.DeepCopyJSONValue(value)
	}
	annotations, ok := metadata["annotations"].(map[string]any)
	if !ok {
		return runtime.DeepCopyJSONValue(metadata)
	}
	metadata, annotations = maps.Clone(metadata), maps.Clone(annotations)
	delete(annotations, lastApplied)
	metadata["annotations"] = annotations
	return runtime.DeepCopyJSONValue(metadata)
}
