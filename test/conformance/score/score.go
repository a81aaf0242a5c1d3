// Package score says how well a record of a controller's behaviour agrees with a golden one.
//
// Both are JSON documents as test/conformance/replay writes them. Each (case, step, field) of the golden record is one
// check worth 0 to 1; what the golden record marks as unstable is not checked. The rules are those of "The score" in the
// README of the recorded cases.
package score

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
)

// Record is a decoded record. Its numbers are json.Number, so that 1 and 1.0 stay two things.
type Record map[string]any

// Decode reads a record.
func Decode(data []byte) (Record, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var record Record
	if err := decoder.Decode(&record); err != nil {
		return nil, fmt.Errorf("read record: %w", err)
	}
	return record, nil
}

// Area is the area of the record's case.
func (r Record) Area() string { return text(r["area"]) }

// Check is one field at one place of a case.
type Check struct {
	// Place is the number of the step, from 0, or "delete" for the deletion at the end.
	Place string
	// Field is one of Fields.
	Field string
	// Score is from 0 to 1; 1 means that there is no difference.
	Score float64
	// Differences says what differs, for people.
	Differences []string
}

// Fields are all fields, in the order in which tables show them.
var Fields = []string{
	"sync", "health", "phase", "message", "syncResult", "resources", "conditions", "order", "live", "before", "status",
	"others", "during", "survivors", "deleteOrder", "gone",
}

// scalars are the fields of a step that are equal or not.
var scalars = []string{"sync", "health", "phase", "message"}

// remainder are the keys of "after" that the field status sums up.
var remainder = []string{
	"revision", "revisions", "sourceType", "sourceTypes", "images", "history", "retryCount", "syncedRevision",
}

// Compare scores a record against a golden one. An empty record is one of a case that did not run: all its checks are 0.
func Compare(golden, record Record) []Check {
	g, n := object(withoutTransport(map[string]any(golden))), object(withoutTransport(map[string]any(record)))
	c := &comparison{missing: len(record) == 0}
	recorded := list(n["steps"])
	for i, step := range list(g["steps"]) {
		c.place, c.absent = fmt.Sprint(i), i >= len(recorded)
		var other map[string]any
		if !c.absent {
			other = object(recorded[i])
		}
		c.step(object(step), other)
	}
	if deletion := object(g["delete"]); len(deletion) > 0 {
		c.place, c.absent = "delete", false
		c.deletion(deletion, object(n["delete"]))
	}
	return c.checks
}

// comparison gathers the checks of one case.
type comparison struct {
	checks  []Check
	missing bool // The whole case was not recorded.
	place   string
	absent  bool // This step was not recorded.
}

// measure scores one value against another, and says what differs.
type measure func(golden, record any) (float64, []string)

func (c *comparison) check(field string, golden, record any, m measure) {
	if unstable(golden) {
		return
	}
	check := Check{Place: c.place, Field: field}
	switch {
	case c.missing:
		check.Differences = []string{"the case was not recorded"}
	case c.absent:
		check.Differences = []string{"the step was not recorded"}
	default:
		check.Score, check.Differences = m(golden, record)
	}
	c.checks = append(c.checks, check)
}

func (c *comparison) step(g, n map[string]any) {
	if unstable(g["after"]) {
		return
	}
	a, b := object(g["after"]), object(n["after"])
	for _, field := range scalars {
		if has(a, field) || has(b, field) {
			c.check(field, a[field], b[field], equal)
		}
	}
	if truthy(a["syncResult"]) || truthy(b["syncResult"]) {
		c.check("syncResult", a["syncResult"], b["syncResult"], rows)
	}
	c.check("resources", a["resources"], b["resources"], rows)
	conditionsThere := b["conditions"]
	if len(b) == 0 {
		conditionsThere = []any{map[string]any{"type": "none", "message": "none"}}
	}
	c.check("conditions", a["conditions"], conditionsThere, conditions)
	if has(g, "order") {
		c.check("order", g["order"], orNone(n, "order"), sequence)
	}
	c.check("live", g["live"], n["live"], objects)
	if truthy(g["before"]) {
		c.check("before", g["before"], n["before"], statuses)
	}
	c.check("status", pick(a, a), pick(b, a), statuses)
	for _, app := range sortedKeys(object(g["others"])) {
		if other := object(g["others"])[app]; truthy(other) {
			c.check("others", other, object(n["others"])[app], statuses)
		}
	}
	if truthy(g["during"]) {
		c.check("during", g["during"], n["during"], equal)
	}
}

func (c *comparison) deletion(g, n map[string]any) {
	c.check("gone", g["gone"], n["gone"], equal)
	c.check("survivors", g["survivors"], orNone(n, "survivors"), bag)
	c.check("deleteOrder", g["order"], orNone(n, "order"), sequence)
}

// orNone is the list of a record; one that was not recorded differs from an empty one.
func orNone(record map[string]any, field string) any {
	if has(record, field) {
		return record[field]
	}
	return []any{"none"}
}

// pick is what the field status compares, without what is unstable in the golden record.
func pick(from, golden map[string]any) map[string]any {
	picked := map[string]any{}
	for _, key := range remainder {
		if has(from, key) && !unstable(golden[key]) {
			picked[key] = from[key]
		}
	}
	return picked
}

// transport are prefixes that only tell how a text travelled inside the recorded controller.
var transport = []*regexp.Regexp{
	regexp.MustCompile(`rpc error: code = \w+ desc = `),
	regexp.MustCompile(`error when (patching|creating|replacing|applying patch to|applying) "<path>": `),
}

// withoutTransport takes those prefixes out of every text, except in live objects.
func withoutTransport(value any) any {
	switch v := value.(type) {
	case string:
		for _, prefix := range transport {
			v = prefix.ReplaceAllString(v, "")
		}
		return v
	case []any:
		cleaned := make([]any, len(v))
		for i := range v {
			cleaned[i] = withoutTransport(v[i])
		}
		return cleaned
	case map[string]any:
		cleaned := make(map[string]any, len(v))
		for key, item := range v {
			if key != "live" {
				item = withoutTransport(item)
			}
			cleaned[key] = item
		}
		return cleaned
	default:
		return value
	}
}
