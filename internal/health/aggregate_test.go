package health

import (
	"math/rand/v2"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/resource"
)

func row(name string, status argov1.HealthStatusCode) Row {
	r := Row{Key: resource.Key{Group: "apps", Kind: "Deployment", Namespace: "n", Name: name}, Live: true}
	if status != "" {
		r.Health = &Status{Status: status}
	}
	return r
}

func child(status argov1.HealthStatusCode) Row {
	r := row("child", status)
	r.Key.Group, r.Key.Kind = "argoproj.io", "Application"
	return r
}

func with(r Row, change func(*Row)) Row {
	change(&r)
	return r
}

func TestAggregate(t *testing.T) {
	missing := func(r *Row) { r.Live = false; r.Health = &Status{Status: argov1.HealthMissing} }
	hook := func(r *Row) { r.Hook = true }
	ignored := func(r *Row) { r.Ignored = true }
	tests := []struct {
		reason string
		rows   []Row
		want   Status
	}{
		{"An empty application is well.", nil, Status{argov1.HealthHealthy, ""}},
		{"Objects without an opinion do not matter.", []Row{row("a", "")}, Status{argov1.HealthHealthy, ""}},
		{"The worst counts, and is named.", []Row{row("a", argov1.HealthProgressing), row("b", argov1.HealthDegraded)}, Status{argov1.HealthDegraded, "Caused by apps/Deployment:n/b"}},
		{"Suspended is worse than Healthy.", []Row{row("a", argov1.HealthHealthy), row("b", argov1.HealthSuspended)}, Status{argov1.HealthSuspended, "Caused by apps/Deployment:n/b"}},
		{"Three are named, in order; the others are counted.", []Row{
			row("e", argov1.HealthProgressing), row("d", argov1.HealthProgressing), row("c", argov1.HealthProgressing), row("b", argov1.HealthProgressing), row("a", argov1.HealthProgressing),
		}, Status{argov1.HealthProgressing, "Caused by apps/Deployment:n/a, apps/Deployment:n/b, apps/Deployment:n/c and 2 more"}},
		{"A missing object is the business of the sync status.", []Row{row("a", argov1.HealthHealthy), with(row("b", ""), missing)}, Status{argov1.HealthHealthy, ""}},
		{"When nothing is live, the application is missing.", []Row{with(row("a", ""), missing)}, Status{argov1.HealthMissing, ""}},
		{"A live hook makes no application.", []Row{with(row("a", ""), missing), with(row("b", ""), hook)}, Status{argov1.HealthMissing, ""}},
		{"Nor does a hook that is not live make it missing.", []Row{with(with(row("a", ""), missing), hook)}, Status{argov1.HealthHealthy, ""}},
		{"A failed hook does not count.", []Row{row("a", argov1.HealthHealthy), with(row("b", argov1.HealthDegraded), hook)}, Status{argov1.HealthHealthy, ""}},
		{"An ignored object does not count, but it is there.", []Row{with(row("a", argov1.HealthDegraded), ignored)}, Status{argov1.HealthHealthy, ""}},
		{"An unknown child application does not count.", []Row{child(argov1.HealthUnknown)}, Status{argov1.HealthHealthy, ""}},
		{"Nor does a missing one.", []Row{child(argov1.HealthMissing)}, Status{argov1.HealthHealthy, ""}},
		{"A degraded child application does.", []Row{child(argov1.HealthDegraded)}, Status{argov1.HealthDegraded, "Caused by argoproj.io/Application:n/child"}},
		{"An empty status, as scripts may give, counts as well.", []Row{with(row("a", ""), func(r *Row) { r.Health = &Status{} })}, Status{argov1.HealthHealthy, ""}},
	}
	for _, tc := range tests {
		t.Run(tc.reason, func(t *testing.T) {
			if diff := gocmp.Diff(tc.want, Aggregate(tc.rows)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// TestAggregateIgnoresOrder is what makes the status stable: rows come out of maps.
func TestAggregateIgnoresOrder(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		var rows []Row
		for i := range random.IntN(9) {
			r := row(string(rune('a'+i)), append(order, "")[random.IntN(len(order)+1)])
			r.Live, r.Hook, r.Ignored = random.IntN(4) > 0, random.IntN(5) == 0, random.IntN(5) == 0
			rows = append(rows, r)
		}
		want := Aggregate(rows)
		random.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
		if got := Aggregate(rows); got != want {
			t.Fatalf("%+v in one order, %+v in another", want, got)
		}
		if want.Status == argov1.HealthHealthy && want.Message != "" {
			t.Fatalf("healthy because of %q", want.Message)
		}
	}
}

func TestIsWorse(t *testing.T) {
	for i, a := range order {
		for j, b := range order {
			if got := IsWorse(a, b); got != (j > i) {
				t.Errorf("IsWorse(%s, %s) = %v", a, b, got)
			}
		}
		if IsWorse(a, "") || IsWorse(a, "nonsense") {
			t.Errorf("an unknown status is worse than %s", a)
		}
	}
}

func TestIgnored(t *testing.T) {
	obj := &unstructured.Unstructured{Object: map[string]any{}}
	if Ignored(obj) {
		t.Error("an object without annotations is ignored")
	}
	for value, want := range map[string]bool{"true": true, "false": false, "": false} {
		obj.SetAnnotations(map[string]string{argov1.AnnotationIgnoreHealthcheck: value})
		if got := Ignored(obj); got != want {
			t.Errorf("Ignored with %q = %v", value, got)
		}
	}
}
