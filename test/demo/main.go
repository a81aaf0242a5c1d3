// Command demo starts a control plane, a Git server and the operator, and shows an app-of-apps at work: applications become
// Synced and Healthy, waves keep their order, an object deleted by hand comes back, a commit is rolled out.
//
//	go run ./test/demo [-once] [-examples DIR]
package main

import (
	"context"
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
	ctrl.SetLogger(logr.Discard())
	err := run(ctx, *once, *examples)
	stop()
	if err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, once bool, examples string) error {
	folder, err := os.MkdirTemp("", "tiphys-demo-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	say("starting etcd, kube-apiserver, kube-controller-manager, kube-scheduler and kwok")
	plane, err := fixture.StartControlPlane(ctx, fixture.ControlPlaneOptions{
		Controllers: true, Nodes: 2, CRDs: []string{filepath.Join("config", "crd", "bases")},
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
	stopOperator, logFile, err := startOperator(ctx, plane, folder)
	if err != nil {
		return err
	}
	defer stopOperator()
	say("the operator runs; its log is %s", logFile)
	d, err := newDemo(plane, server, examples)
	if err != nil {
		return err
	}
	if err := d.show(ctx); err != nil {
		return err
	}
	if once {
		say("all of it holds")
		return nil
	}
	say("everything keeps running until Ctrl-C. Try:\n\n  export KUBECONFIG=%s\n  kubectl get applications -n argocd --watch", plane.Kubeconfig())
	<-ctx.Done()
	return nil
}

// startOperator runs the built binary as users do; it ends with the demo.
func startOperator(ctx context.Context, plane *fixture.ControlPlane, folder string) (stop func(), logFile string, err error) {
	if _, err := plane.Kubectl(ctx, "create", "namespace", "argocd"); err != nil {
		return nil, "", err
	}
	logFile = filepath.Join(folder, "operator.log")
	log, err := os.Create(logFile)
	if err != nil {
		return nil, "", err
	}
	ctx, cancel := context.WithCancel(ctx)
	command := exec.CommandContext(ctx, filepath.Join("bin", "tiphys"), "operator",
		"--metrics-bind-address=0", "--health-probe-bind-address=0", "--logformat=text", "--cache-dir="+filepath.Join(folder, "git"))
	command.Env = append(os.Environ(), "KUBECONFIG="+plane.Kubeconfig())
	command.Stdout, command.Stderr = log, log
	if err := command.Start(); err != nil {
		cancel()
		return nil, "", fmt.Errorf("starting the operator (make build makes it): %w", err)
	}
	return func() {
		cancel()
		_ = command.Wait()
		_ = log.Close()
	}, logFile, nil
}

var began = time.Now()

// say prints one line with the time since the demo began.
func say(format string, args ...any) {
	_, _ = fmt.Fprintf(os.Stdout, "%6.1fs  %s\n", time.Since(began).Seconds(), fmt.Sprintf(format, args...))
}
