package diff

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/itchyny/gojq"
	"k8s.io/apimachinery/pkg/runtime"
)

// A path names a field from the root of an object: a string for the key of a map, an int for the index of a list.

// parsePointer reads a JSON pointer (RFC 6901).
func parsePointer(text string) ([]string, error) {
	if text == "" || text == "/" {
		return nil, fmt.Errorf("it names the whole object; write a pointer such as /spec/replicas")
	}
	rest, ok := strings.CutPrefix(text, "/")
	if !ok {
		return nil, fmt.Errorf("a JSON pointer begins with a slash; write /%s", text)
	}
	tokens := strings.Split(rest, "/")
	for i, token := range tokens {
		plain := strings.NewReplacer("~1", "/", "~0", "~").Replace(token)
		if strings.Contains(strings.NewReplacer("~1", "", "~0", "").Replace(token), "~") {
			return nil, fmt.Errorf("in %q a tilde stands alone; write ~0 for ~ and ~1 for /", token)
		}
		tokens[i] = plain
	}
	return tokens, nil
}

// follow turns the tokens of a pointer into a path of the object; a token is an index where the object has a list.
func follow(value any, tokens []string) (path []any, found bool) {
	for _, token := range tokens {
		switch container := value.(type) {
		case map[string]any:
			if value, found = container[token]; !found {
				return nil, false
			}
			path = append(path, token)
		case []any:
			index, err := strconv.ParseUint(token, 10, 31)
			if err != nil || int(index) >= len(container) {
				return nil, false
			}
			value, path = container[index], append(path, int(index))
		default:
			return nil, false
		}
	}
	return path, true
}

// resolve turns a path as jq writes it into the paths of the fields that are there: in jq an index may count from the end of
// the list, and a map with start and end stands for all items between.
func resolve(value any, path []any) [][]any {
	if len(path) == 0 {
		return [][]any{nil}
	}
	var found [][]any
	add := func(element, next any) {
		for _, rest := range resolve(next, path[1:]) {
			found = append(found, append([]any{element}, rest...))
		}
	}
	switch container := value.(type) {
	case map[string]any:
		if key, ok := path[0].(string); ok {
			if next, there := container[key]; there {
				add(key, next)
			}
		}
	case []any:
		low, high := bounds(path[0], len(container))
		for i := low; i < high; i++ {
			add(i, container[i])
		}
	}
	return found
}

// bounds are the items of a list that an element of a jq path names: from low up to, but not including, high.
func bounds(element any, length int) (low, high int) {
	if span, ok := element.(map[string]any); ok {
		low, high = 0, length
		if start, ok := index(span["start"], length); ok {
			low = start
		}
		if end, ok := index(span["end"], length); ok {
			high = end
		}
		return max(low, 0), min(high, length)
	}
	at, ok := index(element, length)
	if !ok || at < 0 || at >= length {
		return 0, 0
	}
	return at, at + 1
}

// index is a number of jq as an index of a list of that length; a negative one counts from the end.
func index(value any, length int) (int, bool) {
	at, ok := gojq.ToInt(value)
	if at < 0 {
		at += length
	}
	return at, ok
}

// removed stands in the place of a field that is taken out, until the object is swept: indexes stay what they were.
type removed struct{}

// mark puts the stand-in at a path. What is gone already stays so.
func mark(value any, path []any) {
	last := len(path) - 1
	for i, element := range path {
		switch container := value.(type) {
		case map[string]any:
			key, _ := element.(string)
			if value = container[key]; i == last {
				container[key] = removed{}
			}
		case []any:
			at, _ := element.(int)
			if value = container[at]; i == last {
				container[at] = removed{}
			}
		default:
			return
		}
	}
}

// sweep takes the stand-ins out; it tells whether the value itself is one.
func sweep(value any) (swept any, gone bool) {
	switch container := value.(type) {
	case removed:
		return nil, true
	case map[string]any:
		for key, item := range container {
			next, gone := sweep(item)
			if gone {
				delete(container, key)
			} else {
				container[key] = next
			}
		}
	case []any:
		kept := container[:0]
		for _, item := range container {
			if next, gone := sweep(item); !gone {
				kept = append(kept, next)
			}
		}
		return kept, false
	}
	return value, false
}

// graft gives dst the value that src has at the path. Items of lists are found by what tells them apart, so that the index
// holds for src only; an item that dst lacks is added when the path ends there, and is otherwise not wanted by dst.
func graft(dst, src any, path []any, ids identities) any {
	if len(path) == 0 {
		return runtime.DeepCopyJSONValue(src)
	}
	switch from := src.(type) {
	case map[string]any:
		return graftKey(dst, from, path, ids)
	case []any:
		return graftItem(dst, from, path, ids)
	}
	return dst
}

func graftKey(dst any, from map[string]any, path []any, ids identities) any {
	key, _ := path[0].(string)
	value, there := from[key]
	to, isMap := dst.(map[string]any)
	if !there || (!isMap && dst != nil) {
		return dst
	}
	grafted := graft(to[key], value, path[1:], ids.below(key))
	if grafted == nil && value != nil {
		return dst
	}
	if to == nil {
		to = map[string]any{}
	}
	to[key] = grafted
	return to
}

func graftItem(dst any, from []any, path []any, ids identities) any {
	to, isList := dst.([]any)
	i, ok := path[0].(int)
	if !ok || i >= len(from) || (!isList && (dst != nil || len(path) > 1)) {
		return dst
	}
	switch at := ids.find(to, from, i); {
	case at >= 0:
		to[at] = graft(to[at], from[i], path[1:], ids)
	case len(path) == 1:
		return slices.Insert(to, min(i, len(to)), runtime.DeepCopyJSONValue(from[i]))
	}
	return dst
}

// counterpart is the path in another object of the field that stands at a path of the first; found is false when the other
// lacks it.
func counterpart(from, to any, path []any, ids identities) (other []any, found bool) {
	for _, element := range path {
		switch source := from.(type) {
		case map[string]any:
			key, _ := element.(string)
			container, _ := to.(map[string]any)
			next, there := container[key]
			if !there {
				return nil, false
			}
			from, to, ids, other = source[key], next, ids.below(key), append(other, key)
		case []any:
			container, _ := to.([]any)
			i, _ := element.(int)
			at := ids.find(container, source, i)
			if at < 0 {
				return nil, false
			}
			from, to, other = source[i], container[at], append(other, at)
		default:
			return nil, false
		}
	}
	return other, true
}

// identities say what tells the items of the lists of a kind apart: for each list, named by the keys that lead to it, the
// fields that make the key of an item. The server has written them into the managed fields.
type identities struct {
	keys map[string][]string
	at   string
}

func (i identities) below(key string) identities {
	return identities{keys: i.keys, at: i.at + "/" + key}
}

// find is the index in list of the item that others has at an index; -1 when there is none. Items of a list that the server
// knows no key for are told apart by a name, if all have one, or by their place.
func (i identities) find(list, others []any, at int) int {
	want, isMap := others[at].(map[string]any)
	if !isMap {
		return slices.IndexFunc(list, func(item any) bool { return equalScalar(item, others[at]) })
	}
	keys := i.keys[i.at]
	if keys == nil && haveNames(list) && haveNames(others) {
		keys = []string{"name"}
	}
	if keys == nil {
		if at < len(list) && len(list) == len(others) {
			return at
		}
		return slices.IndexFunc(list, func(item any) bool { return reflect.DeepEqual(item, others[at]) })
	}
	return slices.IndexFunc(list, func(item any) bool {
		have, ok := item.(map[string]any)
		return ok && sameKey(have, want, keys)
	})
}

// sameKey compares the key fields of two items. One that an item lacks has been defaulted by the server in the other, as the
// protocol of a port is.
func sameKey(a, b map[string]any, keys []string) bool {
	shared := false
	for _, key := range keys {
		x, inA := a[key]
		y, inB := b[key]
		if inA && inB {
			if !equalScalar(x, y) {
				return false
			}
			shared = true
		}
	}
	return shared
}

func haveNames(list []any) bool {
	seen := make(map[string]bool, len(list))
	for _, item := range list {
		object, ok := item.(map[string]any)
		name, isText := object["name"].(string)
		if !ok || !isText || seen[name] {
			return false
		}
		seen[name] = true
	}
	return true
}
