package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Operation is a request to sync (contract 1.6).
type Operation struct {
	// What to sync.
	Sync *SyncOperation `json:"sync,omitempty" protobuf:"bytes,1,opt,name=sync"`
	// Who asks.
	InitiatedBy OperationInitiator `json:"initiatedBy,omitempty" protobuf:"bytes,2,opt,name=initiatedBy"`
	// Notes for people; shown, never read.
	Info []*Info `json:"info,omitempty" protobuf:"bytes,3,rep,name=info"`
	// What to do when the sync has failed. Absent means that it is not tried again.
	Retry RetryStrategy `json:"retry,omitempty" protobuf:"bytes,4,opt,name=retry"`
}

// OperationInitiator tells who asked for a sync.
type OperationInitiator struct {
	// Name of the person or of the program.
	Username string `json:"username,omitempty" protobuf:"bytes,1,opt,name=username"`
	// True when no person asked.
	Automated bool `json:"automated,omitempty" protobuf:"varint,2,opt,name=automated"`
}

// SyncOperation says what to sync. An empty one syncs the Application as its spec has it, with no option of its
// syncPolicy.
type SyncOperation struct {
	// Revision to sync. Default: the target revision of the spec.
	Revision string `json:"revision,omitempty" protobuf:"bytes,1,opt,name=revision"`
	// Delete objects that have left the sources. Default: false.
	Prune bool `json:"prune,omitempty" protobuf:"varint,2,opt,name=prune"`
	// Ask the API server what would happen, and change nothing. Default: false.
	DryRun bool `json:"dryRun,omitempty" protobuf:"varint,3,opt,name=dryRun"`
	// How to apply. Absent means with hooks.
	SyncStrategy *SyncStrategy `json:"syncStrategy,omitempty" protobuf:"bytes,4,opt,name=syncStrategy"`
	// Sync only these objects, without hooks. Empty means all of them.
	Resources []SyncOperationResource `json:"resources,omitempty" protobuf:"bytes,6,rep,name=resources"`
	// Source to sync instead of the one in the spec, for a rollback.
	Source *ApplicationSource `json:"source,omitempty" protobuf:"bytes,7,opt,name=source"`
	// Manifests in JSON to sync instead of those of the sources.
	Manifests []string `json:"manifests,omitempty" protobuf:"bytes,8,rep,name=manifests"`
	// Options of this sync. Those of the spec count only when they are copied here.
	SyncOptions SyncOptions `json:"syncOptions,omitempty" protobuf:"bytes,9,rep,name=syncOptions"`
	// Sources to sync instead of those in the spec, for a rollback.
	Sources ApplicationSources `json:"sources,omitempty" protobuf:"bytes,10,rep,name=sources"`
	// One revision for each source. Default: the target revisions of the spec.
	Revisions []string `json:"revisions,omitempty" protobuf:"bytes,11,rep,name=revisions"`
	// Number of times in a row that the operator has synced only because live objects had changed.
	SelfHealAttemptsCount int64 `json:"autoHealAttemptsCount,omitempty" protobuf:"varint,12,opt,name=autoHealAttemptsCount"`
}

// SyncStrategy says how to apply: with or without hooks.
type SyncStrategy struct {
	// Without hooks.
	Apply *SyncStrategyApply `json:"apply,omitempty" protobuf:"bytes,1,opt,name=apply"`
	// With hooks; the default.
	Hook *SyncStrategyHook `json:"hook,omitempty" protobuf:"bytes,2,opt,name=hook"`
}

// SyncStrategyApply applies without hooks.
type SyncStrategyApply struct {
	// Delete and create anew an object that cannot be changed in place. Default: false.
	Force bool `json:"force,omitempty" protobuf:"varint,1,opt,name=force"`
}

// SyncStrategyHook applies with hooks.
type SyncStrategyHook struct {
	SyncStrategyApply `json:",inline" protobuf:"bytes,1,opt,name=syncStrategyApply"`
}

// SyncOperationResource names one object to sync.
type SyncOperationResource struct {
	Group string `json:"group,omitempty" protobuf:"bytes,1,opt,name=group"`
	Kind  string `json:"kind" protobuf:"bytes,2,opt,name=kind"`
	Name  string `json:"name" protobuf:"bytes,3,opt,name=name"`
	// Namespace of the object. Empty means any.
	Namespace string `json:"namespace,omitempty" protobuf:"bytes,4,opt,name=namespace"`
}

// OperationState tells how far an operation has come, or how the last one ended (contract 1.7).
type OperationState struct {
	// The request as it was taken up.
	Operation Operation      `json:"operation" protobuf:"bytes,1,opt,name=operation"`
	Phase     OperationPhase `json:"phase" protobuf:"bytes,2,opt,name=phase"`
	Message   string         `json:"message,omitempty" protobuf:"bytes,3,opt,name=message"`
	// What was done.
	SyncResult *SyncOperationResult `json:"syncResult,omitempty" protobuf:"bytes,4,opt,name=syncResult"`
	StartedAt  metav1.Time          `json:"startedAt" protobuf:"bytes,6,opt,name=startedAt"`
	// When the operation ended, or when the failed attempt ended that another will follow.
	FinishedAt *metav1.Time `json:"finishedAt,omitempty" protobuf:"bytes,7,opt,name=finishedAt"`
	// Number of attempts after the first.
	RetryCount int64 `json:"retryCount,omitempty" protobuf:"varint,8,opt,name=retryCount"`
}

// OperationPhase is the state of an operation or of a hook.
type OperationPhase string

// SyncOperationResult tells what a sync has done.
type SyncOperationResult struct {
	// Result of each object, in the order in which they were worked on.
	Resources ResourceResults `json:"resources,omitempty" protobuf:"bytes,1,rep,name=resources"`
	// Resolved revision that was synced.
	Revision string `json:"revision" protobuf:"bytes,2,opt,name=revision"`
	// Source that was synced.
	Source ApplicationSource `json:"source,omitempty" protobuf:"bytes,3,opt,name=source"`
	// Sources that were synced.
	Sources ApplicationSources `json:"sources,omitempty" protobuf:"bytes,4,rep,name=sources"`
	// Resolved revisions that were synced, one for each source.
	Revisions []string `json:"revisions,omitempty" protobuf:"bytes,5,rep,name=revisions"`
	// Labels and annotations that the destination namespace was given.
	ManagedNamespaceMetadata *ManagedNamespaceMetadata `json:"managedNamespaceMetadata,omitempty" protobuf:"bytes,6,opt,name=managedNamespaceMetadata"`
}

// ResourceResults are the results of the objects of a sync, in the order in which they were worked on.
type ResourceResults []*ResourceResult

// ResourceResult tells what a sync has done with one object (contract 2.5).
type ResourceResult struct {
	Group     string `json:"group" protobuf:"bytes,1,opt,name=group"`
	Version   string `json:"version" protobuf:"bytes,2,opt,name=version"`
	Kind      string `json:"kind" protobuf:"bytes,3,opt,name=kind"`
	Namespace string `json:"namespace" protobuf:"bytes,4,opt,name=namespace"`
	Name      string `json:"name" protobuf:"bytes,5,opt,name=name"`
	// Result of applying or pruning.
	Status  ResultCode `json:"status,omitempty" protobuf:"bytes,6,opt,name=status"`
	Message string     `json:"message,omitempty" protobuf:"bytes,7,opt,name=message"`
	// Kind of the hook. Empty for an object that is none.
	HookType HookType `json:"hookType,omitempty" protobuf:"bytes,8,opt,name=hookType"`
	// State of the hook; also kept for an object that is none.
	HookPhase OperationPhase `json:"hookPhase,omitempty" protobuf:"bytes,9,opt,name=hookPhase"`
	// Phase of the sync in which the object was worked on.
	SyncPhase SyncPhase `json:"syncPhase,omitempty" protobuf:"bytes,10,opt,name=syncPhase"`
	// Container images of the object.
	Images []string `json:"images,omitempty" protobuf:"bytes,11,rep,name=images"`
}

// ResultCode is the result of applying or pruning one object.
type ResultCode string

// HookType is a kind of hook: the moment at which it runs.
type HookType string

// SyncPhase is a part of a sync.
type SyncPhase string
