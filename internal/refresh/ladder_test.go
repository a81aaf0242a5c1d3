package refresh

import (
	"fmt"
	"strconv"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/tiphys-io/tiphys/internal/resource"
)

// ladder runs a benchmark on applications of 10 to 10,000 objects, each as its target wants it.
func ladder(b *testing.B, run func(b *testing.B, size int, s *server, req Request)) {
	for _, size := range []int{10, 100, 1000, 10000} {
		b.Run(strconv.Itoa(size), func(b *testing.B) {
			targets, objects := make([]*unstructured.Unstructured, size), make([]*unstructured.Unstructured, size)
			for i := range size {
				targets[i] = configMap(fmt.Sprintf("c%d", i), "1")
				objects[i] = stored(configMap(fmt.Sprintf("c%d", i), "1"), strconv.Itoa(i+1))
			}
			s := &server{}
			b.ReportAllocs()
			run(b, size, s, Request{State: state(b, targets...), Snapshot: snapshot(objects...), Instance: instance, Predict: s.predict})
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(size), "ns/object")
		})
	}
}

// BenchmarkCompare compares an application of which nothing is known.
func BenchmarkCompare(b *testing.B) {
	ladder(b, func(b *testing.B, size int, _ *server, req Request) {
		for b.Loop() {
			if got := (&Memory{}).Compare(b.Context(), req); got.Compared != size || got.Status != "Synced" {
				b.Fatalf("%s after %d comparisons", got.Status, got.Compared)
			}
		}
	})
}

// BenchmarkOneEvent compares an application of which one object has changed.
func BenchmarkOneEvent(b *testing.B) {
	ladder(b, func(b *testing.B, size int, s *server, req Request) {
		m := &Memory{}
		m.Compare(b.Context(), req)
		key, version := resource.KeyOf(req.State.Objects[size/2].Target), size
		for b.Loop() {
			version++
			req.Snapshot[key] = stored(configMap(key.Name, "2"), strconv.Itoa(version))
			if got := m.Compare(b.Context(), req); got.Status != "OutOfSync" || got.Compared != 1 {
				b.Fatalf("%s after %d comparisons", got.Status, got.Compared)
			}
		}
		if len(s.asked) != version-size {
			b.Fatalf("%d dry runs for %d events", len(s.asked), version-size)
		}
	})
}
