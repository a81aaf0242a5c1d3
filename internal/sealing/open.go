package sealing

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"

	bitnamiv1 "github.com/tiphys-io/tiphys/api/bitnami/v1alpha1"
)

// LegacyItem stands in place of an item's name for the blob of the deprecated form.
const LegacyItem = "spec.data"

// errNoKey has the words that clients look for (contract A6).
var errNoKey = errors.New("no key could decrypt secret")

// Options say what is accepted.
type Options struct {
	// AcceptLegacy accepts the deprecated form, a whole Secret in one blob (contract A1).
	AcceptLegacy bool
}

// Opened is what was sealed in a SealedSecret.
type Opened struct {
	// Values are the plaintexts by item. The deprecated form has them too.
	Values map[string][]byte
	// Keys are the fingerprints of the keys that the items were sealed with.
	Keys map[string]string
	// legacy is the whole Secret of the deprecated form.
	legacy *corev1.Secret
}

// Open decrypts the items of a SealedSecret and renders nothing. Its scope, namespace and name are those of its metadata,
// which the ciphertexts authenticate. An error names the items and holds no value.
func (r *Ring) Open(object *bitnamiv1.SealedSecret, options Options) (*Opened, error) {
	if len(object.Spec.Data) > 0 {
		return r.openLegacy(object, options)
	}
	opened := &Opened{Values: map[string][]byte{}, Keys: map[string]string{}}
	failures := failures{}
	var hint *Key
	var unopened []byte
	for _, item := range slices.Sorted(maps.Keys(object.Spec.EncryptedData)) {
		envelope, err := base64.StdEncoding.DecodeString(object.Spec.EncryptedData[item])
		if err != nil {
			failures.add(item, err)
			continue
		}
		plaintext, key, err := open(r.active, hint, envelope, placeOf(object).label())
		if err != nil {
			failures.add(item, err)
			if unopened == nil && errors.Is(err, errNoKey) {
				unopened = envelope
			}
			continue
		}
		hint = key
		opened.Values[item], opened.Keys[item] = plaintext, key.Fingerprint
	}
	if unopened != nil {
		failures.explain(errNoKey, r.explain(object, unopened))
	}
	return opened, failures.err()
}

// openLegacy decrypts the deprecated form.
func (r *Ring) openLegacy(object *bitnamiv1.SealedSecret, options Options) (*Opened, error) {
	switch {
	case len(object.Spec.EncryptedData) > 0:
		return nil, errors.New("cannot use the field 'encryptedData' and the deprecated field 'data' at the same time")
	case !options.AcceptLegacy:
		return nil, errors.New("the deprecated field 'data' is not accepted here: seal anew, which gives 'encryptedData', or set --accept-deprecated-v1-data")
	}
	plaintext, key, err := r.Decrypt(object.Spec.Data, placeOf(object).label())
	if errors.Is(err, errNoKey) {
		return nil, withReason(err.Error(), r.explain(object, object.Spec.Data))
	}
	if err != nil {
		return nil, err
	}
	secret := &corev1.Secret{}
	if json.Unmarshal(plaintext, secret) != nil { // its error would quote what was decrypted
		return nil, errors.New("what the field 'data' holds is no Secret in JSON")
	}
	values := map[string][]byte{}
	maps.Copy(values, secret.Data)
	for item, value := range secret.StringData {
		values[item] = []byte(value)
	}
	secret.Data, secret.StringData = values, nil
	return &Opened{Values: values, Keys: map[string]string{LegacyItem: key.Fingerprint}, legacy: secret}, nil
}

// explain says why no active key opens an envelope, as far as the keys at hand and the object itself can tell. Empty when
// they cannot. It is for the object's own status: over HTTP it would answer questions about others' objects.
func (r *Ring) explain(object *bitnamiv1.SealedSecret, envelope []byte) string {
	if len(r.active) == 0 && len(r.retired) == 0 {
		return "there is no sealing key"
	}
	here := placeOf(object)
	if _, key, err := open(r.retired, nil, envelope, here.label()); err == nil {
		return retirement(key)
	}
	for _, elsewhere := range suggested(object) {
		_, key, err := open(slices.Concat(r.active, r.retired), nil, envelope, elsewhere.label())
		if err != nil {
			continue
		}
		text := fmt.Sprintf("sealed for %s, this is %s/%s", elsewhere, here.namespace, here.name)
		if elsewhere.scope != here.scope {
			text += " (" + here.scope.String() + ")"
		}
		if key.Retired {
			text += "; and " + retirement(key)
		}
		return text
	}
	return ""
}

func retirement(key *Key) string {
	text := "sealed with key " + key.Fingerprint
	if key.RetiredAt.IsZero() {
		text += ", which was retired"
	} else {
		text += " retired on " + key.RetiredAt.UTC().Format("2006-01-02T15:04:05Z")
	}
	if key.Secret != "" {
		text += fmt.Sprintf(" (Secret %s): seal anew, or label it %s=%s again", key.Secret, bitnamiv1.LabelSealingKey, bitnamiv1.SealingKeyActive)
	}
	return text
}

// suggested are the other places that an object could have been sealed for, going by its own metadata and its template's.
func suggested(object *bitnamiv1.SealedSecret) []place {
	names := []place{{namespace: object.Namespace, name: object.Name}}
	template := object.Spec.Template.ObjectMeta
	if template.Namespace != "" || template.Name != "" {
		other := names[0]
		if template.Namespace != "" {
			other.namespace = template.Namespace
		}
		if template.Name != "" {
			other.name = template.Name
		}
		names = append(names, other)
	}
	var places []place
	tried := map[string]bool{placeOf(object).label(): true}
	for _, at := range names {
		for _, scope := range []Scope{Strict, NamespaceWide, ClusterWide} {
			at.scope = scope
			if !tried[at.label()] {
				tried[at.label()] = true
				places = append(places, at)
			}
		}
	}
	return places
}
