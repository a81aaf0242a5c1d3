package replay

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime/schema"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
)

// serves answers for the kinds in it.
type serves map[string]string

func (s serves) served(apiVersion, kind string) (served, error) {
	resource, known := s[apiVersion+" "+kind]
	if !known {
		return served{}, errNotServed
	}
	group, err := schema.ParseGroupVersion(apiVersion)
	return served{GroupVersionResource: group.WithResource(resource)}, err
}

var usual = serves{"v1 ConfigMap": "configmaps", "v1 Secret": "secrets", "apps/v1 Deployment": "deployments", "batch/v1 Job": "jobs"}

func learned(t *testing.T, statuses ...argov1.ApplicationStatus) *inventory {
	t.Helper()
	i := newInventory()
	for _, status := range statuses {
		if err := i.learn(&argov1.Application{Status: status}, usual); err != nil {
			t.Fatal(err)
		}
	}
	return i
}

func TestOrder(t *testing.T) {
	i := learned(t, argov1.ApplicationStatus{
		Resources: []argov1.ResourceStatus{
			{Version: "v1", Kind: "ConfigMap", Name: "early", SyncWave: -1},
			{Version: "v1", Kind: "Secret", Name: "early-too", SyncWave: -1},
			{Version: "v1", Kind: "ConfigMap", Name: "a"},
			{Version: "v1", Kind: "ConfigMap", Name: "b"},
			{Group: "example.com", Version: "v1", Kind: "Unserved", Name: "x", SyncWave: 5},
		},
		OperationState: &argov1.OperationState{SyncResult: &argov1.SyncOperationResult{Resources: argov1.ResourceResults{
			{Version: "v1", Kind: "ConfigMap", Name: "hook", HookType: "PreSync", SyncPhase: "PreSync"},
		}}},
	})
	cm := func(verb, name string) write { return write{Verb: verb, Resource: "configmaps", Name: name} }
	for _, test := range []struct {
		reason  string
		writes  []write
		cascade bool
		want    [][]string
	}{
		{"nothing was written", nil, false, [][]string{}},
		{"objects of one kind and wave are one sorted group", []write{cm("create", "b"), cm("patch", "a")}, false, [][]string{{"apply", "configmaps/a", "configmaps/b"}}},
		{"another wave is another group", []write{cm("create", "early"), cm("create", "a")}, false, [][]string{{"apply", "configmaps/early"}, {"apply", "configmaps/a"}}},
		{
			"another kind is another group, also within a wave",
			[]write{cm("create", "early"), {Verb: "create", Resource: "secrets", Name: "early-too"}},
			false,
			[][]string{{"apply", "configmaps/early"}, {"apply", "secrets/early-too"}},
		},
		{"only the first write of an object counts", []write{cm("create", "a"), cm("create", "early"), cm("patch", "a")}, false, [][]string{{"apply", "configmaps/a"}, {"apply", "configmaps/early"}}},
		{"until it was deleted", []write{cm("create", "a"), cm("delete", "a"), cm("create", "a")}, false, [][]string{{"apply", "configmaps/a"}, {"delete", "configmaps/a"}, {"apply", "configmaps/a"}}},
		{"subresources do not count", []write{{Verb: "patch", Resource: "configmaps", Name: "a", Subresource: "status"}}, false, [][]string{}},
		{"a hook is created; what is written to it later is its finalizer", []write{cm("create", "hook"), cm("patch", "hook"), cm("update", "hook")}, false, [][]string{{"apply", "configmaps/hook"}}},
		{"a hook is in another phase than an object of the same wave", []write{cm("create", "hook"), cm("create", "a")}, false, [][]string{{"apply", "configmaps/hook"}, {"apply", "configmaps/a"}}},
		{"objects of a wave are deleted together, whatever their kind", []write{cm("delete", "early"), {Verb: "delete", Resource: "secrets", Name: "early-too"}}, false, [][]string{{"delete", "configmaps/early", "secrets/early-too"}}},
		{"a deletion that is repeated at once is one", []write{cm("delete", "a"), cm("delete", "b"), cm("delete", "a")}, false, [][]string{{"delete", "configmaps/a", "configmaps/b"}}},
		{"a sync deletes phase by phase", []write{cm("delete", "hook"), cm("delete", "a")}, false, [][]string{{"delete", "configmaps/hook"}, {"delete", "configmaps/a"}}},
		{"a cascade does not", []write{cm("delete", "hook"), cm("delete", "a")}, true, [][]string{{"delete", "configmaps/a", "configmaps/hook"}}},
		{"other namespaces are named", []write{{Verb: "create", Resource: "configmaps", Name: "a", Namespace: "n"}}, false, [][]string{{"apply", "configmaps/n/a"}}},
		{"what no status names is in wave 0", []write{cm("create", "stranger"), cm("create", "a")}, false, [][]string{{"apply", "configmaps/a", "configmaps/stranger"}}},
	} {
		if diff := cmp.Diff(test.want, i.order(test.writes, test.cascade)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.reason, diff)
		}
	}
}

func TestLearn(t *testing.T) {
	i := learned(t,
		argov1.ApplicationStatus{Resources: []argov1.ResourceStatus{
			{Group: "batch", Version: "v1", Kind: "Job", Namespace: "n", Name: "hook", SyncWave: 3, Hook: true},
			{Group: "example.com", Version: "v1", Kind: "Unserved", Name: "x"},
			{Version: "v1", Kind: "ConfigMap"},
		}},
		argov1.ApplicationStatus{OperationState: &argov1.OperationState{SyncResult: &argov1.SyncOperationResult{Resources: argov1.ResourceResults{
			{Group: "batch", Version: "v1", Kind: "Job", Namespace: "n", Name: "hook", HookType: "PostSync", SyncPhase: "PostSync"},
		}}}},
		argov1.ApplicationStatus{Resources: []argov1.ResourceStatus{{Group: "batch", Version: "v1", Kind: "Job", Namespace: "n", Name: "hook"}}},
	)
	want := map[resourceName]position{{"jobs.batch", "hook"}: {wave: 3, phase: "PostSync", hook: true}}
	if diff := cmp.Diff(want, i.positions, cmp.AllowUnexported(resourceName{}, position{})); diff != "" {
		t.Errorf("wave and phase stay known, what is not served or has no name is left out (-want +got):\n%s", diff)
	}
	if got := i.rows(); len(got) != 1 || got[0].apiVersion() != "batch/v1" || got[0].namespace != "n" {
		t.Errorf("rows %+v; want the Job of batch/v1 in n", got)
	}
}

func TestWrites(t *testing.T) {
	const log = `{"verb":"create","userAgent":"tiphys/1","requestURI":"/old","requestReceivedTimestamp":"2026-01-01T00:00:01.000000Z","objectRef":{"resource":"configmaps","namespace":"t-x","name":"before"},"responseStatus":{"code":201}}
`
	lines := map[string]string{
		"late":         `{"verb":"create","userAgent":"tiphys/1","requestURI":"/a","requestReceivedTimestamp":"2026-01-01T00:00:03.000000Z","objectRef":{"resource":"configmaps","namespace":"t-x","name":"late"},"responseStatus":{"code":201}}`,
		"early":        `{"verb":"patch","userAgent":"tiphys/1","requestURI":"/a","requestReceivedTimestamp":"2026-01-01T00:00:02.000000Z","objectRef":{"resource":"deployments","apiGroup":"apps","namespace":"t-x","name":"early"},"responseStatus":{"code":200}}`,
		"dry run":      `{"verb":"patch","userAgent":"tiphys/1","requestURI":"/a?dryRun=All","requestReceivedTimestamp":"2026-01-01T00:00:02.000000Z","objectRef":{"resource":"configmaps","namespace":"t-x","name":"dry"},"responseStatus":{"code":200}}`,
		"refused":      `{"verb":"create","userAgent":"tiphys/1","requestURI":"/a","requestReceivedTimestamp":"2026-01-01T00:00:02.000000Z","objectRef":{"resource":"configmaps","namespace":"t-x","name":"refused"},"responseStatus":{"code":409}}`,
		"somebody":     `{"verb":"create","userAgent":"kube-controller-manager/v1","requestURI":"/a","requestReceivedTimestamp":"2026-01-01T00:00:02.000000Z","objectRef":{"resource":"pods","namespace":"t-x","name":"pod"},"responseStatus":{"code":201}}`,
		"another case": `{"verb":"create","userAgent":"tiphys/1","requestURI":"/a","requestReceivedTimestamp":"2026-01-01T00:00:02.000000Z","objectRef":{"resource":"clusterroles","apiGroup":"rbac","namespace":"t-y","name":"role"},"responseStatus":{"code":201}}`,
		"owned":        `{"verb":"delete","userAgent":"tiphys/1","requestURI":"/a","requestReceivedTimestamp":"2026-01-01T00:00:04.000000Z","objectRef":{"resource":"clusterroles","apiGroup":"rbac","name":"role"},"responseStatus":{"code":200}}`,
		"namespace":    `{"verb":"create","userAgent":"tiphys/1","requestURI":"/a","requestReceivedTimestamp":"2026-01-01T00:00:05.000000Z","objectRef":{"resource":"namespaces","namespace":"t-x","name":"t-x"},"responseStatus":{"code":201}}`,
		"own status":   `{"verb":"patch","userAgent":"tiphys/1","requestURI":"/a","requestReceivedTimestamp":"2026-01-01T00:00:02.000000Z","objectRef":{"resource":"applications","apiGroup":"argoproj.io","namespace":"argocd","name":"x"},"responseStatus":{"code":200}}`,
		"child":        `{"verb":"create","userAgent":"tiphys/1","requestURI":"/a","requestReceivedTimestamp":"2026-01-01T00:00:06.000000Z","objectRef":{"resource":"applications","apiGroup":"argoproj.io","namespace":"argocd","name":"x-child"},"responseStatus":{"code":201}}`,
		"child status": `{"verb":"patch","userAgent":"tiphys/1","requestURI":"/a","requestReceivedTimestamp":"2026-01-01T00:00:06.000000Z","objectRef":{"resource":"applications","apiGroup":"argoproj.io","namespace":"argocd","name":"x-child"},"responseStatus":{"code":200}}`,
		"half written": `{"verb":"create","userAgent":"tiphys/1","objectRef":{"namespace":"t-x"`,
	}
	content := log
	for _, name := range []string{"late", "early", "dry run", "refused", "somebody", "another case", "owned", "namespace", "own status", "child", "child status"} {
		content += lines[name] + "\n"
	}
	content += lines["half written"]
	path := filepath.Join(t.TempDir(), "audit.log")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	scope := scope{
		control: "argocd", namespaces: []string{"t-x", "other"}, applications: []string{"x"},
		owned: map[resourceName]bool{{"clusterroles.rbac", "role"}: true, {"applications.argoproj.io", "x-child"}: true},
	}
	want := []write{
		{Verb: "patch", Resource: "deployments.apps", Name: "early"},
		{Verb: "create", Resource: "configmaps", Name: "late"},
		{Verb: "delete", Resource: "clusterroles.rbac", Name: "role"},
		{Verb: "create", Resource: "namespaces", Name: "t-x"},
		{Verb: "create", Resource: "applications.argoproj.io", Name: "x-child", Namespace: "argocd"},
	}
	for _, start := range []struct {
		reason string
		offset int
	}{
		{"the offset is the end of a line", len(log)},
		{"the offset is within a line, which was being written when the step began", strings.Index(log, "/old")},
	} {
		got, applications, err := auditLog(path).writes(int64(start.offset), scope)
		if err != nil {
			t.Fatalf("%s: %v", start.reason, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: writes since then, by the time of their request (-want +got):\n%s", start.reason, diff)
		}
		if applications != 1 {
			t.Errorf("%s: %d writes to the Application; want 1", start.reason, applications)
		}
	}
	if _, err := auditLog(path + "x").size(); err == nil {
		t.Error("a missing audit log is no error; want one: without it every order would be empty")
	}
}
