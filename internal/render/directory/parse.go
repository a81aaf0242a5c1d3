package directory

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"regexp"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utilyaml "sigs.k8s.io/yaml"
)

// document is one YAML document and the line of the file that it begins at, counted from 1.
type document struct {
	text []byte
	line int
}

// parse reads the objects of one file.
func parse(name string, data []byte) ([]*unstructured.Unstructured, error) {
	switch path.Ext(name) {
	case ".jsonnet":
		return nil, fmt.Errorf("%s: Jsonnet is not rendered by this version: commit the generated manifests, or exclude the file", name)
	case ".json":
		var value any
		decoder := json.NewDecoder(bytes.NewReader(data))
		decoder.UseNumber()
		if err := decoder.Decode(&value); err != nil {
			return nil, fmt.Errorf("%s: failed to unmarshal manifest: %w", name, err)
		}
		if decoder.More() {
			return nil, fmt.Errorf("Found multiple objects in %q. Only single objects are allowed in JSON files.", path.Base(name)) //nolint:revive,staticcheck // the recorded text
		}
		return objectsOf(name, value)
	}
	var objects []*unstructured.Unstructured
	for i, doc := range split(data) {
		where := fmt.Sprintf("%s: document %d (line %d)", name, i+1, doc.line)
		var value any
		jsonText, err := utilyaml.YAMLToJSON(doc.text)
		if err == nil {
			decoder := json.NewDecoder(bytes.NewReader(jsonText))
			decoder.UseNumber()
			err = decoder.Decode(&value)
		}
		if err != nil {
			if len(objects) == 0 && !looksLikeManifest(data) {
				return nil, nil
			}
			return nil, fmt.Errorf("%s: document %d: failed to unmarshal manifest: %s", name, i+1, inFile(err, doc.line))
		}
		if value == nil {
			continue
		}
		found, err := objectsOf(where, value)
		if err != nil {
			if len(objects) == 0 && !looksLikeManifest(data) {
				return nil, nil
			}
			return nil, err
		}
		objects = append(objects, found...)
	}
	return objects, nil
}

// looksLikeManifest tells whether a file that cannot be read was meant as one; others are silently left out (contract 1.2).
func looksLikeManifest(data []byte) bool {
	for _, word := range []string{"apiVersion:", "kind:", "metadata:"} {
		if !bytes.Contains(data, []byte(word)) {
			return false
		}
	}
	return true
}

var yamlLine = regexp.MustCompile(`line (\d+)`)

// inFile counts the lines of a YAML error from the beginning of the file.
func inFile(err error, first int) string {
	return yamlLine.ReplaceAllStringFunc(err.Error(), func(text string) string {
		n, convErr := strconv.Atoi(strings.TrimPrefix(text, "line "))
		if convErr != nil {
			return text
		}
		return fmt.Sprintf("line %d of the file", n+first-1)
	})
}

// split cuts a file at the lines that begin with "---".
func split(data []byte) []document {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	var documents []document
	current := document{line: 1}
	line := 1
	flush := func() {
		if len(bytes.TrimSpace(current.text)) > 0 {
			documents = append(documents, current)
		}
	}
	for text := range bytes.Lines(data) {
		trimmed := bytes.TrimRight(text, "\r\n")
		if bytes.Equal(trimmed, []byte("---")) || bytes.HasPrefix(trimmed, []byte("--- ")) || bytes.HasPrefix(trimmed, []byte("---\t")) {
			flush()
			current = document{line: line}
			text = append([]byte("   "), text[3:]...)
			if bytes.HasPrefix(bytes.TrimSpace(text), []byte("#")) || len(bytes.TrimSpace(text)) == 0 {
				text = []byte("\n")
			}
		}
		current.text = append(current.text, text...)
		line++
	}
	flush()
	return documents
}

var errNoKind = errors.New("an object needs apiVersion and kind")

// objectsOf makes objects of a decoded value; lists are expanded.
func objectsOf(where string, value any) ([]*unstructured.Unstructured, error) {
	content, ok := value.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("%s: a manifest is an object, this is a %T", where, value)
	}
	kind, _ := content["kind"].(string)
	apiVersion, _ := content["apiVersion"].(string)
	if kind == "" || apiVersion == "" {
		return nil, fmt.Errorf("%s: %w", where, errNoKind)
	}
	if items, isList := content["items"]; isList && strings.HasSuffix(kind, "List") {
		list, ok := items.([]any)
		if !ok && items != nil {
			return nil, fmt.Errorf("%s: the items of a %s are a list", where, kind)
		}
		var objects []*unstructured.Unstructured
		for i, item := range list {
			found, err := objectsOf(fmt.Sprintf("%s, item %d", where, i+1), item)
			if err != nil {
				return nil, err
			}
			objects = append(objects, found...)
		}
		return objects, nil
	}
	if metadata, set := content["metadata"]; set {
		if _, ok := metadata.(map[string]any); !ok && metadata != nil {
			return nil, fmt.Errorf("%s: metadata is an object, this is a %T", where, metadata)
		}
	}
	converted, err := numbers(content)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", where, err)
	}
	object, ok := converted.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("%s: a manifest is an object", where)
	}
	return []*unstructured.Unstructured{{Object: object}}, nil
}

// numbers gives integers as int64 and other numbers as float64, as objects from an API server have them.
func numbers(value any) (any, error) {
	var err error
	switch v := value.(type) {
	case map[string]any:
		for key, item := range v {
			if v[key], err = numbers(item); err != nil {
				return nil, err
			}
		}
	case []any:
		for i, item := range v {
			if v[i], err = numbers(item); err != nil {
				return nil, err
			}
		}
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n, nil
		}
		f, err := v.Float64()
		if err != nil {
			return nil, fmt.Errorf("number %s: %w", v, err)
		}
		return f, nil
	}
	return value, nil
}
