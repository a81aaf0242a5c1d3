package operator

import (
	"strings"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/policy"
	"github.com/tiphys-io/tiphys/internal/resource"
)

// permissions asks the rules of the projects on behalf of the application controller.
type permissions struct {
	cluster          policy.Cluster
	controlNamespace string
}

// Application lists what the project forbids of an application as a whole.
func (p permissions) Application(app *argov1.Application, project *argov1.AppProject) []string {
	return policy.CheckApplication(p.input(app, project))
}

// Sources tells whether a project permits the repositories of an application, whatever else it forbids.
func (p permissions) Sources(app *argov1.Application, project *argov1.AppProject) bool {
	return policy.SourcesPermitted(p.input(app, project))
}

func (p permissions) input(app *argov1.Application, project *argov1.AppProject) policy.Input {
	return policy.Input{Project: project, Application: app, ControlNamespace: p.controlNamespace, Cluster: p.cluster}
}

// Object says why an object may not be synced; empty when it may.
func (p permissions) Object(project *argov1.AppProject, key resource.Key, namespaced bool) string {
	return strings.Join(policy.CheckObject(policy.Input{Project: project, Cluster: p.cluster, Object: policy.Object{
		GroupKind: key.GroupKind(), Namespace: key.Namespace, Name: key.Name, Namespaced: namespaced,
	}}), "; ")
}

// Window tells whether the sync windows of the project let the application sync at a moment.
func (p permissions) Window(project *argov1.AppProject, app *argov1.Application, at policy.Moment) (bool, error) {
	return policy.PermittedByWindows(policy.MatchingWindows(project.Spec.SyncWindows, app, p.cluster), at)
}
