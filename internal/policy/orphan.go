package policy

import (
	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
)

// CountsAsOrphaned tells whether a project counts an object without an application as orphaned: not what the control plane
// puts into namespaces, and not what the project ignores (contract 3.5). Group, kind and name of an entry are globs; without a
// kind or a name it matches any, and without a group it matches the core group.
func CountsAsOrphaned(project *argov1.AppProject, object Object) bool {
	if project.Spec.OrphanedResources == nil || madeByControlPlane(object) {
		return false
	}
	for _, entry := range project.Spec.OrphanedResources.Ignore {
		if matchGlob(entry.Group, object.Group) && (entry.Kind == "" || matchGlob(entry.Kind, object.Kind)) &&
			(entry.Name == "" || matchGlob(entry.Name, object.Name)) {
			return false
		}
	}
	return true
}

func madeByControlPlane(object Object) bool {
	if object.Group != "" {
		return false
	}
	switch object.Kind {
	case "Service":
		return object.Namespace == "default" && object.Name == "kubernetes"
	case "ServiceAccount":
		return object.Name == "default"
	case "ConfigMap":
		return object.Name == "kube-root-ca.crt"
	}
	return false
}
