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
