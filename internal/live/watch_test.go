package live

import (
	"context"
	"errors"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic/fake"

	"github.com/tiphys-io/tiphys/internal/cluster"
	"github.com/tiphys-io/tiphys/internal/resource"
	"github.com/tiphys-io/tiphys/internal/tracking"
)

var (
	configMaps = schema.GroupVersionKind{Version: "v1", Kind: "ConfigMap"}
	secrets    = schema.GroupVersionKind{Version: "v1", Kind: "Secret"}
)

// connect is a connection to a cluster of ConfigMaps and Secrets in memory.
func connect(objects ...runtime.Object) *cluster.Conn {
	mapper := meta.NewDefaultRESTMapper(nil)
	mapper.Add(configMaps, meta.RESTScopeNamespace)
	mapper.Add(secrets, meta.RESTScopeNamespace)
	lists := map[schema.GroupVersionResource]string{
		{Version: "v1", Resource: "configmaps"}: "ConfigMapList", {Version: "v1", Resource: "secrets"}: "SecretList",
	}
	return &cluster.Conn{Dynamic: fake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), lists, objects...), Mapper: mapper}
}

// labelled is tracked by label, and by annotation when annotated is not empty.
func labelled(t *testing.T, name, label, annotated string) *unstructured.Unstructured {
	t.Helper()
	obj := object(t, name, "1", annotated)
	obj.SetLabels(map[string]string{"app.kubernetes.io/instance": label})
	return obj
}

func names(t *testing.T, w *Watcher, instance string) []string {
	t.Helper()
	if err := w.Use(t.Context(), instance, []schema.GroupVersionKind{configMaps}); err != nil {
		t.Fatal(err)
	}
	snapshot, err := w.Snapshot(t.Context(), instance)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for key := range snapshot {
		found = append(found, key.Name)
	}
	slices.Sort(found)
	return found
}

func TestRetrack(t *testing.T) {
	w := NewWatcher(t.Context(), connect(labelled(t, "both", "app", "app"), labelled(t, "label", "app", ""), object(t, "annotation", "1", "app")),
		NewStore(tracking.Tracker{}, func(Change) {}))
	if diff := cmp.Diff([]string{"annotation", "both"}, names(t, w, "app")); diff != "" {
		t.Errorf("by annotation (-want +got):\n%s", diff)
	}
	before, release := w.Bind(t.Context())
	defer release()
	w.Retrack(tracking.Tracker{Method: tracking.MethodLabel})
	if _, err := w.Snapshot(before, "app"); !errors.Is(err, context.Canceled) || !errors.Is(err, errRetracked) {
		t.Errorf("what was begun under another tracker has to end: %v", err)
	}
	after, release := w.Bind(t.Context())
	defer release()
	if after.Err() != nil {
		t.Errorf("what begins now is not concerned: %v", after.Err())
	}
	if diff := cmp.Diff([]string{"both", "label"}, names(t, w, "app")); diff != "" {
		t.Errorf("by label, without a change of any object (-want +got):\n%s", diff)
	}
	w.Retrack(tracking.Tracker{InstallationID: "other"})
	if found := names(t, w, "app"); len(found) != 0 {
		t.Errorf("objects of another installation are ours: %v", found)
	}
}

func TestBindEndsWithItsParent(t *testing.T) {
	w := NewWatcher(t.Context(), connect(), NewStore(tracking.Tracker{}, func(Change) {}))
	parent, cancel := context.WithCancel(t.Context())
	bound, release := w.Bind(parent)
	cancel()
	if bound.Err() == nil {
		t.Error("it outlives its parent")
	}
	release()
	if len(w.bound) != 0 {
		t.Error("what was released is kept")
	}
}

func TestUseKeepsTheWatchesThatAreWanted(t *testing.T) {
	w := NewWatcher(t.Context(), connect(), NewStore(tracking.Tracker{}, func(Change) {}))
	use := func(instance string, kinds ...schema.GroupVersionKind) {
		t.Helper()
		if err := w.Use(t.Context(), instance, kinds); err != nil {
			t.Fatal(err)
		}
	}
	expect := func(reason string, kinds ...string) {
		t.Helper()
		var got []string
		for kind := range maps.Keys(w.kinds) {
			got = append(got, kind.Kind)
		}
		slices.Sort(got)
		if diff := cmp.Diff(kinds, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", reason, diff)
		}
	}
	use("a", configMaps, secrets)
	expect("both kinds are used", "ConfigMap", "Secret")
	use("b", configMaps, schema.GroupVersionKind{Group: "example.com", Version: "v1", Kind: "Nothing"})
	expect("a kind that is not served is left out", "ConfigMap", "Secret")
	w.Retrack(tracking.Tracker{Method: tracking.MethodLabel})
	expect("a new tracker uses the same kinds", "ConfigMap", "Secret")
	use("a")
	expect("nobody uses Secrets any more", "ConfigMap")
	use("b")
	expect("nobody uses anything")
}

// A stopped watch may still have events on their way; they would bring back objects that nobody follows any more.
func TestStoppedWatchIsSilent(t *testing.T) {
	store := NewStore(tracking.Tracker{}, func(Change) {})
	w := NewWatcher(t.Context(), connect(), store)
	if err := w.Use(t.Context(), "app", []schema.GroupVersionKind{configMaps}); err != nil {
		t.Fatal(err)
	}
	old := w.kinds[configMaps.GroupKind()]
	if err := w.Use(t.Context(), "app", nil); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(old.Add(object(t, "late", "1", "app")), old.Replace([]any{object(t, "late", "1", "app")}, "1")); err != nil {
		t.Fatal(err)
	}
	if objects, _ := store.Snapshot("app"); len(objects) != 0 {
		t.Errorf("a late event reached the store: %v", objects)
	}
}

func TestWatchTellsChanges(t *testing.T) {
	changes := make(chan Change, 8)
	conn := connect()
	w := NewWatcher(t.Context(), conn, NewStore(tracking.Tracker{}, func(c Change) { changes <- c }))
	if err := w.Use(t.Context(), "app", []schema.GroupVersionKind{configMaps}); err != nil {
		t.Fatal(err)
	}
	client := conn.Dynamic.Resource(schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}).Namespace("ns")
	if _, err := client.Create(t.Context(), object(t, "cm", "1", "app"), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	select {
	case got := <-changes:
		if want := (Change{Instance: "app", Key: resource.Key{Kind: "ConfigMap", Namespace: "ns", Name: "cm"}}); got != want {
			t.Errorf("told %v, want %v", got, want)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("nothing was told within 10 s")
	}
}
