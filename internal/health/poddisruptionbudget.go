package health

func podDisruptionBudget(obj *fields) Status {
	status := progressing("Waiting for status")
	for _, c := range obj.conditions() {
		if c.status == "False" && c.reason != "InsufficientPods" {
			return degraded("PodDisruptionBudget has %s", c.reason)
		}
		status = healthy("PodDisruptionBudget has %s", c.reason)
	}
	return status
}
