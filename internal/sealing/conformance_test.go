package sealing

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	bitnamiv1 "github.com/tiphys-io/tiphys/api/bitnami/v1alpha1"
	"github.com/tiphys-io/tiphys/test/conformance"
)

// vector is one recorded case.
type vector struct {
	ID, Kind, Source, Base, Key, Scope, Namespace, Name, Label string
	Plaintext                                                  any
	PlaintextLength                                            *int
	PlaintextSHA256                                            string
	ExpectedSecret                                             string
	Decrypts                                                   bool
	ReplaceCiphertextText                                      *string
	Mutate                                                     struct {
		TruncateTo *int
		Append     string
		XorByte    *struct{ Offset, Mask int }
	}
}

type vectors struct {
	t    *testing.T
	raw  []struct{ CiphertextB64 string }
	keys map[string]*Key
}

func loadVectors(t *testing.T) (v vectors, good, bad []vector) {
	t.Helper()
	var file struct{ Cases, Negative []vector }
	conformance.Load(t, &file, "sealedsecrets", "cases.yaml")
	if len(file.Cases) < 24 || len(file.Negative) < 78 {
		t.Fatalf("%d cases and %d negative ones: fewer than were recorded", len(file.Cases), len(file.Negative))
	}
	v = vectors{t: t, keys: map[string]*Key{}}
	conformance.Load(t, &v.raw, "sealedsecrets", "raw-items.json")
	for _, name := range []string{"rsa2048", "rsa4096"} {
		secret := &corev1.Secret{Data: map[string][]byte{"tls.key": v.read(name + ".key"), "tls.crt": v.read(name + ".crt")}}
		key, err := ParseKey(secret)
		if err != nil {
			t.Fatal(err)
		}
		v.keys[name+".key"] = key
	}
	return v, file.Cases, file.Negative
}

func (v vectors) read(name string) []byte {
	data, err := os.ReadFile(conformance.Path(v.t, "sealedsecrets", name))
	if err != nil {
		v.t.Fatal(err)
	}
	return data
}

// ciphertext is the item that a source such as raw-items.json#/1 names.
func (v vectors) ciphertext(source string) string {
	_, index, _ := strings.Cut(source, "#/")
	i, err := strconv.Atoi(index)
	if err != nil {
		v.t.Fatalf("source %q names no item", source)
	}
	return v.raw[i].CiphertextB64
}

func (v vectors) object(name string) *bitnamiv1.SealedSecret {
	object := &bitnamiv1.SealedSecret{}
	if err := yaml.Unmarshal(v.read(name), object); err != nil {
		v.t.Fatal(err)
	}
	return object
}

func TestRecordedItemsOpen(t *testing.T) {
	v, good, _ := loadVectors(t)
	for _, c := range good {
		t.Run(c.ID, func(t *testing.T) {
			scope, err := ParseScope(c.Scope)
			if err != nil || Label(scope, c.Namespace, c.Name) != c.Label {
				t.Fatalf("label of %s is %q, recorded %q (%v)", c.Scope, Label(scope, c.Namespace, c.Name), c.Label, err)
			}
			ring := NewRing(ByNotBefore, v.keys[c.Key])
			switch c.Kind {
			case "raw":
				envelope, err := base64.StdEncoding.DecodeString(v.ciphertext(c.Source))
				if err != nil {
					t.Fatal(err)
				}
				plaintext, _, err := ring.Decrypt(envelope, c.Label)
				if err != nil {
					t.Fatal(err)
				}
				sum := sha256.Sum256(plaintext)
				if len(plaintext) != *c.PlaintextLength || hex.EncodeToString(sum[:]) != c.PlaintextSHA256 {
					t.Errorf("the plaintext has %d bytes and sum %x", len(plaintext), sum)
				}
			case "object":
				secret, _, err := ring.Unseal(v.object(c.Source), Options{})
				if err != nil {
					t.Fatal(err)
				}
				want := &corev1.Secret{}
				if err := yaml.Unmarshal(v.read(c.ExpectedSecret), want); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(want, secret); diff != "" {
					t.Errorf("Secret (-want +got):\n%s", diff)
				}
			case "deprecated-v1":
				v.checkLegacy(t, ring, c)
			default:
				t.Fatalf("kind %q of a case is not known", c.Kind)
			}
		})
	}
}

func (v vectors) checkLegacy(t *testing.T, ring *Ring, c vector) {
	t.Helper()
	object := v.object(c.Source)
	if _, _, err := ring.Unseal(object, Options{}); err == nil {
		t.Error("the deprecated form is opened though it is not accepted")
	}
	secret, _, err := ring.Unseal(object, Options{AcceptLegacy: true})
	if err != nil {
		t.Fatal(err)
	}
	secret.OwnerReferences = nil
	text, err := json.Marshal(c.Plaintext)
	if err != nil {
		t.Fatal(err)
	}
	want := &corev1.Secret{}
	if err := json.Unmarshal(text, want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, secret); diff != "" {
		t.Errorf("Secret (-want +got):\n%s", diff)
	}
	object.Spec.EncryptedData = bitnamiv1.EncryptedData{"a": ""}
	if _, _, err := ring.Unseal(object, Options{AcceptLegacy: true}); err == nil {
		t.Error("both forms at once are accepted")
	}
}

func TestRecordedItemsAreRefused(t *testing.T) {
	v, _, bad := loadVectors(t)
	for _, c := range bad {
		t.Run(c.ID, func(t *testing.T) {
			ring := NewRing(ByNotBefore, v.keys[c.Key])
			if c.ReplaceCiphertextText != nil {
				object := &bitnamiv1.SealedSecret{}
				object.Spec.EncryptedData = bitnamiv1.EncryptedData{"item": *c.ReplaceCiphertextText}
				if _, err := ring.Open(object, Options{}); err == nil || !strings.Contains(err.Error(), "(item)") {
					t.Errorf("text that is no base64 gives %v, which has to name the item", err)
				}
				return
			}
			envelope, err := base64.StdEncoding.DecodeString(v.ciphertext(c.Base))
			if err != nil {
				t.Fatal(err)
			}
			if to := c.Mutate.TruncateTo; to != nil {
				envelope = envelope[:*to]
			}
			if flip := c.Mutate.XorByte; flip != nil {
				envelope[flip.Offset] ^= byte(flip.Mask)
			}
			more, err := base64.StdEncoding.DecodeString(c.Mutate.Append)
			if err != nil {
				t.Fatal(err)
			}
			if _, _, err := ring.Decrypt(append(envelope, more...), c.Label); err == nil {
				t.Error("it opens")
			}
		})
	}
}
