package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/dynamic"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/test/fixture"
)

const (
	// control is the namespace of the Applications.
	control = "argocd"
	// workers is how many requests the floor and the making of Applications have under way.
	workers = 16
	// patience bounds each wait for something to come to pass, an hour of many applications aside.
	patience = 2 * time.Minute
)

// bench is what all scenarios share: one control plane, one Git server, and the client of the benchmark.
type bench struct {
	options options
	out     io.Writer
	folder  string
	plane   *fixture.ControlPlane
	git     *fixture.GitServer
	cluster client.WithWatch
	dynamic dynamic.Interface
	// started counts the operators, whose logs and caches are kept apart.
	started int
}

// run measures the scenarios that are asked for, and reports also when one of them fails.
func run(ctx context.Context, o options, out io.Writer) (err error) {
	wanted, err := chosen(o.scenarios)
	if err != nil {
		return err
	}
	if _, err := os.Stat(o.binary); err != nil {
		return fmt.Errorf("the operator: %w; `make build` makes it", err)
	}
	b := &bench{options: o, out: out}
	if err := b.start(ctx); err != nil {
		return errors.Join(err, b.stop())
	}
	found := newReport(o.scale)
	for _, s := range wanted {
		begin := time.Now()
		rows, scenarioErr := s.run(ctx, b)
		found.add(rows)
		if scenarioErr != nil {
			err = errors.Join(err, fmt.Errorf("scenario %s: %w", s.name, scenarioErr))
			break // what it leaves behind would spoil the others
		}
		b.say("%s is done after %s", s.name, time.Since(begin).Round(100*time.Millisecond))
	}
	return errors.Join(err, b.stop(), found.print(out), found.save(o.out))
}

// start starts the control plane and the Git server.
func (b *bench) start(ctx context.Context) (err error) {
	if b.folder, err = os.MkdirTemp("", "tiphys-benchmark-"); err != nil {
		return fmt.Errorf("folder of the benchmark: %w", err)
	}
	if b.plane, err = fixture.StartControlPlane(ctx, fixture.ControlPlaneOptions{AuditLog: b.auditLog(), CRDs: []string{b.options.crds}}); err != nil {
		return err
	}
	if b.git, err = fixture.StartGitServer(); err != nil {
		return err
	}
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), argov1.AddToScheme(scheme)); err != nil {
		return fmt.Errorf("building the scheme: %w", err)
	}
	config := b.plane.RESTConfig()
	config.UserAgent = "benchmark"
	if b.cluster, err = client.NewWithWatch(config, client.Options{Scheme: scheme}); err != nil {
		return fmt.Errorf("client of the benchmark: %w", err)
	}
	if b.dynamic, err = dynamic.NewForConfig(config); err != nil {
		return fmt.Errorf("client of the benchmark: %w", err)
	}
	return b.createNamespace(ctx, control)
}

// stop ends everything that runs.
func (b *bench) stop() error {
	if b.git != nil {
		b.git.Close()
	}
	if b.plane != nil {
		b.plane.Stop()
	}
	return os.RemoveAll(b.folder)
}

func (b *bench) auditLog() string { return filepath.Join(b.folder, "audit.log") }

func (b *bench) say(format string, args ...any) {
	_, _ = fmt.Fprintf(b.out, "# "+format+"\n", args...)
}

// scaled is a number at the scale of this run, at least one.
func (b *bench) scaled(n int) int {
	return max(1, int(math.Round(float64(n)*b.options.scale)))
}

// scaledTime is a duration at the scale of this run, at least a second.
func (b *bench) scaledTime(d time.Duration) time.Duration {
	return max(time.Second, time.Duration(float64(d)*b.options.scale))
}

func (b *bench) createNamespace(ctx context.Context, name string) error {
	err := b.cluster.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}})
	if client.IgnoreAlreadyExists(err) != nil {
		return fmt.Errorf("namespace %s: %w", name, err)
	}
	return nil
}

// parallel does n things with as many workers as the floor has; the first error ends it.
func parallel(ctx context.Context, n int, do func(ctx context.Context, i int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	next := make(chan int)
	var all sync.WaitGroup
	for range min(workers, n) {
		all.Go(func() {
			for i := range next {
				if err := do(ctx, i); err != nil {
					cancel(err)
				}
			}
		})
	}
	for i := 0; i < n && ctx.Err() == nil; i++ {
		select {
		case next <- i:
		case <-ctx.Done():
		}
	}
	close(next)
	all.Wait()
	return context.Cause(ctx)
}

// pause lets time pass; it ends early with ctx.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// until asks again and again until the answer is yes; what names it in the error when patience ends.
func until(ctx context.Context, what string, limit, interval time.Duration, done func(ctx context.Context) (bool, error)) error {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("waited %s in vain for %s", limit, what))
	defer cancel()
	for {
		ok, err := done(ctx)
		if ok || err != nil {
			return err
		}
		if err := pause(ctx, interval); err != nil {
			return err
		}
	}
}

// isOperator tells whether a request was made by the operator.
func isOperator(r fixture.Request) bool { return strings.Contains(r.Agent, "/tiphys") }
