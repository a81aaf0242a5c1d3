package diff

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	"sigs.k8s.io/structured-merge-diff/v6/value"
)

// The fields that are told to people are named by the paths of managed fields: an item of a list by its key, not by its place.

var (
	plainField = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]*$`)
	plainKey   = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_./:-]*$`)
	jqField    = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
)

// pathText writes a path for people: spec.template.spec.containers[name=web].image, metadata.annotations["example.com/a"].
func pathText(path fieldpath.Path) string {
	var text strings.Builder
	for _, element := range path {
		switch {
		case element.FieldName != nil && plainField.MatchString(*element.FieldName):
			if text.Len() > 0 {
				text.WriteByte('.')
			}
			text.WriteString(*element.FieldName)
		case element.FieldName != nil:
			text.WriteString("[" + strconv.Quote(*element.FieldName) + "]")
		case element.Key != nil:
			var fields []string
			for _, field := range *element.Key {
				fields = append(fields, field.Name+"="+keyText(field.Value))
			}
			text.WriteString("[" + strings.Join(fields, ",") + "]")
		case element.Value != nil:
			text.WriteString("[=" + keyText(*element.Value) + "]")
		case element.Index != nil:
			text.WriteString("[" + strconv.Itoa(*element.Index) + "]")
		}
	}
	return text.String()
}

func keyText(key value.Value) string {
	if key.IsString() && plainKey.MatchString(key.AsString()) {
		return key.AsString()
	}
	return jsonText(key.Unstructured())
}

func jsonText(v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(data)
}

// pathExpression writes a path as an entry of jqPathExpressions.
func pathExpression(path fieldpath.Path) string {
	var text strings.Builder
	bare := true // nothing stands before the next element, which then begins with a dot
	for _, element := range path {
		dot := ""
		if bare {
			dot = "."
		}
		switch {
		case element.FieldName != nil && jqField.MatchString(*element.FieldName):
			text.WriteString("." + *element.FieldName)
		case element.FieldName != nil:
			text.WriteString(dot + "[" + jsonText(*element.FieldName) + "]")
		case element.Index != nil:
			text.WriteString(dot + "[" + strconv.Itoa(*element.Index) + "]")
		default:
			text.WriteString(dot + "[] | select(" + itemCondition(element) + ") | ")
			bare = true
			continue
		}
		bare = false
	}
	return strings.TrimSuffix(text.String(), " | ")
}

// itemCondition is what holds for the one item of a list that an element names.
func itemCondition(element fieldpath.PathElement) string {
	if element.Value != nil {
		return ". == " + jsonText((*element.Value).Unstructured())
	}
	var conditions []string
	for _, field := range *element.Key {
		conditions = append(conditions, "."+field.Name+" == "+jsonText(field.Value.Unstructured()))
	}
	return strings.Join(conditions, " and ")
}

// deeper is a path with one more element; the path itself is left as it is.
func deeper(path fieldpath.Path, element fieldpath.PathElement) fieldpath.Path {
	return append(slices.Clip(path), element)
}

func fieldNamed(name string) fieldpath.PathElement { return fieldpath.PathElement{FieldName: &name} }

// itemAt names an item of a list by its key fields, or by its place when it has none.
func itemAt(item any, index int, keys []string) fieldpath.PathElement {
	object, _ := item.(map[string]any)
	var fields value.FieldList
	for _, key := range keys {
		if field, ok := object[key]; ok {
			fields = append(fields, value.Field{Name: key, Value: value.NewValueInterface(field)})
		}
	}
	if len(fields) == 0 {
		return fieldpath.PathElement{Index: &index}
	}
	fields.Sort()
	return fieldpath.PathElement{Key: &fields}
}

// valueAt is what stands at a path.
func valueAt(value any, path fieldpath.Path) (any, bool) {
	for _, element := range path {
		next, _, ok := step(value, element)
		if !ok {
			return nil, false
		}
		value = next
	}
	return value, true
}
