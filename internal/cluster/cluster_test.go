package cluster

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
)

// apiServer answers discovery of a few kinds and echoes objects; kinds can be added while it runs.
type apiServer struct {
	mu     sync.Mutex
	things []metav1.APIResource // of example.com/v1
	broken bool
	asked  []string
}

func (s *apiServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, r.Method+" "+r.URL.Path)
	group := func(version string) metav1.APIGroup {
		v := metav1.GroupVersionForDiscovery{GroupVersion: "example.com/" + version, Version: version}
		return metav1.APIGroup{Name: "example.com", Versions: []metav1.GroupVersionForDiscovery{v}, PreferredVersion: v}
	}
	answers := map[string]any{
		"/api":  metav1.APIVersions{TypeMeta: metav1.TypeMeta{Kind: "APIVersions"}, Versions: []string{"v1"}},
		"/apis": metav1.APIGroupList{Groups: []metav1.APIGroup{group("v1")}},
		"/api/v1": metav1.APIResourceList{GroupVersion: "v1", APIResources: []metav1.APIResource{
			{Name: "configmaps", Kind: "ConfigMap", Namespaced: true}, {Name: "namespaces", Kind: "Namespace"},
		}},
		"/apis/example.com":                 group("v1"),
		"/apis/example.com/v1":              metav1.APIResourceList{GroupVersion: "example.com/v1", APIResources: s.things},
		"/api/v1/namespaces/n":              map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": "n"}},
		"/api/v1/namespaces/n/configmaps/c": map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "c", "namespace": "n"}},
	}
	answer, known := answers[r.URL.Path]
	w.Header().Set("Content-Type", "application/json")
	switch {
	case s.broken:
		w.WriteHeader(http.StatusInternalServerError)
	case !known:
		w.WriteHeader(http.StatusNotFound)
		_ = json.NewEncoder(w).Encode(metav1.Status{Status: metav1.StatusFailure, Code: http.StatusNotFound, Reason: metav1.StatusReasonNotFound})
	default:
		_ = json.NewEncoder(w).Encode(answer)
	}
}

func (s *apiServer) set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

func start(t *testing.T) (*apiServer, *Conn) {
	t.Helper()
	server := &apiServer{}
	listening := httptest.NewServer(server)
	t.Cleanup(listening.Close)
	conn, err := InCluster(&rest.Config{Host: listening.URL})
	if err != nil {
		t.Fatal(err)
	}
	if conn.Server != argov1.InClusterServer || conn.Name != argov1.InClusterName {
		t.Errorf("the cluster is called %q and %q", conn.Server, conn.Name)
	}
	server.set(func() {
		if len(server.asked) > 0 {
			t.Errorf("connecting sends requests: %v", server.asked)
		}
	})
	return server, conn
}

var thing = schema.GroupVersionKind{Group: "example.com", Version: "v1", Kind: "Thing"}

func TestKinds(t *testing.T) {
	server, conn := start(t)
	for kind, namespaced := range map[string]bool{"ConfigMap": true, "Namespace": false} {
		if got, err := conn.Namespaced(schema.GroupVersionKind{Version: "v1", Kind: kind}); err != nil || got != namespaced {
			t.Errorf("%s is namespaced: %v, %v", kind, got, err)
		}
	}
	for _, unknown := range []schema.GroupVersionKind{thing, {Group: "nowhere.example.com", Version: "v1", Kind: "Thing"}, {Version: "v1", Kind: "Thing"}} {
		if _, err := conn.Mapping(unknown); !IsUnknownKind(err) {
			t.Errorf("%s: error %v does not say that the kind is unknown", unknown, err)
		}
	}
	server.set(func() { server.things = []metav1.APIResource{{Name: "things", Kind: "Thing", Namespaced: true}} })
	mapping, err := conn.Mapping(thing)
	if err != nil {
		t.Fatalf("a kind that was defined since: %v", err)
	}
	if diff := cmp.Diff(thing.GroupVersion().WithResource("things"), mapping.Resource); diff != "" {
		t.Errorf("resource (-want +got):\n%s", diff)
	}
}

// A cluster that cannot be asked is not a cluster without the kind: nothing may be left out because of it.
func TestClusterThatCannotBeAsked(t *testing.T) {
	server, conn := start(t)
	server.set(func() { server.broken = true })
	if _, err := conn.Mapping(thing); err == nil || IsUnknownKind(err) {
		t.Errorf("a failing cluster: %v", err)
	}
	if _, err := conn.Namespaced(thing); err == nil || IsUnknownKind(err) {
		t.Errorf("a failing cluster: %v", err)
	}
	server.set(func() { server.broken = false })
	if _, err := conn.Namespaced(schema.GroupVersionKind{Version: "v1", Kind: "ConfigMap"}); err != nil {
		t.Errorf("once it answers again: %v", err)
	}
}

func TestClient(t *testing.T) {
	_, conn := start(t)
	for _, tc := range []struct {
		reason, kind, namespace, name string
	}{
		{"an object in a namespace", "ConfigMap", "n", "c"},
		{"a namespace that is written on a kind without namespaces is ignored", "Namespace", "elsewhere", "n"},
	} {
		obj := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": tc.kind}}
		obj.SetNamespace(tc.namespace)
		client, err := conn.Client(obj)
		if err != nil {
			t.Fatalf("%s: %v", tc.reason, err)
		}
		if got, err := client.Get(t.Context(), tc.name, metav1.GetOptions{}); err != nil || got.GetName() != tc.name {
			t.Errorf("%s: %v, %v", tc.reason, got, err)
		}
		if _, err := client.Get(t.Context(), "missing", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
			t.Errorf("%s: what is missing gives %v", tc.reason, err)
		}
	}
	unknown := &unstructured.Unstructured{}
	unknown.SetGroupVersionKind(thing)
	if _, err := conn.Client(unknown); !IsUnknownKind(err) {
		t.Errorf("a client for an unknown kind: %v", err)
	}
}

func TestConnectRefusesNonsense(t *testing.T) {
	config := &rest.Config{Host: "https://example.com", TLSClientConfig: rest.TLSClientConfig{CAFile: "/nowhere/ca.crt"}}
	if _, err := Connect(config, "https://example.com", "example"); err == nil {
		t.Error("a certificate that cannot be read is taken")
	}
}
