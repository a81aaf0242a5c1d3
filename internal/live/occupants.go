package live

import (
	"context"
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

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
	found := map[types.UID]occupant{}
	err := w.namespaced(ctx, namespace, func(kind schema.GroupKind) bool { return derivedKinds[kind] }, func(key resource.Key, item *metav1.PartialObjectMetadata) {
		found[item.UID] = occupant{key: key, owners: item.OwnerReferences, mine: func(instance string) bool {
			owner, ok := w.Store.owner(item)
			return ok && owner == instance
		}}
	})
	if err != nil {
		return nil, fmt.Errorf("looking what the deletion of namespace %s would take along: %w", namespace, err)
	}
	return w.strangers(found, instance), nil
}

// occupant is one object of a namespace.
type occupant struct {
	key    resource.Key
	owners []metav1.OwnerReference
	mine   func(instance string) bool
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
