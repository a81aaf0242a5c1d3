package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// AppProject TODO doc.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:path=appprojects,shortName=appproj;appprojs
// +kubebuilder:metadata:labels="app.kubernetes.io/name=appprojects.argoproj.io"
// +kubebuilder:metadata:labels="app.kubernetes.io/part-of=argocd"
type AppProject struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata" protobuf:"bytes,1,opt,name=metadata"`
	Spec              AppProjectSpec   `json:"spec" protobuf:"bytes,2,opt,name=spec"`
	Status            AppProjectStatus `json:"status,omitempty" protobuf:"bytes,3,opt,name=status"`
}

// AppProjectSpec TODO doc.
type AppProjectSpec struct {
	SourceRepos  []string                 `json:"sourceRepos,omitempty" protobuf:"bytes,1,rep,name=sourceRepos"`
	Destinations []ApplicationDestination `json:"destinations,omitempty" protobuf:"bytes,2,rep,name=destinations"`
	// +kubebuilder:validation:MaxLength=255
	Description                     string                                 `json:"description,omitempty" protobuf:"bytes,3,opt,name=description"`
	Roles                           []ProjectRole                          `json:"roles,omitempty" protobuf:"bytes,4,rep,name=roles"`
	ClusterResourceWhitelist        []ClusterResourceRestrictionItem       `json:"clusterResourceWhitelist,omitempty" protobuf:"bytes,5,rep,name=clusterResourceWhitelist"`
	NamespaceResourceBlacklist      []metav1.GroupKind                     `json:"namespaceResourceBlacklist,omitempty" protobuf:"bytes,6,rep,name=namespaceResourceBlacklist"`
	OrphanedResources               *OrphanedResourcesMonitorSettings      `json:"orphanedResources,omitempty" protobuf:"bytes,7,opt,name=orphanedResources"`
	SyncWindows                     SyncWindows                            `json:"syncWindows,omitempty" protobuf:"bytes,8,rep,name=syncWindows"`
	NamespaceResourceWhitelist      []metav1.GroupKind                     `json:"namespaceResourceWhitelist,omitempty" protobuf:"bytes,9,rep,name=namespaceResourceWhitelist"`
	SignatureKeys                   []SignatureKey                         `json:"signatureKeys,omitempty" protobuf:"bytes,10,rep,name=signatureKeys"`
	ClusterResourceBlacklist        []ClusterResourceRestrictionItem       `json:"clusterResourceBlacklist,omitempty" protobuf:"bytes,11,rep,name=clusterResourceBlacklist"`
	SourceNamespaces                []string                               `json:"sourceNamespaces,omitempty" protobuf:"bytes,12,rep,name=sourceNamespaces"`
	PermitOnlyProjectScopedClusters bool                                   `json:"permitOnlyProjectScopedClusters,omitempty" protobuf:"varint,13,opt,name=permitOnlyProjectScopedClusters"`
	DestinationServiceAccounts      []ApplicationDestinationServiceAccount `json:"destinationServiceAccounts,omitempty" protobuf:"bytes,14,rep,name=destinationServiceAccounts"`
	SourceIntegrity                 *SourceIntegrity                       `json:"sourceIntegrity,omitempty" protobuf:"bytes,15,opt,name=sourceIntegrity"`
}

// ProjectRole TODO doc.
type ProjectRole struct {
	Name        string     `json:"name" protobuf:"bytes,1,opt,name=name"`
	Description string     `json:"description,omitempty" protobuf:"bytes,2,opt,name=description"`
	Policies    []string   `json:"policies,omitempty" protobuf:"bytes,3,rep,name=policies"`
	JWTTokens   []JWTToken `json:"jwtTokens,omitempty" protobuf:"bytes,4,rep,name=jwtTokens"`
	Groups      []string   `json:"groups,omitempty" protobuf:"bytes,5,rep,name=groups"`
}

// JWTToken TODO doc.
type JWTToken struct {
	IssuedAt  int64  `json:"iat" protobuf:"varint,1,opt,name=iat"`
	ExpiresAt int64  `json:"exp,omitempty" protobuf:"varint,2,opt,name=exp"`
	ID        string `json:"id,omitempty" protobuf:"bytes,3,opt,name=id"`
}

// ClusterResourceRestrictionItem TODO doc.
type ClusterResourceRestrictionItem struct {
	Group string `json:"group" protobuf:"bytes,1,opt,name=group"`
	Kind  string `json:"kind" protobuf:"bytes,2,opt,name=kind"`
	Name  string `json:"name,omitempty" protobuf:"bytes,3,opt,name=name"`
}

// OrphanedResourcesMonitorSettings TODO doc.
type OrphanedResourcesMonitorSettings struct {
	Warn   *bool                 `json:"warn,omitempty" protobuf:"varint,1,opt,name=warn"`
	Ignore []OrphanedResourceKey `json:"ignore,omitempty" protobuf:"bytes,2,rep,name=ignore"`
}

// OrphanedResourceKey TODO doc.
type OrphanedResourceKey struct {
	Group string `json:"group,omitempty" protobuf:"bytes,1,opt,name=group"`
	Kind  string `json:"kind,omitempty" protobuf:"bytes,2,opt,name=kind"`
	Name  string `json:"name,omitempty" protobuf:"bytes,3,opt,name=name"`
}

// SyncWindows is a list.
type SyncWindows []*SyncWindow

// SyncWindow TODO doc.
type SyncWindow struct {
	Kind           string   `json:"kind,omitempty" protobuf:"bytes,1,opt,name=kind"`
	Schedule       string   `json:"schedule,omitempty" protobuf:"bytes,2,opt,name=schedule"`
	Duration       string   `json:"duration,omitempty" protobuf:"bytes,3,opt,name=duration"`
	Applications   []string `json:"applications,omitempty" protobuf:"bytes,4,rep,name=applications"`
	Namespaces     []string `json:"namespaces,omitempty" protobuf:"bytes,5,rep,name=namespaces"`
	Clusters       []string `json:"clusters,omitempty" protobuf:"bytes,6,rep,name=clusters"`
	ManualSync     bool     `json:"manualSync,omitempty" protobuf:"varint,7,opt,name=manualSync"`
	TimeZone       string   `json:"timeZone,omitempty" protobuf:"bytes,8,opt,name=timeZone"`
	UseAndOperator bool     `json:"andOperator,omitempty" protobuf:"varint,9,opt,name=andOperator"`
	Description    string   `json:"description,omitempty" protobuf:"bytes,10,opt,name=description"`
	SyncOverrun    bool     `json:"syncOverrun,omitempty" protobuf:"varint,11,opt,name=syncOverrun"`
}

// SignatureKey TODO doc.
type SignatureKey struct {
	KeyID string `json:"keyID" protobuf:"bytes,1,opt,name=keyID"`
}

// ApplicationDestinationServiceAccount TODO doc.
type ApplicationDestinationServiceAccount struct {
	Server                string `json:"server" protobuf:"bytes,1,opt,name=server"`
	Namespace             string `json:"namespace,omitempty" protobuf:"bytes,2,opt,name=namespace"`
	DefaultServiceAccount string `json:"defaultServiceAccount" protobuf:"bytes,3,opt,name=defaultServiceAccount"`
}

// SourceIntegrity TODO doc.
type SourceIntegrity struct {
	Git *SourceIntegrityGit `json:"git" protobuf:"bytes,1,opt,name=git"`
}

// SourceIntegrityGit TODO doc.
type SourceIntegrityGit struct {
	Policies []*SourceIntegrityGitPolicy `json:"policies" protobuf:"bytes,1,rep,name=policies"`
}

// SourceIntegrityGitPolicy TODO doc.
type SourceIntegrityGitPolicy struct {
	Repos []SourceIntegrityGitPolicyRepo `json:"repos" protobuf:"bytes,1,rep,name=repos"`
	GPG   *SourceIntegrityGitPolicyGPG   `json:"gpg" protobuf:"bytes,2,opt,name=gpg"`
}

// SourceIntegrityGitPolicyRepo TODO doc.
type SourceIntegrityGitPolicyRepo struct {
	URL string `json:"url" protobuf:"bytes,1,opt,name=url"`
}

// SourceIntegrityGitPolicyGPG TODO doc.
type SourceIntegrityGitPolicyGPG struct {
	Mode SourceIntegrityGitPolicyGPGMode `json:"mode" protobuf:"bytes,1,opt,name=mode"`
	Keys []string                        `json:"keys" protobuf:"bytes,3,rep,name=keys"`
}

// SourceIntegrityGitPolicyGPGMode is a word.
type SourceIntegrityGitPolicyGPGMode string

// AppProjectStatus TODO doc.
type AppProjectStatus struct {
	JWTTokensByRole map[string]JWTTokens `json:"jwtTokensByRole,omitempty" protobuf:"bytes,1,rep,name=jwtTokensByRole"`
}

// JWTTokens TODO doc.
type JWTTokens struct {
	Items []JWTToken `json:"items,omitempty" protobuf:"bytes,1,rep,name=items"`
}

// AppProjectList TODO doc.
// +kubebuilder:object:root=true
type AppProjectList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata" protobuf:"bytes,1,opt,name=metadata"`
	Items           []AppProject `json:"items" protobuf:"bytes,2,rep,name=items"`
}
