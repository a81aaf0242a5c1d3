package main

import (
	"context"
	"fmt"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
)

const (
	// leakRounds and leakApps make 2,000 applications; the first round warms up.
	leakRounds = 10
	leakApps   = 200
)

// leaks creates and deletes applications in rounds, and compares goroutines and heap of the end with those of the first round.
func leaks(ctx context.Context, w *world, s settings) error {
	var goroutines, heap [2]float64
	for round := range leakRounds {
		f := w.newFleet(fmt.Sprintf("leak%d", round), min(s.apps, leakApps))
		if err := f.create(ctx); err != nil {
			return err
		}
		if _, err := f.converged(ctx, firstSync); err != nil {
			return err
		}
		if err := w.cluster.DeleteAllOf(ctx, &argov1.Application{}, client.InNamespace(controlNamespace)); err != nil {
			return err
		}
		if _, err := await(ctx, stormLimit, w.applicationsLeft); err != nil {
			return err
		}
		if round != 0 && round != leakRounds-1 {
			continue
		}
		at := min(round, 1)
		var err error
		if goroutines[at], heap[at], err = w.operator.atRest(ctx); err != nil {
			return err
		}
	}
	w.found("goroutines after the first and the last round", fmt.Sprintf("%.0f, %.0f", goroutines[0], goroutines[1]), "no more than 5 more", goroutines[1] <= goroutines[0]+5)
	w.found("heap after the first and the last round", fmt.Sprintf("%.1f MiB, %.1f MiB", heap[0]/(1<<20), heap[1]/(1<<20)), "at most 10 % or 2 MiB more", heap[1] <= max(heap[0]*1.1, heap[0]+2<<20))
	return nil
}

// applicationsLeft says how many applications there are; empty when none.
func (w *world) applicationsLeft(ctx context.Context) (string, error) {
	apps := &argov1.ApplicationList{}
	if err := w.cluster.List(ctx, apps, client.InNamespace(controlNamespace)); err != nil {
		return "", err
	}
	if len(apps.Items) == 0 {
		return "", nil
	}
	return fmt.Sprint(len(apps.Items), " applications are left"), nil
}

// atRest reads goroutines and the live heap once the numbers no longer fall: what has just ended is then put away.
func (o *operator) atRest(ctx context.Context) (goroutines, heap float64, err error) {
	last := -1.0
	_, err = await(ctx, stormLimit, func(ctx context.Context) (string, error) {
		var err error
		if goroutines, err = o.metric(ctx, "go_goroutines"); err != nil {
			return "", err
		}
		settled := goroutines == last
		last = goroutines
		if !settled {
			if err := pause(ctx, 15*time.Second); err != nil {
				return "", err
			}
			return "the number of goroutines changes", nil
		}
		return "", nil
	})
	if err != nil {
		return 0, 0, err
	}
	// A heap profile that asks for a collection is the way to have one from outside.
	if _, err := o.get(ctx, "http://127.0.0.1:6060/debug/pprof/heap?gc=1"); err != nil {
		return 0, 0, err
	}
	heap, err = o.metric(ctx, "go_memstats_heap_alloc_bytes")
	return goroutines, heap, err
}
