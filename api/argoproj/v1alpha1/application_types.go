package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Application says what shall run where: sources of manifests, a destination, and how the one is kept equal to the
// other. The resource has no status subresource, because clients write operation and status in one update (contract
// 1.1).
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:path=applications,shortName=app;apps
// +kubebuilder:printcolumn:name="Sync Status",type=string,JSONPath=`.status.sync.status`
// +kubebuilder:printcolumn:name="Health Status",type=string,JSONPath=`.status.health.status`
// +kubebuilder:printcolumn:name="Revision",type=string,JSONPath=`.status.sync.revision`,priority=10
// +kubebuilder:printcolumn:name="Project",type=string,JSONPath=`.spec.project`,priority=10
// +kubebuilder:metadata:labels="app.kubernetes.io/name=applications.argoproj.io"
// +kubebuilder:metadata:labels="app.kubernetes.io/part-of=argocd"
type Application struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata" protobuf:"bytes,1,opt,name=metadata"`
	// What the user wants.
	Spec ApplicationSpec `json:"spec" protobuf:"bytes,2,opt,name=spec"`
	// What the operator has seen and done.
	Status ApplicationStatus `json:"status,omitempty" protobuf:"bytes,3,opt,name=status"`
	// A request to sync now. Whoever wants a sync sets it; the operator removes it when the sync has ended.
	Operation *Operation `json:"operation,omitempty" protobuf:"bytes,4,opt,name=operation"`
}

// ApplicationSpec is what the user wants of an Application (contract 1.2).
type ApplicationSpec struct {
	// The single source of manifests. Not looked at when sources has an entry.
	Source *ApplicationSource `json:"source,omitempty" protobuf:"bytes,1,opt,name=source"`
	// The cluster and the namespace that the manifests go to.
	Destination ApplicationDestination `json:"destination" protobuf:"bytes,2,opt,name=destination"`
	// Name of the AppProject whose rules apply. Empty means "default", and the operator then writes it here.
	Project string `json:"project" protobuf:"bytes,3,opt,name=project"`
	// When the operator syncs by itself, and how.
	SyncPolicy *SyncPolicy `json:"syncPolicy,omitempty" protobuf:"bytes,4,opt,name=syncPolicy"`
	// Differences between target and live that do not count.
	IgnoreDifferences IgnoreDifferences `json:"ignoreDifferences,omitempty" protobuf:"bytes,5,rep,name=ignoreDifferences"`
	// Notes for people; shown, never read.
	Info []Info `json:"info,omitempty" protobuf:"bytes,6,rep,name=info"`
	// Number of syncs remembered for a rollback. Default: 10. With 0 none is.
	RevisionHistoryLimit *int64 `json:"revisionHistoryLimit,omitempty" protobuf:"varint,7,opt,name=revisionHistoryLimit"`
	// Several sources whose manifests are joined in this order; of two manifests for one object the later wins.
	Sources ApplicationSources `json:"sources,omitempty" protobuf:"bytes,8,rep,name=sources"`
	// Sync from a branch that holds manifests already rendered. Wins over source and sources. Alpha.
	SourceHydrator *SourceHydrator `json:"sourceHydrator,omitempty" protobuf:"bytes,9,opt,name=sourceHydrator"`
}

// ApplicationDestination is a cluster and a namespace in it. The cluster is given by its URL or by its name, never by
// both.
type ApplicationDestination struct {
	// URL of the cluster's API server. "https://kubernetes.default.svc" is the cluster that the operator runs in.
	Server string `json:"server,omitempty" protobuf:"bytes,1,opt,name=server"`
	// Namespace of those namespaced objects whose manifest names none.
	Namespace string `json:"namespace,omitempty" protobuf:"bytes,2,opt,name=namespace"`
	// Name under which the cluster was registered. "in-cluster" is the cluster that the operator runs in.
	Name string `json:"name,omitempty" protobuf:"bytes,3,opt,name=name"`
}

// Info is a note for people.
type Info struct {
	Name  string `json:"name" protobuf:"bytes,1,opt,name=name"`
	Value string `json:"value" protobuf:"bytes,2,opt,name=value"`
}

// IgnoreDifferences lists the differences that do not count.
type IgnoreDifferences []ResourceIgnoreDifferences

// ResourceIgnoreDifferences names fields of certain objects whose differences do not count (contract 3.4).
type ResourceIgnoreDifferences struct {
	// Glob for the API group. Empty is the core group.
	Group string `json:"group,omitempty" protobuf:"bytes,1,opt,name=group"`
	// Glob for the kind.
	Kind string `json:"kind" protobuf:"bytes,2,opt,name=kind"`
	// Name of the object. Empty means every name.
	Name string `json:"name,omitempty" protobuf:"bytes,3,opt,name=name"`
	// Namespace of the object. Empty means every namespace.
	Namespace string `json:"namespace,omitempty" protobuf:"bytes,4,opt,name=namespace"`
	// Fields as JSON pointers (RFC 6901).
	JSONPointers []string `json:"jsonPointers,omitempty" protobuf:"bytes,5,rep,name=jsonPointers"`
	// Fields as jq path expressions.
	JQPathExpressions []string `json:"jqPathExpressions,omitempty" protobuf:"bytes,6,rep,name=jqPathExpressions"`
	// Field managers all of whose fields are left to them.
	ManagedFieldsManagers []string `json:"managedFieldsManagers,omitempty" protobuf:"bytes,7,rep,name=managedFieldsManagers"`
}

// SyncPolicy says when the operator syncs by itself, and how (contract 1.3).
type SyncPolicy struct {
	// Sync without being asked when target and live differ. Absent means that every sync is asked for.
	Automated *SyncPolicyAutomated `json:"automated,omitempty" protobuf:"bytes,1,opt,name=automated"`
	// Options of a sync, each as "Name=value" (contract 2.7).
	SyncOptions SyncOptions `json:"syncOptions,omitempty" protobuf:"bytes,2,rep,name=syncOptions"`
	// What to do when a sync has failed. Absent means five attempts more for an automated sync and none for a manual
	// one.
	Retry *RetryStrategy `json:"retry,omitempty" protobuf:"bytes,3,opt,name=retry"`
	// Labels and annotations of the destination namespace. Needs the option CreateNamespace=true.
	ManagedNamespaceMetadata *ManagedNamespaceMetadata `json:"managedNamespaceMetadata,omitempty" protobuf:"bytes,4,opt,name=managedNamespaceMetadata"`
}

// SyncPolicyAutomated allows syncs without a person asking (contract 2.9).
type SyncPolicyAutomated struct {
	// Delete objects that have left the sources. Default: false.
	Prune *bool `json:"prune,omitempty" protobuf:"varint,1,opt,name=prune"`
	// Sync also when only the live objects have changed. Default: false.
	SelfHeal *bool `json:"selfHeal,omitempty" protobuf:"varint,2,opt,name=selfHeal"`
	// Allow a sync that would delete every object. Default: false.
	AllowEmpty *bool `json:"allowEmpty,omitempty" protobuf:"varint,3,opt,name=allowEmpty"`
	// False switches automated syncs off and keeps the other settings. Default: true.
	Enabled *bool `json:"enabled,omitempty" protobuf:"varint,4,opt,name=enabled"`
}

// SyncOptions are options of a sync, each as "Name=value" (contract 2.7).
type SyncOptions []string

// RetryStrategy says how often and when a failed sync is tried again (contract 2.11).
type RetryStrategy struct {
	// Number of attempts after the first. A negative number means no limit.
	Limit int64 `json:"limit,omitempty" protobuf:"varint,1,opt,name=limit"`
	// Waits between the attempts.
	Backoff *Backoff `json:"backoff,omitempty" protobuf:"bytes,2,opt,name=backoff"`
	// Resolve the revision anew for each attempt, instead of trying the failed one again. Default: false.
	Refresh bool `json:"refresh,omitempty" protobuf:"varint,3,opt,name=refresh"`
}

// Backoff gives the waits between attempts: the first duration, multiplied by the factor each time, up to a maximum.
// Durations are written as "1m30s"; a bare number means seconds.
type Backoff struct {
	// Wait before the first new attempt. Default: "5s".
	Duration string `json:"duration,omitempty" protobuf:"bytes,1,opt,name=duration"`
	// Multiplier of the wait from one attempt to the next. Default: 2.
	Factor *int64 `json:"factor,omitempty" protobuf:"varint,2,opt,name=factor"`
	// Longest wait. Default: "3m".
	MaxDuration string `json:"maxDuration,omitempty" protobuf:"bytes,3,opt,name=maxDuration"`
}

// ManagedNamespaceMetadata are labels and annotations of the destination namespace (contract 2.8).
type ManagedNamespaceMetadata struct {
	Labels      map[string]string `json:"labels,omitempty" protobuf:"bytes,1,rep,name=labels"`
	Annotations map[string]string `json:"annotations,omitempty" protobuf:"bytes,2,rep,name=annotations"`
}

// ApplicationList is a list of Applications.
//
// +kubebuilder:object:root=true
type ApplicationList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata" protobuf:"bytes,1,opt,name=metadata"`
	Items           []Application `json:"items" protobuf:"bytes,2,rep,name=items"`
}
