package v1alpha1_test

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	serializer "k8s.io/apimachinery/pkg/runtime/serializer/json"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/randfill"
	"sigs.k8s.io/yaml"

	bitnamiv1 "github.com/tiphys-io/tiphys/api/bitnami/v1alpha1"
	"github.com/tiphys-io/tiphys/test/conformance"
	"github.com/tiphys-io/tiphys/test/crd"
)

const file = "../../../config/crd/bases/bitnami.com_sealedsecrets.yaml"

func TestCRDFollowsTheContract(t *testing.T) {
	d := crd.Load(t, file)
	names := apiextensionsv1.CustomResourceDefinitionNames{
		Kind: "SealedSecret", ListKind: "SealedSecretList", Plural: "sealedsecrets", Singular: "sealedsecret",
	}
	if diff := cmp.Diff(names, d.Spec.Names); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	if d.Name != "sealedsecrets.bitnami.com" || d.Spec.Group != "bitnami.com" || d.Spec.Scope != "Namespaced" {
		t.Errorf("CRD is %s of group %s and scope %s", d.Name, d.Spec.Group, d.Spec.Scope)
	}
	v := d.Spec.Versions[0]
	if v.Name != "v1alpha1" || !v.Served || !v.Storage || v.Subresources == nil || v.Subresources.Status == nil {
		t.Errorf("version %s: served %t, storage %t, subresources %v", v.Name, v.Served, v.Storage, v.Subresources)
	}
	columns := []apiextensionsv1.CustomResourceColumnDefinition{
		{Name: "Status", Type: "string", JSONPath: ".status.conditions[0].message"},
		{Name: "Synced", Type: "string", JSONPath: ".status.conditions[0].status"},
		{Name: "Age", Type: "date", JSONPath: ".metadata.creationTimestamp"},
	}
	if diff := cmp.Diff(columns, v.AdditionalPrinterColumns); diff != "" {
		t.Errorf("columns (-want +got):\n%s", diff)
	}
}

// object is a SealedSecret as written.
func object(spec string) string {
	return `{"apiVersion":"bitnami.com/v1alpha1","kind":"SealedSecret","metadata":{"name":"s"},"spec":` + spec + `}`
}

func TestAdmission(t *testing.T) {
	tests := []struct {
		name, spec, want string // want is empty when the object must be refused
		reason           string
	}{
		{
			"only template", `{"encryptedData":{},"template":{"data":{"a":"{{ .b }}"}}}`,
			`{"encryptedData":{},"template":{"data":{"a":"{{ .b }}"}}}`, "encryptedData may be empty",
		},
		{
			"null item of the template", `{"encryptedData":{},"template":{"data":{"a":null}}}`,
			`{"encryptedData":{},"template":{"data":{"a":null}}}`, "null leaves a key out, so it must be stored",
		},
		{
			"null data", `{"encryptedData":{},"template":{"data":null,"metadata":null}}`,
			`{"encryptedData":{},"template":{"data":null,"metadata":null}}`, "older clients write nulls",
		},
		{
			"free metadata", `{"encryptedData":{},"template":{"metadata":{"creationTimestamp":null,"labels":{"a":"b"},"x":{"y":1}}}}`,
			`{"encryptedData":{},"template":{"metadata":{"creationTimestamp":null,"labels":{"a":"b"},"x":{"y":1}}}}`,
			"metadata of the template is free-form",
		},
		{"old form", `{"data":"AAAA","encryptedData":{}}`, `{"data":"AAAA","encryptedData":{}}`, "the old form is still read"},
		{"unknown field", `{"encryptedData":{},"x":1}`, `{"encryptedData":{}}`, "there is no place for it"},
		{"no items", `{}`, "", "encryptedData is required"},
		{"null items", `{"encryptedData":null}`, "", "encryptedData is required"},
		{"item that is no string", `{"encryptedData":{"a":1}}`, "", "ciphertext is a string"},
	}
	d := crd.Load(t, file)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			verdict := d.Admit(read(t, object(test.spec)))
			if test.want == "" {
				if len(verdict.Errors) == 0 {
					t.Errorf("accepted, want refused: %s", test.reason)
				}
				return
			}
			if len(verdict.Errors) > 0 {
				t.Errorf("refused: %v; %s", verdict.Errors.ToAggregate(), test.reason)
			}
			if diff := cmp.Diff(read(t, object(test.want)), verdict.Object); diff != "" {
				t.Errorf("%s (-want +got):\n%s", test.reason, diff)
			}
		})
	}
}

func read(t *testing.T, text string) map[string]any {
	t.Helper()
	var content map[string]any
	if err := utiljson.Unmarshal([]byte(text), &content); err != nil {
		t.Fatalf("read %s: %v", text, err)
	}
	return content
}

func TestSealedVectorsPassThroughTheTypes(t *testing.T) {
	scheme := runtime.NewScheme()
	if err := bitnamiv1.AddToScheme(scheme); err != nil {
		t.Fatalf("register the types: %v", err)
	}
	strict := serializer.NewSerializerWithOptions(serializer.DefaultMetaFactory, scheme, scheme,
		serializer.SerializerOptions{Strict: true})
	d := crd.Load(t, file)
	for _, name := range []string{
		"sealed-strict.yaml", "sealed-namespace-wide.yaml", "sealed-cluster-wide.yaml",
		"deprecated-v1-rsa2048.json", "deprecated-v1-rsa4096.json",
	} {
		t.Run(name, func(t *testing.T) {
			data, err := os.ReadFile(conformance.Path(t, "sealedsecrets", name))
			if err != nil {
				t.Fatalf("read vector: %v", err)
			}
			if data, err = yaml.YAMLToJSON(data); err != nil {
				t.Fatalf("parse vector: %v", err)
			}
			if verdict := d.Admit(read(t, string(data))); len(verdict.Unknown) > 0 {
				t.Errorf("the schema has no place for %v", verdict.Unknown)
			}
			decoded, _, err := strict.Decode(data, nil, nil)
			if err != nil {
				t.Fatalf("decode: %v", err)
			}
			sealed, ok := decoded.(*bitnamiv1.SealedSecret)
			if !ok {
				t.Fatalf("decoded a %T", decoded)
			}
			if len(sealed.Spec.EncryptedData) == 0 && len(sealed.Spec.Data) == 0 {
				t.Error("nothing encrypted was decoded")
			}
			var again bitnamiv1.SealedSecret
			encoded, err := json.Marshal(sealed)
			if err != nil {
				t.Fatalf("encode: %v", err)
			}
			if err := json.Unmarshal(encoded, &again); err != nil {
				t.Fatalf("decode again: %v", err)
			}
			if diff := cmp.Diff(sealed, &again, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("changed by writing and reading (-before +after):\n%s", diff)
			}
		})
	}
}

func TestEncryptedDataToleratesForeignItems(t *testing.T) {
	tests := []struct {
		name, text string
		want       bitnamiv1.EncryptedData
		reason     string
	}{
		{"strings", `{"a":"x","b":""}`, bitnamiv1.EncryptedData{"a": "x", "b": ""}, "the usual form"},
		{"other items", `{"a":1,"b":null,"c":["x"],"d":{"e":"f"},"g":"x"}`, bitnamiv1.EncryptedData{"g": "x"}, "contract A1"},
		{"empty", `{}`, bitnamiv1.EncryptedData{}, "an object without items"},
		{"null", `null`, nil, "no object"},
		{"text", `"x"`, nil, "no object"},
		{"list", `["x"]`, nil, "no object"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			list := `{"items":[` + object(`{"encryptedData":`+test.text+`}`) + `]}`
			var got bitnamiv1.SealedSecretList
			if err := json.Unmarshal([]byte(list), &got); err != nil {
				t.Fatalf("one object stops the list: %v", err)
			}
			if diff := cmp.Diff(test.want, got.Items[0].Spec.EncryptedData); diff != "" {
				t.Errorf("%s (-want +got):\n%s", test.reason, diff)
			}
		})
	}
}

func TestRandomObjectsSurviveJSONAndPruning(t *testing.T) {
	d := crd.Load(t, file)
	for seed := range int64(200) {
		var before, after bitnamiv1.SealedSecret
		randfill.NewWithSeed(seed).NilChance(0.3).NumElements(0, 3).Funcs(
			func(at *metav1.Time, c randfill.Continue) { *at = metav1.Unix(1+c.Int63n(4_000_000_000), 0) },
			func(m *metav1.ObjectMeta, c randfill.Continue) {
				c.Fill(&m.Name)
				c.Fill(&m.Labels)
				c.Fill(&m.Annotations)
				c.Fill(&m.Finalizers)
			},
		).Fill(&before)
		data, err := json.Marshal(&before)
		if err != nil {
			t.Fatalf("seed %d: write: %v", seed, err)
		}
		if err := json.Unmarshal(data, &after); err != nil {
			t.Fatalf("seed %d: read: %v", seed, err)
		}
		if diff := cmp.Diff(before, after, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("seed %d: changed by writing and reading (-before +after):\n%s", seed, diff)
		}
		if verdict := d.Admit(read(t, string(data))); len(verdict.Unknown) > 0 {
			t.Fatalf("seed %d: the schema has no place for %v", seed, verdict.Unknown)
		}
	}
}

// FuzzEncryptedData feeds foreign JSON: it is always taken, and what was taken is read the same after it was written.
func FuzzEncryptedData(f *testing.F) {
	f.Add([]byte(`{"a":"x","b":1}`))
	f.Add([]byte(`[null]`))
	f.Add([]byte(`{"\ud800":"\udfff"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if !json.Valid(data) {
			return
		}
		var first, second bitnamiv1.EncryptedData
		if err := json.Unmarshal(data, &first); err != nil {
			t.Fatalf("%s stops the decoder: %v", data, err)
		}
		again, err := json.Marshal(first)
		if err != nil {
			t.Fatalf("write: %v", err)
		}
		if err := json.Unmarshal(again, &second); err != nil {
			t.Fatalf("read %s: %v", again, err)
		}
		if diff := cmp.Diff(first, second); diff != "" {
			t.Errorf("changed by writing and reading (-before +after):\n%s", diff)
		}
	})
}
