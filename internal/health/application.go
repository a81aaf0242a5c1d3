package health

import (
	"cmp"
	"reflect"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
)

// Gate is the health that a wave waits for. It is that of Assess, but for a child Application, which has none there
// (contract 4.2): a wave that holds one waits until it has been compared for what its spec says now, and until an automated
// sync of it has ended; then its own health counts. An Application that nobody syncs by itself is not waited for any
// further, for its parent would wait for a person. A user's script for Applications has the say here as well.
func (a *Assessor) Gate(obj *unstructured.Unstructured) *Status {
	gvk := obj.GroupVersionKind()
	if gvk.Kind != "Application" || gvk.Group != "argoproj.io" || obj.GetDeletionTimestamp() != nil || a.script(gvk.GroupKind()) != nil {
		return a.Assess(obj)
	}
	app := &argov1.Application{}
	status := Status{Status: argov1.HealthUnknown}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(obj.Object, app); err != nil {
		status.Message = "the application cannot be read: " + err.Error()
	} else {
		status = childApplication(app)
	}
	return &status
}

func childApplication(app *argov1.Application) Status {
	if app.Status.ReconciledAt == nil || !comparedWithSpec(app) {
		return progressing("%s", cmp.Or(firstError(app), "waiting for the application to be compared with its spec"))
	}
	state := app.Status.OperationState
	if app.Operation != nil || (state != nil && state.Phase == argov1.OperationRunning) {
		message := ""
		if state != nil {
			message = state.Message
		}
		return progressing("waiting for the sync of the application: %s", message)
	}
	own := Status{app.Status.Health.Status, app.Status.Health.Message}
	if own.Status == argov1.HealthMissing && !app.Spec.SyncPolicy.IsAutomated() {
		return Status{Status: argov1.HealthHealthy}
	}
	return own
}

// firstError is the message of the first condition that is an error, empty when there is none.
func firstError(app *argov1.Application) string {
	for _, condition := range app.Status.Conditions {
		if condition.Type.IsError() {
			return condition.Message
		}
	}
	return ""
}

// comparedWithSpec tells whether the last comparison was about the sources and the destination that the spec has now.
func comparedWithSpec(app *argov1.Application) bool {
	compared := app.Status.Sync.ComparedTo
	if app.Spec.HasMultipleSources() {
		return compared.Destination == app.Spec.Destination && reflect.DeepEqual(compared.Sources, app.Spec.Sources)
	}
	return compared.Destination == app.Spec.Destination && reflect.DeepEqual(compared.Source, app.Spec.GetSource())
}
