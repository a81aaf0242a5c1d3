package v1alpha1_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime"
	serializer "k8s.io/apimachinery/pkg/runtime/serializer/json"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/test/conformance"
	"github.com/tiphys-io/tiphys/test/crd"
)

var kinds = []string{"Application", "ApplicationSet", "AppProject"}

func definitions(t *testing.T) map[string]*crd.Definition {
	t.Helper()
	loaded := map[string]*crd.Definition{}
	for _, kind := range kinds {
		loaded[kind] = crd.Load(t, crdFile(kind))
	}
	return loaded
}

func kindOf(content map[string]any) string { return fmt.Sprint(content["kind"]) }

func TestReferenceObjectsAreAdmittedWithoutLoss(t *testing.T) {
	defs, seen := definitions(t), map[string]bool{}
	for _, object := range conformance.Objects(t) {
		if len(object.Refused) > 0 {
			continue
		}
		seen[kindOf(object.Content)] = true
		t.Run(object.File, func(t *testing.T) {
			verdict := defs[kindOf(object.Content)].Admit(object.Content)
			if len(verdict.Unknown) > 0 {
				t.Errorf("fields dropped: %v", verdict.Unknown)
			}
			if len(verdict.Errors) > 0 {
				t.Errorf("refused: %v", verdict.Errors.ToAggregate())
			}
			if diff := cmp.Diff(object.Content, verdict.Object); diff != "" {
				t.Errorf("stored otherwise than written (-written +stored):\n%s", diff)
			}
		})
	}
	for _, kind := range kinds {
		if !seen[kind] {
			t.Errorf("the data holds no %s that must be accepted", kind)
		}
	}
}

var index = regexp.MustCompile(`\[\d+\]`)

func TestReferenceObjectsAreRefusedForTheSameReasons(t *testing.T) {
	defs, refused := definitions(t), 0
	for _, object := range conformance.Objects(t) {
		if len(object.Refused) == 0 {
			continue
		}
		refused++
		t.Run(object.File, func(t *testing.T) {
			verdict := defs[kindOf(object.Content)].Admit(object.Content)
			var got []string
			for _, path := range verdict.Unknown {
				got = append(got, "unknown ."+index.ReplaceAllString(path, "[]"))
			}
			for _, err := range verdict.Errors {
				got = append(got, "missing ."+index.ReplaceAllString(err.Field, "[]"))
			}
			// A null counts as absent: an API server drops it, so that only a required field is missed.
			required := []string{".spec.generators[].matrix.generators"}
			var want []string
			for _, finding := range object.Refused {
				if path, null := strings.CutSuffix(strings.TrimSuffix(finding, ", not array"), " is null"); null {
					if slices.Contains(required, path) {
						want = append(want, "missing "+path)
					}
				} else if !strings.HasSuffix(finding, " is null, not object") {
					want = append(want, finding)
				}
			}
			if diff := cmp.Diff(unique(want), unique(got)); diff != "" {
				t.Errorf("findings differ (-reference +ours):\n%s", diff)
			}
		})
	}
	if refused == 0 {
		t.Error("the data holds no object that must be refused")
	}
}

func unique(list []string) []string {
	slices.Sort(list)
	return slices.Compact(list)
}

func TestReferenceObjectsPassThroughTheTypesWithoutLoss(t *testing.T) {
	scheme := runtime.NewScheme()
	if err := argov1.AddToScheme(scheme); err != nil {
		t.Fatalf("register the types: %v", err)
	}
	strict := serializer.NewSerializerWithOptions(serializer.DefaultMetaFactory, scheme, scheme,
		serializer.SerializerOptions{Strict: true})
	for _, object := range conformance.Objects(t) {
		t.Run(object.File, func(t *testing.T) {
			data, err := json.Marshal(object.Content)
			if err != nil {
				t.Fatalf("write the object: %v", err)
			}
			typed, _, err := strict.Decode(data, nil, nil)
			if unknown := slices.ContainsFunc(object.Refused, func(finding string) bool {
				return strings.HasPrefix(finding, "unknown ")
			}); unknown {
				if !runtime.IsStrictDecodingError(err) {
					t.Errorf("strict decoding says %v, want unknown fields", err)
				}
				return
			}
			if err != nil {
				t.Fatalf("strict decoding: %v", err)
			}
			var encoded bytes.Buffer
			if err := strict.Encode(typed, &encoded); err != nil {
				t.Fatalf("encode: %v", err)
			}
			var after map[string]any
			if err := json.Unmarshal(encoded.Bytes(), &after); err != nil {
				t.Fatalf("read what was encoded: %v", err)
			}
			var before map[string]any
			if err := json.Unmarshal(data, &before); err != nil {
				t.Fatalf("read the object: %v", err)
			}
			for _, lost := range missing("", before, after) {
				t.Errorf("lost or changed: %s", lost)
			}
		})
	}
}

// missing lists the values of before that after has not. Zero values may be left out.
func missing(path string, before, after any) []string {
	switch b := before.(type) {
	case map[string]any:
		a, _ := after.(map[string]any)
		var lost []string
		for key, value := range b {
			lost = append(lost, missing(path+"."+key, value, a[key])...)
		}
		return lost
	case []any:
		a, _ := after.([]any)
		if len(a) != len(b) {
			return []string{fmt.Sprintf("%s: %d items, want %d", path, len(a), len(b))}
		}
		var lost []string
		for i, value := range b {
			lost = append(lost, missing(fmt.Sprintf("%s[%d]", path, i), value, a[i])...)
		}
		return lost
	}
	zero := before == nil || reflect.ValueOf(before).IsZero()
	if (zero && after == nil) || reflect.DeepEqual(before, after) {
		return nil
	}
	return []string{fmt.Sprintf("%s: %v, want %v", path, after, before)}
}
