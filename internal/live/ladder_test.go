package live

import (
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/resource"
	"github.com/tiphys-io/tiphys/internal/tracking"
)

// seen is an object of a cluster as a watch decodes it: about 1 KB of text, with the managed fields of one server-side apply.
// An empty instance makes it nobody's.
func seen(tb testing.TB, i int, instance string) *unstructured.Unstructured {
	tb.Helper()
	annotations := `{}`
	name := fmt.Sprintf("object-%05d", i)
	if instance != "" {
		annotations = fmt.Sprintf(`{"argocd.argoproj.io/tracking-id":"%s:/ConfigMap:ns/%s"}`, instance, name)
	}
	obj := &unstructured.Unstructured{}
	if err := obj.UnmarshalJSON(fmt.Appendf(nil, `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":%q,"namespace":"ns","uid":"00000000-0000-0000-0000-%012d",
		"resourceVersion":"%d","creationTimestamp":"2024-01-01T00:00:00Z","annotations":%s,"managedFields":[{"manager":%q,"operation":"Apply","apiVersion":"v1",
		"time":"2024-01-01T00:00:00Z","fieldsType":"FieldsV1","fieldsV1":{"f:data":{"f:key":{},"f:text":{}},"f:metadata":{"f:annotations":{"f:argocd.argoproj.io/tracking-id":{}}}}}]},
		"data":{"key":"wanted","text":%q}}`, name, i, i+1, annotations, argov1.FieldManager, strings.Repeat("x", 512))); err != nil {
		tb.Fatal(err)
	}
	return obj
}

// BenchmarkReplace fills a store from a list, and measures how much memory an object takes: one that an application has, and one
// of a kind that applications use, but nobody's.
func BenchmarkReplace(b *testing.B) {
	for _, whose := range []struct{ name, instance string }{{"tracked", "app"}, {"untracked", ""}} {
		for _, size := range []int{10, 100, 1000, 10000} {
			b.Run(whose.name+"/"+strconv.Itoa(size), func(b *testing.B) {
				var kept uint64
				for b.Loop() {
					b.StopTimer()
					before := heap()
					objects := make([]*unstructured.Unstructured, size)
					for i := range objects {
						objects[i] = seen(b, i, whose.instance)
					}
					s := NewStore(tracking.Tracker{}, func(Change) {})
					b.StartTimer()
					s.Replace(schema.GroupKind{Kind: "ConfigMap"}, objects)
					b.StopTimer()
					clear(objects)
					kept += heap() - before
					runtime.KeepAlive(s)
					b.StartTimer()
				}
				b.ReportMetric(float64(kept)/float64(b.N)/float64(size), "bytes/object")
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(size), "ns/object")
			})
		}
	}
}

// heap is the memory in use after a garbage collection.
func heap() uint64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

// BenchmarkEvent takes in one changed object of many.
func BenchmarkEvent(b *testing.B) {
	for _, size := range []int{10, 100, 1000, 10000} {
		b.Run(strconv.Itoa(size), func(b *testing.B) {
			told := 0
			s := NewStore(tracking.Tracker{}, func(Change) { told++ })
			keys := make([]resource.Key, size)
			for i := range size {
				obj := seen(b, i, "app")
				keys[i] = resource.KeyOf(obj)
				s.Put(obj)
			}
			s.Want("app", keys)
			obj := seen(b, size/2, "app")
			told = 0
			b.ReportAllocs()
			version := size
			for b.Loop() {
				version++
				obj = &unstructured.Unstructured{Object: obj.Object}
				obj.SetResourceVersion(strconv.Itoa(version))
				s.Put(obj)
			}
			if told == 0 {
				b.Fatal("a changed object concerns nobody")
			}
		})
	}
}

// BenchmarkSnapshot looks up all objects of an application among as many of another one.
func BenchmarkSnapshot(b *testing.B) {
	for _, size := range []int{10, 100, 1000, 10000} {
		b.Run(strconv.Itoa(size), func(b *testing.B) {
			s := NewStore(tracking.Tracker{}, func(Change) {})
			for i := range size {
				s.Put(seen(b, i, "app"))
				s.Put(seen(b, size+i, "other"))
			}
			b.ReportAllocs()
			for b.Loop() {
				if objects, missing := s.Snapshot("app"); len(objects) != size || len(missing) > 0 {
					b.Fatalf("%d objects, %d missing", len(objects), len(missing))
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(size), "ns/object")
		})
	}
}
