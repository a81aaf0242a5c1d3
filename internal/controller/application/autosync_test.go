package application

import (
	"strconv"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/refresh"
	"github.com/tiphys-io/tiphys/internal/resource"
	"github.com/tiphys-io/tiphys/internal/target"
)

var backoff = Backoff{Base: 2 * time.Second, Factor: 3, Cap: 300 * time.Second}

func automatedApp(change func(*argov1.Application)) *argov1.Application {
	yes := true
	app := &argov1.Application{Spec: argov1.ApplicationSpec{
		Source:     &argov1.ApplicationSource{RepoURL: "https://example.com/x", Path: "app"},
		SyncPolicy: &argov1.SyncPolicy{Automated: &argov1.SyncPolicyAutomated{Prune: &yes, SelfHeal: &yes}},
	}}
	if change != nil {
		change(app)
	}
	return app
}

// ended records an operation on revision "r1" that ended 10 s before now.
func ended(phase argov1.OperationPhase, heals int64) func(*argov1.Application) {
	return func(app *argov1.Application) {
		finished := metav1.NewTime(time.Unix(990, 0))
		app.Status.OperationState = &argov1.OperationState{
			Phase: phase, Message: "why", FinishedAt: &finished,
			Operation:  argov1.Operation{Sync: &argov1.SyncOperation{SelfHealAttemptsCount: heals}},
			SyncResult: &argov1.SyncOperationResult{Revision: "r1", Source: *app.Spec.Source},
		}
	}
}

// automatic makes the last operation one of automated sync that ended a while before now, and gives the policy a longest
// back-off.
func automatic(app *argov1.Application, longest string, ago time.Duration) {
	finished := metav1.NewTime(time.Unix(1000, 0).Add(-ago))
	app.Status.OperationState.FinishedAt = &finished
	app.Status.OperationState.Operation.InitiatedBy.Automated = true
	app.Spec.SyncPolicy.Retry = &argov1.RetryStrategy{Backoff: &argov1.Backoff{MaxDuration: longest}}
}

func outOfSync(rows ...refresh.Row) *refresh.Comparison {
	return &refresh.Comparison{Status: argov1.SyncStatusOutOfSync, Rows: rows}
}

func TestDecide(t *testing.T) {
	live := &unstructured.Unstructured{Object: map[string]any{"kind": "ConfigMap", "apiVersion": "v1"}}
	changed := refresh.Row{Key: resource.Key{Kind: "ConfigMap", Name: "a"}, Target: live, Live: live, Status: argov1.SyncStatusOutOfSync}
	gone := refresh.Row{Key: resource.Key{Kind: "ConfigMap", Name: "b"}, Live: live, SelfReferenced: true, Status: argov1.SyncStatusOutOfSync}
	inSync := refresh.Row{Key: resource.Key{Kind: "ConfigMap", Name: "c"}, Target: live, Live: live, Status: argov1.SyncStatusSynced}
	no := false
	for _, tc := range []struct {
		reason     string
		app        *argov1.Application
		comparison *refresh.Comparison
		revision   string
		operates   bool
		refusal    string
		wait       time.Duration
		heals      int64
		resting    map[resource.Key]time.Time
	}{
		{reason: "a first difference is synced", app: automatedApp(nil), comparison: outOfSync(changed), operates: true},
		{reason: "manual applications are left alone", app: automatedApp(func(a *argov1.Application) { a.Spec.SyncPolicy = nil }), comparison: outOfSync(changed)},
		{reason: "enabled=false switches it off", app: automatedApp(func(a *argov1.Application) { a.Spec.SyncPolicy.Automated.Enabled = &no }), comparison: outOfSync(changed)},
		{reason: "Unknown is no difference", app: automatedApp(nil), comparison: &refresh.Comparison{Status: argov1.SyncStatusUnknown}},
		{reason: "an operation is under way", app: automatedApp(func(a *argov1.Application) { a.Operation = &argov1.Operation{} }), comparison: outOfSync(changed)},
		{reason: "without prune, what only requires pruning is no reason", app: automatedApp(func(a *argov1.Application) { a.Spec.SyncPolicy.Automated.Prune = &no }), comparison: outOfSync(gone)},
		{reason: "everything would be deleted", app: automatedApp(nil), comparison: outOfSync(gone), refusal: "Skipping sync attempt to [r1]: auto-sync will wipe out all resources"},
		{reason: "a failed revision is shown", app: automatedApp(ended(argov1.OperationFailed, 0)), comparison: outOfSync(changed), refusal: "Failed last sync attempt to [r1]: why"},
		{
			reason: "the condition names the objects that the message leaves out, and what to do", app: automatedApp(func(a *argov1.Application) {
				ended(argov1.OperationFailed, 0)(a)
				a.Status.OperationState.SyncResult.Resources = append(argov1.ResourceResults{
					{Kind: "ConfigMap", Namespace: "n", Name: "applied", Status: argov1.ResultCodeSynced, Message: "created"},
					{Kind: "Service", Namespace: "n", Name: "told", Status: argov1.ResultCodeSyncFailed, Message: "why"},
				}, failedRows(6)...)
			}), comparison: outOfSync(changed), refusal: "Failed last sync attempt to [r1]: why; Service n/told; Thing n/0: install it; Thing n/1: install it; " +
				"Thing n/2: install it; Thing n/3: install it; and 2 more, see status.operationState.syncResult",
		},
		{
			reason: "a failed automated sync is tried once more when the longest back-off is over", app: automatedApp(func(a *argov1.Application) {
				ended(argov1.OperationFailed, 0)(a)
				automatic(a, "10s", 3*time.Minute)
			}), comparison: outOfSync(changed), operates: true,
		},
		{
			reason: "and not before", app: automatedApp(func(a *argov1.Application) {
				ended(argov1.OperationFailed, 0)(a)
				automatic(a, "5m", 10*time.Second)
			}), comparison: outOfSync(changed), refusal: "Failed last sync attempt to [r1]: why", wait: 290 * time.Second,
		},
		{
			reason: "nor more often than every three minutes, whatever the spec says", app: automatedApp(func(a *argov1.Application) {
				ended(argov1.OperationFailed, 0)(a)
				automatic(a, "0", 10*time.Second)
			}), comparison: outOfSync(changed), refusal: "Failed last sync attempt to [r1]: why", wait: 170 * time.Second,
		},
		{
			reason: "nor what a person terminated", app: automatedApp(func(a *argov1.Application) {
				ended(argov1.OperationFailed, 0)(a)
				automatic(a, "10s", time.Hour)
				a.Status.OperationState.Message = terminated
			}), comparison: outOfSync(changed), refusal: "Failed last sync attempt to [r1]: Operation terminated",
		},
		{
			reason: "nor when it would delete everything", app: automatedApp(func(a *argov1.Application) {
				ended(argov1.OperationFailed, 0)(a)
				automatic(a, "10s", time.Hour)
			}), comparison: outOfSync(gone), refusal: "Skipping sync attempt to [r1]: auto-sync will wipe out all resources",
		},
		{reason: "a difference without a row, as that of a managed namespace, is synced", app: automatedApp(nil), comparison: outOfSync(inSync), operates: true},
		{
			reason: "what a person synced in vain is left to that person", app: automatedApp(func(a *argov1.Application) {
				ended(argov1.OperationFailed, 0)(a)
				automatic(a, "1s", time.Hour)
				a.Status.OperationState.Operation.InitiatedBy = argov1.OperationInitiator{Username: "admin"}
			}), comparison: outOfSync(changed), refusal: "Failed last sync attempt to [r1]: why",
		},
		{reason: "a new revision is", app: automatedApp(ended(argov1.OperationFailed, 0)), comparison: outOfSync(changed), revision: "r2", operates: true},
		{
			reason: "heals that held are not counted: in sync for longer than the back-off, it begins anew", operates: true, heals: 1,
			app: automatedApp(func(a *argov1.Application) {
				ended(argov1.OperationSucceeded, 2)(a)
				a.Status.Sync.Status = argov1.SyncStatusSynced
			}), comparison: outOfSync(changed),
		},
		{
			reason: "heals that did not hold are: it was out of sync while it waited", operates: true, heals: 3,
			app: automatedApp(func(a *argov1.Application) {
				ended(argov1.OperationSucceeded, 2)(a)
				a.Status.Sync.Status = argov1.SyncStatusOutOfSync
			}), comparison: outOfSync(changed),
		},
		{reason: "a drift is healed", app: automatedApp(ended(argov1.OperationSucceeded, 0)), comparison: outOfSync(changed), operates: true, heals: 1},
		{reason: "the back-off of the third heal is not over", app: automatedApp(ended(argov1.OperationSucceeded, 3)), comparison: outOfSync(changed), wait: 8 * time.Second},
		{
			reason: "what another controller contests rests, and is waited for", app: automatedApp(ended(argov1.OperationSucceeded, 0)), comparison: outOfSync(changed),
			resting: map[resource.Key]time.Time{changed.Key: time.Unix(1100, 0), {Kind: "Other"}: time.Unix(1200, 0)}, wait: 100 * time.Second,
		},
		{
			reason: "all else is healed meanwhile, and as soon as ever", operates: true, heals: 1,
			app: automatedApp(func(a *argov1.Application) {
				ended(argov1.OperationSucceeded, 2)(a)
				a.Status.Sync.Status = argov1.SyncStatusOutOfSync
				a.Status.Resources = []argov1.ResourceStatus{{Kind: "Other", Name: "x", Status: argov1.SyncStatusOutOfSync}, {Kind: "ConfigMap", Name: "a", Status: argov1.SyncStatusSynced}}
			}), comparison: outOfSync(changed, refresh.Row{Key: resource.Key{Kind: "Other", Name: "x"}, Status: argov1.SyncStatusOutOfSync}),
			resting: map[resource.Key]time.Time{{Kind: "Other", Name: "x"}: time.Unix(1100, 0)},
		},
		{
			reason: "a new revision syncs what rests too", app: automatedApp(ended(argov1.OperationSucceeded, 0)), comparison: outOfSync(changed), revision: "r2", operates: true,
			resting: map[resource.Key]time.Time{changed.Key: time.Unix(1100, 0)},
		},
		{reason: "without selfHeal a drift is shown only", app: automatedApp(func(a *argov1.Application) {
			ended(argov1.OperationSucceeded, 0)(a)
			a.Spec.SyncPolicy.Automated.SelfHeal = &no
		}), comparison: outOfSync(changed)},
	} {
		revision := "r1"
		if tc.revision != "" {
			revision = tc.revision
		}
		d := decide(tc.app, tc.comparison, []string{revision}, healing{backoff: backoff, resting: tc.resting}, time.Unix(1000, 0))
		if (d.operation != nil) != tc.operates || d.refusal != tc.refusal || d.wait != tc.wait {
			t.Errorf("%s: %+v", tc.reason, d)
			continue
		}
		if d.operation == nil {
			continue
		}
		if d.operation.Sync.SelfHealAttemptsCount != tc.heals || (tc.heals > 0) != (len(d.operation.Sync.Resources) > 0) || d.operation.Sync.Revision != revision {
			t.Errorf("%s: operation %+v", tc.reason, d.operation.Sync)
		}
	}
}

func TestHealBackoff(t *testing.T) {
	want := []time.Duration{0, 2, 6, 18, 54, 162, 300, 300}
	for attempts, seconds := range want {
		if got := healBackoff(backoff, int64(attempts)); got != seconds*time.Second {
			t.Errorf("after %d heals the back-off is %s, want %d s (contract 2.9)", attempts, got, seconds)
		}
	}
}

func TestRetryAt(t *testing.T) {
	finished := metav1.NewTime(time.Unix(0, 0))
	for retries, seconds := range []int64{5, 10, 20, 40, 80, 160, 180} {
		state := &argov1.OperationState{FinishedAt: &finished, RetryCount: int64(retries)}
		if got := retryAt(state).Unix(); got != seconds {
			t.Errorf("retry %d is due after %d s, want %d (contract 2.11)", retries, got, seconds)
		}
	}
}

// failedRows are results of objects that could not be synced.
func failedRows(n int) (rows argov1.ResourceResults) {
	for i := range n {
		rows = append(rows, &argov1.ResourceResult{
			Kind: "Thing", Namespace: "n", Name: strconv.Itoa(i), Status: argov1.ResultCodeSyncFailed, Message: "install it",
		})
	}
	return rows
}

// Where the user says which paths matter, a commit that changes nothing of what was read is no reason to sync again.
func TestAttemptedAtAnEarlierRevision(t *testing.T) {
	for _, tc := range []struct {
		reason     string
		annotation string
		earlier    [][]string
		multiple   bool
		want       bool
	}{
		{"the same at the revision of the last operation", "/lib;.", [][]string{{"zero"}, {"one"}}, false, true},
		{"something has changed since", "/lib;.", [][]string{{"two"}}, false, false},
		{"nobody says which paths matter", "", [][]string{{"one"}}, false, false},
		{"several sources", ".", [][]string{{"one", "one"}}, true, true},
	} {
		app := &argov1.Application{Spec: argov1.ApplicationSpec{Source: &argov1.ApplicationSource{RepoURL: "r"}}}
		revisions := []string{"three"}
		result := &argov1.SyncOperationResult{Revision: "one", Source: *app.Spec.Source}
		if tc.multiple {
			app.Spec = argov1.ApplicationSpec{Sources: argov1.ApplicationSources{{RepoURL: "r"}, {RepoURL: "s"}}}
			revisions = []string{"three", "three"}
			result = &argov1.SyncOperationResult{Revisions: []string{"one", "one"}, Sources: app.Spec.Sources}
		}
		app.Status.OperationState = &argov1.OperationState{Phase: argov1.OperationFailed, SyncResult: result}
		app.Annotations = map[string]string{argov1.AnnotationManifestGeneratePaths: tc.annotation}
		s := &scope{app: app, memory: &memory{state: &target.State{Revisions: revisions, Earlier: tc.earlier}}}
		if got := attempted(s.asAttempted(), revisions); got != tc.want {
			t.Errorf("%s: %v", tc.reason, got)
		}
		if result.Revision == "three" || len(result.Revisions) > 0 && result.Revisions[0] == "three" {
			t.Errorf("%s: the result of the operation was changed", tc.reason)
		}
	}
}
