package health

func replicaSet(obj *fields) Status {
	if !obj.isObserved() {
		return progressing("Waiting for rollout to finish: observed replica set generation less than desired generation")
	}
	if c, _ := obj.condition("ReplicaFailure"); c.isTrue() {
		return degraded("%s", c.message)
	}
	wanted, available := obj.integer("spec", "replicas"), obj.integer("status", "availableReplicas")
	if available < wanted {
		return progressing("Waiting for rollout to finish: %d out of %d new replicas are available...", available, wanted)
	}
	return healthy("")
}
