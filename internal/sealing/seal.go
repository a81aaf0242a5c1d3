package sealing

import (
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	bitnamiv1 "github.com/tiphys-io/tiphys/api/bitnami/v1alpha1"
)

// copies are annotations in which tools keep a whole object, with its values in clear.
var copies = []string{corev1.LastAppliedConfigAnnotation, "kubecfg.ksonnet.io/last-applied-configuration"}

// Seal makes a SealedSecret of a Secret. Its scope is that of the Secret's annotations, and stands in the annotations of both
// object and template, as kubeseal writes it.
func Seal(random io.Reader, key *rsa.PublicKey, secret *corev1.Secret) (*bitnamiv1.SealedSecret, error) {
	at := place{ScopeOf(secret.Annotations), secret.Namespace, secret.Name}
	if at.scope != ClusterWide && at.namespace == "" {
		return nil, errors.New("the Secret has no namespace, which the scope " + at.scope.String() + " needs: name one")
	}
	if at.scope == Strict && at.name == "" {
		return nil, errors.New("the Secret has no name, which the scope strict needs: name it")
	}
	values := map[string][]byte{}
	maps.Copy(values, secret.Data)
	for item, value := range secret.StringData {
		values[item] = []byte(value)
	}
	sealed, err := sealItems(random, key, values, at.label())
	if err != nil {
		return nil, err
	}
	return &bitnamiv1.SealedSecret{
		TypeMeta: metav1.TypeMeta{APIVersion: bitnamiv1.GroupVersion.String(), Kind: "SealedSecret"},
		ObjectMeta: metav1.ObjectMeta{
			Namespace: secret.Namespace, Name: secret.Name, Annotations: at.scope.Annotate(nil),
		},
		Spec: bitnamiv1.SealedSecretSpec{
			EncryptedData: sealed,
			Template: bitnamiv1.SecretTemplate{
				ObjectMeta: templateMeta(secret), Type: string(secret.Type), Immutable: secret.Immutable,
			},
		},
	}, nil
}

// templateMeta is the metadata of a Secret as far as it is to be made again, without copies of the object.
func templateMeta(secret *corev1.Secret) metav1.ObjectMeta {
	annotations := maps.Clone(secret.Annotations)
	for _, annotation := range copies {
		delete(annotations, annotation)
	}
	return metav1.ObjectMeta{
		Namespace: secret.Namespace, Name: secret.Name, Labels: maps.Clone(secret.Labels), Annotations: annotations,
		Finalizers: slices.Clone(secret.Finalizers),
	}
}

func sealItems(random io.Reader, key *rsa.PublicKey, values map[string][]byte, label string) (bitnamiv1.EncryptedData, error) {
	sealed := bitnamiv1.EncryptedData{}
	for _, item := range slices.Sorted(maps.Keys(values)) {
		text, err := SealItem(random, key, values[item], label)
		if err != nil {
			return nil, fmt.Errorf("item %s: %w", item, err)
		}
		sealed[item] = text
	}
	return sealed, nil
}

// SealItem encrypts one value, bound to a label, as it stands in spec.encryptedData.
func SealItem(random io.Reader, key *rsa.PublicKey, value []byte, label string) (string, error) {
	envelope, err := Encrypt(random, key, value, label)
	if err != nil {
		return "", err
	}
	return base64.StdEncoding.EncodeToString(envelope), nil
}

// Reseal encrypts each item anew with the newest key, for the place it was sealed for, and carries everything else over as it
// is: no template is rendered and no scope widened (contract A8). Items of the deprecated form become single items, and the
// Secret they lay in the template. It tells whether anything was sealed with an older key.
func (r *Ring) Reseal(random io.Reader, object *bitnamiv1.SealedSecret, options Options) (resealed *bitnamiv1.SealedSecret, stale bool, err error) {
	newest := r.Newest()
	if newest == nil {
		return nil, false, errors.New("there is no active sealing key with a certificate")
	}
	opened, err := r.Open(object, options)
	if err != nil {
		return nil, false, err
	}
	for _, fingerprint := range opened.Keys {
		stale = stale || fingerprint != newest.Fingerprint
	}
	resealed = object.DeepCopy()
	if resealed.Spec.EncryptedData, err = sealItems(random, &newest.Private.PublicKey, opened.Values, placeOf(object).label()); err != nil {
		return nil, false, err
	}
	if opened.legacy != nil {
		stale, resealed.Spec.Data = true, nil
		resealed.Spec.Template.Type, resealed.Spec.Template.Immutable = string(opened.legacy.Type), opened.legacy.Immutable
		skips := SkipsOwner(object)
		resealed.Spec.Template.ObjectMeta = templateMeta(opened.legacy)
		if skips {
			resealed.Spec.Template.Annotations = set(resealed.Spec.Template.Annotations, bitnamiv1.AnnotationSkipSetOwnerReferences)
		}
	}
	resealed.Status = bitnamiv1.SealedSecretStatus{}
	return resealed, stale, nil
}

func set(annotations map[string]string, mark string) map[string]string {
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[mark] = "true"
	return annotations
}
