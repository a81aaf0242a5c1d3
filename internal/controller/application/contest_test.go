package application

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/diff"
	"github.com/tiphys-io/tiphys/internal/refresh"
	"github.com/tiphys-io/tiphys/internal/resource"
)

const (
	longestHeal = 5 * time.Minute
	quiet       = 2 * longestHeal
)

// match is a contest on a clock of its own.
type match struct {
	contests
	now time.Time
}

func (m *match) texts() []string {
	texts, _ := m.contests.texts(quiet)
	return texts
}

// flip is one round: another controller writes the fields, and they are healed unless they rest.
func (m *match) flip(after time.Duration, fields ...contested) (healed bool) {
	m.now = m.now.Add(after)
	m.observe(fields, quiet, m.now)
	operation := &argov1.Operation{Sync: &argov1.SyncOperation{}}
	resting := m.resting(longestHeal, m.now)
	for _, field := range fields {
		if _, rests := resting[field.key]; !rests {
			operation.Sync.Resources = append(operation.Sync.Resources, argov1.SyncOperationResource{Group: field.key.Group, Kind: field.key.Kind, Name: field.key.Name})
		}
	}
	if len(operation.Sync.Resources) == 0 {
		return false
	}
	m.healedNow(operation, m.now)
	return true
}

// wait lets time pass while the field is as Git wants it.
func (m *match) wait(d time.Duration) {
	m.now = m.now.Add(d)
	m.observe(nil, quiet, m.now)
}

func newMatch(conditions ...string) *match {
	m := &match{now: time.Unix(100000, 0)}
	app := &argov1.Application{}
	for _, text := range conditions {
		app.Status.Conditions = append(app.Status.Conditions, argov1.ApplicationCondition{Type: argov1.ConditionContestedFieldWarning, Message: text})
	}
	m.load(app, nil, m.now)
	return m
}

func TestContests(t *testing.T) {
	replicas := contested{key: resource.Key{Group: "apps", Kind: "Deployment", Namespace: "ns", Name: "web"}, text: "replicas of web"}
	image := contested{key: resource.Key{Group: "apps", Kind: "Deployment", Namespace: "ns", Name: "db"}, text: "image of db"}

	t.Run("The third flip is told, and then the field is healed at the longest back-off only.", func(t *testing.T) {
		m := newMatch()
		for i := range contestedFlips - 1 {
			if !m.flip(5*time.Second, replicas) || len(m.texts()) > 0 {
				t.Fatalf("flip %d: a drift is healed, and no contest", i+1)
			}
		}
		if m.flip(5*time.Second, replicas) {
			t.Error("the third flip is healed at once")
		}
		if got := m.texts(); !cmp.Equal(got, []string{replicas.text}) {
			t.Errorf("conditions %v", got)
		}
		heals := 0
		for range 100 {
			if m.flip(10*time.Second, replicas) {
				heals++
			}
		}
		if heals < 3 || heals > 4 {
			t.Errorf("%d heals in 1000 s, want one each 300 s", heals)
		}
		if len(m.texts()) != 1 {
			t.Error("a contest that goes on is not told any more")
		}
	})
	t.Run("Another object is healed as ever.", func(t *testing.T) {
		m := newMatch()
		for range 5 {
			m.flip(5*time.Second, replicas)
		}
		if !m.flip(5*time.Second, replicas, image) {
			t.Error("the other rests too")
		}
	})
	t.Run("A field that is seen as different for long, without a heal between, has flipped once.", func(t *testing.T) {
		m := newMatch()
		for range 10 {
			m.now = m.now.Add(time.Second)
			m.observe([]contested{replicas}, quiet, m.now)
		}
		if len(m.texts()) > 0 {
			t.Error("it is told")
		}
	})
	t.Run("A contest is over when the field has been quiet.", func(t *testing.T) {
		m := newMatch()
		for range 4 {
			m.flip(5*time.Second, replicas)
		}
		m.wait(quiet - time.Second)
		if len(m.texts()) != 1 {
			t.Error("it is over too soon")
		}
		m.wait(2 * time.Second)
		if len(m.texts()) > 0 || len(m.known) > 0 {
			t.Error("it is not over")
		}
	})
	t.Run("Drifts that are far apart are no contest.", func(t *testing.T) {
		m := newMatch()
		for range 10 {
			if !m.flip(time.Hour, replicas) {
				t.Fatal("it rests")
			}
			m.wait(quiet + time.Second)
		}
	})
	t.Run("A new process knows from the condition, leaves the field alone, and forgets what is over.", func(t *testing.T) {
		m := newMatch(replicas.text, image.text)
		if m.flip(5*time.Second, replicas) {
			t.Error("it heals at once")
		}
		m.wait(quiet - time.Minute)
		m.flip(0, replicas)
		m.wait(2 * time.Minute)
		if got := m.texts(); !cmp.Equal(got, []string{replicas.text}) {
			t.Errorf("conditions %v", got)
		}
	})
	t.Run("Other ignored differences begin anew.", func(t *testing.T) {
		m := newMatch()
		for range 4 {
			m.flip(5*time.Second, replicas)
		}
		m.load(&argov1.Application{}, &diff.Rules{}, m.now)
		if len(m.known) > 0 {
			t.Error("the contest is still known")
		}
	})
	t.Run("The memory is bounded, and so are the conditions.", func(t *testing.T) {
		m := newMatch()
		for range 10 {
			var fields []contested
			for i := range 100 {
				fields = append(fields, contested{key: resource.Key{Kind: "K", Name: fmt.Sprint(i)}, text: fmt.Sprint(i)})
			}
			m.flip(5*time.Second, fields...)
		}
		if len(m.known) != maxContests || len(m.texts()) != maxContestsShown {
			t.Errorf("%d known, %d told", len(m.known), len(m.texts()))
		}
	})
}

func TestContestedFields(t *testing.T) {
	object := func(replicas int64, manager string) *unstructured.Unstructured {
		obj := &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "apps/v1", "kind": "Deployment", "metadata": map[string]any{"namespace": "ns", "name": "web"},
			"spec": map[string]any{"replicas": replicas},
		}}
		if manager != "" {
			obj.SetManagedFields([]metav1.ManagedFieldsEntry{{
				Manager: manager, Operation: "Update", APIVersion: "apps/v1", FieldsType: "FieldsV1", FieldsV1: metav1.NewFieldsV1(`{"f:spec":{"f:replicas":{}}}`),
			}})
		}
		return obj
	}
	row := func(manager string, change ...func(*refresh.Row)) refresh.Row {
		row := refresh.Row{Key: resource.KeyOf(object(1, "")), Target: object(1, ""), Live: object(3, manager), Status: argov1.SyncStatusOutOfSync}
		for _, c := range change {
			c(&row)
		}
		return row
	}
	for _, tc := range []struct {
		reason string
		row    refresh.Row
		want   int
	}{
		{"Another controller has written it.", row("scaler"), 1},
		{"A person has: there is nothing that will do it again.", row("kubectl-edit"), 0},
		{"We have: Git has changed.", row(argov1.FieldManager), 0},
		{"Nobody says who.", row(""), 0},
		{"The object is in sync, by an ignored difference.", row("scaler", func(r *refresh.Row) { r.Status = argov1.SyncStatusSynced }), 0},
		{"The object is missing.", row("scaler", func(r *refresh.Row) { r.Live = nil }), 0},
		{"The object is no longer wanted.", row("scaler", func(r *refresh.Row) { r.Target = nil }), 0},
		{"The object is read in another version.", row("scaler", func(r *refresh.Row) { r.Live.SetAPIVersion("apps/v2") }), 0},
	} {
		got := contestedFields(outOfSync(tc.row), longestHeal)
		if len(got) != tc.want {
			t.Errorf("%s: %v", tc.reason, got)
		}
	}
	text := contestedFields(outOfSync(row("scaler")), longestHeal)[0].text
	for _, part := range []string{"spec.replicas of Deployment ns/web", "by scaler in turn", "every 5m0s", `{group: "apps", kind: Deployment, name: web, jqPathExpressions: [".spec.replicas"]}`, "spec.ignoreDifferences"} {
		if !strings.Contains(text, part) {
			t.Errorf("%q lacks %q", text, part)
		}
	}
}
