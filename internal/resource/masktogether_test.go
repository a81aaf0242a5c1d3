package resource_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/tiphys-io/tiphys/internal/resource"
	"github.com/tiphys-io/tiphys/test/conformance"
)

// texts are the values of the maps of an object at paths, as texts: a broken manifest may hold anything there.
func texts(object map[string]any, paths ...[]string) map[string]string {
	found := map[string]string{}
	for _, path := range paths {
		value, _, err := unstructured.NestedFieldNoCopy(object, path...)
		values, isMap := value.(map[string]any)
		if err != nil || !isMap {
			continue
		}
		for key, value := range values {
			found[key] = fmt.Sprint(value)
		}
	}
	return found
}

// dataOf joins data and stringData, as the API server does.
func dataOf(object map[string]any) map[string]string {
	return texts(object, []string{"data"}, []string{"stringData"})
}

func annotationsOf(object map[string]any) map[string]string {
	return texts(object, []string{"metadata", "annotations"})
}

func lastAppliedOf(t *testing.T, object map[string]any) map[string]string {
	t.Helper()
	var last map[string]any
	if err := json.Unmarshal([]byte(annotationsOf(object)["kubectl.kubernetes.io/last-applied-configuration"]), &last); err != nil {
		t.Fatal(err)
	}
	return dataOf(last)
}

func TestMaskTogetherConformance(t *testing.T) {
	var vectors struct {
		Cases []struct {
			ID              string
			Target, Live    map[string]any
			HideAnnotations []string
			Expect          map[string]map[string]string
		}
	}
	conformance.Load(t, &vectors, "diff", "hide-secret-cases.yaml")
	if len(vectors.Cases) < 15 {
		t.Fatalf("only %d cases were read", len(vectors.Cases))
	}
	for _, tc := range vectors.Cases {
		t.Run(tc.ID, func(t *testing.T) {
			target, live := &unstructured.Unstructured{Object: tc.Target}, &unstructured.Unstructured{Object: tc.Live}
			before := []*unstructured.Unstructured{target.DeepCopy(), live.DeepCopy()}
			got := resource.MaskTogether(tc.HideAnnotations, target, live)
			for what, want := range tc.Expect {
				var found map[string]string
				switch what {
				case "targetData":
					found = dataOf(got[0].Object)
				case "liveData":
					found = dataOf(got[1].Object)
				case "targetLastAppliedData":
					found = lastAppliedOf(t, got[0].Object)
				case "liveLastAppliedData":
					found = lastAppliedOf(t, got[1].Object)
				case "targetAnnotations", "liveAnnotations":
					all := annotationsOf(got[map[string]int{"targetAnnotations": 0, "liveAnnotations": 1}[what]].Object)
					found = map[string]string{} // not all are told
					for name := range want {
						found[name] = all[name]
					}
				default:
					t.Fatalf("nobody checks %s", what)
				}
				if diff := gocmp.Diff(want, found, cmpopts.EquateEmpty()); diff != "" {
					t.Errorf("%s: -want +got:\n%s", what, diff)
				}
			}
			if diff := gocmp.Diff(before, []*unstructured.Unstructured{target, live}); diff != "" {
				t.Errorf("the states changed:\n%s", diff)
			}
		})
	}
}

func TestMaskTogetherLeavesOtherKinds(t *testing.T) {
	object := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "data": map[string]any{"a": "b"}}}
	got := resource.MaskTogether(nil, object, nil)
	if got[0] != object || got[1] != nil {
		t.Errorf("got %v", got)
	}
}

// FuzzMaskTogether looks for the canary in what was masked, wherever in the data of a Secret or of kubectl's copy it was put.
func FuzzMaskTogether(f *testing.F) {
	f.Add("password", `"value"`)
	f.Add("a", `{"b": ["c"]}`)
	f.Add("", "null")
	const canary = "cAnArY"
	f.Fuzz(func(t *testing.T, key, content string) {
		if strings.Contains(key+content, canary) {
			return
		}
		var value any
		if json.Unmarshal([]byte(content), &value) != nil {
			value = content
		}
		data, err := json.Marshal(map[string]any{"data": map[string]any{key: canary}})
		if err != nil {
			t.Fatal(err)
		}
		obj := &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "v1", "kind": "Secret", "data": map[string]any{key: []any{value, canary}}, "stringData": []any{canary},
			"metadata": map[string]any{"annotations": map[string]any{
				"kubectl.kubernetes.io/last-applied-configuration": string(data), "hidden": canary,
			}},
		}}
		before := obj.DeepCopy()
		masked := resource.MaskTogether([]string{"hidden"}, obj, obj)
		text, err := json.Marshal([]any{masked[0].Object, masked[1].Object})
		if err != nil {
			t.Fatalf("marshal: %v", err)
		}
		if strings.Contains(string(text), canary) {
			t.Errorf("the canary is in %s", text)
		}
		scribble(masked[0].Object)
		if diff := gocmp.Diff(before, obj); diff != "" {
			t.Errorf("the original changed:\n%s", diff)
		}
	})
}
