package live

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"

	"github.com/tiphys-io/tiphys/internal/resource"
)

// namespaced hands over the metadata of all that stands in a namespace, of all kinds that can be listed and deleted but those
// that are skipped. It asks the cluster, page by page. A kind that cannot be listed is an error, for what is not seen is not
// known to be nothing.
func (w *Watcher) namespaced(
	ctx context.Context, namespace string, skipped func(schema.GroupKind) bool, take func(resource.Key, *metav1.PartialObjectMetadata),
) error {
	lists, err := w.conn.Discovery.ServerPreferredResources()
	if err != nil {
		return fmt.Errorf("discovering the kinds of the cluster: %w", err)
	}
	for _, list := range discovery.FilteredBy(discovery.SupportsAllVerbs{Verbs: []string{"list", "delete"}}, lists) {
		gv, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			return fmt.Errorf("discovering the kinds of the cluster: %w", err)
		}
		for _, r := range list.APIResources {
			kind := gv.WithKind(r.Kind).GroupKind()
			if !r.Namespaced || skipped(kind) {
				continue
			}
			err := w.namespacedOf(ctx, namespace, gv.WithResource(r.Name), func(item *metav1.PartialObjectMetadata) {
				take(resource.Key{Group: kind.Group, Kind: kind.Kind, Namespace: namespace, Name: item.Name}, item)
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *Watcher) namespacedOf(ctx context.Context, namespace string, gvr schema.GroupVersionResource, take func(*metav1.PartialObjectMetadata)) error {
	options := metav1.ListOptions{Limit: sweepPage}
	for {
		page, err := w.conn.Metadata.Resource(gvr).Namespace(namespace).List(ctx, options)
		if apierrors.IsNotFound(err) || apierrors.IsMethodNotSupported(err) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("listing %s in namespace %s: %w", gvr.GroupResource(), namespace, err)
		}
		for i := range page.Items {
			take(&page.Items[i])
		}
		if options.Continue = page.Continue; options.Continue == "" {
			return nil
		}
	}
}
