package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
)

// observer follows the Applications.
type observer struct {
	events watch.Interface
	synced map[string]time.Time // when each was first seen Synced with no operation left
}

// observe begins to follow the Applications; nothing that happens later is missed.
func (b *bench) observe(ctx context.Context) (*observer, error) {
	list := &argov1.ApplicationList{}
	if err := b.cluster.List(ctx, list, client.InNamespace(control), client.Limit(1)); err != nil {
		return nil, fmt.Errorf("listing the applications: %w", err)
	}
	events, err := b.cluster.Watch(ctx, list, client.InNamespace(control), &client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: list.ResourceVersion}})
	if err != nil {
		return nil, fmt.Errorf("watching the applications: %w", err)
	}
	return &observer{events: events, synced: map[string]time.Time{}}, nil
}

// until waits until n applications have been Synced, and gives the time at which the last one became so.
func (o *observer) until(ctx context.Context, n int, limit time.Duration) (time.Time, error) {
	timeout := time.NewTimer(limit)
	defer timeout.Stop()
	var last time.Time
	for len(o.synced) < n {
		select {
		case event, open := <-o.events.ResultChan():
			if !open || event.Type == watch.Error {
				return last, fmt.Errorf("the watch of the applications ended: %v", event.Object)
			}
			app, ok := event.Object.(*argov1.Application)
			if !ok || app.Status.Sync.Status != argov1.SyncStatusSynced || app.Operation != nil {
				continue
			}
			if _, seen := o.synced[app.Name]; !seen {
				last = time.Now()
				o.synced[app.Name] = last
			}
		case <-timeout.C:
			return last, fmt.Errorf("%d of %d applications are Synced after %s", len(o.synced), n, limit)
		case <-ctx.Done():
			return last, context.Cause(ctx)
		}
	}
	return last, nil
}

// reaction watches one object from the version that is given, acts, and gives the time from the beginning of the act until a
// later version is as wanted.
func (b *bench) reaction(ctx context.Context, list client.ObjectList, obj client.Object, act func() error, wanted func(watch.Event) bool) (time.Duration, error) {
	events, err := b.cluster.Watch(ctx, list, client.InNamespace(obj.GetNamespace()), client.MatchingFields{"metadata.name": obj.GetName()},
		&client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: obj.GetResourceVersion()}})
	if err != nil {
		return 0, fmt.Errorf("watching %s: %w", obj.GetName(), err)
	}
	defer events.Stop()
	begin := time.Now()
	if err := act(); err != nil {
		return 0, err
	}
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	for {
		select {
		case event, open := <-events.ResultChan():
			if !open || event.Type == watch.Error {
				return 0, fmt.Errorf("the watch of %s ended: %v", obj.GetName(), event.Object)
			}
			if wanted(event) {
				return time.Since(begin), nil
			}
		case <-timeout.C:
			return 0, fmt.Errorf("%s is not as wanted after %s", obj.GetName(), patience)
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
	}
}

// quantiles adds the median, the 99th hundredth and the largest of some times to a row.
func (r *row) quantiles(times []time.Duration) {
	slices.Sort(times)
	for _, q := range []struct {
		name string
		at   int
	}{{"p50", len(times) / 2}, {"p99", len(times) * 99 / 100}, {"max", len(times) - 1}} {
		r.add(q.name, float64(times[q.at].Microseconds())/1000, "ms")
	}
}
