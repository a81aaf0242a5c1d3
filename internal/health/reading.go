package health

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
)

// reading is what the general reading has found out about one object. It never fails: what has an unexpected type says nothing.
type reading struct {
	status     map[string]any
	generation int64
	idle       bool // no replicas are wanted
	entry      *entry
	verdicts   []verdict
}

// verdict is what one part of the status says.
type verdict struct {
	Status
	// hollow is set when there is trouble but no reason: a phase that is under way explains it.
	hollow bool
	// explains is set for a phase, or a condition like that of Deployments, that is under way.
	explains bool
}

// verdictOrder is from weak to strong: of several verdicts on one object the strongest holds. It differs from the order of the
// parts of an application in that an object in trouble is Degraded, whatever else is not known about it.
var verdictOrder = []argov1.HealthStatusCode{
	argov1.HealthHealthy, argov1.HealthProgressing, argov1.HealthSuspended, argov1.HealthMissing, argov1.HealthUnknown, argov1.HealthDegraded,
}

// general reads an object of a kind that has no rule of its own; nil when it publishes nothing that can be read. The entry says
// what is special about the kind, if anything is declared.
func general(object map[string]any, special *entry) *Status {
	r := reading{entry: special}
	r.status, _ = object["status"].(map[string]any)
	r.generation, _ = number(object, "metadata", "generation")
	wanted, counted := number(object, "spec", "replicas")
	r.idle = counted && wanted == 0
	switch {
	case len(r.status) == 0:
		return r.unpublished(object)
	case r.stale():
		return &Status{argov1.HealthProgressing, "Waiting for the controller to observe the latest change"}
	case paused(object):
		return &Status{argov1.HealthSuspended, kindOf(object) + " is paused"}
	}
	if code, mark := special.marked(object); code != "" {
		return &Status{code, kindOf(object) + " is marked " + mark}
	}
	if special.reads(fromConditions) {
		r.conditions(object)
	}
	if special.reads(fromPhase) {
		r.phase(object)
	}
	r.flags(object)
	if len(r.verdicts) == 0 && special.reads(fromPhase) {
		r.otherPhases(object)
	}
	if len(r.verdicts) == 0 && special.reads(fromCounts) {
		r.replicas(object)
	}
	if len(r.verdicts) == 0 {
		return r.unpublished(object)
	}
	return r.strongest()
}

// strongest is the verdict that holds.
func (r *reading) strongest() *Status {
	if slices.ContainsFunc(r.verdicts, func(v verdict) bool { return v.explains }) {
		r.verdicts = slices.DeleteFunc(r.verdicts, func(v verdict) bool { return v.hollow })
	}
	strongest := slices.MaxFunc(r.verdicts, func(a, b verdict) int {
		return cmp.Compare(slices.Index(verdictOrder, a.Status.Status), slices.Index(verdictOrder, b.Status.Status))
	})
	return &strongest.Status
}

// unpublished judges an object without a status, or without anything in it that can be read: it is waited for if it is known
// that its controller will publish something.
func (r *reading) unpublished(object map[string]any) *Status {
	if r.entry == nil {
		if list, ok := r.status["conditions"].([]any); ok && len(list) == 0 {
			return &Status{argov1.HealthProgressing, "Waiting for conditions"}
		}
		return nil
	}
	status := Status{cmp.Or(r.entry.absent, argov1.HealthProgressing), ""}
	if status.Status != argov1.HealthHealthy {
		status.Message = cmp.Or(r.entry.waiting, "Waiting for the status of "+kindOf(object))
	}
	return &status
}

// stale tells whether the status is about an older spec.
func (r *reading) stale() bool {
	for _, field := range []string{"observedGeneration", "lastEvaluatedGeneration", "schedulerObservedGeneration"} {
		if observed, ok := number(r.status, field); ok {
			return observed < r.generation
		}
	}
	return false
}

func paused(object map[string]any) bool {
	for _, path := range pauseFields {
		if on, ok := lookup(object, path...).(bool); ok && on {
			return true
		}
	}
	annotations, _ := lookup(object, "metadata", "annotations").(map[string]any)
	for name, value := range annotations {
		if strings.HasSuffix(name, pauseAnnotation) && value == "true" {
			return true
		}
	}
	return false
}

func (r *reading) add(code argov1.HealthStatusCode, message string) {
	if code != "" {
		r.verdicts = append(r.verdicts, verdict{Status: Status{code, message}})
	}
}

// phase reads all fields that tell a phase.
func (r *reading) phase(object map[string]any) {
	for _, path := range r.entry.paths() {
		r.phaseOf(object, lookup(object, path...))
	}
	reports, _ := lookup(object, "status", "statuses").(map[string]any) // one for each controller
	for _, name := range slices.Sorted(maps.Keys(reports)) {
		if report, ok := reports[name].(map[string]any); ok {
			r.phaseOf(map[string]any{"kind": object["kind"], "status": report}, report["state"])
		}
	}
}

// otherPhases reads fields whose names only end like that of a phase.
func (r *reading) otherPhases(object map[string]any) {
	for _, name := range slices.Sorted(maps.Keys(r.status)) {
		if slices.ContainsFunc(phaseSuffixes, func(suffix string) bool { return strings.HasSuffix(name, suffix) }) {
			r.phaseOf(object, r.status[name])
		}
	}
}

// phaseOf reads one phase.
func (r *reading) phaseOf(object map[string]any, value any) {
	text := ""
	switch v := value.(type) {
	case string:
		text = v
	case bool:
		text = strconv.FormatBool(v)
	case int64, int, float64:
		text = fmt.Sprint(v)
	default:
		return
	}
	code, known := r.entry.phase(text)
	if !known {
		if code = codes[read(text)]; ends(kindOf(object)) && slices.Contains(unfinished, strings.ToLower(text)) {
			code = argov1.HealthProgressing
		}
	}
	if code != "" {
		v := verdict{Status: Status{code, explanation(object, text)}}
		v.explains = code == argov1.HealthProgressing || code == argov1.HealthSuspended
		r.verdicts = append(r.verdicts, v)
	}
}

// explanation is what the controller says about the phase, else the phase itself.
func explanation(object map[string]any, phase string) string {
	for _, path := range messageFields {
		if text, ok := lookup(object, path...).(string); ok && text != "" {
			return text
		}
	}
	return phase
}

// flags reads fields that say yes or no, and those that hold errors.
func (r *reading) flags(object map[string]any) {
	for _, path := range errorFields {
		switch value := lookup(object, path...).(type) {
		case string:
			if value != "" {
				r.add(argov1.HealthDegraded, value)
			}
		case []any:
			if len(value) > 0 {
				r.add(argov1.HealthDegraded, fmt.Sprint(value[0]))
			}
		}
	}
	if len(r.verdicts) > 0 {
		return
	}
	for _, path := range readyFields {
		if on, ok := lookup(object, path...).(bool); ok {
			code := argov1.HealthProgressing
			name := path[len(path)-1]
			if on {
				code = argov1.HealthHealthy
			} else if worse, ok := unreadied[name]; ok {
				code = worse
			}
			r.add(code, name+" is "+strconv.FormatBool(on))
			return
		}
	}
}

func kindOf(object map[string]any) string {
	kind, _ := object["kind"].(string)
	return kind
}

// lookup is the value at a path, nil when there is none.
func lookup(object map[string]any, path ...string) any {
	var value any = object
	for _, name := range path {
		fields, ok := value.(map[string]any)
		if !ok {
			return nil
		}
		value = fields[name]
	}
	return value
}

// number is the integer at a path; it may be written as text.
func number(object map[string]any, path ...string) (int64, bool) {
	switch value := lookup(object, path...).(type) {
	case int64:
		return value, true
	case int:
		return int64(value), true
	case float64:
		return int64(value), true
	case string:
		n, err := strconv.ParseInt(value, 10, 64)
		return n, err == nil
	default:
		return 0, false
	}
}
