package health

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

func TestGate(t *testing.T) {
	const spec = `
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: child}
spec:
  source: {repoURL: u, path: p}
  destination: {server: s, namespace: ns}
`
	const compared = `
  reconciledAt: "2026-01-01T00:00:00Z"
  sync: {comparedTo: {source: {repoURL: u, path: p}, destination: {server: s, namespace: ns}}}
`
	for _, tc := range []struct{ reason, app, want, message string }{
		{"a child that nobody has seen yet is waited for", spec, "Progressing", "waiting for the application to be compared with its spec"},
		{"so is one whose spec has changed since", spec + "status:\n  reconciledAt: \"2026-01-01T00:00:00Z\"\n  sync: {comparedTo: {source: {repoURL: u, path: old}, destination: {server: s, namespace: ns}}}\n", "Progressing", "waiting for the application to be compared with its spec"},
		{"what keeps it from being compared is told", spec + "status:\n  conditions: [{type: OrphanedResourceWarning, message: w}, {type: ComparisonError, message: no such path}]\n", "Progressing", "no such path"},
		{"an operation of its own is waited for", spec + "operation: {sync: {}}\nstatus:" + compared + "  health: {status: Healthy}\n", "Progressing", "waiting for the sync of the application: "},
		{"then its own health counts", spec + "status:" + compared + "  health: {status: Degraded, message: m}\n", "Degraded", "m"},
		{"a manual child that was never synced does not hold its parent for ever", spec + "status:" + compared + "  health: {status: Missing}\n", "Healthy", ""},
		{"an automated one does, until it is there", spec + "  syncPolicy: {automated: {}}\nstatus:" + compared + "  health: {status: Missing}\n", "Missing", ""},
		{"automated sync that is switched off is none", spec + "  syncPolicy: {automated: {enabled: false}}\nstatus:" + compared + "  health: {status: Missing}\n", "Healthy", ""},
		{"several sources are compared as such", "apiVersion: argoproj.io/v1alpha1\nkind: Application\nspec: {sources: [{repoURL: u}], destination: {server: s}}\n" +
			"status: {reconciledAt: \"2026-01-01T00:00:00Z\", health: {status: Healthy}, sync: {comparedTo: {source: {repoURL: \"\"}, sources: [{repoURL: u}], destination: {server: s}}}}\n", "Healthy", ""},
		{"what says nothing in a manifest makes no difference", "apiVersion: argoproj.io/v1alpha1\nkind: Application\nspec: {source: {repoURL: u, path: p, targetRevision: \"\", helm: {skipCrds: false}}, destination: {server: s, name: \"\"}}\n" +
			"status: {reconciledAt: \"2026-01-01T00:00:00Z\", health: {status: Healthy}, sync: {comparedTo: {source: {repoURL: u, path: p, helm: {}}, destination: {server: s}}}}\n", "Healthy", ""},
		{"one that is no application is said to be none", "apiVersion: argoproj.io/v1alpha1\nkind: Application\nspec: 7\n", "Unknown", "the application cannot be read: "},
		{"another kind is judged as always", "apiVersion: v1\nkind: PersistentVolumeClaim\nstatus: {phase: Bound}\n", "Healthy", ""},
	} {
		obj := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(tc.app), &obj.Object); err != nil {
			t.Fatalf("%s: %v", tc.reason, err)
		}
		if got := new(Assessor).Gate(obj); got == nil || string(got.Status) != tc.want || !strings.HasPrefix(got.Message, tc.message) || (tc.message == "") != (got.Message == "") {
			t.Errorf("%s: %+v, want %s %q", tc.reason, got, tc.want, tc.message)
		}
	}
}

// By default a child application has no health of its own in the status of its parent (contract 4.2); a wave waits for it all
// the same, see TestGate.
func TestChildApplicationsHaveNoHealth(t *testing.T) {
	obj := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte("apiVersion: argoproj.io/v1alpha1\nkind: Application\nstatus: {health: {status: Degraded}}\n"), &obj.Object); err != nil {
		t.Fatal(err)
	}
	if got := new(Assessor).Assess(obj); got != nil {
		t.Errorf("Assess = %+v, want no opinion", got)
	}
}
