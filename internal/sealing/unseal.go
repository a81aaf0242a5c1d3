package sealing

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	bitnamiv1 "github.com/tiphys-io/tiphys/api/bitnami/v1alpha1"
)

// Unseal makes the Secret that a SealedSecret asks for (contract A1), and tells which key each item was sealed with. An error
// names the items and holds no value.
func (r *Ring) Unseal(object *bitnamiv1.SealedSecret, options Options) (*corev1.Secret, map[string]string, error) {
	opened, err := r.Open(object, options)
	if err != nil {
		return nil, nil, err
	}
	secret := opened.legacy
	if secret == nil {
		template := object.Spec.Template
		secret = &corev1.Secret{ObjectMeta: *template.ObjectMeta.DeepCopy(), Type: corev1.SecretType(template.Type), Immutable: template.Immutable}
		if secret.Data, err = merge(opened.Values, template.Data); err != nil {
			return nil, nil, err
		}
	}
	secret.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"}
	identify(secret, object)
	return secret, opened.Keys, nil
}

// merge joins the decrypted items with those that the template renders; null in the template leaves a key out.
func merge(values map[string][]byte, templates map[string]*string) (map[string][]byte, error) {
	rendered, err := render(values, templates)
	if err != nil {
		return nil, err
	}
	data := maps.Clone(values)
	for key, text := range templates {
		if text == nil {
			delete(data, key)
		} else if _, sealed := values[key]; !sealed {
			data[key] = rendered[key]
		}
	}
	return data, nil
}

// identify makes the Secret the SealedSecret's own: what the template says about identity does not count.
func identify(secret *corev1.Secret, object *bitnamiv1.SealedSecret) {
	secret.Namespace, secret.Name, secret.GenerateName = object.Namespace, object.Name, ""
	secret.UID, secret.ResourceVersion, secret.Generation = "", "", 0
	secret.CreationTimestamp, secret.DeletionTimestamp, secret.DeletionGracePeriodSeconds = metav1.Time{}, nil, nil
	secret.ManagedFields = nil
	if SkipsOwner(object) {
		return
	}
	controller := true
	secret.OwnerReferences = []metav1.OwnerReference{{
		APIVersion: bitnamiv1.GroupVersion.String(), Kind: "SealedSecret", Name: object.Name, UID: object.UID, Controller: &controller,
	}}
}

// SkipsOwner tells whether the Secret is to have no owner (contract A2).
func SkipsOwner(object *bitnamiv1.SealedSecret) bool {
	return object.Spec.Template.Annotations[bitnamiv1.AnnotationSkipSetOwnerReferences] == "true"
}

// digestVersion changes when the same SealedSecret gives another Secret than before.
const digestVersion = "1"

// Digest names all that the Secret of a SealedSecret is made from, apart from the keys. It tells nothing about what is sealed.
func Digest(object *bitnamiv1.SealedSecret) (string, error) {
	data, err := json.Marshal(struct {
		Version, Label string
		UID            types.UID
		Spec           *bitnamiv1.SealedSecretSpec
	}{digestVersion, placeOf(object).label(), object.UID, &object.Spec})
	if err != nil {
		return "", fmt.Errorf("digest of SealedSecret %s/%s: %w", object.Namespace, object.Name, err)
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:]), nil
}

// ItemsByKey turns the keys of items into the sorted items of each key.
func ItemsByKey(keys map[string]string) map[string][]string {
	items := map[string][]string{}
	for _, item := range slices.Sorted(maps.Keys(keys)) {
		items[keys[item]] = append(items[keys[item]], item)
	}
	return items
}
