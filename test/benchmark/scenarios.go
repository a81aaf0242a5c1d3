package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/test/fixture"
)

// synced is a workload that an operator has just made Synced.
type synced struct {
	workload   workload
	repository *fixture.Repository
	operator   *operator
}

// end stops the operator and removes the workload.
func (s *synced) end(ctx context.Context) error {
	return errors.Join(s.operator.stop(), s.operator.bench.remove(ctx, s.workload))
}

// sync measures how long it takes from the creation of the first application of a workload until all are Synced, and what it
// takes until the operator is quiet again. The operator goes on.
func (b *bench) sync(ctx context.Context, name string, w workload, limit time.Duration) (*synced, row, error) {
	r := row{Scenario: name}
	floor, err := b.floor(ctx, w)
	if err != nil {
		return nil, r, err
	}
	s := &synced{workload: w}
	if s.repository, err = b.repository(w); err != nil {
		return nil, r, err
	}
	if err := b.createNamespace(ctx, w.name); err != nil {
		return nil, r, err
	}
	if s.operator, err = b.startOperator(ctx); err != nil {
		return nil, r, err
	}
	took, err := s.measure(ctx, &r, limit)
	if err != nil {
		return nil, r, errors.Join(err, s.end(ctx))
	}
	r.add(nameFloor, floor.Seconds(), "s")
	r.add(nameRatio, took.Seconds()/floor.Seconds(), "")
	return s, r, nil
}

// measure creates the applications and adds to the row what came of it.
func (s *synced) measure(ctx context.Context, r *row, limit time.Duration) (took time.Duration, err error) {
	o, b := s.operator, s.operator.bench
	watching, err := b.observe(ctx)
	if err != nil {
		return 0, err
	}
	defer func() { watching.events.Stop() }() // it may be another one by then
	profiled := make(chan error, 1)
	go func() { profiled <- o.profile(ctx, r.Scenario, "profile", 5) }()
	begin := time.Now()
	creating := make(chan error, 1)
	go func() { creating <- b.createApplications(ctx, s.workload, s.repository) }()
	last, err := watching.until(ctx, s.workload.apps, limit)
	if err = errors.Join(err, <-creating, <-profiled); err != nil {
		return 0, errors.Join(err, o.alive())
	}
	if _, err := o.quiet(ctx); err != nil {
		return 0, err
	}
	took = last.Sub(begin)
	r.add("time", took.Seconds(), "s")
	if err := o.usage(r, fixture.Usage{}); err != nil {
		return 0, err
	}
	done, _, err := o.counts(o.before)
	if err != nil {
		return 0, err
	}
	r.add(nameWrites, float64(done.applications), "")
	r.add("writes per application", float64(done.applications)/float64(s.workload.apps), "")
	r.add("dry runs", float64(done.dryRuns), "")
	return took, o.profile(ctx, r.Scenario, "heap", 0)
}

// runApps measures 300 applications of four objects each, and the operator at rest afterwards.
func runApps(ctx context.Context, b *bench) ([]row, error) {
	s, made, err := b.sync(ctx, "apps x 4 objects", workload{name: "apps", apps: b.scaled(300), manifests: fourKinds}, patience)
	if err != nil {
		return []row{made}, err
	}
	made.goal("time", 8)
	made.goal(namePeak, 100)
	made.goal(nameCPU, 12)
	made.goal("writes per application", 4)
	idle, err := s.idle(ctx, b.scaledTime(time.Minute))
	return []row{made, idle}, errors.Join(err, s.end(ctx))
}

// idle measures an operator that has nothing to do.
func (s *synced) idle(ctx context.Context, length time.Duration) (row, error) {
	r, o := row{Scenario: "idle"}, s.operator
	before, err := o.process.Usage()
	if err != nil {
		return r, errors.Join(err, o.alive())
	}
	since, err := o.bench.auditSize()
	if err != nil {
		return r, err
	}
	if err := pause(ctx, length); err != nil {
		return r, err
	}
	after, err := o.process.Usage()
	if err != nil {
		return r, errors.Join(err, o.alive())
	}
	done, _, err := o.counts(since)
	if err != nil {
		return r, err
	}
	r.add("time", length.Seconds(), "s")
	r.add("memory", float64(after.Bytes)/(1<<20), "MiB")
	r.add("writes", float64(done.applications+done.managed), "")
	r.add(nameCPU, (after.CPU - before.CPU).Seconds(), "s")
	r.add(nameWrites, float64(done.applications), "")
	r.goal("memory", 80)
	r.goal("writes", 0)
	r.goal(nameCPU, 0.2)
	return r, nil
}

// runSmall measures 500 applications of one ConfigMap each, and how soon the operator answers to what happens to them.
func runSmall(ctx context.Context, b *bench) ([]row, error) {
	w := workload{name: "small", apps: b.scaled(500), selfHeal: true, manifests: oneConfigMap}
	s, made, err := b.sync(ctx, "apps x 1 ConfigMap", w, patience)
	if err != nil {
		return []row{made}, err
	}
	made.goal("time", 8)
	made.goal(namePeak, 100)
	made.goal("writes per application", 4)
	rows := []row{made}
	for _, measure := range []func(context.Context) (row, error){s.heal, s.commit} {
		r, err := measure(ctx)
		rows = append(rows, r)
		if err != nil {
			return rows, errors.Join(err, s.end(ctx))
		}
	}
	return rows, s.end(ctx)
}

// sample is the ConfigMap of the application of a sample; the samples go round the applications.
func (s *synced) sample(ctx context.Context, i int) (*corev1.ConfigMap, error) {
	cm := &corev1.ConfigMap{}
	key := client.ObjectKey{Namespace: s.workload.name, Name: s.workload.app(i * 7 % s.workload.apps)}
	if err := s.operator.bench.cluster.Get(ctx, key, cm); err != nil {
		return nil, fmt.Errorf("ConfigMap of sample %d: %w", i, err)
	}
	return cm, nil
}

// hasValue tells whether an event shows a ConfigMap with that value.
func hasValue(want string) func(watch.Event) bool {
	return func(event watch.Event) bool {
		cm, ok := event.Object.(*corev1.ConfigMap)
		return ok && event.Type != watch.Deleted && cm.Data["key"] == want
	}
}

// heal measures the time from the beginning of a request that edits or deletes an object until it is as Git has it again.
func (s *synced) heal(ctx context.Context) (row, error) {
	r, b := row{Scenario: "self-heal"}, s.operator.bench
	var times []time.Duration
	for i := range b.scaled(200) {
		cm, err := s.sample(ctx, i)
		if err != nil {
			return r, err
		}
		took, err := b.reaction(ctx, &corev1.ConfigMapList{}, cm, func() error {
			if i%2 == 0 {
				return b.cluster.Delete(ctx, cm)
			}
			edited := cm.DeepCopy()
			edited.Data["key"] = "by hand"
			return b.cluster.Update(ctx, edited)
		}, hasValue("wanted"))
		if err != nil {
			return r, errors.Join(err, s.operator.alive())
		}
		times = append(times, took)
	}
	r.quantiles(times)
	r.add("samples", float64(len(times)), "")
	r.goal("p50", 50)
	r.goal("p99", 150)
	return r, nil
}

// commit measures the time from the request for a refresh after a commit until what the commit changed stands in the cluster.
func (s *synced) commit(ctx context.Context) (row, error) {
	r, b := row{Scenario: "commit to live by annotation"}, s.operator.bench
	files := s.workload.files()
	refresh := client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"annotations":{"`+argov1.AnnotationRefresh+`":"normal"}}}`))
	var times []time.Duration
	for i := range b.scaled(50) {
		cm, err := s.sample(ctx, i)
		if err != nil {
			return r, err
		}
		value := fmt.Sprintf("commit-%d", i)
		files[cm.Name+"/configmap.yaml"] = configMap(cm.Name, value, 2000)
		if _, err := s.repository.Commit(files); err != nil {
			return r, err
		}
		app := &argov1.Application{}
		app.Name, app.Namespace = cm.Name, control
		took, err := b.reaction(ctx, &corev1.ConfigMapList{}, cm, func() error { return b.cluster.Patch(ctx, app, refresh) }, hasValue(value))
		if err != nil {
			return r, errors.Join(err, s.operator.alive())
		}
		times = append(times, took)
	}
	r.quantiles(times)
	r.add("samples", float64(len(times)), "")
	r.goal("p50", 100)
	return r, nil
}

// runSingle measures one application of 1,000 ConfigMaps.
func runSingle(ctx context.Context, b *bench) ([]row, error) {
	w := workload{name: "single", apps: 1, manifests: manyConfigMaps(b.scaled(1000), 2000)}
	s, made, err := b.sync(ctx, "1 app x 1,000 ConfigMaps", w, patience)
	if err != nil {
		return []row{made}, err
	}
	made.goal(nameRatio, 1.5)
	made.goal(namePeak, 120)
	return []row{made}, s.end(ctx)
}

// runMany measures 15,000 applications of one ConfigMap each.
func runMany(ctx context.Context, b *bench) ([]row, error) {
	w := workload{name: "many", apps: b.scaled(15_000), manifests: func(app string) map[string]string {
		return map[string]string{"configmap.yaml": configMap(app, "wanted", 512)}
	}}
	s, made, err := b.sync(ctx, "15,000 apps x 1 ConfigMap", w, 30*time.Minute)
	if err != nil {
		return []row{made}, err
	}
	made.goal("time", 300)
	made.goal(namePeak, 600)
	made.goal("writes per application", 4)
	return []row{made}, s.end(ctx)
}
