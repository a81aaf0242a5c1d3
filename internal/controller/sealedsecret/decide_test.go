package sealedsecret

import (
	"crypto/rand"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	bitnamiv1 "github.com/tiphys-io/tiphys/api/bitnami/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/sealing"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func newKey(t *testing.T, notBefore time.Time) *sealing.Key {
	t.Helper()
	key, err := sealing.GenerateKey(rand.Reader, sealing.CertificateOptions{Bits: 1024, NotBefore: notBefore, NotAfter: notBefore.AddDate(10, 0, 0)})
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func owner(uid types.UID) *bitnamiv1.SealedSecret {
	return &bitnamiv1.SealedSecret{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "s", UID: uid, Generation: 1}}
}

func ownedBy(uid types.UID) []metav1.OwnerReference {
	controller := true
	return []metav1.OwnerReference{{APIVersion: "bitnami.com/v1alpha1", Kind: "SealedSecret", Name: "s", UID: uid, Controller: &controller}}
}

func TestClaim(t *testing.T) {
	for _, tc := range []struct {
		reason string
		secret client.Object
		record *bitnamiv1.UnsealedRecord
		want   claim
	}{
		{"nothing there", nil, nil, absent},
		{"somebody's", &corev1.Secret{}, nil, foreign},
		{"controlled by us", &corev1.Secret{ObjectMeta: metav1.ObjectMeta{OwnerReferences: ownedBy("us")}}, nil, ours},
		{"controlled by another instance of the same name", &corev1.Secret{ObjectMeta: metav1.ObjectMeta{OwnerReferences: ownedBy("before")}}, nil, foreign},
		{"made by us without an owner", &corev1.Secret{ObjectMeta: metav1.ObjectMeta{UID: "made"}}, &bitnamiv1.UnsealedRecord{SecretUID: "made"}, ours},
		{"made anew by somebody", &corev1.Secret{ObjectMeta: metav1.ObjectMeta{UID: "other"}}, &bitnamiv1.UnsealedRecord{SecretUID: "made"}, foreign},
		{"given away", annotatedSecret("true", ""), nil, managed},
		{"not exactly true", annotatedSecret("True", "yes"), nil, foreign},
		{"to be added to", annotatedSecret("", "true"), nil, patched},
		{"both", annotatedSecret("true", "true"), nil, patchedAndManaged},
	} {
		if got := claimOf(tc.secret, owner("us"), tc.record); got != tc.want {
			t.Errorf("%s: %d, want %d", tc.reason, got, tc.want)
		}
	}
}

func annotatedSecret(manage, patch string) *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{
		bitnamiv1.AnnotationManaged: manage, bitnamiv1.AnnotationPatch: patch,
	}}}
}

func TestCombine(t *testing.T) {
	yes := true
	live := func(change func(*corev1.Secret)) *corev1.Secret {
		secret := &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: "ns", Name: "s", ResourceVersion: "7", Finalizers: []string{"example.com/f"},
				Labels: map[string]string{"live": "1"}, Annotations: map[string]string{"live": "1"},
			},
			Type: corev1.SecretTypeOpaque, Data: map[string][]byte{"a": []byte("live"), "b": []byte("live")},
		}
		change(secret)
		return secret
	}
	wanted := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"l": "1"}, OwnerReferences: ownedBy("us")}, Data: map[string][]byte{"a": []byte("sealed")},
	}
	replaced := live(func(s *corev1.Secret) {
		s.Data, s.Labels, s.Annotations, s.OwnerReferences = wanted.Data, wanted.Labels, nil, wanted.OwnerReferences
	})
	added := live(func(s *corev1.Secret) {
		s.Data = map[string][]byte{"a": []byte("sealed"), "b": []byte("live")}
		s.Labels = map[string]string{"live": "1", "l": "1"}
	})
	for _, tc := range []struct {
		reason string
		live   *corev1.Secret
		wanted *corev1.Secret
		owned  claim
		want   *corev1.Secret
		fails  string
	}{
		{"replaced, but not finalizers", live(func(*corev1.Secret) {}), wanted, ours, replaced, ""},
		{"nothing to do", replaced, wanted, ours, nil, ""},
		{"added to", live(func(*corev1.Secret) {}), wanted, patched, added, ""},
		{"somebody's", live(func(*corev1.Secret) {}), wanted, foreign, nil, `Resource "s" already exists and is not managed by SealedSecret`},
		{
			"another type", live(func(s *corev1.Secret) { s.Type = "x" }), wanted, ours, nil,
			`the target Secret has "x" and is to have "Opaque": delete it (kubectl delete secret -n ns s), and it is made anew`,
		},
		{"another type, which a patch leaves", live(func(s *corev1.Secret) { s.Type, s.Labels = "x", nil }), &corev1.Secret{Data: map[string][]byte{"a": []byte("live")}}, patched, nil, ""},
		{"immutable", live(func(s *corev1.Secret) { s.Immutable = &yes }), wanted, ours, nil, "the target Secret is immutable"},
		{
			"immutable with the same data, other labels",
			live(func(s *corev1.Secret) { s.Immutable, s.Data = &yes, wanted.Data }),
			wanted, ours,
			live(func(s *corev1.Secret) {
				s.Immutable, s.Data, s.Labels, s.Annotations, s.OwnerReferences = &yes, wanted.Data, wanted.Labels, nil, wanted.OwnerReferences
			}), "",
		},
		{
			"somebody's, and just what is wanted of one without owner", live(func(*corev1.Secret) {}),
			&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"live": "1"}, Annotations: map[string]string{"live": "1"}}, Data: live(func(*corev1.Secret) {}).Data},
			foreign, nil, "",
		},
	} {
		got, failed := combine(tc.live, tc.wanted, tc.owned)
		if (failed != nil) != (tc.fails != "") || (failed != nil && !strings.Contains(failed.status, tc.fails)) {
			t.Errorf("%s: failure %+v", tc.reason, failed)
		}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
		}
	}
}

func TestSettled(t *testing.T) {
	key := newKey(t, now)
	ring := sealing.NewRing(sealing.ByNotBefore, key)
	record := func() *bitnamiv1.UnsealedRecord {
		return &bitnamiv1.UnsealedRecord{
			Digest: "d", SecretUID: "u", SecretResourceVersion: "7", Keys: []bitnamiv1.SealingKeyUse{{Fingerprint: key.Fingerprint, Items: []string{"a"}}},
		}
	}
	secret := func() *corev1.Secret {
		return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{UID: "u", ResourceVersion: "7"}}
	}
	if !settled(record(), "d", secret(), ring) {
		t.Error("what has not changed is not settled")
	}
	touched, another := secret(), secret()
	touched.ResourceVersion, another.UID = "8", "v"
	for reason, is := range map[string]bool{
		"nothing is known":            settled(nil, "d", secret(), ring),
		"the Secret is gone":          settled(record(), "d", nil, ring),
		"the Secret was written":      settled(record(), "d", touched, ring),
		"the Secret is another":       settled(record(), "d", another, ring),
		"the SealedSecret changed":    settled(record(), "e", secret(), ring),
		"the key is no longer in use": settled(record(), "d", secret(), sealing.NewRing(sealing.ByNotBefore)),
	} {
		if is {
			t.Errorf("settled although %s", reason)
		}
	}
}

func TestBackoffGrowsAndNeverEnds(t *testing.T) {
	last := time.Duration(0)
	for failures := 1; failures < 100; failures++ {
		pause := backoff(failures)
		if pause < time.Second || pause < last || pause > 5*time.Minute {
			t.Errorf("after %d failures %s", failures, pause)
		}
		last = pause
	}
	if last != 5*time.Minute {
		t.Errorf("in the end %s", last)
	}
}

func TestAPIErrorsAreToldWithoutValues(t *testing.T) {
	failed := updateFailed(errors.New(`admission webhook says: "hunter2" (aHVudGVyMg==) is no password`), &corev1.Secret{Data: map[string][]byte{"a": []byte("hunter2"), "b": []byte("is")}})
	if want := `admission webhook says: "++++++" (++++++) is no password`; failed.message != want || failed.status != want {
		t.Errorf("told: %s", failed.message)
	}
}

func TestStatusTimes(t *testing.T) {
	older, newest := newKey(t, now), newKey(t, now.Add(time.Hour))
	s := &scope{
		object: owner("us"), ring: sealing.NewRing(sealing.ByNotBefore, older, newest), unsealed: true,
		memory: &memory{record: &bitnamiv1.UnsealedRecord{Digest: "d", Keys: []bitnamiv1.SealingKeyUse{{Fingerprint: older.Fingerprint, Items: []string{"a", "b"}}}}},
	}
	at := func(minutes int) metav1.Time { return metav1.NewTime(now.Add(time.Duration(minutes) * time.Minute)) }
	condition := func(kind bitnamiv1.SealedSecretConditionType, status metav1.ConditionStatus, message string, updated, changed int) bitnamiv1.SealedSecretCondition {
		return bitnamiv1.SealedSecretCondition{Type: kind, Status: status, Message: message, LastUpdateTime: at(updated), LastTransitionTime: at(changed)}
	}
	const synced, keys = bitnamiv1.ConditionSynced, bitnamiv1.ConditionSealedWithNewestKey
	old := "sealed with older keys: " + older.Fingerprint + " (a, b)"
	bad := &failure{status: "no"}
	for _, step := range []struct {
		reason     string
		minute     int
		generation int64
		failed     *failure
		want       []bitnamiv1.SealedSecretCondition
	}{
		{"the first time", 0, 1, nil, []bitnamiv1.SealedSecretCondition{condition(synced, "True", "", 0, 0), condition(keys, "False", old, 0, 0)}},
		{"nothing new", 1, 1, nil, []bitnamiv1.SealedSecretCondition{condition(synced, "True", "", 0, 0), condition(keys, "False", old, 0, 0)}},
		{"a new generation", 2, 2, nil, []bitnamiv1.SealedSecretCondition{condition(synced, "True", "", 2, 0), condition(keys, "False", old, 0, 0)}},
		{"it fails", 3, 2, bad, []bitnamiv1.SealedSecretCondition{condition(synced, "False", "no", 3, 3), condition(keys, "False", old, 0, 0)}},
		{"in another way", 4, 2, &failure{status: "never"}, []bitnamiv1.SealedSecretCondition{condition(synced, "False", "never", 4, 3), condition(keys, "False", old, 0, 0)}},
		{"it works", 5, 2, nil, []bitnamiv1.SealedSecretCondition{condition(synced, "True", "", 5, 5), condition(keys, "False", old, 0, 0)}},
	} {
		s.object.Generation = step.generation
		s.object.Status = s.status(step.failed, at(step.minute))
		if diff := cmp.Diff(step.want, s.object.Status.Conditions); diff != "" || s.object.Status.ObservedGeneration != step.generation {
			t.Errorf("%s: generation %d, conditions (-want +got):\n%s", step.reason, s.object.Status.ObservedGeneration, diff)
		}
	}
}

func TestNextKey(t *testing.T) {
	ring := sealing.NewRing(sealing.ByNotBefore, newKey(t, now.Add(-10*time.Hour)))
	for _, tc := range []struct {
		reason  string
		ring    *sealing.Ring
		period  time.Duration
		cutoff  time.Time
		want    time.Duration
		planned bool
	}{
		{"the first", sealing.NewRing(sealing.ByNotBefore), 0, time.Time{}, 0, true},
		{"in a while", ring, 30 * time.Hour, time.Time{}, 20 * time.Hour, true},
		{"overdue", ring, time.Hour, time.Time{}, 0, true},
		{"never", ring, 0, time.Time{}, 0, false},
		{"before the cut-off", ring, 0, now.Add(-9 * time.Hour), 0, true},
		{"after the cut-off", ring, 0, now.Add(-11 * time.Hour), 0, false},
	} {
		wait, planned := untilNextKey(tc.ring, tc.period, tc.cutoff, now)
		if wait != tc.want || planned != tc.planned {
			t.Errorf("%s: in %s, planned %t", tc.reason, wait, planned)
		}
	}
}

func TestVanishedNamesAreLeftAloneForAWhile(t *testing.T) {
	v := &vanished{}
	name := types.NamespacedName{Namespace: "ns", Name: "s"}
	v.note(name, now)
	if v.until(name, now) < time.Second || v.until(types.NamespacedName{}, now) != 0 || v.until(name, now.Add(2*time.Second)) != 0 {
		t.Errorf("until %s", v.until(name, now))
	}
	v.note(types.NamespacedName{Name: "other"}, now.Add(time.Minute))
	if len(v.names) != 1 {
		t.Errorf("kept for ever: %v", v.names)
	}
}
