package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/test/fixture"
)

// controlNamespace is where applications and operators live.
const controlNamespace = "argocd"

// worldOptions say what a scenario needs.
type worldOptions struct {
	proxy       bool // between the operator and the API server
	controllers bool // of Kubernetes: prunes wait for their garbage collection
	idle        bool // the scenario starts operators by itself
	args        []string
}

// world is a control plane, a Git server and an operator.
type world struct {
	scenario string
	findings []finding

	plane   *fixture.ControlPlane
	git     *fixture.GitServer
	cluster client.WithWatch
	proxy   *proxy
	folder  string
	binary  string
	stops   []func() error

	operator *operator
}

// newWorld starts everything; on failure it leaves nothing behind.
func newWorld(ctx context.Context, binary string, options worldOptions) (*world, error) {
	path, err := filepath.Abs(binary)
	if err != nil {
		return nil, err
	}
	w := &world{binary: path}
	if err := w.start(ctx, options); err != nil {
		return nil, errors.Join(err, w.close())
	}
	return w, nil
}

func (w *world) start(ctx context.Context, options worldOptions) error {
	var err error
	if w.folder, err = os.MkdirTemp("", "tiphys-fault-"); err != nil {
		return err
	}
	w.stops = append(w.stops, func() error { return os.RemoveAll(w.folder) })
	w.plane, err = fixture.StartControlPlane(ctx, fixture.ControlPlaneOptions{
		Controllers: options.controllers, AuditLog: w.auditLog(), CRDs: []string{filepath.Join("config", "crd", "bases")},
	})
	if err != nil {
		return err
	}
	w.stops = append(w.stops, func() error { w.plane.Stop(); return nil })
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), argov1.AddToScheme(scheme)); err != nil {
		return err
	}
	if w.cluster, err = client.NewWithWatch(w.plane.RESTConfig(), client.Options{Scheme: scheme}); err != nil {
		return err
	}
	if err := w.cluster.Create(ctx, namespace(controlNamespace)); err != nil {
		return err
	}
	if w.git, err = fixture.StartGitServer(); err != nil {
		return err
	}
	w.stops = append(w.stops, func() error { w.git.Close(); return nil })
	if options.proxy {
		if w.proxy, err = newProxy(w.plane.RESTConfig()); err != nil {
			return err
		}
		w.stops = append(w.stops, w.proxy.close)
	}
	if options.idle {
		return nil
	}
	w.operator, err = w.newOperator(ctx, "tiphys")
	if err != nil {
		return err
	}
	return w.operator.start(options.args...)
}

// close ends everything, what was started last first.
func (w *world) close() error {
	var errs []error
	for _, stop := range slices.Backward(w.stops) {
		errs = append(errs, stop())
	}
	return errors.Join(errs...)
}

func (w *world) auditLog() string { return filepath.Join(w.folder, "audit.log") }

// found adds a line to the table.
func (w *world) found(what, measured, goal string, ok bool) {
	w.findings = append(w.findings, finding{Scenario: w.scenario, What: what, Measured: measured, Goal: goal, OK: ok})
	mark := "ok"
	if !ok {
		mark = "MISSED"
	}
	say("  %s: %s (goal: %s) %s", what, measured, goal, mark)
}

// within adds a duration that has a limit.
func (w *world) within(what string, took time.Duration, err error, limit time.Duration) {
	if err != nil {
		w.found(what, err.Error(), "within "+limit.String(), false)
		return
	}
	w.found(what, took.Round(10*time.Millisecond).String(), "within "+limit.String(), took <= limit)
}

// operator is a process of the binary under a user's name of its own, so that the audit log tells it from others.
type operator struct {
	world   *world
	user    string
	folder  string
	metrics string // address
	process *fixture.Process
}

// newOperator gives a user every permission; nothing runs yet.
func (w *world) newOperator(ctx context.Context, user string) (*operator, error) {
	o := &operator{world: w, user: user, folder: filepath.Join(w.folder, user)}
	if err := os.Mkdir(o.folder, 0o755); err != nil {
		return nil, err
	}
	return o, w.cluster.Create(ctx, &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: user},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}},
	})
}

// start runs the process until the world ends. It may be called again when it has ended.
func (o *operator) start(args ...string) error {
	config, err := clientcmd.LoadFromFile(o.world.plane.Kubeconfig())
	if err != nil {
		return err
	}
	for _, user := range config.AuthInfos {
		user.Impersonate = o.user
	}
	if o.world.proxy != nil {
		for _, server := range config.Clusters {
			server.Server, server.CertificateAuthorityData = o.world.proxy.url, nil
		}
	}
	kubeconfig := filepath.Join(o.folder, "kubeconfig")
	if err := clientcmd.WriteToFile(*config, kubeconfig); err != nil {
		return err
	}
	port, err := fixture.FreePort()
	if err != nil {
		return err
	}
	o.metrics = fmt.Sprint("127.0.0.1:", port)
	command := exec.Command(o.world.binary, slices.Concat([]string{
		"operator", "--namespace=" + controlNamespace, "--cache-dir=" + o.cache(), "--logformat=text",
		"--metrics-bind-address=" + o.metrics, "--health-probe-bind-address=0", "--webhook-bind-address=0", "--sealed-secrets=false",
		"--app-resync=10s", "--app-resync-jitter=2s", "--git-request-timeout=10s", "--sync-wave-delay=0",
	}, args)...)
	command.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig)
	if o.process, err = fixture.StartProcess(o.log(), command); err != nil {
		return fmt.Errorf("starting the operator (make build makes it): %w", err)
	}
	process := o.process
	o.world.stops = append(o.world.stops, func() error {
		process.Stop()
		return o.sane()
	})
	return nil
}

func (o *operator) cache() string { return filepath.Join(o.folder, "git") }
func (o *operator) log() string   { return filepath.Join(o.folder, "operator.log") }

// sane looks for the end of the world in the log.
func (o *operator) sane() error {
	log, err := os.ReadFile(o.log())
	if err != nil {
		return err
	}
	for _, word := range []string{"panic:", "Observed a panic", "DATA RACE"} {
		if i := strings.Index(string(log), word); i >= 0 {
			return fmt.Errorf("log of operator %s: %s", o.user, log[i:min(len(log), i+4096)])
		}
	}
	return nil
}

// metric reads one number without labels from the operator's metrics.
func (o *operator) metric(ctx context.Context, name string) (float64, error) {
	data, err := o.get(ctx, "http://"+o.metrics+"/metrics")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(data)) {
		if value, found := strings.CutPrefix(line, name+" "); found {
			return strconv.ParseFloat(strings.TrimSpace(value), 64)
		}
	}
	return 0, fmt.Errorf("no metric %s at %s", name, o.metrics)
}

// get fetches what the operator serves.
func (o *operator) get(ctx context.Context, url string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	data, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s answers %s", url, response.Status)
	}
	return data, err
}

func namespace(name string) *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
}

// await polls until a state is as wanted; the error says what it was at last.
func await(ctx context.Context, limit time.Duration, state func(context.Context) (lacking string, err error)) (time.Duration, error) {
	begin := time.Now()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	ticker := time.NewTicker(250 * time.Millisecond)
	defer ticker.Stop()
	last := ""
	for {
		lacking, err := state(ctx)
		switch {
		case err != nil && ctx.Err() == nil:
			last = err.Error()
		case err == nil && lacking == "":
			return time.Since(begin), nil
		case err == nil:
			last = lacking
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return 0, fmt.Errorf("not within %s: %s", limit, last)
		}
	}
}
