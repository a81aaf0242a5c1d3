package apply

import (
	"context"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/plan"
	"github.com/tiphys-io/tiphys/internal/resource"
)

// releaseAttempts bounds how often a finalizer is looked for anew because others change the list at the same time.
const releaseAttempts = 5

// release takes the hook finalizer off an object, and no other finalizer.
func (c call) release(ctx context.Context, client dynamic.ResourceInterface, obj *unstructured.Unstructured) error {
	for range releaseAttempts {
		at := slices.Index(obj.GetFinalizers(), argov1.FinalizerHook)
		if at < 0 {
			return nil
		}
		patch := fmt.Sprintf(`[{"op":"test","path":"/metadata/finalizers/%d","value":%q},{"op":"remove","path":"/metadata/finalizers/%[1]d"}]`,
			at, argov1.FinalizerHook)
		after, err := client.Patch(ctx, obj.GetName(), types.JSONPatchType, []byte(patch), metav1.PatchOptions{FieldManager: argov1.FieldManager})
		switch {
		case err == nil:
			c.observe(after)
			return nil
		case apierrors.IsNotFound(err):
			c.observer.Delete(resource.KeyOf(obj), "")
			return nil
		case !apierrors.IsInvalid(err) && !apierrors.IsConflict(err):
			return err
		}
		if obj, err = client.Get(ctx, obj.GetName(), metav1.GetOptions{}); err != nil {
			return unlessGone(err)
		}
	}
	return fmt.Errorf("the finalizers of %s change all the time", resource.KeyOf(obj))
}

// observe takes in the answer to a change. Taking the last finalizer off an object that is being deleted ends it, and the
// answer still shows it.
func (c call) observe(after *unstructured.Unstructured) {
	if after.GetDeletionTimestamp() != nil && len(after.GetFinalizers()) == 0 {
		c.observer.Delete(resource.KeyOf(after), "")
		return
	}
	c.observer.Put(after)
}

// deleteHook takes the hook finalizer off and deletes.
func (c call) deleteHook(ctx context.Context, client dynamic.ResourceInterface, task plan.Task) error {
	if err := c.release(ctx, client, task.Live); err != nil {
		return err
	}
	if err := remove(ctx, client, task.Live, task.Propagation); err != nil {
		return err
	}
	return c.look(ctx, client, task.Live)
}
