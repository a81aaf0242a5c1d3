package diff

import (
	"strings"
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
		{"what we own and nobody has any more does not", head + "}\ndata: {x: a}", head + owned + "data: {x: a}", false},
		{"what we own in another version of the kind may differ: the server decides", head + "}\ndata: {x: a}", head + strings.Replace(owned, "operation: Apply", "operation: Apply, apiVersion: v0", 1) + "data: {x: a}", true},
		{"what we own as a client does not count here", head + "}\ndata: {x: a}", head + strings.Replace(owned, "operation: Apply", "operation: Update", 1) + "data: {x: a, w: b}", false},
		{"managed fields that cannot be read are looked at by the server", head + "}\ndata: {x: a}", head + strings.Replace(owned, `"f:x": {}`, `"f:x": 1`, 1) + "data: {x: a}", true},
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

func TestNormalizeKeepsAStatusThatCounts(t *testing.T) {
	tests := []struct {
		reason string
		kind   string
		scope  StatusScope
		kept   bool
	}{
		{"By default no status counts.", "apiVersion: v1\nkind: Pod", "", false},
		{"Nor with all.", "apiVersion: v1\nkind: Pod", StatusOfAll, false},
		{"With crd that of definitions is left out.", "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition", StatusOfCRDs, false},
		{"That of other kinds counts then.", "apiVersion: v1\nkind: Pod", StatusOfCRDs, true},
		{"With none every status counts.", "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition", StatusOfNone, true},
	}
	for _, tc := range tests {
		_, kept := Normalize(parse(t, tc.kind+"\nstatus: {a: b}"), tc.scope).Object["status"]
		if kept != tc.kept {
			t.Errorf("%s: kept %v", tc.reason, kept)
		}
	}
}

func TestChanged(t *testing.T) {
	const head = "apiVersion: v1\nkind: Pod\nmetadata: {name: a, resourceVersion: '1', managedFields: [{manager: argocd-controller, operation: Apply, fieldsV1: "
	const owned = head + `{"f:metadata": {"f:labels": {"f:l": {}}}, "f:spec": {"f:x": {}, "f:containers": {'k:{"name":"a"}': {".": {}, "f:name": {}, "f:image": {}}, 'k:{"name":"b"}': {".": {}, "f:name": {}}}}}` + "}]"
	const dropped = head + `{"f:spec": {"f:containers": {'k:{"name":"a"}': {".": {}, "f:name": {}, "f:image": {}}, 'k:{"name":"b"}': {".": {}, "f:name": {}}}}}` + "}]"
	const spec = "spec: {x: y, d: e, containers: [{name: a, image: i}, {name: b}]}"
	tests := []struct {
		reason, live, predicted string
		want                    bool
	}{
		{"Bookkeeping and status are no change.", owned + "}\nstatus: {s: 1}\n" + spec, strings.Replace(owned, "'1'", "'2'", 1) + ", generation: 2}\n" + spec, false},
		{"A value of ours is one.", owned + "}\n" + spec, owned + "}\n" + strings.Replace(spec, "x: y", "x: z", 1), true},
		{"So is one in an item of a list.", owned + "}\n" + spec, owned + "}\n" + strings.Replace(spec, "image: i", "image: j", 1), true},
		{"A label that is new is one.", owned + "}\n" + spec, owned + ", labels: {l: m}}\n" + spec, true},
		{"What a webhook adds to all that passes is none.", owned + "}\n" + spec, owned + ", annotations: {injected: 'yes'}}\n" + strings.Replace(spec, "{name: b}", "{name: b}, {name: proxy}", 1), false},
		{"Nor is what another changed meanwhile.", owned + "}\n" + spec, owned + "}\n" + strings.Replace(spec, "d: e", "d: f", 1), false},
		{"Unless the object asks to count that.", owned + "}\n" + spec, owned + ", annotations: {argocd.argoproj.io/compare-options: IncludeMutationWebhook=true, injected: 'yes'}}\n" + spec, true},
		{"A field that we give up and that goes is one.", owned + "}\n" + spec, dropped + "}\n" + strings.Replace(spec, "x: y, ", "", 1), true},
		{"So is one that goes back to its default.", owned + "}\n" + spec, dropped + "}\n" + strings.Replace(spec, "x: y", "x: default", 1), true},
		{"One that another keeps is none.", owned + "}\n" + spec, dropped + "}\n" + spec, false},
		{"The order of our items is ours.", owned + "}\n" + spec, owned + "}\nspec: {x: y, d: e, containers: [{name: b}, {name: a, image: i}]}", true},
		{"An item between them is not.", owned + "}\n" + spec, owned + "}\nspec: {x: y, d: e, containers: [{name: a, image: i}, {name: p}, {name: b}]}", false},
		{"Empty labels are none.", owned + ", labels: {}}\n" + spec, owned + "}\n" + spec, false},
		{"A server that records nothing is compared as a whole.", "apiVersion: v1\nkind: Pod\nspec: {a: b}", "apiVersion: v1\nkind: Pod\nspec: {a: b, c: d}", true},
	}
	for _, tc := range tests {
		t.Run(tc.reason, func(t *testing.T) {
			if got := Changed(parse(t, tc.live), parse(t, tc.predicted)); got != tc.want {
				t.Errorf("Changed = %v", got)
			}
		})
	}
}

func TestAbandoned(t *testing.T) {
	live := func(last, managers, data string) string {
		return "apiVersion: v1\nkind: X\nmetadata: {name: a, managedFields: [" + managers + "], annotations: {kubectl.kubernetes.io/last-applied-configuration: '" + last + "'}}\n" + data
	}
	const kubectl = "{manager: kubectl-client-side-apply, operation: Update}"
	tests := []struct {
		reason, target, live string
		want                 bool
	}{
		{"A field that Git dropped since kubectl applied it.", "data: {x: a}", live(`{"data":{"x":"a","w":"b"}}`, kubectl, "data: {x: a, w: b}"), true},
		{"The same, applied by Argo CD.", "data: {x: a}", live(`{"data":{"x":"a","w":"b"}}`, "{manager: argocd-controller, operation: Update}", "data: {x: a, w: b}"), true},
		{"It has been taken over: the annotation is history.", "data: {x: a}", live(`{"data":{"x":"a","w":"b"}}`, "{manager: argocd-controller, operation: Apply}", "data: {x: a, w: b}"), false},
		{"It is not live any more.", "data: {x: a}", live(`{"data":{"x":"a","w":"b"}}`, kubectl, "data: {x: a}"), false},
		{"Git has all of it.", "data: {x: a, w: c}", live(`{"data":{"x":"a","w":"b"}}`, kubectl, "data: {x: a, w: b}"), false},
		{"Bookkeeping is never given up.", "data: {x: a}", live(`{"metadata":{"name":"a","creationTimestamp":null,"annotations":{}},"status":{"s":1},"data":{"x":"a"}}`, kubectl, "data: {x: a}\nstatus: {s: 1}"), false},
		{"Labels are.", "data: {x: a}", strings.Replace(live(`{"metadata":{"labels":{"l":"m"}},"data":{"x":"a"}}`, kubectl, "data: {x: a}"), "{name: a,", "{name: a, labels: {l: m},", 1), true},
		{"An item of a list.", "l: [{name: a}]", live(`{"l":[{"name":"a"},{"name":"b"}]}`, kubectl, "l: [{name: b}, {name: a}]"), true},
		{"A field of an item.", "l: [{name: a}]", live(`{"l":[{"name":"a","v":1}]}`, kubectl, "l: [{name: b, v: 1}, {name: a, v: 1}]"), true},
		{"A value of another kind shows elsewhere.", "data: text", live(`{"data":{"x":"a"}}`, kubectl, "data: {x: a}"), false},
		{"An annotation that cannot be read says nothing.", "data: {x: a}", live(`{`, kubectl, "data: {x: a, w: b}"), false},
		{"Nor does one that is not there.", "data: {x: a}", "apiVersion: v1\nkind: X\ndata: {x: a, w: b}", false},
	}
	for _, tc := range tests {
		t.Run(tc.reason, func(t *testing.T) {
			if got := Abandoned(parse(t, "apiVersion: v1\nkind: X\nmetadata: {name: a}\n"+tc.target), parse(t, tc.live)); got != tc.want {
				t.Errorf("Abandoned = %v", got)
			}
		})
	}
}
