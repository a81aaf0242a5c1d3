package manifest

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// add makes objects of a document's value as a decoder gave it.
func (p *parser) add(doc *document, raw any) error {
	value, err := p.convert(raw, 0)
	if err != nil {
		return p.errorAt(doc, nil, err.Error())
	}
	if value == nil {
		return nil // nothing but comments
	}
	return p.addObject(doc, nil, value)
}

// addObject adds the object at a path of a document, or what a list there holds.
func (p *parser) addObject(doc *document, at []any, value any) error {
	content, ok := value.(map[string]any)
	if !ok {
		return p.errorAt(doc, at, "a manifest is an object, this is "+typeName(value))
	}
	kind, _ := content["kind"].(string)
	apiVersion, _ := content["apiVersion"].(string)
	p.meant = p.meant || kind != ""
	if kind == "" || apiVersion == "" {
		return p.errorAt(doc, at, "an object needs apiVersion and kind, both texts")
	}
	if items, set := content["items"]; set && strings.HasSuffix(kind, "List") {
		return p.addItems(doc, at, items)
	}
	if field, err := checkMetadata(content["metadata"]); err != nil {
		return p.errorAt(doc, append(append(at, "metadata"), field...), err.Error())
	}
	p.objects = append(p.objects, &unstructured.Unstructured{Object: content})
	return nil
}

// addItems adds the items of a list; null is a list without any.
func (p *parser) addItems(doc *document, at []any, items any) error {
	list, ok := items.([]any)
	if !ok && items != nil {
		return p.errorAt(doc, append(at, "items"), "the items of a List are "+typeName(items)+": write a list")
	}
	for i, item := range list {
		if err := p.addObject(doc, append(slices.Clip(at), "items", i), item); err != nil {
			return err
		}
	}
	return nil
}

var errMetadata = errors.New("metadata is no object")

// checkMetadata finds what would make the object nameless without a word: the getters of Unstructured skip what is no text.
func checkMetadata(value any) (field []any, err error) {
	metadata, ok := value.(map[string]any)
	if !ok {
		if value != nil {
			return nil, errMetadata
		}
		return nil, nil
	}
	for _, field := range []string{"name", "generateName", "namespace"} {
		if _, text := metadata[field].(string); !text && metadata[field] != nil {
			return []any{field}, fmt.Errorf("metadata.%s is %s: write it in quotes", field, typeName(metadata[field]))
		}
	}
	return nil, nil
}

func typeName(value any) string {
	switch value.(type) {
	case nil:
		return "null"
	case bool:
		return "a boolean"
	case string:
		return "a text"
	case []any:
		return "a list"
	case map[string]any:
		return "an object"
	default:
		return "a number"
	}
}

func (p *parser) errorAt(doc *document, at []any, problem string) error {
	return &Error{File: p.file, Document: doc.number, Line: doc.lineOf(at), Problem: problem}
}
