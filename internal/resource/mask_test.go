package resource_test

import (
	"encoding/json"
	"maps"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/tiphys-io/tiphys/internal/resource"
)

func TestMask(t *testing.T) {
	type object = map[string]any
	secret := func(change object) object {
		obj := object{"apiVersion": "v1", "kind": "Secret", "type": "Opaque"}
		maps.Copy(obj, change)
		return obj
	}
	tests := []struct {
		reason    string
		obj, want object
	}{
		{
			"Values go, keys stay.",
			secret(object{"data": object{"password": "cGFzcw==", "empty": ""}}),
			secret(object{"data": object{"password": "++++++", "empty": "++++++"}}),
		},
		{
			"Plain values go too.",
			secret(object{"stringData": object{"password": "pass"}}),
			secret(object{"stringData": object{"password": "++++++"}}),
		},
		{
			"Values of a wrong type are values.",
			secret(object{"data": object{"pin": int64(1234), "nested": object{"a": "b"}, "null": nil}}),
			secret(object{"data": object{"pin": "++++++", "nested": "++++++", "null": "++++++"}}),
		},
		{
			"Data that is no map is a value.",
			secret(object{"data": "pass", "stringData": []any{"pass"}}),
			secret(object{"data": "++++++", "stringData": "++++++"}),
		},
		{
			"No data stays no data.",
			secret(object{"data": nil}),
			secret(object{"data": nil}),
		},
		{
			"The copy that kubectl leaves in an annotation goes; other annotations stay.",
			secret(object{"metadata": object{"name": "x", "annotations": object{"kubectl.kubernetes.io/last-applied-configuration": `{"data":{"a":"b"}}`, "team": "a"}}}),
			secret(object{"metadata": object{"name": "x", "annotations": object{"team": "a"}}}),
		},
		{
			"Metadata of a wrong type is carried over.",
			secret(object{"metadata": "x"}),
			secret(object{"metadata": "x"}),
		},
		{
			"Annotations of a wrong type are carried over.",
			secret(object{"metadata": object{"annotations": "x"}}),
			secret(object{"metadata": object{"annotations": "x"}}),
		},
		{
			"A ConfigMap is no Secret.",
			object{"apiVersion": "v1", "kind": "ConfigMap", "data": object{"a": "b"}},
			object{"apiVersion": "v1", "kind": "ConfigMap", "data": object{"a": "b"}},
		},
		{
			"Nor is a Secret of another group.",
			object{"apiVersion": "example.com/v1", "kind": "Secret", "data": object{"a": "b"}},
			object{"apiVersion": "example.com/v1", "kind": "Secret", "data": object{"a": "b"}},
		},
	}
	for _, tc := range tests {
		t.Run(tc.reason, func(t *testing.T) {
			obj := &unstructured.Unstructured{Object: tc.obj}
			before := obj.DeepCopy()
			got := resource.Mask(obj)
			if diff := gocmp.Diff(tc.want, got.Object); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if got.GetKind() == "Secret" && got.GroupVersionKind().Group == "" {
				scribble(got.Object)
			}
			if diff := gocmp.Diff(before, obj); diff != "" {
				t.Errorf("the original changed:\n%s", diff)
			}
		})
	}
	if resource.Mask(nil) != nil {
		t.Error("nil is not nil")
	}
}

// scribble writes on every map and list within reach, which shows whether they are shared.
func scribble(value any) {
	switch value := value.(type) {
	case map[string]any:
		for _, item := range value {
			scribble(item)
		}
		value["scribble"] = true
	case []any:
		for i, item := range value {
			scribble(item)
			value[i] = "scribble"
		}
	}
}

// FuzzMask looks for the canary in what was masked, wherever in the data of a Secret it was put.
func FuzzMask(f *testing.F) {
	f.Add("password", `"value"`, "note")
	f.Add("a", `{"b": ["c"]}`, "")
	f.Add("", "null", "kubectl.kubernetes.io/last-applied-configuration")
	const canary = "cAnArY"
	f.Fuzz(func(t *testing.T, key, content, annotation string) {
		if strings.Contains(key+annotation, canary) {
			return
		}
		var value any
		if json.Unmarshal([]byte(content), &value) != nil {
			value = content
		}
		data := map[string]any{key: []any{value, canary}, "other": canary}
		obj := &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "v1", "kind": "Secret", "data": data, "stringData": []any{canary},
			"metadata": map[string]any{"annotations": map[string]any{
				"kubectl.kubernetes.io/last-applied-configuration": canary, annotation: "",
			}},
		}}
		before := obj.DeepCopy()
		masked := resource.Mask(obj)
		text, err := json.Marshal(masked.Object)
		if err != nil {
			t.Fatalf("marshal: %v", err)
		}
		if strings.Contains(string(text), canary) {
			t.Errorf("the canary is in %s", text)
		}
		if got := masked.Object["data"].(map[string]any); len(got) != len(data) {
			t.Errorf("keys %v became %v", data, got)
		}
		scribble(masked.Object)
		if diff := gocmp.Diff(before, obj); diff != "" {
			t.Errorf("the original changed:\n%s", diff)
		}
	})
}
