package health

import (
	"fmt"
	"strconv"
	"strings"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
)

// replicas compares the counts of an object that runs pods. A count that is zero may be left out of the status.
func (r *reading) replicas(object map[string]any) {
	for _, path := range fractionFields {
		if ready, wanted, ok := fraction(lookup(object, path...)); ok {
			r.count(ready, wanted, "ready")
			return
		}
	}
	wanted, ok := firstNumber(object, wantedFields)
	if !ok || r.outdated(object, wanted) {
		return
	}
	least, field, counted := wanted, "ready", false
	for _, name := range upFields {
		if count, ok := number(r.status, name); ok {
			counted = true
			if count < least {
				least, field = count, name
			}
		}
	}
	_, total := number(r.status, "replicas")
	switch {
	case counted || total && wanted == 0:
		r.count(least, wanted, field)
	case total:
		r.add(argov1.HealthProgressing, fmt.Sprintf("0 of %d replicas are ready", wanted))
	}
}

// count compares one count with what is wanted.
func (r *reading) count(count, wanted int64, field string) {
	code := argov1.HealthHealthy
	if count < wanted {
		code = r.entry.shortage()
	}
	r.add(code, fmt.Sprintf("%d of %d replicas: %s", count, wanted, field))
}

// outdated tells whether some replicas are not updated yet; then it says so.
func (r *reading) outdated(object map[string]any, wanted int64) bool {
	for _, field := range updatedFields {
		count, ok := number(r.status, field)
		if !ok || count >= wanted {
			continue
		}
		if held, _ := firstNumber(object, partitionFields); held > 0 && count >= wanted-held {
			r.add(argov1.HealthSuspended, fmt.Sprintf("%d of %d replicas are held back by the partition", wanted-count, wanted))
		} else {
			r.add(argov1.HealthProgressing, fmt.Sprintf("%d of %d replicas: %s", count, wanted, field))
		}
		return true
	}
	return false
}

// fraction reads "2/3".
func fraction(value any) (ready, wanted int64, ok bool) {
	text, _ := value.(string)
	first, second, _ := strings.Cut(text, "/")
	ready, err := strconv.ParseInt(first, 10, 64)
	if err != nil {
		return 0, 0, false
	}
	wanted, err = strconv.ParseInt(second, 10, 64)
	return ready, wanted, err == nil
}

func firstNumber(object map[string]any, paths [][]string) (int64, bool) {
	for _, path := range paths {
		if n, ok := number(object, path...); ok {
			return n, true
		}
	}
	return 0, false
}
