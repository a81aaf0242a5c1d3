// Package live answers what stands in a destination cluster: it watches the kinds that applications use and keeps an index
// of the objects by key and by the application that tracks them.
package live

import (
	"maps"
	"slices"
	"strconv"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/tiphys-io/tiphys/internal/resource"
	"github.com/tiphys-io/tiphys/internal/tracking"
)

// Change tells that an object of interest to an application came, changed or went.
type Change struct {
	Instance string
	Key      resource.Key
}

// entry is one object of a watched kind. Objects of nobody's interest are kept without their content.
type entry struct {
	object          *unstructured.Unstructured
	resourceVersion string
	instance        string // of the tracking mark; empty when there is none
	owned           bool   // has an owner reference
}

// Store is the index of the live objects of one cluster, without I/O. It is safe for concurrent use; the objects that it
// hands out are shared and must not be changed.
type Store struct {
	notify func(Change)

	// matters tells whether an object that changed matters to anybody; nil when every change does.
	matters func(before, after *unstructured.Unstructured) bool

	mu         sync.RWMutex
	tracker    tracking.Tracker
	shared     sharing
	entries    map[resource.Key]*entry
	byInstance map[string]map[resource.Key]struct{}
	wanted     map[resource.Key]map[string]struct{} // which applications have a target of that key
	wants      map[string]map[resource.Key]struct{} // the same by application

	// graves are the versions at which objects were last seen to go: an answer to an earlier request that arrives later must
	// not bring an object back, for no event would ever take it away again.
	graves map[resource.Key]string
	buried []resource.Key // in the order of their deletion, to forget the oldest
}

// maxGraves bounds what is remembered of deletions; an answer that is overtaken by so many of them is not expected.
const maxGraves = 4096

// NewStore makes an empty index; notify is called for each change, without locks held.
func NewStore(tracker tracking.Tracker, notify func(Change)) *Store {
	return &Store{
		tracker: tracker, notify: notify, shared: sharing{},
		entries:    map[resource.Key]*entry{},
		byInstance: map[string]map[resource.Key]struct{}{},
		wanted:     map[resource.Key]map[string]struct{}{},
		wants:      map[string]map[resource.Key]struct{}{},
		graves:     map[resource.Key]string{},
	}
}

// bury remembers a deletion; the caller holds the lock.
func (s *Store) bury(key resource.Key, resourceVersion string) {
	if _, known := s.graves[key]; !known {
		s.buried = append(s.buried, key)
	}
	s.graves[key] = resourceVersion
	if len(s.buried) > maxGraves {
		delete(s.graves, s.buried[0])
		s.buried = s.buried[1:]
	}
}

// overtaken tells whether an object as it was seen has gone since; the caller holds the lock.
func (s *Store) overtaken(key resource.Key, resourceVersion string) bool {
	grave, ok := s.graves[key]
	return ok && (grave == resourceVersion || newer(grave, resourceVersion))
}

// retrack has objects attributed by another tracker from now on. What is in the index moves when it is Put again.
func (s *Store) retrack(tracker tracking.Tracker) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tracker = tracker
}

// owner is the application whose mark an object carries, and whether there is one.
func (s *Store) owner(obj metav1.Object) (instance string, ok bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.tracker.Owner(obj)
}

// Put takes in an object as it was seen, and may change it until it returns; one older than what is known is ignored.
func (s *Store) Put(obj *unstructured.Unstructured) {
	key := resource.KeyOf(obj)
	s.mu.Lock()
	instance, _ := s.tracker.Owner(obj)
	old := s.entries[key]
	if (old != nil && newer(old.resourceVersion, obj.GetResourceVersion())) || s.overtaken(key, obj.GetResourceVersion()) {
		s.mu.Unlock()
		return
	}
	e := &entry{resourceVersion: obj.GetResourceVersion(), instance: instance, owned: len(obj.GetOwnerReferences()) > 0}
	if instance != "" || len(s.wanted[key]) > 0 {
		if old == nil || old.object != obj {
			s.shared.share(obj)
		}
		e.object = obj
	}
	s.entries[key] = e
	s.reindex(key, old, e)
	same := old != nil && old.resourceVersion == e.resourceVersion
	changes, matters := s.concerned(key, old, e), s.matters
	s.mu.Unlock()
	if same || (matters != nil && old != nil && old.continues(e) && !matters(old.object, obj)) {
		return
	}
	s.tell(changes)
}

// continues tells whether an entry and its successor are the same object of the same application, with their contents.
func (e *entry) continues(next *entry) bool {
	return e.object != nil && next.object != nil && e.instance == next.instance && e.owned == next.owned && e.object.GetUID() == next.object.GetUID()
}

// Filter has changes told from now on only if they matter. It is asked without locks held, about two versions of an
// object that an application has; nil has all told.
func (s *Store) Filter(matters func(before, after *unstructured.Unstructured) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.matters = matters
}

// Get is the object of a key as it was seen last; nil when there is none, or when its content was of no interest.
func (s *Store) Get(key resource.Key) *unstructured.Unstructured {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if e := s.entries[key]; e != nil {
		return e.object
	}
	return nil
}

// Delete forgets an object. Resource versions tell a deletion from the watch that is older than a later creation.
func (s *Store) Delete(key resource.Key, resourceVersion string) {
	s.mu.Lock()
	old := s.entries[key]
	if resourceVersion != "" && (old == nil || !newer(old.resourceVersion, resourceVersion)) {
		s.bury(key, resourceVersion)
	}
	if old == nil || (resourceVersion != "" && newer(old.resourceVersion, resourceVersion)) {
		s.mu.Unlock()
		return
	}
	delete(s.entries, key)
	s.reindex(key, old, nil)
	changes := s.concerned(key, old, nil)
	s.mu.Unlock()
	s.tell(changes)
}

// Replace makes objs all there is of a kind, as after a list.
func (s *Store) Replace(kind schema.GroupKind, objs []*unstructured.Unstructured) {
	seen := make(map[resource.Key]struct{}, len(objs))
	for _, obj := range objs {
		seen[resource.KeyOf(obj)] = struct{}{}
		s.Put(obj)
	}
	s.mu.RLock()
	var gone []resource.Key
	for key := range s.entries {
		if _, ok := seen[key]; !ok && key.GroupKind() == kind {
			gone = append(gone, key)
		}
	}
	s.mu.RUnlock()
	for _, key := range gone {
		s.Delete(key, "")
	}
}

// Want says which targets an application has, so that objects of these keys are kept whoever tracks them.
func (s *Store) Want(instance string, keys []resource.Key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key := range s.wants[instance] {
		delete(s.wanted[key], instance)
		if len(s.wanted[key]) == 0 {
			delete(s.wanted, key)
		}
	}
	delete(s.wants, instance)
	if len(keys) == 0 {
		return
	}
	mine := make(map[resource.Key]struct{}, len(keys))
	for _, key := range keys {
		mine[key] = struct{}{}
		if s.wanted[key] == nil {
			s.wanted[key] = map[string]struct{}{}
		}
		s.wanted[key][instance] = struct{}{}
	}
	s.wants[instance] = mine
}

// Snapshot is what an application has in the cluster: the objects that it tracks and that have no owner, and the objects of
// its targets' keys. Missing lists the wanted keys that exist but whose content was not kept: read them directly and Put them.
func (s *Store) Snapshot(instance string) (objects map[resource.Key]*unstructured.Unstructured, missing []resource.Key) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	objects = make(map[resource.Key]*unstructured.Unstructured, len(s.byInstance[instance]))
	for key := range s.byInstance[instance] {
		if e := s.entries[key]; !e.owned {
			objects[key] = e.object
		}
	}
	for key := range s.wants[instance] {
		e := s.entries[key]
		switch {
		case e == nil:
		case e.object == nil:
			missing = append(missing, key)
		default:
			objects[key] = e.object
		}
	}
	return objects, missing
}

// Kinds are the kinds of the objects that an application tracks.
func (s *Store) Kinds(instance string) []schema.GroupKind {
	s.mu.RLock()
	defer s.mu.RUnlock()
	kinds := map[schema.GroupKind]struct{}{}
	for key := range s.byInstance[instance] {
		kinds[key.GroupKind()] = struct{}{}
	}
	return slices.Collect(maps.Keys(kinds))
}

// reindex moves key between applications; the caller holds the lock.
func (s *Store) reindex(key resource.Key, old, now *entry) {
	if old != nil && old.instance != "" && (now == nil || now.instance != old.instance) {
		delete(s.byInstance[old.instance], key)
		if len(s.byInstance[old.instance]) == 0 {
			delete(s.byInstance, old.instance)
		}
	}
	if now != nil && now.instance != "" {
		if s.byInstance[now.instance] == nil {
			s.byInstance[now.instance] = map[resource.Key]struct{}{}
		}
		s.byInstance[now.instance][key] = struct{}{}
	}
}

// concerned lists the applications that a change of key matters to; the caller holds the lock.
func (s *Store) concerned(key resource.Key, old, now *entry) []Change {
	instances := maps.Clone(s.wanted[key])
	if instances == nil {
		instances = map[string]struct{}{}
	}
	for _, e := range []*entry{old, now} {
		if e != nil && e.instance != "" && !e.owned {
			instances[e.instance] = struct{}{}
		}
	}
	changes := make([]Change, 0, len(instances))
	for instance := range instances {
		changes = append(changes, Change{Instance: instance, Key: key})
	}
	return changes
}

func (s *Store) tell(changes []Change) {
	for _, change := range changes {
		s.notify(change)
	}
}

// newer tells whether resource version a is later than b; versions that are no numbers cannot be ordered (Kubernetes
// documents them as comparable integers since 1.35).
func newer(a, b string) bool {
	x, errA := strconv.ParseUint(a, 10, 64)
	y, errB := strconv.ParseUint(b, 10, 64)
	return errA == nil && errB == nil && x > y
}
