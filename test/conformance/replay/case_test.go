package replay

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func loaded(t *testing.T, texts ...string) ([]Case, error) {
	t.Helper()
	var paths []string
	for _, text := range texts {
		file, err := os.CreateTemp(t.TempDir(), "*.yaml")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := file.WriteString(text); err != nil {
			t.Fatal(err)
		}
		_ = file.Close()
		paths = append(paths, file.Name())
	}
	return Load(paths...)
}

func TestLoad(t *testing.T) {
	cases, err := loaded(t, `
- name: one
  area: waves
  source: {path: other}
  steps:
  - commit:
      app/a.yaml: {apiVersion: v1, kind: Pod, metadata: {name: n, namespace: '%NS%'}, spec: {nodeSelector: {false: 'no'}}}
    from: {dir: e2e/x, as: y}
    tag: v1
    until: {phase: Succeeded}
    cap: 2.5
    sync: {}
    do: [{sleep: 2}, {app: {metadata: {name: '%APP%'}}, target: b}]
`, `
- name: two
  steps: [{from: [{dir: a}, {dir: b}], tag: [v1, v2], op: {sync: {source: {repoURL: '%REPO%', x: '%GIT%/y'}}}}]
`)
	if err != nil {
		t.Fatal(err)
	}
	one, err := cases[0].filled("http://h/one.git", "http://h")
	if err != nil {
		t.Fatal(err)
	}
	step := one.Steps[0]
	want := map[string]any{"app/a.yaml": map[string]any{
		"apiVersion": "v1", "kind": "Pod", "metadata": map[string]any{"name": "n", "namespace": "t-one"},
		"spec": map[string]any{"nodeSelector": map[string]any{"false": "no"}},
	}}
	if diff := cmp.Diff(want, step.Files); diff != "" {
		t.Errorf("n is a word, false as a key is text, placeholders are filled (-want +got):\n%s", diff)
	}
	if one.Source["path"] != "other" || step.Sync == nil || step.Op != nil || step.Cap.or(0) != 2500*time.Millisecond || step.Quiet.or(time.Second) != time.Second {
		t.Errorf("step %+v of %+v: source, sync, cap or quiet are wrong", step, one.Application)
	}
	if len(step.From) != 1 || step.From[0].As != "y" || len(step.Tag) != 1 || len(step.Until) != 1 {
		t.Errorf("a list may be written as its only item: %+v", step)
	}
	if step.Do[1].Target != "b" || cmp.Diff(map[string]any{"metadata": map[string]any{"name": "one"}}, step.Do[1].App) != "" {
		t.Errorf("action %+v: target or patch are wrong", step.Do[1])
	}
	two, err := cases[1].filled("http://h/two.git", "http://h")
	if err != nil {
		t.Fatal(err)
	}
	source := map[string]any{"sync": map[string]any{"source": map[string]any{"repoURL": "http://h/two.git", "x": "http://h/y"}}}
	if diff := cmp.Diff(source, two.Steps[0].Op); diff != "" || len(two.Steps[0].From) != 2 || len(two.Steps[0].Tag) != 2 {
		t.Errorf("operation (-want +got):\n%s\nof step %+v", diff, two.Steps[0])
	}
}

func TestLoadRefusesWhatItDoesNotKnow(t *testing.T) {
	for reason, test := range map[string]struct{ text, want string }{
		"a misspelt key of a case":       {"[{name: one, stesp: []}]", "stesp"},
		"a misspelt key of a step":       {"[{name: one, steps: [{snyc: {}}]}]", "snyc"},
		"a misspelt key inside a list":   {"[{name: one, steps: [{from: [{dri: x}]}]}]", "dri"},
		"an action that nobody knows":    {"[{name: one, steps: [{do: [{explode: true}]}]}]", "explode"},
		"a time that is none":            {"[{name: one, steps: [{cap: soon}]}]", "seconds"},
		"a case without a name":          {"[{steps: []}]", "case 1"},
		"the same name twice":            {"[{name: one}, {name: one}]", "one"},
		"something that is no case list": {"{name: one}", "cannot unmarshal"},
	} {
		if _, err := loaded(t, test.text); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %s gives error %v; want one that says %q", reason, test.text, err, test.want)
		}
	}
	if _, err := Load(filepath.Join(t.TempDir(), "none.yaml")); err == nil {
		t.Error("a missing file is no error")
	}
}

func TestFileContent(t *testing.T) {
	for _, test := range []struct {
		reason string
		value  any
		want   string
	}{
		{"a text is taken as it is", "a: b\n# c", "a: b\n# c"},
		{"an object is YAML", map[string]any{"kind": "A", "data": map[string]any{"n": "n", "one": "1", "int": 1.0, "null": nil}}, "data:\n  int: 1\n  \"n\": \"n\"\n  \"null\": null\n  one: \"1\"\nkind: A\n"},
		{"several are documents", []any{map[string]any{"a": 1.0}, map[string]any{"b": 2.0}}, "a: 1\n---\nb: 2\n"},
	} {
		got, err := fileContent(test.value)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.reason, diff)
		}
	}
}
