package sealing

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	mathrand "math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	bitnamiv1 "github.com/tiphys-io/tiphys/api/bitnami/v1alpha1"
)

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// pool makes keys once; they are small, because nothing is protected with them.
var pool = sync.OnceValue(func() []*Key {
	var keys []*Key
	for i := range 4 {
		from := epoch.AddDate(0, i, 0)
		key, err := GenerateKey(rand.Reader, CertificateOptions{Bits: 1024, NotBefore: from, NotAfter: from.AddDate(10, 0, 0)})
		if err != nil {
			panic(err)
		}
		key.Secret = "key-" + string(rune('a'+i))
		keys = append(keys, key)
	}
	return keys
})

func retired(key *Key) *Key {
	copied := *key
	copied.Retired, copied.RetiredAt = true, epoch
	return &copied
}

func secretFor(scope Scope, namespace, name string, data map[string][]byte) *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Annotations: scope.Annotate(nil)}, Data: data}
}

func seal(t testing.TB, key *Key, secret *corev1.Secret) *bitnamiv1.SealedSecret {
	t.Helper()
	sealed, err := Seal(rand.Reader, &key.Private.PublicKey, secret)
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

// What is sealed opens to the same again, and under no other name, namespace or scope than its own allows.
func TestUnsealIsTheInverseOfSeal(t *testing.T) {
	random := mathrand.New(mathrand.NewPCG(1, 2)) //nolint:gosec // G404: a test repeats itself
	ring := NewRing(ByNotBefore, pool()...)
	for range 200 {
		data := map[string][]byte{}
		for range random.IntN(4) {
			value := make([]byte, random.IntN(300))
			for i := range value {
				value[i] = byte(random.Uint32())
			}
			data[string(rune('a'+random.IntN(26)))] = value
		}
		scope := Scope(random.IntN(3))
		sealed := seal(t, pool()[random.IntN(4)], secretFor(scope, "ns", "name", data))
		secret, keys, err := ring.Unseal(sealed, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(data, secret.Data); diff != "" || len(keys) != len(data) {
			t.Fatalf("%s: keys %v, data (-sealed +unsealed):\n%s", scope, keys, diff)
		}
		if len(data) == 0 {
			continue
		}
		for _, moved := range []struct {
			namespace, name string
			scope           Scope
			opens           bool
		}{
			{"ns", "other", scope, scope != Strict},
			{"other", "name", scope, scope == ClusterWide},
			{"n", "s/name", scope, scope == ClusterWide},
			{"ns", "name", (scope + 1) % 3, false},
			{"ns", "name", (scope + 2) % 3, false},
		} {
			object := sealed.DeepCopy()
			object.Namespace, object.Name, object.Annotations = moved.namespace, moved.name, moved.scope.Annotate(nil)
			if _, _, err := ring.Unseal(object, Options{}); (err == nil) != moved.opens {
				t.Fatalf("sealed %s for ns/name, opened %s as %s/%s: %v", scope, moved.scope, moved.namespace, moved.name, err)
			}
		}
	}
}

func TestEveryTruncationAndEveryFlippedByteIsRefused(t *testing.T) {
	key := pool()[0]
	ring := NewRing(ByNotBefore, key)
	envelope, err := Encrypt(rand.Reader, &key.Private.PublicKey, []byte("value"), "ns/name")
	if err != nil {
		t.Fatal(err)
	}
	for i := range envelope {
		if _, _, err := ring.Decrypt(envelope[:i], "ns/name"); err == nil {
			t.Errorf("%d of %d bytes open", i, len(envelope))
		}
		changed := bytes.Clone(envelope)
		changed[i] ^= 1 << (i % 8)
		if _, _, err := ring.Decrypt(changed, "ns/name"); err == nil {
			t.Errorf("with byte %d changed it opens", i)
		}
	}
}

func FuzzDecrypt(f *testing.F) {
	key := pool()[0]
	ring := NewRing(ByNotBefore, key)
	good, err := Encrypt(rand.Reader, &key.Private.PublicKey, []byte("value"), "ns/name")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good, "ns/name")
	f.Add([]byte{}, "")
	f.Add([]byte{1, 0}, "ns")
	f.Add([]byte{0xff, 0xff, 0}, "ns")
	f.Fuzz(func(t *testing.T, envelope []byte, label string) {
		plaintext, _, err := ring.Decrypt(envelope, label)
		if err == nil && !(bytes.Equal(envelope, good) && label == "ns/name" && string(plaintext) == "value") {
			t.Errorf("something else than what was sealed opens: %x under %q", envelope, label)
		}
	})
}

func TestWhyItDoesNotOpen(t *testing.T) {
	keys := pool()
	strict := func(key *Key) *bitnamiv1.SealedSecret {
		return seal(t, key, secretFor(Strict, "a", "b", map[string][]byte{"bar": []byte("x"), "foo": []byte("y")}))
	}
	moved := func(object *bitnamiv1.SealedSecret, namespace, name string, scope Scope) *bitnamiv1.SealedSecret {
		object.Namespace, object.Name, object.Annotations = namespace, name, scope.Annotate(nil)
		return object
	}
	bare := moved(strict(keys[0]), "c", "d", Strict)
	bare.Spec.Template = bitnamiv1.SecretTemplate{}
	broken := strict(keys[0])
	broken.Spec.EncryptedData["foo"] = "***"
	short := strict(keys[0])
	short.Spec.EncryptedData["foo"] = base64.StdEncoding.EncodeToString([]byte{1, 0, 3})
	for _, tc := range []struct {
		name   string
		ring   *Ring
		object *bitnamiv1.SealedSecret
		want   string
		reason string
	}{
		{"other key", NewRing(ByNotBefore, keys[1]), strict(keys[0]), "no key could decrypt secret (bar, foo)", "nothing more is known"},
		{"no key", NewRing(ByNotBefore), strict(keys[0]), "no key could decrypt secret (bar, foo): there is no sealing key", "else one looks at the object"},
		{
			"moved", NewRing(ByNotBefore, keys...), moved(strict(keys[0]), "c", "d", Strict),
			"no key could decrypt secret (bar, foo): sealed for namespace a name b (strict), this is c/d", "the template tells the name",
		},
		{
			"moved without a trace", NewRing(ByNotBefore, keys...), bare, "no key could decrypt secret (bar, foo)", "nothing suggests the name",
		},
		{
			"scope widened", NewRing(ByNotBefore, keys...), moved(strict(keys[0]), "a", "b", ClusterWide),
			"no key could decrypt secret (bar, foo): sealed for namespace a name b (strict), this is a/b (cluster-wide)",
			"an annotation does not widen what was sealed",
		},
		{
			"scope narrowed", NewRing(ByNotBefore, keys...),
			moved(seal(t, keys[0], secretFor(NamespaceWide, "a", "b", map[string][]byte{"foo": nil})), "a", "b", Strict),
			"no key could decrypt secret (foo): sealed for namespace a (namespace-wide), this is a/b (strict)", "the annotation was lost",
		},
		{
			"retired key", NewRing(ByNotBefore, retired(keys[0]), keys[1]), strict(keys[0]),
			"no key could decrypt secret (bar, foo): sealed with key " + keys[0].Fingerprint + " retired on 2026-01-01T00:00:00Z (Secret key-a): " +
				"seal anew, or label it sealedsecrets.bitnami.com/sealed-secrets-key=active again",
			"the key is there but out of use",
		},
		{
			"not base64", NewRing(ByNotBefore, keys...), broken, "illegal base64 data at input byte 0 (foo)", "the item is named",
		},
		{"too short", NewRing(ByNotBefore, keys...), short, "the ciphertext is too short (foo)", "cut off when it was copied"},
	} {
		_, _, err := tc.ring.Unseal(tc.object, Options{})
		if err == nil {
			t.Errorf("%s opens (%s)", tc.name, tc.reason)
		} else if diff := cmp.Diff(tc.want, err.Error()); diff != "" {
			t.Errorf("%s (%s) (-want +got):\n%s", tc.name, tc.reason, diff)
		}
	}
}

func TestSealCarriesWhatTheSecretSays(t *testing.T) {
	immutable := true
	secret := secretFor(NamespaceWide, "ns", "name", map[string][]byte{"a": []byte("1")})
	secret.StringData = map[string]string{"b": "2"}
	secret.Type, secret.Immutable, secret.Labels = corev1.SecretTypeBasicAuth, &immutable, map[string]string{"l": "1"}
	secret.UID, secret.ResourceVersion = "uid", "7"
	secret.OwnerReferences = []metav1.OwnerReference{{Name: "somebody"}}
	secret.Annotations[corev1.LastAppliedConfigAnnotation] = `{"data":{"a":"MQ=="}}`
	sealed := seal(t, pool()[0], secret)
	want := bitnamiv1.SecretTemplate{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "ns", Name: "name", Labels: map[string]string{"l": "1"}, Annotations: NamespaceWide.Annotate(nil),
		},
		Type: "kubernetes.io/basic-auth", Immutable: &immutable,
	}
	if diff := cmp.Diff(want, sealed.Spec.Template); diff != "" {
		t.Errorf("template (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(NamespaceWide.Annotate(nil), sealed.Annotations); diff != "" || len(sealed.Spec.EncryptedData) != 2 {
		t.Errorf("items %v, annotations (-want +got):\n%s", sealed.Spec.EncryptedData, diff)
	}
	for _, nameless := range []*corev1.Secret{secretFor(Strict, "", "name", nil), secretFor(NamespaceWide, "", "name", nil), secretFor(Strict, "ns", "", nil)} {
		if _, err := Seal(rand.Reader, &pool()[0].Private.PublicKey, nameless); err == nil {
			t.Errorf("%s/%s is sealed though nothing could open it", nameless.Namespace, nameless.Name)
		}
	}
}

func TestReseal(t *testing.T) {
	keys := pool()
	ring := NewRing(ByNotBefore, keys[0], keys[1])
	object := seal(t, keys[0], secretFor(Strict, "ns", "name", map[string][]byte{"a": []byte("1"), "b": []byte("2")}))
	text := "{{ .a }}"
	object.Labels = map[string]string{"app.kubernetes.io/instance": "x"}
	object.Spec.Template.Labels = map[string]string{"only": "here"}
	object.Spec.Template.Data = map[string]*string{"c": &text, "gone": nil}
	// A template that claims a wider scope than what was sealed: it must not become the scope.
	object.Spec.Template.Annotations = ClusterWide.Annotate(nil)
	resealed, stale, err := ring.Reseal(rand.Reader, object, Options{})
	if err != nil || !stale {
		t.Fatalf("stale: %t, %v", stale, err)
	}
	if diff := cmp.Diff(object.Spec.Template, resealed.Spec.Template); diff != "" {
		t.Errorf("template (-before +after):\n%s", diff)
	}
	if diff := cmp.Diff(object.ObjectMeta, resealed.ObjectMeta); diff != "" {
		t.Errorf("metadata (-before +after):\n%s", diff)
	}
	opened, err := NewRing(ByNotBefore, keys[1]).Open(resealed, Options{})
	if err != nil {
		t.Fatalf("the newest key alone does not open it: %v", err)
	}
	if diff := cmp.Diff(map[string][]byte{"a": []byte("1"), "b": []byte("2")}, opened.Values); diff != "" {
		t.Errorf("items (-want +got):\n%s", diff)
	}
	resealed.Name = "other"
	if _, err := ring.Open(resealed, Options{}); err == nil {
		t.Error("the scope was widened")
	}
	resealed.Name = "name"
	if _, stale, err := ring.Reseal(rand.Reader, resealed, Options{}); err != nil || stale {
		t.Errorf("what is sealed with the newest key is called stale: %t, %v", stale, err)
	}
	object.Name = "other"
	if _, _, err := ring.Reseal(rand.Reader, object, Options{}); err == nil {
		t.Error("what does not open is resealed")
	}
}

func TestResealTurnsTheDeprecatedFormIntoItems(t *testing.T) {
	v, _, _ := loadVectors(t)
	ring := NewRing(ByNotBefore, v.keys["rsa2048.key"])
	object := v.object("deprecated-v1-rsa2048.json")
	before, _, err := ring.Unseal(object, Options{AcceptLegacy: true})
	if err != nil {
		t.Fatal(err)
	}
	resealed, stale, err := ring.Reseal(rand.Reader, object, Options{AcceptLegacy: true})
	if err != nil || !stale || resealed.Spec.Data != nil {
		t.Fatalf("stale %t, data %v, %v", stale, resealed.Spec.Data, err)
	}
	after, _, err := ring.Unseal(resealed, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("Secret (-before +after):\n%s", diff)
	}
}

func TestKeySecrets(t *testing.T) {
	key := pool()[0]
	written := key.NewSecret("ns", "sealed-secrets-key", map[string]string{bitnamiv1.LabelSealingKey: "no", "l": "1"}, map[string]string{"a": "1"})
	if diff := cmp.Diff(map[string]string{bitnamiv1.LabelSealingKey: "active", "l": "1"}, written.Labels); diff != "" {
		t.Errorf("labels (-want +got):\n%s", diff)
	}
	if written.GenerateName != "sealed-secrets-key" || written.Type != corev1.SecretTypeTLS || written.Annotations["a"] != "1" {
		t.Errorf("metadata %+v, type %s", written.ObjectMeta, written.Type)
	}
	if !strings.HasPrefix(string(written.Data["tls.key"]), "-----BEGIN RSA PRIVATE KEY-----") {
		t.Error("the key is not in PKCS#1")
	}
	cert := key.Certificate
	if cert.KeyUsage != x509.KeyUsageEncipherOnly || !cert.IsCA || cert.SignatureAlgorithm != x509.SHA256WithRSA ||
		cert.CheckSignature(cert.SignatureAlgorithm, cert.RawTBSCertificate, cert.Signature) != nil {
		t.Errorf("certificate: usage %v, CA %t, algorithm %v", cert.KeyUsage, cert.IsCA, cert.SignatureAlgorithm)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key.Private)
	if err != nil {
		t.Fatal(err)
	}
	elliptical, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := x509.MarshalPKCS8PrivateKey(elliptical)
	if err != nil {
		t.Fatal(err)
	}
	block := func(kind string, data []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: data}) }
	for _, tc := range []struct {
		name      string
		key, cert []byte
		usable    bool
		problem   string
	}{
		{"as written", written.Data["tls.key"], written.Data["tls.crt"], true, ""},
		{"PKCS#8", block("PRIVATE KEY", pkcs8), written.Data["tls.crt"], true, ""},
		{"several certificates", written.Data["tls.key"], append(bytes.Clone(written.Data["tls.crt"]), pool()[1].CertificatePEM()...), true, ""},
		{"a foreign certificate", written.Data["tls.key"], pool()[1].CertificatePEM(), true, "does not belong"},
		{"nothing", nil, nil, false, "no private key"},
		{"no certificate", written.Data["tls.key"], nil, false, "no certificate"},
		{"garbage", []byte("garbage"), written.Data["tls.crt"], false, "no RSA private key"},
		{"a broken key", block("RSA PRIVATE KEY", []byte("x")), written.Data["tls.crt"], false, "cannot be read"},
		{"a broken certificate", written.Data["tls.key"], block("CERTIFICATE", []byte("x")), false, "certificate cannot be read"},
		{"another algorithm", block("PRIVATE KEY", foreign), written.Data["tls.crt"], false, "not an RSA key"},
	} {
		parsed, err := ParseKey(&corev1.Secret{Data: map[string][]byte{"tls.key": tc.key, "tls.crt": tc.cert}})
		if (parsed != nil) != tc.usable || (err != nil) != (tc.problem != "") || (err != nil && !strings.Contains(err.Error(), tc.problem)) {
			t.Errorf("%s: usable %t, problem %v", tc.name, parsed != nil, err)
		}
		if tc.usable && parsed.Fingerprint != key.Fingerprint {
			t.Errorf("%s: fingerprint %s", tc.name, parsed.Fingerprint)
		}
	}
}

func TestNewestKey(t *testing.T) {
	keys := pool()
	older, newer := *keys[0], *keys[1]
	older.Created, newer.Created = epoch.Add(time.Hour), epoch
	bare := *keys[3]
	bare.Certificate, bare.Created = nil, epoch.Add(24*time.Hour)
	for _, tc := range []struct {
		reason string
		ring   *Ring
		want   *Key
	}{
		{"the later start of validity", NewRing(ByNotBefore, &older, &newer), &newer},
		{"the later creation, if that is asked for", NewRing(ByCreation, &newer, &older), &older},
		{"of two alike the first", NewRing(ByCreation, &newer, &Key{Fingerprint: "x", Certificate: keys[2].Certificate, Created: epoch}), &newer},
		{"not a retired one", NewRing(ByNotBefore, &older, retired(&newer)), &older},
		{"not one without certificate", NewRing(ByCreation, &older, &bare), &older},
		{"none", NewRing(ByNotBefore), nil},
	} {
		if got := tc.ring.Newest(); got != tc.want {
			t.Errorf("%s: got %v", tc.reason, got)
		}
	}
}

func TestRetirementIsDatedByTheLabel(t *testing.T) {
	secret := pool()[0].NewSecret("ns", "k", nil, nil)
	secret.Labels[bitnamiv1.LabelSealingKey] = "compromised"
	entry := func(at time.Time, fields string) metav1.ManagedFieldsEntry {
		time := metav1.NewTime(at)
		return metav1.ManagedFieldsEntry{Time: &time, FieldsV1: metav1.NewFieldsV1(fields)}
	}
	secret.ManagedFields = []metav1.ManagedFieldsEntry{
		entry(epoch, `{"f:metadata":{"f:labels":{"f:`+bitnamiv1.LabelSealingKey+`":{}}}}`), entry(epoch.Add(time.Hour), `{"f:data":{}}`),
	}
	key, err := ParseKey(secret)
	if err != nil || !key.Retired || !key.RetiredAt.Equal(epoch) {
		t.Errorf("retired %t at %s, %v", key.Retired, key.RetiredAt, err)
	}
}
