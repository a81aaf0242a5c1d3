package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// SourceHydrator splits a source in two: what people write (dry), and what is rendered from it, pushed to a branch and
// synced (contract 1.5). Alpha.
type SourceHydrator struct {
	// Where the manifests are rendered from.
	DrySource DrySource `json:"drySource" protobuf:"bytes,1,opt,name=drySource"`
	// Where the rendered manifests are synced from.
	SyncSource SyncSource `json:"syncSource" protobuf:"bytes,2,opt,name=syncSource"`
	// Where the rendered manifests are pushed first, when a person shall move them on to the branch of syncSource.
	HydrateTo *HydrateTo `json:"hydrateTo,omitempty" protobuf:"bytes,3,opt,name=hydrateTo"`
}

// DrySource is what people write.
type DrySource struct {
	RepoURL        string                      `json:"repoURL" protobuf:"bytes,1,opt,name=repoURL"`
	TargetRevision string                      `json:"targetRevision" protobuf:"bytes,2,opt,name=targetRevision"`
	Path           string                      `json:"path" protobuf:"bytes,3,opt,name=path"`
	Helm           *ApplicationSourceHelm      `json:"helm,omitempty" protobuf:"bytes,4,opt,name=helm"`
	Kustomize      *ApplicationSourceKustomize `json:"kustomize,omitempty" protobuf:"bytes,5,opt,name=kustomize"`
	Directory      *ApplicationSourceDirectory `json:"directory,omitempty" protobuf:"bytes,6,opt,name=directory"`
	Plugin         *ApplicationSourcePlugin    `json:"plugin,omitempty" protobuf:"bytes,7,opt,name=plugin"`
}

// SyncSource is where rendered manifests are synced from.
type SyncSource struct {
	TargetBranch string `json:"targetBranch" protobuf:"bytes,1,opt,name=targetBranch"`
	// Directory in the branch. The root of the repository is not allowed.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:Pattern=`^.{2,}|[^./]$`
	Path string `json:"path" protobuf:"bytes,2,opt,name=path"`
	// URL of the repository. Default: the one of drySource.
	RepoURL string `json:"repoURL,omitempty" protobuf:"bytes,3,opt,name=repoURL"`
}

// HydrateTo is the branch that rendered manifests are pushed to first.
type HydrateTo struct {
	TargetBranch string `json:"targetBranch" protobuf:"bytes,1,opt,name=targetBranch"`
}

// SourceHydratorStatus tells how far rendering to a branch has come.
type SourceHydratorStatus struct {
	// The last rendering that was pushed.
	LastSuccessfulOperation *SuccessfulHydrateOperation `json:"lastSuccessfulOperation,omitempty" protobuf:"bytes,1,opt,name=lastSuccessfulOperation"`
	// The rendering under way, or the last one.
	CurrentOperation *HydrateOperation `json:"currentOperation,omitempty" protobuf:"bytes,2,opt,name=currentOperation"`
	// Last commit of drySource that was looked at.
	LastComparedDryRevision string `json:"lastComparedDryRevision,omitempty" protobuf:"bytes,3,opt,name=lastComparedDryRevision"`
}

// SuccessfulHydrateOperation is a rendering that was pushed.
type SuccessfulHydrateOperation struct {
	// Commit that was rendered.
	DrySHA string `json:"drySHA,omitempty" protobuf:"bytes,5,opt,name=drySHA"`
	// Commit that holds the result.
	HydratedSHA string `json:"hydratedSHA,omitempty" protobuf:"bytes,6,opt,name=hydratedSHA"`
	// The settings at that time.
	SourceHydrator SourceHydrator `json:"sourceHydrator,omitempty" protobuf:"bytes,7,opt,name=sourceHydrator"`
}

// HydrateOperation is one rendering to a branch.
type HydrateOperation struct {
	StartedAt  metav1.Time           `json:"startedAt,omitempty" protobuf:"bytes,1,opt,name=startedAt"`
	FinishedAt *metav1.Time          `json:"finishedAt,omitempty" protobuf:"bytes,2,opt,name=finishedAt"`
	Phase      HydrateOperationPhase `json:"phase" protobuf:"bytes,3,opt,name=phase"`
	Message    string                `json:"message" protobuf:"bytes,4,opt,name=message"`
	// Commit that is rendered.
	DrySHA string `json:"drySHA,omitempty" protobuf:"bytes,5,opt,name=drySHA"`
	// Commit that holds the result.
	HydratedSHA string `json:"hydratedSHA,omitempty" protobuf:"bytes,6,opt,name=hydratedSHA"`
	// The settings at that time.
	SourceHydrator SourceHydrator `json:"sourceHydrator,omitempty" protobuf:"bytes,7,opt,name=sourceHydrator"`
}

// HydrateOperationPhase is the state of a rendering to a branch.
//
// +kubebuilder:validation:Enum=Hydrating;Failed;Hydrated
type HydrateOperationPhase string
