package live

import (
	"context"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery"

	"github.com/tiphys-io/tiphys/internal/resource"
)

// madeByControlPlane are the objects that every namespace has, and kinds that come and go with others.
var (
	madeByControlPlane = map[resource.Key]bool{
		{Kind: "ConfigMap", Name: "kube-root-ca.crt"}: true,
		{Kind: "ServiceAccount", Name: "default"}:     true,
	}
	derivedKinds = map[schema.GroupKind]bool{
		{Kind: "Event"}: true, {Group: "events.k8s.io", Kind: "Event"}: true, {Kind: "Endpoints"}: true,
		{Group: "discovery.k8s.io", Kind: "EndpointSlice"}: true, {Group: "coordination.k8s.io", Kind: "Lease"}: true,
		{Group: "metrics.k8s.io", Kind: "PodMetrics"}: true,
	}
)

// Occupants lists the objects in a namespace that a deletion of the namespace would take along although they are not the
// application's: not tracked by it, not owned by what it tracks, and not made by the control plane. It asks the cluster, page
// by page and for metadata only; the answer is sorted.
func (w *Watcher) Occupants(ctx context.Context, namespace, instance string) ([]resource.Key, error) {
	lists, err := w.conn.Discovery.ServerPreferredResources()
	if err != nil {
		return nil, fmt.Errorf("discovering the kinds of the cluster: %w", err)
	}
	found := map[types.UID]occupant{}
	for _, list := range discovery.FilteredBy(discovery.SupportsAllVerbs{Verbs: []string{"list", "delete"}}, lists) {
		gv, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			return nil, fmt.Errorf("discovering the kinds of the cluster: %w", err)
		}
		for _, r := range list.APIResources {
			if !r.Namespaced || derivedKinds[gv.WithKind(r.Kind).GroupKind()] {
				continue
			}
			if err := w.occupantsOf(ctx, namespace, gv.WithResource(r.Name), gv.WithKind(r.Kind).GroupKind(), found); err != nil {
				return nil, err
			}
		}
	}
	return w.strangers(found, instance), nil
}

// occupant is one object of a namespace.
type occupant struct {
	key    resource.Key
	owners []metav1.OwnerReference
	mine   func(instance string) bool
}

func (w *Watcher) occupantsOf(ctx context.Context, namespace string, gvr schema.GroupVersionResource, kind schema.GroupKind, found map[types.UID]occupant) error {
	options := metav1.ListOptions{Limit: sweepPage}
	for {
		page, err := w.conn.Metadata.Resource(gvr).Namespace(namespace).List(ctx, options)
		if apierrors.IsNotFound(err) || apierrors.IsMethodNotSupported(err) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("listing %s in namespace %s, to see what its deletion would take along: %w", gvr.GroupResource(), namespace, err)
		}
		for i := range page.Items {
			item := &page.Items[i]
			key := resource.Key{Group: kind.Group, Kind: kind.Kind, Namespace: namespace, Name: item.Name}
			found[item.UID] = occupant{key: key, owners: item.OwnerReferences, mine: func(instance string) bool {
				owner, ok := w.Store.owner(item)
				return ok && owner == instance
			}}
		}
		if options.Continue = page.Continue; options.Continue == "" {
			return nil
		}
	}
}

// strangers are the occupants that are neither the instance's nor owned by what is.
func (w *Watcher) strangers(found map[types.UID]occupant, instance string) []resource.Key {
	var strangers []resource.Key
	for uid, o := range found {
		if madeByControlPlane[resource.Key{Group: o.key.Group, Kind: o.key.Kind, Name: o.key.Name}] || belongs(found, uid, instance, 0) {
			continue
		}
		strangers = append(strangers, o.key)
	}
	slices.SortFunc(strangers, resource.Key.Compare)
	return strangers
}

// maxOwners bounds a chain of owners, which a hostile cluster could close to a circle.
const maxOwners = 16

func belongs(found map[types.UID]occupant, uid types.UID, instance string, depth int) bool {
	o, ok := found[uid]
	if !ok || depth > maxOwners {
		return false
	}
	return o.mine(instance) || slices.ContainsFunc(o.owners, func(owner metav1.OwnerReference) bool {
		return belongs(found, owner.UID, instance, depth+1)
	})
}
