package health

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/resource"
)

// maxNamed is the number of objects that the message of an application names.
const maxNamed = 3

// Row is one directly managed object, as far as the health of its application is concerned.
type Row struct {
	Key resource.Key
	// Health is nil when there is no opinion.
	Health *Status
	// Live tells whether the object exists.
	Live bool
	// Hook is set for hooks and for skipped objects: the application is judged as if they were not there.
	Hook bool
	// Ignored is set for objects that opted out (see Ignored) and for the application itself: their health does not
	// count, but their existence does.
	Ignored bool
}

// Ignored tells whether the object opted out of the health of its application by annotation (contract 4.4).
func Ignored(obj *unstructured.Unstructured) bool {
	return obj.GetAnnotations()[argov1.AnnotationIgnoreHealthcheck] == "true"
}

// Aggregate is the health of an application: the worst of its objects, with a message that names up to three of those
// that caused it, in the order of their keys (contract 4.4, 1.7). Missing objects do not count, because the sync
// status tells about them, until nothing at all is live.
func Aggregate(rows []Row) Status {
	worst, anything, live := argov1.HealthHealthy, false, false
	for _, row := range rows {
		anything = anything || !row.Hook
		live = live || row.Live && !row.Hook
		if row.counts() && IsWorse(worst, row.Health.Status) {
			worst = row.Health.Status
		}
	}
	if anything && !live {
		return Status{Status: argov1.HealthMissing}
	}
	if worst == argov1.HealthHealthy {
		return Status{Status: worst}
	}
	return Status{worst, causedBy(rows, worst)}
}

func (r Row) counts() bool {
	if r.Hook || r.Ignored || !r.Live || r.Health == nil {
		return false
	}
	child := r.Key.Group == "argoproj.io" && r.Key.Kind == "Application"
	return !child || r.Health.Status != argov1.HealthMissing && r.Health.Status != argov1.HealthUnknown
}

func causedBy(rows []Row, worst argov1.HealthStatusCode) string {
	var keys []resource.Key
	for _, row := range rows {
		if row.counts() && row.Health.Status == worst {
			keys = append(keys, row.Key)
		}
	}
	slices.SortFunc(keys, resource.Key.Compare)
	named := make([]string, 0, maxNamed)
	for _, key := range keys[:min(maxNamed, len(keys))] {
		named = append(named, fmt.Sprintf("%s/%s:%s/%s", key.Group, key.Kind, key.Namespace, key.Name))
	}
	more := ""
	if rest := len(keys) - len(named); rest > 0 {
		more = fmt.Sprintf(" and %d more", rest)
	}
	return "Caused by " + strings.Join(named, ", ") + more
}
