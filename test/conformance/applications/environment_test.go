package applications

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/yaml"

	"github.com/tiphys-io/tiphys/internal/operator"
	"github.com/tiphys-io/tiphys/test/conformance"
	"github.com/tiphys-io/tiphys/test/conformance/replay"
	"github.com/tiphys-io/tiphys/test/fixture"
)

// newRunner connects to what the cases run on: a control plane and an operator of its own, or what the flags name. The
// context ends when the operator does.
func newRunner(t *testing.T) (context.Context, *replay.Runner) {
	t.Helper()
	ctx := t.Context()
	git, err := fixture.StartGitServer()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(git.Close)
	options := replay.Options{Patience: *patience, Git: git, Sources: conformance.Path(t, "applications", "sources"), AuditLog: *auditLog}
	if *kubeconfig == "" {
		options.AuditLog = filepath.Join(t.TempDir(), "audit.log")
		options.Config = startControlPlane(t, options.AuditLog)
		ctx = startOperator(t, options.Config)
	} else if options.Config, err = clientcmd.BuildConfigFromFlags("", *kubeconfig); err != nil {
		t.Fatal(err)
	}
	runner, err := replay.New(ctx, options)
	if err != nil {
		t.Fatal(err)
	}
	return ctx, runner
}

// startControlPlane starts a full control plane with the settings as they are shipped.
func startControlPlane(t *testing.T, auditLog string) *rest.Config {
	t.Helper()
	plane, err := fixture.StartControlPlane(t.Context(), fixture.ControlPlaneOptions{
		Controllers: true, Nodes: 1, AuditLog: auditLog, CRDs: []string{filepath.Join("..", "..", "..", "config", "crd", "bases")},
		Progress: t.Output(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(plane.Stop)
	client, err := kubernetes.NewForConfig(plane.RESTConfig())
	if err != nil {
		t.Fatal(err)
	}
	var settings corev1.ConfigMap
	data, err := os.ReadFile(filepath.Join("..", "..", "..", "config", "settings", "argocd_cm.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.UnmarshalStrict(data, &settings); err != nil {
		t.Fatalf("shipped settings: %v", err)
	}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: settings.Namespace}}
	if _, err := client.CoreV1().Namespaces().Create(t.Context(), namespace, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.CoreV1().ConfigMaps(settings.Namespace).Create(t.Context(), &settings, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	return plane.RESTConfig()
}

// startOperator runs the operator in process, so that the race detector sees it, until the test ends. The context ends
// when the operator does: without it every case would wait for nothing.
func startOperator(t *testing.T, config *rest.Config) context.Context {
	t.Helper()
	options, err := operator.Defaults()
	if err != nil {
		t.Fatal(err)
	}
	options.CacheDir = t.TempDir()
	options.MetricsAddress, options.ProbeAddress, options.WebhookAddress = "0", "0", "0"
	options.SealedSecrets.Enabled = false
	options.WaveDelay = 0
	log := operatorLog(t)
	ctrl.SetLogger(log)
	klog.SetLogger(log)
	running, stop := context.WithCancel(ctrl.LoggerInto(context.WithoutCancel(t.Context()), log))
	alive, ended := context.WithCancelCause(t.Context())
	done := make(chan error, 1)
	go func() {
		err := operator.Run(running, config, options)
		ended(fmt.Errorf("the operator has ended: %w", err))
		done <- err
	}()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("operator: %v", err)
		}
	})
	return alive
}

// operatorLog is kept beside the records, or nowhere.
func operatorLog(t *testing.T) logr.Logger {
	t.Helper()
	if *keep == "" {
		return logr.Discard()
	}
	file, err := os.Create(filepath.Join(*keep, "operator.log"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	return logr.FromSlogHandler(slog.NewTextHandler(file, nil))
}
