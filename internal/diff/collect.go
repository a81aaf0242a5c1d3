package diff

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// Here is where two objects differ, after it was decided that they do: each of the functions follows one that decides, and
// goes only where that one says yes. Whatever that one finds, the paths are never none.

// differences are the paths in which the sides differ, each once, in the order of the fields.
func (s Sides) differences() []fieldpath.Path {
	found := &collection{seen: map[string]bool{}}
	s.abandonedPaths(found)
	switch {
	case !Local(s.Target, s.Live):
	case s.Predicted == nil:
		uncovered(s.Live.Object, s.Target.Object, nil, identitiesOf(s.Live), found)
		droppedPaths(s.Target, s.Live, found)
	default:
		changedPaths(s.Live, s.Predicted, found)
	}
	slices.SortFunc(found.paths, fieldpath.Path.Compare)
	return found.paths
}

// collection is a list of paths without repetition.
type collection struct {
	paths []fieldpath.Path
	seen  map[string]bool
	added int // repetitions included
}

func (c *collection) add(path fieldpath.Path) {
	c.added++
	if text := path.String(); !c.seen[text] {
		c.seen[text] = true
		c.paths = append(c.paths, path)
	}
}

// unless adds a path if nothing was added since that was how much had been.
func (c *collection) unless(before int, path fieldpath.Path) {
	if c.added == before {
		c.add(path)
	}
}

// uncovered follows covers.
func uncovered(live, target any, at fieldpath.Path, ids identities, found *collection) {
	if covers(live, target) {
		return
	}
	before := found.added
	switch want := target.(type) {
	case map[string]any:
		if have, ok := live.(map[string]any); ok {
			for _, key := range slices.Sorted(maps.Keys(want)) {
				uncovered(have[key], want[key], deeper(at, fieldNamed(key)), ids.below(key), found)
			}
		}
	case []any:
		if have, ok := live.([]any); ok {
			uncoveredItems(have, want, at, ids, found)
		}
	}
	found.unless(before, at)
}

func uncoveredItems(have, want []any, at fieldpath.Path, ids identities, found *collection) {
	keys := ids.keysOf(have, want)
	for i, item := range want {
		path := deeper(at, itemAt(item, i, keys))
		if j := ids.find(have, want, i); j >= 0 {
			uncovered(have[j], item, path, ids, found)
		} else {
			found.add(path)
		}
	}
	for i, item := range have {
		if ids.find(want, have, i) < 0 {
			found.add(deeper(at, itemAt(item, i, keys)))
		}
	}
}

// keysOf are the fields that tell the items of two lists apart; nil when their place does.
func (i identities) keysOf(a, b []any) []string {
	if keys := i.keys[i.at]; keys != nil {
		return keys
	}
	if haveNames(a) && haveNames(b) {
		return []string{"name"}
	}
	return nil
}

// droppedPaths follows dropped.
func droppedPaths(target, live *unstructured.Unstructured, found *collection) {
	if !dropped(target, live) {
		return
	}
	before := found.added
	for _, own := range ownedByUs(live) {
		if own.set == nil {
			continue
		}
		own.set.Leaves().Iterate(func(path fieldpath.Path) {
			if !has(target.Object, path) && has(live.Object, path) {
				found.add(whole(own.set, target, path))
			}
		})
	}
	found.unless(before, nil)
}

// whole is the first part of a path that a target lacks and that a set has as such.
func whole(set *fieldpath.Set, target *unstructured.Unstructured, path fieldpath.Path) fieldpath.Path {
	for i := 1; i < len(path); i++ {
		if set.Has(path[:i]) && !has(target.Object, path[:i]) {
			return path[:i].Copy()
		}
	}
	return path.Copy()
}

// changedPaths follows Changed.
func changedPaths(live, predicted *unstructured.Unstructured, found *collection) {
	if !Changed(live, predicted) {
		return
	}
	before := found.added
	sets, known := compared(live, predicted)
	if !known {
		unequal(content(live), content(predicted), nil, identitiesOf(live), found)
	}
	for _, set := range sets {
		changed(set, live.Object, predicted.Object, nil, found)
	}
	found.unless(before, nil)
}

// changed follows differs.
func changed(set *fieldpath.Set, a, b any, at fieldpath.Path, found *collection) {
	if !differs(set, a, b) {
		return
	}
	before := found.added
	for element := range set.Union(below(set)).Members.All() {
		x, _, inA := step(a, element)
		y, _, inB := step(b, element)
		fields, holdsMore := set.Children.Get(element)
		switch path := deeper(at, element); {
		case inA != inB:
			found.add(path)
		case !inA:
		case holdsMore:
			changed(fields, x, y, path, found)
		case !reflect.DeepEqual(x, y):
			found.add(path)
		}
	}
	found.unless(before, at)
}

// unequal follows reflect.DeepEqual.
func unequal(a, b any, at fieldpath.Path, ids identities, found *collection) {
	if reflect.DeepEqual(a, b) {
		return
	}
	before := found.added
	x, isMapA := a.(map[string]any)
	y, isMapB := b.(map[string]any)
	if isMapA && isMapB {
		both := maps.Clone(x)
		maps.Copy(both, y)
		for _, key := range slices.Sorted(maps.Keys(both)) {
			left, inA := x[key]
			right, inB := y[key]
			if path := deeper(at, fieldNamed(key)); inA && inB {
				unequal(left, right, path, ids.below(key), found)
			} else {
				found.add(path)
			}
		}
	}
	s, isListA := a.([]any)
	t, isListB := b.([]any)
	if isListA && isListB {
		unequalItems(s, t, at, ids, found)
	}
	found.unless(before, at)
}

func unequalItems(a, b []any, at fieldpath.Path, ids identities, found *collection) {
	keys := ids.keysOf(a, b)
	for i, item := range a {
		path := deeper(at, itemAt(item, i, keys))
		if j := ids.find(b, a, i); j >= 0 {
			unequal(item, b[j], path, ids, found)
		} else {
			found.add(path)
		}
	}
	for i, item := range b {
		if ids.find(a, b, i) < 0 {
			found.add(deeper(at, itemAt(item, i, keys)))
		}
	}
}

// abandonedPaths follows Abandoned.
func (s Sides) abandonedPaths(found *collection) {
	heldByUpdates(s.Target, s.Live).Leaves().Iterate(func(path fieldpath.Path) { found.add(path.Copy()) })
	if !leftFromClient(s.Target, s.Live) {
		return
	}
	before := found.added
	var last map[string]any
	if json.Unmarshal([]byte(s.Live.GetAnnotations()[lastApplied]), &last) == nil {
		left(content(&unstructured.Unstructured{Object: last}), s.Target.Object, s.Live.Object, nil, found)
	}
	found.unless(before, nil)
}

// left follows abandoned.
func left(last, target, live any, at fieldpath.Path, found *collection) {
	if !abandoned(last, target, live) {
		return
	}
	switch set := last.(type) {
	case map[string]any:
		have, _ := live.(map[string]any)
		want, _ := target.(map[string]any)
		for _, key := range slices.Sorted(maps.Keys(set)) {
			is, isLive := have[key]
			wanted, isWanted := want[key]
			switch path := deeper(at, fieldNamed(key)); {
			case !isLive || empty(set[key]):
			case !isWanted:
				found.add(path)
			default:
				left(set[key], wanted, is, path, found)
			}
		}
	case []any:
		have, _ := live.([]any)
		want, _ := target.([]any)
		keys := identities{}.keysOf(have, want)
		for i := range set {
			in, wanted := identities{}.find(have, set, i), identities{}.find(want, set, i)
			switch {
			case in < 0:
			case wanted < 0:
				found.add(deeper(at, itemAt(have[in], in, keys)))
			default:
				left(set[i], want[wanted], have[in], deeper(at, itemAt(have[in], in, keys)), found)
			}
		}
	}
}
