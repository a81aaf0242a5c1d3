package v1alpha1

// Health of an object or an application, from best to worst (contract 4.1).
const (
	HealthHealthy     HealthStatusCode = "Healthy"
	HealthSuspended   HealthStatusCode = "Suspended"
	HealthProgressing HealthStatusCode = "Progressing"
	HealthMissing     HealthStatusCode = "Missing"
	HealthDegraded    HealthStatusCode = "Degraded"
	HealthUnknown     HealthStatusCode = "Unknown"
)

// Comparison of an object or an application with its target (contract 3.5).
const (
	SyncStatusSynced    SyncStatusCode = "Synced"
	SyncStatusOutOfSync SyncStatusCode = "OutOfSync"
	SyncStatusUnknown   SyncStatusCode = "Unknown"
)

// Phases of an operation (contract 1.7).
const (
	OperationRunning     OperationPhase = "Running"
	OperationTerminating OperationPhase = "Terminating"
	OperationFailed      OperationPhase = "Failed"
	OperationError       OperationPhase = "Error"
	OperationSucceeded   OperationPhase = "Succeeded"
)

// Phases of a sync (contract 2.2).
const (
	SyncPhasePreSync  SyncPhase = "PreSync"
	SyncPhaseSync     SyncPhase = "Sync"
	SyncPhasePostSync SyncPhase = "PostSync"
	SyncPhaseSyncFail SyncPhase = "SyncFail"
)

// Kinds of hooks (contract 2.3).
const (
	HookTypePreSync    HookType = "PreSync"
	HookTypeSync       HookType = "Sync"
	HookTypePostSync   HookType = "PostSync"
	HookTypeSyncFail   HookType = "SyncFail"
	HookTypeSkip       HookType = "Skip"
	HookTypePreDelete  HookType = "PreDelete"
	HookTypePostDelete HookType = "PostDelete"
)

// Results of one task of a sync (contract 2.5).
const (
	ResultCodeSynced       ResultCode = "Synced"
	ResultCodeSyncFailed   ResultCode = "SyncFailed"
	ResultCodePruned       ResultCode = "Pruned"
	ResultCodePruneSkipped ResultCode = "PruneSkipped"
)

// Types of application conditions (contract 1.8).
const (
	ConditionDeletionError           ApplicationConditionType = "DeletionError"
	ConditionInvalidSpecError        ApplicationConditionType = "InvalidSpecError"
	ConditionComparisonError         ApplicationConditionType = "ComparisonError"
	ConditionSyncError               ApplicationConditionType = "SyncError"
	ConditionUnknownError            ApplicationConditionType = "UnknownError"
	ConditionSharedResourceWarning   ApplicationConditionType = "SharedResourceWarning"
	ConditionRepeatedResourceWarning ApplicationConditionType = "RepeatedResourceWarning"
	ConditionExcludedResourceWarning ApplicationConditionType = "ExcludedResourceWarning"
	ConditionOrphanedResourceWarning ApplicationConditionType = "OrphanedResourceWarning"
	// ConditionStatusSizeWarning is one of Tiphys: rows were left out of a status that would have been too large.
	ConditionStatusSizeWarning ApplicationConditionType = "StatusSizeWarning"
	// ConditionContestedFieldWarning is one of Tiphys: another controller undoes what self-heal does.
	ConditionContestedFieldWarning ApplicationConditionType = "ContestedFieldWarning"
)

// Types of a source (contract 1.2).
const (
	SourceTypeHelm      ApplicationSourceType = "Helm"
	SourceTypeKustomize ApplicationSourceType = "Kustomize"
	SourceTypeDirectory ApplicationSourceType = "Directory"
	SourceTypePlugin    ApplicationSourceType = "Plugin"
)

// Phases of a rendering to a branch (contract 1.1).
const (
	HydratePhaseHydrating HydrateOperationPhase = "Hydrating"
	HydratePhaseFailed    HydrateOperationPhase = "Failed"
	HydratePhaseHydrated  HydrateOperationPhase = "Hydrated"
)

// Places where the health of each object is found (contract 1.7).
const (
	ResourceHealthInline  ResourceHealthLocation = ""
	ResourceHealthAppTree ResourceHealthLocation = "appTree"
)

// What may happen to the Applications of an ApplicationSet (contract 6.4).
const (
	ApplicationsSyncCreateOnly   ApplicationsSyncPolicy = "create-only"
	ApplicationsSyncCreateUpdate ApplicationsSyncPolicy = "create-update"
	ApplicationsSyncCreateDelete ApplicationsSyncPolicy = "create-delete"
	ApplicationsSyncAll          ApplicationsSyncPolicy = "sync"
)

// Types of conditions of an ApplicationSet (contract 6.4).
const (
	ApplicationSetErrorOccurred        ApplicationSetConditionType = "ErrorOccurred"
	ApplicationSetParametersGenerated  ApplicationSetConditionType = "ParametersGenerated"
	ApplicationSetResourcesUpToDate    ApplicationSetConditionType = "ResourcesUpToDate"
	ApplicationSetRolloutProgressing   ApplicationSetConditionType = "RolloutProgressing"
	ApplicationSetInvalidRolloutConfig ApplicationSetConditionType = "InvalidRolloutConfig"
)

// Statuses of conditions of an ApplicationSet.
const (
	ApplicationSetConditionTrue    ApplicationSetConditionStatus = "True"
	ApplicationSetConditionFalse   ApplicationSetConditionStatus = "False"
	ApplicationSetConditionUnknown ApplicationSetConditionStatus = "Unknown"
)

// States of an Application in a RollingSync (contract 6.5).
const (
	ProgressiveSyncWaiting     ProgressiveSyncStatusCode = "Waiting"
	ProgressiveSyncPending     ProgressiveSyncStatusCode = "Pending"
	ProgressiveSyncProgressing ProgressiveSyncStatusCode = "Progressing"
	ProgressiveSyncHealthy     ProgressiveSyncStatusCode = "Healthy"
)

// Which commits must be signed (contract 7).
const (
	GPGModeNone   SourceIntegrityGitPolicyGPGMode = "none"
	GPGModeHead   SourceIntegrityGitPolicyGPGMode = "head"
	GPGModeStrict SourceIntegrityGitPolicyGPGMode = "strict"
)

// Finalizers of an Application and of its hooks (contract 1.9).
const (
	FinalizerResources           = "resources-finalizer.argocd.argoproj.io"
	FinalizerResourcesForeground = "resources-finalizer.argocd.argoproj.io/foreground"
	FinalizerResourcesBackground = "resources-finalizer.argocd.argoproj.io/background"
	FinalizerPreDelete           = "pre-delete-finalizer.argocd.argoproj.io"
	FinalizerPreDeleteCleanup    = "pre-delete-finalizer.argocd.argoproj.io/cleanup"
	FinalizerPostDelete          = "post-delete-finalizer.argocd.argoproj.io"
	FinalizerPostDeleteCleanup   = "post-delete-finalizer.argocd.argoproj.io/cleanup"
	FinalizerHook                = "argocd.argoproj.io/hook-finalizer"
)

// Annotations and labels that users write and tools read (contract 1.10).
const (
	AnnotationRefresh               = "argocd.argoproj.io/refresh"
	AnnotationRefreshTimestamp      = "argocd.argoproj.io/refresh-timestamp"
	AnnotationManifestGeneratePaths = "argocd.argoproj.io/manifest-generate-paths"
	AnnotationSkipReconcile         = "argocd.argoproj.io/skip-reconcile"
	AnnotationCompareOptions        = "argocd.argoproj.io/compare-options"
	AnnotationDeletionApproved      = "argocd.argoproj.io/deletion-approved"
	AnnotationMigrationManager      = "argocd.argoproj.io/client-side-apply-migration-manager"
	AnnotationSyncWave              = "argocd.argoproj.io/sync-wave"
	AnnotationHook                  = "argocd.argoproj.io/hook"
	AnnotationHookDeletePolicy      = "argocd.argoproj.io/hook-delete-policy"
	AnnotationSyncOptions           = "argocd.argoproj.io/sync-options"
	AnnotationTrackingID            = "argocd.argoproj.io/tracking-id"
	AnnotationInstallationID        = "argocd.argoproj.io/installation-id"
	AnnotationIgnoreHealthcheck     = "argocd.argoproj.io/ignore-healthcheck"
	AnnotationIgnoreRestart         = "argocd.argoproj.io/ignore-restart-policy"
	AnnotationIgnoreUpdates         = "argocd.argoproj.io/ignore-resource-updates"
	AnnotationHelmHook              = "helm.sh/hook"
	AnnotationHelmHookWeight        = "helm.sh/hook-weight"
	AnnotationHelmHookDelete        = "helm.sh/hook-delete-policy"
	AnnotationHelmPolicy            = "helm.sh/resource-policy"
	AnnotationLinkPrefix            = "link.argocd.argoproj.io/"
	LabelInstance                   = "app.kubernetes.io/instance"
)

const (
	// DefaultProject is the project of an Application that names none (contract 1.2).
	DefaultProject = "default"
	// InClusterServer and InClusterName both mean the cluster that the operator runs in (contract 1.2).
	InClusterServer = "https://kubernetes.default.svc"
	// InClusterName is the name of that cluster.
	InClusterName = "in-cluster"
	// FieldManager writes every object that the operator applies (contract 2.7).
	FieldManager = "argocd-controller"
	// DefaultRevisionHistoryLimit is the number of history entries kept when spec says nothing (contract 1.2).
	DefaultRevisionHistoryLimit = 10
)
