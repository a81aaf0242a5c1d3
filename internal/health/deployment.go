package health

import argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"

func deployment(obj *fields) Status {
	if obj.flag("spec", "paused") {
		return Status{argov1.HealthSuspended, "Deployment is paused"}
	}
	if !obj.isObserved() {
		return progressing("Waiting for rollout to finish: observed deployment generation less than desired generation")
	}
	if c, _ := obj.condition("Progressing"); c.reason == "ProgressDeadlineExceeded" {
		return degraded("Deployment %q exceeded its progress deadline", obj.text("metadata", "name"))
	}
	wanted, replicas := obj.integer("spec", "replicas"), obj.integer("status", "replicas")
	updated, available := obj.integer("status", "updatedReplicas"), obj.integer("status", "availableReplicas")
	switch {
	case updated < wanted:
		return progressing("Waiting for rollout to finish: %d out of %d new replicas have been updated...", updated, wanted)
	case replicas > updated:
		return progressing("Waiting for rollout to finish: %d old replicas are pending termination...", replicas-updated)
	case available < updated:
		return progressing("Waiting for rollout to finish: %d of %d updated replicas are available...", available, updated)
	default:
		return healthy("")
	}
}
