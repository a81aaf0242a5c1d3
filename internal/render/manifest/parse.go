package manifest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v2"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Parse reads the objects of a file: of a name that ends in ".json" exactly one JSON value, of any other a stream of YAML
// documents or of JSON values. Lists are taken apart. A text that cannot be read and does not look like a manifest has no
// objects (contract 1.2).
//
// Limit is the size in bytes that the values may have once aliases are written out; size is what they have. Every error is
// an *[Error].
func Parse(file string, data []byte, limit int64) (objects []*unstructured.Unstructured, size int64, err error) {
	text, _, err := transform.Bytes(unicode.BOMOverride(transform.Nop), data) // a byte order mark may say UTF-16
	if err != nil {
		return nil, 0, &Error{File: file, Problem: "the text does not have the encoding that its byte order mark says: save it as UTF-8"}
	}
	p := &parser{file: file, text: text, converter: converter{left: limit}}
	if path.Ext(file) == ".json" {
		err = p.json()
	} else {
		err = p.stream()
	}
	if err != nil {
		return nil, 0, err
	}
	return p.objects, limit - p.left, nil
}

const (
	failed    = "failed to unmarshal manifest: "
	jsonSpace = " \t\r\n"
)

// Measure is the size in bytes that the values of a YAML text have once aliases are written out, as far as the text can be
// read. More than the limit, or a nesting that no object has, is an *[Error].
func Measure(file string, text []byte, limit int64) (size int64, err error) {
	p := &parser{file: file, text: text, converter: converter{left: limit}}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	for number := 1; ; number++ {
		var raw any
		err := decoder.Decode(&raw)
		if err == nil {
			_, err = p.convert(raw, 0)
		}
		doc := &document{number: number, text: text, skip: number - 1}
		switch {
		case err == nil:
		case errors.Is(err, errSize), errors.Is(err, errDepth):
			return 0, p.errorAt(doc, nil, err.Error())
		case strings.Contains(err.Error(), tooManyAliases):
			return 0, p.errorAt(doc, nil, errSize.Error())
		case errors.Is(err, errBinary), errors.Is(err, errNumber), errors.Is(err, errKey), errors.Is(err, errSame):
		default:
			return limit - p.left, nil
		}
	}
}

// parser reads one file.
type parser struct {
	converter

	file    string
	text    []byte
	objects []*unstructured.Unstructured
	meant   bool  // whether something has a kind, and so is meant as an object
	first   error // what is wrong first
}

// json reads a file of a single JSON value.
func (p *parser) json() error {
	if offset := invalidUTF8(p.text); offset >= 0 { // the decoder would put another character in its place
		return &Error{File: p.file, Line: lineAt(p.text, offset), Problem: failed + "a character is not UTF-8"}
	}
	doc := &document{text: p.text}
	decoder := json.NewDecoder(bytes.NewReader(p.text))
	decoder.UseNumber()
	var raw any
	if err := decoder.Decode(&raw); err != nil {
		return p.invalidJSON(err)
	}
	begin := int(decoder.InputOffset())
	switch rest := bytes.TrimLeft(p.text[begin:], jsonSpace); {
	case len(rest) == 0 && raw == nil:
		return p.errorAt(doc, nil, "a manifest is an object, this is null")
	case len(rest) == 0:
		return p.add(doc, raw)
	case rest[0] == '}' || rest[0] == ']':
		return &Error{File: p.file, Line: lineAt(p.text, len(p.text)-len(rest)), Problem: failed + "a bracket is closed that was not opened"}
	default:
		return &Error{Problem: fmt.Sprintf("Found multiple objects in %q. Only single objects are allowed in JSON files.", path.Base(p.file))} // as recorded
	}
}

func (p *parser) invalidJSON(err error) error {
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok { // its offset counts what was read, the bad character included
		return &Error{File: p.file, Line: lineAt(p.text, int(syntax.Offset-1)), Problem: failed + syntax.Error()}
	}
	return &Error{File: p.file, Line: lineAt(p.text, len(bytes.TrimRight(p.text, jsonSpace))), Problem: failed + "the JSON value is not complete"}
}

// stream reads a file of any number of documents.
func (p *parser) stream() error {
	err := p.documents()
	if err != nil && len(p.objects) == 0 && !p.meant && !looksLikeManifest(p.text) {
		return nil
	}
	return err
}

// documents adds all documents. One that is no object does not end it, so that stream knows of the objects behind it too.
func (p *parser) documents() error {
	if values := jsonValues(p.text); values != nil {
		for i, value := range values {
			p.note(p.add(&document{number: i + 1, text: p.text[value.begin:], line: lineAt(p.text, value.begin) - 1}, value.raw))
		}
		return p.first
	}
	decoder := yaml.NewDecoder(bytes.NewReader(p.text))
	for number := 1; ; number++ {
		doc := &document{number: number, text: p.text, skip: number - 1}
		var raw any
		err := decoder.Decode(&raw)
		if errors.Is(err, io.EOF) {
			return p.first
		}
		if err != nil {
			p.note(p.invalidYAML(doc, err))
			return p.first
		}
		p.note(p.add(doc, raw))
	}
}

// note keeps the first error.
func (p *parser) note(err error) {
	if p.first == nil {
		p.first = err
	}
}

type jsonValue struct {
	raw   any
	begin int
}

// jsonValues are the values of a text that is one JSON value after the other; nil when it is not.
func jsonValues(text []byte) (values []jsonValue) {
	if !bytes.HasPrefix(bytes.TrimLeft(text, jsonSpace), []byte("{")) {
		return nil
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	for {
		rest := text[decoder.InputOffset():]
		begin := len(text) - len(bytes.TrimLeft(rest, jsonSpace))
		var raw any
		err := decoder.Decode(&raw)
		if errors.Is(err, io.EOF) {
			return values
		}
		if err != nil {
			return nil
		}
		values = append(values, jsonValue{raw: raw, begin: begin})
	}
}

// words are the keys that every manifest has, quoted or not.
var words = []*regexp.Regexp{
	regexp.MustCompile(`\bapiVersion["']?\s*:`), regexp.MustCompile(`\bkind["']?\s*:`), regexp.MustCompile(`\bmetadata["']?\s*:`),
}

// looksLikeManifest tells whether a file that cannot be read was meant as one; others are silently left out (contract 1.2).
func looksLikeManifest(text []byte) bool {
	for _, word := range words {
		if !word.Match(text) {
			return false
		}
	}
	return true
}
