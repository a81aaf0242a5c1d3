package benchmark

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
)

const (
	// applications is how many applications there are; each is disturbed once.
	applications = 100
	// patience bounds each wait.
	patience = 30 * time.Second
)

// BenchmarkSelfHeal disturbs each of 100 applications once, half by an edit and half by a deletion, and reports the time
// from the end of the disturbing request until a watch of the test sees the object restored.
func BenchmarkSelfHeal(b *testing.B) {
	benchmark(b, true, func(ctx context.Context, e *environment, i int, name string) (time.Duration, error) {
		cm, err := e.configMap(ctx, name)
		if err != nil {
			return 0, err
		}
		return e.observe(ctx, &corev1.ConfigMapList{}, cm, func() error { return e.disturb(ctx, cm, i%2 == 0) }, func(event watch.Event) bool {
			seen, ok := event.Object.(*corev1.ConfigMap)
			return ok && event.Type != watch.Deleted && seen.Data["key"] == "wanted"
		})
	})
}

// BenchmarkOutOfSync edits the object of each of 100 applications without selfHeal, and reports the time from the end of the
// request until a watch of the test sees the application OutOfSync.
func BenchmarkOutOfSync(b *testing.B) {
	benchmark(b, false, func(ctx context.Context, e *environment, _ int, name string) (time.Duration, error) {
		cm, err := e.configMap(ctx, name)
		if err != nil {
			return 0, err
		}
		app := &argov1.Application{}
		if err := e.cluster.Get(ctx, client.ObjectKey{Namespace: "argocd", Name: name}, app); err != nil {
			return 0, err
		}
		return e.observe(ctx, &argov1.ApplicationList{}, app, func() error { return e.disturb(ctx, cm, true) }, func(event watch.Event) bool {
			seen, ok := event.Object.(*argov1.Application)
			return ok && seen.Status.Sync.Status == argov1.SyncStatusOutOfSync
		})
	})
}

// sets counts the sets of applications, so that each has names of its own: an application that was healed a moment ago waits
// before it is healed again.
var sets int

// benchmark makes 100 applications and measures each once.
func benchmark(b *testing.B, selfHeal bool, measure func(ctx context.Context, e *environment, i int, name string) (time.Duration, error)) {
	e, err := shared()
	check(b, err)
	for b.Loop() {
		names := e.createApplications(b, selfHeal)
		var took []time.Duration
		for i, name := range names {
			d, err := measure(b.Context(), e, i, name)
			if err != nil {
				b.Fatalf("application %s: %v", name, err)
			}
			took = append(took, d)
		}
		slices.Sort(took)
		milliseconds := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
		b.ReportMetric(milliseconds(took[len(took)/2-1]), "p50-ms")
		b.ReportMetric(milliseconds(took[len(took)*99/100-1]), "p99-ms")
		b.ReportMetric(milliseconds(took[len(took)-1]), "max-ms")
		b.ReportMetric(0, "ns/op")
		for _, name := range names {
			check(b, e.cluster.Delete(b.Context(), &argov1.Application{ObjectMeta: metav1.ObjectMeta{Namespace: "argocd", Name: name}}))
		}
	}
}

// createApplications makes the applications and waits until all are Synced.
func (e *environment) createApplications(b *testing.B, selfHeal bool) []string {
	b.Helper()
	repository := e.git.Repository("apps")
	_, err := repository.Commit(map[string]string{"app/cm.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: cm}\ndata: {key: wanted}\n"})
	check(b, err)
	sets++
	yes := true
	var names []string
	for i := range applications {
		name := fmt.Sprintf("set-%d-app-%03d", sets, i)
		names = append(names, name)
		check(b, e.cluster.Create(b.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}))
		check(b, e.cluster.Create(b.Context(), &argov1.Application{
			ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "argocd"},
			Spec: argov1.ApplicationSpec{
				Project:     argov1.DefaultProject,
				Source:      &argov1.ApplicationSource{RepoURL: repository.URL(), Path: "app"},
				Destination: argov1.ApplicationDestination{Server: argov1.InClusterServer, Namespace: name},
				SyncPolicy:  &argov1.SyncPolicy{Automated: &argov1.SyncPolicyAutomated{Prune: &yes, SelfHeal: &selfHeal}},
			},
		}))
	}
	for _, name := range names {
		check(b, e.synced(b.Context(), name))
	}
	return names
}

// synced waits until an application is Synced and at rest.
func (e *environment) synced(ctx context.Context, name string) error {
	app := &argov1.Application{}
	err := wait.PollUntilContextTimeout(ctx, 20*time.Millisecond, patience, true, func(ctx context.Context) (bool, error) {
		err := e.cluster.Get(ctx, client.ObjectKey{Namespace: "argocd", Name: name}, app)
		return app.Status.Sync.Status == argov1.SyncStatusSynced && app.Operation == nil, err
	})
	if err != nil {
		return fmt.Errorf("waiting for application %s to be Synced: %w; it is %+v", name, err, app.Status)
	}
	return nil
}

func (e *environment) configMap(ctx context.Context, namespace string) (*corev1.ConfigMap, error) {
	cm := &corev1.ConfigMap{}
	return cm, e.cluster.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "cm"}, cm)
}

// disturb edits or deletes an application's object.
func (e *environment) disturb(ctx context.Context, cm *corev1.ConfigMap, edit bool) error {
	if !edit {
		return e.cluster.Delete(ctx, cm)
	}
	edited := cm.DeepCopy()
	edited.Data["key"] = "by hand"
	return e.cluster.Update(ctx, edited)
}

// observe watches one object from the version that is given, acts, and gives the time from the end of the act until a later
// version is as wanted.
func (e *environment) observe(ctx context.Context, list client.ObjectList, obj client.Object, act func() error, wanted func(watch.Event) bool) (time.Duration, error) {
	events, err := e.cluster.Watch(ctx, list, client.InNamespace(obj.GetNamespace()), client.MatchingFields{"metadata.name": obj.GetName()},
		&client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: obj.GetResourceVersion()}})
	if err != nil {
		return 0, err
	}
	defer events.Stop()
	if err := act(); err != nil {
		return 0, err
	}
	begin := time.Now()
	timeout := time.After(patience)
	for {
		select {
		case event, open := <-events.ResultChan():
			if !open || event.Type == watch.Error {
				return 0, fmt.Errorf("the watch ended: %v", event.Object)
			}
			if wanted(event) {
				return time.Since(begin), nil
			}
		case <-timeout:
			return 0, fmt.Errorf("nothing came of it within %s", patience)
		}
	}
}

func check(b *testing.B, err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}
