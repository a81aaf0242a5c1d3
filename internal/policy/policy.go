// Package policy answers one question: is it permitted? A project permits sources, destinations, kinds and namespaces
// by chains of rules, and moments by sync windows.
package policy

import (
	"k8s.io/apimachinery/pkg/runtime/schema"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
)

// Input is what a rule judges.
type Input struct {
	// Project is the project with everything that it inherits (Inherit, Extend).
	Project *argov1.AppProject
	// Application is judged by the rules of CheckApplication.
	Application *argov1.Application
	// ControlNamespace is the namespace whose applications may use every project.
	ControlNamespace string
	// Cluster is the destination of the application, with both its server and its name.
	Cluster Cluster
	// ProjectClusters are the clusters that belong to the project. Only they are permitted if it says so.
	ProjectClusters []Cluster
	// Object is judged by the rules of CheckObject.
	Object Object
}

// Cluster is a destination cluster.
type Cluster struct {
	Server, Name string
}

// Object is what a project wants to know of an object.
type Object struct {
	schema.GroupKind
	Namespace, Name string
	// Namespaced tells whether the kind is, whatever Namespace says.
	Namespaced bool
}

// Rule judges one side of the input; a violation says what is not permitted and by which project.
type Rule func(in Input) (violations []string)

// applicationRules and objectRules are what a project is asked about, in the order in which violations are told.
var (
	applicationRules = []Rule{applicationNamespacePermitted, sourcesPermitted, destinationPermitted}
	objectRules      = []Rule{kindPermitted, objectNamespacePermitted}
)

// CheckApplication is everything that the project forbids of an application as a whole: using the project, its sources,
// its destination (contract 7). Nothing means permitted.
func CheckApplication(in Input) []string { return check(applicationRules, in) }

// SourcesPermitted tells whether the project lets an application use its repositories, whatever else it forbids.
func SourcesPermitted(in Input) bool { return len(sourcesPermitted(in)) == 0 }

// CheckObject is everything that the project forbids of one object: its kind, its namespace (contract 7, 2.4 step 2).
// Nothing means permitted.
func CheckObject(in Input) []string { return check(objectRules, in) }

func check(rules []Rule, in Input) []string {
	var violations []string
	for _, rule := range rules {
		violations = append(violations, rule(in)...)
	}
	return violations
}

// Extend is the project with the repositories and clusters of its own, which permit themselves (contract 7). The
// project is not changed.
func Extend(project *argov1.AppProject, repositories []string, clusters []Cluster) *argov1.AppProject {
	extended := project.DeepCopy()
	extended.Spec.SourceRepos = append(extended.Spec.SourceRepos, repositories...)
	for _, cluster := range clusters {
		extended.Spec.Destinations = append(extended.Spec.Destinations, argov1.ApplicationDestination{
			Server: cluster.Server, Name: cluster.Name, Namespace: "*",
		})
	}
	return extended
}

// Inherit is the project with the permissions, restrictions and windows of the global projects that apply to it
// (contract 5.1, globalProjects). No project is changed.
func Inherit(project *argov1.AppProject, globals ...*argov1.AppProject) *argov1.AppProject {
	heir := project.DeepCopy()
	for _, global := range globals {
		from := global.DeepCopy().Spec
		heir.Spec.SourceRepos = append(heir.Spec.SourceRepos, from.SourceRepos...)
		heir.Spec.Destinations = append(heir.Spec.Destinations, from.Destinations...)
		heir.Spec.ClusterResourceWhitelist = append(heir.Spec.ClusterResourceWhitelist, from.ClusterResourceWhitelist...)
		heir.Spec.ClusterResourceBlacklist = append(heir.Spec.ClusterResourceBlacklist, from.ClusterResourceBlacklist...)
		heir.Spec.NamespaceResourceWhitelist = append(heir.Spec.NamespaceResourceWhitelist, from.NamespaceResourceWhitelist...)
		heir.Spec.NamespaceResourceBlacklist = append(heir.Spec.NamespaceResourceBlacklist, from.NamespaceResourceBlacklist...)
		heir.Spec.SyncWindows = append(heir.Spec.SyncWindows, from.SyncWindows...)
	}
	return heir
}
