package live

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/tiphys-io/tiphys/internal/cluster"
	"github.com/tiphys-io/tiphys/internal/resource"
	"github.com/tiphys-io/tiphys/internal/tracking"
	"github.com/tiphys-io/tiphys/test/fixture"
)

// tracked is a ConfigMap with a tracking mark for the given application; instance may be empty. Owners are YAML.
func tracked(name, instance, owners string) string {
	annotations := ""
	if instance != "" {
		annotations = fmt.Sprintf(`, annotations: {argocd.argoproj.io/tracking-id: "%s:/ConfigMap:busy/%s"}`, instance, name)
	}
	return fmt.Sprintf("---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: %s, namespace: busy%s, ownerReferences: [%s]}}\n", name, annotations, owners)
}

func owner(name, uid string) string {
	return fmt.Sprintf("{apiVersion: v1, kind: ConfigMap, name: %s, uid: %s}", name, uid)
}

// onAServer is a connection to a control plane that lives as long as the test, and a function that makes objects there.
func onAServer(t *testing.T) (plane *fixture.ControlPlane, conn *cluster.Conn, create func(manifests string)) {
	t.Helper()
	plane, err := fixture.StartControlPlane(t.Context(), fixture.ControlPlaneOptions{Progress: t.Output()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(plane.Stop)
	if conn, err = cluster.Connect(plane.RESTConfig(), "https://kubernetes.default.svc", "in-cluster"); err != nil {
		t.Fatal(err)
	}
	return plane, conn, func(manifests string) {
		t.Helper()
		file := filepath.Join(t.TempDir(), "manifests.yaml")
		if err := os.WriteFile(file, []byte(manifests), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := plane.Kubectl(t.Context(), "create", "-f", file); err != nil {
			t.Fatal(err)
		}
	}
}

func TestOccupants(t *testing.T) {
	plane, conn, create := onAServer(t)
	uid := func(name string) string {
		t.Helper()
		text, err := plane.Kubectl(t.Context(), "get", "configmap", "-n", "busy", name, "-o", "jsonpath={.metadata.uid}")
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	create("{apiVersion: v1, kind: Namespace, metadata: {name: busy}}\n---\n{apiVersion: v1, kind: Namespace, metadata: {name: elsewhere}}\n" +
		tracked("mine", "app", "") + tracked("theirs", "other", "") + tracked("nobodys", "", "") + `---
{apiVersion: v1, kind: ConfigMap, metadata: {name: not-here, namespace: elsewhere}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: kube-root-ca.crt, namespace: busy}}
---
{apiVersion: v1, kind: ServiceAccount, metadata: {name: default, namespace: busy}}
---
{apiVersion: v1, kind: ServiceAccount, metadata: {name: robot, namespace: busy}}
---
{apiVersion: v1, kind: Secret, metadata: {name: default, namespace: busy}}
---
{apiVersion: coordination.k8s.io/v1, kind: Lease, metadata: {name: lock, namespace: busy}}
---
{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: slice, namespace: busy}, addressType: IPv4, endpoints: []}
---
{apiVersion: v1, kind: Event, metadata: {name: event, namespace: busy}, involvedObject: {namespace: busy}}
---
{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: busy}, spec: {selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: x}]}}}}
`)
	create(tracked("my-child", "", owner("mine", uid("mine"))) + tracked("their-child", "", owner("theirs", uid("theirs"))) +
		tracked("orphan", "", owner("nothing", "00000000-0000-0000-0000-000000000000")))
	create(tracked("my-grandchild", "", owner("my-child", uid("my-child"))))

	w := NewWatcher(t.Context(), conn, NewStore(tracking.Tracker{}, func(Change) {}))
	got, err := w.Occupants(t.Context(), "busy", "app")
	if err != nil {
		t.Fatal(err)
	}
	want := []resource.Key{
		{Kind: "ConfigMap", Namespace: "busy", Name: "nobodys"},
		{Kind: "ConfigMap", Namespace: "busy", Name: "orphan"},
		{Kind: "ConfigMap", Namespace: "busy", Name: "their-child"},
		{Kind: "ConfigMap", Namespace: "busy", Name: "theirs"},
		{Kind: "Secret", Namespace: "busy", Name: "default"},
		{Kind: "ServiceAccount", Namespace: "busy", Name: "robot"},
		{Group: "apps", Kind: "Deployment", Namespace: "busy", Name: "web"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("occupants of a busy namespace (-want +got):\n%s", diff)
	}
	if got, err := w.Occupants(t.Context(), "nowhere", "app"); err != nil || len(got) != 0 {
		t.Errorf("a namespace that does not exist: %v, %v", got, err)
	}
	plane.Stop()
	if got, err := w.Occupants(t.Context(), "busy", "app"); err == nil {
		t.Errorf("a cluster that does not answer has no occupants: %v; want an error", got)
	}
}

// A circle of owners has no end; it belongs to nobody.
func TestOwnersInACircle(t *testing.T) {
	w := NewWatcher(t.Context(), connect(), NewStore(tracking.Tracker{}, func(Change) {}))
	found := circle("a", "b")
	if got := w.strangers(found, "app"); len(got) != 2 {
		t.Errorf("strangers %v, want both", got)
	}
}

// circle are objects of nobody, each owned by the next.
func circle(names ...types.UID) map[types.UID]occupant {
	found := map[types.UID]occupant{}
	for i, name := range names {
		found[name] = occupant{
			key:    resource.Key{Kind: "ConfigMap", Name: string(name)},
			owners: []metav1.OwnerReference{{UID: names[(i+1)%len(names)]}},
			mine:   func(string) bool { return false },
		}
	}
	return found
}
