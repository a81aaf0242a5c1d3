package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// SealedSecret is a Secret whose values only the operator can read: each item is encrypted for the operator's sealing
// key, so the object may lie in Git. The operator makes the Secret of the same name and namespace from it.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:path=sealedsecrets,singular=sealedsecret
// +kubebuilder:subresource:status
// +kubebuilder:printcolumn:name="Status",type=string,JSONPath=`.status.conditions[0].message`
// +kubebuilder:printcolumn:name="Synced",type=string,JSONPath=`.status.conditions[0].status`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type SealedSecret struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec holds the encrypted items and the shape of the Secret.
	Spec SealedSecretSpec `json:"spec"`
	// Status tells whether the Secret could be made.
	// +optional
	Status SealedSecretStatus `json:"status,omitzero"`
}

// SealedSecretSpec holds the encrypted items and the shape of the Secret (contract A1).
type SealedSecretSpec struct {
	// Template shapes the Secret: its metadata, its type and further keys.
	// +optional
	Template SecretTemplate `json:"template,omitzero"`
	// Data is a whole Secret in JSON, encrypted as one blob. Deprecated: it is the older form, read but never written,
	// and excludes items in EncryptedData.
	// +optional
	Data []byte `json:"data,omitempty"`
	// EncryptedData maps the key of each item of the Secret to its ciphertext in standard base64. It may be empty, for
	// a Secret that has nothing but the keys of the template.
	EncryptedData EncryptedData `json:"encryptedData"`
}

// EncryptedData maps the key of an item to its ciphertext in standard base64.
type EncryptedData map[string]string

// SecretTemplate shapes the Secret that comes out of a SealedSecret (contract A1).
type SecretTemplate struct {
	// ObjectMeta is copied to the Secret when it is made: labels, annotations, finalizers. Name and namespace are
	// always those of the SealedSecret.
	// +optional
	// +nullable
	// +kubebuilder:pruning:PreserveUnknownFields
	metav1.ObjectMeta `json:"metadata,omitzero"`
	// Type is the type of the Secret. Default: Opaque.
	// +optional
	Type string `json:"type,omitempty"`
	// Immutable makes the Secret immutable from its creation on; on an existing Secret it has no effect.
	// +optional
	Immutable *bool `json:"immutable,omitempty"`
	// Data maps keys of the Secret to Go templates over the decrypted items. An encrypted item of the same key wins; a
	// key set to null is left out of the Secret.
	// +optional
	// +nullable
	Data map[string]*string `json:"data,omitempty"`
}

// SealedSecretStatus tells whether the Secret could be made.
type SealedSecretStatus struct {
	// ObservedGeneration is the generation of the SealedSecret that the conditions speak of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// Conditions holds Synced first, and then, once the Secret could be made, SealedWithNewestKey.
	// +optional
	Conditions []SealedSecretCondition `json:"conditions,omitempty"`
	// Unsealed is what the Secret was last made from. Clients of Sealed Secrets do not know it.
	// +optional
	Unsealed *UnsealedRecord `json:"unsealed,omitempty"`
}

// UnsealedRecord says what a Secret was made from, so that nothing is decrypted again while all of it is as it was, also
// after a restart. It tells nothing about the values.
type UnsealedRecord struct {
	// Digest names what was sealed: the spec, and where the SealedSecret says it may be opened.
	Digest string `json:"digest"`
	// SecretUID and SecretResourceVersion name the Secret as it was written.
	SecretUID             types.UID `json:"secretUID"`
	SecretResourceVersion string    `json:"secretResourceVersion"`
	// Keys are the sealing keys that were needed. A key that no object names any more can be retired.
	// +optional
	Keys []SealingKeyUse `json:"keys,omitempty"`
}

// SealingKeyUse names a sealing key and what it opened.
type SealingKeyUse struct {
	// Fingerprint is the SHA256 fingerprint of the public key, as OpenSSH writes it.
	Fingerprint string `json:"fingerprint"`
	// Items are the keys of encryptedData.
	Items []string `json:"items"`
}

// SealedSecretConditionType names what a condition speaks of.
type SealedSecretConditionType string

// SealedSecretCondition is one thing known about a SealedSecret.
type SealedSecretCondition struct {
	// Type is Synced or SealedWithNewestKey.
	Type SealedSecretConditionType `json:"type"`
	// Status is True, False or Unknown.
	Status metav1.ConditionStatus `json:"status"`
	// LastUpdateTime is when the condition was last written.
	// +optional
	LastUpdateTime metav1.Time `json:"lastUpdateTime,omitzero"`
	// LastTransitionTime is when the status last changed.
	// +optional
	LastTransitionTime metav1.Time `json:"lastTransitionTime,omitzero"`
	// Reason is a word for the status; the operator leaves it empty, as clients expect.
	// +optional
	Reason string `json:"reason,omitempty"`
	// Message says in a sentence why the Secret could not be made. Empty when it could.
	// +optional
	Message string `json:"message,omitempty"`
}

// SealedSecretList is a list of SealedSecrets.
//
// +kubebuilder:object:root=true
type SealedSecretList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	// Items are the SealedSecrets.
	Items []SealedSecret `json:"items"`
}
