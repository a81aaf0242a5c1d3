package health

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
)

func noon() time.Time { return time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC) }

// says is a script that gives a message.
func says(message string) string {
	return "return {status = 'Healthy', message = '" + message + "'}"
}

func TestScripts(t *testing.T) {
	const widget = "{apiVersion: example.com/v1, kind: Widget, metadata: {name: w}, status: {phase: Failed}}"
	for _, tc := range []struct {
		reason  string
		scripts []Customization
		object  string
		want    *Status
	}{
		{"A script comes before the general reading.", []Customization{{Group: "example.com", Kind: "Widget", Lua: says("mine")}}, widget, &Status{argov1.HealthHealthy, "mine"}},
		{"It comes before built-in rules, too.", []Customization{{Group: "apps", Kind: "Deployment", Lua: says("mine")}}, "{apiVersion: apps/v1, kind: Deployment}", &Status{argov1.HealthHealthy, "mine"}},
		{"And for kinds that have no health.", []Customization{{Kind: "ConfigMap", Lua: says("mine")}}, "{apiVersion: v1, kind: ConfigMap}", &Status{argov1.HealthHealthy, "mine"}},
		{"A script for another kind does not matter.", []Customization{{Group: "example.com", Kind: "Gadget", Lua: says("mine")}}, widget, &Status{argov1.HealthDegraded, "Failed"}},
		{"An exact name comes before globs.", []Customization{
			{Group: "*", Kind: "*", Lua: says("all")}, {Group: "example.com", Kind: "Widget", Lua: says("exact")}, {Group: "*.com", Kind: "Widget", Lua: says("glob")},
		}, widget, &Status{argov1.HealthHealthy, "exact"}},
		{"Of globs, the one that says more.", []Customization{
			{Group: "*", Kind: "*", Lua: says("all")}, {Group: "*.com", Kind: "Widget", Lua: says("glob")},
		}, widget, &Status{argov1.HealthHealthy, "glob"}},
		{"Of those that say as much, the first by name.", []Customization{
			{Group: "*.com", Kind: "Widget", Lua: says("b")}, {Group: "*.com", Kind: "Widge*t", Lua: says("a")},
		}, widget, &Status{argov1.HealthHealthy, "a"}},
		{
			"Deletion comes before scripts.",
			[]Customization{{Kind: "ConfigMap", Lua: says("mine")}},
			"{apiVersion: v1, kind: ConfigMap, metadata: {deletionTimestamp: '2026-01-01T00:00:00Z'}}", &Status{argov1.HealthProgressing, "Pending deletion"},
		},
		{"No result is an empty status.", []Customization{{Kind: "ConfigMap", Lua: ""}}, "{apiVersion: v1, kind: ConfigMap}", &Status{}},
		{"So is an empty table.", []Customization{{Kind: "ConfigMap", Lua: "return {}"}}, "{apiVersion: v1, kind: ConfigMap}", &Status{}},
		{
			"A status that there is not is said to be none.",
			[]Customization{{Kind: "ConfigMap", Lua: "return {status = 'Fine'}"}},
			"{apiVersion: v1, kind: ConfigMap}", &Status{argov1.HealthUnknown, "Lua returned an invalid health status"},
		},
		{
			"A message alone is no status.",
			[]Customization{{Kind: "ConfigMap", Lua: "return {message = 'm'}"}},
			"{apiVersion: v1, kind: ConfigMap}", &Status{argov1.HealthUnknown, "Lua returned an invalid health status"},
		},
		{
			"Text is no table.",
			[]Customization{{Kind: "ConfigMap", Lua: "return 'Healthy'"}},
			"{apiVersion: v1, kind: ConfigMap}", &Status{argov1.HealthUnknown, "the script must return a table {status=, message=}, not Healthy"},
		},
		{
			"A number is no message.",
			[]Customization{{Kind: "ConfigMap", Lua: "return {status = 'Healthy', message = 1}"}},
			"{apiVersion: v1, kind: ConfigMap}", &Status{argov1.HealthUnknown, "the script must return a message that is text, not 1"},
		},
		{
			"An error is the message.",
			[]Customization{{Kind: "ConfigMap", Lua: "return obj.status.phase"}},
			"{apiVersion: v1, kind: ConfigMap}", &Status{argov1.HealthUnknown, "<string>:1: attempt to index a non-table object(nil) with key 'phase'"},
		},
		{
			"Libraries are those that were asked for.",
			[]Customization{{Kind: "ConfigMap", Lua: "return {status = 'Healthy', message = string.upper('m')}", OpenLibs: true}},
			"{apiVersion: v1, kind: ConfigMap}", &Status{argov1.HealthHealthy, "M"},
		},
		{
			"A long message is cut.",
			[]Customization{{Kind: "ConfigMap", Lua: "return {status = 'Healthy', message = string.rep('é', 10000)}", OpenLibs: true}},
			"{apiVersion: v1, kind: ConfigMap}", &Status{argov1.HealthHealthy, strings.Repeat("é", longestMessage/2) + "..."},
		},
		{"The documented script restores the health of child Applications.", []Customization{{Group: "argoproj.io", Kind: "Application", Lua: `
hs = {}
hs.status = "Progressing"
hs.message = ""
if obj.status ~= nil then
  if obj.status.health ~= nil then
    hs.status = obj.status.health.status
    if obj.status.health.message ~= nil then
      hs.message = obj.status.health.message
    end
  end
end
return hs`}}, "{apiVersion: argoproj.io/v1alpha1, kind: Application, status: {health: {status: Degraded}}}", &Status{argov1.HealthDegraded, ""}},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			assessor, err := New(tc.scripts, noon)
			if err != nil {
				t.Fatal(err)
			}
			obj := parse(t, tc.object)
			if diff := gocmp.Diff(tc.want, assessor.Assess(obj)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if diff := gocmp.Diff(tc.want, assessor.Gate(obj)); diff != "" {
				t.Errorf("a wave waits for something else: -want +got:\n%s", diff)
			}
		})
	}
}

func TestBrokenScripts(t *testing.T) {
	assessor, err := New([]Customization{
		{Group: "example.com", Kind: "Widget", Lua: "if"}, {Group: "[", Kind: "Gadget", Lua: says("m")}, {Kind: "ConfigMap", Lua: says("mine")},
	}, noon)
	const want = "the health script for example.com/Widget: <string> at EOF: syntax error\n" +
		"the health script for [/Gadget: glob \"[\": unexpected end of input"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	for object, want := range map[string]*Status{
		"{apiVersion: example.com/v1, kind: Widget}": {argov1.HealthUnknown, "<string> at EOF: syntax error"},
		"{apiVersion: v1, kind: ConfigMap}":          {argov1.HealthHealthy, "mine"},
	} {
		if diff := gocmp.Diff(want, assessor.Assess(parse(t, object))); diff != "" {
			t.Errorf("%s: -want +got:\n%s", object, diff)
		}
	}
}

// TestReading is about kinds that nobody has heard of.
func TestReading(t *testing.T) {
	for _, tc := range []struct {
		reason, object string
		want           argov1.HealthStatusCode // empty for no opinion
	}{
		{"Nobody knows whether a status will come.", "spec: {a: b}", ""},
		{"A status that cannot be read is no opinion.", "status: {address: 10.0.0.1}", ""},
		{"A status of an unexpected type is none.", "status: well", ""},
		{"A list of conditions that is empty will be filled.", "status: {conditions: []}", isProgressing},
		{"The spec is newer than the status.", "metadata: {generation: 2}\nstatus: {observedGeneration: 1, conditions: [{type: Ready, status: 'True'}]}", isProgressing},
		{"So it is for a condition.", "metadata: {generation: 2}\nstatus: {conditions: [{type: Ready, status: 'True', observedGeneration: 1}]}", isProgressing},
		{"Generations may be text.", "metadata: {generation: 2}\nstatus: {observedGeneration: '2', phase: Ready}", isHealthy},
		{"An opaque generation says nothing.", "metadata: {generation: 2}\nstatus: {observedGeneration: 5d4f, phase: Ready}", isHealthy},
		{"Users stop what they do not want to go on.", "spec: {suspend: true}\nstatus: {phase: Running}", isSuspended},
		{"An annotation does as well.", "metadata: {annotations: {example.com/paused: 'true'}}\nstatus: {phase: Running}", isSuspended},
		{"Ready.", "status: {conditions: [{type: Ready, status: 'True'}]}", isHealthy},
		{"Ready, although something else is not.", "status: {conditions: [{type: Upgradeable, status: 'False'}, {type: Ready, status: 'True'}]}", isHealthy},
		{"Not ready, and nobody says why.", "status: {conditions: [{type: Ready, status: 'False'}]}", isProgressing},
		{"Not ready, because it is made.", "status: {conditions: [{type: Ready, status: 'False', reason: CreatingDatabase}]}", isProgressing},
		{"Not ready, because it failed.", "status: {conditions: [{type: Ready, status: 'False', reason: CreateFailed}]}", isDegraded},
		{"A reason that nobody knows is no excuse.", "status: {conditions: [{type: Ready, status: 'False', reason: Storm}]}", isDegraded},
		{"Trouble comes before work.", "status: {conditions: [{type: Reconciling, status: 'True'}, {type: Stalled, status: 'True'}]}", isDegraded},
		{"Work comes before being ready.", "status: {conditions: [{type: Reconciling, status: 'True'}, {type: Ready, status: 'True'}]}", isProgressing},
		{"Work that tells of its end is none.", "status: {conditions: [{type: Progressing, status: 'True', reason: NewReplicaSetAvailable}, {type: Available, status: 'True'}]}", isHealthy},
		{"Every summary counts.", "status: {conditions: [{type: Ready, status: 'True'}, {type: Synced, status: 'False', reason: ReconcileError}]}", isDegraded},
		{"Parts count when nothing sums up.", "status: {conditions: [{type: DatabaseCreated, status: 'True'}, {type: SchemaLoaded, status: 'False', reason: Pending}]}", isProgressing},
		{"Nobody knows yet.", "status: {conditions: [{type: Ready, status: Unknown}]}", isProgressing},
		{"The controller could not find out.", "status: {conditions: [{type: Ready, status: Unknown, reason: ProbeError}]}", isUnknown},
		{"Nothing runs, as wanted.", "spec: {replicas: 0}\nstatus: {replicas: 0, conditions: [{type: Available, status: 'False', reason: NoPods}]}", isHealthy},
		{"Domains before a type do not matter.", "status: {conditions: [{type: example.com/Ready, status: 'True'}]}", isHealthy},
		{"True may lack its quotes.", "status: {conditions: [{type: Ready, status: true}]}", isHealthy},
		{"Others report.", "status: {parents: [{conditions: [{type: Accepted, status: 'True'}]}, {conditions: [{type: Accepted, status: 'False', reason: NotAllowedByListeners}]}]}", isDegraded},
		{"A phase is enough.", "status: {phase: Running}", isHealthy},
		{"Unless the kind runs to its end.", "kind: TrainingJob\nstatus: {phase: Running}", isProgressing},
		{"Kinds that make such kinds last.", "kind: CronJob\nstatus: {phase: Active}", isHealthy},
		{"Spelling does not matter.", "status: {state: IN_PROGRESS}", isProgressing},
		{"Nor do whole sentences.", "status: {phase: Setting up primary}", isProgressing},
		{"Not reached is under way.", "status: {phase: NotReady}", isProgressing},
		{"Something is not there.", "status: {state: NotFound}", isMissing},
		{"A phase explains why there is no reason.", "status: {phase: Creating replica, conditions: [{type: Ready, status: 'False', reason: ClusterIsNotReady}]}", isProgressing},
		{"A phase does not explain an error.", "status: {phase: Provisioning, conditions: [{type: Ready, status: 'False', reason: QuotaExceeded}]}", isDegraded},
		{"Controllers without phases write errors.", "status: {failureMessage: no quota}", isDegraded},
		{"An error that is empty is none.", "status: {errorMessage: '', phase: Ready}", isHealthy},
		{"Some say yes or no.", "status: {ready: true}", isHealthy},
		{"Not ready is not broken.", "status: {ready: false}", isProgressing},
		{"Counts are compared last.", "spec: {replicas: 2}\nstatus: {replicas: 2, readyReplicas: 1}", isProgressing},
		{"A count that is zero is left out.", "spec: {replicas: 2}\nstatus: {replicas: 2}", isProgressing},
		{"All are there.", "spec: {replicas: 2}\nstatus: {replicas: 2, updatedReplicas: 2, readyReplicas: 2}", isHealthy},
		{"Counts may be one field.", "status: {ready: 1/3}", isProgressing},
		{"A partition holds back an update.", "spec: {replicas: 5, updateStrategy: {partition: 2}}\nstatus: {replicas: 5, updatedReplicas: 3, readyReplicas: 5}", isSuspended},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			obj := parse(t, tc.object)
			obj.SetAPIVersion("unheard.example.com/v1")
			if obj.GetKind() == "" {
				obj.SetKind("Widget")
			}
			got := new(Assessor).Assess(obj)
			switch {
			case got == nil && tc.want != "", got != nil && got.Status != tc.want:
				t.Errorf("got %+v, want %q", got, tc.want)
			}
		})
	}
}

// An object of a kind that publishes a status is waited for.
func TestPublishedKinds(t *testing.T) {
	for _, tc := range []struct {
		reason, object string
		want           *Status
	}{
		{"A Certificate gets a status.", "{apiVersion: cert-manager.io/v1, kind: Certificate}", &Status{isProgressing, "Waiting for the status of Certificate"}},
		{"Also one of which the status says nothing yet.", "{apiVersion: cert-manager.io/v1, kind: Certificate, status: {revision: 1}}", &Status{isProgressing, "Waiting for the status of Certificate"}},
		{"Some are well without.", "{apiVersion: argoproj.io/v1alpha1, kind: CronWorkflow}", &Status{isHealthy, ""}},
		{"What configures holds up nothing.", "{apiVersion: monitoring.coreos.com/v1, kind: ServiceMonitor}", nil},
		{"An old version may be another thing.", "{apiVersion: serving.knative.dev/v1alpha1, kind: Service}", nil},
		{"Kinds of Kubernetes that have no rule have no health.", "{apiVersion: storage.k8s.io/v1, kind: VolumeAttachment, status: {attached: false}}", nil},
		{"Nor have projects.", "{apiVersion: argoproj.io/v1alpha1, kind: AppProject, status: {phase: Failed}}", nil},
		{
			"A rule that meets an unexpected type says where.", "{apiVersion: apps.kruise.io/v1alpha1, kind: AdvancedCronJob, metadata: {name: a}, status: {active: 1}}",
			&Status{isUnknown, `failed to assess AdvancedCronJob "a": status.active is an unexpected float64`},
		},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			if diff := gocmp.Diff(tc.want, new(Assessor).Assess(parse(t, tc.object))); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// Every entry is reachable: one that stands behind a wider one would never be found.
func TestEntriesAreReachable(t *testing.T) {
	for _, list := range [][]entry{special, published} {
		for i, e := range list {
			for _, earlier := range list[:i] {
				if earlier.group == e.group && (earlier.kinds == "" || earlier.kinds == e.kinds && earlier.version == e.version) {
					t.Errorf("%s %s stands behind an entry that covers it", e.group, e.kinds)
				}
			}
		}
	}
}

// FuzzReading feeds the general reading, the declared kinds and their rules with objects of any shape.
func FuzzReading(f *testing.F) {
	f.Add(`{"kind": "X", "metadata": {"generation": 2}, "status": {"observedGeneration": "x", "conditions": [{"type": "Ready", "status": true}, 1]}}`)
	f.Add(`{"status": {"phase": 1, "statuses": {"a": {"state": "b"}, "c": 1}, "ancestors": [1, {"conditions": 1}], "ready": "1/"}}`)
	f.Add(`{"spec": {"replicas": 1e300, "updateStrategy": []}, "status": {"replicas": -1, "racks": {"a": 1}, "environments": [{"active": 1}]}}`)
	f.Fuzz(func(t *testing.T, text string) {
		var content map[string]any
		if json.NewDecoder(strings.NewReader(text)).Decode(&content) != nil || content == nil {
			return
		}
		obj := &unstructured.Unstructured{Object: content}
		check := func(status *Status) {
			if status != nil && (status.Status == "" || IsWorse(argov1.HealthUnknown, status.Status)) {
				t.Errorf("got %+v", status)
			}
		}
		check(custom(obj, nil))
		check(custom(obj, &entry{}))
		for i := range special {
			check(custom(obj, &special[i]))
		}
	})
}

func BenchmarkAssess(b *testing.B) {
	script, err := New([]Customization{{Group: "example.com", Kind: "Widget", Lua: `
for i, c in ipairs(obj.status.conditions) do
  if c.type == "Ready" and c.status == "True" then return {status = "Healthy", message = c.message} end
end
return {status = "Progressing"}`}}, time.Now)
	if err != nil {
		b.Fatal(err)
	}
	const widget = `{"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w", "generation": 3, "labels": {"a": "b"}}, "spec": {"size": 3},
		"status": {"observedGeneration": 3, "conditions": [{"type": "Synced", "status": "True", "reason": "ReconcileSuccess"}, {"type": "Ready", "status": "True", "message": "m", "reason": "Available"}]}}`
	obj := &unstructured.Unstructured{}
	if err := json.Unmarshal([]byte(widget), &obj.Object); err != nil {
		b.Fatal(err)
	}
	for name, assessor := range map[string]*Assessor{"script": script, "general": {}} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if status := assessor.Assess(obj); status == nil || status.Status != argov1.HealthHealthy {
					b.Fatalf("got %+v", status)
				}
			}
		})
	}
}
