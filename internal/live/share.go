package live

import (
	"encoding/json"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// maxShared bounds the sets of managed fields that are shared; beyond it the table begins anew.
const maxShared = 4096

// sharing has objects share the sets of their managed fields. As they are decoded, these take more memory than most objects
// have otherwise, and all objects that were made from one pattern have the same ones.
type sharing map[string]map[string]any

// share replaces the sets of an object that nobody else knows yet by equal ones of objects before it.
func (s sharing) share(obj *unstructured.Unstructured) {
	metadata, _ := obj.Object["metadata"].(map[string]any)
	entries, _ := metadata["managedFields"].([]any)
	for _, item := range entries {
		entry, _ := item.(map[string]any)
		fields, ok := entry["fieldsV1"].(map[string]any)
		if !ok {
			continue
		}
		text, err := json.Marshal(fields) // with sorted keys
		if err != nil {
			continue
		}
		if known, ok := s[string(text)]; ok {
			entry["fieldsV1"] = known
			continue
		}
		if len(s) >= maxShared {
			clear(s)
		}
		s[string(text)] = fields
	}
}
