package diff

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
)

// ladder runs a benchmark on objects with 10 to 10,000 fields: what a field costs must not depend on how many there are.
func ladder(b *testing.B, run func(b *testing.B, size int)) {
	for _, size := range []int{10, 100, 1000, 10000} {
		b.Run(strconv.Itoa(size), func(b *testing.B) {
			b.ReportAllocs()
			run(b, size)
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(size), "ns/field")
		})
	}
}

// wide is an object with many keys, and as the server has it: with managed fields.
func wide(size int) (target, live *unstructured.Unstructured) {
	data, fields := map[string]any{}, map[string]any{}
	for i := range size {
		key := fmt.Sprintf("key-%05d", i)
		data[key], fields["f:"+key] = "value", map[string]any{}
	}
	target = &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "a", "namespace": "ns"}, "data": data,
	}}
	return target, asApplied(target, map[string]any{"f:data": fields})
}

// long is an object with a long list, whose items have a key, in an order that is not that of the keys.
func long(size int) (target, live *unstructured.Unstructured) {
	items, fields := make([]any, size), map[string]any{}
	for i, n := range rand.New(rand.NewPCG(1, 2)).Perm(size) {
		name := fmt.Sprintf("name-%05d", n)
		items[i] = map[string]any{"name": name, "value": "value"}
		fields[fmt.Sprintf(`k:{"name":%q}`, name)] = map[string]any{".": map[string]any{}, "f:name": map[string]any{}, "f:value": map[string]any{}}
	}
	target = &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Pod", "metadata": map[string]any{"name": "a", "namespace": "ns"},
		"spec": map[string]any{"containers": []any{map[string]any{"name": "main", "env": items}}},
	}}
	return target, asApplied(target, map[string]any{"f:spec": map[string]any{"f:containers": map[string]any{
		`k:{"name":"main"}`: map[string]any{".": map[string]any{}, "f:name": map[string]any{}, "f:env": fields},
	}}})
}

// asApplied is an object as the server has it after we have applied it.
func asApplied(target *unstructured.Unstructured, fields map[string]any) *unstructured.Unstructured {
	live := target.DeepCopy()
	live.SetResourceVersion("1")
	live.Object["metadata"].(map[string]any)["managedFields"] = []any{map[string]any{
		"manager": argov1.FieldManager, "operation": "Apply", "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": fields,
	}}
	return live
}

var shapes = []struct {
	name string
	make func(size int) (target, live *unstructured.Unstructured)
}{{"keys", wide}, {"items", long}}

// BenchmarkLocal compares an object with an equal one.
func BenchmarkLocal(b *testing.B) {
	for _, shape := range shapes {
		b.Run(shape.name, func(b *testing.B) {
			ladder(b, func(b *testing.B, size int) {
				target, live := shape.make(size)
				for b.Loop() {
					if Local(target, live) {
						b.Fatal("equal objects differ")
					}
				}
			})
		})
	}
}

// BenchmarkChanged compares the answer to a dry run that changes what is not ours.
func BenchmarkChanged(b *testing.B) {
	for _, shape := range shapes {
		b.Run(shape.name, func(b *testing.B) {
			ladder(b, func(b *testing.B, size int) {
				_, live := shape.make(size)
				predicted := &unstructured.Unstructured{Object: runtime.DeepCopyJSON(live.Object)}
				predicted.SetLabels(map[string]string{"added": "by a webhook"})
				for b.Loop() {
					if Changed(live, predicted) {
						b.Fatal("what is not ours counts")
					}
				}
			})
		})
	}
}

// BenchmarkHash hashes a target.
func BenchmarkHash(b *testing.B) {
	ladder(b, func(b *testing.B, size int) {
		target, _ := wide(size)
		for b.Loop() {
			if _, err := Hash(target); err != nil {
				b.Fatal(err)
			}
		}
	})
}
