package health

import argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"

func workflow(obj *fields) Status {
	status := Status{argov1.HealthUnknown, obj.text("status", "message")}
	switch obj.text("status", "phase") {
	case "", "Pending", "Running":
		status.Status = argov1.HealthProgressing
	case "Succeeded":
		status.Status = argov1.HealthHealthy
	case "Failed", "Error":
		status.Status = argov1.HealthDegraded
	}
	return status
}
