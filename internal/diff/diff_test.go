package diff

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

func parse(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	obj := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(text), obj); err != nil {
		t.Fatal(err)
	}
	return obj
}

func TestLocal(t *testing.T) {
	const head = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a"
	const owned = `, managedFields: [{manager: argocd-controller, operation: Apply, fieldsType: FieldsV1, fieldsV1: {"f:data": {"f:x": {}, "f:w": {}}}}]}` + "\n"
	for _, tc := range []struct {
		reason, target, live string
		want                 bool
	}{
		{"equal objects do not differ", head + "}\ndata: {x: a}", head + "}\ndata: {x: a}", false},
		{"what the target does not set does not count", head + "}\ndata: {x: a}", head + ", uid: u}\ndata: {x: a, z: b}", false},
		{"a changed value differs", head + "}\ndata: {x: a}", head + "}\ndata: {x: b}", true},
		{"a missing field differs", head + "}\ndata: {x: a}", head + "}\n", true},
		{"an empty map is covered by none", head + "}\ndata: {}", head + "}\n", false},
		{"numbers are compared as numbers", head + "}\nspec: {n: 1}", head + "}\nspec: {n: 1.0}", false},
		{"a longer list may differ: the server decides", head + "}\nspec: {l: [a]}", head + "}\nspec: {l: [a, b]}", true},
		{"items are compared by their fields", head + "}\nspec: {l: [{a: 1}]}", head + "}\nspec: {l: [{a: 1, defaulted: true}]}", false},
		{"what we own and the target dropped differs", head + "}\ndata: {x: a}", head + owned + "data: {x: a, w: b}", true},
		{"what we own and the target sets does not", head + "}\ndata: {x: a, w: b}", head + owned + "data: {x: a, w: b}", false},
	} {
		if got := Local(parse(t, tc.target), parse(t, tc.live)); got != tc.want {
			t.Errorf("%s: Local = %v", tc.reason, got)
		}
	}
}

func TestNormalize(t *testing.T) {
	target := parse(t, "apiVersion: v1\nkind: Secret\nmetadata: {name: a, creationTimestamp: null}\nstringData: {x: hello}\ndata: {y: eQ==}\nstatus: {z: 1}\n")
	before := target.DeepCopy()
	want := parse(t, "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata: {x: aGVsbG8=, y: eQ==}\n")
	if diff := cmp.Diff(want.Object, Normalize(target, "").Object); diff != "" {
		t.Errorf("Normalize (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(before.Object, target.Object); diff != "" {
		t.Errorf("Normalize changed its argument:\n%s", diff)
	}
}

func TestChanged(t *testing.T) {
	live := parse(t, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, resourceVersion: '1', generation: 1}\ndata: {x: a}\nstatus: {s: 1}\n")
	same := parse(t, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, resourceVersion: '2', generation: 2}\ndata: {x: a}\n")
	other := parse(t, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, labels: {l: m}}\ndata: {x: a}\n")
	if Changed(live, same) {
		t.Error("bookkeeping and status count as a change")
	}
	if !Changed(live, other) {
		t.Error("a new label does not count as a change")
	}
}
