package diff

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/structured-merge-diff/v6/typed"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/resource"
)

// randomValue is a value of JSON without null, at most depth levels deep.
func randomValue(r *rand.Rand, depth int) any {
	switch n := r.IntN(8); {
	case depth > 0 && n < 3:
		object := map[string]any{}
		for range r.IntN(4) {
			object[string(rune('a'+r.IntN(6)))] = randomValue(r, depth-1)
		}
		return object
	case depth > 0 && n == 3:
		var list []any
		for range r.IntN(4) {
			list = append(list, randomValue(r, depth-1))
		}
		return list
	case n == 4:
		return int64(r.IntN(5))
	case n == 5:
		return r.IntN(2) == 0
	}
	return fmt.Sprint(r.IntN(5))
}

func randomTarget(r *rand.Rand) *unstructured.Unstructured {
	obj := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "example.com/v1", "kind": "Widget"}}
	obj.SetName("w")
	obj.SetLabels(map[string]string{"l": fmt.Sprint(r.IntN(3))})
	obj.Object["spec"] = randomValue(r, 5)
	obj.Object["data"] = randomValue(r, 2)
	return obj
}

// applied is what a server makes of a target: it records what we own, and adds fields that the target does not set.
func applied(t *testing.T, r *rand.Rand, target *unstructured.Unstructured) *unstructured.Unstructured {
	t.Helper()
	value, err := typed.DeducedParseableType.FromUnstructured(map[string]any{
		"spec": target.Object["spec"], "data": target.Object["data"], "metadata": map[string]any{"labels": target.Object["metadata"].(map[string]any)["labels"]},
	})
	if err != nil {
		t.Fatal(err)
	}
	set, err := value.ToFieldSet()
	if err != nil {
		t.Fatal(err)
	}
	fields, err := set.ToJSON()
	if err != nil {
		t.Fatal(err)
	}
	live := target.DeepCopy()
	addDefaults(r, live.Object["spec"])
	live.SetManagedFields([]metav1.ManagedFieldsEntry{{
		Manager: argov1.FieldManager, Operation: "Apply", APIVersion: "example.com/v1", FieldsType: "FieldsV1", FieldsV1: metav1.NewFieldsV1(string(fields)),
	}})
	live.SetResourceVersion("1")
	live.SetUID("uid")
	live.SetLabels(map[string]string{"l": target.GetLabels()["l"], "added": "by somebody"})
	live.Object["status"] = map[string]any{"x": "y"}
	return live
}

func addDefaults(r *rand.Rand, value any) {
	object, ok := value.(map[string]any)
	if !ok {
		return
	}
	for _, item := range object {
		addDefaults(r, item)
	}
	if r.IntN(2) == 0 {
		object["defaulted"] = randomValue(r, 2)
	}
}

// changeOne gives one leaf of the value, chosen by chance, another value; it tells whether there was one.
func changeOne(r *rand.Rand, value any) bool {
	switch container := value.(type) {
	case map[string]any:
		keys := slices.Sorted(maps.Keys(container))
		r.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
		for _, key := range keys {
			if isLeaf(container[key]) {
				container[key] = "changed"
				return true
			}
			if changeOne(r, container[key]) {
				return true
			}
		}
	case []any:
		for i, item := range container {
			if isLeaf(item) {
				container[i] = "changed"
				return true
			}
			if changeOne(r, item) {
				return true
			}
		}
	}
	return false
}

func isLeaf(value any) bool {
	switch value.(type) {
	case map[string]any, []any:
		return false
	}
	return true
}

// TestAnAppliedObjectDoesNotDiffer is the property that all else rests on, and its reverse.
func TestAnAppliedObjectDoesNotDiffer(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	changes := 0
	for range 3000 {
		target := randomTarget(r)
		live := applied(t, r, target)
		if Local(target, live) || Abandoned(target, live) || Changed(live, live.DeepCopy()) {
			t.Fatalf("an object differs from its applied self:\n%s", cmp.Diff(target.Object, live.Object))
		}
		changed := target.DeepCopy()
		if !changeOne(r, changed.Object["spec"]) {
			continue
		}
		changes++
		if !Local(changed, live) {
			t.Fatalf("a change is overlooked:\n%s", cmp.Diff(changed.Object, live.Object))
		}
		predicted := live.DeepCopy()
		predicted.Object["spec"] = changed.DeepCopy().Object["spec"]
		if !Changed(live, predicted) {
			t.Fatalf("a change that the server predicts is overlooked:\n%s", cmp.Diff(live.Object, predicted.Object))
		}
		hidden, err := Compile(Ignore{Application: argov1.IgnoreDifferences{pointers("/spec")}, Limit: soon})
		if err != nil {
			t.Fatal(err)
		}
		left, right, err := hidden.For(resource.KeyOf(changed)).Align(changed, live)
		if err != nil || Local(left, right) {
			t.Fatalf("an ignored change shows: %v\n%s", err, cmp.Diff(left.Object, right.Object))
		}
		respected, err := RespectIgnored(changed, live, hidden)
		if err != nil || Local(respected, live) || !reflect.DeepEqual(respected.Object["spec"], live.Object["spec"]) {
			t.Fatalf("an ignored change would be applied: %v\n%s", err, cmp.Diff(respected.Object, live.Object))
		}
	}
	if changes < 1000 {
		t.Errorf("only %d objects had something to change", changes)
	}
}

func document(data string) *unstructured.Unstructured {
	obj := &unstructured.Unstructured{}
	if obj.UnmarshalJSON([]byte(data)) != nil {
		return nil
	}
	return obj
}

// FuzzPointer removes what a pointer names from an object: nothing else goes, and nothing panics.
func FuzzPointer(f *testing.F) {
	for _, pointer := range []string{"/a", "/a/0", "/a/b~1c/0", "/~0", "", "a", "//", "/a/-", "/a/00"} {
		f.Add(pointer, `{"apiVersion":"v1","kind":"X","a":[{"b/c":[1,2]},2],"~":1,"":{"":1}}`)
	}
	f.Fuzz(func(t *testing.T, pointer, data string) {
		obj := document(data)
		rules, err := Compile(Ignore{Application: argov1.IgnoreDifferences{pointers(pointer)}, Limit: soon})
		if err != nil || obj == nil {
			return
		}
		before, err := json.Marshal(obj.Object)
		if err != nil {
			t.Fatal(err)
		}
		view := rules.For(resource.KeyOf(obj))
		left, right, err := view.Align(obj, obj)
		if err != nil {
			t.Fatal(err)
		}
		after, err := json.Marshal(left.Object)
		if err != nil {
			t.Fatal(err)
		}
		_, found := follow(obj.Object, view.pointers[0].tokens)
		if (string(before) != string(after)) != found || !reflect.DeepEqual(left, right) {
			t.Errorf("%q found %v: %s became %s", pointer, found, before, after)
		}
		if respected, err := RespectIgnored(left, obj, rules); err != nil || respected == nil {
			t.Errorf("RespectIgnored: %v", err)
		}
	})
}

// FuzzExpression evaluates whatever parses: it ends in time, does not panic, and names fields that exist.
func FuzzExpression(f *testing.F) {
	for _, text := range []string{
		".a", ".a[]", `.a[] | select(.b == "c") | .d`, `.. | select(has("x")?)`, ".a[-1:]", "until(false; [.]+[1])", `.["a"]`, `first(.a[]?)`,
		`if .a then .b else empty end`, `.a as $x | .b[$x]?`, `"\(.a)"`, `reduce .a[] as $i (0; . + $i)`, `try error("x") catch .`, `@base64 "\(.a)"`, `.a?.b`,
		`label $f | .a[] | if . then break $f else . end`, `{a: .b} | .a`, `[.a, .b]`, `.a // .b`, `. as [$a, {b: $c}] ?// $a | .a`,
	} {
		f.Add(text, `{"apiVersion":"v1","kind":"X","a":[{"b":"c","d":1},{"x":null}],"b":{"y":2.5}}`)
	}
	hasty := func() (<-chan struct{}, func()) { return within(50 * time.Millisecond) }
	f.Fuzz(func(t *testing.T, text, data string) {
		obj := document(data)
		parsed, err := parseExpression(text, hasty)
		if err != nil || obj == nil {
			return
		}
		found, err := parsed.paths(obj.Object)
		if err != nil {
			return
		}
		for _, path := range found {
			for _, concrete := range resolve(obj.Object, path) {
				mark(obj.Object, concrete)
			}
		}
		if swept, gone := sweep(obj.Object); !gone {
			if _, err := json.Marshal(swept); err != nil {
				t.Errorf("something is left behind: %v", err)
			}
		}
	})
}
