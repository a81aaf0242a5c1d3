package health

func daemonSet(obj *fields) Status {
	if !obj.isObserved() {
		return progressing("Waiting for rollout to finish: observed daemon set generation less than desired generation")
	}
	name, wanted := obj.text("metadata", "name"), obj.integer("status", "desiredNumberScheduled")
	updated, available := obj.integer("status", "updatedNumberScheduled"), obj.integer("status", "numberAvailable")
	switch {
	case obj.text("spec", "updateStrategy", "type") == "OnDelete":
		return healthy("daemon set %d out of %d new pods have been updated", updated, wanted)
	case updated < wanted:
		return progressing("Waiting for daemon set %q rollout to finish: %d out of %d new pods have been updated...", name, updated, wanted)
	case available < wanted:
		return progressing("Waiting for daemon set %q rollout to finish: %d of %d updated pods are available...", name, available, wanted)
	default:
		return healthy("")
	}
}
