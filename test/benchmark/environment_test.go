package benchmark

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/operator"
	"github.com/tiphys-io/tiphys/test/fixture"
)

// environment is what all benchmarks share: an API server, a Git server and one operator, since a process has only one.
type environment struct {
	cluster client.WithWatch
	git     *fixture.GitServer
	stops   []func() error
}

// shared starts the environment when the first benchmark wants it.
var shared = sync.OnceValues(startEnvironment)

// started tells TestMain whether there is something to stop.
var started *environment

func TestMain(m *testing.M) {
	if asked, err := operator.Work(context.Background(), os.Args); asked { // a worker process of the operator in this one
		if err != nil {
			_, _ = fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	code := m.Run()
	if started != nil {
		if err := started.stop(); err != nil {
			_, _ = fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

func startEnvironment() (*environment, error) {
	ctrl.SetLogger(logr.Discard())
	started = &environment{}
	return started, started.start(context.Background())
}

func (e *environment) start(ctx context.Context) error {
	plane, err := fixture.StartControlPlane(ctx, fixture.ControlPlaneOptions{
		CRDs: []string{filepath.Join("..", "..", "config", "crd", "bases")},
	})
	if err != nil {
		return err
	}
	e.stops = append(e.stops, func() error { plane.Stop(); return nil })
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), argov1.AddToScheme(scheme)); err != nil {
		return err
	}
	if e.cluster, err = client.NewWithWatch(plane.RESTConfig(), client.Options{Scheme: scheme}); err != nil {
		return err
	}
	if err := e.cluster.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "argocd"}}); err != nil {
		return err
	}
	if e.git, err = fixture.StartGitServer(); err != nil {
		return err
	}
	e.stops = append(e.stops, func() error { e.git.Close(); return nil })
	return e.startOperator(ctx, plane)
}

func (e *environment) startOperator(ctx context.Context, plane *fixture.ControlPlane) error {
	options, err := operator.Defaults()
	if err != nil {
		return err
	}
	cache, err := os.MkdirTemp("", "tiphys-benchmark-") // it outlives the benchmark that starts the environment
	if err != nil {
		return err
	}
	e.stops = append(e.stops, func() error { return os.RemoveAll(cache) })
	options.CacheDir, options.MetricsAddress, options.ProbeAddress = cache, "0", "0"
	options.WebhookAddress = "0"
	options.SealedSecrets.Enabled = false
	ctx, stop := context.WithCancel(ctrl.LoggerInto(ctx, logr.Discard()))
	done := make(chan error, 1)
	go func() { done <- operator.Run(ctx, plane.RESTConfig(), options) }()
	e.stops = append(e.stops, func() error {
		stop()
		return <-done
	})
	return nil
}

// stop ends everything, what was started last first.
func (e *environment) stop() error {
	var errs []error
	for _, stop := range slices.Backward(e.stops) {
		errs = append(errs, stop())
	}
	return errors.Join(errs...)
}
