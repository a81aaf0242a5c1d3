package diff

import (
	"bytes"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"github.com/tiphys-io/tiphys/internal/resource"
)

// takeManaged gives obj, which it changes, the live values of the fields that trusted managers own.
func (v *View) takeManaged(obj, live *unstructured.Unstructured) {
	if len(v.managers) == 0 {
		return
	}
	ids := identitiesOf(live)
	for _, entry := range live.GetManagedFields() {
		if !slices.Contains(v.managers, entry.Manager) || entry.FieldsV1 == nil {
			continue
		}
		var owned fieldpath.Set
		if owned.FromJSON(bytes.NewReader(entry.FieldsV1.GetRawBytes())) != nil {
			continue
		}
		leaves := owned.Leaves()
		owned.Iterate(func(path fieldpath.Path) {
			indexed, found := locate(live.Object, path)
			if found && !leaves.Has(path) {
				// Of what holds other fields only a whole item of a list is taken: one that nobody else set.
				_, shared := counterpart(live.Object, obj.Object, indexed, ids)
				found = !shared && path[len(path)-1].FieldName == nil
			}
			if found {
				graft(obj.Object, live.Object, indexed, ids)
			}
		})
	}
}

// locate finds the field of an object that a path of its managed fields names.
func locate(value any, path fieldpath.Path) (indexed []any, found bool) {
	for _, element := range path {
		next, at, ok := step(value, element)
		if !ok {
			return nil, false
		}
		value, indexed = next, append(indexed, at)
	}
	return indexed, len(path) > 0
}

// identitiesOf reads from the managed fields of an object what tells the items of its lists apart.
func identitiesOf(live *unstructured.Unstructured) identities {
	ids := identities{keys: map[string][]string{}}
	for _, entry := range live.GetManagedFields() {
		var owned fieldpath.Set
		if entry.FieldsV1 == nil || owned.FromJSON(bytes.NewReader(entry.FieldsV1.GetRawBytes())) != nil {
			continue
		}
		owned.Iterate(func(path fieldpath.Path) {
			place := ids
			for _, element := range path {
				switch {
				case element.FieldName != nil:
					place = place.below(*element.FieldName)
				case element.Key != nil && ids.keys[place.at] == nil:
					for _, field := range *element.Key {
						ids.keys[place.at] = append(ids.keys[place.at], field.Name)
					}
				}
			}
		})
	}
	return ids
}

// RespectIgnored is the target as it is applied under the sync option RespectIgnoreDifferences=true: a copy whose ignored
// fields are those of the live object, except in status (contract 2.7). A target that is not live yet is returned as it is.
func RespectIgnored(target, live *unstructured.Unstructured, rules *Rules) (*unstructured.Unstructured, error) {
	if target == nil || live == nil {
		return target, nil
	}
	view := rules.For(resource.KeyOf(target))
	if !view.Hides() {
		return target, nil
	}
	inTarget, err := view.named(target)
	if err != nil {
		return nil, err
	}
	inLive, err := view.named(live)
	if err != nil {
		return nil, err
	}
	out, ids := target.DeepCopy(), identitiesOf(live)
	view.takeManaged(out, live)
	for _, path := range inLive {
		if path[0] != "status" {
			graft(out.Object, live.Object, path, ids)
		}
	}
	for _, path := range inTarget {
		if path[0] == "status" {
			continue
		}
		if there, found := counterpart(target.Object, live.Object, path, ids); found {
			graft(out.Object, live.Object, there, ids)
		} else if here, found := counterpart(target.Object, out.Object, path, ids); found {
			mark(out.Object, here)
		}
	}
	sweep(out.Object)
	return out, nil
}
