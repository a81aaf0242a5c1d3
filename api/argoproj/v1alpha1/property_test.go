package v1alpha1_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/randfill"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
)

// fillers are the types whose random values must keep a rule that Go's type does not tell.
var fillers = []any{
	func(t *metav1.Time, c randfill.Continue) { *t = metav1.Unix(1+c.Int63n(4_000_000_000), 0) }, // JSON has whole seconds
	func(j *argov1.JSON, c randfill.Continue) { j.Raw = document(c) },
	func(r *runtime.RawExtension, c randfill.Continue) { r.Raw = document(c) },
	func(v *intstr.IntOrString, c randfill.Continue) {
		*v = intstr.FromInt32(c.Int31())
		if c.Bool() {
			*v = intstr.FromString(c.String(0))
		}
	},
	func(m *metav1.ObjectMeta, c randfill.Continue) { // the part that is ours to keep; the rest is apimachinery's
		c.Fill(&m.Name)
		c.Fill(&m.Namespace)
		c.Fill(&m.Labels)
		c.Fill(&m.Annotations)
		c.Fill(&m.Finalizers)
	},
	func(s *argov1.SyncSource, c randfill.Continue) {
		c.FillNoCustom(s)
		s.Path = "apps/" + s.Path
	},
	func(p *argov1.HydrateOperationPhase, c randfill.Continue) {
		*p = oneOf(c, argov1.HydratePhaseHydrating, argov1.HydratePhaseFailed, argov1.HydratePhaseHydrated)
	},
	func(p *argov1.ApplicationsSyncPolicy, c randfill.Continue) {
		*p = oneOf(c, argov1.ApplicationsSyncCreateOnly, argov1.ApplicationsSyncCreateUpdate,
			argov1.ApplicationsSyncCreateDelete, argov1.ApplicationsSyncAll)
	},
}

func oneOf[T any](c randfill.Continue, values ...T) T { return values[c.Intn(len(values))] }

func document(c randfill.Continue) []byte {
	return fmt.Appendf(nil, `{"list":[%d,"a",null],"nested":{"flag":%t}}`, c.Int31(), c.Bool())
}

// objects gives an empty object of each kind.
func objects() map[string]any {
	return map[string]any{
		"Application": &argov1.Application{}, "ApplicationSet": &argov1.ApplicationSet{}, "AppProject": &argov1.AppProject{},
	}
}

// roundTrip writes an object, reads it back and gives it as it was written.
func roundTrip(t *testing.T, object any) map[string]any {
	t.Helper()
	data, err := json.Marshal(object)
	if err != nil {
		t.Fatalf("write: %v", err)
	}
	again := reflect.New(reflect.TypeOf(object).Elem()).Interface()
	if err := json.Unmarshal(data, again); err != nil {
		t.Fatalf("read: %v", err)
	}
	if diff := cmp.Diff(object, again, cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("changed by writing and reading (-before +after):\n%s", diff)
	}
	var content map[string]any
	if err := utiljson.Unmarshal(data, &content); err != nil { // integers stay integers, as in an API server
		t.Fatalf("read: %v", err)
	}
	return content
}

func TestRandomObjectsSurviveJSONAndPruning(t *testing.T) {
	const rounds = 60
	defs := definitions(t)
	for kind := range objects() {
		t.Run(kind, func(t *testing.T) {
			for seed := range int64(rounds) {
				object := objects()[kind]
				randfill.NewWithSeed(seed).Funcs(fillers...).NilChance(0.4).NumElements(0, 2).Fill(object)
				if unknown := defs[kind].Admit(roundTrip(t, object)).Unknown; len(unknown) > 0 {
					t.Fatalf("seed %d: the schema has no place for %v", seed, unknown)
				}
			}
		})
	}
}

// Objects in which nothing is left out have a value for every property of the schema, and no other. A few of them,
// because a random string may be empty and then is left out.
func TestTypesAndSchemaHoldTheSameProperties(t *testing.T) {
	const rounds = 10
	defs := definitions(t)
	for kind := range objects() {
		t.Run(kind, func(t *testing.T) {
			want, got := table(t, defs[kind]), map[string]bool{}
			for seed := range int64(rounds) {
				object := objects()[kind]
				randfill.NewWithSeed(seed).Funcs(fillers...).NilChance(0).NumElements(1, 1).Fill(object)
				content := roundTrip(t, object)
				verdict := defs[kind].Admit(content)
				if len(verdict.Unknown) > 0 || len(verdict.Errors) > 0 {
					t.Fatalf("seed %d: not admitted: unknown %v, errors %v", seed, verdict.Unknown, verdict.Errors.ToAggregate())
				}
				properties(got, want, content, "")
			}
			for path := range want {
				if !got[path] {
					t.Errorf("no Go field fills %s", path)
				}
			}
		})
	}
}

// properties adds the schema paths under which a value has something.
func properties(found map[string]bool, rows map[string]row, value any, path string) {
	at := path
	if at == "" {
		at = "."
	}
	found[at] = true
	if rows[at]["preserveUnknown"] == "true" || at == ".metadata" {
		return
	}
	switch v := value.(type) {
	case map[string]any:
		_, isMap := rows[path+"{}"]
		for key, child := range v {
			if isMap {
				properties(found, rows, child, path+"{}")
			} else {
				properties(found, rows, child, path+"."+key)
			}
		}
	case []any:
		for _, child := range v {
			properties(found, rows, child, path+"[]")
		}
	}
}

func TestEmptyKindListIsKept(t *testing.T) {
	tests := []struct{ name, spec, reason string }{
		{"absent", `{}`, "permits every kind"},
		{"empty", `{"namespaceResourceWhitelist":[]}`, "permits none: it must not become the other"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var spec argov1.AppProjectSpec
			if err := json.Unmarshal([]byte(test.spec), &spec); err != nil {
				t.Fatalf("read: %v", err)
			}
			data, err := json.Marshal(spec)
			if err != nil {
				t.Fatalf("write: %v", err)
			}
			if string(data) != test.spec {
				t.Errorf("%s is written back as %s; %s", test.spec, data, test.reason)
			}
		})
	}
}

// FuzzApplicationSet feeds foreign JSON, also to the parts that are kept as they were written. What can be read must be
// read the same after it was written.
func FuzzApplicationSet(f *testing.F) {
	f.Add([]byte(`{"spec":{"generators":[{"list":{"elements":[{"a":1},null,"x",[]]}}]}}`))
	f.Add([]byte(`{"spec":{"generators":[{"matrix":{"generators":[{"matrix":{"a":[1,2]}},{"plugin":{"input":{"parameters":{"k":1.5}}}}]}}]}}`))
	f.Add([]byte(`{"spec":{"template":{"spec":{"source":{"helm":{"valuesObject":{"a":{"b":null}}},"plugin":{"parameters":[{"map":{}},{"array":[]}]}}}}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var first argov1.ApplicationSet
		if json.Unmarshal(data, &first) != nil {
			return
		}
		once, err := json.Marshal(&first)
		if err != nil {
			t.Fatalf("write: %v", err)
		}
		var second argov1.ApplicationSet
		if err := json.Unmarshal(once, &second); err != nil {
			t.Fatalf("read %s: %v", once, err)
		}
		twice, err := json.Marshal(&second)
		if err != nil {
			t.Fatalf("write: %v", err)
		}
		if string(once) != string(twice) {
			t.Errorf("changed by writing and reading:\n%s\n%s", once, twice)
		}
	})
}
