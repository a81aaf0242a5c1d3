package apply

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/util/csaupgrade"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/plan"
	"github.com/tiphys-io/tiphys/internal/resource"
)

const (
	// establishTimeout is how long an applied CustomResourceDefinition is waited for; it is not fatal (contract 2.7).
	establishTimeout  = 3 * time.Second
	establishInterval = 50 * time.Millisecond
	// conflictAttempts bounds how often a write is tried anew because the object changed in between.
	conflictAttempts = 5
)

// clientSideManager is the field manager of kubectl apply. Argo CD applied as its own manager, also from the client.
const clientSideManager = "kubectl-client-side-apply"

// apply makes the target of a task stand in the cluster, and says in kubectl's words what was done.
func (c call) apply(ctx context.Context, client dynamic.ResourceInterface, task plan.Task) (string, error) {
	after, message, err := c.put(ctx, client, task)
	if err != nil {
		return "", err
	}
	if task.Key.Kind == "CustomResourceDefinition" && task.Key.Group == "apiextensions.k8s.io" {
		after = c.established(ctx, client, after)
	}
	c.observer.Put(after)
	return message, nil
}

func (c call) put(ctx context.Context, client dynamic.ResourceInterface, task plan.Task) (after *unstructured.Unstructured, message string, err error) {
	if task.Replace {
		return c.replace(ctx, client, task)
	}
	if task.Migrate {
		if err := c.migrate(ctx, client, task.Live); err != nil {
			return nil, "", fmt.Errorf("taking over the fields of %s: %w", clientSideManager, err)
		}
	}
	if err := reclaim(ctx, client, task); err != nil {
		return nil, "", fmt.Errorf("taking over what others have updated: %w", err)
	}
	if task.IsHook() && task.Live == nil {
		after, err = client.Create(ctx, task.Target, metav1.CreateOptions{FieldManager: argov1.FieldManager})
		if !apierrors.IsAlreadyExists(err) { // else it was created just before the process ended
			return after, describe(task, "created"), err
		}
	}
	if after, err = c.applyServerSide(ctx, client, task); err != nil {
		return nil, "", err
	}
	return after, describe(task, wordFor(task, after)), nil
}

// applyServerSide applies the target; one that cannot be read is merged, and with force one that cannot change is made anew.
func (c call) applyServerSide(ctx context.Context, client dynamic.ResourceInterface, task plan.Task) (*unstructured.Unstructured, error) {
	target := task.Target
	options := metav1.ApplyOptions{FieldManager: argov1.FieldManager, Force: true}
	after, err := client.Apply(ctx, target.GetName(), target, options)
	switch {
	case resource.IsUntypable(err):
		return merge(ctx, client, task)
	case !apierrors.IsInvalid(err) && !apierrors.IsConflict(err), !task.Force, task.Live == nil, precious(task.Key):
		return after, err
	}
	if err = creatable(ctx, client, target, err); err != nil {
		return nil, err
	}
	if err := c.recreate(ctx, client, task.Live); err != nil {
		return nil, err
	}
	return client.Apply(ctx, target.GetName(), target, options)
}

// wordFor is what an apply did to the live object.
func wordFor(task plan.Task, after *unstructured.Unstructured) string {
	switch {
	case task.ServerSideApply:
		return "serverside-applied"
	case task.Live == nil:
		return "created"
	case task.Live.GetResourceVersion() == after.GetResourceVersion():
		return "unchanged"
	}
	return "configured"
}

// replace puts the target in place of the live object; with force it deletes that first, except for kinds whose deletion
// takes others along (contract 2.7).
func (c call) replace(ctx context.Context, client dynamic.ResourceInterface, task plan.Task) (after *unstructured.Unstructured, message string, err error) {
	create := metav1.CreateOptions{FieldManager: argov1.FieldManager}
	if task.Live == nil {
		after, err = client.Create(ctx, task.Target, create)
		return after, describe(task, "created"), err
	}
	if task.Force && !precious(task.Key) {
		if err := c.recreate(ctx, client, task.Live); err != nil {
			return nil, "", err
		}
		after, err = client.Create(ctx, task.Target, create)
		return after, deleted(task) + "\n" + describe(task, "replaced"), err
	}
	after, err = update(ctx, client, task)
	return after, describe(task, "replaced"), err
}

// creatable tells whether the target could stand in place of the live object: a dry run gets past the validation, to the name
// that is taken. Else the answer is why it was refused, and nothing may be deleted for it.
func creatable(ctx context.Context, client dynamic.ResourceInterface, target *unstructured.Unstructured, refusal error) error {
	_, err := client.Create(ctx, target, metav1.CreateOptions{FieldManager: argov1.FieldManager, DryRun: []string{metav1.DryRunAll}})
	if err == nil || apierrors.IsAlreadyExists(err) {
		return nil
	}
	return refusal
}

// precious tells whether the deletion of an object takes others along that nobody asked to delete: it is never made anew.
func precious(key resource.Key) bool {
	return key.Kind == "CustomResourceDefinition" || key.Kind == "Namespace"
}

// deleted is what kubectl says of a deletion.
func deleted(task plan.Task) string {
	text := fmt.Sprintf("%s %q deleted", task.Key.KubectlKind(), task.Key.Name)
	if task.Key.Namespace != "" {
		text += " from " + task.Key.Namespace + " namespace"
	}
	return text
}

// update writes the target over the live object, also when that has changed since it was compared, as kubectl replace does.
func update(ctx context.Context, client dynamic.ResourceInterface, task plan.Task) (after *unstructured.Unstructured, err error) {
	target := task.Target.DeepCopy()
	target.SetResourceVersion(task.Live.GetResourceVersion())
	for range conflictAttempts {
		after, err = client.Update(ctx, target, metav1.UpdateOptions{FieldManager: argov1.FieldManager})
		if !apierrors.IsConflict(err) {
			return after, err
		}
		now, err := client.Get(ctx, target.GetName(), metav1.GetOptions{})
		if err != nil {
			return nil, err
		}
		target.SetResourceVersion(now.GetResourceVersion())
	}
	return nil, err
}

// recreate deletes the live object and waits until its name is free.
func (c call) recreate(ctx context.Context, client dynamic.ResourceInterface, live *unstructured.Unstructured) error {
	uid := live.GetUID()
	policy := metav1.DeletePropagationBackground
	err := client.Delete(ctx, live.GetName(), metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &uid}, PropagationPolicy: &policy})
	if err != nil && !apierrors.IsNotFound(err) {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, 30*time.Second, fmt.Errorf("waiting for the deletion of %s before it is made anew", resource.KeyOf(live)))
	defer cancel()
	return poll(ctx, func() (bool, error) {
		now, err := client.Get(ctx, live.GetName(), metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			c.observer.Delete(resource.KeyOf(live), "")
			return true, nil
		}
		return err == nil && now.GetUID() != uid, err
	})
}

// poll asks until the answer is yes, an error, or ctx ends.
func poll(ctx context.Context, done func() (bool, error)) error {
	ticker := time.NewTicker(establishInterval)
	defer ticker.Stop()
	for {
		if ok, err := done(); ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-ticker.C:
		}
	}
}

// established gives an applied definition as soon as its kind is served and can be found, or as it stands when that takes too
// long: what the API server says of its kinds follows a little after the condition.
func (c call) established(ctx context.Context, client dynamic.ResourceInterface, crd *unstructured.Unstructured) *unstructured.Unstructured {
	ctx, cancel := context.WithTimeout(ctx, establishTimeout)
	defer cancel()
	_ = poll(ctx, func() (bool, error) {
		if isEstablished(crd) {
			return c.findsKinds(crd), nil
		}
		now, err := client.Get(ctx, crd.GetName(), metav1.GetOptions{})
		if err != nil {
			return false, err
		}
		crd = now
		return isEstablished(crd) && c.findsKinds(crd), nil
	})
	return crd
}

// findsKinds tells whether the kind of a definition is known in all versions that are served.
func (c call) findsKinds(crd *unstructured.Unstructured) bool {
	group, _, _ := unstructured.NestedString(crd.Object, "spec", "group")
	kind, _, _ := unstructured.NestedString(crd.Object, "spec", "names", "kind")
	versions, _, _ := unstructured.NestedSlice(crd.Object, "spec", "versions")
	for _, version := range versions {
		fields, _ := version.(map[string]any)
		name, _ := fields["name"].(string)
		if served, _ := fields["served"].(bool); !served {
			continue
		}
		if _, err := c.conn.Mapping(schema.GroupVersionKind{Group: group, Version: name, Kind: kind}); err != nil {
			return false
		}
	}
	return true
}

func isEstablished(crd *unstructured.Unstructured) bool {
	conditions, _, _ := unstructured.NestedSlice(crd.Object, "status", "conditions")
	for _, condition := range conditions {
		if c, ok := condition.(map[string]any); ok && c["type"] == "Established" && c["status"] == "True" {
			return true
		}
	}
	return false
}

// merge applies a target that cannot be applied server-side: the API server drops the fields that it does not know. Fields
// that the target no longer sets stay, for nobody knows that they were ours.
func merge(ctx context.Context, client dynamic.ResourceInterface, task plan.Task) (*unstructured.Unstructured, error) {
	if task.Live == nil {
		return client.Create(ctx, task.Target, metav1.CreateOptions{FieldManager: argov1.FieldManager})
	}
	patch, err := json.Marshal(task.Target.Object)
	if err != nil {
		return nil, fmt.Errorf("encoding %s: %w", task.Key, err)
	}
	return client.Patch(ctx, task.Key.Name, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: argov1.FieldManager})
}

// migrate hands the fields that were applied from the client, by kubectl or by Argo CD, over to our server-side apply:
// without that, a field which the target drops would stay for ever, as somebody else's (design decision 1).
func (c call) migrate(ctx context.Context, client dynamic.ResourceInterface, live *unstructured.Unstructured) error {
	if live == nil {
		return nil
	}
	for range conflictAttempts {
		managers := sets.New[string]()
		for _, entry := range live.GetManagedFields() {
			ours := entry.Manager == clientSideManager || entry.Manager == argov1.FieldManager || entry.Manager == c.options.MigrationManager
			if ours && entry.Operation == metav1.ManagedFieldsOperationUpdate && entry.Subresource == "" {
				managers.Insert(entry.Manager)
			}
		}
		if managers.Len() == 0 {
			return nil
		}
		patch, err := csaupgrade.UpgradeManagedFieldsPatch(live, managers, argov1.FieldManager)
		if err != nil || patch == nil {
			return err
		}
		_, err = client.Patch(ctx, live.GetName(), types.JSONPatchType, patch, metav1.PatchOptions{FieldManager: argov1.FieldManager})
		if !apierrors.IsConflict(err) {
			return unlessGone(err)
		}
		if live, err = client.Get(ctx, live.GetName(), metav1.GetOptions{}); err != nil {
			return unlessGone(err)
		}
	}
	return fmt.Errorf("%s changes all the time", resource.KeyOf(live))
}

// reclaim takes the fields that the target has dropped from those who only updated them, so that the apply removes them.
func reclaim(ctx context.Context, client dynamic.ResourceInterface, task plan.Task) error {
	live := task.Live
	if task.Reclaim(live) == nil {
		return nil
	}
	for range conflictAttempts {
		live, err := client.Get(ctx, live.GetName(), metav1.GetOptions{}) // the fields may have been migrated a moment ago
		if err != nil {
			return unlessGone(err)
		}
		entries := task.Reclaim(live)
		if entries == nil {
			return nil
		}
		patch, err := json.Marshal([]map[string]any{
			{"op": "replace", "path": "/metadata/managedFields", "value": entries},
			{"op": "replace", "path": "/metadata/resourceVersion", "value": live.GetResourceVersion()},
		})
		if err != nil {
			return fmt.Errorf("encoding the managed fields: %w", err)
		}
		_, err = client.Patch(ctx, live.GetName(), types.JSONPatchType, patch, metav1.PatchOptions{FieldManager: argov1.FieldManager})
		if !apierrors.IsConflict(err) {
			return unlessGone(err)
		}
	}
	return fmt.Errorf("%s changes all the time", resource.KeyOf(live))
}

// unlessGone takes an object that has gone in the meantime for one that has nothing to hand over.
func unlessGone(err error) error {
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
