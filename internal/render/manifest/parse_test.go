package manifest_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/tiphys-io/tiphys/internal/render/manifest"
)

const limit = 10 << 20

func object(name string) string {
	return fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: %s\n", name)
}

func objectJSON(name string) string {
	return fmt.Sprintf(`{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": %q}}`, name)
}

func names(objects []*unstructured.Unstructured) string {
	var list []string
	for _, o := range objects {
		list = append(list, o.GetName())
	}
	return strings.Join(list, " ")
}

func TestParseFindsEveryDocument(t *testing.T) {
	cr := func(text string) string { return strings.ReplaceAll(text, "\n", "\r") }
	crlf := func(text string) string { return strings.ReplaceAll(text, "\n", "\r\n") }
	for _, tc := range []struct{ reason, file, text, want string }{
		{"an empty file holds nothing", "a.yaml", "", ""},
		{"comments hold nothing", "a.yaml", "# one\n---\n# two\n---\n", ""},
		{"empty documents are none", "a.yaml", "---\n---\n" + object("a") + "---\nnull\n---\n~\n---\n", "a"},
		{"one document", "a.yaml", object("a"), "a"},
		{"no line end at the end", "a.yaml", object("a") + "---\n" + strings.TrimSpace(object("b")), "a b"},
		{"a separator with a comment", "a.yaml", object("a") + "--- # next\n" + object("b"), "a b"},
		{"a document on the line of its separator", "a.yaml", "--- {apiVersion: v1, kind: A, metadata: {name: a}}\n--- {apiVersion: v1, kind: A, metadata: {name: b}}\n", "a b"},
		{"a separator with a tab", "a.yaml", object("a") + "---\t\n" + object("b"), "a b"},
		{"dashes in a text are no separator", "a.yaml", object("a") + "data:\n  x: |\n    ---\n    y\n", "a"},
		{"a document after an end mark", "a.yaml", object("a") + "...\n---\n" + object("b"), "a b"},
		{"directives", "a.yaml", "%YAML 1.1\n---\n" + object("a") + "...\n%YAML 1.1\n---\n" + object("b"), "a b"},
		{"line ends of Windows", "a.yaml", crlf(object("a") + "---\n" + object("b")), "a b"},
		{"line ends of old Macs", "a.yaml", cr(object("a") + "---\n" + object("b")), "a b"},
		{"a byte order mark", "a.yaml", "\xef\xbb\xbf" + object("a") + "---\n" + object("b"), "a b"},
		{"UTF-16", "a.yaml", encode16(object("a") + "---\n" + object("b")), "a b"},
		{"JSON objects in a row, a line each", "a.yaml", objectJSON("a") + "\n" + objectJSON("b") + "\n" + objectJSON("c"), "a b c"},
		{"JSON objects in a row on one line", "a.yml", objectJSON("a") + objectJSON("b"), "a b"},
		{"JSON objects as YAML documents", "a.yaml", objectJSON("a") + "\n---\n" + objectJSON("b"), "a b"},
		{"a flow mapping is no JSON", "a.yaml", "{apiVersion: v1, kind: A, metadata: {name: a}}\n---\n" + object("b"), "a b"},
		{"a name without an extension is YAML", "manifest", object("a") + "---\n" + object("b"), "a b"},
		{"a JSON file", "a.json", objectJSON("a") + "\n", "a"},
		{"a JSON file with a byte order mark", "a.json", "\xef\xbb\xbf" + objectJSON("a"), "a"},
		{"a list", "a.yaml", "apiVersion: v1\nkind: List\nitems:\n- " + objectJSON("a") + "\n- " + objectJSON("b") + "\n", "a b"},
		{"a list with a type", "a.yaml", "apiVersion: v1\nkind: ConfigMapList\nitems: [" + objectJSON("a") + "]\n", "a"},
		{"a list in a list", "a.yaml", "apiVersion: v1\nkind: List\nitems: [{apiVersion: v1, kind: List, items: [" + objectJSON("a") + "]}, " + objectJSON("b") + "]\n", "a b"},
		{"a list without items", "a.yaml", "apiVersion: v1\nkind: List\nitems: []\n---\n" + object("b"), "b"},
		{"a list whose items are null (contract 1.2)", "a.yaml", "apiVersion: v1\nkind: List\nitems: null\n---\n" + object("b"), "b"},
		{"a list in a JSON file", "a.json", `{"apiVersion":"v1","kind":"List","items":[` + objectJSON("a") + "," + objectJSON("b") + "]}", "a b"},
		{"an object of another kind may have items", "a.yaml", object("a") + "items: [x]\n", "a"},
		{"an alias stands for what it names", "a.yaml", "apiVersion: v1\nkind: List\nitems:\n- &x " + objectJSON("a") + "\n- *x\n", "a a"},
		{"values that are no manifest (contract 1.2)", "values.yaml", "just: values\n", ""},
		{"a text that is no YAML and no manifest (contract 1.2)", "broken.yaml", "a: {{ b }}\n", ""},
		{"several documents that are none", "values.yaml", "- a\n---\nb\n---\nc: [\n", ""},
		{"a file in no encoding that looks like nothing", "a.yaml", "\xff\x00\x01", ""},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			objects, size, err := manifest.Parse(tc.file, []byte(tc.text), limit)
			if err != nil {
				t.Fatal(err)
			}
			if got := names(objects); got != tc.want {
				t.Errorf("objects %q, want %q", got, tc.want)
			}
			if len(objects) > 0 && size <= 0 {
				t.Errorf("size %d of %d objects", size, len(objects))
			}
		})
	}
}

func encode16(text string) string {
	encoded := []byte{0xff, 0xfe}
	for _, unit := range utf16.Encode([]rune(text)) {
		encoded = append(encoded, byte(unit), byte(unit>>8))
	}
	return string(encoded)
}

func TestParseSaysWhatIsWrongAndWhere(t *testing.T) {
	three := object("a") + "---\n" + object("b") + "---\n" // the third document begins at line 11
	for _, tc := range []struct {
		reason, file, text string
		document, line     int
		problem            string
	}{
		{"a broken document after good ones", "a.yaml", three + "kind: [\n\n", 3, 11, "did not find expected node content"},
		{"line 7 of the third document", "a.yaml", three + object("c") + "data:\n  x: 1\n y: 2\n", 3, 17, "did not find expected key"},
		{"the same with line ends of Windows", "a.yaml", strings.ReplaceAll(three+object("c")+"data:\n  x: 1\n y: 2\n", "\n", "\r\n"), 3, 17, "did not find expected key"},
		{"the same with line ends of old Macs", "a.yaml", strings.ReplaceAll(three+object("c")+"data:\n  x: 1\n y: 2\n", "\n", "\r"), 3, 17, "did not find expected key"},
		{"the same after what ends a line only in YAML", "a.yaml", three + object("\"c\u2028 d\"") + "data:\n  x: 1\n y: 2\n", 3, 17, "did not find expected key"},
		{"a tab", "a.yaml", object("a") + "\tx: 1\n", 1, 5, "tab"},
		{"a text after a document, without a separator", "a.yaml", object("a") + "...\n" + object("b"), 2, 6, "did not find expected <document start>"},
		{"a document that is no object after a good one", "a.yaml", object("a") + "---\njust text\n", 2, 6, "a manifest is an object, this is a text"},
		{"a good document after one that is no object", "a.yaml", "just text\n---\n" + object("a"), 1, 1, "a manifest is an object, this is a text"},
		{"a list as the document", "a.yaml", "- " + objectJSON("a") + "\n", 1, 1, "this is a list"},
		{"a document without a kind", "a.yaml", object("a") + "---\n\nmetadata: {name: x}\n", 2, 7, "an object needs apiVersion and kind"},
		{"an empty object", "a.yaml", object("a") + "---\n{}\n", 2, 6, "an object needs apiVersion and kind"},
		{"a kind without an apiVersion is meant as an object", "a.yaml", "kind: ConfigMap\n", 1, 1, "an object needs apiVersion and kind"},
		{"an apiVersion that is a number", "a.yaml", "apiVersion: 1\nkind: ConfigMap\nmetadata: {name: a}\n", 1, 1, "both texts"},
		{"an item without a kind", "a.yaml", "apiVersion: v1\nkind: List\nitems:\n- " + objectJSON("a") + "\n- {metadata: {}}\n", 1, 5, "an object needs apiVersion and kind"},
		{"items that are no list", "a.yaml", "apiVersion: v1\nkind: List\nitems:\n  a: b\n", 1, 4, "the items of a List are an object"},
		{"a name that is a number", "a.yaml", object("a") + "---\n" + object("123"), 2, 9, "metadata.name is a number: write it in quotes"},
		{"a name that is a boolean in YAML 1.1", "a.yaml", object("on"), 1, 4, "metadata.name is a boolean"},
		{"a name that is an object", "a.yaml", object("{a: b}"), 1, 4, "metadata.name is an object"},
		{"a namespace that is a number", "a.yaml", object("a") + "  namespace: 1\n", 1, 5, "metadata.namespace is a number"},
		{"the prefix of a name that is a number", "a.yaml", object("a") + "  generateName: 1\n", 1, 5, "metadata.generateName is a number"},
		{"the name of an item", "a.yaml", "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: A\n  metadata:\n    name: 5\n", 1, 7, "metadata.name"},
		{"metadata that is no object", "a.yaml", "apiVersion: v1\nkind: A\n\nmetadata: a\n", 1, 4, "metadata is no object"},
		{"an unknown anchor", "a.yaml", object("a") + "---\n" + object("*x"), 2, 0, "refers to an anchor"},
		{"a template", "a.yaml", object("a") + "---\n" + object("{{ x }}"), 2, 6, "the key of a map is itself a map"},
		{"a key that is null", "a.yaml", object("a") + "~: x\n", 1, 1, "the key of a map is not a text"},
		{"keys that become the same", "a.yaml", object("a") + "data:\n  1: a\n  \"1\": b\n", 1, 1, "two keys of a map are the same"},
		{"a number without a JSON form", "a.yaml", object("a") + "x: .inf\n", 1, 1, "not finite"},
		{"binary data", "a.yaml", object("a") + "data: {x: !!binary /w==}\n", 1, 1, "binary data"},
		{"a control character", "a.yaml", object("a") + "---\n" + object("b\x01"), 0, 9, "control character"},
		{"a byte that is not UTF-8", "a.yaml", object("a") + "---\n" + object("b\xff"), 0, 9, "UTF-8"},
		{"broken JSON in YAML, which has its keys in quotes", "a.yaml", objectJSON("a") + "\n" + strings.TrimSuffix(objectJSON("b"), "}"), 2, 2, "did not find expected"},
		{"the second JSON object in a row", "a.yaml", objectJSON("a") + "\n\n{\"kind\": \"A\"}\n", 2, 3, "an object needs apiVersion and kind"},
		{"the name of the second JSON object in a row", "a.yaml", objectJSON("a") + "\n{\"apiVersion\": \"v1\", \"kind\": \"A\",\n\"metadata\": {\"name\": 1}}\n", 2, 3, "metadata.name is a number"},
		{"a broken JSON file", "a.json", "{\n\"apiVersion\": v1}\n", 0, 2, "invalid character 'v'"},
		{"a cut JSON file", "a.json", "{\n\"apiVersion\": \"v1\"\n\n", 0, 2, "not complete"},
		{"a byte in a JSON file that is not UTF-8", "a.json", "{\n\"x\": \"\xff\"}", 0, 2, "UTF-8"},
		{"an empty JSON file", "a.json", "", 0, 1, "not complete"},
		{"a bracket too many in a JSON file", "a.json", objectJSON("a") + "\n}", 0, 2, "a bracket is closed"},
		{"a JSON file that is no manifest", "package.json", `{"name": "x"}`, 0, 1, "an object needs apiVersion and kind"},
		{"a JSON file that is a list", "a.json", "[]", 0, 1, "this is a list"},
		{"a JSON file with nothing in it", "a.json", "null", 0, 1, "this is null"},
		{"a number that is too large", "a.json", `{"x": 1e999}`, 0, 1, "too large"},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			objects, _, err := manifest.Parse(tc.file, []byte(tc.text), limit)
			found, ok := errors.AsType[*manifest.Error](err)
			if !ok {
				t.Fatalf("%d objects and error %v", len(objects), err)
			}
			if found.File != tc.file || found.Document != tc.document || found.Line != tc.line || !strings.Contains(found.Problem, tc.problem) {
				t.Errorf("file %s, document %d, line %d: %s", found.File, found.Document, found.Line, found.Problem)
			}
			if len(objects) > 0 {
				t.Errorf("%d objects beside an error", len(objects))
			}
		})
	}
}

func TestParseOfSeveralObjectsInJSONHasTheRecordedText(t *testing.T) {
	_, _, err := manifest.Parse("app/bad.json", []byte(objectJSON("a")+` {"apiVersion":"v1"}`), limit)
	const want = `Found multiple objects in "bad.json". Only single objects are allowed in JSON files.`
	if err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
}

func TestErrorText(t *testing.T) {
	for _, tc := range []struct {
		reason string
		err    manifest.Error
		want   string
	}{
		{"all is known", manifest.Error{File: "a.yaml", Document: 3, Line: 17, Problem: "bad"}, "a.yaml: document 3, line 17: bad"},
		{"a file of one value", manifest.Error{File: "a.json", Line: 2, Problem: "bad"}, "a.json: line 2: bad"},
		{"the place is unknown", manifest.Error{File: "a.yaml", Problem: "bad"}, "a.yaml: bad"},
		{"the problem names the file", manifest.Error{Problem: "bad"}, "bad"},
	} {
		if got := tc.err.Error(); got != tc.want {
			t.Errorf("%s: %q, want %q", tc.reason, got, tc.want)
		}
	}
}

func TestErrorsQuoteNoValue(t *testing.T) {
	const secret = "hunter2"
	for _, value := range []string{"*" + secret, "!!int " + secret, "{{ " + secret + " }}", "[ " + secret, "\"" + secret, "!!binary '" + secret + "!'", "!<" + secret, "&" + secret + " [*" + secret + "]", "@" + secret, "{? {" + secret + ": 1} : 2}"} {
		objects, _, err := manifest.Parse("a.yaml", []byte("apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData:\n  password: "+value+"\n"), limit)
		if err == nil {
			if len(objects) != 1 {
				t.Errorf("%s: %d objects", value, len(objects))
			}
			continue
		}
		if strings.Contains(err.Error(), secret) {
			t.Errorf("%s: %v", value, err)
		}
	}
}

func TestParseReadsValuesAsKubernetesDoes(t *testing.T) {
	const text = `apiVersion: v1
kind: ConfigMap
metadata: {name: a}
yes: no
on: "on"
octal: 0644
other: 0o644
hex: 0x10
big: 18446744073709551615
whole: 1.0
exponent: 1e3
huge: 1e30
date: 2026-11-24
time: 2026-11-24T03:04:05Z
sixty: 1:20
underscore: 1_000
null: ~
2: two
1.5: x
twice: first
twice: second
<<: {merged: 1}
binary: !!binary aGVsbG8=
`
	objects, _, err := manifest.Parse("a.yaml", []byte(strings.Replace(text, "null: ~\n", "empty: ~\n", 1)), limit)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "a"},
		"true": "on", "octal": int64(420), "other": int64(420), "hex": int64(16), "big": 18446744073709551615.0, "whole": int64(1), "exponent": int64(1000),
		"huge": 1e30, "date": "2026-11-24", "time": "2026-11-24T03:04:05Z", "sixty": "1:20", "underscore": int64(1000), "empty": nil,
		"2": "two", "1.5": "x", "twice": "second", "merged": int64(1), "binary": "hello",
	}
	if diff := cmp.Diff(want, objects[0].Object); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
