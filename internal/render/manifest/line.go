package manifest

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// document is one document of a file, for the purpose of saying where something in it is.
type document struct {
	number int    // in the file, from 1; 0 if it is the only one there can be
	text   []byte // holds the document, as YAML
	skip   int    // documents of text before it
	line   int    // lines of the file before text
}

// lineOf is the line in the file of what is at a path of keys and indices, or of the nearest thing above it that is there.
// It is 0 if the document cannot be found, as when the text is no YAML before it ends.
func (d *document) lineOf(path []any) int {
	decoder := yaml.NewDecoder(bytes.NewReader(d.text))
	var root yaml.Node
	for range d.skip + 1 {
		root = yaml.Node{}
		if err := decoder.Decode(&root); err != nil || len(root.Content) == 0 {
			return 0
		}
	}
	node := root.Content[0]
	line := node.Line
	for _, step := range path {
		next := child(node, step)
		if next == nil {
			break
		}
		node, line = next, next.Line
	}
	return d.line + fileLine(d.text, line)
}

func child(node *yaml.Node, step any) *yaml.Node {
	if node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	switch s := step.(type) {
	case int:
		if node.Kind == yaml.SequenceNode && s < len(node.Content) {
			return node.Content[s]
		}
	case string:
		for i := 0; node.Kind == yaml.MappingNode && i+1 < len(node.Content); i += 2 {
			if node.Content[i].Value == s {
				return node.Content[i+1]
			}
		}
	}
	return nil
}

// lineAt is the line of a byte, from 1.
func lineAt(text []byte, offset int) int {
	before := text[:min(offset, len(text))]
	crlf := bytes.Count(before, []byte("\r\n"))
	return 1 + bytes.Count(before, []byte("\n")) + bytes.Count(before, []byte("\r")) - crlf
}

// yamlBreak is what ends a line in YAML 1.1. The last three do not for an editor.
var yamlBreak = regexp.MustCompile("\r\n|\n|\r|\u0085|\u2028|\u2029")

// fileLine is the line that an editor shows for a line as YAML counts.
func fileLine(text []byte, line int) int {
	breaks := yamlBreak.FindAllIndex(text, max(line-1, 0))
	if len(breaks) == 0 {
		return 1
	}
	return lineAt(text, breaks[len(breaks)-1][1])
}

var yamlError = regexp.MustCompile(`(?s)^yaml: (?:line (\d+): )?(.*)$`)

// parserProblems are the problems of which the decoder says the line before; see TestLineOfSyntaxError.
var parserProblems = map[string]bool{
	"did not find expected <stream-start>":   true,
	"did not find expected <document start>": true,
	"did not find expected node content":     true,
	"did not find expected '-' indicator":    true,
	"did not find expected key":              true,
	"did not find expected ',' or ']'":       true,
	"did not find expected ',' or '}'":       true,
	"found undefined tag handle":             true,
	"found duplicate %YAML directive":        true,
	"found duplicate %TAG directive":         true,
	"found incompatible YAML document":       true,
}

const tooManyAliases = "document contains excessive aliasing"

// rephrased are problems by the beginning of the decoder's text, which says no line, and in most of them quotes the file.
var rephrased = []struct{ begin, problem string }{
	{"unknown anchor ", "an alias (*name) refers to an anchor (&name) that its document does not have before it; write a text that begins with * in quotes"},
	{"anchor ", "an anchor (&name) contains an alias (*name) to itself"},
	{"invalid map key: ", "the key of a map is itself a map or list; write a text that begins with { or [ in quotes"},
	{"cannot decode ", "a value is not of the type that its tag (!!type) says"},
	{tooManyAliases, errSize.Error()},
}

// invalidYAML says what the decoder found wrong with a document.
func (p *parser) invalidYAML(doc *document, err error) error {
	match := yamlError.FindStringSubmatch(err.Error())
	if match == nil {
		return p.errorAt(doc, nil, failed+"it is not valid YAML")
	}
	if offset := unprintable(p.text); offset >= 0 { // the decoder reads ahead, so that its document is not the one
		return &Error{File: p.file, Line: lineAt(p.text, offset), Problem: failed + "a character is not UTF-8 or a control character, which YAML does not allow"}
	}
	line, _ := strconv.Atoi(match[1])
	problem := match[2]
	for _, q := range rephrased {
		if strings.HasPrefix(problem, q.begin) {
			return p.errorAt(doc, nil, failed+q.problem)
		}
	}
	switch {
	case parserProblems[problem] || line == 0 && syntactic(problem):
		line++
	case line == 0:
		return p.errorAt(doc, nil, failed+problem)
	}
	last := lineAt(p.text, len(bytes.TrimRightFunc(p.text, unicode.IsSpace))) // what is missing at the end is missing in the last line
	return &Error{File: p.file, Document: doc.number, Line: min(fileLine(p.text, line), last), Problem: failed + problem}
}

// syntactic tells a problem of the text from one of its meaning.
func syntactic(problem string) bool {
	return strings.Contains(problem, "expected") || strings.HasPrefix(problem, "found ") || strings.Contains(problem, "not allowed in this context")
}

// invalidUTF8 is the offset of the first byte that is not UTF-8, or -1.
func invalidUTF8(text []byte) int {
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRune(text[i:])
		if r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return -1
}

// unprintable is the offset of the first byte that YAML does not allow, or -1.
func unprintable(text []byte) int {
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRune(text[i:])
		switch {
		case r == utf8.RuneError && size == 1,
			r < 0x20 && r != '\t' && r != '\n' && r != '\r',
			r >= 0x7f && r < 0xa0 && r != 0x85,
			r == 0xfffe, r == 0xffff:
			return i
		}
		i += size
	}
	return -1
}
