package health

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/resource"
)

func pod(obj *fields) Status {
	containers := append(obj.list("status", "initContainerStatuses"), obj.list("status", "containerStatuses")...)
	policy := obj.text("spec", "restartPolicy")
	if ignoresRestartPolicy(obj) {
		policy = "Always"
	}
	if policy == "Always" {
		if message, failing := failingToStart(obj, containers); failing {
			return degraded("%s", message)
		}
	}
	status := Status{argov1.HealthUnknown, obj.text("status", "message")}
	switch obj.text("status", "phase") {
	case "Pending":
		status.Status = argov1.HealthProgressing
	case "Succeeded":
		status.Status = argov1.HealthHealthy
	case "Failed":
		status.Status = argov1.HealthDegraded
		if status.Message == "" {
			status.Message = failure(obj, containers)
		}
	case "Running":
		status.Status = runningPod(obj, policy)
	}
	return status
}

// ignoresRestartPolicy tells whether the annotation asks to judge the pod as if it were meant to run for ever. Hooks
// are meant to end, so it does not count for them.
func ignoresRestartPolicy(obj *fields) bool {
	return obj.text("metadata", "annotations", argov1.AnnotationIgnoreRestart) == "true" &&
		!resource.IsHook(&unstructured.Unstructured{Object: obj.object})
}

// failingToStart finds containers that wait for another attempt after an error, such as ImagePullBackOff.
func failingToStart(obj *fields, containers []*fields) (message string, failing bool) {
	var messages []string
	for _, container := range containers {
		reason := container.text("state", "waiting", "reason")
		if strings.HasPrefix(reason, "Err") || strings.HasSuffix(reason, "Error") || strings.HasSuffix(reason, "BackOff") {
			messages = append(messages, container.text("state", "waiting", "message"))
		}
		obj.adopt(container)
	}
	return strings.Join(messages, ", "), len(messages) > 0
}

// failure is what the first failed container says about its end.
func failure(obj *fields, containers []*fields) string {
	for _, container := range containers {
		message, reason := container.text("state", "terminated", "message"), container.text("state", "terminated", "reason")
		code := container.integer("state", "terminated", "exitCode")
		obj.adopt(container)
		switch {
		case message != "":
			return message
		case reason == "OOMKilled":
			return reason
		case code != 0:
			return fmt.Sprintf("container %q failed with exit code %d", container.text("name"), code)
		}
	}
	return ""
}

func runningPod(obj *fields, policy string) argov1.HealthStatusCode {
	switch policy {
	case "Always":
		if c, _ := obj.condition("Ready"); c.isTrue() {
			return argov1.HealthHealthy
		}
		for _, container := range obj.list("status", "containerStatuses") {
			if container.has("lastState", "terminated") {
				return argov1.HealthDegraded
			}
		}
		return argov1.HealthProgressing
	case "OnFailure", "Never":
		return argov1.HealthProgressing
	default:
		return argov1.HealthUnknown
	}
}
