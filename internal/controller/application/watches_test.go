package application

import (
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
