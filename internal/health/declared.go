package health

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
)

// source is a part of a status that the general reading reads.
type source int

const (
	fromConditions source = 1 << iota
	fromPhase
	fromCounts
)

// meanings are statuses by what a controller writes.
type meanings map[string]argov1.HealthStatusCode

// any other value than those that are named.
const other = "*"

// entry declares what is special about kinds; the general reading does the rest. One that holds only names says that objects of
// the kinds get a status, so that one without is waited for.
type entry struct {
	// group is a group, or *. and the end of groups. kinds are its kinds, with spaces; empty for all.
	group, kinds string
	// version is the only one that is meant; empty for all.
	version string
	// absent is the health without a status, or without anything in it that can be read; default Progressing.
	absent argov1.HealthStatusCode
	// waiting is the message of an object without a status, where users know one.
	waiting string
	// only restricts what is read; 0 means everything.
	only source
	// fields tell the phase, with dots, in place of the usual ones. phases are phases with a meaning of their own.
	fields string
	phases meanings
	// conditions are conditions with a meaning of their own, as Type=Status(Reason) or Type=Status; the former wins. An empty
	// status means that the condition says nothing.
	conditions meanings
	// marks are labels and annotations, as name=value, that tell a status by themselves.
	marks meanings
	// short is the health of too few ready pods; default Progressing.
	short argov1.HealthStatusCode
	// rule judges alone, where facts in a table are not enough.
	rule rule
}

func (e *entry) covers(gvk schema.GroupVersionKind) bool {
	end, isWildcard := strings.CutPrefix(e.group, "*")
	if gvk.Group != e.group && !(isWildcard && strings.HasSuffix(gvk.Group, end)) {
		return false
	}
	return (e.version == "" || e.version == gvk.Version) && (e.kinds == "" || slices.Contains(strings.Fields(e.kinds), gvk.Kind))
}

// find gives the first entry for a kind, nil when there is none. Special ones stand before those of a whole group.
func find(list []entry, gvk schema.GroupVersionKind) *entry {
	for i := range list {
		if list[i].covers(gvk) {
			return &list[i]
		}
	}
	return nil
}

func (e *entry) reads(s source) bool { return e == nil || e.only == 0 || e.only&s != 0 }

// marked is the status that labels and annotations tell.
func (e *entry) marked(object map[string]any) (code argov1.HealthStatusCode, mark string) {
	if e == nil {
		return "", ""
	}
	for mark, code := range e.marks {
		name, value, _ := strings.Cut(mark, "=")
		if lookup(object, "metadata", "annotations", name) == value || lookup(object, "metadata", "labels", name) == value {
			return code, mark
		}
	}
	return "", ""
}

func (e *entry) condition(c observed) (code argov1.HealthStatusCode, ok bool) {
	if e == nil || e.conditions == nil {
		return "", false
	}
	if code, ok = e.conditions[c.kind+"="+c.status+"("+c.reason+")"]; ok {
		return code, true
	}
	code, ok = e.conditions[c.kind+"="+c.status]
	return code, ok
}

func (e *entry) paths() [][]string {
	if e == nil || e.fields == "" {
		return phaseFields
	}
	var paths [][]string
	for path := range strings.FieldsSeq(e.fields) {
		paths = append(paths, strings.Split(path, "."))
	}
	return paths
}

func (e *entry) phase(text string) (code argov1.HealthStatusCode, ok bool) {
	if e == nil {
		return "", false
	}
	if code, ok = e.phases[text]; !ok {
		code, ok = e.phases[other]
	}
	return code, ok
}

func (e *entry) shortage() argov1.HealthStatusCode {
	if e == nil || e.short == "" {
		return argov1.HealthProgressing
	}
	return e.short
}
