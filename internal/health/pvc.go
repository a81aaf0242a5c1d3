package health

import argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"

func persistentVolumeClaim(obj *fields) Status {
	switch obj.text("status", "phase") {
	case "Bound":
		return healthy("")
	case "Pending":
		return progressing("")
	case "Lost":
		return degraded("")
	default:
		return Status{Status: argov1.HealthUnknown}
	}
}
