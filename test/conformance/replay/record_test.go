package replay

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/test/fixture"
)

func asJSON(t *testing.T, value any) any {
	t.Helper()
	data, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	var generic any
	if err := json.Unmarshal(data, &generic); err != nil {
		t.Fatal(err)
	}
	return generic
}

func decodedJSON(t *testing.T, text string) any {
	t.Helper()
	return asJSON(t, json.RawMessage(text))
}

func application(t *testing.T, text string) *argov1.Application {
	t.Helper()
	a := &argov1.Application{}
	if err := json.Unmarshal([]byte(text), a); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return a
}

func TestStatusOf(t *testing.T) {
	got := statusOf(application(t, `{"status":{
		"sync":{"status":"OutOfSync","revision":"r","comparedTo":{"destination":{}}},
		"health":{"status":"Degraded","message":"left out"},
		"reconciledAt":"2026-01-01T00:00:00Z","sourceType":"Helm",
		"summary":{"images":["b","a"]},
		"conditions":[{"type":"B","message":"`+strings.Repeat("ä", 1600)+`"},{"type":"A","message":"2"},{"type":"A","message":"1"}],
		"history":[{"id":0,"revision":"r","deployedAt":"2026-01-01T00:00:00Z"},{"id":1,"revisions":["s"],"deployedAt":"2026-01-01T00:00:00Z"}],
		"resources":[
			{"version":"v1","kind":"Secret","namespace":"n","name":"s","status":"Synced","syncWave":-1,"health":{"status":"Healthy","message":"left out"}},
			{"version":"v1","kind":"ConfigMap","namespace":"n","name":"c","status":"OutOfSync","requiresPruning":true,"hook":true}],
		"operationState":{"phase":"Failed","message":"m","retryCount":2,"startedAt":"2026-01-01T00:00:00Z","operation":{},"syncResult":{"revision":"q","resources":[
			{"group":"","version":"v1","kind":"ConfigMap","namespace":"n","name":"c","syncPhase":"Sync","status":"Synced","message":"created","images":["left out"]},
			{"group":"","version":"v1","kind":"ConfigMap","namespace":"n","name":"c","syncPhase":"PreSync","hookType":"PreSync","hookPhase":"Succeeded"}]}}}}`))
	want := decodedJSON(t, `{
		"sync":"OutOfSync","health":"Degraded","revision":"r","sourceType":"Helm","images":["a","b"],
		"phase":"Failed","message":"m","retryCount":2,"syncedRevision":"q",
		"conditions":[{"type":"A","message":"1"},{"type":"A","message":"2"},{"type":"B","message":"`+strings.Repeat("ä", 1500)+`"}],
		"history":[{"id":0,"revision":"r"},{"id":1,"revision":["s"]}],
		"resources":[{"kind":"ConfigMap","namespace":"n","name":"c","status":"OutOfSync","requiresPruning":true,"hook":true},
			{"kind":"Secret","namespace":"n","name":"s","status":"Synced","syncWave":-1,"health":"Healthy"}],
		"syncResult":[{"kind":"ConfigMap","namespace":"n","name":"c","syncPhase":"PreSync","hookType":"PreSync","hookPhase":"Succeeded"},
			{"kind":"ConfigMap","namespace":"n","name":"c","syncPhase":"Sync","status":"Synced","message":"created"}]}`)
	if diff := cmp.Diff(want, asJSON(t, got)); diff != "" {
		t.Errorf("what is kept of a status (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(decodedJSON(t, `{}`), asJSON(t, statusOf(application(t, `{}`)))); diff != "" {
		t.Errorf("of an empty status nothing is kept (-want +got):\n%s", diff)
	}
	for name, text := range map[string]string{"phase": "Failed", "images": `["a","b"]`, "retryCount": "2", "revisions": "", "nothing": ""} {
		if field, err := got.field(name); err != nil || field != text {
			t.Errorf("field %s as text is %q (%v); want %q", name, field, err, text)
		}
	}
	var gone *statusRecord
	if field, err := gone.field("phase"); err != nil || field != "" {
		t.Errorf("a field of an application that is gone: %q, %v; want none", field, err)
	}
}

func TestCleaned(t *testing.T) {
	for _, test := range []struct{ reason, object, want string }{
		{
			"identity, times and what tools note are taken out, and what is then empty",
			`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","uid":"u","resourceVersion":"1","creationTimestamp":"t","managedFields":[],"generation":2,
				"annotations":{"kubectl.kubernetes.io/last-applied-configuration":"x"},"labels":{},"finalizers":[]},"data":{"a":"1"},"status":{}}`,
			`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"data":{"a":"1"}}`,
		},
		{
			"that an object is on its way out is kept",
			`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","deletionTimestamp":"t","deletionGracePeriodSeconds":0,"finalizers":["f"],"annotations":{"mine":"x","batch.kubernetes.io/x":"y"}}}`,
			`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","deleting":true,"finalizers":["f"],"annotations":{"mine":"x"}}}`,
		},
		{
			"addresses and ports that the control plane assigns",
			`{"apiVersion":"v1","kind":"Service","metadata":{"name":"a"},"spec":{"clusterIP":"10.0.0.1","clusterIPs":["10.0.0.1"],"healthCheckNodePort":1,"ports":[{"port":80,"nodePort":30000}]}}`,
			`{"apiVersion":"v1","kind":"Service","metadata":{"name":"a"},"spec":{"ports":[{"port":80}]}}`,
		},
		{
			"that a Service is headless is kept",
			`{"apiVersion":"v1","kind":"Service","metadata":{"name":"a"},"spec":{"clusterIP":"None","clusterIPs":["None"]}}`,
			`{"apiVersion":"v1","kind":"Service","metadata":{"name":"a"},"spec":{"clusterIP":"None","clusterIPs":["None"]}}`,
		},
		{"where a Pod runs", `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a"},"spec":{"nodeName":"n"}}`, `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a"},"spec":{}}`},
		{
			"how a Job finds its pods",
			`{"apiVersion":"batch/v1","kind":"Job","metadata":{"name":"a","labels":{"job-name":"a"}},"spec":{"selector":{},"template":{"metadata":{"labels":{"controller-uid":"u","mine":"x"}}}}}`,
			`{"apiVersion":"batch/v1","kind":"Job","metadata":{"name":"a"},"spec":{"template":{"metadata":{"labels":{"mine":"x"}}}}}`,
		},
		{"conversion of a CRD", `{"apiVersion":"x","kind":"CustomResourceDefinition","metadata":{"name":"a"},"spec":{"conversion":{},"x":1}}`, `{"apiVersion":"x","kind":"CustomResourceDefinition","metadata":{"name":"a"},"spec":{"x":1}}`},
		{"the operation of an Application", `{"apiVersion":"x","kind":"Application","metadata":{"name":"a"},"operation":{}}`, `{"apiVersion":"x","kind":"Application","metadata":{"name":"a"}}`},
	} {
		o := &unstructured.Unstructured{}
		if err := o.UnmarshalJSON([]byte(test.object)); err != nil {
			t.Fatalf("%s: %v", test.reason, err)
		}
		before := o.DeepCopy()
		if diff := cmp.Diff(decodedJSON(t, test.want), asJSON(t, cleaned(o))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.reason, diff)
		}
		if diff := cmp.Diff(before, o); diff != "" {
			t.Errorf("%s: the object itself changes (-before +after):\n%s", test.reason, diff)
		}
	}
}

func TestNormalise(t *testing.T) {
	server, err := fixture.StartGitServer()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	s := &session{
		Runner: &Runner{options: Options{Git: server}, cluster: &cluster{host: "127.0.0.1:6443", version: "1.37.2"}},
		git:    server.Repository("x"), commits: []string{"0123456789abcdef0123456789abcdef01234567", "89abcdef0123456789abcdef0123456789abcdef"},
	}
	host := strings.TrimPrefix(server.URL(), "http://")
	for text, want := range map[string]string{
		"0123456789abcdef0123456789abcdef01234567 and 89abcdef0123456789abcdef0123456789abcdef": "<commit:1> and <commit:2>",
		"0123456789ab 01234567 0123456 89abcdef0123":                                            "<commit12:1> <commit8:1> <commit7:1> <commit12:2>",
		server.URL() + "/x.git in " + server.URL() + "/y.git at " + host:                        "%REPO% in %GIT%/y.git at %GITHOST%",
		"https://127.0.0.1:6443 is v1.37.2":                                                     "https://%APISERVER% is v%KUBEVERSION%",
		"since 2026-01-01T00:00:00Z or 2026-01-01T00:00:00.5+02:00, at 4:05PM":                  "since <time> or <time>, at <clock>",
		"uid fedcba98-fedc-fedc-fedc-fedcba987654":                                              "uid <uid>",
		"hook-presync-1767225600 made-0123-postsync-1767225600":                                 "hook-presync-<unix> made-0123-postsync-<unix>",
		"open /tmp/x/y.yaml: no":                                                                "open <path>: no",
		"Manifest generation error (cached): bad":                                               "bad",
		"pointer 0xc000fedcba":                                                                  "pointer <ptr>",
		"a < b & c":                                                                             "a < b & c",
	} {
		data, err := s.normalise(&record{Name: text, Steps: []*stepRecord{{Live: []map[string]any{{text: text}}}}})
		if err != nil {
			t.Fatal(err)
		}
		var got record
		if err := json.Unmarshal(data, &got); err != nil {
			t.Fatal(err)
		}
		if got.Name != want {
			t.Errorf("%q becomes %q; want %q", text, got.Name, want)
		}
		if diff := cmp.Diff([]map[string]any{{want: want}}, got.Steps[0].Live); diff != "" {
			t.Errorf("%q inside, also as a key (-want +got):\n%s", text, diff)
		}
	}
}
