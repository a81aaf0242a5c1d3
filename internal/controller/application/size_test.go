package application

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
)

// large is an application in the middle of a sync, with n objects of each sort.
func large(n int) *argov1.Application {
	app := &argov1.Application{ObjectMeta: metav1.ObjectMeta{Name: "large", Namespace: "argocd"}}
	status := func(health argov1.HealthStatusCode) *argov1.HealthStatus { return &argov1.HealthStatus{Status: health} }
	results := argov1.ResourceResults{}
	for i := range n {
		name := func(sort string) string { return fmt.Sprintf("%s-%05d", sort, i) }
		app.Status.Resources = append(app.Status.Resources,
			argov1.ResourceStatus{Version: "v1", Kind: "ConfigMap", Name: name("synced"), Status: argov1.SyncStatusSynced},
			argov1.ResourceStatus{Group: "apps", Version: "v1", Kind: "Deployment", Name: name("ill"), Status: argov1.SyncStatusSynced, Health: status(argov1.HealthDegraded)},
			argov1.ResourceStatus{Version: "v1", Kind: "ConfigMap", Name: name("missing"), Status: argov1.SyncStatusOutOfSync, Health: status(argov1.HealthMissing)},
			argov1.ResourceStatus{Version: "v1", Kind: "ConfigMap", Name: name("pruned"), Status: argov1.SyncStatusOutOfSync, RequiresPruning: true},
			argov1.ResourceStatus{Group: "batch", Version: "v1", Kind: "Job", Name: name("hook"), Hook: true},
		)
		results = append(results,
			&argov1.ResourceResult{Version: "v1", Kind: "ConfigMap", Name: name("done"), Status: argov1.ResultCodeSynced, Message: "created", HookPhase: argov1.OperationRunning},
			&argov1.ResourceResult{Group: "batch", Version: "v1", Kind: "Job", Name: name("ran"), HookType: argov1.HookTypePreSync, HookPhase: argov1.OperationSucceeded},
			&argov1.ResourceResult{Version: "v1", Kind: "Service", Name: name("failed"), Status: argov1.ResultCodeSyncFailed, Message: "invalid"},
		)
	}
	app.Status.OperationState = &argov1.OperationState{
		Phase: argov1.OperationRunning, StartedAt: metav1.NewTime(time.Unix(900, 0)), SyncResult: &argov1.SyncOperationResult{Resources: results},
	}
	return app
}

func length(t *testing.T, app *argov1.Application) int {
	t.Helper()
	data, err := json.Marshal(app)
	if err != nil {
		t.Fatal(err)
	}
	return len(data)
}

// sorts counts the rows by the first word of their name.
func sorts(app *argov1.Application) map[string]int {
	count := map[string]int{}
	for _, row := range app.Status.Resources {
		sort, _, _ := strings.Cut(row.Name, "-")
		count[sort]++
	}
	for _, row := range app.Status.OperationState.SyncResult.Resources {
		sort, _, _ := strings.Cut(row.Name, "-")
		count[sort]++
	}
	return count
}

func TestFit(t *testing.T) {
	const n = 100
	whole := length(t, large(n))
	all := map[string]int{"synced": n, "ill": n, "missing": n, "pruned": n, "hook": n, "done": n, "ran": n, "failed": n}
	but := func(change map[string]int) map[string]int {
		left := maps.Clone(all)
		maps.Copy(left, change)
		return left
	}
	for _, tc := range []struct {
		reason  string
		limit   int
		want    map[string]int
		warning string
	}{
		{"what has room stays whole", whole, all, ""},
		{"one of each kind stays, for the kinds are found there after a restart", whole - 3<<10, but(map[string]int{"synced": 1, "done": 1}), " of 500 rows of status.resources are left out ("},
		{"what is begun again goes next, then what does not exist", whole - 25<<10, but(map[string]int{"synced": 1, "done": 1, "missing": 1}), ", and 100 of 300 of status.operationState.syncResult.resources"},
	} {
		app := large(n)
		got, err := fit(app, tc.limit, time.Unix(1000, 0))
		if err != nil {
			t.Fatalf("%s: %v", tc.reason, err)
		}
		if size := length(t, got); size > tc.limit {
			t.Errorf("%s: %d bytes, want at most %d", tc.reason, size, tc.limit)
		}
		if tc.warning == "" {
			if got != app {
				t.Errorf("%s: it was copied", tc.reason)
			}
			continue
		}
		for sort, count := range sorts(got) {
			if want := tc.want[sort]; (want == 0 || want == n) && count < want {
				t.Errorf("%s: %d rows %q, want %d", tc.reason, count, sort, want)
			}
		}
		if len(got.Status.Conditions) != 1 || !strings.Contains(got.Status.Conditions[0].Message, tc.warning) {
			t.Errorf("%s: conditions %v, want %q", tc.reason, got.Status.Conditions, tc.warning)
		}
		if len(app.Status.Resources) != 5*n || len(app.Status.Conditions) != 0 {
			t.Errorf("%s: the original has changed", tc.reason)
		}
	}
}

// What a client decides by is never left out before anything else is.
func TestFitKeepsWhatDecides(t *testing.T) {
	const n = 50
	whole := length(t, large(n))
	for limit := whole; limit > whole/3; limit -= 1000 {
		got, err := fit(large(n), limit, time.Unix(1000, 0))
		if err != nil {
			t.Fatal(err)
		}
		left := sorts(got)
		if size := length(t, got); size > limit {
			t.Fatalf("limit %d: %d bytes", limit, size)
		}
		for _, order := range [][2]string{{"synced", "missing"}, {"done", "missing"}, {"missing", "ill"}, {"missing", "failed"}, {"ill", "pruned"}, {"failed", "ran"}, {"ill", "hook"}} {
			// The first of a kind stays whatever it is.
			if left[order[1]] < n && left[order[0]] > 1 {
				t.Fatalf("limit %d: %d rows %q are left and only %d rows %q", limit, left[order[0]], order[0], left[order[1]], order[1])
			}
		}
	}
}

func TestFitIsStable(t *testing.T) {
	limit := length(t, large(50)) - 4<<10
	first, err := fit(large(50), limit, time.Unix(1000, 0))
	if err != nil {
		t.Fatal(err)
	}
	again := large(50)
	again.Status.Conditions = first.Status.Conditions
	second, err := fit(again, limit, time.Unix(2000, 0))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(first.Status.Conditions, second.Status.Conditions); diff != "" {
		t.Errorf("nothing has changed, so nothing may be written (-first +second):\n%s", diff)
	}
	small, err := fit(second, length(t, second), time.Unix(3000, 0))
	if err != nil || len(small.Status.Conditions) != 0 {
		t.Errorf("there is room again: conditions %v (%v)", small.Status.Conditions, err)
	}
}

func TestRowsAreRestored(t *testing.T) {
	whole := large(50)
	fitted, err := fit(whole, length(t, whole)-15<<10, time.Unix(1000, 0))
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		reason string
		change func(*argov1.Application)
		want   [2]int // rows, results
	}{
		{"all that was left out comes back", func(*argov1.Application) {}, [2]int{250, 150}},
		{"the results of another operation do not", func(app *argov1.Application) { app.Status.OperationState.StartedAt = metav1.NewTime(time.Unix(950, 0)) }, [2]int{250, len(fitted.Status.OperationState.SyncResult.Resources)}},
		{"nor do those of another attempt", func(app *argov1.Application) { app.Status.OperationState.RetryCount = 1 }, [2]int{250, len(fitted.Status.OperationState.SyncResult.Resources)}},
		{"a status that is whole stays as it is", func(app *argov1.Application) {
			app.Status.Conditions, app.Status.Resources = nil, nil
		}, [2]int{0, len(fitted.Status.OperationState.SyncResult.Resources)}},
	} {
		app := fitted.DeepCopy()
		tc.change(app)
		rowsOf(whole).restore(app)
		if got := [2]int{len(app.Status.Resources), len(app.Status.OperationState.SyncResult.Resources)}; got != tc.want {
			t.Errorf("%s: %v rows and results, want %v", tc.reason, got, tc.want)
		}
	}
	if len(fitted.Status.OperationState.SyncResult.Resources) == 150 {
		t.Error("no results were left out: the test says nothing")
	}
}
