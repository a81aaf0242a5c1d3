package diff

import (
	"bytes"
	"cmp"
	"encoding/json"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
)

// dropped tells whether our field manager owns a field that is live and that the target does not set: an apply would remove
// it. Fields that were recorded in another version of the kind cannot be looked up in the live object, so they count as live.
func dropped(target, live *unstructured.Unstructured) bool {
	for _, entry := range ourEntries(live) {
		fields, ok := entry["fieldsV1"].(map[string]any)
		if !ok {
			return true
		}
		version, _ := entry["apiVersion"].(string)
		w := walk{converted: version != "" && version != live.GetAPIVersion()}
		if w.lacks(fields, target.Object, live.Object) {
			return true
		}
	}
	return false
}

// ourEntries are the managed fields of our field manager, as they stand in the object: a comparison of many objects has no
// time to decode those of others as well. Entries without fields say nothing.
func ourEntries(obj *unstructured.Unstructured) []map[string]any {
	metadata, _ := obj.Object["metadata"].(map[string]any)
	all, _ := metadata["managedFields"].([]any)
	var ours []map[string]any
	for _, item := range all {
		entry, _ := item.(map[string]any)
		subresource, _ := entry["subresource"].(string)
		if entry["manager"] == argov1.FieldManager && entry["operation"] == "Apply" && subresource == "" && entry["fieldsV1"] != nil {
			ours = append(ours, entry)
		}
	}
	return ours
}

// owned are the fields of our field manager in one version of a kind; set is nil when they cannot be read.
type owned struct {
	version string
	set     *fieldpath.Set
}

func ownedByUs(obj *unstructured.Unstructured) []owned {
	var list []owned
	for _, entry := range ourEntries(obj) {
		version, _ := entry["apiVersion"].(string)
		own := owned{version: cmp.Or(version, obj.GetAPIVersion()), set: &fieldpath.Set{}}
		text, err := json.Marshal(entry["fieldsV1"])
		if err != nil || own.set.FromJSON(bytes.NewReader(text)) != nil {
			own.set = nil
		}
		list = append(list, own)
	}
	return list
}

// walk goes through managed fields in the form in which they stand in an object (FieldsV1 of the Kubernetes API).
type walk struct {
	converted bool // the fields were recorded in another version of the kind
}

// lacks tells whether one of the fields is live and not in the target. Fields that cannot be read are for the server to judge.
func (w walk) lacks(fields map[string]any, target, live any) bool {
	inTarget, inLive := newFinder(target, len(fields)), newFinder(live, len(fields))
	for key, value := range fields {
		if key == "." {
			continue // said by who came here
		}
		below, ok := value.(map[string]any)
		if !ok {
			return true
		}
		wanted, isWanted, err := inTarget.named(key)
		if err != nil {
			return true
		}
		found, isLive, err := inLive.named(key)
		if err != nil {
			return true
		}
		_, itself := below["."]
		if (itself || len(below) == 0) && !isWanted && (w.converted || isLive) || w.lacks(below, wanted, found) {
			return true
		}
	}
	return false
}

// finder finds the fields of a map, or the items of a list, by the elements of managed paths. Of a long list it makes an
// index, so that the items are not gone through for each element.
type finder struct {
	value any
	many  bool
	index map[string]int // of the items by their key, as text; nil until it is wanted
	keys  []string       // the fields that make the key
}

// newFinder is a finder that is asked for about so many elements.
func newFinder(value any, elements int) *finder {
	return &finder{value: value, many: elements > 16}
}

// named finds what an element in its written form names. An error says that the element cannot be read.
func (f *finder) named(element string) (value any, ok bool, err error) {
	if name, isField := strings.CutPrefix(element, "f:"); isField {
		object, _ := f.value.(map[string]any)
		value, ok = object[name]
		return value, ok, nil
	}
	parsed, err := fieldpath.DeserializePathElement(element)
	if err != nil {
		return nil, false, err
	}
	value, _, ok = f.find(parsed)
	return value, ok, nil
}

// find goes to the field that an element of a managed path names, and tells its key or index.
func (f *finder) find(element fieldpath.PathElement) (next, at any, ok bool) {
	list, isList := f.value.([]any)
	if !f.many || !isList || element.Key == nil {
		return step(f.value, element)
	}
	if f.index == nil {
		f.build(list, element)
	}
	if key, plain := keyOfElement(element); plain {
		if i, found := f.index[key]; found {
			return list[i], i, true
		}
	}
	return step(f.value, element) // the item may lack a field of its key
}

// build makes the index, of the items that have all fields of the key; the first of several with the same key counts.
func (f *finder) build(list []any, element fieldpath.PathElement) {
	f.index = make(map[string]int, len(list))
	for _, field := range *element.Key {
		f.keys = append(f.keys, field.Name)
	}
	for i, item := range list {
		if key, ok := keyOfItem(item, f.keys); ok {
			if _, known := f.index[key]; !known {
				f.index[key] = i
			}
		}
	}
}

func keyOfElement(element fieldpath.PathElement) (key string, plain bool) {
	var text strings.Builder
	for _, field := range *element.Key {
		if !writeKey(&text, field.Name, field.Value.Unstructured()) {
			return "", false
		}
	}
	return text.String(), true
}

func keyOfItem(item any, names []string) (key string, plain bool) {
	object, isMap := item.(map[string]any)
	if !isMap {
		return "", false
	}
	var text strings.Builder
	for _, name := range names {
		value, set := object[name]
		if !set || !writeKey(&text, name, value) {
			return "", false
		}
	}
	return text.String(), true
}

// writeKey writes one field of a key, so that equal values are written alike and others are not; what is no scalar is not
// plain.
func writeKey(text *strings.Builder, name string, value any) (plain bool) {
	text.WriteString(strconv.Quote(name))
	if n, isNumber := number(value); isNumber {
		text.WriteString(strconv.FormatFloat(n, 'g', -1, 64))
		return true
	}
	switch value := value.(type) {
	case string:
		text.WriteString(strconv.Quote(value))
	case bool:
		text.WriteString(strconv.FormatBool(value))
	default:
		return false
	}
	return true
}
