package kustomize

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/tiphys-io/tiphys/internal/render/manifest"
)

// maxDepth is how deep YAML may be nested; see the same bound of manifest.
const maxDepth = 500

var (
	errDepth = fmt.Errorf("it is nested deeper than %d levels", maxDepth)
	errSize  = errors.New("with each alias (*name) written out it is too large: repeat less")
	errCycle = errors.New("an anchor (&name) contains an alias (*name) to itself")
	errLost  = errors.New("kustomize would not see all of its documents: put a line of --- between them, and end lines as Unix or Windows does")
)

// inspection is what a text holds.
type inspection struct {
	size    int64 // with aliases written out
	objects int
	largest int64 // value
	marks   int64 // of variables
}

// admit checks a file before the library gets it, and counts it.
func (v *view) admit(rel string, data []byte) error {
	found, ok := v.seen[rel]
	if !ok {
		var err error
		if found, err = inspect(rel, data, v.options.MaxBytes, 0); err != nil {
			return err
		}
		v.seen[rel] = found
	}
	if v.bytes += max(0, found.size-int64(len(data))); v.bytes > v.options.MaxBytes {
		return v.tooLarge(rel)
	}
	if v.objects += found.objects; v.objects > v.options.MaxObjects {
		return fmt.Errorf("%s: with it the kustomization has more than %d objects, each as often as it is used: split the application", rel, v.options.MaxObjects)
	}
	v.growth.largest, v.growth.marks = max(v.growth.largest, found.largest), v.growth.marks+found.marks
	for _, root := range v.roots[rel] {
		if err := v.checkKustomization(rel, root, data); err != nil {
			return err
		}
	}
	if err := v.growth.check(v.objects); err != nil {
		return fmt.Errorf("%s: %w", rel, err)
	}
	return nil
}

// maxTexts is how many texts may be in each other and still be read as YAML: a patch in an inline transformer in a
// kustomization.
const maxTexts = 3

// inspect measures a text as YAML, and the texts in it that may be YAML with aliases. What is no YAML is taken as it is: it
// may be a file for a ConfigMap, and otherwise the library refuses it. Within counts the texts around this one.
func inspect(file string, data []byte, limit int64, within int) (inspection, error) {
	aliases := bytes.ContainsRune(data, '*') && bytes.ContainsRune(data, '&')
	if aliases {
		// Some files are read by another YAML decoder, which may be able to read what the one below is not.
		if _, err := manifest.Measure(file, data, limit); err != nil {
			return inspection{}, err
		}
	}
	found := inspection{size: int64(len(data)), marks: int64(bytes.Count(data, []byte("$(")))}
	documents, lost, err := parse(data)
	if err != nil {
		found.largest = found.size
		return found, nil //nolint:nilerr // no YAML
	}
	for _, document := range documents {
		m := measure{limit: limit, sizes: map[*yaml.Node]int64{}}
		size, err := m.node(document, 0)
		for i := 0; err == nil && within < maxTexts && i < len(m.texts); i++ {
			_, err = inspect(file, []byte(m.texts[i]), limit, within+1)
		}
		if err != nil {
			if _, ok := errors.AsType[*manifest.Error](err); !ok {
				err = &manifest.Error{File: file, Line: document.Line, Problem: err.Error()}
			}
			return inspection{}, err
		}
		found.size += size
		found.objects += countObjects(document)
		found.largest = max(found.largest, m.largest)
	}
	if found.objects == 0 {
		found.largest = found.size // it may become a value as a whole
	}
	if lost && (found.objects > 0 || bytes.Contains(data, []byte("apiVersion"))) {
		return inspection{}, &manifest.Error{File: file, Problem: errLost.Error()}
	}
	return found, nil
}

// separator is what the library takes for the line between two documents.
var separator = regexp.MustCompile(`\n---.*\n`)

// parse gives the documents that the library finds in a text. It cuts the text at separators and takes the first document
// of each piece; lost tells that a piece holds more.
func parse(data []byte) (documents []*yaml.Node, lost bool, err error) {
	for _, piece := range separator.Split(strings.ReplaceAll(string(data), "\r\n", "\n"), -1) {
		decoder := yaml.NewDecoder(strings.NewReader(piece + "\n"))
		var document yaml.Node
		switch err := decoder.Decode(&document); {
		case errors.Is(err, io.EOF):
			continue
		case err != nil:
			return nil, false, err
		}
		if len(document.Content) > 0 {
			documents = append(documents, document.Content[0])
		}
		lost = lost || holdsMore(decoder)
	}
	return documents, lost, nil
}

// holdsMore tells whether there is anything but empty documents to come.
func holdsMore(decoder *yaml.Decoder) bool {
	for {
		var document yaml.Node
		err := decoder.Decode(&document)
		if errors.Is(err, io.EOF) {
			return false
		}
		if err != nil || !yaml.IsYNodeEmptyDoc(&document) && document.Content[0].ShortTag() != yaml.NodeTagNull {
			return true
		}
	}
}

// countObjects counts what has a kind, and the items of lists.
func countObjects(node *yaml.Node) int {
	count := 0
	for i := 0; node.Kind == yaml.MappingNode && i+1 < len(node.Content); i += 2 {
		switch value := node.Content[i+1]; node.Content[i].Value {
		case "kind":
			count++
		case "items":
			if value.Kind == yaml.SequenceNode {
				count += len(value.Content)
			}
		}
	}
	return count
}

// measure takes the size of a document.
type measure struct {
	limit int64
	sizes map[*yaml.Node]int64 // of nodes that are done; open for those that are not
	texts []string             // that may be YAML with aliases

	largest int64 // value
}

const open = -1

// node is the size of a node with aliases written out, in bytes: one for each value, and the texts.
func (m *measure) node(n *yaml.Node, depth int) (int64, error) {
	if depth > maxDepth {
		return 0, errDepth
	}
	if size, seen := m.sizes[n]; seen {
		if size == open {
			return 0, errCycle
		}
		return size, nil
	}
	m.sizes[n] = open
	size := int64(1)
	children := n.Content
	switch n.Kind {
	case yaml.AliasNode:
		children = []*yaml.Node{n.Alias}
	case yaml.ScalarNode:
		size += int64(len(n.Value))
		m.largest = max(m.largest, size)
		if strings.Contains(n.Value, "&") && strings.Contains(n.Value, "*") {
			m.texts = append(m.texts, n.Value)
		}
	}
	for _, child := range children {
		part, err := m.node(child, depth+1)
		if err != nil {
			return 0, err
		}
		if size += part; size > m.limit {
			return 0, errSize
		}
	}
	m.sizes[n] = size
	return size, nil
}
