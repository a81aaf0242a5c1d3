package live

import (
	"context"
	"fmt"
	"regexp"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/tiphys-io/tiphys/internal/resource"
)

// censusLife is how long what was seen of a namespace is kept for nobody.
const censusLife = time.Hour

// census is what stood in a namespace without an application when somebody looked, and without an owner.
type census struct {
	turn    chan struct{} // holds the right to look
	at      time.Time     // when somebody looked last; zero for never
	version string        // of the exclusions that were in force
	orphans []resource.Key
}

// Orphans asks for the objects of a namespace that no application tracks and that have no owner.
type Orphans struct {
	Namespace string
	// MaxAge is how old the answer may be; 0 looks anew.
	MaxAge time.Duration
	// Excluded are kinds that are left out; ExcludedVersion changes whenever they do.
	Excluded        func(group, kind string) bool
	ExcludedVersion string
}

// Orphans lists the objects of a namespace that no application tracks and that have no owner, unsorted. The cluster is asked,
// page by page and for metadata only, unless the last answer is young enough; applications of one namespace share it. The list
// is shared and must not be changed.
func (w *Watcher) Orphans(ctx context.Context, ask Orphans) ([]resource.Key, error) {
	c := w.censusOf(ask.Namespace)
	select {
	case <-c.turn:
	case <-ctx.Done():
		return nil, fmt.Errorf("waiting for the list of what stands in namespace %s: %w", ask.Namespace, context.Cause(ctx))
	}
	defer func() { c.turn <- struct{}{} }()
	if !c.at.IsZero() && c.version == ask.ExcludedVersion && time.Since(c.at) < ask.MaxAge {
		return c.orphans, nil
	}
	begin := time.Now()
	orphans, err := w.findOrphans(ctx, ask)
	if err != nil {
		return nil, fmt.Errorf("looking for orphaned resources: %w", err)
	}
	c.at, c.version, c.orphans = begin, ask.ExcludedVersion, orphans
	return orphans, nil
}

// censusOf is the census of a namespace; those that nobody asks for any more are dropped when a new one begins.
func (w *Watcher) censusOf(namespace string) *census {
	w.mu.Lock()
	defer w.mu.Unlock()
	if c, ok := w.censuses[namespace]; ok {
		return c
	}
	for name, c := range w.censuses {
		select {
		case <-c.turn:
			if time.Since(c.at) > censusLife {
				delete(w.censuses, name)
			}
			c.turn <- struct{}{}
		default:
		}
	}
	c := &census{turn: make(chan struct{}, 1)}
	c.turn <- struct{}{}
	w.censuses[namespace] = c
	return c
}

func (w *Watcher) findOrphans(ctx context.Context, ask Orphans) ([]resource.Key, error) {
	var orphans []resource.Key
	made := kin{services: map[string]bool{}, sets: map[string]bool{}}
	skipped := func(kind schema.GroupKind) bool { return ask.Excluded != nil && ask.Excluded(kind.Group, kind.Kind) }
	err := w.namespaced(ctx, ask.Namespace, skipped, func(key resource.Key, item *metav1.PartialObjectMetadata) {
		made.learn(key)
		if _, tracked := w.Store.owner(item); !tracked && len(item.OwnerReferences) == 0 && !isAccountToken(key, item) {
			orphans = append(orphans, key)
		}
	})
	if err != nil {
		return nil, err
	}
	kept := orphans[:0]
	for _, key := range orphans {
		if !made.has(key) {
			kept = append(kept, key)
		}
	}
	return kept, nil
}

// isAccountToken tells whether an object is the token of a service account: that is its owner, without a reference.
func isAccountToken(key resource.Key, item *metav1.PartialObjectMetadata) bool {
	return key.Group == "" && key.Kind == "Secret" && item.Annotations["kubernetes.io/service-account.name"] != ""
}

// kin are objects whose controllers make others in their names without an owner reference: the endpoints of services, and the
// volumes of stateful sets.
type kin struct{ services, sets map[string]bool }

func (k kin) learn(key resource.Key) {
	switch key.GroupKind() {
	case schema.GroupKind{Kind: "Service"}:
		k.services[key.Name] = true
	case schema.GroupKind{Group: "apps", Kind: "StatefulSet"}:
		k.sets[key.Name] = true
	}
}

// claimName is <template>-<stateful set>-<ordinal>; where the name of the set begins is not known.
var claimName = regexp.MustCompile(`^(.+)-\d+$`)

func (k kin) has(key resource.Key) bool {
	switch key.GroupKind() {
	case schema.GroupKind{Kind: "Endpoints"}:
		return k.services[key.Name]
	case schema.GroupKind{Kind: "PersistentVolumeClaim"}:
		parts := claimName.FindStringSubmatch(key.Name)
		if parts == nil {
			return false
		}
		for at, char := range parts[1] {
			if char == '-' && at > 0 && k.sets[parts[1][at+1:]] {
				return true
			}
		}
	}
	return false
}
