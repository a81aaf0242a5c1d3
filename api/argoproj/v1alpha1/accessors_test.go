package v1alpha1_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
)

func TestSources(t *testing.T) {
	one, two := argov1.ApplicationSource{RepoURL: "one"}, argov1.ApplicationSource{RepoURL: "two"}
	hydrator := &argov1.SourceHydrator{
		DrySource:  argov1.DrySource{RepoURL: "dry", Path: "charts"},
		SyncSource: argov1.SyncSource{TargetBranch: "env/prod", Path: "apps"},
	}
	elsewhere := hydrator.DeepCopy()
	elsewhere.SyncSource.RepoURL = "wet"
	tests := []struct {
		name     string
		spec     *argov1.ApplicationSpec
		want     argov1.ApplicationSources
		multiple bool
		reason   string
	}{
		{"nil", nil, nil, false, "accessors take nil"},
		{"nothing", &argov1.ApplicationSpec{}, nil, false, "a spec may lack a source until it is validated"},
		{"single", &argov1.ApplicationSpec{Source: &one}, argov1.ApplicationSources{one}, false, "contract 1.2"},
		{
			"both", &argov1.ApplicationSpec{Source: &one, Sources: argov1.ApplicationSources{two, one}},
			argov1.ApplicationSources{two, one},
			true, "source is ignored when sources has an entry",
		},
		{
			"empty list", &argov1.ApplicationSpec{Source: &one, Sources: argov1.ApplicationSources{}},
			argov1.ApplicationSources{one},
			false, "sources counts only with an entry",
		},
		{
			"list of one", &argov1.ApplicationSpec{Sources: argov1.ApplicationSources{two}},
			argov1.ApplicationSources{two},
			true, "one entry is enough for the lists of the status",
		},
		{
			"hydrator", &argov1.ApplicationSpec{Source: &one, Sources: argov1.ApplicationSources{two}, SourceHydrator: hydrator},
			argov1.ApplicationSources{{RepoURL: "dry", Path: "apps", TargetRevision: "env/prod"}},
			false,
			"the hydrator wins over both, and syncs from the dry repository by default",
		},
		{
			"hydrator elsewhere", &argov1.ApplicationSpec{SourceHydrator: elsewhere},
			argov1.ApplicationSources{{RepoURL: "wet", Path: "apps", TargetRevision: "env/prod"}},
			false,
			"the sync source may name another repository",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, test.spec.GetSources()); diff != "" {
				t.Errorf("GetSources: %s (-want +got):\n%s", test.reason, diff)
			}
			if got := test.spec.HasMultipleSources(); got != test.multiple {
				t.Errorf("HasMultipleSources is %t, want %t: %s", got, test.multiple, test.reason)
			}
			var first argov1.ApplicationSource
			if len(test.want) > 0 {
				first = test.want[0]
			}
			if diff := cmp.Diff(first, test.spec.GetSource()); diff != "" {
				t.Errorf("GetSource: %s (-want +got):\n%s", test.reason, diff)
			}
		})
	}
	if diff := cmp.Diff(argov1.ApplicationSource{}, (*argov1.SourceHydrator)(nil).GetSyncSource()); diff != "" {
		t.Errorf("GetSyncSource of nil (-want +got):\n%s", diff)
	}
}

func TestDefaultsOfTheSpec(t *testing.T) {
	negative, none, three := int64(-1), int64(0), int64(3)
	tests := []struct {
		name    string
		spec    *argov1.ApplicationSpec
		project string
		limit   int64
		reason  string
	}{
		{"nil", nil, "default", 10, "accessors take nil"},
		{"empty", &argov1.ApplicationSpec{}, "default", 10, "contract 1.2"},
		{"given", &argov1.ApplicationSpec{Project: "p", RevisionHistoryLimit: &three}, "p", 3, "what is given counts"},
		{"no history", &argov1.ApplicationSpec{RevisionHistoryLimit: &none}, "default", 0, "0 keeps none"},
		{"negative", &argov1.ApplicationSpec{RevisionHistoryLimit: &negative}, "default", 0, "a list has no negative length"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := test.spec.GetProject(); got != test.project {
				t.Errorf("project is %q, want %q: %s", got, test.project, test.reason)
			}
			if got := test.spec.GetRevisionHistoryLimit(); got != test.limit {
				t.Errorf("limit is %d, want %d: %s", got, test.limit, test.reason)
			}
		})
	}
}

func TestSyncPolicy(t *testing.T) {
	yes, no := true, false
	type answer struct{ Automated, Prune, SelfHeal, AllowEmpty, Option bool }
	tests := []struct {
		name   string
		policy *argov1.SyncPolicy
		want   answer
		reason string
	}{
		{"nil", nil, answer{}, "no policy means manual"},
		{"manual", &argov1.SyncPolicy{SyncOptions: argov1.SyncOptions{"PruneLast=true"}}, answer{Option: true}, "options need no automation"},
		{"present", &argov1.SyncPolicy{Automated: &argov1.SyncPolicyAutomated{}}, answer{Automated: true}, "presence enables, nothing else does"},
		{
			"all", &argov1.SyncPolicy{Automated: &argov1.SyncPolicyAutomated{Prune: &yes, SelfHeal: &yes, AllowEmpty: &yes, Enabled: &yes}},
			answer{Automated: true, Prune: true, SelfHeal: true, AllowEmpty: true},
			"contract 1.3",
		},
		{
			"disabled", &argov1.SyncPolicy{Automated: &argov1.SyncPolicyAutomated{Prune: &yes, SelfHeal: &no, Enabled: &no}},
			answer{Prune: true},
			"false disables and keeps the rest",
		},
		{"other spelling", &argov1.SyncPolicy{SyncOptions: argov1.SyncOptions{"prunelast=true", "PruneLast=false"}}, answer{}, "options match exactly"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var automated *argov1.SyncPolicyAutomated
			if test.policy != nil {
				automated = test.policy.Automated
			}
			got := answer{
				Automated: test.policy.IsAutomated(), Prune: automated.GetPrune(), SelfHeal: automated.GetSelfHeal(),
				AllowEmpty: automated.GetAllowEmpty(), Option: test.policy.GetSyncOptions().Has("PruneLast=true"),
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", test.reason, diff)
			}
		})
	}
}

func TestOperationPhase(t *testing.T) {
	type answer struct{ Running, Completed, Successful, Failed bool }
	tests := map[argov1.OperationPhase]answer{
		"":                          {},
		argov1.OperationRunning:     {Running: true},
		argov1.OperationTerminating: {},
		argov1.OperationFailed:      {Completed: true, Failed: true},
		argov1.OperationError:       {Completed: true, Failed: true},
		argov1.OperationSucceeded:   {Completed: true, Successful: true},
	}
	for phase, want := range tests {
		got := answer{phase.Running(), phase.Completed(), phase.Successful(), phase.Failed()}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("phase %q (-want +got):\n%s", phase, diff)
		}
	}
}

func TestInstanceName(t *testing.T) {
	tests := []struct{ name, namespace, want, reason string }{
		{"control namespace", "argocd", "app", "contract 3.1"},
		{"other namespace", "team", "team_app", "names are unique only within a namespace"},
		{"no namespace", "", "app", "an Application that is not stored yet belongs to the operator's namespace"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			app := &argov1.Application{ObjectMeta: metav1.ObjectMeta{Name: "app", Namespace: test.namespace}}
			if got := app.InstanceName("argocd"); got != test.want {
				t.Errorf("instance name is %q, want %q: %s", got, test.want, test.reason)
			}
		})
	}
	if got := (*argov1.Application)(nil).InstanceName("argocd"); got != "" {
		t.Errorf("instance name of nil is %q", got)
	}
}

func TestConditionTypes(t *testing.T) {
	for condition, want := range map[argov1.ApplicationConditionType]bool{
		argov1.ConditionDeletionError: true, argov1.ConditionInvalidSpecError: true, argov1.ConditionComparisonError: true,
		argov1.ConditionSyncError: true, argov1.ConditionUnknownError: true, argov1.ConditionSharedResourceWarning: false,
		argov1.ConditionRepeatedResourceWarning: false, argov1.ConditionExcludedResourceWarning: false,
		argov1.ConditionOrphanedResourceWarning: false,
	} {
		if got := condition.IsError(); got != want {
			t.Errorf("%s is an error: %t, want %t", condition, got, want)
		}
	}
}
