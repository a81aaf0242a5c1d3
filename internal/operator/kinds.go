package operator

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	bitnamiv1 "github.com/tiphys-io/tiphys/api/bitnami/v1alpha1"
)

const (
	// kindsTimeout bounds the wait for kinds whose definitions were applied together with the operator.
	kindsTimeout = 30 * time.Second
	kindsPoll    = 200 * time.Millisecond
)

// awaitKinds gives the mapper of a cluster that serves the kinds which the operator watches; it waits for them for a while.
// The error names what is missing and the remedy.
func awaitKinds(ctx context.Context, config *rest.Config, timeout time.Duration, kinds []schema.GroupVersionKind) (meta.RESTMapper, error) {
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("connecting to the cluster: %w", err)
	}
	mapper, err := apiutil.NewDynamicRESTMapper(config, client)
	if err != nil {
		return nil, fmt.Errorf("connecting to the cluster: %w", err)
	}
	for _, kind := range kinds {
		if err := awaitKind(ctx, mapper, kind, timeout); err != nil {
			return nil, err
		}
	}
	return mapper, nil
}

// kindsOf are the kinds that the controllers watch.
func kindsOf(options *Options) []schema.GroupVersionKind {
	var kinds []schema.GroupVersionKind
	if options.runs(applicationController) {
		kinds = append(kinds, argov1.GroupVersion.WithKind("Application"), argov1.GroupVersion.WithKind("AppProject"))
	}
	if options.runs(sealedSecretController) {
		kinds = append(kinds, bitnamiv1.GroupVersion.WithKind("SealedSecret"))
	}
	return kinds
}

func awaitKind(ctx context.Context, mapper meta.RESTMapper, gvk schema.GroupVersionKind, timeout time.Duration) error {
	told, missing := false, false
	err := wait.PollUntilContextTimeout(ctx, kindsPoll, timeout, true, func(context.Context) (bool, error) {
		_, err := mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
		if missing = meta.IsNoMatchError(err); !missing {
			return err == nil, err
		}
		if !told {
			ctrl.LoggerFrom(ctx).Info("waiting for the cluster to serve a kind", "kind", gvk.String(), "atMost", timeout.String())
			told = true
		}
		return false, nil
	})
	switch {
	case err == nil:
		return nil
	case missing && ctx.Err() == nil:
		return fmt.Errorf("the cluster does not serve %s: apply the CustomResourceDefinitions first (config/crd, `make install`)", gvk)
	}
	return fmt.Errorf("asking the cluster for %s: %w", gvk, err)
}
