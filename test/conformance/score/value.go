package score

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// unstable tells a value that differed between the recordings of the golden record.
func unstable(value any) bool {
	o, ok := value.(map[string]any)
	return ok && has(o, unstableMark)
}

func has(o map[string]any, key string) bool {
	_, found := o[key]
	return found
}

// object is the value as an object; anything else is an empty one.
func object(value any) map[string]any {
	o, _ := value.(map[string]any)
	return o
}

// list is the value as a list; anything else is an empty one.
func list(value any) []any {
	l, _ := value.([]any)
	return l
}

// text is the value as a string; anything else is an empty one.
func text(value any) string {
	s, _ := value.(string)
	return s
}

// truthy tells a value that is there: absent, null, empty and false are the same.
func truthy(value any) bool {
	switch v := value.(type) {
	case nil:
		return false
	case bool:
		return v
	case string:
		return v != ""
	case []any:
		return len(v) > 0
	case map[string]any:
		return len(v) > 0
	default:
		return true
	}
}

// compact is the value as JSON, with sorted keys.
func compact(value any) string {
	var text strings.Builder
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false) // For people to read.
	if err := encoder.Encode(value); err != nil {
		return fmt.Sprintf("%v", value) // Nothing that came from JSON gets here.
	}
	return strings.TrimSuffix(text.String(), "\n")
}

// texts are the items of a list as JSON.
func texts(value any) []string {
	items := list(value)
	made := make([]string, len(items))
	for i, item := range items {
		made[i] = compact(item)
	}
	return made
}

// sortedKeys are the keys of one or more maps, each once.
func sortedKeys[V any](of ...map[string]V) []string {
	all := map[string]bool{}
	for _, m := range of {
		for key := range m {
			all[key] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}

func wantGot(golden, record any) []string {
	return []string{"want " + compact(golden), "got  " + compact(record)}
}
