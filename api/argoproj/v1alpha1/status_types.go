package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ApplicationStatus is what the operator has seen and done (contract 1.7).
type ApplicationStatus struct {
	// One entry for each object of the target and each live object that is managed, by group, kind, namespace and name.
	Resources []ResourceStatus `json:"resources,omitempty" protobuf:"bytes,1,rep,name=resources"`
	// Comparison of target and live.
	Sync SyncStatus `json:"sync,omitempty" protobuf:"bytes,2,opt,name=sync"`
	// Health of the Application as a whole.
	Health AppHealthStatus `json:"health,omitempty" protobuf:"bytes,3,opt,name=health"`
	// The last syncs, the oldest first.
	History RevisionHistories `json:"history,omitempty" protobuf:"bytes,4,rep,name=history"`
	// What people should know: errors and warnings.
	Conditions []ApplicationCondition `json:"conditions,omitempty" protobuf:"bytes,5,rep,name=conditions"`
	// When the sources were last compared at their latest revision.
	ReconciledAt *metav1.Time `json:"reconciledAt,omitempty" protobuf:"bytes,6,opt,name=reconciledAt"`
	// The operation under way, or the last one.
	OperationState *OperationState `json:"operationState,omitempty" protobuf:"bytes,7,opt,name=operationState"`
	// Deprecated: never written.
	ObservedAt *metav1.Time `json:"observedAt,omitempty" protobuf:"bytes,8,opt,name=observedAt"`
	// Kind of the single source.
	SourceType ApplicationSourceType `json:"sourceType,omitempty" protobuf:"bytes,9,opt,name=sourceType"`
	Summary    ApplicationSummary    `json:"summary,omitempty" protobuf:"bytes,10,opt,name=summary"`
	// Where the health of each object is found. Empty means in resources; that is what the operator writes.
	ResourceHealthSource ResourceHealthLocation `json:"resourceHealthSource,omitempty" protobuf:"bytes,11,opt,name=resourceHealthSource"`
	// Kind of each source.
	SourceTypes []ApplicationSourceType `json:"sourceTypes,omitempty" protobuf:"bytes,12,rep,name=sourceTypes"`
	// Namespace of the operator that takes care of this Application.
	ControllerNamespace string `json:"controllerNamespace,omitempty" protobuf:"bytes,13,opt,name=controllerNamespace"`
	// State of rendering to a branch.
	SourceHydrator SourceHydratorStatus `json:"sourceHydrator,omitempty" protobuf:"bytes,14,opt,name=sourceHydrator"`
}

// ResourceStatus is what is known about one object.
type ResourceStatus struct {
	Group     string `json:"group,omitempty" protobuf:"bytes,1,opt,name=group"`
	Version   string `json:"version,omitempty" protobuf:"bytes,2,opt,name=version"`
	Kind      string `json:"kind,omitempty" protobuf:"bytes,3,opt,name=kind"`
	Namespace string `json:"namespace,omitempty" protobuf:"bytes,4,opt,name=namespace"`
	Name      string `json:"name,omitempty" protobuf:"bytes,5,opt,name=name"`
	// Comparison with the target. Empty for hooks and for objects that are left alone.
	Status SyncStatusCode `json:"status,omitempty" protobuf:"bytes,6,opt,name=status"`
	// Health of the object. Absent when there is no rule for its kind.
	Health *HealthStatus `json:"health,omitempty" protobuf:"bytes,7,opt,name=health"`
	// True when the object is a hook.
	Hook bool `json:"hook,omitempty" protobuf:"varint,8,opt,name=hook"`
	// True when the object is live and has left the sources.
	RequiresPruning bool `json:"requiresPruning,omitempty" protobuf:"varint,9,opt,name=requiresPruning"`
	// Wave in which the object is synced.
	SyncWave int64 `json:"syncWave,omitempty" protobuf:"varint,10,opt,name=syncWave"`
	// True when the object is deleted only after a person has agreed.
	RequiresDeletionConfirmation bool `json:"requiresDeletionConfirmation,omitempty" protobuf:"varint,11,opt,name=requiresDeletionConfirmation"`
}

// SyncStatusCode is the result of comparing target and live.
type SyncStatusCode string

// HealthStatus is the health of one object.
type HealthStatus struct {
	Status  HealthStatusCode `json:"status,omitempty" protobuf:"bytes,1,opt,name=status"`
	Message string           `json:"message,omitempty" protobuf:"bytes,2,opt,name=message"`
	// When the status last changed.
	LastTransitionTime *metav1.Time `json:"lastTransitionTime,omitempty" protobuf:"bytes,3,opt,name=lastTransitionTime"`
}

// HealthStatusCode is a grade of health.
type HealthStatusCode string

// SyncStatus is the comparison of target and live (contract 3.5).
type SyncStatus struct {
	Status SyncStatusCode `json:"status" protobuf:"bytes,1,opt,name=status"`
	// The part of the spec that was compared. When the spec has moved on, the comparison is out of date.
	ComparedTo ComparedTo `json:"comparedTo,omitempty" protobuf:"bytes,2,opt,name=comparedTo"`
	// Resolved revision of the single source: commit, chart version or digest.
	Revision string `json:"revision,omitempty" protobuf:"bytes,3,opt,name=revision"`
	// Resolved revisions, one for each source.
	Revisions []string `json:"revisions,omitempty" protobuf:"bytes,4,rep,name=revisions"`
}

// ComparedTo is the part of the spec that a comparison was made with.
type ComparedTo struct {
	Source            ApplicationSource      `json:"source,omitempty" protobuf:"bytes,1,opt,name=source"`
	Destination       ApplicationDestination `json:"destination" protobuf:"bytes,2,opt,name=destination"`
	Sources           ApplicationSources     `json:"sources,omitempty" protobuf:"bytes,3,rep,name=sources"`
	IgnoreDifferences IgnoreDifferences      `json:"ignoreDifferences,omitempty" protobuf:"bytes,4,rep,name=ignoreDifferences"`
}

// AppHealthStatus is the health of an Application: the worst of its objects (contract 4.4).
type AppHealthStatus struct {
	Status HealthStatusCode `json:"status,omitempty" protobuf:"bytes,1,opt,name=status"`
	// Objects that the status comes from.
	Message string `json:"message,omitempty" protobuf:"bytes,2,opt,name=message"`
	// When the status last changed.
	LastTransitionTime *metav1.Time `json:"lastTransitionTime,omitempty" protobuf:"bytes,3,opt,name=lastTransitionTime"`
}

// RevisionHistories are the last syncs, the oldest first.
type RevisionHistories []RevisionHistory

// RevisionHistory is one sync that succeeded, to which one can roll back.
type RevisionHistory struct {
	// Resolved revision of the single source.
	Revision string `json:"revision,omitempty" protobuf:"bytes,2,opt,name=revision"`
	// When the sync ended.
	DeployedAt metav1.Time `json:"deployedAt" protobuf:"bytes,4,opt,name=deployedAt"`
	// Number of the sync, one more than that of the entry before; the first has 0.
	ID int64 `json:"id" protobuf:"varint,5,opt,name=id"`
	// The single source at that time.
	Source ApplicationSource `json:"source,omitempty" protobuf:"bytes,6,opt,name=source"`
	// When the sync began.
	DeployStartedAt *metav1.Time `json:"deployStartedAt,omitempty" protobuf:"bytes,7,opt,name=deployStartedAt"`
	// The sources at that time.
	Sources ApplicationSources `json:"sources,omitempty" protobuf:"bytes,8,rep,name=sources"`
	// Resolved revisions, one for each source.
	Revisions []string `json:"revisions,omitempty" protobuf:"bytes,9,rep,name=revisions"`
	// Who asked for the sync.
	InitiatedBy OperationInitiator `json:"initiatedBy,omitempty" protobuf:"bytes,10,opt,name=initiatedBy"`
}

// ApplicationCondition is an error or a warning (contract 1.8).
type ApplicationCondition struct {
	Type    ApplicationConditionType `json:"type" protobuf:"bytes,1,opt,name=type"`
	Message string                   `json:"message" protobuf:"bytes,2,opt,name=message"`
	// When this message first appeared.
	LastTransitionTime *metav1.Time `json:"lastTransitionTime,omitempty" protobuf:"bytes,3,opt,name=lastTransitionTime"`
}

// ApplicationConditionType names a condition. Those that end in "Error" are errors, the others warnings.
type ApplicationConditionType string

// ApplicationSummary holds what a list of Applications shows.
type ApplicationSummary struct {
	// Addresses at which people reach what runs.
	ExternalURLs []string `json:"externalURLs,omitempty" protobuf:"bytes,1,rep,name=externalURLs"`
	// Container images that run, sorted, each once.
	Images []string `json:"images,omitempty" protobuf:"bytes,2,rep,name=images"`
	// True when an Application is among the objects.
	IsAppOfApps bool `json:"isAppOfApps,omitempty" protobuf:"varint,3,opt,name=isAppOfApps"`
}

// ResourceHealthLocation tells where the health of each object is found.
type ResourceHealthLocation string
