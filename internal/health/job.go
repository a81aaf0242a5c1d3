package health

import argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"

// job takes the presence of a Failed or Complete condition for its truth: the Job controller never sets them to False.
// Suspended turns False when a Job is resumed, so there the status counts.
func job(obj *fields) Status {
	if c, ok := obj.condition("Failed"); ok {
		return degraded("%s", c.message)
	}
	if c, _ := obj.condition("Suspended"); c.isTrue() {
		return Status{argov1.HealthSuspended, c.message}
	}
	if c, ok := obj.condition("Complete"); ok {
		return healthy("%s", c.message)
	}
	return progressing("")
}
