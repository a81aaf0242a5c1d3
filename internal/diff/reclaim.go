package diff

import (
	"bytes"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// Reclaim gives the managed fields of a live object in which nobody holds what the target has dropped, but those with a claim to
// it; nil when there is nothing to take.
//
// A field that Git sets and then drops goes from the cluster: that is the three-way comparison of contract 3.2. A server-side
// apply leaves it if another manager owns it too. That is right for one that has applied it server-side, or that writes it
// through a subresource, as autoscalers do: to these Git may hand the field over (Kubernetes, server-side apply, transferring
// ownership). A plain update is no such claim: it happened to leave the value that Git wanted.
func Reclaim(target, live *unstructured.Unstructured) []metav1.ManagedFieldsEntry {
	lost := heldByUpdates(target, live)
	if lost.Empty() {
		return nil
	}
	entries := live.GetManagedFields()
	for i, entry := range entries {
		if !updated(entry) {
			continue
		}
		fields, err := fieldsOf(entry)
		if err != nil {
			continue
		}
		data, err := fields.Difference(lost).ToJSON()
		if err != nil {
			return nil
		}
		entries[i].FieldsV1 = metav1.NewFieldsV1(string(data))
	}
	return slices.DeleteFunc(entries, func(entry metav1.ManagedFieldsEntry) bool {
		fields, err := fieldsOf(entry)
		return updated(entry) && err == nil && fields.Empty()
	})
}

// held tells whether there is something to reclaim.
func held(target, live *unstructured.Unstructured) bool { return !heldByUpdates(target, live).Empty() }

// heldByUpdates are the live fields that we own, that the target has dropped, and that are owned besides only by managers that
// have updated them. A field is compared in the version that it is recorded in.
func heldByUpdates(target, live *unstructured.Unstructured) *fieldpath.Set {
	candidates := &fieldpath.Set{}
	if !slices.ContainsFunc(live.GetManagedFields(), updated) {
		return candidates
	}
	for _, own := range ownedByUs(live) {
		if own.set == nil || own.version != live.GetAPIVersion() {
			continue
		}
		own.set.Iterate(func(path fieldpath.Path) {
			if !has(target.Object, path) && has(live.Object, path) {
				candidates.Insert(path)
			}
		})
	}
	if candidates.Empty() {
		return candidates
	}
	byUpdates, byOthers := &fieldpath.Set{}, &fieldpath.Set{}
	for _, entry := range live.GetManagedFields() {
		if ours(entry.Manager) {
			continue
		}
		fields, err := fieldsOf(entry)
		switch {
		case err != nil:
		case updated(entry) && entry.APIVersion == live.GetAPIVersion():
			byUpdates = byUpdates.Union(fields)
		default:
			byOthers = byOthers.Union(fields)
		}
	}
	return candidates.Intersection(byUpdates).Difference(byOthers)
}

// updated tells whether an entry is a plain update of somebody else.
func updated(entry metav1.ManagedFieldsEntry) bool {
	return !ours(entry.Manager) && entry.Operation == metav1.ManagedFieldsOperationUpdate && entry.Subresource == ""
}

func fieldsOf(entry metav1.ManagedFieldsEntry) (*fieldpath.Set, error) {
	fields := &fieldpath.Set{}
	if entry.FieldsV1 == nil {
		return fields, nil
	}
	return fields, fields.FromJSON(bytes.NewReader(entry.FieldsV1.GetRawBytes()))
}
