package live

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tiphys-io/tiphys/internal/resource"
	"github.com/tiphys-io/tiphys/internal/tracking"
)

func TestOrphans(t *testing.T) {
	plane, conn, create := onAServer(t)
	create("{apiVersion: v1, kind: Namespace, metadata: {name: busy}}\n" + tracked("mine", "app", "") + tracked("theirs", "other", "") + tracked("nobodys", "", "") +
		tracked("owned", "", owner("nothing", "00000000-0000-0000-0000-000000000000")) + `---
{apiVersion: v1, kind: Service, metadata: {name: web, namespace: busy}, spec: {ports: [{port: 80}]}}
---
{apiVersion: v1, kind: Endpoints, metadata: {name: web, namespace: busy}}
---
{apiVersion: v1, kind: Endpoints, metadata: {name: by-hand, namespace: busy}}
---
{apiVersion: v1, kind: ServiceAccount, metadata: {name: robot, namespace: busy}}
---
{apiVersion: v1, kind: Secret, metadata: {name: robot-token, namespace: busy, annotations: {kubernetes.io/service-account.name: robot}}, type: kubernetes.io/service-account-token}
---
{apiVersion: v1, kind: Secret, metadata: {name: excluded, namespace: busy}}
---
{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: my-db, namespace: busy}, spec: {serviceName: x, selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: x}]}}}}
---
{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: some-data-my-db-0, namespace: busy}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Mi}}}}
---
{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: my-db-0, namespace: busy}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Mi}}}}
`)
	w := NewWatcher(t.Context(), conn, NewStore(tracking.Tracker{}, func(Change) {}))
	ask := Orphans{Namespace: "busy", MaxAge: time.Hour, Excluded: func(group, kind string) bool { return group == "" && kind == "Secret" || kind == "Lease" }}
	orphans := func() []string {
		t.Helper()
		found, err := w.Orphans(t.Context(), ask)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, key := range found {
			if key.Namespace != "busy" {
				t.Errorf("%s is elsewhere", key)
			}
			names = append(names, key.Kind+"/"+key.Name)
		}
		slices.Sort(names)
		return names
	}
	want := []string{"ConfigMap/nobodys", "Endpoints/by-hand", "PersistentVolumeClaim/my-db-0", "Service/web", "ServiceAccount/robot", "StatefulSet/my-db"}
	if diff := cmp.Diff(want, orphans()); diff != "" {
		t.Errorf("orphans (-want +got):\n%s", diff)
	}
	create(tracked("later", "", ""))
	if diff := cmp.Diff(want, orphans()); diff != "" {
		t.Errorf("the cluster was asked again (-want +got):\n%s", diff)
	}
	ask.ExcludedVersion, ask.Excluded = "2", func(string, string) bool { return false }
	want = append(want, "ConfigMap/later", "Secret/excluded")
	slices.Sort(want)
	if diff := cmp.Diff(want, orphans()); diff != "" {
		t.Errorf("other kinds are excluded (-want +got):\n%s", diff)
	}
	create(tracked("newest", "", ""))
	ask.MaxAge = 0
	if got := orphans(); !slices.Contains(got, "ConfigMap/newest") {
		t.Errorf("somebody wanted to know: %v", got)
	}
	plane.Stop()
	if got, err := w.Orphans(t.Context(), ask); err == nil {
		t.Errorf("a cluster that does not answer has no orphans: %v; want an error", got)
	}
}

// The censuses of namespaces that nobody asks for do not stay.
func TestCensusesAreForgotten(t *testing.T) {
	w := NewWatcher(t.Context(), connect(), NewStore(tracking.Tracker{}, func(Change) {}))
	w.censusOf("old").at = time.Now().Add(-2 * censusLife)
	young := w.censusOf("young")
	young.at = time.Now()
	w.censusOf("new")
	if _, kept := w.censuses["old"]; kept || w.censusOf("young") != young {
		t.Errorf("kept are %v", w.censuses)
	}
}

func TestClaimsOfStatefulSets(t *testing.T) {
	made := kin{services: map[string]bool{}, sets: map[string]bool{"my-db": true}}
	for name, want := range map[string]bool{"data-my-db-0": true, "some-data-my-db-12": true, "data-my-db": false, "my-db-0": false, "data-db-0": false, "data-my-db-x": false, "-my-db-0": false} {
		if made.has(resource.Key{Kind: "PersistentVolumeClaim", Name: name}) != want {
			t.Errorf("%s: want %v", name, want)
		}
	}
}
