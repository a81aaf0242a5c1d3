package benchmark

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/operator"
	"github.com/tiphys-io/tiphys/test/fixture"
)

// applications is how many applications there are; each is disturbed once.
const applications = 100

// BenchmarkSelfHeal disturbs each of 100 applications once, half by an edit and half by a deletion, and reports the time
// from the end of the disturbing request until a watch of the test sees the object restored.
func BenchmarkSelfHeal(b *testing.B) {
	cluster := start(b)
	for b.Loop() {
		names := createApplications(b, cluster)
		var took []time.Duration
		for i, name := range names {
			took = append(took, disturb(b, cluster, name, i%2 == 0))
		}
		slices.Sort(took)
		b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
		b.ReportMetric(float64(took[len(took)*99/100-1].Microseconds())/1000, "p99-ms")
		b.ReportMetric(float64(took[len(took)-1].Microseconds())/1000, "max-ms")
		b.ReportMetric(0, "ns/op")
	}
}

func start(b *testing.B) client.WithWatch {
	b.Helper()
	ctrl.SetLogger(logr.Discard())
	plane, err := fixture.StartControlPlane(b.Context(), fixture.ControlPlaneOptions{
		CRDs: []string{filepath.Join("..", "..", "config", "crd", "bases")},
	})
	check(b, err)
	b.Cleanup(plane.Stop)
	scheme := runtime.NewScheme()
	check(b, clientgoscheme.AddToScheme(scheme))
	check(b, argov1.AddToScheme(scheme))
	config := plane.RESTConfig()
	config.QPS = -1
	cluster, err := client.NewWithWatch(config, client.Options{Scheme: scheme})
	check(b, err)
	check(b, cluster.Create(b.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "argocd"}}))
	options, err := operator.Defaults()
	check(b, err)
	options.CacheDir, options.MetricsAddress, options.ProbeAddress = b.TempDir(), "0", "0"
	ctx, stop := context.WithCancel(ctrl.LoggerInto(b.Context(), logr.Discard()))
	done := make(chan error, 1)
	go func() { done <- operator.Run(ctx, plane.RESTConfig(), options) }()
	b.Cleanup(func() {
		stop()
		check(b, <-done)
	})
	return cluster
}

// createApplications makes the applications and waits until all are Synced.
func createApplications(b *testing.B, cluster client.Client) []string {
	b.Helper()
	git, err := fixture.StartGitServer()
	check(b, err)
	b.Cleanup(git.Close)
	repository := git.Repository("apps")
	_, err = repository.Commit(map[string]string{"app/cm.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: cm}\ndata: {key: wanted}\n"})
	check(b, err)
	yes := true
	var names []string
	for i := range applications {
		name := fmt.Sprintf("app-%03d", i)
		names = append(names, name)
		check(b, cluster.Create(b.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}))
		check(b, cluster.Create(b.Context(), &argov1.Application{
			ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "argocd"},
			Spec: argov1.ApplicationSpec{
				Project:     argov1.DefaultProject,
				Source:      &argov1.ApplicationSource{RepoURL: repository.URL(), Path: "app"},
				Destination: argov1.ApplicationDestination{Server: argov1.InClusterServer, Namespace: name},
				SyncPolicy:  &argov1.SyncPolicy{Automated: &argov1.SyncPolicyAutomated{Prune: &yes, SelfHeal: &yes}},
			},
		}))
	}
	for _, name := range names {
		waitSynced(b, cluster, name)
	}
	return names
}

func waitSynced(b *testing.B, cluster client.Client, name string) {
	b.Helper()
	deadline := time.Now().Add(time.Minute)
	app := &argov1.Application{}
	for time.Now().Before(deadline) {
		check(b, cluster.Get(b.Context(), client.ObjectKey{Namespace: "argocd", Name: name}, app))
		if app.Status.Sync.Status == argov1.SyncStatusSynced && app.Operation == nil {
			return
		}
	}
	b.Fatalf("application %s is not Synced after a minute: %+v", name, app.Status)
}

// disturb edits or deletes the application's object and gives the time until it is back.
func disturb(b *testing.B, cluster client.WithWatch, namespace string, edit bool) time.Duration {
	b.Helper()
	cm := &corev1.ConfigMap{}
	check(b, cluster.Get(b.Context(), client.ObjectKey{Namespace: namespace, Name: "cm"}, cm))
	events, err := cluster.Watch(b.Context(), &corev1.ConfigMapList{}, client.InNamespace(namespace), client.MatchingFields{"metadata.name": "cm"},
		&client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: cm.ResourceVersion}})
	check(b, err)
	defer events.Stop()
	if edit {
		cm.Data["key"] = "by hand"
		check(b, cluster.Update(b.Context(), cm))
	} else {
		check(b, cluster.Delete(b.Context(), cm))
	}
	begin := time.Now()
	timeout := time.After(30 * time.Second)
	for disturbed := false; ; {
		select {
		case event := <-events.ResultChan():
			seen, ok := event.Object.(*corev1.ConfigMap)
			if !ok {
				b.Fatalf("unexpected event %v", event)
			}
			wanted := seen.Data["key"] == "wanted" && event.Type != watch.Deleted
			if disturbed && wanted {
				return time.Since(begin)
			}
			disturbed = disturbed || !wanted
		case <-timeout:
			b.Fatalf("the ConfigMap in %s was not healed within 30 s", namespace)
		}
	}
}

func check(b *testing.B, err error) {
	b.Helper()
	if err != nil && !apierrors.IsAlreadyExists(err) {
		b.Fatal(err)
	}
}
