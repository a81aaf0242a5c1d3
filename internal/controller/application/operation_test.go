package application

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/tools/events"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/controller/outcome"
	"github.com/tiphys-io/tiphys/internal/plan"
	"github.com/tiphys-io/tiphys/internal/policy"
	"github.com/tiphys-io/tiphys/internal/refresh"
	"github.com/tiphys-io/tiphys/internal/target"
)

// operating is a scope whose application carries out an operation that was begun on revision "old".
func operating(change func(*scope)) *scope {
	app := &argov1.Application{
		Operation: &argov1.Operation{Sync: &argov1.SyncOperation{}},
		Spec:      argov1.ApplicationSpec{Source: &argov1.ApplicationSource{RepoURL: "u", Path: "p"}},
	}
	app.Status.OperationState = &argov1.OperationState{
		Phase: argov1.OperationRunning, StartedAt: metav1.NewTime(time.Unix(900, 0)),
		Operation:  argov1.Operation{Sync: &argov1.SyncOperation{Revision: "old"}, InitiatedBy: argov1.OperationInitiator{Automated: true}},
		SyncResult: &argov1.SyncOperationResult{Revision: "old"},
	}
	s := &scope{
		app: app, now: time.Unix(1000, 0), comparison: &refresh.Comparison{},
		memory: &memory{state: &target.State{Revisions: []string{"old"}}, resolved: []string{"old"}},
	}
	change(s)
	return s
}

func TestSuperseded(t *testing.T) {
	rows := func(rows ...*argov1.ResourceResult) func(*scope) {
		return func(s *scope) {
			s.memory.resolved = []string{"new"}
			s.app.Status.OperationState.SyncResult.Resources = rows
		}
	}
	for _, tc := range []struct {
		reason string
		change func(*scope)
		want   string
	}{
		{"nothing newer is wanted", func(*scope) {}, ""},
		{"a newer revision takes over while objects are waited for", rows(&argov1.ResourceResult{Kind: "Pod", HookPhase: argov1.OperationRunning}), "new"},
		{"not in the middle of a hook", rows(&argov1.ResourceResult{Kind: "Job", HookType: argov1.HookTypePreSync, HookPhase: argov1.OperationRunning}), ""},
		{"but after it", rows(&argov1.ResourceResult{Kind: "Job", HookType: argov1.HookTypePreSync, HookPhase: argov1.OperationSucceeded}), "new"},
		{"what a person asked for is not taken over", func(s *scope) {
			rows()(s)
			s.app.Status.OperationState.Operation.InitiatedBy.Automated = false
		}, ""},
		{"nobody knows yet what is wanted", func(s *scope) { s.memory.resolved = nil }, ""},
	} {
		s := operating(tc.change)
		if got := s.superseded(s.app.Status.OperationState); got != tc.want {
			t.Errorf("%s: %q, want %q", tc.reason, got, tc.want)
		}
	}
}

func TestUnderway(t *testing.T) {
	s := operating(func(s *scope) { s.app.Operation.Sync.Revision = "other" })
	if got := effective(s.underway()).Revision; got != "old" {
		t.Errorf("an operation that was begun goes on with %q, whatever the request says by now (contract 1.6)", got)
	}
	s.app.Status.OperationState.Phase = argov1.OperationSucceeded
	if got := effective(s.underway()).Revision; got != "other" {
		t.Errorf("a new operation is about %q", got)
	}
	s.app.Operation = nil
	if s.underway() != nil {
		t.Error("without a request nothing goes on: removing it freezes the operation (contract 1.6)")
	}
}

func TestSpoiled(t *testing.T) {
	shared := argov1.ApplicationCondition{Type: argov1.ConditionSharedResourceWarning, Message: "x is part of a and b"}
	invalid := argov1.ApplicationCondition{Type: argov1.ConditionInvalidSpecError, Message: "no namespace"}
	for _, tc := range []struct {
		reason     string
		conditions []argov1.ApplicationCondition
		options    argov1.SyncOptions
		want       string
	}{
		{"nothing is wrong", nil, nil, ""},
		{"a shared resource is a warning", []argov1.ApplicationCondition{shared}, nil, ""},
		{"unless the operation says otherwise", []argov1.ApplicationCondition{shared}, argov1.SyncOptions{"FailOnSharedResource=true"}, "Shared resource found: x is part of a and b"},
		{"an error is told twice, as recorded", []argov1.ApplicationCondition{invalid}, nil, "InvalidSpecError: no namespace;InvalidSpecError: no namespace"},
	} {
		s := operating(func(s *scope) {
			s.conditions = tc.conditions
			s.app.Status.OperationState.Operation.Sync.SyncOptions = tc.options
		})
		if got := s.spoiled(s.app.Status.OperationState); got != tc.want {
			t.Errorf("%s: %q, want %q", tc.reason, got, tc.want)
		}
	}
}

func TestExplain(t *testing.T) {
	going := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{
		"name": "stuck", "deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": []any{"example.com/hold"},
		"managedFields": []any{map[string]any{"manager": "holder", "operation": "Update", "fieldsType": "FieldsV1", "fieldsV1": map[string]any{
			"f:metadata": map[string]any{"f:finalizers": map[string]any{`v:"example.com/hold"`: map[string]any{}}},
		}}},
	}}}
	claim := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": map[string]any{"generation": int64(2)}}}
	for _, tc := range []struct {
		reason string
		waited time.Duration
		obj    *unstructured.Unstructured
		want   string
	}{
		{"a short wait is told in the contract's words", 29 * time.Second, going, "waiting"},
		{"a long one says since when, who holds the object and who put that there", 31 * time.Second, going, "waiting, since 1970-01-01T00:16:40Z: held by example.com/hold (set by holder)"},
		{"or what the object lacks", 31 * time.Second, claim, "waiting, since 1970-01-01T00:16:40Z: Waiting for rollout to finish: observed deployment generation less than desired generation"},
	} {
		s := operating(func(*scope) {})
		step := plan.Step{Message: "waiting", Waiting: []*unstructured.Unstructured{tc.obj}}
		s.record(step)
		s.explain(step)
		s.now = s.now.Add(tc.waited)
		s.record(step)
		s.explain(step)
		if got := s.app.Status.OperationState.Message; got != tc.want {
			t.Errorf("%s: %q, want %q", tc.reason, got, tc.want)
		}
	}
}

func TestTerminationIsNotUndone(t *testing.T) {
	for step, want := range map[argov1.OperationPhase]argov1.OperationPhase{
		argov1.OperationRunning:   argov1.OperationTerminating, // planned before the end was asked for
		argov1.OperationSucceeded: argov1.OperationSucceeded,   // it was over already
		argov1.OperationFailed:    argov1.OperationFailed,
	} {
		s := operating(func(s *scope) { s.app.Status.OperationState.Phase = argov1.OperationTerminating })
		if s.record(plan.Step{Phase: step}); s.app.Status.OperationState.Phase != want {
			t.Errorf("a step %s makes of Terminating %s, want %s", step, s.app.Status.OperationState.Phase, want)
		}
	}
}

// lenient permits everything, and its windows are open or not.
type lenient struct {
	Permissions
	open bool
}

func (l lenient) Window(*argov1.AppProject, *argov1.Application, policy.Moment) (bool, error) {
	return l.open, nil
}

func TestHold(t *testing.T) {
	finished := metav1.NewTime(time.Unix(999, 0))
	for _, tc := range []struct {
		reason  string
		change  func(*scope)
		timeout time.Duration
		closed  bool
		ended   bool
		phase   argov1.OperationPhase
		message string
	}{
		{reason: "nothing holds it", phase: argov1.OperationRunning},
		{reason: "a closed window does, and says so", closed: true, ended: true, phase: argov1.OperationRunning, message: "Sync operation blocked by sync window"},
		{reason: "a deadline that is over terminates it", timeout: 99 * time.Second, phase: argov1.OperationTerminating, message: "Operation terminated, triggered by controller sync timeout"},
		{reason: "one that is not over does not", timeout: 101 * time.Second, phase: argov1.OperationRunning},
		{reason: "the pause between two waves is not over", ended: true, phase: argov1.OperationRunning, change: func(s *scope) { s.memory.resume = time.Unix(1001, 0) }},
		{reason: "the next attempt is not due", ended: true, phase: argov1.OperationRunning, change: func(s *scope) { s.app.Status.OperationState.FinishedAt = &finished }},
	} {
		s := operating(func(s *scope) {
			if tc.change != nil {
				tc.change(s)
			}
		})
		r := &Reconciler{Options: Options{SyncTimeout: tc.timeout}, Permissions: lenient{open: !tc.closed}}
		state := s.app.Status.OperationState
		ended, err := r.hold(t.Context(), s, state)
		if ended != tc.ended || outcome.IsWaiting(err) != tc.ended || state.Phase != tc.phase || state.Message != tc.message {
			t.Errorf("%s: ended %v, %v, %s %q", tc.reason, ended, err, state.Phase, state.Message)
		}
	}
}

func TestRetryWithLatestRevisions(t *testing.T) {
	s := operating(func(s *scope) {
		finished := metav1.NewTime(time.Unix(900, 0))
		state := s.app.Status.OperationState
		state.FinishedAt, state.RetryCount, state.Operation.Retry.Refresh = &finished, 2, true
	})
	state := s.app.Status.OperationState
	if wait := new(Reconciler).retry(s, state); wait != atOnce || state.SyncResult != nil || state.FinishedAt != nil || state.Operation.Sync.Revision != "" ||
		state.Message != "Retrying operation. Attempt #2 with latest revisions" {
		t.Errorf("wait %s, %+v", wait, state)
	}
}

func TestHistory(t *testing.T) {
	end := func(s *scope) {
		finished := metav1.NewTime(s.now)
		s.app.Status.OperationState.Phase, s.app.Status.OperationState.FinishedAt = argov1.OperationSucceeded, &finished
		limit := int64(2)
		s.app.Spec.RevisionHistoryLimit = &limit
	}
	s := operating(end)
	for range 4 {
		s.remember()
	}
	if history := s.app.Status.History; len(history) != 2 || history[0].ID != 2 || history[1].ID != 3 {
		t.Errorf("history %+v: it keeps the newest, and numbers go on (contract 1.7)", history)
	}
	for reason, change := range map[string]func(*scope){
		"a failed sync": func(s *scope) { s.app.Status.OperationState.Phase = argov1.OperationFailed },
		"a dry run":     func(s *scope) { s.app.Status.OperationState.Operation.Sync.DryRun = true },
		"a selective sync": func(s *scope) {
			s.app.Status.OperationState.Operation.Sync.Resources = make([]argov1.SyncOperationResource, 1)
		},
	} {
		s := operating(func(s *scope) { end(s); change(s) })
		if s.remember(); len(s.app.Status.History) != 0 {
			t.Errorf("%s is in the history", reason)
		}
	}
}

func TestRefusesHalfRevisions(t *testing.T) {
	full := strings.Repeat("0a", 20)
	for revision, want := range map[string]bool{full: true, "main": false, full[:39]: false, "": false, strings.ToUpper(full): false} {
		if isFullRevision(revision) != want {
			t.Errorf("isFullRevision(%q) = %v", revision, !want)
		}
	}
}

// A version of a chart does not move, and so pins it; a constraint does not.
func TestPinned(t *testing.T) {
	git, chart := argov1.ApplicationSource{RepoURL: "https://git/app"}, argov1.ApplicationSource{RepoURL: "https://charts", Chart: "app"}
	full, digest := strings.Repeat("0a", 20), "sha256:"+strings.Repeat("0a", 32)
	for _, tc := range []struct {
		reason    string
		sources   []argov1.ApplicationSource
		revisions []string
		want      bool
	}{
		{"a commit", []argov1.ApplicationSource{git}, []string{full}, true},
		{"a branch that looks like a version", []argov1.ApplicationSource{git}, []string{"1.2.3"}, false},
		{"a version of a chart", []argov1.ApplicationSource{chart}, []string{"1.2.3"}, true},
		{"a constraint", []argov1.ApplicationSource{chart}, []string{"1.*"}, false},
		{"nothing", []argov1.ApplicationSource{chart}, []string{""}, false},
		{"a chart and a commit", []argov1.ApplicationSource{chart, git}, []string{"1.2.3", full}, true},
		{"a chart and a branch", []argov1.ApplicationSource{chart, git}, []string{"1.2.3", "main"}, false},
		{"the digest of an artifact", []argov1.ApplicationSource{{RepoURL: "oci://host/app"}}, []string{digest}, true},
		{"one of two", []argov1.ApplicationSource{chart, git}, []string{"1.2.3"}, false},
	} {
		if got := pinned(target.Request{Sources: tc.sources, Revisions: tc.revisions}); got != tc.want {
			t.Errorf("%s: pinned is %v", tc.reason, got)
		}
	}
}

// What is excluded by the settings is not managed: objects that were applied before are neither pruned nor deleted.
func TestExcludedKindsAreLeftAlone(t *testing.T) {
	r := onCluster(t, standing("ConfigMap", "a"))
	s := tracked(func(*argov1.Application) {})
	if err := r.watch(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	for excluded, want := range map[bool]int{false: 1, true: 0} {
		s.settings.Excluded = func(_, kind string) bool { return excluded && kind == "ConfigMap" }
		snapshot, err := r.snapshot(t.Context(), s)
		if err != nil || len(snapshot) != want {
			t.Errorf("excluded %v: %d objects, %v", excluded, len(snapshot), err)
		}
		doomed, err := r.doomed(t.Context(), s)
		if err != nil || len(doomed) != want {
			t.Errorf("excluded %v: %d objects would be deleted, %v", excluded, len(doomed), err)
		}
	}
}

// An operation on a branch is about another target than the spec, until it is known that both are the same commit.
func TestComparesSpec(t *testing.T) {
	for _, tc := range []struct {
		reason    string
		revisions []string
		want      bool
	}{
		{"what the spec asks for", nil, true},
		{"the commit that the spec wants", []string{"old"}, true},
		{"a branch", []string{"main"}, false},
		{"another commit", []string{"other"}, false},
	} {
		s := operating(func(s *scope) {
			s.memory.request = target.Request{Sources: s.app.Spec.GetSources(), Revisions: tc.revisions}
		})
		if got := s.comparesSpec(); got != tc.want {
			t.Errorf("%s: %v", tc.reason, got)
		}
	}
}

// An operation that somebody terminates is not tried again, even if a step that was planned before then failed.
func TestTerminatedIsFinal(t *testing.T) {
	for _, tc := range []struct {
		reason      string
		terminating bool
		want        argov1.OperationPhase
	}{
		{"a failure is tried again", false, argov1.OperationRunning},
		{"not after a termination", true, argov1.OperationFailed},
	} {
		s := operating(func(s *scope) {
			s.terminating = tc.terminating
			s.app.Status.OperationState.Operation.Retry.Limit = 5
		})
		r := onCluster(t)
		r.Recorder = events.NewFakeRecorder(10)
		err := r.conclude(t.Context(), s, argov1.OperationFailed, "why")
		if state := s.app.Status.OperationState; state.Phase != tc.want || (s.app.Operation == nil) != tc.terminating {
			t.Errorf("%s: phase %s, operation %v (%v)", tc.reason, state.Phase, s.app.Operation, err)
		}
	}
}
