package sealedsecret

import (
	"crypto/rand"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	bitnamiv1 "github.com/tiphys-io/tiphys/api/bitnami/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/sealing"
)

func TestCheckOfTargets(t *testing.T) {
	key := newKey(t, now)
	keys := &Keyring{}
	upstream, served := "", true
	check := &Check{
		Keys: keys, StandBy: func() string { return upstream }, Serves: func(*bitnamiv1.SealedSecret) bool { return served },
	}
	target := func(name string) *unstructured.Unstructured {
		object, err := sealing.Seal(rand.Reader, &key.Private.PublicKey, &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "s"}, Data: map[string][]byte{"a": []byte("canary")},
		})
		if err != nil {
			t.Fatal(err)
		}
		object.Name = name
		content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
		if err != nil {
			t.Fatal(err)
		}
		return &unstructured.Unstructured{Object: content}
	}
	good, bad := target("s"), target("other")
	if got := check.Invalid(bad); got != "" {
		t.Errorf("before the keys are known: %s", got)
	}
	load := func(ring *sealing.Ring) {
		keys.init()
		keys.ring = ring
	}
	load(sealing.NewRing(sealing.ByNotBefore, key))
	close(keys.loaded)
	for range 2 { // the second answer is remembered
		if got := check.Invalid(good); got != "" {
			t.Errorf("what opens: %s", got)
		}
		if got := check.Invalid(bad); !strings.HasPrefix(got, "SealedSecret ns/other cannot be unsealed: no key could decrypt secret (a): sealed for namespace ns name s") {
			t.Errorf("what does not open: %q", got)
		}
	}
	secret := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "Secret"}}
	if got := check.Invalid(secret); got != "" {
		t.Errorf("another kind: %s", got)
	}
	load(sealing.NewRing(sealing.ByNotBefore))
	if got := check.Invalid(good); !strings.Contains(got, "there is no sealing key") {
		t.Errorf("without the key that opened it: %q", got)
	}
	upstream = "ns/sealed-secrets-controller"
	if got := check.Invalid(bad); got != "" {
		t.Errorf("while another controller has the keys: %s", got)
	}
	if upstream, served = "", false; check.Invalid(bad) != "" {
		t.Error("what is not ours to unseal is judged")
	}
}
