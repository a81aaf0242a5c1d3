package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// Application TODO doc.
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
	Spec              ApplicationSpec   `json:"spec" protobuf:"bytes,2,opt,name=spec"`
	Status            ApplicationStatus `json:"status,omitempty" protobuf:"bytes,3,opt,name=status"`
	Operation         *Operation        `json:"operation,omitempty" protobuf:"bytes,4,opt,name=operation"`
}

// ApplicationSpec TODO doc.
type ApplicationSpec struct {
	Source               *ApplicationSource     `json:"source,omitempty" protobuf:"bytes,1,opt,name=source"`
	Destination          ApplicationDestination `json:"destination" protobuf:"bytes,2,opt,name=destination"`
	Project              string                 `json:"project" protobuf:"bytes,3,opt,name=project"`
	SyncPolicy           *SyncPolicy            `json:"syncPolicy,omitempty" protobuf:"bytes,4,opt,name=syncPolicy"`
	IgnoreDifferences    IgnoreDifferences      `json:"ignoreDifferences,omitempty" protobuf:"bytes,5,rep,name=ignoreDifferences"`
	Info                 []Info                 `json:"info,omitempty" protobuf:"bytes,6,rep,name=info"`
	RevisionHistoryLimit *int64                 `json:"revisionHistoryLimit,omitempty" protobuf:"varint,7,opt,name=revisionHistoryLimit"`
	Sources              ApplicationSources     `json:"sources,omitempty" protobuf:"bytes,8,rep,name=sources"`
	SourceHydrator       *SourceHydrator        `json:"sourceHydrator,omitempty" protobuf:"bytes,9,opt,name=sourceHydrator"`
}

// ApplicationSource TODO doc.
type ApplicationSource struct {
	RepoURL        string                      `json:"repoURL" protobuf:"bytes,1,opt,name=repoURL"`
	Path           string                      `json:"path,omitempty" protobuf:"bytes,2,opt,name=path"`
	TargetRevision string                      `json:"targetRevision,omitempty" protobuf:"bytes,4,opt,name=targetRevision"`
	Helm           *ApplicationSourceHelm      `json:"helm,omitempty" protobuf:"bytes,7,opt,name=helm"`
	Kustomize      *ApplicationSourceKustomize `json:"kustomize,omitempty" protobuf:"bytes,8,opt,name=kustomize"`
	Directory      *ApplicationSourceDirectory `json:"directory,omitempty" protobuf:"bytes,10,opt,name=directory"`
	Plugin         *ApplicationSourcePlugin    `json:"plugin,omitempty" protobuf:"bytes,11,opt,name=plugin"`
	Chart          string                      `json:"chart,omitempty" protobuf:"bytes,12,opt,name=chart"`
	Ref            string                      `json:"ref,omitempty" protobuf:"bytes,13,opt,name=ref"`
	Name           string                      `json:"name,omitempty" protobuf:"bytes,14,opt,name=name"`
	TagPrefix      string                      `json:"tagPrefix,omitempty" protobuf:"bytes,15,opt,name=tagPrefix"`
}

// ApplicationSourceHelm TODO doc.
type ApplicationSourceHelm struct {
	ValueFiles              []string            `json:"valueFiles,omitempty" protobuf:"bytes,1,rep,name=valueFiles"`
	Parameters              []HelmParameter     `json:"parameters,omitempty" protobuf:"bytes,2,rep,name=parameters"`
	ReleaseName             string              `json:"releaseName,omitempty" protobuf:"bytes,3,opt,name=releaseName"`
	Values                  string              `json:"values,omitempty" protobuf:"bytes,4,opt,name=values"`
	FileParameters          []HelmFileParameter `json:"fileParameters,omitempty" protobuf:"bytes,5,rep,name=fileParameters"`
	Version                 string              `json:"version,omitempty" protobuf:"bytes,6,opt,name=version"`
	PassCredentials         bool                `json:"passCredentials,omitempty" protobuf:"varint,7,opt,name=passCredentials"`
	IgnoreMissingValueFiles bool                `json:"ignoreMissingValueFiles,omitempty" protobuf:"varint,8,opt,name=ignoreMissingValueFiles"`
	SkipCrds                bool                `json:"skipCrds,omitempty" protobuf:"varint,9,opt,name=skipCrds"`
	// +kubebuilder:pruning:PreserveUnknownFields
	ValuesObject         *runtime.RawExtension `json:"valuesObject,omitempty" protobuf:"bytes,10,opt,name=valuesObject"`
	Namespace            string                `json:"namespace,omitempty" protobuf:"bytes,11,opt,name=namespace"`
	KubeVersion          string                `json:"kubeVersion,omitempty" protobuf:"bytes,12,opt,name=kubeVersion"`
	APIVersions          []string              `json:"apiVersions,omitempty" protobuf:"bytes,13,rep,name=apiVersions"`
	SkipTests            bool                  `json:"skipTests,omitempty" protobuf:"varint,14,opt,name=skipTests"`
	SkipSchemaValidation bool                  `json:"skipSchemaValidation,omitempty" protobuf:"varint,15,opt,name=skipSchemaValidation"`
}

// HelmParameter TODO doc.
type HelmParameter struct {
	Name        string `json:"name,omitempty" protobuf:"bytes,1,opt,name=name"`
	Value       string `json:"value,omitempty" protobuf:"bytes,2,opt,name=value"`
	ForceString bool   `json:"forceString,omitempty" protobuf:"varint,3,opt,name=forceString"`
}

// HelmFileParameter TODO doc.
type HelmFileParameter struct {
	Name string `json:"name,omitempty" protobuf:"bytes,1,opt,name=name"`
	Path string `json:"path,omitempty" protobuf:"bytes,2,opt,name=path"`
}

// ApplicationSourceKustomize TODO doc.
type ApplicationSourceKustomize struct {
	NamePrefix                string            `json:"namePrefix,omitempty" protobuf:"bytes,1,opt,name=namePrefix"`
	NameSuffix                string            `json:"nameSuffix,omitempty" protobuf:"bytes,2,opt,name=nameSuffix"`
	Images                    KustomizeImages   `json:"images,omitempty" protobuf:"bytes,3,rep,name=images"`
	CommonLabels              map[string]string `json:"commonLabels,omitempty" protobuf:"bytes,4,rep,name=commonLabels"`
	Version                   string            `json:"version,omitempty" protobuf:"bytes,5,opt,name=version"`
	CommonAnnotations         map[string]string `json:"commonAnnotations,omitempty" protobuf:"bytes,6,rep,name=commonAnnotations"`
	ForceCommonLabels         bool              `json:"forceCommonLabels,omitempty" protobuf:"varint,7,opt,name=forceCommonLabels"`
	ForceCommonAnnotations    bool              `json:"forceCommonAnnotations,omitempty" protobuf:"varint,8,opt,name=forceCommonAnnotations"`
	Namespace                 string            `json:"namespace,omitempty" protobuf:"bytes,9,opt,name=namespace"`
	CommonAnnotationsEnvsubst bool              `json:"commonAnnotationsEnvsubst,omitempty" protobuf:"varint,10,opt,name=commonAnnotationsEnvsubst"`
	Replicas                  KustomizeReplicas `json:"replicas,omitempty" protobuf:"bytes,11,rep,name=replicas"`
	Patches                   KustomizePatches  `json:"patches,omitempty" protobuf:"bytes,12,rep,name=patches"`
	Components                []string          `json:"components,omitempty" protobuf:"bytes,13,rep,name=components"`
	IgnoreMissingComponents   bool              `json:"ignoreMissingComponents,omitempty" protobuf:"varint,17,opt,name=ignoreMissingComponents"`
	LabelWithoutSelector      bool              `json:"labelWithoutSelector,omitempty" protobuf:"varint,14,opt,name=labelWithoutSelector"`
	KubeVersion               string            `json:"kubeVersion,omitempty" protobuf:"bytes,15,opt,name=kubeVersion"`
	APIVersions               []string          `json:"apiVersions,omitempty" protobuf:"bytes,16,rep,name=apiVersions"`
	LabelIncludeTemplates     bool              `json:"labelIncludeTemplates,omitempty" protobuf:"varint,18,opt,name=labelIncludeTemplates"`
}

// KustomizeImages is a list.
type KustomizeImages []KustomizeImage

// KustomizeImage is a word.
type KustomizeImage string

// KustomizeReplicas is a list.
type KustomizeReplicas []KustomizeReplica

// KustomizeReplica TODO doc.
type KustomizeReplica struct {
	Name  string             `json:"name" protobuf:"bytes,1,opt,name=name"`
	Count intstr.IntOrString `json:"count" protobuf:"bytes,2,opt,name=count"`
}

// KustomizePatches is a list.
type KustomizePatches []KustomizePatch

// KustomizePatch TODO doc.
type KustomizePatch struct {
	Path    string             `json:"path,omitempty" protobuf:"bytes,1,opt,name=path"`
	Patch   string             `json:"patch,omitempty" protobuf:"bytes,2,opt,name=patch"`
	Target  *KustomizeSelector `json:"target,omitempty" protobuf:"bytes,3,opt,name=target"`
	Options map[string]bool    `json:"options,omitempty" protobuf:"bytes,4,rep,name=options"`
}

// KustomizeSelector TODO doc.
type KustomizeSelector struct {
	KustomizeResId     `json:",inline" protobuf:"bytes,1,opt,name=resId"`
	AnnotationSelector string `json:"annotationSelector,omitempty" protobuf:"bytes,2,opt,name=annotationSelector"`
	LabelSelector      string `json:"labelSelector,omitempty" protobuf:"bytes,3,opt,name=labelSelector"`
}

// KustomizeResId TODO doc.
type KustomizeResId struct {
	KustomizeGvk `json:",inline" protobuf:"bytes,1,opt,name=gvk"`
	Name         string `json:"name,omitempty" protobuf:"bytes,2,opt,name=name"`
	Namespace    string `json:"namespace,omitempty" protobuf:"bytes,3,opt,name=namespace"`
}

// KustomizeGvk TODO doc.
type KustomizeGvk struct {
	Group   string `json:"group,omitempty" protobuf:"bytes,1,opt,name=group"`
	Version string `json:"version,omitempty" protobuf:"bytes,2,opt,name=version"`
	Kind    string `json:"kind,omitempty" protobuf:"bytes,3,opt,name=kind"`
}

// ApplicationSourceDirectory TODO doc.
type ApplicationSourceDirectory struct {
	Recurse                bool                     `json:"recurse,omitempty" protobuf:"varint,1,opt,name=recurse"`
	Jsonnet                ApplicationSourceJsonnet `json:"jsonnet,omitempty" protobuf:"bytes,2,opt,name=jsonnet"`
	Exclude                string                   `json:"exclude,omitempty" protobuf:"bytes,3,opt,name=exclude"`
	Include                string                   `json:"include,omitempty" protobuf:"bytes,4,opt,name=include"`
	DisableExtensionFilter bool                     `json:"disableExtensionFilter,omitempty" protobuf:"varint,5,opt,name=disableExtensionFilter"`
}

// ApplicationSourceJsonnet TODO doc.
type ApplicationSourceJsonnet struct {
	ExtVars []JsonnetVar `json:"extVars,omitempty" protobuf:"bytes,1,rep,name=extVars"`
	TLAs    []JsonnetVar `json:"tlas,omitempty" protobuf:"bytes,2,rep,name=tlas"`
	Libs    []string     `json:"libs,omitempty" protobuf:"bytes,3,rep,name=libs"`
}

// JsonnetVar TODO doc.
type JsonnetVar struct {
	Name  string `json:"name" protobuf:"bytes,1,opt,name=name"`
	Value string `json:"value" protobuf:"bytes,2,opt,name=value"`
	Code  bool   `json:"code,omitempty" protobuf:"varint,3,opt,name=code"`
}

// ApplicationSourcePlugin TODO doc.
type ApplicationSourcePlugin struct {
	Name       string                            `json:"name,omitempty" protobuf:"bytes,1,opt,name=name"`
	Env        Env                               `json:"env,omitempty" protobuf:"bytes,2,rep,name=env"`
	Parameters ApplicationSourcePluginParameters `json:"parameters,omitempty" protobuf:"bytes,3,rep,name=parameters"`
}

// Env is a list.
type Env []*EnvEntry

// EnvEntry TODO doc.
type EnvEntry struct {
	Name  string `json:"name" protobuf:"bytes,1,opt,name=name"`
	Value string `json:"value" protobuf:"bytes,2,opt,name=value"`
}

// ApplicationSourcePluginParameters is a list.
type ApplicationSourcePluginParameters []ApplicationSourcePluginParameter

// ApplicationSourcePluginParameter TODO doc.
type ApplicationSourcePluginParameter struct {
	Name           string  `json:"name,omitempty" protobuf:"bytes,1,opt,name=name"`
	String         *string `json:"string,omitempty" protobuf:"bytes,5,opt,name=string"`
	*OptionalMap   `json:",inline" protobuf:"bytes,3,opt,name=map"`
	*OptionalArray `json:",inline" protobuf:"bytes,4,opt,name=array"`
}

// OptionalMap TODO doc.
type OptionalMap struct {
	// +optional
	Map map[string]string `json:"map" protobuf:"bytes,1,rep,name=map"`
}

// OptionalArray TODO doc.
type OptionalArray struct {
	// +optional
	Array []string `json:"array" protobuf:"bytes,1,rep,name=array"`
}

// ApplicationDestination TODO doc.
type ApplicationDestination struct {
	Server    string `json:"server,omitempty" protobuf:"bytes,1,opt,name=server"`
	Namespace string `json:"namespace,omitempty" protobuf:"bytes,2,opt,name=namespace"`
	Name      string `json:"name,omitempty" protobuf:"bytes,3,opt,name=name"`
}

// SyncPolicy TODO doc.
type SyncPolicy struct {
	Automated                *SyncPolicyAutomated      `json:"automated,omitempty" protobuf:"bytes,1,opt,name=automated"`
	SyncOptions              SyncOptions               `json:"syncOptions,omitempty" protobuf:"bytes,2,rep,name=syncOptions"`
	Retry                    *RetryStrategy            `json:"retry,omitempty" protobuf:"bytes,3,opt,name=retry"`
	ManagedNamespaceMetadata *ManagedNamespaceMetadata `json:"managedNamespaceMetadata,omitempty" protobuf:"bytes,4,opt,name=managedNamespaceMetadata"`
}

// SyncPolicyAutomated TODO doc.
type SyncPolicyAutomated struct {
	Prune      *bool `json:"prune,omitempty" protobuf:"varint,1,opt,name=prune"`
	SelfHeal   *bool `json:"selfHeal,omitempty" protobuf:"varint,2,opt,name=selfHeal"`
	AllowEmpty *bool `json:"allowEmpty,omitempty" protobuf:"varint,3,opt,name=allowEmpty"`
	Enabled    *bool `json:"enabled,omitempty" protobuf:"varint,4,opt,name=enabled"`
}

// SyncOptions is a list.
type SyncOptions []string

// RetryStrategy TODO doc.
type RetryStrategy struct {
	Limit   int64    `json:"limit,omitempty" protobuf:"varint,1,opt,name=limit"`
	Backoff *Backoff `json:"backoff,omitempty" protobuf:"bytes,2,opt,name=backoff"`
	Refresh bool     `json:"refresh,omitempty" protobuf:"varint,3,opt,name=refresh"`
}

// Backoff TODO doc.
type Backoff struct {
	Duration    string `json:"duration,omitempty" protobuf:"bytes,1,opt,name=duration"`
	Factor      *int64 `json:"factor,omitempty" protobuf:"varint,2,opt,name=factor"`
	MaxDuration string `json:"maxDuration,omitempty" protobuf:"bytes,3,opt,name=maxDuration"`
}

// ManagedNamespaceMetadata TODO doc.
type ManagedNamespaceMetadata struct {
	Labels      map[string]string `json:"labels,omitempty" protobuf:"bytes,1,rep,name=labels"`
	Annotations map[string]string `json:"annotations,omitempty" protobuf:"bytes,2,rep,name=annotations"`
}

// IgnoreDifferences is a list.
type IgnoreDifferences []ResourceIgnoreDifferences

// ResourceIgnoreDifferences TODO doc.
type ResourceIgnoreDifferences struct {
	Group                 string   `json:"group,omitempty" protobuf:"bytes,1,opt,name=group"`
	Kind                  string   `json:"kind" protobuf:"bytes,2,opt,name=kind"`
	Name                  string   `json:"name,omitempty" protobuf:"bytes,3,opt,name=name"`
	Namespace             string   `json:"namespace,omitempty" protobuf:"bytes,4,opt,name=namespace"`
	JSONPointers          []string `json:"jsonPointers,omitempty" protobuf:"bytes,5,rep,name=jsonPointers"`
	JQPathExpressions     []string `json:"jqPathExpressions,omitempty" protobuf:"bytes,6,rep,name=jqPathExpressions"`
	ManagedFieldsManagers []string `json:"managedFieldsManagers,omitempty" protobuf:"bytes,7,rep,name=managedFieldsManagers"`
}

// Info TODO doc.
type Info struct {
	Name  string `json:"name" protobuf:"bytes,1,opt,name=name"`
	Value string `json:"value" protobuf:"bytes,2,opt,name=value"`
}

// ApplicationSources is a list.
type ApplicationSources []ApplicationSource

// SourceHydrator TODO doc.
type SourceHydrator struct {
	DrySource  DrySource  `json:"drySource" protobuf:"bytes,1,opt,name=drySource"`
	SyncSource SyncSource `json:"syncSource" protobuf:"bytes,2,opt,name=syncSource"`
	HydrateTo  *HydrateTo `json:"hydrateTo,omitempty" protobuf:"bytes,3,opt,name=hydrateTo"`
}

// DrySource TODO doc.
type DrySource struct {
	RepoURL        string                      `json:"repoURL" protobuf:"bytes,1,opt,name=repoURL"`
	TargetRevision string                      `json:"targetRevision" protobuf:"bytes,2,opt,name=targetRevision"`
	Path           string                      `json:"path" protobuf:"bytes,3,opt,name=path"`
	Helm           *ApplicationSourceHelm      `json:"helm,omitempty" protobuf:"bytes,4,opt,name=helm"`
	Kustomize      *ApplicationSourceKustomize `json:"kustomize,omitempty" protobuf:"bytes,5,opt,name=kustomize"`
	Directory      *ApplicationSourceDirectory `json:"directory,omitempty" protobuf:"bytes,6,opt,name=directory"`
	Plugin         *ApplicationSourcePlugin    `json:"plugin,omitempty" protobuf:"bytes,7,opt,name=plugin"`
}

// SyncSource TODO doc.
type SyncSource struct {
	TargetBranch string `json:"targetBranch" protobuf:"bytes,1,opt,name=targetBranch"`
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:Pattern=`^.{2,}|[^./]$`
	Path    string `json:"path" protobuf:"bytes,2,opt,name=path"`
	RepoURL string `json:"repoURL,omitempty" protobuf:"bytes,3,opt,name=repoURL"`
}

// HydrateTo TODO doc.
type HydrateTo struct {
	TargetBranch string `json:"targetBranch" protobuf:"bytes,1,opt,name=targetBranch"`
}

// ApplicationStatus TODO doc.
type ApplicationStatus struct {
	Resources            []ResourceStatus        `json:"resources,omitempty" protobuf:"bytes,1,rep,name=resources"`
	Sync                 SyncStatus              `json:"sync,omitempty" protobuf:"bytes,2,opt,name=sync"`
	Health               AppHealthStatus         `json:"health,omitempty" protobuf:"bytes,3,opt,name=health"`
	History              RevisionHistories       `json:"history,omitempty" protobuf:"bytes,4,rep,name=history"`
	Conditions           []ApplicationCondition  `json:"conditions,omitempty" protobuf:"bytes,5,rep,name=conditions"`
	ReconciledAt         *metav1.Time            `json:"reconciledAt,omitempty" protobuf:"bytes,6,opt,name=reconciledAt"`
	OperationState       *OperationState         `json:"operationState,omitempty" protobuf:"bytes,7,opt,name=operationState"`
	ObservedAt           *metav1.Time            `json:"observedAt,omitempty" protobuf:"bytes,8,opt,name=observedAt"`
	SourceType           ApplicationSourceType   `json:"sourceType,omitempty" protobuf:"bytes,9,opt,name=sourceType"`
	Summary              ApplicationSummary      `json:"summary,omitempty" protobuf:"bytes,10,opt,name=summary"`
	ResourceHealthSource ResourceHealthLocation  `json:"resourceHealthSource,omitempty" protobuf:"bytes,11,opt,name=resourceHealthSource"`
	SourceTypes          []ApplicationSourceType `json:"sourceTypes,omitempty" protobuf:"bytes,12,rep,name=sourceTypes"`
	ControllerNamespace  string                  `json:"controllerNamespace,omitempty" protobuf:"bytes,13,opt,name=controllerNamespace"`
	SourceHydrator       SourceHydratorStatus    `json:"sourceHydrator,omitempty" protobuf:"bytes,14,opt,name=sourceHydrator"`
}

// ResourceStatus TODO doc.
type ResourceStatus struct {
	Group                        string         `json:"group,omitempty" protobuf:"bytes,1,opt,name=group"`
	Version                      string         `json:"version,omitempty" protobuf:"bytes,2,opt,name=version"`
	Kind                         string         `json:"kind,omitempty" protobuf:"bytes,3,opt,name=kind"`
	Namespace                    string         `json:"namespace,omitempty" protobuf:"bytes,4,opt,name=namespace"`
	Name                         string         `json:"name,omitempty" protobuf:"bytes,5,opt,name=name"`
	Status                       SyncStatusCode `json:"status,omitempty" protobuf:"bytes,6,opt,name=status"`
	Health                       *HealthStatus  `json:"health,omitempty" protobuf:"bytes,7,opt,name=health"`
	Hook                         bool           `json:"hook,omitempty" protobuf:"varint,8,opt,name=hook"`
	RequiresPruning              bool           `json:"requiresPruning,omitempty" protobuf:"varint,9,opt,name=requiresPruning"`
	SyncWave                     int64          `json:"syncWave,omitempty" protobuf:"varint,10,opt,name=syncWave"`
	RequiresDeletionConfirmation bool           `json:"requiresDeletionConfirmation,omitempty" protobuf:"varint,11,opt,name=requiresDeletionConfirmation"`
}

// SyncStatusCode is a word.
type SyncStatusCode string

// HealthStatus TODO doc.
type HealthStatus struct {
	Status             HealthStatusCode `json:"status,omitempty" protobuf:"bytes,1,opt,name=status"`
	Message            string           `json:"message,omitempty" protobuf:"bytes,2,opt,name=message"`
	LastTransitionTime *metav1.Time     `json:"lastTransitionTime,omitempty" protobuf:"bytes,3,opt,name=lastTransitionTime"`
}

// HealthStatusCode is a word.
type HealthStatusCode string

// SyncStatus TODO doc.
type SyncStatus struct {
	Status     SyncStatusCode `json:"status" protobuf:"bytes,1,opt,name=status"`
	ComparedTo ComparedTo     `json:"comparedTo,omitempty" protobuf:"bytes,2,opt,name=comparedTo"`
	Revision   string         `json:"revision,omitempty" protobuf:"bytes,3,opt,name=revision"`
	Revisions  []string       `json:"revisions,omitempty" protobuf:"bytes,4,rep,name=revisions"`
}

// ComparedTo TODO doc.
type ComparedTo struct {
	Source            ApplicationSource      `json:"source,omitempty" protobuf:"bytes,1,opt,name=source"`
	Destination       ApplicationDestination `json:"destination" protobuf:"bytes,2,opt,name=destination"`
	Sources           ApplicationSources     `json:"sources,omitempty" protobuf:"bytes,3,rep,name=sources"`
	IgnoreDifferences IgnoreDifferences      `json:"ignoreDifferences,omitempty" protobuf:"bytes,4,rep,name=ignoreDifferences"`
}

// AppHealthStatus TODO doc.
type AppHealthStatus struct {
	Status             HealthStatusCode `json:"status,omitempty" protobuf:"bytes,1,opt,name=status"`
	Message            string           `json:"message,omitempty" protobuf:"bytes,2,opt,name=message"`
	LastTransitionTime *metav1.Time     `json:"lastTransitionTime,omitempty" protobuf:"bytes,3,opt,name=lastTransitionTime"`
}

// RevisionHistories is a list.
type RevisionHistories []RevisionHistory

// RevisionHistory TODO doc.
type RevisionHistory struct {
	Revision        string             `json:"revision,omitempty" protobuf:"bytes,2,opt,name=revision"`
	DeployedAt      metav1.Time        `json:"deployedAt" protobuf:"bytes,4,opt,name=deployedAt"`
	ID              int64              `json:"id" protobuf:"varint,5,opt,name=id"`
	Source          ApplicationSource  `json:"source,omitempty" protobuf:"bytes,6,opt,name=source"`
	DeployStartedAt *metav1.Time       `json:"deployStartedAt,omitempty" protobuf:"bytes,7,opt,name=deployStartedAt"`
	Sources         ApplicationSources `json:"sources,omitempty" protobuf:"bytes,8,rep,name=sources"`
	Revisions       []string           `json:"revisions,omitempty" protobuf:"bytes,9,rep,name=revisions"`
	InitiatedBy     OperationInitiator `json:"initiatedBy,omitempty" protobuf:"bytes,10,opt,name=initiatedBy"`
}

// OperationInitiator TODO doc.
type OperationInitiator struct {
	Username  string `json:"username,omitempty" protobuf:"bytes,1,opt,name=username"`
	Automated bool   `json:"automated,omitempty" protobuf:"varint,2,opt,name=automated"`
}

// ApplicationCondition TODO doc.
type ApplicationCondition struct {
	Type               ApplicationConditionType `json:"type" protobuf:"bytes,1,opt,name=type"`
	Message            string                   `json:"message" protobuf:"bytes,2,opt,name=message"`
	LastTransitionTime *metav1.Time             `json:"lastTransitionTime,omitempty" protobuf:"bytes,3,opt,name=lastTransitionTime"`
}

// ApplicationConditionType is a word.
type ApplicationConditionType string

// OperationState TODO doc.
type OperationState struct {
	Operation  Operation            `json:"operation" protobuf:"bytes,1,opt,name=operation"`
	Phase      OperationPhase       `json:"phase" protobuf:"bytes,2,opt,name=phase"`
	Message    string               `json:"message,omitempty" protobuf:"bytes,3,opt,name=message"`
	SyncResult *SyncOperationResult `json:"syncResult,omitempty" protobuf:"bytes,4,opt,name=syncResult"`
	StartedAt  metav1.Time          `json:"startedAt" protobuf:"bytes,6,opt,name=startedAt"`
	FinishedAt *metav1.Time         `json:"finishedAt,omitempty" protobuf:"bytes,7,opt,name=finishedAt"`
	RetryCount int64                `json:"retryCount,omitempty" protobuf:"varint,8,opt,name=retryCount"`
}

// Operation TODO doc.
type Operation struct {
	Sync        *SyncOperation     `json:"sync,omitempty" protobuf:"bytes,1,opt,name=sync"`
	InitiatedBy OperationInitiator `json:"initiatedBy,omitempty" protobuf:"bytes,2,opt,name=initiatedBy"`
	Info        []*Info            `json:"info,omitempty" protobuf:"bytes,3,rep,name=info"`
	Retry       RetryStrategy      `json:"retry,omitempty" protobuf:"bytes,4,opt,name=retry"`
}

// SyncOperation TODO doc.
type SyncOperation struct {
	Revision              string                  `json:"revision,omitempty" protobuf:"bytes,1,opt,name=revision"`
	Prune                 bool                    `json:"prune,omitempty" protobuf:"varint,2,opt,name=prune"`
	DryRun                bool                    `json:"dryRun,omitempty" protobuf:"varint,3,opt,name=dryRun"`
	SyncStrategy          *SyncStrategy           `json:"syncStrategy,omitempty" protobuf:"bytes,4,opt,name=syncStrategy"`
	Resources             []SyncOperationResource `json:"resources,omitempty" protobuf:"bytes,6,rep,name=resources"`
	Source                *ApplicationSource      `json:"source,omitempty" protobuf:"bytes,7,opt,name=source"`
	Manifests             []string                `json:"manifests,omitempty" protobuf:"bytes,8,rep,name=manifests"`
	SyncOptions           SyncOptions             `json:"syncOptions,omitempty" protobuf:"bytes,9,rep,name=syncOptions"`
	Sources               ApplicationSources      `json:"sources,omitempty" protobuf:"bytes,10,rep,name=sources"`
	Revisions             []string                `json:"revisions,omitempty" protobuf:"bytes,11,rep,name=revisions"`
	SelfHealAttemptsCount int64                   `json:"autoHealAttemptsCount,omitempty" protobuf:"varint,12,opt,name=autoHealAttemptsCount"`
}

// SyncStrategy TODO doc.
type SyncStrategy struct {
	Apply *SyncStrategyApply `json:"apply,omitempty" protobuf:"bytes,1,opt,name=apply"`
	Hook  *SyncStrategyHook  `json:"hook,omitempty" protobuf:"bytes,2,opt,name=hook"`
}

// SyncStrategyApply TODO doc.
type SyncStrategyApply struct {
	Force bool `json:"force,omitempty" protobuf:"varint,1,opt,name=force"`
}

// SyncStrategyHook TODO doc.
type SyncStrategyHook struct {
	SyncStrategyApply `json:",inline" protobuf:"bytes,1,opt,name=syncStrategyApply"`
}

// SyncOperationResource TODO doc.
type SyncOperationResource struct {
	Group     string `json:"group,omitempty" protobuf:"bytes,1,opt,name=group"`
	Kind      string `json:"kind" protobuf:"bytes,2,opt,name=kind"`
	Name      string `json:"name" protobuf:"bytes,3,opt,name=name"`
	Namespace string `json:"namespace,omitempty" protobuf:"bytes,4,opt,name=namespace"`
}

// OperationPhase is a word.
type OperationPhase string

// SyncOperationResult TODO doc.
type SyncOperationResult struct {
	Resources                ResourceResults           `json:"resources,omitempty" protobuf:"bytes,1,rep,name=resources"`
	Revision                 string                    `json:"revision" protobuf:"bytes,2,opt,name=revision"`
	Source                   ApplicationSource         `json:"source,omitempty" protobuf:"bytes,3,opt,name=source"`
	Sources                  ApplicationSources        `json:"sources,omitempty" protobuf:"bytes,4,rep,name=sources"`
	Revisions                []string                  `json:"revisions,omitempty" protobuf:"bytes,5,rep,name=revisions"`
	ManagedNamespaceMetadata *ManagedNamespaceMetadata `json:"managedNamespaceMetadata,omitempty" protobuf:"bytes,6,opt,name=managedNamespaceMetadata"`
}

// ResourceResults is a list.
type ResourceResults []*ResourceResult

// ResourceResult TODO doc.
type ResourceResult struct {
	Group     string         `json:"group" protobuf:"bytes,1,opt,name=group"`
	Version   string         `json:"version" protobuf:"bytes,2,opt,name=version"`
	Kind      string         `json:"kind" protobuf:"bytes,3,opt,name=kind"`
	Namespace string         `json:"namespace" protobuf:"bytes,4,opt,name=namespace"`
	Name      string         `json:"name" protobuf:"bytes,5,opt,name=name"`
	Status    ResultCode     `json:"status,omitempty" protobuf:"bytes,6,opt,name=status"`
	Message   string         `json:"message,omitempty" protobuf:"bytes,7,opt,name=message"`
	HookType  HookType       `json:"hookType,omitempty" protobuf:"bytes,8,opt,name=hookType"`
	HookPhase OperationPhase `json:"hookPhase,omitempty" protobuf:"bytes,9,opt,name=hookPhase"`
	SyncPhase SyncPhase      `json:"syncPhase,omitempty" protobuf:"bytes,10,opt,name=syncPhase"`
	Images    []string       `json:"images,omitempty" protobuf:"bytes,11,rep,name=images"`
}

// ResultCode is a word.
type ResultCode string

// HookType is a word.
type HookType string

// SyncPhase is a word.
type SyncPhase string

// ApplicationSourceType is a word.
type ApplicationSourceType string

// ApplicationSummary TODO doc.
type ApplicationSummary struct {
	ExternalURLs []string `json:"externalURLs,omitempty" protobuf:"bytes,1,rep,name=externalURLs"`
	Images       []string `json:"images,omitempty" protobuf:"bytes,2,rep,name=images"`
	IsAppOfApps  bool     `json:"isAppOfApps,omitempty" protobuf:"varint,3,opt,name=isAppOfApps"`
}

// ResourceHealthLocation is a word.
type ResourceHealthLocation string

// SourceHydratorStatus TODO doc.
type SourceHydratorStatus struct {
	LastSuccessfulOperation *SuccessfulHydrateOperation `json:"lastSuccessfulOperation,omitempty" protobuf:"bytes,1,opt,name=lastSuccessfulOperation"`
	CurrentOperation        *HydrateOperation           `json:"currentOperation,omitempty" protobuf:"bytes,2,opt,name=currentOperation"`
	LastComparedDryRevision string                      `json:"lastComparedDryRevision,omitempty" protobuf:"bytes,3,opt,name=lastComparedDryRevision"`
}

// SuccessfulHydrateOperation TODO doc.
type SuccessfulHydrateOperation struct {
	DrySHA         string         `json:"drySHA,omitempty" protobuf:"bytes,5,opt,name=drySHA"`
	HydratedSHA    string         `json:"hydratedSHA,omitempty" protobuf:"bytes,6,opt,name=hydratedSHA"`
	SourceHydrator SourceHydrator `json:"sourceHydrator,omitempty" protobuf:"bytes,7,opt,name=sourceHydrator"`
}

// HydrateOperation TODO doc.
type HydrateOperation struct {
	StartedAt      metav1.Time           `json:"startedAt,omitempty" protobuf:"bytes,1,opt,name=startedAt"`
	FinishedAt     *metav1.Time          `json:"finishedAt,omitempty" protobuf:"bytes,2,opt,name=finishedAt"`
	Phase          HydrateOperationPhase `json:"phase" protobuf:"bytes,3,opt,name=phase"`
	Message        string                `json:"message" protobuf:"bytes,4,opt,name=message"`
	DrySHA         string                `json:"drySHA,omitempty" protobuf:"bytes,5,opt,name=drySHA"`
	HydratedSHA    string                `json:"hydratedSHA,omitempty" protobuf:"bytes,6,opt,name=hydratedSHA"`
	SourceHydrator SourceHydrator        `json:"sourceHydrator,omitempty" protobuf:"bytes,7,opt,name=sourceHydrator"`
}

// HydrateOperationPhase is a word.
// +kubebuilder:validation:Enum=Hydrating;Failed;Hydrated
type HydrateOperationPhase string

// ApplicationList TODO doc.
// +kubebuilder:object:root=true
type ApplicationList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata" protobuf:"bytes,1,opt,name=metadata"`
	Items           []Application `json:"items" protobuf:"bytes,2,rep,name=items"`
}
