package plan

import (
	"fmt"
	"strconv"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/resource"
)

// ladder runs a benchmark at sizes a factor of ten apart: what an object costs must not depend on how many there are.
func ladder(b *testing.B, run func(b *testing.B, size int)) {
	for _, size := range []int{10, 100, 1000, 10000} {
		b.Run(strconv.Itoa(size), func(b *testing.B) {
			b.ReportAllocs()
			run(b, size)
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(size), "ns/object")
		})
	}
}

// many is the input of a sync of that many objects, in as many waves; of every ten, one is a prune.
func many(size, waves int) Input {
	in := newWorld().in
	in.Health = func(*unstructured.Unstructured) (argov1.HealthStatusCode, string, bool) {
		return argov1.HealthHealthy, "", true
	}
	for i := range size {
		obj := object("ConfigMap", fmt.Sprintf("object-%05d", i), strconv.Itoa(i%waves))
		if i%10 == 9 {
			in.Objects = append(in.Objects, Object{Live: obj, SelfReferenced: true, Modified: true})
		} else {
			in.Objects = append(in.Objects, Object{Target: obj, Modified: true})
		}
	}
	return in
}

func next(b *testing.B, in Input, size int) {
	b.Helper()
	step := Next(in)
	if len(step.Groups) == 0 || len(step.Results) == 0 {
		b.Fatalf("a sync of %d objects does nothing: %+v", size, step)
	}
}

// BenchmarkNext decides the first step of a sync of one wave.
func BenchmarkNext(b *testing.B) {
	ladder(b, func(b *testing.B, size int) {
		in := many(size, 1)
		for b.Loop() {
			next(b, in, size)
		}
	})
}

// BenchmarkNextOfManyWaves decides the first step of a sync in which every object has a wave of its own.
func BenchmarkNextOfManyWaves(b *testing.B) {
	ladder(b, func(b *testing.B, size int) {
		in := many(size, size)
		for b.Loop() {
			next(b, in, size)
		}
	})
}

// BenchmarkNextOfAHeal decides the first step of a sync that names each of its objects, as a heal does.
func BenchmarkNextOfAHeal(b *testing.B) {
	ladder(b, func(b *testing.B, size int) {
		in := many(size, 1)
		for _, o := range in.Objects {
			obj := o.Target
			if obj == nil {
				obj = o.Live
			}
			key := resource.KeyOf(obj)
			in.Options.Resources = append(in.Options.Resources, argov1.SyncOperationResource{Group: key.Group, Kind: key.Kind, Name: key.Name})
		}
		for b.Loop() {
			next(b, in, size)
		}
	})
}

// BenchmarkRecord records what came of a step in which every action fails for a reason of its own.
func BenchmarkRecord(b *testing.B) {
	ladder(b, func(b *testing.B, size int) {
		in := many(size, 1)
		step := Next(in)
		var outcomes []Outcome
		for _, group := range step.Groups {
			for i, action := range group {
				outcomes = append(outcomes, Outcome{Action: action, Err: fmt.Errorf("refused for reason %d", i)})
			}
		}
		for b.Loop() {
			if recorded := Record(in, step, outcomes); len(recorded.Results) != size {
				b.Fatalf("%d rows for %d objects", len(recorded.Results), size)
			}
		}
	})
}
