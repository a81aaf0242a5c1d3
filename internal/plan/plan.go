// Package plan decides what a running sync does next, from the comparison, the results so far and what is observed now.
//
// # Decisions
//
// Nothing is remembered here: all that is known of the past are the rows in the operation state, so that a new process goes
// on where the last one died.
//
// A task is begun before it is done: its row is written without a status first. Whoever finds such a row afterwards knows
// that the process died in between and does the same wave again, which changes nothing where it was done already. Without
// that mark a hook which was created just before the end could not be told from one that an earlier sync left behind, and
// would run twice.
//
// The dry run of a sync is the one of `kubectl apply --dry-run=client`, as in the original: it finds what can be known
// without asking for a change (no name, unknown kind, forbidden by the project, a SealedSecret that no key opens) and covers all waves at once. What only the
// API server can refuse is refused when its wave is applied.
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
	// Modified tells that applying Target would change Live, or that one is missing.
	Modified bool
	// SelfReferenced tells that the tracking mark of Live names Live itself: only such an object may be pruned (contract 3.1).
	SelfReferenced bool
	// Rejected says why the object may not be synced; zero when it may.
	Rejected Rejection
	// Invalid says why Target cannot work though the API server would take it; empty when nothing is known against it.
	Invalid string
	// Occupants names what of others still lives in Live, a Namespace; empty for an object that may be deleted.
	Occupants string
}

// Rejection says why an object may not be synced: its kind is unknown or the project forbids it.
type Rejection struct {
	// Reason stands in the message of the operation.
	Reason string
	// Message stands in the row of the object.
	Message string
}

// Namespace is the destination namespace, as far as the option CreateNamespace is concerned (contract 2.8).
type Namespace struct {
	// Live is the namespace as it stands in the cluster; nil when it is missing.
	Live *unstructured.Unstructured
	// Metadata is what spec.syncPolicy.managedNamespaceMetadata wants; nil when nothing is managed.
	Metadata *argov1.ManagedNamespaceMetadata
}

// Options are what the operation asks for (contract 1.6 and 2.7), all of it from operation.sync, nothing from the spec.
type Options struct {
	Prune       bool
	DryRun      bool
	Force       bool
	SyncOptions argov1.SyncOptions
	Resources   []argov1.SyncOperationResource
	// WithoutHooks is the strategy apply.
	WithoutHooks bool
	// StartedAt dates approvals and names the hooks that ask for a generated name.
	StartedAt time.Time
	// Revision is the resolved revision, of the first source if there are several; it names such hooks too.
	Revision string
	// Approved is the time of the deletion-approved annotation, zero when there is none.
	Approved time.Time
	// Namespace is the destination namespace of the application.
	Namespace string
	// MigrationManager is a field manager whose fields are taken over besides that of kubectl; empty for none (contract 2.7).
	MigrationManager string
}

// Input is all that Next looks at.
type Input struct {
	Options   Options
	Objects   []Object
	Namespace Namespace
	// Results are the rows recorded so far in status.operationState.syncResult.
	Results argov1.ResourceResults
	// Phase is that of the operation state: Running or Terminating.
	Phase argov1.OperationPhase
	// Message is the operation's message so far.
	Message string
	// Health assesses a live object; ok is false when there is no opinion about its kind.
	Health func(obj *unstructured.Unstructured) (code argov1.HealthStatusCode, message string, ok bool)
}

// Verb is what an Action does to the cluster.
type Verb string

// The verbs of an Action.
const (
	Apply       Verb = "apply"        // server-side apply, or replace and create as the options of the task say
	Prune       Verb = "prune"        // delete an object that the revision lacks
	DeleteHook  Verb = "delete-hook"  // take the finalizer off a hook and delete it
	ReleaseHook Verb = "release-hook" // take the finalizer off a hook that has ended
)

// Task is what a sync has to do with one object in one phase.
type Task struct {
	Key    resource.Key
	Phase  argov1.SyncPhase
	Wave   int
	Target *unstructured.Unstructured // nil for a prune
	Live   *unstructured.Unstructured // nil when missing
	// HookType is the type under which a hook runs in Phase; empty for an object that is no hook.
	HookType argov1.HookType
	// RowNamespace is the namespace in the row of the task: cluster-scoped objects show the destination (contract B 5).
	RowNamespace string
	// Force, Replace, ServerSideApply, Migrate and Propagation are the options of 2.7, resolved for this object.
	Force           bool
	Replace         bool
	ServerSideApply bool
	Migrate         bool
	Propagation     string // foreground, background or orphan
	Modified        bool
	Rejected        Rejection
	Invalid         string
	Occupants       string
}

// IsHook tells whether the task runs a hook.
func (t Task) IsHook() bool { return t.HookType != "" }

// Unchanged tells whether an apply of the task would write what stands there already.
func (t Task) Unchanged() bool {
	return t.Target != nil && t.Live != nil && !t.Modified && !t.Replace && !t.IsHook()
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
	// Waiting are the objects that Message waits for; empty when it waits for none.
	Waiting []*unstructured.Unstructured
	// Pause tells that the wave that these groups end is not the last: wait for the wave delay before the next step.
	Pause bool
	// Final tells that the sync is over when these groups are done without an error.
	Final bool

	// gone are begun prunes whose objects are no longer there: an earlier process did them and could not say so.
	gone []id
}
