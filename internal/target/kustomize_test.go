package target_test

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/source/connection"
	"github.com/tiphys-io/tiphys/internal/source/git"
	"github.com/tiphys-io/tiphys/internal/source/helmrepo"
	"github.com/tiphys-io/tiphys/internal/target"
	"github.com/tiphys-io/tiphys/internal/tracking"
	"github.com/tiphys-io/tiphys/test/fixture"
)

// TestRemoteBases builds kustomizations with bases of other repositories, which real servers have.
func TestRemoteBases(t *testing.T) {
	server, another := newGitServer(t), newGitServer(t)
	base := server.Repository("org/base")
	cm := "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: NAME}\n"
	kustomization := map[string]string{"deploy/kustomization.yaml": "resources: [cm.yaml]", "deploy/cm.yaml": strings.Replace(cm, "NAME", "old", 1)}
	commit(t, base, kustomization)
	if err := base.Tag("v1", commit(t, base, kustomization)); err != nil {
		t.Fatal(err)
	}
	kustomization["deploy/cm.yaml"] = strings.Replace(cm, "NAME", "new", 1)
	commit(t, base, kustomization)
	commit(t, another.Repository("org/base"), kustomization)

	repositories := open(t, target.Options{Git: git.Options{Guard: &connection.Guard{}}, Charts: helmrepo.Options{Guard: &connection.Guard{}}})
	app := server.Repository("app")
	for _, tc := range []struct{ reason, resource, want, err string }{
		{"a tag", base.URL() + "//deploy?ref=v1", "old", ""},
		{"the default branch", base.URL() + "//deploy", "new", ""},
		{"a branch that is not there", base.URL() + "//deploy?ref=none", "", "unable to resolve 'none' to a commit SHA: revision not found"},
		{"a server of this machine that is not the application's own", another.Repository("org/base").URL() + "//deploy", "", "127.0.0.1 is refused: files, charts and repositories that a repository names may not come from loopback"},
		{"a file of this machine", another.URL() + "/a.yaml", "", "127.0.0.1 is refused"},
		{"a repository without a key", "git@localhost:org/repo", "", "repository git@localhost:org/repo: no SSH key is known"},
	} {
		sha := commit(t, app, map[string]string{"kustomization.yaml": "resources: ['" + tc.resource + "']"})
		req := target.Request{
			Sources: []argov1.ApplicationSource{{RepoURL: app.URL(), Path: ".", TargetRevision: sha}},
			Scope: target.Scope{
				Instance: "x", DestinationNamespace: "default", Tracker: tracking.Tracker{Method: tracking.MethodAnnotation},
				Namespaced: func(schema.GroupVersionKind) (bool, bool, error) { return true, true, nil },
				Excluded:   func(string, string) bool { return false },
			},
		}
		state, err := target.Build(t.Context(), repositories, req, []string{sha})
		switch {
		case tc.err != "":
			if err == nil || !strings.Contains(err.Error(), tc.err) {
				t.Errorf("%s: %v; want %q", tc.reason, err, tc.err)
			}
		case err != nil || len(state.Objects) != 1 || state.Objects[0].Key.Name != tc.want:
			t.Errorf("%s: %+v, %v; want %s", tc.reason, state, err, tc.want)
		}
	}
}

func newGitServer(t *testing.T) *fixture.GitServer {
	t.Helper()
	server, err := fixture.StartGitServer()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	return server
}

func commit(t *testing.T, repository *fixture.Repository, files map[string]string) string {
	t.Helper()
	sha, err := repository.Commit(files)
	if err != nil {
		t.Fatal(err)
	}
	return sha
}

func open(t *testing.T, options target.Options) *target.Repositories {
	t.Helper()
	options.Git.Dir = t.TempDir()
	opened, err := target.Open(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(opened.Close)
	return opened
}
