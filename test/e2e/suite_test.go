// Package e2e runs the whole operator against a real API server.
package e2e

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
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

var (
	plane    *fixture.ControlPlane
	cluster  client.Client
	server   *fixture.GitServer
	folder   string // lives as long as the suite
	sequence int
)

func TestEndToEnd(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "End to end")
}

var _ = BeforeSuite(func(ctx SpecContext) {
	SetDefaultEventuallyTimeout(30 * time.Second)
	SetDefaultEventuallyPollingInterval(50 * time.Millisecond)
	EnforceDefaultTimeoutsWhenUsingContexts()
	ctrl.SetLogger(GinkgoLogr)
	folder = GinkgoT().TempDir()
	var err error
	plane, err = fixture.StartControlPlane(ctx, fixture.ControlPlaneOptions{
		Controllers: true, Nodes: 1, AuditLog: auditLog(), AuditAll: true, Progress: GinkgoWriter,
	})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(plane.Stop)
	scheme := runtime.NewScheme()
	Expect(clientgoscheme.AddToScheme(scheme)).To(Succeed())
	Expect(argov1.AddToScheme(scheme)).To(Succeed())
	cluster, err = client.New(plane.RESTConfig(), client.Options{Scheme: scheme})
	Expect(err).NotTo(HaveOccurred())
	server, err = fixture.StartGitServer()
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(server.Close)
	install(ctx)
	startOperator()
})

// install applies what users apply, and waits until Applications are served.
func install(ctx context.Context) {
	output, err := plane.Kubectl(ctx, "apply", "--server-side", "-k", filepath.Join("..", "..", "config", "default"))
	Expect(err).NotTo(HaveOccurred(), output)
	Eventually(ctx, func() error {
		return errors.Join(cluster.List(ctx, &argov1.ApplicationList{}), cluster.List(ctx, &argov1.AppProjectList{}))
	}).Should(Succeed())
}

// startOperator runs the operator until the suite ends, with the permissions of the installation and no others.
func startOperator() {
	config := plane.RESTConfig()
	config.Impersonate.UserName = "system:serviceaccount:argocd:tiphys"
	options, err := operator.Defaults()
	Expect(err).NotTo(HaveOccurred())
	options.CacheDir = filepath.Join(folder, "git")
	options.MetricsAddress, options.ProbeAddress = "0", "0"
	options.WebhookAddress = webhookAddress()
	options.SealedSecrets.ListenAddress, options.SealedSecrets.MetricsAddress = "0", "0"
	options.SealedSecrets.KeySize = 2048 // quicker to make
	options.WaveDelay = 0
	options.LeaderElect = true
	options.ApplicationNamespaces = []string{"tenant-*", "/^guest-[0-9]+$/"}
	ctx, stop := context.WithCancel(ctrl.LoggerInto(context.Background(), GinkgoLogr.WithName("operator")))
	done := make(chan error, 1)
	go func() { done <- operator.Run(ctx, config, options) }()
	DeferCleanup(func() {
		stop()
		Eventually(done).Should(Receive(BeNil()))
	})
}

func namespaceNamed(name string) *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
}

// scenario is one application with a repository and a namespace of its own.
type scenario struct {
	repo      *repository
	namespace string
	app       *argov1.Application
}

// newScenario makes the repository and the namespace; the application is not created yet.
func newScenario(ctx context.Context, files map[string]string) *scenario {
	sequence++
	name := fmt.Sprintf("case-%d", sequence)
	s := &scenario{repo: newRepository(name), namespace: "t-" + name}
	s.repo.commit(files)
	Expect(cluster.Create(ctx, namespaceNamed(s.namespace))).To(Succeed())
	s.app = &argov1.Application{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "argocd", Finalizers: []string{argov1.FinalizerResources}},
		Spec: argov1.ApplicationSpec{
			Project:     "default",
			Source:      &argov1.ApplicationSource{RepoURL: s.repo.git.URL(), Path: "app", TargetRevision: "HEAD"},
			Destination: argov1.ApplicationDestination{Server: argov1.InClusterServer, Namespace: s.namespace},
		},
	}
	return s
}

// automated turns automated sync on.
func (s *scenario) automated(prune, selfHeal bool) *scenario {
	s.app.Spec.SyncPolicy = &argov1.SyncPolicy{Automated: &argov1.SyncPolicyAutomated{Prune: &prune, SelfHeal: &selfHeal}}
	return s
}

// create creates the application; a spec that fails reports how it stands then.
func (s *scenario) create(ctx context.Context) *scenario {
	Expect(cluster.Create(ctx, s.app)).To(Succeed())
	DeferCleanup(func(ctx context.Context) {
		if CurrentSpecReport().Failed() {
			text, err := plane.Kubectl(ctx, "get", "application", "-o", "yaml", "-n", s.app.Namespace, s.app.Name)
			AddReportEntry("application "+s.app.Name, fmt.Sprint(text, err))
		}
	})
	return s
}

// status reads the application's status; for Eventually.
func (s *scenario) status(ctx context.Context) func(Gomega) argov1.ApplicationStatus {
	return func(g Gomega) argov1.ApplicationStatus {
		g.Expect(cluster.Get(ctx, client.ObjectKeyFromObject(s.app), s.app)).To(Succeed())
		return s.app.Status
	}
}

// ask asks for a comparison.
func (s *scenario) ask(ctx context.Context) {
	GinkgoHelper()
	patch := client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"annotations":{"`+argov1.AnnotationRefresh+`":"normal"}}}`))
	Expect(cluster.Patch(ctx, s.app, patch)).To(Succeed())
}

// refresh asks for a comparison and waits until it is done.
func (s *scenario) refresh(ctx context.Context) {
	GinkgoHelper()
	s.ask(ctx)
	Eventually(ctx, func(g Gomega) {
		g.Expect(cluster.Get(ctx, client.ObjectKeyFromObject(s.app), s.app)).To(Succeed())
		g.Expect(s.app.Annotations).NotTo(HaveKey(argov1.AnnotationRefresh))
	}).Should(Succeed())
}
