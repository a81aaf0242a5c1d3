package health

import (
	"cmp"
	"slices"
	"strings"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
)

// conditions reads the conditions of the object, and those of others about it.
func (r *reading) conditions(object map[string]any) {
	r.listOfConditions(lookup(object, "status", "conditions"))
	for _, path := range groupsOfConditions {
		groups, ok := lookup(object, path...).([]any)
		if !ok {
			continue
		}
		for _, group := range groups {
			fields, _ := group.(map[string]any)
			before := len(r.verdicts)
			if r.listOfConditions(fields["conditions"]); len(r.verdicts) == before && fields["conditions"] != nil {
				r.add(argov1.HealthProgressing, "Waiting for conditions")
			}
		}
	}
}

// listOfConditions reads one list. Parts count when nothing in it sums up, and so does what runs; trouble that has no name of
// its own counts unless a summary says that all is well.
func (r *reading) listOfConditions(value any) {
	list := conditionsIn(value)
	ready := slices.ContainsFunc(list, func(c observed) bool { return c.kind == "Ready" && c.status == "True" })
	said := map[meaning][]verdict{}
	for _, c := range list {
		if ready && antonyms[c.kind] || r.idle && c.kind == "Available" {
			continue
		}
		if v, kind := r.condition(c); v.Status.Status != "" {
			said[role(kind, c)] = append(said[role(kind, c)], v)
		}
	}
	r.verdicts = slices.Concat(r.verdicts, said[summary], said[trouble])
	if !slices.ContainsFunc(said[summary], func(v verdict) bool { return v.Status.Status == argov1.HealthHealthy }) {
		r.verdicts = append(r.verdicts, said[nothing]...)
	}
	if len(said[summary]) == 0 {
		r.verdicts = append(r.verdicts, said[part]...)
	}
}

// role is how a condition counts: as a summary, as a part, as doubt (nothing), or in any case (trouble).
func role(kind meaning, c observed) meaning {
	switch kind {
	case summary, part, nothing:
		return kind
	case sideways:
		if c.status == "True" {
			return part
		}
		return nothing
	default:
		return trouble
	}
}

// condition is what one condition says, and in which role; no status when it says nothing.
func (r *reading) condition(c observed) (verdict, meaning) {
	kind := meaningOf(c.kind)
	text := cmp.Or(c.message, c.reason, c.kind)
	if code, ok := r.entry.condition(c); ok {
		return verdict{Status: Status{code, text}}, declaredRole(kind, code)
	}
	if c.generation != 0 && c.generation < r.generation && (kind == summary || kind == part) {
		return verdict{Status: Status{argov1.HealthProgressing, "Waiting for the controller to observe the latest change"}}, kind
	}
	var code argov1.HealthStatusCode
	hollow := false
	switch c.status {
	case "True":
		code = whenTrue(kind, c)
	case "Unknown":
		code = whenUnknown(kind, c)
	default: // a few controllers write words of their own; these are not True
		code, hollow = whenFalse(kind, c)
	}
	if code == argov1.HealthHealthy {
		text = cmp.Or(c.message, c.reason) // that it is "Ready" says the status
	}
	explains := c.kind == "Progressing" && c.status == "True" && code == argov1.HealthProgressing
	return verdict{Status: Status{code, text}, hollow: hollow, explains: explains}, kind
}

// declaredRole makes a condition count that would say nothing without its entry.
func declaredRole(kind meaning, code argov1.HealthStatusCode) meaning {
	switch {
	case kind == summary || kind == part:
		return kind
	case code == argov1.HealthHealthy:
		return part
	default:
		return trouble
	}
}

func whenTrue(kind meaning, c observed) argov1.HealthStatusCode {
	switch kind {
	case summary, part:
		return argov1.HealthHealthy
	case trouble:
		return argov1.HealthDegraded
	case busy, sideways:
		if slices.ContainsFunc(split(c.reason), func(word string) bool { return endings[word] }) {
			return ""
		}
		return argov1.HealthProgressing
	case halted:
		return argov1.HealthSuspended
	default:
		return ""
	}
}

func whenFalse(kind meaning, c observed) (code argov1.HealthStatusCode, hollow bool) {
	switch kind {
	case summary, part:
		if (c.kind == "Complete" || c.kind == "Completed") && readReason(c.reason) != bad {
			return argov1.HealthProgressing, false
		}
		return unmet(c)
	case busy, sideways, nothing:
		if read(c.reason) == bad {
			return argov1.HealthDegraded, false
		}
	}
	return "", false
}

// unmet judges what is not as wanted: it may be under way, held, or in trouble. The severity, the reason or the beginning of
// the message must speak for the first two. Without reason and message there was nothing to tell yet.
func unmet(c observed) (code argov1.HealthStatusCode, hollow bool) {
	begins := mute
	if message := split(c.message); len(message) > 0 {
		begins = senseOf(message[0])
	}
	reason := readReason(c.reason)
	switch {
	case c.severity == "Info": // Cluster API
		return argov1.HealthProgressing, false
	case c.severity == "Error", begins == bad, reason == bad, reason == lacking:
		return argov1.HealthDegraded, false
	case reason == resting:
		return argov1.HealthSuspended, false
	case reason == moving, begins == moving, c.reason == "" && c.message == "":
		return argov1.HealthProgressing, false
	case reason == good && strings.HasSuffix(c.reason, "Running"):
		return argov1.HealthProgressing, false
	}
	return argov1.HealthDegraded, reason == mute || reason == good
}

func whenUnknown(kind meaning, c observed) argov1.HealthStatusCode {
	switch kind {
	case summary, part:
		if words := split(c.reason); slices.Contains(words, "error") || slices.Contains(words, "failed") {
			return argov1.HealthUnknown // the controller could not find out
		}
		return argov1.HealthProgressing
	case busy:
		return argov1.HealthProgressing
	default:
		return ""
	}
}

// observed is a condition as the general reading sees it.
type observed struct {
	kind, status, reason, message, severity string
	generation                              int64
}

func conditionsIn(value any) []observed {
	items, _ := value.([]any)
	list := make([]observed, 0, len(items))
	for _, item := range items {
		fields, ok := item.(map[string]any)
		if !ok {
			continue
		}
		text := func(name string) string {
			switch value := fields[name].(type) {
			case string:
				return value
			case bool: // True without quotes
				return map[bool]string{true: "True", false: "False"}[value]
			default:
				return ""
			}
		}
		generation, _ := number(fields, "observedGeneration")
		list = append(list, observed{text("type"), text("status"), text("reason"), text("message"), text("severity"), generation})
	}
	return list
}
