package sealedsecret

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	bitnamiv1 "github.com/tiphys-io/tiphys/api/bitnami/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/sealing"
)

// claim is what a SealedSecret may do with the Secret of its name (contract A2).
type claim int

const (
	// absent: there is no such Secret.
	absent claim = iota
	// ours: the SealedSecret is its controller, or it was made from it without becoming that.
	ours
	// managed: its annotation gives it away.
	managed
	// patched: its annotation lets data be added. With managed it is given away as well.
	patched
	patchedAndManaged
	// foreign: it is somebody else's.
	foreign
)

// claimOf reads the metadata of a Secret, nil when there is none.
func claimOf(secret client.Object, object *bitnamiv1.SealedSecret, record *bitnamiv1.UnsealedRecord) claim {
	if secret == nil {
		return absent
	}
	annotations := secret.GetAnnotations()
	isManaged := annotations[bitnamiv1.AnnotationManaged] == "true"
	switch {
	case annotations[bitnamiv1.AnnotationPatch] == "true" && isManaged:
		return patchedAndManaged
	case annotations[bitnamiv1.AnnotationPatch] == "true":
		return patched
	case metav1.IsControlledBy(secret, object), record != nil && record.SecretUID == secret.GetUID():
		return ours
	case isManaged:
		return managed
	}
	return foreign
}

// settled tells whether nothing has changed since the Secret was written: neither what was sealed, nor the Secret, and the keys
// that were needed are in use still.
func settled(record *bitnamiv1.UnsealedRecord, digest string, secret client.Object, ring *sealing.Ring) bool {
	return record != nil && secret != nil && record.Digest == digest && record.SecretUID == secret.GetUID() &&
		record.SecretResourceVersion == secret.GetResourceVersion() && opens(ring, record)
}

// opens tells whether all keys that a Secret was made with are in use.
func opens(ring *sealing.Ring, record *bitnamiv1.UnsealedRecord) bool {
	return !slices.ContainsFunc(record.Keys, func(use bitnamiv1.SealingKeyUse) bool { return !ring.Opens(use.Fingerprint) })
}

// recordOf says what a Secret was made from.
func recordOf(digest string, secret *corev1.Secret, keys map[string]string) *bitnamiv1.UnsealedRecord {
	record := &bitnamiv1.UnsealedRecord{Digest: digest, SecretUID: secret.UID, SecretResourceVersion: secret.ResourceVersion}
	items := sealing.ItemsByKey(keys)
	for _, key := range slices.Sorted(maps.Keys(items)) {
		record.Keys = append(record.Keys, bitnamiv1.SealingKeyUse{Fingerprint: key, Items: items[key]})
	}
	return record
}

// combine is the live Secret with what is wanted of it (contract A6 step 4), nil when nothing is to be written.
func combine(live, wanted *corev1.Secret, owned claim) (*corev1.Secret, *failure) {
	changed := live.DeepCopy()
	switch owned {
	case foreign:
		if adoptable(live, wanted) {
			return nil, nil
		}
		message := fmt.Sprintf("Resource %q already exists and is not managed by SealedSecret", live.Name)
		return nil, &failure{metric: "unmanaged", event: reasonUpdateFailed, message: message, status: "failed update: " + message}
	case patched, patchedAndManaged:
		changed.Data = merged(live.Data, wanted.Data)
		changed.Labels = merged(live.Labels, wanted.Labels)
		changed.Annotations = merged(live.Annotations, wanted.Annotations)
		if owned == patchedAndManaged {
			changed.OwnerReferences = wanted.OwnerReferences
		}
		if wanted.Type != "" {
			changed.Type = wanted.Type
		}
	default:
		changed.Data, changed.Labels, changed.Annotations = wanted.Data, wanted.Labels, wanted.Annotations
		changed.OwnerReferences, changed.Type = wanted.OwnerReferences, typeOf(wanted)
	}
	if equality.Semantic.DeepEqual(live, changed) {
		return nil, nil
	}
	if failed := forbidden(live, changed); failed != nil {
		return nil, failed
	}
	return changed, nil
}

// forbidden says which change the API server would refuse, and the remedy. The deletion of the Secret brings the next attempt.
func forbidden(live, changed *corev1.Secret) *failure {
	remedy := fmt.Sprintf("delete it (kubectl delete secret -n %s %s), and it is made anew", live.Namespace, live.Name)
	text := ""
	switch {
	case live.Type != changed.Type:
		text = fmt.Sprintf("the type of a Secret cannot be changed, the target Secret has %q and is to have %q: %s", live.Type, changed.Type, remedy)
	case isTrue(live.Immutable) && !equality.Semantic.DeepEqual(live.Data, changed.Data):
		text = "the target Secret is immutable, its data cannot be changed: " + remedy
	default:
		return nil
	}
	return &failure{
		metric: "update", event: reasonUpdateFailed, status: "failed update: " + text, final: true,
		message: fmt.Sprintf("Error updating %s/%s: %s", live.Namespace, live.Name, text),
	}
}

// adoptable tells whether a Secret that is to have no owner is already what is wanted: it was made from this SealedSecret, by
// another controller or before the SealedSecret was made anew.
func adoptable(live, wanted *corev1.Secret) bool {
	return len(wanted.OwnerReferences) == 0 && len(live.OwnerReferences) == 0 && live.Type == typeOf(wanted) &&
		equality.Semantic.DeepEqual(live.Data, wanted.Data) && equality.Semantic.DeepEqual(live.Labels, wanted.Labels) &&
		equality.Semantic.DeepEqual(live.Annotations, wanted.Annotations)
}

// typeOf is the type that the API server gives a Secret.
func typeOf(secret *corev1.Secret) corev1.SecretType {
	if secret.Type == "" {
		return corev1.SecretTypeOpaque
	}
	return secret.Type
}

func merged[V any](live, wanted map[string]V) map[string]V {
	if len(wanted) == 0 {
		return live
	}
	all := maps.Clone(live)
	if all == nil {
		all = map[string]V{}
	}
	maps.Copy(all, wanted)
	return all
}

func isTrue(value *bool) bool { return value != nil && *value }

// updateFailed tells what the API server said, without values that somebody on the way may have quoted.
func updateFailed(err error, wanted *corev1.Secret) *failure {
	message := withoutValues(err.Error(), wanted.Data)
	return &failure{metric: "update", event: reasonUpdateFailed, message: message, status: message}
}

// shortest is the length of the shortest value that is looked for in a text: shorter ones are found in any.
const shortest = 4

func withoutValues(text string, data map[string][]byte) string {
	for _, value := range data {
		if len(value) < shortest {
			continue
		}
		for _, form := range []string{string(value), base64.StdEncoding.EncodeToString(value)} {
			text = strings.ReplaceAll(text, form, "++++++")
		}
	}
	return text
}

const (
	firstRetry = time.Second // contract A9: not sooner
	lastRetry  = 5 * time.Minute
)

// backoff is the pause after a number of failures in a row. It never ends.
func backoff(failures int) time.Duration {
	pause := firstRetry
	for i := 1; i < failures && pause < lastRetry; i++ {
		pause *= 2
	}
	return min(pause, lastRetry)
}

// fingerprintKey makes fingerprints worthless outside the process.
var fingerprintKey = func() []byte {
	key := make([]byte, sha256.Size)
	_, _ = rand.Read(key) // never fails
	return key
}()

// fingerprint names the parts of a Secret that a SealedSecret decides, without telling what they are.
func fingerprint(secret *corev1.Secret) string {
	sum := hmac.New(sha256.New, fingerprintKey)
	err := json.NewEncoder(sum).Encode([]any{
		secret.Data, secret.Type, secret.Labels, secret.Annotations, secret.OwnerReferences, secret.Immutable,
	})
	if err != nil {
		return ""
	}
	return string(sum.Sum(nil))
}
