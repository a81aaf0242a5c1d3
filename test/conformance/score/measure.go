package score

import (
	"fmt"
	"reflect"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// unstableMark is the key under which a golden record keeps what differed between its recordings.
const unstableMark = "_unstable"

// equal is all or nothing.
func equal(golden, record any) (float64, []string) {
	if reflect.DeepEqual(golden, record) {
		return 1, nil
	}
	return 0, wantGot(golden, record)
}

// identity are the fields by which rows are paired.
var identity = []string{"group", "kind", "namespace", "name", "syncPhase"}

func rowKey(row map[string]any) string {
	parts := make([]string, len(identity))
	for i, field := range identity {
		parts[i] = text(row[field])
	}
	return strings.Join(parts, "/")
}

// rows pairs rows by identity; a pair scores the share of its fields that agree, a row without a partner 0.
func rows(golden, record any) (float64, []string) {
	g, n := grouped(list(golden)), grouped(list(record))
	var total float64
	var count int
	var differences []string
	for _, key := range sortedKeys(g, n) {
		for i := range max(len(g[key]), len(n[key])) {
			count++
			switch {
			case i >= len(g[key]):
				differences = append(differences, fmt.Sprintf("extra row %s: %s", key, compact(n[key][i])))
			case i >= len(n[key]):
				differences = append(differences, "missing row "+key)
			default:
				share, bad := row(g[key][i], n[key][i])
				total += share
				differences = append(differences, bad...)
			}
		}
	}
	if count == 0 {
		return 1, nil
	}
	return total / float64(count), differences
}

func grouped(items []any) map[string][]map[string]any {
	groups := map[string][]map[string]any{}
	for _, item := range items {
		key := rowKey(object(item))
		groups[key] = append(groups[key], object(item))
	}
	return groups
}

// row compares two rows of the same identity, but for the fields that the golden one lists as unstable.
func row(g, n map[string]any) (float64, []string) {
	ignored := append([]string{unstableMark}, identity...)
	for _, field := range list(g[unstableMark]) {
		ignored = append(ignored, text(field))
	}
	var fields, bad []string
	for _, field := range sortedKeys(g, n) {
		if slices.Contains(ignored, field) {
			continue
		}
		fields = append(fields, field)
		if !reflect.DeepEqual(g[field], n[field]) {
			bad = append(bad, fmt.Sprintf("%s/%s.%s: want %s got %s", text(g["kind"]), text(g["name"]), field, compact(g[field]), compact(n[field])))
		}
	}
	if len(fields) == 0 {
		return 1, nil
	}
	return 1 - float64(len(bad))/float64(len(fields)), bad
}

// objects pairs objects by kind, namespace and name; a pair scores the share of its leaves that agree.
func objects(golden, record any) (float64, []string) {
	g, n := byName(list(golden)), byName(list(record))
	var total float64
	var count int
	var differences []string
	for _, key := range sortedKeys(g, n) {
		if g[key] != nil && truthy(g[key][unstableMark]) {
			continue
		}
		count++
		switch {
		case g[key] == nil:
			differences = append(differences, "extra object "+key)
		case n[key] == nil:
			differences = append(differences, "missing object "+key)
		default:
			share, bad := sameLeaves(g[key], n[key])
			total += share
			for _, difference := range bad {
				differences = append(differences, key+" "+difference)
			}
		}
	}
	if count == 0 {
		return 1, nil
	}
	return total / float64(count), differences
}

func byName(items []any) map[string]map[string]any {
	named := map[string]map[string]any{}
	for _, item := range items {
		o := object(item)
		metadata := object(o["metadata"])
		named[strings.Join([]string{text(o["kind"]), text(metadata["namespace"]), text(metadata["name"])}, "/")] = o
	}
	return named
}

// sameLeaves is the share of leaves that two objects have in common among all that either has.
func sameLeaves(g, n map[string]any) (float64, []string) {
	a, b := map[string]bool{}, map[string]bool{}
	leaves(g, "", a)
	leaves(n, "", b)
	var both int
	var differences []string
	for _, leaf := range sortedKeys(a, b) {
		switch {
		case a[leaf] && b[leaf]:
			both++
		case a[leaf]:
			differences = append(differences, "want "+leaf)
		default:
			differences = append(differences, "got  "+leaf)
		}
	}
	return float64(both) / float64(both+len(differences)), differences
}

// leaves collects "path=value" of every leaf; an empty list or object is a leaf too.
func leaves(value any, path string, into map[string]bool) {
	switch v := value.(type) {
	case map[string]any:
		if len(v) > 0 {
			for key, item := range v {
				leaves(item, path+"."+strconv.Quote(key), into)
			}
			return
		}
	case []any:
		if len(v) > 0 {
			for i, item := range v {
				leaves(item, fmt.Sprintf("%s[%d]", path, i), into)
			}
			return
		}
	}
	into[path+"="+compact(value)] = true
}

// sequence is the similarity of two sequences: twice the length of their matching blocks by the sum of their lengths.
func sequence(golden, record any) (float64, []string) {
	a, b := texts(golden), texts(record)
	if slices.Equal(a, b) {
		return 1, nil
	}
	return 2 * float64(matching(a, b)) / float64(len(a)+len(b)), wantGot(golden, record)
}

// matching is the length of the longest common block (of those the one that begins first in a, then in b), and of the
// longest blocks left and right of it, and so on.
func matching(a, b []string) int {
	var size, atA, atB int
	for i := range a {
		for j := range b {
			k := 0
			for i+k < len(a) && j+k < len(b) && a[i+k] == b[j+k] {
				k++
			}
			if k > size {
				size, atA, atB = k, i, j
			}
		}
	}
	if size == 0 {
		return 0
	}
	return size + matching(a[:atA], b[:atB]) + matching(a[atA+size:], b[atB+size:])
}

// bag is the share of items that two lists have in common, whatever their order.
func bag(golden, record any) (float64, []string) {
	a, b := texts(golden), texts(record)
	sort.Strings(a)
	sort.Strings(b)
	if slices.Equal(a, b) {
		return 1, nil
	}
	var both int
	rest := slices.Clone(b)
	for _, item := range a {
		if i := slices.Index(rest, item); i >= 0 {
			rest = slices.Delete(rest, i, i+1)
			both++
		}
	}
	return float64(both) / float64(max(len(a), len(b))), wantGot(golden, record)
}

// conditions scores half for the types and half for the messages.
func conditions(golden, record any) (float64, []string) {
	types, _ := bag(column(golden, "type"), column(record, "type"))
	messages, _ := bag(column(golden, "message"), column(record, "message"))
	if types == 1 && messages == 1 {
		return 1, nil
	}
	return (types + messages) / 2, wantGot(golden, record)
}

func column(value any, field string) any {
	var values []any
	for _, item := range list(value) {
		values = append(values, object(item)[field])
	}
	return values
}

// statuses compares several parts of a status at once: the mean over all parts that either has.
func statuses(golden, record any) (float64, []string) {
	n, ok := record.(map[string]any)
	if !ok {
		return 0, []string{"missing, want " + compact(golden)}
	}
	g := object(golden)
	var total float64
	var count int
	var differences []string
	for _, key := range sortedKeys(g, n) {
		if unstable(g[key]) {
			continue
		}
		part := equal
		switch key {
		case "resources", "syncResult":
			part = rows
		case "conditions":
			part = conditions
		}
		share, bad := part(g[key], n[key])
		total += share
		count++
		for _, difference := range bad {
			differences = append(differences, key+": "+difference)
		}
	}
	if count == 0 {
		return 1, nil
	}
	return total / float64(count), differences
}
