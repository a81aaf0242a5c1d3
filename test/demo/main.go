// Command demo starts a control plane, a Git server and the operator, and shows an app-of-apps at work: applications become
// Synced and Healthy, waves keep their order, an object deleted by hand comes back, a commit is rolled out.
//
//	go run ./test/demo [-once] [-examples DIR]
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/tiphys-io/tiphys/test/fixture"
)

func main() {
	once := flag.Bool("once", false, "check everything and end")
	examples := flag.String("examples", "", "folder whose sub-folders become applications, instead of the built-in ones")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	ctx, orphaned := whileParentLives(ctx)
	ctrl.SetLogger(logr.Discard())
	err := run(ctx, *once, *examples)
	orphaned()
	stop()
	if err != nil && !errors.Is(err, context.Canceled) {
		_, _ = fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

// whileParentLives gives a context that ends when whoever started this process (make, go run) has been killed: nobody is left
// to press Ctrl-C then.
func whileParentLives(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	parent := os.Getppid()
	go func() {
		ticker := time.NewTicker(500 * time.Millisecond)
		defer ticker.Stop()
		for os.Getppid() == parent {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
		}
		cancel()
	}()
	return ctx, cancel
}

func run(ctx context.Context, once bool, examples string) error {
	heading("A Kubernetes control plane of its own, two nodes played by kwok")
	plane, err := fixture.StartControlPlane(ctx, fixture.ControlPlaneOptions{
		Controllers: true, Nodes: 2, LoadBalancers: true, CRDs: []string{filepath.Join("config", "crd", "bases")}, Progress: indented{os.Stdout},
	})
	if err != nil {
		return err
	}
	defer plane.Stop()
	server, err := fixture.StartGitServer()
	if err != nil {
		return err
	}
	defer server.Close()
	operator, err := startOperator(ctx, plane)
	if err != nil {
		return err
	}
	defer operator.Stop()
	d, err := newDemo(plane, server, operator, examples)
	if err != nil {
		return err
	}
	if err := d.show(ctx); err != nil {
		return err
	}
	if once {
		heading("All of it holds")
		return nil
	}
	heading("Everything keeps running until Ctrl-C; look around:")
	_, _ = fmt.Fprintf(os.Stdout, "\n  export KUBECONFIG=%s PATH=%s:$PATH\n  kubectl get applications -n argocd --watch\n  git clone %s\n  tail -f %s\n\n",
		plane.Kubeconfig(), os.Getenv(fixture.AssetsVariable), d.repository.URL(), operatorLog)
	select {
	case <-ctx.Done():
		return nil
	case <-operator.Done():
		return fmt.Errorf("the operator has ended: %w", operator.Err())
	}
}

// operatorLog is kept when the demo has ended.
var operatorLog = filepath.Join("bin", "demo-operator.log")

// startOperator runs the built binary as users do; it dies with the demo.
func startOperator(ctx context.Context, plane *fixture.ControlPlane) (*fixture.Process, error) {
	if _, err := plane.Kubectl(ctx, "create", "namespace", "argocd"); err != nil {
		return nil, err
	}
	if err := os.Remove(operatorLog); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	command := exec.Command(filepath.Join("bin", "tiphys"), "operator",
		"--metrics-bind-address=0", "--health-probe-bind-address=0", "--webhook-bind-address=0", "--sealed-secrets=false", "--logformat=text", "--cache-dir="+filepath.Join(filepath.Dir(plane.Kubeconfig()), "git"))
	command.Env = append(os.Environ(), "KUBECONFIG="+plane.Kubeconfig())
	operator, err := fixture.StartProcess(operatorLog, command)
	if err != nil {
		return nil, fmt.Errorf("starting the operator (make build makes it): %w", err)
	}
	say("the operator runs; its log is %s", operatorLog)
	return operator, nil
}
