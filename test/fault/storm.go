package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
)

// holdingFinalizer is one that nobody removes.
const holdingFinalizer = "fault.example/held"

// stormLimit bounds how long many deletions may take.
const stormLimit = 2 * time.Minute

// deletionStorm deletes all applications at once: one of them has an object that a finalizer holds, and the namespace of some
// is being deleted meanwhile.
func deletionStorm(ctx context.Context, w *world, s settings) error {
	f := w.newFleet("storm", s.apps)
	if err := f.create(ctx); err != nil {
		return err
	}
	if _, err := f.converged(ctx, firstSync); err != nil {
		return err
	}
	held := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "kept-" + f.app(0), Namespace: f.namespace(0)}}
	hold := client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"finalizers":["`+holdingFinalizer+`"]}}`))
	if err := w.cluster.Patch(ctx, held, hold); err != nil {
		return err
	}
	if err := w.cluster.Delete(ctx, namespace(f.namespace(f.size-1))); err != nil {
		return err
	}
	if err := w.cluster.DeleteAllOf(ctx, &argov1.Application{}, client.InNamespace(controlNamespace)); err != nil {
		return err
	}
	took, err := await(ctx, stormLimit, func(ctx context.Context) (string, error) { return w.allGoneBut(ctx, f.app(0)) })
	w.within(fmt.Sprintf("%d applications deleted at once, one of them held: the others gone", f.size), took, err, stormLimit)
	took, err = await(ctx, told, func(ctx context.Context) (string, error) { return w.namesHolder(ctx, f.app(0), held.Name) })
	w.within("a condition names the object and its finalizer", took, err, told)
	release := client.RawPatch(types.JSONPatchType, []byte(`[{"op":"remove","path":"/metadata/finalizers/0"}]`))
	if err := w.cluster.Patch(ctx, held, release); err != nil {
		return err
	}
	took, err = await(ctx, recovery, func(ctx context.Context) (string, error) {
		if left, err := w.applicationsLeft(ctx); left != "" || err != nil {
			return left, err
		}
		return f.nothingLeft(ctx)
	})
	w.within("released: the last one gone, with all objects", took, err, recovery)
	return nil
}

// allGoneBut says how many applications are left besides one that has to be.
func (w *world) allGoneBut(ctx context.Context, name string) (string, error) {
	apps := &argov1.ApplicationList{}
	if err := w.cluster.List(ctx, apps, client.InNamespace(controlNamespace)); err != nil {
		return "", err
	}
	if n := len(apps.Items); n != 1 || apps.Items[0].Name != name {
		return fmt.Sprintf("%d applications are left", n), nil
	}
	return "", nil
}

// namesHolder looks for a condition that says which object is held by what.
func (w *world) namesHolder(ctx context.Context, name, object string) (string, error) {
	app := &argov1.Application{}
	if err := w.cluster.Get(ctx, client.ObjectKey{Namespace: controlNamespace, Name: name}, app); err != nil {
		return "", err
	}
	for _, condition := range app.Status.Conditions {
		if strings.Contains(condition.Message, holdingFinalizer) && strings.Contains(condition.Message, object) {
			return "", nil
		}
	}
	return fmt.Sprintf("conditions: %+v", app.Status.Conditions), nil
}

// nothingLeft looks for objects of applications that are gone.
func (f *fleet) nothingLeft(ctx context.Context) (string, error) {
	list := &corev1.ConfigMapList{}
	if err := f.world.cluster.List(ctx, list); err != nil {
		return "", err
	}
	var left []string
	for _, object := range list.Items {
		if strings.HasPrefix(object.Namespace, f.name+"-") && object.Name != "kube-root-ca.crt" {
			left = append(left, object.Name)
		}
	}
	if len(left) > 0 {
		return fmt.Sprintf("%d objects are left, such as %s", len(left), left[0]), nil
	}
	return "", nil
}
