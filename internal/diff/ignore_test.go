package diff

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/resource"
)

func pointers(texts ...string) argov1.ResourceIgnoreDifferences {
	return argov1.ResourceIgnoreDifferences{Group: "*", Kind: "*", JSONPointers: texts}
}

func expressions(texts ...string) argov1.ResourceIgnoreDifferences {
	return argov1.ResourceIgnoreDifferences{Group: "*", Kind: "*", JQPathExpressions: texts}
}

func managers(names ...string) argov1.ResourceIgnoreDifferences {
	return argov1.ResourceIgnoreDifferences{Group: "*", Kind: "*", ManagedFieldsManagers: names}
}

func compile(t testing.TB, entries ...argov1.ResourceIgnoreDifferences) *Rules {
	t.Helper()
	rules, err := Compile(Ignore{Application: entries, Limit: soon})
	if err != nil {
		t.Fatal(err)
	}
	return rules
}

// soon is a time limit that holds only what never ends, also on a machine with other things to do.
func soon() (<-chan struct{}, func()) { return within(30 * time.Second) }

func within(limit time.Duration) (<-chan struct{}, func()) {
	expired := make(chan struct{})
	timer := time.AfterFunc(limit, func() { close(expired) })
	return expired, func() { timer.Stop() }
}

func TestAlignTakesOut(t *testing.T) {
	tests := []struct {
		reason    string
		rule      argov1.ResourceIgnoreDifferences
		obj, want string
	}{
		{"A field that a pointer names goes.", pointers("/spec/replicas"), "spec: {replicas: 1, a: b}", "spec: {a: b}"},
		{"A field that is missing is fine.", pointers("/spec/replicas", "/x/0/y"), "spec: {a: b}", "spec: {a: b}"},
		{"Tilde and slash are escaped.", pointers("/data/a~1b", "/data/c~0d", "/data/e~01f"), "data: {a/b: '', c~d: '', e~1f: '', x: ''}", "data: {x: ''}"},
		{"A number is an index where there is a list.", pointers("/l/1", "/m/1"), "l: [a, b, c]\nm: {'1': x, '2': y}", "l: [a, c]\nm: {'2': y}"},
		{"Indexes are those of the object as it was.", pointers("/l/0", "/l/1"), "l: [a, b, c]", "l: [c]"},
		{"An index beyond the list is missing.", pointers("/l/3", "/l/-1", "/l/-"), "l: [a, b, c]", "l: [a, b, c]"},
		{"A field and one within it.", pointers("/a", "/a/b"), "a: {b: c}\nx: z", "x: z"},
		{"Null is a field.", pointers("/a"), "a: null\nx: z", "x: z"},
		{"An expression names fields.", expressions(".spec.replicas"), "spec: {replicas: 1, a: b}", "spec: {a: b}"},
		{"An expression picks items.", expressions(`.l[] | select(.id == "a") | .v`), "l: [{id: a, v: 1}, {id: b, v: 2}]", "l: [{id: a}, {id: b, v: 2}]"},
		{"An expression takes items out.", expressions(`.l[] | select(.id == "a")`), "l: [{id: a}, {id: b}, {id: a}]", "l: [{id: b}]"},
		{"Indexes of jq count from the end as well.", expressions(`.l[-1]`), "l: [a, b, c]", "l: [a, b]"},
		{"Slices are several items.", expressions(`.l[1:]`, `.m[:1]`, `.o[-1:]`), "l: [a, b, c]\nm: [a, b]\no: [a, b]", "l: [a]\nm: [b]\no: [a]"},
		{"Keys may be computed.", expressions(`.data[.data | keys[] | select(startswith("x"))]`), "data: {x1: a, x2: b, z: c}", "data: {z: c}"},
		{"Everything that has a name.", expressions(`.. | select(has("caBundle")?) | .caBundle`), "w: [{c: {caBundle: a}}, {caBundle: b, d: e}]", "w: [{c: {}}, {d: e}]"},
		{"What walks through a missing field names nothing.", expressions(".a.b[]", ".spec.l[].x"), "spec: {l: null}", "spec: {l: null}"},
		{"What fails half way names nothing, as in jq.", expressions(`.l[] | select(.id | startswith("a"))`), "l: [{id: a}, {}]", "l: [{id: a}, {}]"},
		{"Numbers are compared as numbers.", expressions(`.l[] | select(.p > 79)`), "l: [{p: 80}, {p: 79}]", "l: [{p: 79}]"},
		{"Strings may be put together.", expressions(`.l[] | select(.id == "a" + "b")`, `.l[] | select(.id == "\("x")y")`), "l: [{id: ab}, {id: xy}, {id: c}]", "l: [{id: c}]"},
		{"Conditions may hold lists.", expressions(`.l[] | select([.id] | inside(["a", "b"]))`), "l: [{id: a}, {id: c}]", "l: [{id: c}]"},
		{"If, first, alternatives.", expressions(`if .x then .a else .b end`, `first(.l[])`, `.c // .d`), "a: 1\nb: 2\nl: [1, 2]\nd: 3", "a: 1\nl: [2]"},
		{"Variables and loops.", expressions(`.l as $l | .m[] | select(. == $l[])`, `.k | label $out | foreach .[] as $i (0; . + 1; if . > 1 then break $out else . end) | empty`), "l: [a]\nm: [a, b]", "l: [a]\nm: [b]"},
	}
	for _, tc := range tests {
		t.Run(tc.reason, func(t *testing.T) {
			obj := parse(t, "apiVersion: v1\nkind: X\n"+tc.obj)
			before := obj.DeepCopy()
			view := compile(t, tc.rule).For(resource.Key{Kind: "X"})
			for range 2 { // an evaluation leaves nothing behind
				got, live, err := view.Align(obj, obj)
				if err != nil {
					t.Fatal(err)
				}
				if d := cmp.Diff(parse(t, "apiVersion: v1\nkind: X\n"+tc.want).Object, got.Object); d != "" {
					t.Errorf("-want +got:\n%s", d)
				}
				if d := cmp.Diff(got.Object, live.Object); d != "" {
					t.Errorf("the sides differ:\n%s", d)
				}
			}
			if d := cmp.Diff(before, obj); d != "" {
				t.Errorf("the argument changed:\n%s", d)
			}
		})
	}
}

func TestCompileNamesWhatCannotBeRead(t *testing.T) {
	tests := []struct {
		reason string
		ignore Ignore
		want   []string
	}{
		{"A pointer begins with a slash.", Ignore{Application: argov1.IgnoreDifferences{{Kind: "Pod", JSONPointers: []string{"spec/replicas"}}}}, []string{`spec.ignoreDifferences[0] of Pod: jsonPointers "spec/replicas": a JSON pointer begins with a slash; write /spec/replicas`}},
		{"The whole object is no field.", Ignore{Application: argov1.IgnoreDifferences{{Kind: "Pod", JSONPointers: []string{""}}}}, []string{`jsonPointers ""`, "names the whole object"}},
		{"A tilde is escaped.", Ignore{Application: argov1.IgnoreDifferences{{Kind: "Pod", JSONPointers: []string{"/a~b"}}}}, []string{`write ~0 for ~`}},
		{"An expression that does not parse.", Ignore{Application: argov1.IgnoreDifferences{{}, {Group: "apps", Kind: "Deployment", JQPathExpressions: []string{`.a[] | select(.b == "c)`}}}}, []string{`spec.ignoreDifferences[1] of apps/Deployment: jqPathExpressions ".a[] | select(.b == \"c)": `}},
		{"One of the settings.", Ignore{System: argov1.IgnoreDifferences{{Group: "*", Kind: "*", JQPathExpressions: []string{`.a[`}}}}, []string{`argocd-cm, ignoreDifferences of */*: jqPathExpressions ".a["`}},
		{"A glob that cannot be read.", Ignore{Application: argov1.IgnoreDifferences{{Group: "[", Kind: "Pod"}}}, []string{`group "["`}},
		{"Settings that could not be read at all.", Ignore{Broken: errors.New("argocd-cm: x is y")}, []string{"argocd-cm: x is y"}},
		{"All of them are told.", Ignore{Application: argov1.IgnoreDifferences{{Kind: "A", JSONPointers: []string{"a", "b"}}}}, []string{`"a"`, `; spec.ignoreDifferences[0] of A: jsonPointers "b"`}},
		{"A function that nobody knows.", Ignore{Application: argov1.IgnoreDifferences{{Kind: "A", JQPathExpressions: []string{".a | nope"}}}}, []string{"function nope is not known here; write a path expression"}},
		{"Functions of the outside world are not there.", Ignore{Application: argov1.IgnoreDifferences{{Kind: "A", JQPathExpressions: []string{".a[env.HOME]"}}}}, []string{"function env"}},
		{"A type that nobody knows.", Ignore{Known: []KnownType{{Group: "g", Kind: "K", Field: "spec", Type: "core/v1/Nope"}}}, []string{`argocd-cm, knownTypeFields of g/K: type "core/v1/Nope": it is no known type; write core/v1/<Name>`}},
		{"A field without a name.", Ignore{Known: []KnownType{{Group: "g", Kind: "K", Type: "core/Quantity"}}}, []string{`field ""`}},
		{"Nothing is assigned.", Ignore{Application: argov1.IgnoreDifferences{{Kind: "A", JQPathExpressions: []string{".a |= 1"}}}}, []string{"operator |= cannot be used here"}},
		{"Nothing is defined.", Ignore{Application: argov1.IgnoreDifferences{{Kind: "A", JQPathExpressions: []string{"def f: .a; f"}}}}, []string{"definitions cannot be used here"}},
		{"An expression has a length that ends.", Ignore{Application: argov1.IgnoreDifferences{{Kind: "A", JQPathExpressions: []string{strings.Repeat("(", 9000)}}}}, []string{"longer than 8192 bytes"}},
	}
	for _, tc := range tests {
		t.Run(tc.reason, func(t *testing.T) {
			tc.ignore.Limit = soon
			rules, err := Compile(tc.ignore)
			if err == nil || rules != nil {
				t.Fatalf("Compile = %v, %v", rules, err)
			}
			for _, want := range tc.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q is not in: %v", want, err)
				}
			}
		})
	}
}

// TestExpressionsAreBounded tries what takes an interpreter down that is given all it asks for.
func TestExpressionsAreBounded(t *testing.T) {
	tests := []struct{ reason, text, want string }{
		{"A loop without end.", `until(true == false; .)`, "stopped for taking too much"},
		{"A value that grows with each turn.", `until(true == false; [.] + [1])`, "stopped for taking too much"},
		{"A list that doubles.", `.a[reduce range(99) as $i ([1]; . + .) | length]`, "stopped for taking too much"},
		{"A text that doubles.", `.a[reduce range(99) as $i ("x"; . + .)]`, "stopped for taking too much"},
		{"A text that doubles by interpolation.", `.a[reduce range(99) as $i ("x"; "\(.)\(.)")]`, "stopped for taking too much"},
		{"A tree that doubles without memory, and whose comparison takes for ever.", `.a[reduce range(99) as $i (1; [., .]) | . == .]`, "stopped for taking too much"},
		{"The same without a loop.", `.a[1` + strings.Repeat(`|[.,.]`, 99) + ` | . == .]`, "stopped for taking too much"},
		{"Objects that double.", `.a[reduce range(99) as $i (1; {a: ., b: .}) | . == .]`, "stopped for taking too much"},
		{"A value that is too deep to walk through.", `.a[reduce range(1000000) as $i (1; [.]) | tojson]`, "stopped for taking too much"},
		{"A list of everything.", `.a[[range(1000000000)] | length]`, "stopped for taking too much"},
		{"Escapes of escapes.", `.a["\"" | ` + strings.Repeat(`tojson | `, 99) + `.]`, "stopped for taking too much"},
		{"More paths than there are fields.", `range(1000000000) as $i | .a`, "stopped for taking too much"},
		{"Errors that are caught do not give the memory back.", `.a[reduce range(1000000000) as $i ("x"; try (. + .) catch "x")]`, "stopped for taking too much"},
		{"A value is no path.", `.a | tostring`, "it names no fields"},
		{"Nor is a constant.", `1`, "it names no fields"},
		{"The whole object is no field.", `.`, "it names the whole object"},
	}
	for _, tc := range tests {
		t.Run(tc.reason, func(t *testing.T) {
			obj := parse(t, "apiVersion: v1\nkind: X\na: {b: c}")
			limit := soon
			if strings.Contains(tc.want, "too much") {
				limit = func() (<-chan struct{}, func()) { return within(200 * time.Millisecond) }
			}
			rules, err := Compile(Ignore{Application: argov1.IgnoreDifferences{expressions(tc.text)}, Limit: limit})
			if err != nil {
				t.Fatal(err)
			}
			_, _, err = rules.For(resource.Key{Kind: "X"}).Align(obj, obj)
			if err == nil || !strings.Contains(err.Error(), tc.want) || !strings.HasPrefix(err.Error(), "spec.ignoreDifferences[0] of */*: jqPathExpressions ") {
				t.Errorf("error: %v", err)
			}
		})
	}
}

const managed = `apiVersion: apps/v1
kind: Deployment
metadata:
  name: a
  managedFields:
  - manager: argocd-controller
    operation: Apply
    apiVersion: apps/v1
    fieldsType: FieldsV1
    fieldsV1: {"f:spec": {"f:replicas": {}, "f:template": {"f:spec": {"f:containers": {'k:{"name":"c"}': {".": {}, "f:name": {}, "f:image": {}, "f:ports": {'k:{"containerPort":80,"protocol":"TCP"}': {".": {}, "f:containerPort": {}}}}, 'k:{"name":"side"}': {".": {}, "f:name": {}, "f:image": {}}}}}}}
  - manager: scaler
    operation: Update
    subresource: scale
    apiVersion: apps/v1
    fieldsType: FieldsV1
    fieldsV1: {"f:spec": {"f:replicas": {}}}
  - manager: injector
    operation: Update
    apiVersion: apps/v1
    fieldsType: FieldsV1
    fieldsV1: {"f:metadata": {"f:annotations": {".": {}, "f:injected": {}}}, "f:spec": {"f:template": {"f:spec": {"f:containers": {'k:{"name":"side"}': {"f:image": {}}, 'k:{"name":"proxy"}': {".": {}, "f:name": {}, "f:image": {}}}}}}}
  annotations: {injected: "yes", other: "yes"}
spec:
  replicas: 5
  template:
    spec:
      containers:
      - {name: proxy, image: proxy:1}
      - {name: side, image: side:2}
      - {name: c, image: c:1, ports: [{containerPort: 80, protocol: TCP, name: web}]}
`

const wanted = `apiVersion: apps/v1
kind: Deployment
metadata: {name: a}
spec:
  replicas: 1
  template:
    spec:
      containers:
      - {name: c, image: c:1, ports: [{containerPort: 80}]}
      - {name: side, image: side:1}
`

// TestRespectIgnored checks what is applied when ignored differences are respected: the values that are live, wherever the
// live object has them.
func TestRespectIgnored(t *testing.T) {
	tests := []struct {
		reason string
		rule   argov1.ResourceIgnoreDifferences
		change func(target map[string]any)
	}{
		{"Nothing is ignored, nothing changes.", argov1.ResourceIgnoreDifferences{Group: "x", Kind: "y", JSONPointers: []string{"/spec"}}, func(map[string]any) {}},
		{"A field is taken over.", pointers("/spec/replicas"), func(o map[string]any) { set(o, int64(5), "spec", "replicas") }},
		{"By an expression as well.", expressions(".spec.replicas"), func(o map[string]any) { set(o, int64(5), "spec", "replicas") }},
		{"A field that the target lacks is taken over.", pointers("/metadata/annotations/other"), func(o map[string]any) { set(o, map[string]any{"other": "yes"}, "metadata", "annotations") }},
		{"A field that is not live is not applied.", pointers("/spec/replicas/x", "/spec/paused"), func(o map[string]any) { delete(o["spec"].(map[string]any), "paused") }},
		{"Items of lists are told apart by their key, not by their place.", expressions(`.spec.template.spec.containers[] | select(.name == "side") | .image`), func(o map[string]any) { container(o, 1)["image"] = "side:2" }},
		{"An item that the target does not want is not begun.", expressions(`.spec.template.spec.containers[] | select(.name == "proxy") | .image`), func(map[string]any) {}},
		{"A whole item is kept.", expressions(`.spec.template.spec.containers[] | select(.name == "proxy")`), func(o map[string]any) {
			spec := o["spec"].(map[string]any)["template"].(map[string]any)["spec"].(map[string]any)
			spec["containers"] = append([]any{map[string]any{"name": "proxy", "image": "proxy:1"}}, spec["containers"].([]any)...)
		}},
		{"Keys that the server defaulted do not tell items apart.", expressions(`.spec.template.spec.containers[].ports[]?.name`), func(o map[string]any) {
			container(o, 0)["ports"].([]any)[0].(map[string]any)["name"] = "web"
		}},
		{"Fields of a manager have the live value, also those of a subresource.", managers("scaler"), func(o map[string]any) { set(o, int64(5), "spec", "replicas") }},
		{"So have its items of lists.", managers("injector"), func(o map[string]any) {
			set(o, map[string]any{"injected": "yes"}, "metadata", "annotations")
			container(o, 1)["image"] = "side:2"
			spec := o["spec"].(map[string]any)["template"].(map[string]any)["spec"].(map[string]any)
			spec["containers"] = append([]any{map[string]any{"name": "proxy", "image": "proxy:1"}}, spec["containers"].([]any)...)
		}},
		{"Status is never applied.", pointers("/status"), func(map[string]any) {}},
	}
	for _, tc := range tests {
		t.Run(tc.reason, func(t *testing.T) {
			target, live := parse(t, wanted), parse(t, managed)
			set(target.Object, false, "spec", "paused")
			set(live.Object, "s", "status", "x")
			want := target.DeepCopy()
			tc.change(want.Object)
			before, beforeLive := target.DeepCopy(), live.DeepCopy()
			got, err := RespectIgnored(target, live, compile(t, tc.rule))
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(want.Object, got.Object); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
			if d := cmp.Diff(before, target) + cmp.Diff(beforeLive, live); d != "" {
				t.Errorf("an argument changed:\n%s", d)
			}
		})
	}
	target := parse(t, wanted)
	if got, err := RespectIgnored(target, nil, compile(t, pointers("/spec"))); err != nil || got != target {
		t.Errorf("a target that is not live: %v, %v", got, err)
	}
	if got, err := RespectIgnored(target, parse(t, managed), nil); err != nil || got != target {
		t.Errorf("without rules: %v, %v", got, err)
	}
	if _, err := RespectIgnored(target, parse(t, managed), compile(t, expressions("until(false; [.])"))); err == nil {
		t.Error("a rule that cannot be evaluated is passed over")
	}
}

func set(object map[string]any, value any, path ...string) {
	_ = unstructured.SetNestedField(object, value, path...)
}

func container(object map[string]any, i int) map[string]any {
	spec := object["spec"].(map[string]any)["template"].(map[string]any)["spec"].(map[string]any)
	return spec["containers"].([]any)[i].(map[string]any)
}

func TestTrustedManagers(t *testing.T) {
	rules := compile(t, managers("scaler", "injector"))
	target, live := parse(t, wanted), parse(t, managed)
	left, right, err := rules.For(resource.KeyOf(target)).Align(target, live)
	if err != nil {
		t.Fatal(err)
	}
	// The order of the containers is up to the server; everything else is equal.
	sorted := container(left.Object, 0)["name"] == "proxy" && container(left.Object, 2)["image"] == "side:2"
	if !sorted || container(left.Object, 1)["name"] != "c" {
		t.Errorf("containers: %v", left.Object["spec"])
	}
	if d := cmp.Diff(live.Object, right.Object); d != "" {
		t.Errorf("live changed:\n%s", d)
	}
}

func TestAggregatedRoles(t *testing.T) {
	const role = "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: a}\n"
	rules, err := Compile(Ignore{AggregatedRoles: true, Limit: soon})
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		reason, target, live string
		want                 bool
	}{
		{"Rules of a role that is put together from others do not count.", "aggregationRule: {x: y}\nrules: []", "aggregationRule: {x: y}\nrules: [{verbs: [get]}]", false},
		{"Those of any other role do.", "rules: []", "rules: [{verbs: [get]}]", true},
		{"What it is put together from does.", "aggregationRule: {x: y}", "aggregationRule: {x: z}", true},
	} {
		target, live := parse(t, role+tc.target), parse(t, role+tc.live)
		left, right, err := rules.For(resource.KeyOf(target)).Align(target, live)
		if err != nil {
			t.Fatal(err)
		}
		if got := Local(left, right); got != tc.want {
			t.Errorf("%s: Local = %v", tc.reason, got)
		}
	}
	if view := rules.For(resource.Key{Kind: "ConfigMap"}); view.Hides() {
		t.Error("another kind has a view")
	}
}

func TestKnownFieldsAreComparedByTheirMeaning(t *testing.T) {
	const head = "apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nmetadata: {name: a}\nspec: {template: {spec: {containers: [{name: c, resources: {requests: {cpu: "
	tests := []struct {
		reason, target, live string
		want                 bool
	}{
		{"Two spellings of one quantity.", "1000m}}}]}}}", "'1'}}}]}}}", false},
		{"Two quantities.", "1000m}}}]}}}", "'2'}}}]}}}", true},
		{"A field that the type does not know is never passed over.", "1000m}}, novel: a}]}}}", "1000m}}, novel: b}]}}}", true},
	}
	for _, tc := range tests {
		t.Run(tc.reason, func(t *testing.T) {
			target, live := parse(t, head+tc.target), parse(t, head+tc.live)
			view := compile(t).For(resource.KeyOf(target))
			left, right, err := view.Align(target, live)
			if err != nil {
				t.Fatal(err)
			}
			if got := Local(left, right); got != tc.want {
				t.Errorf("Local = %v", got)
			}
			if got, err := RespectIgnored(target, live, compile(t)); err != nil || got != target {
				t.Errorf("a sync would not apply what is written: %v, %v", got, err)
			}
		})
	}
}

func TestFor(t *testing.T) {
	rules := compile(t,
		argov1.ResourceIgnoreDifferences{Kind: "ConfigMap", JSONPointers: []string{"/core"}},
		argov1.ResourceIgnoreDifferences{Group: "*.example.com", Kind: "Wid*", Name: "a", Namespace: "ns", JSONPointers: []string{"/named"}},
	)
	tests := []struct {
		reason string
		key    resource.Key
		want   bool
	}{
		{"An empty group is the core group.", resource.Key{Kind: "ConfigMap", Name: "x"}, true},
		{"It is no other.", resource.Key{Group: "example.com", Kind: "ConfigMap"}, false},
		{"Groups and kinds are globs.", resource.Key{Group: "a.example.com", Kind: "Widget", Namespace: "ns", Name: "a"}, true},
		{"Names match exactly.", resource.Key{Group: "a.example.com", Kind: "Widget", Namespace: "ns", Name: "ab"}, false},
		{"So do namespaces.", resource.Key{Group: "a.example.com", Kind: "Widget", Namespace: "n", Name: "a"}, false},
	}
	for _, tc := range tests {
		if got := rules.For(tc.key).Hides(); got != tc.want {
			t.Errorf("%s: %v", tc.reason, got)
		}
	}
	var none *Rules
	if none.For(resource.Key{}).Hides() {
		t.Error("no rules hide something")
	}
}
