package replay

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

const (
	limitAction = 10 * time.Second
	limitGone   = 15 * time.Second
)

// act does actions in order.
func (s *session) act(ctx context.Context, actions []Action) error {
	for _, a := range actions {
		if err := s.actOne(ctx, a); err != nil {
			return err
		}
	}
	return nil
}

func (s *session) actOne(ctx context.Context, a Action) error {
	switch {
	case a.Sleep > 0:
		pause(ctx, time.Duration(a.Sleep))
		return nil
	case a.App != nil:
		return s.patch(ctx, a.Target, a.App)
	case a.Terminate:
		return s.terminate(ctx, "")
	case a.Apply != nil:
		return s.cluster.apply(ctx, a.Apply, s.c.namespace())
	case a.Create != nil:
		return s.cluster.create(ctx, a.Create, s.c.namespace())
	case a.Patch != nil:
		return s.patchObject(ctx, *a.Patch)
	case a.Delete != nil:
		o := s.inCase(*a.Delete)
		err := s.cluster.remove(ctx, o)
		s.cluster.gone(ctx, o, limitGone)
		return err
	case a.WaitGone != nil:
		s.cluster.gone(ctx, s.inCase(*a.WaitGone), limitGone)
		return nil
	case a.Scale != nil:
		body := map[string]any{"spec": map[string]any{"replicas": a.Scale.Replicas}}
		return s.cluster.patch(ctx, s.inCase(a.Scale.Object), types.MergePatchType, body, "scaler", "scale")
	}
	return errors.New("an action says nothing to do")
}

// inCase is the object, in the namespace of the case unless it says another.
func (s *session) inCase(o Object) Object {
	o.Namespace = cmp.Or(o.Namespace, s.c.namespace())
	return o
}

// patchObject patches an object as soon as that is possible.
func (s *session) patchObject(ctx context.Context, p Patch) error {
	kind, subresources := types.MergePatchType, []string(nil)
	switch p.Type {
	case "", "merge":
	case "json":
		kind = types.JSONPatchType
	case "strategic":
		kind = types.StrategicMergePatchType
	case "status":
		subresources = []string{"status"}
	default:
		return fmt.Errorf("%q is no type of a patch", p.Type)
	}
	var failure error
	done := poll(ctx, pollPause, limitAction, func() bool {
		failure = s.cluster.patch(ctx, s.inCase(p.Object), kind, p.Body, cmp.Or(p.Manager, "drift"), subresources...)
		return failure == nil
	})
	if !done {
		return failure
	}
	return nil
}

// patch patches an object.
func (c *cluster) patch(ctx context.Context, o Object, kind types.PatchType, body any, manager string, subresources ...string) error {
	client, err := c.resource(o.APIVersion, o.Kind, o.Namespace)
	if err != nil {
		return err
	}
	data, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("patch %s/%s: %w", o.Kind, o.Name, err)
	}
	if _, err := client.Patch(ctx, o.Name, kind, data, metav1.PatchOptions{FieldManager: manager}, subresources...); err != nil {
		return fmt.Errorf("patch %s/%s: %w", o.Kind, o.Name, err)
	}
	return nil
}

// release takes the finalizers from an object; one that is gone is no error.
func (c *cluster) release(ctx context.Context, o Object) error {
	err := c.patch(ctx, o, types.MergePatchType, map[string]any{"metadata": map[string]any{"finalizers": nil}}, userAgent)
	if apierrors.IsNotFound(err) || errors.Is(err, errNotServed) {
		return nil
	}
	return err
}
