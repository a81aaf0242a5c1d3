package v1alpha1

// Annotations of a SealedSecret or of its template. Each counts only when its value is exactly "true" (contract A2).
const (
	// AnnotationClusterWide on a SealedSecret: its items may be unsealed under any name in any namespace. It wins over
	// AnnotationNamespaceWide.
	AnnotationClusterWide = "sealedsecrets.bitnami.com/cluster-wide"
	// AnnotationNamespaceWide on a SealedSecret: its items may be unsealed under any name in the same namespace.
	AnnotationNamespaceWide = "sealedsecrets.bitnami.com/namespace-wide"
	// AnnotationManaged on an existing Secret lets a SealedSecret overwrite it and become its owner.
	AnnotationManaged = "sealedsecrets.bitnami.com/managed"
	// AnnotationPatch on an existing Secret lets a SealedSecret add to it without removing anything or becoming its owner.
	AnnotationPatch = "sealedsecrets.bitnami.com/patch"
	// AnnotationSkipSetOwnerReferences in the template leaves the Secret without an owner reference.
	AnnotationSkipSetOwnerReferences = "sealedsecrets.bitnami.com/skip-set-owner-references"
)

const (
	// LabelSealingKey marks the Secrets that hold a sealing key (contract A2).
	LabelSealingKey = "sealedsecrets.bitnami.com/sealed-secrets-key"
	// SealingKeyActive is the value of LabelSealingKey on a key in use; any other value retires the key.
	SealingKeyActive = "active"
)

const (
	// ConditionSynced is True when the Secret equals what the SealedSecret asks for (contract A1).
	ConditionSynced SealedSecretConditionType = "Synced"
	// ConditionSealedWithNewestKey is False when an item is sealed with an older sealing key than the newest. Sealed Secrets
	// has no such condition.
	ConditionSealedWithNewestKey SealedSecretConditionType = "SealedWithNewestKey"
)
