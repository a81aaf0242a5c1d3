package manifest_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	kubeyaml "sigs.k8s.io/yaml"

	"github.com/tiphys-io/tiphys/internal/render/manifest"
)

// TestParseLosesNothing writes random files of a known number of objects.
func TestParseLosesNothing(t *testing.T) {
	for seed := range uint64(3000) {
		text, want := randomFile(rand.New(rand.NewPCG(seed, 1)))
		objects, _, err := manifest.Parse("a.yaml", []byte(text), limit)
		if err != nil {
			t.Fatalf("seed %d: %v in %q", seed, err, text)
		}
		if got := names(objects); got != want {
			t.Fatalf("seed %d: objects %q, want %q of %q", seed, got, want, text)
		}
	}
}

// TestParseOfABrokenFileIsAnError breaks one byte of such a file: then there is an error, or as many objects as before, or
// the documents that are left are fewer for another reader of YAML too.
func TestParseOfABrokenFileIsAnError(t *testing.T) {
	const wild = "\x00{}[]:-'\"&*!%@`\n\r \t#x"
	failed := 0
	for seed := range uint64(5000) {
		random := rand.New(rand.NewPCG(seed, 2))
		text, names := randomFile(random)
		if names == "" {
			continue
		}
		broken := []byte(text)
		broken[random.IntN(len(broken))] = wild[random.IntN(len(wild))]
		objects, _, err := manifest.Parse("a.yaml", broken, limit)
		if err != nil {
			failed++
			continue
		}
		if want, ok := countObjects(broken); ok && len(objects) != want {
			t.Fatalf("seed %d: %d objects, want %d of %q", seed, len(objects), want, broken)
		}
	}
	if failed < 1000 {
		t.Errorf("only %d files were broken enough to be refused", failed)
	}
}

func randomFile(random *rand.Rand) (text, names string) {
	var b strings.Builder
	var list []string
	pick := func(options ...string) string { return options[random.IntN(len(options))] }
	b.WriteString(pick("", "", "# a comment\n", "---\n", "--- # first\n", "%YAML 1.1\n---\n"))
	count := random.IntN(6)
	for i := range count {
		name := fmt.Sprintf("o%d", i)
		list = append(list, name)
		switch random.IntN(4) {
		case 0:
			b.WriteString(objectJSON(name) + "\n")
		case 1:
			b.WriteString(object(name) + pick("", "data:\n  x: |\n    ---\n    apiVersion: v1\n", "data: {x: '...'}\n", "data:\n  x: >-\n    a\n\n    b\n"))
		case 2:
			list = append(list, name+"b")
			b.WriteString("apiVersion: v1\nkind: List\nitems:\n- " + objectJSON(name) + "\n- " + objectJSON(name+"b") + "\n")
		default:
			b.WriteString("{apiVersion: v1, kind: A, metadata: {name: " + name + "}, x: &a [1, 2], y: *a}\n")
		}
		b.WriteString(pick("---\n", "--- # next\n", "---\n# nothing\n---\n", "...\n---\n", "---   \n\n", "---\t\n", "...\n%YAML 1.1\n---\n"))
	}
	text = b.String()
	switch random.IntN(5) {
	case 0:
		text = strings.ReplaceAll(text, "\n", "\r\n")
	case 1:
		text = strings.ReplaceAll(text, "\n", "\r")
	case 2:
		text = "\xef\xbb\xbf" + text
	case 3:
		text = encode16(text)
	}
	return text, strings.Join(list, " ")
}

// countObjects counts the objects of a file that another reader of YAML can read; ok is false for others.
func countObjects(text []byte) (count int, ok bool) {
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	for {
		var root yaml.Node
		err := decoder.Decode(&root)
		if errors.Is(err, io.EOF) {
			return count, true
		}
		if err != nil || len(root.Content) != 1 {
			return 0, false
		}
		n, ok := countNode(root.Content[0])
		if !ok {
			return 0, false
		}
		count += n
	}
}

func countNode(node *yaml.Node) (int, bool) {
	switch {
	case node.Kind == yaml.ScalarNode && node.ShortTag() == "!!null":
		return 0, true
	case node.Kind == yaml.AliasNode:
		return 0, false
	case node.Kind != yaml.MappingNode:
		return 0, false
	}
	fields := map[string]*yaml.Node{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		fields[node.Content[i].Value] = node.Content[i+1]
	}
	kind, items := fields["kind"], fields["items"]
	if fields["<<"] != nil || !isText(kind) || !isText(fields["apiVersion"]) {
		return 0, false
	}
	if items == nil || !strings.HasSuffix(kind.Value, "List") || items.Kind != yaml.SequenceNode {
		return 1, items == nil
	}
	sum := 0
	for _, item := range items.Content {
		n, ok := countNode(item)
		if !ok {
			return 0, false
		}
		sum += n
	}
	return sum, true
}

// isText tells whether a node is a text in YAML 1.1 too, where some words are booleans.
func isText(node *yaml.Node) bool {
	return node != nil && node.Kind == yaml.ScalarNode && node.ShortTag() == "!!str" && node.Value != "" && node.Style != yaml.TaggedStyle &&
		!slices.Contains([]string{"y", "yes", "on", "n", "no", "off"}, strings.ToLower(node.Value))
}

// TestParseReadsDocumentsAsKubernetesDoes holds values against sigs.k8s.io/yaml, which reads one document.
func TestParseReadsDocumentsAsKubernetesDoes(t *testing.T) {
	scalars := []string{
		"yes", "no", "y", "N", "on", "Off", "true", "~", "null", "''", "\"1\"", "1", "-1", "+1", "0", "-0", "007", "0o7", "0x1F", "0b11", "-0b11", "1_000", "1.", ".5", "-.5",
		"1.0", "-0.0", "1e3", "1E-3", "1e20", "1e21", "1e22", "4611686018427387905.0", "9223372036854775807", "9223372036854775808", "-9223372036854775809", "18446744073709551616",
		"1:20:30", "2026-11-24", "2026-11-24 01:02:03", "!!str 1", "!!int '1'", "!!float 1", "!!float 1.5", "!!bool yes", "!!null ''", "!!timestamp 2026-11-24", "!!binary aGk=", "!x y", "[]", "{}",
		"[1, yes, {a: b}]", "\"\\u00e9\\n\\x41\"", "'it''s'", "a b", "<", "é", "=", "0.1", "123456789.123456789", "0777777777777777777777", "12e03", "--1", "1__0",
	}
	for seed := range uint64(2000) {
		random := rand.New(rand.NewPCG(seed, 3))
		text := "apiVersion: v1\nkind: A\nmetadata: {name: a}\n"
		for i := range 5 {
			text += fmt.Sprintf("k%d: &a%d %s\n", i, i, scalars[random.IntN(len(scalars))])
		}
		key := scalars[random.IntN(len(scalars))]
		text += fmt.Sprintf("m: {%s: x, a: *a1}\n", key)
		text += "n:\n  a: first\n  <<: {a: second, b: third}\n  c: *a2\n"
		objects, _, err := manifest.Parse("a.yaml", []byte(text), limit)
		want, wantErr := kubernetes([]byte(text))
		if (err != nil) != (wantErr != nil) {
			t.Fatalf("seed %d: error %v, Kubernetes says %v of\n%s", seed, err, wantErr, text)
		}
		if err != nil {
			continue
		}
		if diff := cmp.Diff(want, objects[0].Object); diff != "" {
			t.Fatalf("seed %d (-Kubernetes +ours):\n%s\nof\n%s", seed, diff, text)
		}
	}
}

func kubernetes(text []byte) (map[string]any, error) {
	data, err := kubeyaml.YAMLToJSON(text)
	if err != nil {
		return nil, err
	}
	var object map[string]any
	return object, utiljson.Unmarshal(data, &object)
}

// bombs are small texts that would become large.
func bombs() map[string]string {
	const head = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: bomb}\n"
	laughs := head + "a0: &a0 {x: lol}\n"
	for i := 1; i < 30; i++ {
		laughs += fmt.Sprintf("a%d: &a%d [*a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d]\n", i, i, i-1, i-1, i-1, i-1, i-1, i-1, i-1, i-1, i-1)
	}
	merges := head + "a0: &a0 {x: lol}\n"
	for i := 1; i < 40; i++ {
		merges += fmt.Sprintf("a%d: &a%d {<<: [*a%d, *a%d, *a%d], y%d: *a%d}\n", i, i, i-1, i-1, i-1, i, i-1)
	}
	return map[string]string{
		"a text of 100 KB, 2000 times":      head + "t: &t " + strings.Repeat("x", 100_000) + "\nu: [" + strings.Repeat("*t,", 2000) + "]\n",
		"a key of 100 KB, 2000 times":       head + "t: &t {" + strings.Repeat("x", 100_000) + ": 1}\nu: [" + strings.Repeat("*t,", 2000) + "]\n",
		"nine times nine times nine ...":    laughs,
		"merges of merges":                  merges,
		"a list of objects":                 "apiVersion: v1\nkind: List\nitems:\n- &o " + objectJSON(strings.Repeat("o", 100_000)) + strings.Repeat("\n- *o", 2000),
		"lists in lists":                    head + "a: " + strings.Repeat("[", 9000) + strings.Repeat("]", 9000) + "\n",
		"objects in objects":                head + "a: " + strings.Repeat("{a: ", 9000) + strings.Repeat("}", 9000) + "\n",
		"lists in lists, too deep to parse": head + "a: " + strings.Repeat("[", 100_000),
		"objects in objects as JSON":        `{"apiVersion": "v1", "kind": "A", "metadata": {}, "a": ` + strings.Repeat(`{"a": `, 9000) + "1" + strings.Repeat("}", 9001),
	}
}

func TestParseBoundsWhatATextBecomes(t *testing.T) {
	for reason, text := range bombs() {
		begin := time.Now()
		objects, _, err := manifest.Parse("bomb.yaml", []byte(text), limit)
		found, ok := errors.AsType[*manifest.Error](err)
		if !ok || found.File != "bomb.yaml" {
			t.Errorf("%s: %d objects, %v", reason, len(objects), err)
		}
		if took := time.Since(begin); took > 20*time.Second { // well below one as a rule; the bound is for a busy machine
			t.Errorf("%s: refused after %s", reason, took)
		}
	}
}

func TestParseCountsAliasesAsOftenAsTheyAreUsed(t *testing.T) {
	text := object("a") + "t: &t " + strings.Repeat("x", 1000) + "\nu: [" + strings.Repeat("*t,", 50) + "]\n"
	_, size, err := manifest.Parse("a.yaml", []byte(text), limit)
	if err != nil || size < 51_000 || size > 52_000 {
		t.Errorf("size %d, %v", size, err)
	}
	if _, _, err := manifest.Parse("a.yaml", []byte(text), size); err != nil {
		t.Errorf("just small enough: %v", err)
	}
	if objects, _, err := manifest.Parse("a.yaml", []byte(text), size-1); err == nil {
		t.Errorf("%d objects although one byte too large", len(objects))
	}
}

func TestMeasure(t *testing.T) {
	for reason, text := range bombs() {
		if reason == "lists in lists, too deep to parse" || strings.HasPrefix(reason, "a key of") {
			continue // no reader can read these
		}
		if size, err := manifest.Measure("a.yaml", []byte(text), limit); err == nil {
			t.Errorf("%s: size %d", reason, size)
		}
	}
	for _, tc := range []struct {
		reason, text string
		min, max     int64
	}{
		{"objects", object("a") + "---\n" + object("b"), 60, 120},
		{"aliases", "t: &t " + strings.Repeat("x", 1000) + "\nu: [*t, *t]\n", 3000, 3100},
		{"what has no JSON form does not end it", "a: .nan\n---\n~: x\n---\nb: c\n", 4, 20},
		{"a text that is no YAML", "a: [\n", 0, 0},
		{"a text that is YAML at first", "a: b\n---\n[\n", 3, 5},
		{"nothing", "", 0, 0},
	} {
		if size, err := manifest.Measure("a.yaml", []byte(tc.text), limit); err != nil || size < tc.min || size > tc.max {
			t.Errorf("%s: size %d, %v", tc.reason, size, err)
		}
	}
	if _, err := manifest.Measure("a.yaml", []byte("a: .nan\n---\n"+bombs()["nine times nine times nine ..."]), limit); err == nil {
		t.Error("a bomb behind what has no JSON form")
	}
}

func BenchmarkParse(b *testing.B) {
	var text strings.Builder
	for i := range 100 {
		fmt.Fprintf(&text, "%slabels: {a: b, c: d}\ndata:\n  x: |\n    some lines\n    of text\n  y: \"%d\"\n---\n", object("a"), i)
	}
	b.SetBytes(int64(text.Len()))
	for b.Loop() {
		if _, _, err := manifest.Parse("a.yaml", []byte(text.String()), limit); err != nil {
			b.Fatal(err)
		}
	}
}

func TestParseTakesDeepObjects(t *testing.T) {
	if _, _, err := manifest.Parse("a.yaml", []byte(object("a")+"x: "+strings.Repeat("[", 400)+strings.Repeat("]", 400)), limit); err != nil {
		t.Error(err)
	}
}

func FuzzParse(f *testing.F) {
	for seed := range uint64(40) {
		text, _ := randomFile(rand.New(rand.NewPCG(seed, 4)))
		f.Add("a.yaml", []byte(text))
	}
	for _, text := range bombs() {
		if len(text) < 10_000 {
			f.Add("a.yaml", []byte(text))
		}
	}
	f.Add("a.json", []byte(objectJSON("a")))
	f.Add("a.yaml", []byte(object("a")+"...\n"+object("b")))
	f.Add("a.yaml", []byte(objectJSON("a")+objectJSON("b")))
	f.Fuzz(func(t *testing.T, file string, text []byte) {
		const limit = 1 << 20
		objects, size, err := manifest.Parse(file, text, limit)
		if err != nil {
			if _, ok := errors.AsType[*manifest.Error](err); !ok || len(objects) > 0 {
				t.Fatalf("%d objects and error %v", len(objects), err)
			}
			return
		}
		if size < 0 || size > limit {
			t.Fatalf("size %d", size)
		}
		// A text that the decoder cannot read is left out if it has no metadata (contract 1.2).
		ignored := len(objects) == 0 && !bytes.Contains(text, []byte("metadata"))
		if want, ok := countObjects(text); ok && !ignored && !strings.HasSuffix(file, ".json") && len(objects) != want {
			t.Fatalf("%d objects, want %d", len(objects), want)
		}
		checkObjects(t, objects)
	})
}

// checkObjects tells whether the objects have a kind and survive JSON.
func checkObjects(t *testing.T, objects []*unstructured.Unstructured) {
	for _, object := range objects {
		if object.GetKind() == "" || object.GetAPIVersion() == "" {
			t.Fatalf("no kind: %v", object.Object)
		}
		data, err := json.Marshal(object.Object)
		if err != nil {
			t.Fatal(err)
		}
		var again map[string]any
		if err := utiljson.Unmarshal(data, &again); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(object.Object, again); diff != "" {
			t.Fatalf("(-parsed +through JSON)\n%s", diff)
		}
	}
}
