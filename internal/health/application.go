package health

import (
	"cmp"
	"reflect"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
)

// Gate is the health that a wave waits for. It is that of Assess, but for a child Application, which has none there
// (contract 4.2): a wave that holds one waits until it has been compared for what its spec says now, and until an automated
// sync of it has ended; then its own health counts. An Application that nobody syncs by itself is not waited for any
// further, for its parent would wait for a person.
func Gate(obj *unstructured.Unstructured) *Status {
	if obj.GetKind() != "Application" || obj.GroupVersionKind().Group != "argoproj.io" || obj.GetDeletionTimestamp() != nil {
		return Assess(obj)
	}
	status := childApplication(obj.Object)
	return &status
}

func childApplication(app map[string]any) Status {
	text := func(fields ...string) string {
		value, _, _ := unstructured.NestedString(app, fields...)
		return value
	}
	if text("status", "reconciledAt") == "" || !comparedWithSpec(app) {
		return progressing("%s", cmp.Or(firstError(app), "waiting for the application to be compared with its spec"))
	}
	_, asked := app["operation"]
	if asked || text("status", "operationState", "phase") == string(argov1.OperationRunning) {
		return progressing("waiting for the sync of the application: %s", text("status", "operationState", "message"))
	}
	own := Status{argov1.HealthStatusCode(text("status", "health", "status")), text("status", "health", "message")}
	if own.Status == argov1.HealthMissing && !isAutomated(app) {
		return Status{Status: argov1.HealthHealthy}
	}
	return own
}

// firstError is the message of the first condition that is an error, empty when there is none.
func firstError(app map[string]any) string {
	conditions, _, _ := unstructured.NestedSlice(app, "status", "conditions")
	for _, condition := range conditions {
		c, _ := condition.(map[string]any)
		conditionType, _ := c["type"].(string)
		if argov1.ApplicationConditionType(conditionType).IsError() {
			message, _ := c["message"].(string)
			return message
		}
	}
	return ""
}

// comparedWithSpec tells whether the last comparison was about the sources and the destination that the spec has now.
func comparedWithSpec(app map[string]any) bool {
	for _, field := range []string{"source", "sources", "destination"} {
		want, _, _ := unstructured.NestedFieldNoCopy(app, "spec", field)
		have, _, _ := unstructured.NestedFieldNoCopy(app, "status", "sync", "comparedTo", field)
		if source, ok := have.(map[string]any); want == nil && ok && source["repoURL"] == "" {
			continue // an Application of several sources shows an empty single one
		}
		if !reflect.DeepEqual(want, have) {
			return false
		}
	}
	return true
}

func isAutomated(app map[string]any) bool {
	automated, ok, _ := unstructured.NestedMap(app, "spec", "syncPolicy", "automated")
	enabled, set := automated["enabled"].(bool)
	return ok && (enabled || !set)
}
