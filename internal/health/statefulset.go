package health

func statefulSet(obj *fields) Status {
	if obj.integer("status", "observedGeneration") == 0 || !obj.isObserved() {
		return progressing("Waiting for statefulset spec update to be observed...")
	}
	wanted, ready := obj.integer("spec", "replicas"), obj.integer("status", "readyReplicas")
	if ready < wanted {
		return progressing("Waiting for %d pods to be ready...", wanted-ready)
	}
	updated := obj.integer("status", "updatedReplicas")
	switch strategy := obj.text("spec", "updateStrategy", "type"); {
	case strategy == "RollingUpdate" && obj.has("spec", "updateStrategy", "rollingUpdate"):
		if moving := wanted - obj.integer("spec", "updateStrategy", "rollingUpdate", "partition"); updated < moving {
			return progressing("Waiting for partitioned roll out to finish: %d out of %d new pods have been updated...", updated, moving)
		}
		return healthy("partitioned roll out complete: %d new pods have been updated...", updated)
	case strategy == "OnDelete":
		return healthy("statefulset has %d ready pods", ready)
	}
	current, update := obj.text("status", "currentRevision"), obj.text("status", "updateRevision")
	if current != update {
		return progressing("waiting for statefulset rolling update to complete %d pods at revision %s...", updated, update)
	}
	return healthy("statefulset rolling update complete %d pods at revision %s...", obj.integer("status", "currentReplicas"), current)
}
