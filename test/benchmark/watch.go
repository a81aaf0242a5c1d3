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
	bench  *bench
	events watch.Interface
	synced map[string]time.Time // when each was first seen Synced with no operation left
	last   time.Time            // the latest of these
}

// observe begins to follow the Applications; nothing that happens later is missed.
func (b *bench) observe(ctx context.Context) (*observer, error) {
	o := &observer{bench: b, synced: map[string]time.Time{}}
	return o, o.begin(ctx)
}

// begin looks at what is there and watches what comes.
func (o *observer) begin(ctx context.Context) error {
	list := &argov1.ApplicationList{}
	if err := o.bench.cluster.List(ctx, list, client.InNamespace(control)); err != nil {
		return fmt.Errorf("listing the applications: %w", err)
	}
	for i := range list.Items {
		o.see(&list.Items[i])
	}
	var err error
	o.events, err = o.bench.cluster.Watch(ctx, &argov1.ApplicationList{}, client.InNamespace(control),
		&client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: list.ResourceVersion}})
	if err != nil {
		return fmt.Errorf("watching the applications: %w", err)
	}
	return nil
}

func (o *observer) see(app *argov1.Application) {
	if app.Status.Sync.Status != argov1.SyncStatusSynced || app.Operation != nil {
		return
	}
	if _, seen := o.synced[app.Name]; !seen {
		o.last = time.Now()
		o.synced[app.Name] = o.last
	}
}

// until waits until n applications have been Synced, and gives the time at which the last one became so.
func (o *observer) until(ctx context.Context, n int, limit time.Duration) (time.Time, error) {
	timeout := time.NewTimer(limit)
	defer timeout.Stop()
	for len(o.synced) < n {
		select {
		case event, open := <-o.events.ResultChan():
			if !open || event.Type == watch.Error { // an API server may end a watch at any time
				o.events.Stop()
				if err := o.begin(ctx); err != nil {
					return o.last, err
				}
				continue
			}
			if app, ok := event.Object.(*argov1.Application); ok {
				o.see(app)
			}
		case <-timeout.C:
			return o.last, fmt.Errorf("%d of %d applications are Synced after %s", len(o.synced), n, limit)
		case <-ctx.Done():
			return o.last, context.Cause(ctx)
		}
	}
	return o.last, nil
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
