package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/test/fixture"
)

// compared and asked are the operator's counters of comparisons and of dry runs that these needed.
const (
	metricComparisons = "tiphys_app_comparisons_total"
	metricDryRuns     = "tiphys_app_dry_runs_total"
)

// runEdit edits one object of an application with 5,000.
func runEdit(ctx context.Context, b *bench) ([]row, error) {
	w := workload{name: "edit", apps: 1, manifests: manyConfigMaps(b.scaled(5000), 128)}
	s, made, err := b.sync(ctx, "1 app x 5,000 ConfigMaps", w, patience)
	if err != nil {
		return []row{made}, err
	}
	r, err := s.edit(ctx)
	return []row{made, r}, errors.Join(err, s.end(ctx))
}

// edit counts what the operator compares when one object of its single application is edited by hand.
func (s *synced) edit(ctx context.Context) (row, error) {
	r, o := row{Scenario: "one object of them edited"}, s.operator
	before, err := o.comparisons(ctx)
	if err != nil {
		return r, err
	}
	cm := &corev1.ConfigMap{}
	if err := o.bench.cluster.Get(ctx, client.ObjectKey{Namespace: s.workload.name, Name: s.workload.app(0) + "-00000"}, cm); err != nil {
		return r, fmt.Errorf("the object to edit: %w", err)
	}
	app := &argov1.Application{}
	if err := o.bench.cluster.Get(ctx, client.ObjectKey{Namespace: control, Name: s.workload.app(0)}, app); err != nil {
		return r, fmt.Errorf("the application to watch: %w", err)
	}
	took, err := o.bench.reaction(ctx, &argov1.ApplicationList{}, app, func() error {
		cm.Data["key"] = "by hand"
		return o.bench.cluster.Update(ctx, cm)
	}, func(event watch.Event) bool {
		seen, ok := event.Object.(*argov1.Application)
		return ok && seen.Status.Sync.Status == argov1.SyncStatusOutOfSync
	})
	if err != nil {
		return r, errors.Join(err, o.alive())
	}
	if _, err := o.quiet(ctx); err != nil {
		return r, err
	}
	after, err := o.comparisons(ctx)
	if err != nil {
		return r, err
	}
	r.add("time until OutOfSync", float64(took.Milliseconds()), "ms")
	r.add("comparisons", after[0]-before[0], "")
	r.add("dry runs", after[1]-before[1], "")
	r.goal("comparisons", 1)
	r.goal("dry runs", 1)
	return r, nil
}

// comparisons are the counters of comparisons and dry runs.
func (o *operator) comparisons(ctx context.Context) (counters [2]float64, err error) {
	for i, name := range []string{metricComparisons, metricDryRuns} {
		if counters[i], err = o.metric(ctx, name, ""); err != nil {
			return counters, err
		}
	}
	return counters, nil
}

// runHuge measures an application of 10,000 objects, whose status would be larger than the API server takes.
func runHuge(ctx context.Context, b *bench) ([]row, error) {
	w := workload{name: "huge", apps: 1, manifests: manyConfigMaps(b.scaled(10_000), 128)}
	s, made, err := b.sync(ctx, "1 app x 10,000 ConfigMaps", w, 2*patience)
	if err != nil {
		return []row{made}, err
	}
	err = s.statusSize(ctx, &made)
	return []row{made}, errors.Join(err, s.end(ctx))
}

// statusSize adds how long the status is, and whether the condition tells of what was left out.
func (s *synced) statusSize(ctx context.Context, r *row) error {
	app := &argov1.Application{}
	if err := s.operator.bench.cluster.Get(ctx, client.ObjectKey{Namespace: control, Name: s.workload.app(0)}, app); err != nil {
		return fmt.Errorf("the application: %w", err)
	}
	data, err := json.Marshal(app.Status)
	if err != nil {
		return fmt.Errorf("encoding the status: %w", err)
	}
	warned := 0.0
	for _, condition := range app.Status.Conditions {
		if condition.Type == argov1.ConditionStatusSizeWarning {
			warned = 1
		}
	}
	r.add("status", float64(len(data))/(1<<20), "MiB")
	r.add("StatusSizeWarning", warned, "")
	r.goal("status", 1)
	return nil
}

// runRestart measures the start of an operator that finds 1,000 applications Synced.
func runRestart(ctx context.Context, b *bench) ([]row, error) {
	s, made, err := b.sync(ctx, "1,000 apps x 1 ConfigMap", workload{name: "restart", apps: b.scaled(1000), manifests: oneConfigMap}, 2*patience)
	if err != nil {
		return []row{made}, err
	}
	r, err := s.restart(ctx)
	return []row{made, r}, errors.Join(err, s.end(ctx))
}

// restart replaces the operator by a new one that knows nothing, and waits until it has compared everything.
func (s *synced) restart(ctx context.Context) (row, error) {
	r := row{Scenario: "restart"}
	if err := s.operator.stop(); err != nil {
		return r, err
	}
	begin := time.Now()
	next, err := s.operator.bench.startOperator(ctx)
	if err != nil {
		return r, err
	}
	s.operator = next
	err = until(ctx, "a reconcile of every application", patience, 100*time.Millisecond, func(ctx context.Context) (bool, error) {
		done, err := next.metric(ctx, "argocd_app_reconcile_count", "")
		return done >= float64(s.workload.apps), errors.Join(err, next.alive())
	})
	if err != nil {
		return r, err
	}
	last, err := next.quiet(ctx)
	if err != nil {
		return r, err
	}
	done, _, err := next.counts(next.before)
	if err != nil {
		return r, err
	}
	r.add("time until quiet", last.Sub(begin).Seconds(), "s")
	r.add("writes to managed objects", float64(done.managed), "")
	r.add(nameWrites, float64(done.applications), "")
	r.goal("time until quiet", 15)
	r.goal("writes to managed objects", 0)
	r.goal(nameWrites, 0)
	return r, next.usage(&r, fixture.Usage{})
}

// churnRate is how many pods are changed a second.
const churnRate = 100

// runPods measures an operator while 10,000 pods come and go in the namespace of its only application, which has none.
func runPods(ctx context.Context, b *bench) ([]row, error) {
	s, made, err := b.sync(ctx, "1 app beside pods", workload{name: "pods", apps: 1, manifests: fourKinds}, patience)
	if err != nil {
		return []row{made}, err
	}
	r, err := s.churn(ctx, b.scaled(10_000), b.scaledTime(time.Minute))
	return []row{r}, errors.Join(err, s.end(ctx))
}

// churn makes pods, then deletes and makes some of them again for a while.
func (s *synced) churn(ctx context.Context, pods int, length time.Duration) (row, error) {
	r, o := row{Scenario: "pods churning beside 1 app"}, s.operator
	before, err := o.process.Usage()
	if err != nil {
		return r, errors.Join(err, o.alive())
	}
	if err := parallel(ctx, pods, s.makePod); err != nil {
		return r, err
	}
	begin := time.Now()
	tick := time.NewTicker(time.Second / churnRate)
	defer tick.Stop()
	changed := 0
	for ; time.Since(begin) < length; changed++ {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return r, context.Cause(ctx)
		}
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: podName(changed % pods), Namespace: s.workload.name}}
		if err := o.bench.cluster.Delete(ctx, pod, client.GracePeriodSeconds(0)); err != nil {
			return r, fmt.Errorf("deleting %s: %w", pod.Name, err)
		}
		if err := s.makePod(ctx, changed%pods); err != nil {
			return r, err
		}
	}
	took := time.Since(begin)
	after, err := o.process.Usage()
	if err != nil {
		return r, errors.Join(err, o.alive())
	}
	r.add("pods", float64(pods), "")
	r.add("changes a second", float64(changed)/took.Seconds(), "")
	r.add("memory more than before", float64(after.Bytes-before.Bytes)/(1<<20), "MiB")
	r.add("share of a core", 100*(after.CPU-before.CPU).Seconds()/took.Seconds(), "%")
	r.add(namePeak, float64(after.PeakBytes)/(1<<20), "MiB")
	r.goal("share of a core", 5)
	r.goal("memory more than before", 10)
	return r, nil
}

func podName(i int) string { return fmt.Sprintf("pod-%05d", i) }

func (s *synced) makePod(ctx context.Context, i int) error {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: podName(i), Namespace: s.workload.name, Labels: map[string]string{"app": "churn"}},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{
			Name: "main", Image: "example.com/churn:1", Env: []corev1.EnvVar{{Name: "TEXT", Value: strings.Repeat("x", 512)}},
		}}},
	}
	if err := s.operator.bench.cluster.Create(ctx, pod); err != nil {
		return fmt.Errorf("pod %d: %w", i, err)
	}
	return nil
}
