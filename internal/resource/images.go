package resource

import (
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// podSpecs are the places where workloads keep the specification of their pods.
var podSpecs = [][]string{{"spec"}, {"spec", "template", "spec"}, {"spec", "jobTemplate", "spec", "template", "spec"}}

// Images are the container images of a pod or of an object that makes pods, in the order written (contract 1.7).
func Images(obj *unstructured.Unstructured) []string {
	var found []string
	for _, path := range podSpecs {
		for _, field := range []string{"initContainers", "containers"} {
			containers, _, _ := unstructured.NestedFieldNoCopy(obj.Object, append(slices.Clone(path), field)...)
			list, _ := containers.([]any)
			for _, container := range list {
				if c, ok := container.(map[string]any); ok {
					if image, ok := c["image"].(string); ok && image != "" {
						found = append(found, image)
					}
				}
			}
		}
	}
	return found
}

// HasPods tells whether an object is a pod or has made some: only then are its images in use. It goes by the counts that
// controllers publish.
func HasPods(obj *unstructured.Unstructured) bool {
	if obj.GetKind() == "Pod" {
		return true
	}
	for _, field := range []string{"replicas", "currentNumberScheduled", "active", "succeeded", "failed"} {
		if count, ok, _ := unstructured.NestedInt64(obj.Object, "status", field); ok && count > 0 {
			return true
		}
	}
	return false
}
