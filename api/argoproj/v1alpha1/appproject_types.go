package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// AppProject is a set of rules for its Applications: where they may come from, where they may go, what they may hold,
// and who may touch them. The resource has no status subresource (contract 1.1).
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:path=appprojects,shortName=appproj;appprojs
// +kubebuilder:metadata:labels="app.kubernetes.io/name=appprojects.argoproj.io"
// +kubebuilder:metadata:labels="app.kubernetes.io/part-of=argocd"
type AppProject struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata" protobuf:"bytes,1,opt,name=metadata"`
	// The rules.
	Spec AppProjectSpec `json:"spec" protobuf:"bytes,2,opt,name=spec"`
	// Tokens that were issued.
	Status AppProjectStatus `json:"status,omitempty" protobuf:"bytes,3,opt,name=status"`
}

// AppProjectSpec are the rules of a project (contract 7).
type AppProjectSpec struct {
	// Globs for the repositories that are permitted; "*" does not cross a "/", unless it stands alone, and "!" before a
	// glob denies. Empty permits none.
	SourceRepos []string `json:"sourceRepos,omitempty" protobuf:"bytes,1,rep,name=sourceRepos"`
	// Globs for the destinations that are permitted; "!" before a glob denies. Empty permits none.
	Destinations []ApplicationDestination `json:"destinations,omitempty" protobuf:"bytes,2,rep,name=destinations"`
	// Purpose of the project, for people. At most 255 characters.
	// +kubebuilder:validation:MaxLength=255
	Description string `json:"description,omitempty" protobuf:"bytes,3,opt,name=description"`
	// Roles that people and programs can hold in the project.
	Roles []ProjectRole `json:"roles,omitempty" protobuf:"bytes,4,rep,name=roles"`
	// Kinds without a namespace that are permitted. Empty permits none.
	ClusterResourceWhitelist []ClusterResourceRestrictionItem `json:"clusterResourceWhitelist,omitempty" protobuf:"bytes,5,rep,name=clusterResourceWhitelist"`
	// Kinds with a namespace that are denied.
	NamespaceResourceBlacklist []metav1.GroupKind `json:"namespaceResourceBlacklist,omitempty" protobuf:"bytes,6,rep,name=namespaceResourceBlacklist"`
	// Look for objects in the destination namespaces that belong to no Application. Absent means no.
	OrphanedResources *OrphanedResourcesMonitorSettings `json:"orphanedResources,omitempty" protobuf:"bytes,7,opt,name=orphanedResources"`
	// Times at which syncs are permitted or denied.
	SyncWindows SyncWindows `json:"syncWindows,omitempty" protobuf:"bytes,8,rep,name=syncWindows"`
	// Kinds with a namespace that are permitted. Absent permits all; an empty list permits none.
	NamespaceResourceWhitelist []metav1.GroupKind `json:"namespaceResourceWhitelist,omitzero" protobuf:"bytes,9,rep,name=namespaceResourceWhitelist"`
	// Keys one of which must have signed every commit that is synced. Deprecated: use sourceIntegrity.
	SignatureKeys []SignatureKey `json:"signatureKeys,omitempty" protobuf:"bytes,10,rep,name=signatureKeys"`
	// Kinds without a namespace that are denied.
	ClusterResourceBlacklist []ClusterResourceRestrictionItem `json:"clusterResourceBlacklist,omitempty" protobuf:"bytes,11,rep,name=clusterResourceBlacklist"`
	// Globs, or regular expressions between slashes, for the namespaces whose Applications may use the project, besides
	// the operator's own.
	SourceNamespaces []string `json:"sourceNamespaces,omitempty" protobuf:"bytes,12,rep,name=sourceNamespaces"`
	// Permit only clusters that are registered for this project. Default: false.
	PermitOnlyProjectScopedClusters bool `json:"permitOnlyProjectScopedClusters,omitempty" protobuf:"varint,13,opt,name=permitOnlyProjectScopedClusters"`
	// Service accounts that the operator impersonates when it syncs; the first match counts.
	DestinationServiceAccounts []ApplicationDestinationServiceAccount `json:"destinationServiceAccounts,omitempty" protobuf:"bytes,14,rep,name=destinationServiceAccounts"`
	// Signatures that sources must bear.
	SourceIntegrity *SourceIntegrity `json:"sourceIntegrity,omitempty" protobuf:"bytes,15,opt,name=sourceIntegrity"`
}

// ProjectRole is a role in a project.
type ProjectRole struct {
	Name        string `json:"name" protobuf:"bytes,1,opt,name=name"`
	Description string `json:"description,omitempty" protobuf:"bytes,2,opt,name=description"`
	// Lines of a Casbin policy, as in argocd-rbac-cm.
	Policies []string `json:"policies,omitempty" protobuf:"bytes,3,rep,name=policies"`
	// Tokens issued for the role.
	JWTTokens []JWTToken `json:"jwtTokens,omitempty" protobuf:"bytes,4,rep,name=jwtTokens"`
	// Groups of the identity provider whose members hold the role.
	Groups []string `json:"groups,omitempty" protobuf:"bytes,5,rep,name=groups"`
}

// JWTToken names a token that was issued. The token itself is kept nowhere.
type JWTToken struct {
	// When it was issued, in seconds since 1970.
	IssuedAt int64 `json:"iat" protobuf:"varint,1,opt,name=iat"`
	// When it ends, in seconds since 1970. With 0 it does not.
	ExpiresAt int64  `json:"exp,omitempty" protobuf:"varint,2,opt,name=exp"`
	ID        string `json:"id,omitempty" protobuf:"bytes,3,opt,name=id"`
}

// ClusterResourceRestrictionItem names objects without a namespace.
type ClusterResourceRestrictionItem struct {
	// Glob for the API group.
	Group string `json:"group" protobuf:"bytes,1,opt,name=group"`
	// Glob for the kind.
	Kind string `json:"kind" protobuf:"bytes,2,opt,name=kind"`
	// Glob for the name. Empty means every name.
	Name string `json:"name,omitempty" protobuf:"bytes,3,opt,name=name"`
}

// OrphanedResourcesMonitorSettings says which objects count as orphaned: those in a destination namespace that belong to
// no Application.
type OrphanedResourcesMonitorSettings struct {
	// Set a warning on each Application of the project when there are any. Default: false.
	Warn *bool `json:"warn,omitempty" protobuf:"varint,1,opt,name=warn"`
	// Objects that do not count.
	Ignore []OrphanedResourceKey `json:"ignore,omitempty" protobuf:"bytes,2,rep,name=ignore"`
}

// OrphanedResourceKey names objects that do not count as orphaned.
type OrphanedResourceKey struct {
	Group string `json:"group,omitempty" protobuf:"bytes,1,opt,name=group"`
	Kind  string `json:"kind,omitempty" protobuf:"bytes,2,opt,name=kind"`
	// Glob for the name.
	Name string `json:"name,omitempty" protobuf:"bytes,3,opt,name=name"`
}

// SyncWindows are times at which syncs are permitted or denied.
type SyncWindows []*SyncWindow

// SyncWindow is a recurring time at which syncs are permitted or denied (contract 2.12).
type SyncWindow struct {
	// Either "allow" or "deny".
	Kind string `json:"kind,omitempty" protobuf:"bytes,1,opt,name=kind"`
	// Beginnings of the window, as a cron expression of five fields.
	Schedule string `json:"schedule,omitempty" protobuf:"bytes,2,opt,name=schedule"`
	// Length of the window, such as "1h30m".
	Duration string `json:"duration,omitempty" protobuf:"bytes,3,opt,name=duration"`
	// Globs for the names of the Applications that the window is for.
	Applications []string `json:"applications,omitempty" protobuf:"bytes,4,rep,name=applications"`
	// Globs for the destination namespaces that the window is for.
	Namespaces []string `json:"namespaces,omitempty" protobuf:"bytes,5,rep,name=namespaces"`
	// Globs for the URLs or names of the clusters that the window is for.
	Clusters []string `json:"clusters,omitempty" protobuf:"bytes,6,rep,name=clusters"`
	// Permit a sync that a person asks for, even though the window denies it. Default: false.
	ManualSync bool `json:"manualSync,omitempty" protobuf:"varint,7,opt,name=manualSync"`
	// IANA name of the time zone of the schedule. Default: UTC.
	TimeZone string `json:"timeZone,omitempty" protobuf:"bytes,8,opt,name=timeZone"`
	// The window is for what all given lists match, instead of any one. Default: false.
	UseAndOperator bool   `json:"andOperator,omitempty" protobuf:"varint,9,opt,name=andOperator"`
	Description    string `json:"description,omitempty" protobuf:"bytes,10,opt,name=description"`
	// Let a sync that was permitted at its start go on when the window no longer permits it. Default: false.
	SyncOverrun bool `json:"syncOverrun,omitempty" protobuf:"varint,11,opt,name=syncOverrun"`
}

// SignatureKey names a GnuPG key.
type SignatureKey struct {
	KeyID string `json:"keyID" protobuf:"bytes,1,opt,name=keyID"`
}

// ApplicationDestinationServiceAccount says which service account syncs to a destination.
type ApplicationDestinationServiceAccount struct {
	// Glob for the URL of the cluster.
	Server string `json:"server" protobuf:"bytes,1,opt,name=server"`
	// Glob for the destination namespace.
	Namespace string `json:"namespace,omitempty" protobuf:"bytes,2,opt,name=namespace"`
	// Name of the service account in the destination namespace, or "namespace:name".
	DefaultServiceAccount string `json:"defaultServiceAccount" protobuf:"bytes,3,opt,name=defaultServiceAccount"`
}

// SourceIntegrity says which signatures sources must bear.
type SourceIntegrity struct {
	Git *SourceIntegrityGit `json:"git" protobuf:"bytes,1,opt,name=git"`
}

// SourceIntegrityGit says which signatures commits must bear.
type SourceIntegrityGit struct {
	Policies []*SourceIntegrityGitPolicy `json:"policies" protobuf:"bytes,1,rep,name=policies"`
}

// SourceIntegrityGitPolicy says which signatures the commits of certain repositories must bear.
type SourceIntegrityGitPolicy struct {
	Repos []SourceIntegrityGitPolicyRepo `json:"repos" protobuf:"bytes,1,rep,name=repos"`
	GPG   *SourceIntegrityGitPolicyGPG   `json:"gpg" protobuf:"bytes,2,opt,name=gpg"`
}

// SourceIntegrityGitPolicyRepo picks repositories.
type SourceIntegrityGitPolicyRepo struct {
	// Glob for the URL; "!" before it excludes.
	URL string `json:"url" protobuf:"bytes,1,opt,name=url"`
}

// SourceIntegrityGitPolicyGPG asks for GnuPG signatures.
type SourceIntegrityGitPolicyGPG struct {
	Mode SourceIntegrityGitPolicyGPGMode `json:"mode" protobuf:"bytes,1,opt,name=mode"`
	// Ids of the keys that are accepted.
	Keys []string `json:"keys" protobuf:"bytes,3,rep,name=keys"`
}

// SourceIntegrityGitPolicyGPGMode says which commits must be signed: none, only the one that is synced (head), or all
// that lead to it (strict).
type SourceIntegrityGitPolicyGPGMode string

// AppProjectStatus holds the tokens that were issued.
type AppProjectStatus struct {
	// Tokens by the name of their role.
	JWTTokensByRole map[string]JWTTokens `json:"jwtTokensByRole,omitempty" protobuf:"bytes,1,rep,name=jwtTokensByRole"`
}

// JWTTokens is a list of tokens.
type JWTTokens struct {
	Items []JWTToken `json:"items,omitempty" protobuf:"bytes,1,rep,name=items"`
}

// AppProjectList is a list of AppProjects.
//
// +kubebuilder:object:root=true
type AppProjectList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata" protobuf:"bytes,1,opt,name=metadata"`
	Items           []AppProject `json:"items" protobuf:"bytes,2,rep,name=items"`
}
