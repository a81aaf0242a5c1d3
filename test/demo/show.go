package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/wait"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/test/fixture"
)

// parent is the application that holds the others, and the folder that its manifests are in.
const parent = "app-of-apps"

// demo is what the demonstration works with.
type demo struct {
	cluster    client.Client
	operator   *fixture.Process
	repository *fixture.Repository
	// files are what is committed beside the examples.
	files    map[string]string
	examples string // empty for the built-in ones
	board    board
}

// newDemo fills the repository and connects to the cluster.
func newDemo(plane *fixture.ControlPlane, server *fixture.GitServer, operator *fixture.Process, examples string) (*demo, error) {
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), argov1.AddToScheme(scheme)); err != nil {
		return nil, err
	}
	cluster, err := client.New(plane.RESTConfig(), client.Options{Scheme: scheme})
	if err != nil {
		return nil, err
	}
	d := &demo{cluster: cluster, operator: operator, repository: server.Repository("demo"), files: map[string]string{}, examples: examples}
	names := []string{"chart", "guestbook", "hooks", "overlay", "waves"}
	if examples == "" {
		d.files = sample()
	} else if names, err = folders(examples); err != nil {
		return nil, err
	}
	for _, name := range names {
		child, err := yaml.Marshal(application(name, d.repository.URL(), name))
		if err != nil {
			return nil, err
		}
		d.files[parent+"/"+name+".yaml"] = string(child)
	}
	d.board = board{cluster: cluster, names: append(names, parent)}
	_, err = d.commit()
	return d, err
}

// folders are the sub-folders that can be applications.
func folders(examples string) ([]string, error) {
	entries, err := os.ReadDir(examples)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, entry := range entries {
		switch name := entry.Name(); {
		case !entry.IsDir() || strings.HasPrefix(name, "."):
		case len(validation.IsDNS1123Label(name)) > 0 || name == parent:
			say("%s is left out: its name cannot be that of an application and a namespace", name)
		default:
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("%s has no sub-folder: each sub-folder becomes an application", examples)
	}
	return names, nil
}

// commit commits the examples and the files.
func (d *demo) commit() (string, error) {
	if d.examples == "" {
		return d.repository.Commit(d.files)
	}
	return d.repository.Commit(d.files, fixture.WithDir(d.examples, "", nil))
}

// show goes through the acts.
func (d *demo) show(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-d.operator.Done():
			cancel(fmt.Errorf("the operator has ended: %w", d.operator.Err()))
		case <-ctx.Done():
		}
	}()
	err := d.acts(ctx)
	if cause := context.Cause(ctx); err != nil && cause != nil {
		return cause
	}
	return err
}

func (d *demo) acts(ctx context.Context) error {
	heading("Git holds %d folders and an app-of-apps that names them; kubectl apply of that one", len(d.board.names)-1)
	app := application(parent, d.repository.URL(), parent)
	app.Spec.Destination.Namespace = "argocd"
	if err := d.cluster.Create(ctx, app); err != nil {
		return fmt.Errorf("applying the app-of-apps: %w", err)
	}
	if err := d.board.settle(ctx); err != nil {
		return err
	}
	if d.examples == "" && len(d.board.refused) > 0 {
		return fmt.Errorf("the built-in examples have to be deployed, all of them: %v", d.board.refused)
	}
	if len(d.board.healthy) < 2 {
		return errors.New("none of the examples could be deployed")
	}
	say("%d applications are Synced and Healthy, %d left out", len(d.board.healthy), len(d.board.refused))
	for _, act := range []func(context.Context) error{d.waves, d.heal, d.rollOut} {
		if err := act(ctx); err != nil {
			return err
		}
	}
	return nil
}

// until waits for a condition that something is expected to bring about.
func until(ctx context.Context, what string, condition func(context.Context) bool) error {
	err := wait.PollUntilContextTimeout(ctx, 2*time.Millisecond, patience, true, func(ctx context.Context) (bool, error) {
		return condition(ctx), nil
	})
	if err != nil {
		return fmt.Errorf("waiting for %s: %w", what, err)
	}
	return nil
}

// deployed gives the applications that are Synced and Healthy, the app-of-apps aside.
func (d *demo) deployed(ctx context.Context) ([]argov1.Application, error) {
	var list argov1.ApplicationList
	if err := d.cluster.List(ctx, &list, client.InNamespace("argocd")); err != nil {
		return nil, fmt.Errorf("listing the applications: %w", err)
	}
	return slices.DeleteFunc(list.Items, func(app argov1.Application) bool {
		return app.Name == parent || !slices.Contains(d.board.healthy, app.Name)
	}), nil
}

// waves shows in which order the last sync of each application with several steps went.
func (d *demo) waves(ctx context.Context) error {
	apps, err := d.deployed(ctx)
	if err != nil {
		return err
	}
	heading("Phases and waves, in the order in which they were carried out")
	for i := range apps {
		steps, err := steps(&apps[i])
		if err != nil {
			return err
		}
		if len(steps) > 1 {
			say("%-24s %s", apps[i].Name, strings.Join(steps, colour(grey, "  then  ")))
		}
	}
	return nil
}

// steps are the phases and waves of the last sync with their objects, as they were carried out; out of order, they are an
// error.
func steps(app *argov1.Application) ([]string, error) {
	if app.Status.OperationState == nil || app.Status.OperationState.SyncResult == nil {
		return nil, nil
	}
	waves := map[string]int64{}
	for _, row := range app.Status.Resources {
		waves[row.Kind+"/"+row.Name] = row.SyncWave
	}
	var steps []string
	last := place{phase: -1}
	for _, row := range app.Status.OperationState.SyncResult.Resources {
		name := row.Kind + "/" + row.Name
		wave, known := waves[name]
		at := place{slices.Index(phases, row.SyncPhase), wave}
		switch {
		case at.phase < last.phase || (known && row.HookType == "" && at.before(last)):
			return nil, fmt.Errorf("%s: %s was synced too late", app.Name, name)
		case row.HookType != "": // it may have been deleted, or have a name of its own in each sync: its wave is not known
			steps = append(steps, fmt.Sprintf("%s hook: %s", row.SyncPhase, name))
			continue
		case !known: // the namespace, and what was pruned
			continue
		case at == last && len(steps) > 0:
			steps[len(steps)-1] += ", " + name
		default:
			steps = append(steps, fmt.Sprintf("%s wave %d: %s", row.SyncPhase, wave, name))
		}
		last = at
	}
	return steps, nil
}

// phases in their order.
var phases = []argov1.SyncPhase{argov1.SyncPhasePreSync, argov1.SyncPhaseSync, argov1.SyncPhasePostSync}

// place is when something happens in a sync.
type place struct {
	phase int
	wave  int64
}

func (p place) before(q place) bool {
	return p.phase < q.phase || (p.phase == q.phase && p.wave < q.wave)
}

// fragile are the kinds of objects that heal deletes, in the order of preference: what has least that hangs on it.
var fragile = []schema.GroupVersionKind{
	{Version: "v1", Kind: "ConfigMap"}, {Version: "v1", Kind: "Service"}, {Group: "apps", Version: "v1", Kind: "Deployment"},
}

// heal deletes an object by hand.
func (d *demo) heal(ctx context.Context) error {
	obj, app, err := d.victim(ctx)
	if err != nil {
		return err
	}
	heading("Somebody deletes what an application manages")
	old, key := obj.GetUID(), client.ObjectKeyFromObject(obj)
	if err := d.cluster.Delete(ctx, obj); err != nil {
		return fmt.Errorf("deleting %s %s: %w", obj.GetKind(), key, err)
	}
	begin := time.Now()
	err = until(ctx, "the deleted "+obj.GetKind()+" to come back", func(ctx context.Context) bool {
		return d.cluster.Get(ctx, key, obj) == nil && obj.GetUID() != old
	})
	if err != nil {
		return err
	}
	say("kubectl delete -n %s %s %s: %s after %d ms", key.Namespace, strings.ToLower(obj.GetKind()), key.Name,
		colour(green, "healed by "+app), time.Since(begin).Milliseconds())
	return nil
}

// victim is an object that an application manages and would heal.
func (d *demo) victim(ctx context.Context) (obj *unstructured.Unstructured, app string, err error) {
	apps, err := d.deployed(ctx)
	if err != nil {
		return nil, "", err
	}
	for _, kind := range fragile {
		for i := range apps {
			for _, row := range apps[i].Status.Resources {
				if (schema.GroupVersionKind{Group: row.Group, Version: row.Version, Kind: row.Kind}) != kind || row.Status != argov1.SyncStatusSynced {
					continue
				}
				obj := &unstructured.Unstructured{}
				obj.SetGroupVersionKind(kind)
				return obj, apps[i].Name, d.cluster.Get(ctx, client.ObjectKey{Namespace: row.Namespace, Name: row.Name}, obj)
			}
		}
	}
	return nil, "", errors.New("no application has an object that could be deleted and healed")
}

// rollOut commits a new object to an application of plain manifests.
func (d *demo) rollOut(ctx context.Context) error {
	apps, err := d.deployed(ctx)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(apps, func(app argov1.Application) bool { return app.Status.SourceType == argov1.SourceTypeDirectory })
	if at < 0 {
		say("no example is a plain directory that a commit could add a file to")
		return nil
	}
	heading("Somebody commits")
	app := &apps[at]
	d.files[app.Spec.Source.Path+"/news.yaml"] = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: news}\ndata: {text: \"fresh from Git\"}\n"
	sha, err := d.commit()
	if err != nil {
		return err
	}
	begin := time.Now()
	patch := `{"metadata":{"annotations":{"` + argov1.AnnotationRefresh + `":"normal"}}}`
	if err := d.cluster.Patch(ctx, app, client.RawPatch("application/merge-patch+json", []byte(patch))); err != nil {
		return fmt.Errorf("asking for a refresh: %w", err)
	}
	cm := &corev1.ConfigMap{}
	err = until(ctx, "the commit to be rolled out", func(ctx context.Context) bool {
		return d.cluster.Get(ctx, client.ObjectKey{Namespace: app.Spec.Destination.Namespace, Name: "news"}, cm) == nil
	})
	if err != nil {
		return err
	}
	say("git commit %s with %s/news.yaml, refresh: %s after %d ms", sha[:7], app.Name, colour(green, "rolled out"), time.Since(begin).Milliseconds())
	return nil
}
