// Package plan decides what a running sync does next, from the comparison, the results so far and what is observed now.
package plan

import (
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/resource"
)

// Object is one row of a comparison as the planner sees it; at least one of Target and Live is set.
type Object struct {
	// Target is the object as the revision wants it, namespaced and tracked; nil when the revision lacks it.
	Target *unstructured.Unstructured
	// Live is the object as it stands in the cluster; nil when it is missing.
	Live *unstructured.Unstructured
	// Modified tells that target and live differ, or that one is missing.
	Modified bool
	// SelfReferenced tells that the tracking mark of Live names Live itself: only such an object may be pruned (contract 3.1).
	SelfReferenced bool
	// Rejected says why the object may not be synced: its kind is unknown or the project forbids it. Empty when it may.
	Rejected string
}

// Options are what the operation asks for (contract 1.6 and 2.7), all of it from operation.sync, nothing from the spec.
type Options struct {
	Prune       bool
	DryRun      bool
	Force       bool
	SyncOptions argov1.SyncOptions
	Resources   []argov1.SyncOperationResource
	// StartedAt dates approvals.
	StartedAt time.Time
	// Approved is the time of the deletion-approved annotation, zero when there is none.
	Approved time.Time
	// Namespace is the destination namespace of the application.
	Namespace string
}

// Input is all that Next looks at.
type Input struct {
	Options Options
	Objects []Object
	// Results are the rows recorded so far in status.operationState.syncResult.
	Results argov1.ResourceResults
	// Phase is that of the operation state: Running or Terminating.
	Phase argov1.OperationPhase
	// Message is the operation's message so far.
	Message string
	// Validated tells that the dry run of this operation passed; rows in Results say the same.
	Validated bool
	// Health assesses a live object; ok is false when there is no opinion about its kind.
	Health func(obj *unstructured.Unstructured) (code argov1.HealthStatusCode, message string, ok bool)
	// NamespaceExists tells that the destination namespace is there (contract 2.8).
	NamespaceExists bool
}

// Verb is what an Action does to the cluster.
type Verb string

// The verbs of an Action.
const (
	DryRun Verb = "dry-run" // validate the task on the server without changing anything
	Apply  Verb = "apply"   // server-side apply, or replace and create as the options of the task say
	Prune  Verb = "prune"   // delete an object that the revision lacks
)

// Task is what a sync has to do with one object in one phase.
type Task struct {
	Key    resource.Key
	Phase  argov1.SyncPhase
	Wave   int
	Target *unstructured.Unstructured // nil for a prune
	Live   *unstructured.Unstructured // nil when missing
	// Force, Replace, ServerSideApply and Propagation are the options of 2.7, resolved for this object.
	Force           bool
	Replace         bool
	ServerSideApply bool
	Propagation     string // foreground, background or orphan
	Modified        bool
	Rejected        string
}

// Action is one call to make.
type Action struct {
	Verb Verb
	Task Task
}

// Outcome is what came of an Action.
type Outcome struct {
	Action  Action
	Message string // kubectl's words: "deployment.apps/x configured"
	Err     error
}

// Step is the decision: what to record, and after it is recorded, what to do.
type Step struct {
	// Phase and Message are what the operation state becomes.
	Phase   argov1.OperationPhase
	Message string
	// Results is the whole list of rows to record.
	Results argov1.ResourceResults
	// Groups are done one after the other; the actions of one group at the same time. Empty when there is nothing to do now.
	Groups [][]Action
	// Pause tells that the wave that these groups end is not the last: wait for the wave delay before the next step.
	Pause bool
}

// Validates tells whether the step is the dry run that comes before anything else.
func (s Step) Validates() bool {
	return len(s.Groups) > 0 && (len(s.Groups[0]) == 0 || s.Groups[0][0].Verb == DryRun)
}
