package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/test/fixture"
)

// patience bounds each wait of the demo.
const patience = 2 * time.Minute

// demo is what the demonstration works with.
type demo struct {
	cluster      client.Client
	repository   *fixture.Repository
	files        map[string]string
	applications []string
	builtin      bool
}

// newDemo fills the repository and connects to the cluster.
func newDemo(plane *fixture.ControlPlane, server *fixture.GitServer, examples string) (*demo, error) {
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		return nil, err
	}
	if err := argov1.AddToScheme(scheme); err != nil {
		return nil, err
	}
	cluster, err := client.New(plane.RESTConfig(), client.Options{Scheme: scheme})
	if err != nil {
		return nil, err
	}
	d := &demo{cluster: cluster, repository: server.Repository("demo"), files: sample(), builtin: examples == ""}
	d.applications = []string{"guestbook", "waves"}
	if !d.builtin {
		if d.files, d.applications, err = load(examples); err != nil {
			return nil, err
		}
	}
	for _, name := range d.applications {
		child, err := yaml.Marshal(application(name, d.repository.URL(), name))
		if err != nil {
			return nil, err
		}
		d.files["apps/"+name+".yaml"] = string(child)
	}
	_, err = d.repository.Commit(d.files)
	return d, err
}

// load reads the sub-folders that are plain directories; the others are named and left out.
func load(examples string) (files map[string]string, applications []string, err error) {
	files = map[string]string{}
	entries, err := os.ReadDir(examples)
	if err != nil {
		return nil, nil, err
	}
	for _, entry := range entries {
		if !entry.IsDir() {
			continue
		}
		found, err := filepath.Glob(filepath.Join(examples, entry.Name(), "*"))
		if err != nil {
			return nil, nil, err
		}
		plain := false
		for _, name := range found {
			switch base := filepath.Base(name); {
			case base == "Chart.yaml", strings.HasPrefix(base, "kustomization."), base == "Kustomization", strings.HasSuffix(base, ".jsonnet"):
				say("%s is left out: %s is not rendered by this version", entry.Name(), base)
				plain = false
				found = nil
			case strings.HasSuffix(base, ".yaml"), strings.HasSuffix(base, ".yml"), strings.HasSuffix(base, ".json"):
				plain = true
			}
			if found == nil {
				break
			}
		}
		if !plain {
			continue
		}
		applications = append(applications, entry.Name())
		for _, name := range found {
			data, err := os.ReadFile(name)
			if err != nil {
				continue
			}
			files[entry.Name()+"/"+filepath.Base(name)] = string(data)
		}
	}
	if len(applications) == 0 {
		return nil, nil, fmt.Errorf("%s has no sub-folder of plain manifests", examples)
	}
	return files, applications, nil
}

// show goes through the acts.
func (d *demo) show(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*patience)
	defer cancel()
	parent := application("apps", d.repository.URL(), "apps")
	parent.Spec.Destination.Namespace = "argocd"
	if err := d.cluster.Create(ctx, parent); err != nil {
		return err
	}
	say("kubectl apply: the parent application \"apps\", which holds %s", strings.Join(d.applications, ", "))
	for _, name := range append([]string{"apps"}, d.applications...) {
		app, err := d.settled(ctx, name)
		if err != nil {
			return err
		}
		say("%-24s %s  %s", name, app.Status.Sync.Status, app.Status.Health.Status)
	}
	if !d.builtin {
		return nil
	}
	for _, act := range []func(context.Context) error{d.waves, d.heal, d.rollOut} {
		if err := act(ctx); err != nil {
			return err
		}
	}
	return nil
}

// settled waits until an application is Synced and Healthy.
func (d *demo) settled(ctx context.Context, name string) (*argov1.Application, error) {
	app := &argov1.Application{}
	err := d.until(ctx, name+" to become Synced and Healthy", func(ctx context.Context) bool {
		err := d.cluster.Get(ctx, client.ObjectKey{Namespace: "argocd", Name: name}, app)
		return err == nil && app.Status.Sync.Status == argov1.SyncStatusSynced && app.Status.Health.Status == argov1.HealthHealthy && app.Operation == nil
	})
	if err != nil {
		return nil, fmt.Errorf("%w: it is %q and %q, conditions %v", err, app.Status.Sync.Status, app.Status.Health.Status, app.Status.Conditions)
	}
	return app, nil
}

func (d *demo) until(ctx context.Context, what string, condition func(context.Context) bool) error {
	err := wait.PollUntilContextTimeout(ctx, 5*time.Millisecond, patience, true, func(ctx context.Context) (bool, error) {
		return condition(ctx), nil
	})
	if err != nil {
		return fmt.Errorf("waiting for %s: %w", what, err)
	}
	return nil
}

// waves shows the order in which the last sync applied the objects of the waves example.
func (d *demo) waves(ctx context.Context) error {
	app, err := d.settled(ctx, "waves")
	if err != nil {
		return err
	}
	var order []string
	for _, row := range app.Status.OperationState.SyncResult.Resources {
		order = append(order, row.Kind+"/"+row.Name)
	}
	say("the waves were applied as %s", strings.Join(order, ", then "))
	if want := []string{"Namespace/waves", "ConfigMap/settings", "Deployment/backend", "Service/frontend"}; !slices.Equal(order, want) {
		return fmt.Errorf("the waves should have been %v", want)
	}
	return nil
}

// heal deletes an object by hand.
func (d *demo) heal(ctx context.Context) error {
	key := client.ObjectKey{Namespace: "guestbook", Name: "greeting"}
	cm := &corev1.ConfigMap{}
	if err := d.cluster.Get(ctx, key, cm); err != nil {
		return err
	}
	old := cm.UID
	if err := d.cluster.Delete(ctx, cm); err != nil {
		return err
	}
	begin := time.Now()
	err := d.until(ctx, "the deleted ConfigMap to come back", func(ctx context.Context) bool {
		return d.cluster.Get(ctx, key, cm) == nil && cm.UID != old
	})
	if err != nil {
		return err
	}
	say("kubectl delete configmap greeting: healed after %d ms", time.Since(begin).Milliseconds())
	return nil
}

// rollOut commits a change.
func (d *demo) rollOut(ctx context.Context) error {
	d.files["guestbook/greeting.yaml"] = strings.Replace(d.files["guestbook/greeting.yaml"], "hello", "welcome", 1)
	sha, err := d.repository.Commit(d.files)
	if err != nil {
		return err
	}
	begin := time.Now()
	app := &argov1.Application{ObjectMeta: metav1.ObjectMeta{Namespace: "argocd", Name: "guestbook"}}
	patch := `{"metadata":{"annotations":{"` + argov1.AnnotationRefresh + `":"normal"}}}`
	if err := d.cluster.Patch(ctx, app, client.RawPatch("application/merge-patch+json", []byte(patch))); err != nil {
		return err
	}
	cm := &corev1.ConfigMap{}
	err = d.until(ctx, "the commit to be rolled out", func(ctx context.Context) bool {
		err := d.cluster.Get(ctx, client.ObjectKey{Namespace: "guestbook", Name: "greeting"}, cm)
		return err == nil && cm.Data["text"] == "welcome"
	})
	if err != nil {
		return err
	}
	say("git commit %s, refresh: rolled out after %d ms", sha[:7], time.Since(begin).Milliseconds())
	return nil
}
