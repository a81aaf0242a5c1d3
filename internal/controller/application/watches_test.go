package application

import (
	"context"
	"errors"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/live"
)

func TestDecisive(t *testing.T) {
	project := func(change func(*argov1.AppProject)) *argov1.AppProject {
		p := &argov1.AppProject{Spec: argov1.AppProjectSpec{SourceRepos: []string{"*"}}}
		change(p)
		return p
	}
	settings := func(label, value string) *corev1.ConfigMap {
		return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"part-of": label}}, Data: map[string]string{"key": value}}
	}
	same := func(*argov1.AppProject) {}
	for _, tc := range []struct {
		reason      string
		before, now client.Object
		want        bool
	}{
		{"what a project permits has changed", project(same), project(func(p *argov1.AppProject) { p.Spec.SourceRepos = nil }), true},
		{"the status of a project permits nothing", project(same), project(func(p *argov1.AppProject) {
			p.Status.JWTTokensByRole = map[string]argov1.JWTTokens{"ci": {}}
		}), false},
		{"nor do its annotations", project(same), project(func(p *argov1.AppProject) { p.Annotations = map[string]string{"a": "b"} }), false},
		{"its labels decide which projects it inherits from", project(same), project(func(p *argov1.AppProject) { p.Labels = map[string]string{"a": "b"} }), true},
		{"a setting has changed", settings("argocd", "a"), settings("argocd", "b"), true},
		{"the label decides whether settings count", settings("argocd", "a"), settings("other", "a"), true},
		{"the settings are the same", settings("argocd", "a"), settings("argocd", "a"), false},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			if got := decisive.Update(event.UpdateEvent{ObjectOld: tc.before, ObjectNew: tc.now}); got != tc.want {
				t.Errorf("Update = %v", got)
			}
		})
	}
	if decisive.Create(event.CreateEvent{Object: project(same), IsInInitialList: true}) {
		t.Error("at the start all applications are reconciled anyway")
	}
	if !decisive.Create(event.CreateEvent{Object: project(same)}) || !decisive.Delete(event.DeleteEvent{Object: project(same)}) {
		t.Error("a project that comes or goes concerns its applications")
	}
}

// An object may carry a mark that names an application of any namespace.
func TestChangedReachesOnlyServedNamespaces(t *testing.T) {
	work := workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[reconcile.Request]())
	defer work.ShutDown()
	r := &Reconciler{Options: Options{ControlNamespace: "argocd"}}
	r.Changed(live.Change{Instance: "before-the-start"})
	r.queue.serves = func(namespace string) bool { return namespace != "stranger" }
	if err := r.queue.start(t.Context(), work); err != nil {
		t.Fatal(err)
	}
	for _, instance := range []string{"stranger_app", "tenant_app", "app"} {
		r.Changed(live.Change{Instance: instance})
	}
	for _, want := range []types.NamespacedName{{Namespace: "tenant", Name: "app"}, {Namespace: "argocd", Name: "app"}} {
		if got, _ := work.Get(); got.NamespacedName != want {
			t.Errorf("queued %v, want %v", got, want)
		}
	}
	if left := work.Len(); left != 0 {
		t.Errorf("%d more are queued", left)
	}
}

// lister answers with applications.
type lister struct {
	client.Client
	apps []argov1.Application
	err  error
}

func (l lister) List(_ context.Context, list client.ObjectList, _ ...client.ListOption) error {
	if into, ok := list.(*argov1.ApplicationList); ok {
		into.Items = l.apps
	}
	return l.err
}

func TestRepositoriesChanged(t *testing.T) {
	app := func(name string, change func(*argov1.Application)) argov1.Application {
		a := argov1.Application{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "argocd"}, Spec: argov1.ApplicationSpec{Source: &argov1.ApplicationSource{RepoURL: "other"}}}
		change(&a)
		return a
	}
	work := workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[reconcile.Request]())
	defer work.ShutDown()
	r := &Reconciler{Client: lister{apps: []argov1.Application{
		app("uses-it", func(a *argov1.Application) { a.Spec.Source.RepoURL = "changed" }),
		app("uses-it-too", func(a *argov1.Application) {
			a.Spec.Sources = argov1.ApplicationSources{{RepoURL: "other"}, {RepoURL: "changed"}}
		}),
		app("of-another-project", func(a *argov1.Application) { a.Spec.Source.RepoURL, a.Spec.Project = "changed", "other" }),
		app("well", func(*argov1.Application) {}),
		app("failing", func(a *argov1.Application) {
			a.Status.Conditions = []argov1.ApplicationCondition{{Type: argov1.ConditionComparisonError}}
		}),
		app("not-served", func(a *argov1.Application) { a.Spec.Source.RepoURL, a.Namespace = "changed", "stranger" }),
	}}}
	r.queue.serves = func(namespace string) bool { return namespace != "stranger" }
	if err := r.queue.start(t.Context(), work); err != nil {
		t.Fatal(err)
	}
	known := &memory{}
	r.memories.Store(types.NamespacedName{Namespace: "argocd", Name: "uses-it"}, known)
	concerned := func(repoURL, project string) bool { return repoURL == "changed" && project == "default" }
	r.RepositoriesChanged(t.Context(), concerned)
	for _, want := range []string{"uses-it", "uses-it-too", "failing"} {
		if got, _ := work.Get(); got.Name != want {
			t.Errorf("queued %v, want %v", got, want)
		}
	}
	if left := work.Len(); left != 0 {
		t.Errorf("%d more are queued", left)
	}
	if !known.pushed.Load() {
		t.Error("what is remembered of the repository still counts")
	}
	r.Client = lister{err: errors.New("no cache")}
	r.RepositoriesChanged(t.Context(), concerned)
	if left := work.Len(); left != 0 {
		t.Errorf("%d are queued without a list", left)
	}
}
