package live

import (
	"fmt"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// set is the set of managed fields of the first entry of an object.
func set(obj *unstructured.Unstructured) map[string]any {
	entries, _, _ := unstructured.NestedFieldNoCopy(obj.Object, "metadata", "managedFields")
	return entries.([]any)[0].(map[string]any)["fieldsV1"].(map[string]any)
}

func TestShare(t *testing.T) {
	s := sharing{}
	first, second, third := seen(t, 1, "app"), seen(t, 2, "app"), seen(t, 3, "app")
	set(third)["f:data"].(map[string]any)["f:more"] = map[string]any{}
	before := second.DeepCopy()
	for _, obj := range []*unstructured.Unstructured{first, second, third} {
		s.share(obj)
	}
	if diff := cmp.Diff(before.Object, second.Object); diff != "" {
		t.Errorf("an object changes when it shares (-before +after):\n%s", diff)
	}
	same := func(a, b *unstructured.Unstructured) bool {
		return reflect.ValueOf(set(a)).Pointer() == reflect.ValueOf(set(b)).Pointer()
	}
	if !same(first, second) {
		t.Error("two objects with equal managed fields have a set each")
	}
	if same(first, third) {
		t.Error("objects with different managed fields share a set")
	}
	for _, obj := range []*unstructured.Unstructured{
		{Object: map[string]any{}},
		{Object: map[string]any{"metadata": map[string]any{"managedFields": []any{"none", map[string]any{"fieldsV1": int64(1)}}}}},
	} {
		before := obj.DeepCopy()
		s.share(obj)
		if diff := cmp.Diff(before.Object, obj.Object); diff != "" {
			t.Errorf("what cannot be shared changes (-before +after):\n%s", diff)
		}
	}
	for i := range 2 * maxShared {
		obj := seen(t, i, "app")
		set(obj)[fmt.Sprintf("f:%d", i)] = map[string]any{}
		s.share(obj)
	}
	if len(s) > maxShared {
		t.Errorf("%d sets are kept, want at most %d", len(s), maxShared)
	}
}
