package kustomize

import (
	"io/fs"
	"maps"
	"slices"
	"strconv"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// quotes begin what the library quotes from a file, up to the end of its text.
var quotes = []string{"\n", "map[string]", "[patch: \"", "from [", "with config: `", "!!str `", "invalid utf8 bytes", "{\""}

// shortest is how long a value must be to be hidden: shorter ones are no secrets, and stand in every text.
const shortest = 4

// clean gives an error of the library as a status may show it: paths as recorded, and no value of a Secret.
func (v *view) clean(text string) string {
	text = strings.TrimSpace(strings.ReplaceAll(text, "/"+repository, repository))
	for _, quote := range quotes {
		if before, _, found := strings.Cut(text, quote); found {
			text = strings.TrimRight(before, " :") + " (the rest quotes a file and is not shown)"
		}
	}
	secrets := secretValues{}
	for rel := range v.seen {
		data, edited := v.edited[rel]
		if !edited {
			data, _ = fs.ReadFile(v.tree, rel) // it could be read before
		}
		secrets.addText(string(data), 0)
	}
	for _, value := range slices.SortedFunc(maps.Keys(secrets), func(a, b string) int { return len(b) - len(a) }) {
		text = strings.ReplaceAll(text, value, "***")
		quoted := strconv.Quote(value)
		text = strings.ReplaceAll(text, quoted[1:len(quoted)-1], "***")
	}
	return text
}

// secretValues are the values of Secrets, of their generators, and of patches, which may be for Secrets.
type secretValues map[string]bool

func (s secretValues) addText(text string, within int) {
	documents, _, err := parse([]byte(text))
	if err != nil || within > maxTexts {
		return
	}
	for _, document := range documents {
		s.addNode(document, within)
	}
}

func (s secretValues) addNode(node *yaml.Node, within int) {
	if node.Kind == yaml.ScalarNode && strings.Contains(node.Value, "\n") && strings.Contains(node.Value, ":") {
		s.addText(node.Value, within+1) // a patch
	}
	fields := map[string]*yaml.Node{}
	for i := 0; node.Kind == yaml.MappingNode && i+1 < len(node.Content); i += 2 {
		fields[node.Content[i].Value] = node.Content[i+1]
	}
	if kind := fields["kind"]; kind != nil && kind.Value == "Secret" {
		s.addScalars(fields["data"])
		s.addScalars(fields["stringData"])
	}
	if fields["op"] != nil {
		s.addScalars(fields["value"])
	}
	s.addScalars(fields["secretGenerator"])
	for _, child := range node.Content {
		s.addNode(child, within)
	}
}

func (s secretValues) addScalars(node *yaml.Node) {
	switch {
	case node == nil:
	case node.Kind == yaml.MappingNode:
		for i := 1; i < len(node.Content); i += 2 {
			s.addScalars(node.Content[i])
		}
	case node.Kind == yaml.SequenceNode:
		for _, child := range node.Content {
			s.addScalars(child)
		}
	default:
		_, value, _ := strings.Cut(node.Value, "=") // a literal of a generator
		for _, text := range []string{node.Value, value} {
			if len(text) >= shortest {
				s[text] = true
			}
		}
	}
}
