package manifest

import (
	"strings"
	"testing"
)

// TestLineOfSyntaxError has one text for each problem whose line the decoder says one too low, and for some of the others.
func TestLineOfSyntaxError(t *testing.T) {
	const before = "apiVersion: v1\nkind: A\nmetadata: {name: a}\n---\n"    // four lines
	tested := map[string]bool{"did not find expected <stream-start>": true} // no text begins without one
	for _, tc := range []struct {
		text, problem string
		line          int
	}{
		{"# none\n...\nc: d\n", "did not find expected <document start>", 7},
		{"a:\n  - [\n", "did not find expected node content", 6},
		{"- a\nb: c\n", "did not find expected '-' indicator", 6},
		{"a: b\n- c\n", "did not find expected key", 6},
		{"a: 'it's'\n", "did not find expected key", 5},
		{"a: [b,\n  c\nd: e\n", "did not find expected ',' or ']'", 7},
		{"a: {b: c,\n  d: e\n  f: g}\n", "did not find expected ',' or '}'", 7},
		{"a: b\nc: !x!y d\n", "found undefined tag handle", 6},
		{"...\n%YAML 1.1\n%YAML 1.1\n---\n", "found duplicate %YAML directive", 7},
		{"...\n%YAML 9.9\n---\n", "found incompatible YAML document", 6},
		{"...\n%TAG ! a\n%TAG ! b\n---\n", "found duplicate %TAG directive", 7},

		{"a: b\nc: @\n", "found character that cannot start any token", 6},
		{"a: b\n  c: d\n", "mapping values are not allowed in this context", 6},
		{"a: b\nc: - d\n", "block sequence entries are not allowed in this context", 6},
		{"a: b\nc: \"\\q\"\n", "found unknown escape character", 6},
		{"a: b\nc\nd: e\n", "could not find expected ':'", 7},
		{"a: b\nc: \"d\n\n", "found unexpected end of stream", 6},
	} {
		tested[tc.problem] = true
		for _, text := range []string{before + tc.text, strings.ReplaceAll(before+tc.text, "\n", "\r\n"), strings.ReplaceAll(before+tc.text, "\n", "\r")} {
			_, _, err := Parse("a.yaml", []byte(text), 1<<20)
			found, ok := err.(*Error) //nolint:errorlint // it is what Parse promises
			if !ok || found.Line != tc.line || !strings.HasSuffix(found.Problem, ": "+tc.problem) {
				t.Errorf("%q: %v, want line %d: %s", text, err, tc.line, tc.problem)
			}
		}
	}
	for problem := range parserProblems {
		if !tested[problem] {
			t.Errorf("no text has the problem %q", problem)
		}
	}
}

func TestLineOfSyntaxErrorInTheFirstLine(t *testing.T) {
	for _, text := range []string{"a: [\n", "a: ]", "a: @", "a: 'it's'", "%FOO\n"} {
		_, _, err := Parse("a.yaml", []byte(text+"# apiVersion: kind: metadata:"), 1<<20)
		if found, ok := err.(*Error); !ok || found.Line < 1 || found.Line > 2 { //nolint:errorlint // it is what Parse promises
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestLineAt(t *testing.T) {
	const text = "a\nb\r\nc\rd"
	for _, tc := range []struct{ offset, line int }{{0, 1}, {1, 1}, {2, 2}, {3, 2}, {5, 3}, {6, 3}, {7, 4}, {8, 4}, {99, 4}} {
		if got := lineAt([]byte(text), tc.offset); got != tc.line {
			t.Errorf("byte %d: line %d, want %d", tc.offset, got, tc.line)
		}
	}
}
