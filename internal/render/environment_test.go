package render_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/render"
	"github.com/tiphys-io/tiphys/test/conformance"
)

func TestSubstituteConformance(t *testing.T) {
	var tables struct {
		EnvSubst []struct {
			Env          map[string]string
			Text, Result string
		}
	}
	conformance.Load(t, &tables, "tables", "sources.yaml")
	if len(tables.EnvSubst) == 0 {
		t.Fatal("no rows")
	}
	for _, row := range tables.EnvSubst {
		if got := render.Environment(row.Env).Substitute(row.Text); got != row.Result {
			t.Errorf("%q with %v: %q, want %q", row.Text, row.Env, got, row.Result)
		}
	}
}

func TestSubstituteKnowsNothingOfTheProcess(t *testing.T) {
	t.Setenv("PASSWORD", "secret")
	if got := render.Environment(nil).Substitute("<$PASSWORD${PATH}>"); got != "<>" {
		t.Errorf("%q", got)
	}
}

func TestNewEnvironment(t *testing.T) {
	source := argov1.ApplicationSource{RepoURL: "https://example.com/r.git", Path: "app", TargetRevision: "main"}
	got := render.NewEnvironment(render.Instance{Name: "a", Namespace: "ns", Project: "p"}, source, "0123456789abcdef0123456789abcdef01234567")
	want := render.Environment{
		"ARGOCD_APP_NAME": "a", "ARGOCD_APP_NAMESPACE": "ns", "ARGOCD_APP_PROJECT_NAME": "p",
		"ARGOCD_APP_REVISION": "0123456789abcdef0123456789abcdef01234567", "ARGOCD_APP_REVISION_SHORT": "0123456", "ARGOCD_APP_REVISION_SHORT_8": "01234567",
		"ARGOCD_APP_SOURCE_REPO_URL": "https://example.com/r.git", "ARGOCD_APP_SOURCE_PATH": "app", "ARGOCD_APP_SOURCE_TARGET_REVISION": "main",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if short := render.NewEnvironment(render.Instance{}, source, "main"); short["ARGOCD_APP_REVISION_SHORT"] != "main" {
		t.Errorf("a short revision: %v", short)
	}
}
