package application

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	clientfake "sigs.k8s.io/controller-runtime/pkg/client/fake"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/refresh"
	"github.com/tiphys-io/tiphys/internal/resource"
)

// withObjects gives a reconciler a control namespace with these objects.
func withObjects(t *testing.T, r *Reconciler, objects ...client.Object) *Reconciler {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := argov1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	r.Client = clientfake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).WithIndex(&argov1.Application{}, byProject, projectOf).Build()
	r.Options.ControlNamespace = "argocd"
	return r
}

func project(name string, repos ...string) *argov1.AppProject {
	return &argov1.AppProject{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "argocd", Labels: map[string]string{"team": name}},
		Spec:       argov1.AppProjectSpec{SourceRepos: repos},
	}
}

func globals(t *testing.T, entries ...string) Settings {
	t.Helper()
	var settings Settings
	for _, entry := range entries {
		name, text, _ := strings.Cut(entry, " ")
		selector, err := labels.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		settings.GlobalProjects = append(settings.GlobalProjects, GlobalProject{Name: name, Selector: selector})
	}
	return settings
}

func TestReadProject(t *testing.T) {
	r := withObjects(t, onCluster(t), project("mine", "m"), project("blue", "b"), project("green", "g"))
	for _, tc := range []struct {
		reason string
		global []string
		want   []string
	}{
		{"without global projects it is what it says itself", nil, []string{"m"}},
		{"it inherits from all that select it", []string{"blue team=mine", "green team"}, []string{"m", "b", "g"}},
		{"not from others", []string{"blue team=other", "green team"}, []string{"m", "g"}},
		{"not from itself", []string{"mine team"}, []string{"m"}},
		{"nor from one that does not exist", []string{"gone team", "blue team"}, []string{"m", "b"}},
	} {
		s := tracked(func(app *argov1.Application) { app.Spec.Project = "mine" })
		s.settings = globals(t, tc.global...)
		if err := r.readProject(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", tc.reason, err)
		}
		if diff := cmp.Diff(tc.want, s.project.Spec.SourceRepos); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
		}
	}
	s := tracked(func(app *argov1.Application) { app.Spec.Project = "gone" })
	if err := r.readProject(t.Context(), s); !apierrors.IsNotFound(err) {
		t.Errorf("a project that does not exist: %v", err)
	}
}

func TestPermissionChangesWithAGlobalProject(t *testing.T) {
	r := withObjects(t, onCluster(t), project("mine", "m"), project("blue", "b"))
	s := tracked(func(app *argov1.Application) { app.Spec.Project = "mine" })
	s.settings = globals(t, "blue team")
	if err := r.readProject(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	before, blue := s.permission, project("blue")
	if err := r.Client.Get(t.Context(), client.ObjectKeyFromObject(blue), blue); err != nil {
		t.Fatal(err)
	}
	blue.Spec.NamespaceResourceBlacklist = []metav1.GroupKind{{Kind: "Secret"}}
	if err := r.Client.Update(t.Context(), blue); err != nil {
		t.Fatal(err)
	}
	if err := r.readProject(t.Context(), s); err != nil || s.permission == before {
		t.Errorf("permission %q after the global project has changed (%v): what was forbidden is remembered by it", s.permission, err)
	}
}

func TestApplicationsOfAProject(t *testing.T) {
	application := func(name, project string) *argov1.Application {
		return &argov1.Application{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "argocd"}, Spec: argov1.ApplicationSpec{Project: project}}
	}
	r := withObjects(t, onCluster(t), application("a", "mine"), application("b", "other"))
	r.queue.serves = func(string) bool { return true }
	for _, tc := range []struct {
		reason, project string
		want            []string
	}{
		{"those that name it", "mine", []string{"a"}},
		{"all, for a global project", "blue", []string{"a", "b"}},
	} {
		r.Settings = func(context.Context) (Settings, error) { return globals(t, "blue team"), nil }
		var got []string
		for _, request := range r.ofProject(t.Context(), project(tc.project)) {
			got = append(got, request.Name)
		}
		if slices.Sort(got); !slices.Equal(got, tc.want) {
			t.Errorf("%s: %v, want %v", tc.reason, got, tc.want)
		}
	}
}

// strict is a project that permits no application.
type strict struct{ permits }

func (strict) Application(*argov1.Application, *argov1.AppProject) []string {
	return []string{"not here"}
}

// A deletion does not run what a sync may not run.
func TestHooksOfADeletionNeedTheProject(t *testing.T) {
	r := withObjects(t, onCluster(t), project("mine"))
	r.Permissions, r.Conn.Server = strict{}, "https://here"
	s := tracked(func(app *argov1.Application) {
		app.Spec.Project = "mine"
		app.Finalizers = []string{deletionHooks[0].runs}
		app.DeletionTimestamp = new(metav1.NewTime(time.Unix(500, 0)))
	})
	if err := r.finalize(t.Context(), s); err == nil {
		t.Error("finalize goes on")
	}
	if len(s.conditions) != 1 || !strings.Contains(s.conditions[0].Message, "not here; to delete without them, remove their finalizers") {
		t.Errorf("conditions %v; want the reason and the remedy", s.conditions)
	}
	if !slices.Contains(s.app.Finalizers, deletionHooks[0].runs) {
		t.Error("the finalizer is gone, as if the hooks had run")
	}
}

// A hook is deleted when its policy says so, whoever made the object: one that another application tracks is not taken.
func TestHookDoesNotTakeWhatIsAnothers(t *testing.T) {
	r := onCluster(t)
	s := tracked(func(*argov1.Application) {})
	s.namespaced = map[resource.Key]bool{}
	obj := standing("ConfigMap", "a")
	for shared, want := range map[string]string{
		"":      "",
		"other": "hook ConfigMap/a would take the place of an object of application other: give it another name",
	} {
		row := refresh.Row{Key: resource.KeyOf(obj), Target: obj, Hook: true, SharedWith: shared}
		rejection, err := r.rejected(s, row, &argov1.SyncOperation{})
		if err != nil || rejection.Message != want {
			t.Errorf("shared with %q: %q (%v), want %q", shared, rejection.Message, err, want)
		}
	}
}
