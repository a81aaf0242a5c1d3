package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/test/fixture"
)

// appsPerNamespace spreads the objects of a fleet.
const appsPerNamespace = 10

// fleet is many applications in one repository. In every round each has an object that stays, one that changes, one that is
// new, one to prune, and a hook.
type fleet struct {
	world *world
	name  string
	size  int
	repo  *fixture.Repository

	sha     string
	round   int
	commits []time.Time // of each round
}

func (w *world) newFleet(name string, size int) *fleet {
	return &fleet{world: w, name: name, size: size, repo: w.git.Repository(name), round: -1}
}

func (f *fleet) app(i int) string       { return fmt.Sprintf("%s-%03d", f.name, i) }
func (f *fleet) namespace(i int) string { return fmt.Sprintf("%s-%02d", f.name, i/appsPerNamespace) }

// wanted are the objects of an application in this round, by name, with the value that they hold.
func (f *fleet) wanted(i int) map[string]string {
	app := f.app(i)
	return map[string]string{
		"kept-" + app:                          "as it is",
		"changed-" + app:                       fmt.Sprint("round ", f.round),
		fmt.Sprintf("new-%s-%d", app, f.round): "new",
	}
}

// commit begins the next round.
func (f *fleet) commit() error {
	f.round++
	files := map[string]string{}
	for i := range f.size {
		folder := f.app(i) + "/"
		for name, value := range f.wanted(i) {
			files[folder+name+".yaml"] = configMap(name, value)
		}
		files[folder+"hook.yaml"] = fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata: {generateName: hook-%s-, "+
			"annotations: {argocd.argoproj.io/hook: PreSync, argocd.argoproj.io/hook-delete-policy: HookSucceeded}}\n", f.app(i))
	}
	f.commits = append(f.commits, time.Now())
	var err error
	f.sha, err = f.repo.Commit(files)
	return err
}

func configMap(name, value string) string {
	return fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\ndata: {key: %s}\n", name, value)
}

// create makes the first commit, the namespaces and the applications.
func (f *fleet) create(ctx context.Context) error {
	if err := f.commit(); err != nil {
		return err
	}
	for i := 0; i < f.size; i += appsPerNamespace {
		if err := f.world.cluster.Create(ctx, namespace(f.namespace(i))); err != nil {
			return err
		}
	}
	return f.each(ctx, func(ctx context.Context, i int) error { return f.world.cluster.Create(ctx, f.application(i)) })
}

func (f *fleet) application(i int) *argov1.Application {
	yes := true
	return &argov1.Application{
		ObjectMeta: metav1.ObjectMeta{Name: f.app(i), Namespace: controlNamespace, Finalizers: []string{argov1.FinalizerResources}},
		Spec: argov1.ApplicationSpec{
			Project:     argov1.DefaultProject,
			Source:      &argov1.ApplicationSource{RepoURL: f.repo.URL(), Path: f.app(i)},
			Destination: argov1.ApplicationDestination{Server: argov1.InClusterServer, Namespace: f.namespace(i)},
			SyncPolicy: &argov1.SyncPolicy{
				Automated: &argov1.SyncPolicyAutomated{Prune: &yes, SelfHeal: &yes},
				// Foreground deletion ends by the garbage collector, which pauses up to a minute after trouble of the API server.
				SyncOptions: argov1.SyncOptions{"PrunePropagationPolicy=background"},
			},
		},
	}
}

// each does something for every application, eight at a time.
func (f *fleet) each(ctx context.Context, do func(context.Context, int) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(8)
	for i := range f.size {
		group.Go(func() error { return do(ctx, i) })
	}
	return group.Wait()
}

// refresh asks for a comparison of all applications.
func (f *fleet) refresh(ctx context.Context) error {
	patch := client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"annotations":{"`+argov1.AnnotationRefresh+`":"normal"}}}`))
	return f.each(ctx, func(ctx context.Context, i int) error {
		return f.world.cluster.Patch(ctx, &argov1.Application{ObjectMeta: metav1.ObjectMeta{Name: f.app(i), Namespace: controlNamespace}}, patch)
	})
}

// rollOut commits the next round and has every application look.
func (f *fleet) rollOut(ctx context.Context) error {
	if err := f.commit(); err != nil {
		return err
	}
	return f.refresh(ctx)
}

// disturb edits the object that stays of every tenth application and deletes that of every other tenth.
func (f *fleet) disturb(ctx context.Context) error {
	return f.each(ctx, func(ctx context.Context, i int) error {
		kept := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "kept-" + f.app(i), Namespace: f.namespace(i)}}
		switch i % 10 {
		case 3:
			return client.IgnoreNotFound(f.world.cluster.Patch(ctx, kept, client.RawPatch(types.MergePatchType, []byte(`{"data":{"key":"by hand"}}`))))
		case 7:
			return client.IgnoreNotFound(f.world.cluster.Delete(ctx, kept))
		}
		return nil
	})
}

// converged waits until every application and every object is as Git says.
func (f *fleet) converged(ctx context.Context, limit time.Duration) (time.Duration, error) {
	return await(ctx, limit, f.lacking)
}

// lacking says what is not yet as Git says; empty when all is.
func (f *fleet) lacking(ctx context.Context) (string, error) {
	apps := &argov1.ApplicationList{}
	if err := f.world.cluster.List(ctx, apps, client.InNamespace(controlNamespace)); err != nil {
		return "", err
	}
	there := map[string]argov1.Application{}
	for _, app := range apps.Items {
		there[app.Name] = app
	}
	var lacking []string
	for i := range f.size {
		if what := f.applicationLacks(there[f.app(i)]); what != "" {
			lacking = append(lacking, f.app(i)+" "+what)
		}
	}
	objects, err := f.objectsLack(ctx)
	if err != nil {
		return "", err
	}
	lacking = append(lacking, objects...)
	if len(lacking) == 0 {
		return "", nil
	}
	return fmt.Sprintf("%d things, such as: %s", len(lacking), strings.Join(lacking[:min(len(lacking), 3)], "; ")), nil
}

func (f *fleet) applicationLacks(app argov1.Application) string {
	state := app.Status.OperationState
	var conditions []string
	for _, condition := range app.Status.Conditions {
		conditions = append(conditions, string(condition.Type)+": "+condition.Message)
	}
	switch {
	case app.Name == "":
		return "is not there"
	case app.Status.Sync.Status != argov1.SyncStatusSynced || app.Status.Sync.Revision != f.sha:
		return fmt.Sprintf("is %s at %.7s, not Synced at %.7s; %s", app.Status.Sync.Status, app.Status.Sync.Revision, f.sha, conditions)
	case len(conditions) > 0:
		return fmt.Sprint("has conditions: ", conditions)
	case app.Operation != nil:
		return "has an operation under way"
	case state == nil || state.Phase != argov1.OperationSucceeded:
		return fmt.Sprintf("has not synced: %+v", state)
	}
	return ""
}

// objectsLack names the objects that are missing, wrong or too many.
func (f *fleet) objectsLack(ctx context.Context) ([]string, error) {
	var lacking []string
	for first := 0; first < f.size; first += appsPerNamespace {
		list := &corev1.ConfigMapList{}
		if err := f.world.cluster.List(ctx, list, client.InNamespace(f.namespace(first))); err != nil {
			return nil, err
		}
		want := map[string]string{}
		for i := first; i < min(first+appsPerNamespace, f.size); i++ {
			maps.Copy(want, f.wanted(i))
		}
		for _, object := range list.Items {
			value, wanted := want[object.Name]
			switch {
			case object.Name == "kube-root-ca.crt":
			case !wanted:
				lacking = append(lacking, object.Name+" is too many")
			case object.Data["key"] != value:
				lacking = append(lacking, fmt.Sprintf("%s holds %q instead of %q", object.Name, object.Data["key"], value))
			}
			delete(want, object.Name)
		}
		for _, name := range slices.Sorted(maps.Keys(want)) {
			lacking = append(lacking, name+" is missing")
		}
	}
	return lacking, nil
}
