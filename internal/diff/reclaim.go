package diff

import (
	"bytes"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// Reclaim gives the managed fields of a live object in which a person's tool no longer holds what the target has dropped; nil
// when no tool does.
//
// A field that Git sets and then drops goes from the cluster, as in the three-way comparison of contract 3.2. A server-side apply
// leaves it if another manager owns it too. That is right for a controller, to which Git may hand the field over (Kubernetes,
// server-side apply, transferring ownership). A person's edit, once in passing, is no such claim: it left the value that Git
// wanted, and nobody will keep it. What a person has applied server-side, or scaled, is one.
func Reclaim(target, live *unstructured.Unstructured) []metav1.ManagedFieldsEntry {
	wanted := heldByHand(target, live)
	if wanted.Empty() {
		return nil
	}
	entries := live.GetManagedFields()
	for i, entry := range entries {
		if !editedBy(entry) {
			continue
		}
		fields, err := fieldsOf(entry)
		if err != nil {
			continue
		}
		data, err := fields.Difference(wanted).ToJSON()
		if err != nil {
			return nil
		}
		entries[i].FieldsV1 = metav1.NewFieldsV1(string(data))
	}
	return slices.DeleteFunc(entries, func(entry metav1.ManagedFieldsEntry) bool {
		fields, err := fieldsOf(entry)
		return editedBy(entry) && err == nil && fields.Empty()
	})
}

// held tells whether there is something to reclaim.
func held(target, live *unstructured.Unstructured) bool { return !heldByHand(target, live).Empty() }

// heldByHand are the live fields that we own, that the target has dropped, and that are owned besides by nobody but tools of
// people. A field is compared in the version that it is recorded in.
func heldByHand(target, live *unstructured.Unstructured) *fieldpath.Set {
	candidates := &fieldpath.Set{}
	if !slices.ContainsFunc(live.GetManagedFields(), editedBy) {
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
	byHand, byOthers := &fieldpath.Set{}, &fieldpath.Set{}
	for _, entry := range live.GetManagedFields() {
		if ours(entry.Manager) {
			continue
		}
		fields, err := fieldsOf(entry)
		switch {
		case err != nil:
		case editedBy(entry) && entry.APIVersion == live.GetAPIVersion():
			byHand = byHand.Union(fields)
		default:
			byOthers = byOthers.Union(fields)
		}
	}
	return candidates.Intersection(byHand).Difference(byOthers)
}

// editedBy tells whether an entry is an edit with a person's tool.
func editedBy(entry metav1.ManagedFieldsEntry) bool {
	return ByHand(entry.Manager) && entry.Operation == metav1.ManagedFieldsOperationUpdate && entry.Subresource == ""
}

func fieldsOf(entry metav1.ManagedFieldsEntry) (*fieldpath.Set, error) {
	fields := &fieldpath.Set{}
	if entry.FieldsV1 == nil {
		return fields, nil
	}
	return fields, fields.FromJSON(bytes.NewReader(entry.FieldsV1.GetRawBytes()))
}
