package health

import (
	"fmt"
	"strings"
)

// fields reads an object without converting it to its typed form, which would cost more than the rule itself. What is
// absent or null reads as the zero value; the first value of an unexpected type is kept in err, so that rules need no
// error handling of their own.
type fields struct {
	object map[string]any
	err    error
	// read keeps status.conditions, which rules ask for more than once.
	read []condition
}

// condition is one of status.conditions.
type condition struct {
	kind, status, reason, message string
}

func (c condition) isTrue() bool { return c.status == "True" }

func (f *fields) value(path ...string) any {
	var value any = f.object
	for i, name := range path {
		object, ok := value.(map[string]any)
		if !ok {
			f.unexpected(value, path[:i])
			return nil
		}
		if value = object[name]; value == nil {
			return nil
		}
	}
	return value
}

func (f *fields) unexpected(value any, path []string) {
	if f.err == nil {
		f.err = fmt.Errorf("%s is an unexpected %T", strings.Join(path, "."), value)
	}
}

func (f *fields) has(path ...string) bool { return f.value(path...) != nil }

func (f *fields) text(path ...string) string {
	value := f.value(path...)
	text, ok := value.(string)
	if !ok && value != nil {
		f.unexpected(value, path)
	}
	return text
}

func (f *fields) flag(path ...string) bool {
	value := f.value(path...)
	flag, ok := value.(bool)
	if !ok && value != nil {
		f.unexpected(value, path)
	}
	return flag
}

// integer also reads floating point numbers, which plain JSON decoders make of every number.
func (f *fields) integer(path ...string) int64 {
	switch value := f.value(path...).(type) {
	case nil:
		return 0
	case int64:
		return value
	case int:
		return int64(value)
	case float64:
		return int64(value)
	default:
		f.unexpected(value, path)
		return 0
	}
}

// list is the list of objects at path. They report to the same err.
func (f *fields) list(path ...string) []*fields {
	value := f.value(path...)
	items, ok := value.([]any)
	if !ok {
		if value != nil {
			f.unexpected(value, path)
		}
		return nil
	}
	list := make([]*fields, 0, len(items))
	for _, item := range items {
		object, ok := item.(map[string]any)
		if !ok {
			f.unexpected(item, path)
			return nil
		}
		list = append(list, &fields{object: object})
	}
	return list
}

// adopt takes over the error of an item of a list.
func (f *fields) adopt(item *fields) {
	if f.err == nil {
		f.err = item.err
	}
}

func (f *fields) conditions() []condition {
	if f.read != nil {
		return f.read
	}
	for _, item := range f.list("status", "conditions") {
		f.read = append(f.read, condition{
			kind: item.text("type"), status: item.text("status"), reason: item.text("reason"), message: item.text("message"),
		})
		f.adopt(item)
	}
	return f.read
}

// condition is the first condition of that type, and whether there is one.
func (f *fields) condition(kind string) (condition, bool) {
	for _, c := range f.conditions() {
		if c.kind == kind {
			return c, true
		}
	}
	return condition{}, false
}

// isObserved tells whether the controller of the object has seen its latest spec.
func (f *fields) isObserved() bool {
	return f.integer("metadata", "generation") <= f.integer("status", "observedGeneration")
}
