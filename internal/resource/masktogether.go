package resource

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// maskUnit stands for the first value of a key; each further value of that key gets a mask that is maskStep longer.
const (
	maskUnit = Masked + "++"
	maskStep = "++++"
)

// MaskTogether is the form of several states of one Secret in which they may be shown side by side: equal values of a key have
// equal masks, others do not, and a mask says nothing else about its value. Annotations named as hidden are masked too
// (contract 3.3, resource.sensitive.mask.annotations), and kubectl's copy of the object is masked inside. States that are nil,
// and objects of other kinds, are returned as they are; the copies share nothing with the states.
func MaskTogether(hidden []string, states ...*unstructured.Unstructured) []*unstructured.Unstructured {
	m := masker{hidden: hidden, masks: map[string]map[string]string{}}
	out := slices.Clone(states)
	for i, state := range states {
		if isSecret(state) {
			out[i] = state.DeepCopy()
			m.data(out[i].Object)
		}
	}
	for i := range out {
		if isSecret(states[i]) {
			m.annotations(out[i].Object)
		}
	}
	return out
}

func isSecret(obj *unstructured.Unstructured) bool {
	return obj != nil && obj.GetKind() == "Secret" && obj.GroupVersionKind().Group == ""
}

// masker remembers the mask of each value, by key.
type masker struct {
	hidden []string
	masks  map[string]map[string]string
}

// data masks the values of an object in place, whatever their shape: a broken manifest must not show what a valid one hides.
func (m masker) data(obj map[string]any) {
	for _, field := range []string{"data", "stringData"} {
		values, isMap := obj[field].(map[string]any)
		if !isMap {
			if obj[field] != nil {
				obj[field] = maskUnit
			}
			continue
		}
		for _, key := range slices.Sorted(maps.Keys(values)) {
			text := fmt.Sprint(values[key])
			if field == "stringData" {
				text = base64.StdEncoding.EncodeToString([]byte(text))
			}
			values[key] = m.mask("data "+key, text)
		}
	}
}

// annotations masks those of an object in place.
func (m masker) annotations(obj map[string]any) {
	metadata, _ := obj["metadata"].(map[string]any)
	annotations, isMap := metadata["annotations"].(map[string]any)
	if !isMap {
		return
	}
	if text, ok := annotations[lastApplied]; ok {
		annotations[lastApplied] = m.lastApplied(text)
	}
	for _, name := range m.hidden {
		if value, ok := annotations[name]; ok {
			annotations[name] = m.mask("annotation "+name, fmt.Sprint(value))
		}
	}
}

// lastApplied masks the object that an annotation holds; what cannot be read is masked as a whole.
func (m masker) lastApplied(text any) string {
	var obj map[string]any
	if data, ok := text.(string); !ok || json.Unmarshal([]byte(data), &obj) != nil || obj == nil {
		return maskUnit
	}
	m.data(obj)
	m.annotations(obj)
	data, err := json.Marshal(obj)
	if err != nil {
		return maskUnit
	}
	return string(data)
}

func (m masker) mask(key, value string) string {
	known := m.masks[key]
	if known == nil {
		known = map[string]string{}
		m.masks[key] = known
	}
	if _, ok := known[value]; !ok {
		known[value] = maskUnit + strings.Repeat(maskStep, len(known))
	}
	return known[value]
}
