package diff

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
)

// object reads YAML.
func object(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	obj := &unstructured.Unstructured{}
	data, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	if err := obj.UnmarshalJSON(data); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return obj
}

// web is a Deployment as the API server of Kubernetes 1.37 kept it, after a sync, a kubectl edit of the image, and two
// controllers: one scaled it through its subresource, the other set an annotation by a server-side apply.
const web = `
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  namespace: shop
  labels: {team: a}
  annotations: {example.com/owner: policy}
  managedFields:
  - {manager: argocd-controller, operation: Apply, apiVersion: apps/v1, time: "2026-01-01T10:00:00Z", fieldsType: FieldsV1, fieldsV1: {
      "f:metadata": {"f:labels": {"f:team": {}}},
      "f:spec": {"f:selector": {}, "f:template": {"f:metadata": {"f:labels": {"f:app": {}}},
        "f:spec": {"f:containers": {'k:{"name":"web"}': {".": {}, "f:name": {}, "f:args": {}, "f:resources": {"f:requests": {"f:cpu": {}}}, "f:ports": {'k:{"containerPort":80,"protocol":"TCP"}': {".": {}, "f:containerPort": {}}}},
          'k:{"name":"side"}': {".": {}, "f:name": {}, "f:image": {}}}}}}}}
  - {manager: guard, operation: Apply, apiVersion: apps/v1, time: "2026-01-02T10:00:00Z", fieldsType: FieldsV1, fieldsV1: {
      "f:metadata": {"f:annotations": {"f:example.com/owner": {}}}}}
  - {manager: kubectl-edit, operation: Update, apiVersion: apps/v1, time: "2026-01-03T10:00:00Z", fieldsType: FieldsV1, fieldsV1: {
      "f:spec": {"f:template": {"f:spec": {"f:containers": {'k:{"name":"web"}': {"f:image": {}}}}}}}}
  - {manager: older-scaler, operation: Update, subresource: scale, apiVersion: apps/v1, time: "2026-01-03T09:00:00Z", fieldsType: FieldsV1, fieldsV1: {"f:spec": {"f:replicas": {}}}}
  - {manager: scaler, operation: Update, subresource: scale, apiVersion: apps/v1, time: "2026-01-04T10:00:00Z", fieldsType: FieldsV1, fieldsV1: {"f:spec": {"f:replicas": {}}}}
  - {manager: kube-controller-manager, operation: Update, subresource: status, apiVersion: apps/v1, time: "2026-01-05T10:00:00Z", fieldsType: FieldsV1, fieldsV1: {
      "f:metadata": {"f:annotations": {"f:deployment.kubernetes.io/revision": {}}}, "f:status": {"f:replicas": {}}}}
spec:
  replicas: 7
  revisionHistoryLimit: 10
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: web, image: "web:2", args: [a], resources: {requests: {cpu: "1"}}, ports: [{containerPort: 80, protocol: TCP}]}
      - {name: side, image: "side:1"}
`

// gitWeb is the target that web was applied from, but for the image and the scale.
const gitWeb = `
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  namespace: shop
  labels: {team: a}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: web, args: [a], resources: {requests: {cpu: 1000m}}, ports: [{containerPort: 80}]}
      - {name: side, image: "side:1"}
`

// predict plays the server: web with a change of text, owned by us as the target says.
func predict(t *testing.T, changes ...string) *unstructured.Unstructured {
	t.Helper()
	return object(t, strings.NewReplacer(changes...).Replace(web))
}

func TestExplain(t *testing.T) {
	at := func(day string) *metav1.Time {
		parsed, err := time.Parse(time.RFC3339, "2026-01-"+day+"T10:00:00Z")
		if err != nil {
			t.Fatal(err)
		}
		return &metav1.Time{Time: parsed.Local()}
	}
	change := func(changes ...string) *unstructured.Unstructured {
		return object(t, strings.NewReplacer(changes...).Replace(gitWeb))
	}
	tests := []struct {
		reason string
		sides  Sides
		want   []Difference
	}{
		{"What is as it should be has no difference.", Sides{Target: object(t, gitWeb), Live: object(t, web), Predicted: object(t, web)}, []Difference{}},
		{
			"A person's tool wrote another image.",
			Sides{change("name: web, args", `name: web, image: "web:1", args`), object(t, web), predict(t, `"f:args"`, `"f:image": {}, "f:args"`, "web:2", "web:1")},
			[]Difference{{
				Path: "spec.template.spec.containers[name=web].image", Class: ClassEdited, Target: "web:1", Live: "web:2", Manager: "kubectl-edit", Time: at("03"),
				Ignore: `.spec.template.spec.containers[] | select(.name == "web") | .image`,
			}},
		},
		{
			"A controller scaled it; the last of two is named.",
			Sides{change("spec:\n  sel", "spec:\n  replicas: 3\n  sel"), object(t, web), predict(t, `"f:spec": {"f:selector"`, `"f:spec": {"f:replicas": {}, "f:selector"`, "replicas: 7", "replicas: 3")},
			[]Difference{{Path: "spec.replicas", Class: ClassController, Target: int64(3), Live: int64(7), Manager: "scaler", Time: at("04"), Ignore: ".spec.replicas"}},
		},
		{
			"A controller set an annotation that Git has as well.",
			Sides{change("labels: {team: a}", "labels: {team: a}\n  annotations: {example.com/owner: git}"), object(t, web), predict(t, `"f:metadata": {"f:labels": {"f:team"`, `"f:metadata": {"f:annotations": {"f:example.com/owner": {}}, "f:labels": {"f:team"`, "owner: policy", "owner: git")},
			[]Difference{{Path: `metadata.annotations["example.com/owner"]`, Class: ClassController, Target: "git", Live: "policy", Manager: "guard", Time: at("02"), Ignore: `.metadata.annotations["example.com/owner"]`}},
		},
		{
			"Git has another value than what was applied.",
			Sides{change("team: a", "team: b"), object(t, web), predict(t, "team: a", "team: b")},
			[]Difference{{Path: "metadata.labels.team", Class: ClassChangedInGit, Target: "b", Live: "a", Manager: argov1.FieldManager, Time: at("01"), Ignore: ".metadata.labels.team"}},
		},
		{
			"Git has dropped a field.",
			Sides{change("labels: {team: a}", "labels: {}"), object(t, web), predict(t, `"f:metadata": {"f:labels": {"f:team": {}}},`, "", "labels: {team: a}", "labels: {}")},
			[]Difference{{Path: "metadata.labels.team", Class: ClassNotInGit, Live: "a", Manager: argov1.FieldManager, Time: at("01"), Ignore: ".metadata.labels.team"}},
		},
		{
			"Git has dropped a container: it is told as one, not field by field.",
			Sides{change("      - {name: side, image: \"side:1\"}\n", ""), object(t, web), predict(t, `, 'k:{"name":"side"}': {".": {}, "f:name": {}, "f:image": {}}`, "", ",\n          'k:{\"name\":\"side\"}': {\".\": {}, \"f:name\": {}, \"f:image\": {}}", "", "      - {name: side, image: \"side:1\"}\n", "")},
			[]Difference{{
				Path: "spec.template.spec.containers[name=side]", Class: ClassNotInGit, Live: map[string]any{"name": "side", "image": "side:1"}, Manager: argov1.FieldManager, Time: at("01"),
				Ignore: `.spec.template.spec.containers[] | select(.name == "side")`,
			}},
		},
		{
			"A field is not there.",
			Sides{change("team: a", "team: a, tier: x"), object(t, web), predict(t, `"f:team": {}`, `"f:team": {}, "f:tier": {}`, "team: a", "team: a, tier: x")},
			[]Difference{{Path: "metadata.labels.tier", Class: ClassMissing, Target: "x", Ignore: ".metadata.labels.tier"}},
		},
		{
			"Admission makes something else of a label than Git wants and than is live.",
			Sides{change("team: a", "team: b"), object(t, web), predict(t, "team: a", "team: admitted")},
			[]Difference{{Path: "metadata.labels.team", Class: ClassAdmission, Target: "b", Live: "a", Applied: "admitted", Manager: argov1.FieldManager, Time: at("01"), Ignore: ".metadata.labels.team"}},
		},
		{
			"With IncludeMutationWebhook what admission adds counts, and so does a new default.",
			Sides{
				change("labels: {team: a}", "labels: {team: a}\n  annotations: {argocd.argoproj.io/compare-options: IncludeMutationWebhook=true}"),
				predict(t, "annotations: {", "annotations: {argocd.argoproj.io/compare-options: IncludeMutationWebhook=true, "),
				predict(t, "annotations: {", "annotations: {argocd.argoproj.io/compare-options: IncludeMutationWebhook=true, example.com/injected: x, ", "revisionHistoryLimit: 10", "revisionHistoryLimit: 11"),
			},
			[]Difference{
				{Path: `metadata.annotations["example.com/injected"]`, Class: ClassAdmission, Applied: "x", Ignore: `.metadata.annotations["example.com/injected"]`},
				{Path: "spec.revisionHistoryLimit", Class: ClassDefaulted, Live: int64(10), Applied: int64(11), Ignore: ".spec.revisionHistoryLimit"},
			},
		},
		{
			"The API server would not say: what is spelt in another way is told as such.",
			Sides{Target: change("image: \"side:1\"", "image: \"side:2\""), Live: object(t, web)},
			[]Difference{
				{
					Path: "spec.template.spec.containers[name=side].image", Class: ClassChangedInGit, Target: "side:2", Live: "side:1", Manager: argov1.FieldManager, Time: at("01"),
					Ignore: `.spec.template.spec.containers[] | select(.name == "side") | .image`,
				},
				{
					Path: "spec.template.spec.containers[name=web].resources.requests.cpu", Class: ClassDefaulted, Target: "1000m", Live: "1", Manager: argov1.FieldManager, Time: at("01"),
					Ignore: `.spec.template.spec.containers[] | select(.name == "web") | .resources.requests.cpu`,
				},
			},
		},
	}
	for _, tc := range tests {
		t.Run(tc.reason, func(t *testing.T) {
			got := tc.sides.Explain(tc.sides)
			if (len(got) > 0) != tc.sides.Differ() {
				t.Errorf("Differ is %v, and there are %d differences", tc.sides.Differ(), len(got))
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// TestExplainAgreesWithDiffer is the property that makes an explanation worth reading: there is one exactly when the sides differ.
func TestExplainAgreesWithDiffer(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	differ := 0
	for range 3000 {
		target := randomTarget(r)
		sides := Sides{Target: target, Live: applied(t, r, target)}
		if r.IntN(2) == 0 {
			changeOne(r, sides.Target.Object)
		}
		if r.IntN(2) == 0 {
			changeOne(r, sides.Live.Object["spec"])
		}
		if r.IntN(2) == 0 {
			sides.Predicted = applied(t, r, sides.Target)
		}
		if r.IntN(4) == 0 {
			sides.Live.SetManagedFields(nil)
		}
		if r.IntN(4) == 0 {
			last := sides.Live.DeepCopy()
			last.Object["data"] = randomValue(r, 2)
			text, err := json.Marshal(last.Object)
			if err != nil {
				t.Fatal(err)
			}
			sides.Live.SetAnnotations(map[string]string{lastApplied: string(text)})
		}
		explained := sides.Explain(sides)
		if sides.Differ() {
			differ++
		}
		if (len(explained) > 0) != sides.Differ() {
			t.Fatalf("Differ is %v, and the differences are %v:\n%s", sides.Differ(), explained, cmp.Diff(sides.Target.Object, sides.Live.Object))
		}
		for _, d := range explained {
			if d.Class == "" || d.Reason() == "" {
				t.Fatalf("a difference says nothing: %+v", d)
			}
		}
	}
	if differ < 1000 || differ > 2900 {
		t.Errorf("%d of 3000 differ", differ)
	}
}

func TestByHand(t *testing.T) {
	for manager, want := range map[string]bool{
		"kubectl-edit": true, "kubectl-client-side-apply": true, "kubectl": true, "k9s": true, "Mozilla": true,
		"kube-controller-manager": false, "argocd-controller": false, "helm": false, "": false, "kubectlish": false,
	} {
		if ByHand(manager) != want {
			t.Errorf("ByHand(%q) = %v", manager, !want)
		}
	}
}

func TestExcerpt(t *testing.T) {
	long := strings.Repeat("ä", 2000)
	tests := []struct {
		reason                          string
		target, live                    any
		wantTarget, wantLive            string // what the shown texts contain
		targetAsItIs, liveAsItIs, short bool
	}{
		{reason: "Short values stay.", target: "a", live: int64(3), targetAsItIs: true, liveAsItIs: true},
		{reason: "A long text is cut at its end when nothing is like it.", target: long, live: "a", wantTarget: "ä… (4000 bytes)", liveAsItIs: true, short: true},
		{reason: "Two long texts are shown where they part.", target: long + "target" + long, live: long + "live" + long, wantTarget: "ätargetä", wantLive: "äliveä", short: true},
		{reason: "A long list is shown as JSON.", target: []any{long}, wantTarget: `["ää`, liveAsItIs: true, short: true},
	}
	for _, tc := range tests {
		t.Run(tc.reason, func(t *testing.T) {
			target, live := excerpt(tc.target, tc.live)
			if tc.targetAsItIs && target != tc.target || tc.liveAsItIs && live != tc.live {
				t.Errorf("got %v and %v", target, live)
			}
			for want, got := range map[string]any{tc.wantTarget: target, tc.wantLive: live} {
				text, _ := got.(string)
				if !strings.Contains(text, want) && want != "" || len(text) > 1200 {
					t.Errorf("want %q in %v", want, got)
				}
			}
		})
	}
}

// FuzzPathText writes whatever path a managed field has: the expression is one that can be read again, and names the field.
func FuzzPathText(f *testing.F) {
	f.Add("spec", `{"a b":[{"name":"x\"y","v":1}]}`)
	f.Add("a.b/c", `["x"]`)
	f.Fuzz(func(t *testing.T, field, data string) {
		var value any
		if json.Unmarshal([]byte(data), &value) != nil {
			return
		}
		target := &unstructured.Unstructured{Object: map[string]any{field: value}}
		found := &collection{seen: map[string]bool{}}
		uncovered(map[string]any{}, target.Object, nil, identities{}, found)
		for _, path := range found.paths {
			parsed, err := parseExpression(pathExpression(path), soon)
			if err != nil {
				t.Fatalf("%s: %v", pathExpression(path), err)
			}
			places, err := parsed.paths(target.Object)
			if err != nil || len(places) == 0 {
				t.Errorf("%s names %v in %v: %v", pathExpression(path), places, target.Object, err)
			}
		}
	})
}
