// Package health answers one question: is an object well, and is the application that manages it?
//
// Each built-in kind has one file with one rule, a function from the object to a status. Messages are part of the
// contract: users read them, and scripts wait for them. Other kinds are read by what their controllers publish, after the
// conventions of the Kubernetes API: vocabulary.go is the table of that reading, entries.go declares what is special about
// kinds, and published.go which of them are known to publish a status. The scripts of users come before all of these.
package health

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/runtime/schema"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
)

// Status is the health of one object, or of an application.
type Status struct {
	Status  argov1.HealthStatusCode
	Message string
}

// rule judges an object of one kind. It need not handle values of unexpected types: fields remembers those.
type rule func(obj *fields) Status

// builtin is the rule of a kind and the API versions that it understands; none means all.
type builtin struct {
	assess   rule
	versions []string
}

var builtins = map[schema.GroupKind]builtin{
	{Group: "apps", Kind: "Deployment"}:                               {deployment, []string{"v1"}},
	{Group: "apps", Kind: "StatefulSet"}:                              {statefulSet, []string{"v1"}},
	{Group: "apps", Kind: "DaemonSet"}:                                {daemonSet, []string{"v1"}},
	{Group: "apps", Kind: "ReplicaSet"}:                               {replicaSet, []string{"v1"}},
	{Group: "", Kind: "Pod"}:                                          {pod, []string{"v1"}},
	{Group: "", Kind: "PersistentVolumeClaim"}:                        {persistentVolumeClaim, []string{"v1"}},
	{Group: "", Kind: "Service"}:                                      {service, []string{"v1"}},
	{Group: "networking.k8s.io", Kind: "Ingress"}:                     {ingress, nil},
	{Group: "extensions", Kind: "Ingress"}:                            {ingress, nil},
	{Group: "batch", Kind: "Job"}:                                     {job, []string{"v1"}},
	{Group: "batch", Kind: "CronJob"}:                                 {cronJob, nil},
	{Group: "autoscaling", Kind: "HorizontalPodAutoscaler"}:           {horizontalPodAutoscaler, []string{"v1", "v2"}},
	{Group: "policy", Kind: "PodDisruptionBudget"}:                    {podDisruptionBudget, nil},
	{Group: "apiregistration.k8s.io", Kind: "APIService"}:             {apiService, []string{"v1", "v1beta1"}},
	{Group: "apiextensions.k8s.io", Kind: "CustomResourceDefinition"}: {customResourceDefinition, nil},
	{Group: "argoproj.io", Kind: "Workflow"}:                          {workflow, nil},
}

// order is from best to worst (contract 4.1).
var order = []argov1.HealthStatusCode{
	argov1.HealthHealthy, argov1.HealthSuspended, argov1.HealthProgressing,
	argov1.HealthMissing, argov1.HealthDegraded, argov1.HealthUnknown,
}

// IsWorse tells whether status is worse than current (contract 4.1). What is no known status is never worse.
func IsWorse(current, status argov1.HealthStatusCode) bool {
	return slices.Index(order, status) > slices.Index(order, current)
}

func healthy(format string, args ...any) Status {
	return Status{argov1.HealthHealthy, fmt.Sprintf(format, args...)}
}

func progressing(format string, args ...any) Status {
	return Status{argov1.HealthProgressing, fmt.Sprintf(format, args...)}
}

func degraded(format string, args ...any) Status {
	return Status{argov1.HealthDegraded, fmt.Sprintf(format, args...)}
}
