package e2e

import (
	"fmt"
	"net/http"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/test/fixture"
)

const deployment = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, annotations: {argocd.argoproj.io/sync-wave: "1"}}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: example.com/web:1, ports: [{containerPort: 80}]}]}
`

func configMap(name, value string, annotations ...string) string {
	text := fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: %s\n", name)
	if len(annotations) > 0 {
		text += "  annotations:\n"
		for _, annotation := range annotations {
			text += "    " + annotation + "\n"
		}
	}
	return text + fmt.Sprintf("data: {key: %s}\n", value)
}

var _ = Describe("An application of plain manifests", func() {
	It("becomes Synced and Healthy by a requested sync, with history and results", func(ctx SpecContext) {
		s := newScenario(ctx, map[string]string{"app/cm.yaml": configMap("cm", "a"), "app/web.yaml": deployment}).create(ctx)
		Eventually(ctx, s.status(ctx)).Should(SatisfyAll(
			HaveField("Sync.Status", argov1.SyncStatusOutOfSync), HaveField("Health.Status", argov1.HealthMissing)))

		patch := client.RawPatch("application/merge-patch+json", []byte(`{"operation":{"sync":{}}}`))
		Expect(cluster.Patch(ctx, s.app, patch)).To(Succeed())
		Eventually(ctx, s.status(ctx)).Should(SatisfyAll(
			HaveField("Sync.Status", argov1.SyncStatusSynced), HaveField("Health.Status", argov1.HealthHealthy)))
		Expect(s.app.Operation).To(BeNil())
		Expect(s.app.Status.OperationState.Phase).To(Equal(argov1.OperationSucceeded), s.app.Status.OperationState.Message)
		Expect(s.app.Status.OperationState.SyncResult.Resources).To(HaveLen(2))
		Expect(s.app.Status.History).To(HaveLen(1))
		Expect(s.app.Status.ReconciledAt.Before(s.app.Status.OperationState.FinishedAt)).To(BeFalse())
		Expect(s.app.Status.Summary.Images).To(ConsistOf("example.com/web:1"))
	}, SpecTimeout(time.Minute))

	It("follows a commit, prunes what left, and keeps what may not be pruned", func(ctx SpecContext) {
		s := newScenario(ctx, map[string]string{
			"app/a.yaml": configMap("a", "one"), "app/b.yaml": configMap("b", "one"),
			"app/c.yaml": configMap("c", "one", "argocd.argoproj.io/sync-options: Prune=false"),
		}).automated(true, false).create(ctx)
		Eventually(ctx, s.status(ctx)).Should(HaveField("Sync.Status", argov1.SyncStatusSynced))
		sha := s.repo.commit(map[string]string{"app/a.yaml": configMap("a", "two"), "app/b.yaml": "", "app/c.yaml": ""})
		s.refresh(ctx)
		Eventually(ctx, s.status(ctx)).Should(HaveField("OperationState.SyncResult.Revision", sha))
		Eventually(ctx, func() string { return s.data(ctx, "a") }).Should(Equal("two"))
		Eventually(ctx, func() string { return s.data(ctx, "b") }).Should(Equal("missing"))
		Expect(s.data(ctx, "c")).To(Equal("one"))
	}, SpecTimeout(time.Minute))

	It("heals an edit and a deletion, and without selfHeal shows them", func(ctx SpecContext) {
		healed := newScenario(ctx, map[string]string{"app/a.yaml": configMap("a", "one")}).automated(true, true).create(ctx)
		shown := newScenario(ctx, map[string]string{"app/a.yaml": configMap("a", "one")}).automated(true, false).create(ctx)
		for _, s := range []*scenario{healed, shown} {
			Eventually(ctx, s.status(ctx)).Should(HaveField("Sync.Status", argov1.SyncStatusSynced))
			s.edit(ctx, "a", "by hand")
		}
		Eventually(ctx, func() string { return healed.data(ctx, "a") }).Should(Equal("one"))
		Eventually(ctx, shown.status(ctx)).Should(HaveField("Sync.Status", argov1.SyncStatusOutOfSync))
		Expect(shown.data(ctx, "a")).To(Equal("by hand"))

		Eventually(ctx, healed.status(ctx)).Should(HaveField("Sync.Status", argov1.SyncStatusSynced))
		cm := &corev1.ConfigMap{}
		Expect(cluster.Get(ctx, client.ObjectKey{Namespace: healed.namespace, Name: "a"}, cm)).To(Succeed())
		Expect(cluster.Delete(ctx, cm)).To(Succeed())
		Eventually(ctx, func() string { return healed.data(ctx, "a") }).Should(Equal("one"))
	}, SpecTimeout(time.Minute))

	It("applies waves in order and waits for health between them", func(ctx SpecContext) {
		s := newScenario(ctx, map[string]string{
			"app/first.yaml": configMap("first", "x", `argocd.argoproj.io/sync-wave: "-1"`),
			"app/web.yaml":   deployment,
			"app/last.yaml":  configMap("last", "x", `argocd.argoproj.io/sync-wave: "2"`),
		}).automated(false, false).create(ctx)
		Eventually(ctx, s.status(ctx)).Should(HaveField("OperationState.Phase", argov1.OperationSucceeded))
		web := &appsv1.Deployment{}
		Expect(cluster.Get(ctx, client.ObjectKey{Namespace: s.namespace, Name: "web"}, web)).To(Succeed())
		Expect(web.Status.AvailableReplicas).To(BeEquivalentTo(1))
		rows := s.app.Status.OperationState.SyncResult.Resources
		Expect([]string{rows[0].Name, rows[1].Name, rows[2].Name}).To(Equal([]string{"first", "web", "last"}))
	}, SpecTimeout(time.Minute))

	It("takes its objects along when it is deleted", func(ctx SpecContext) {
		s := newScenario(ctx, map[string]string{
			"app/a.yaml": configMap("a", "one"),
			"app/b.yaml": configMap("b", "one", "argocd.argoproj.io/sync-options: Delete=false"),
		}).automated(false, false).create(ctx)
		Eventually(ctx, s.status(ctx)).Should(HaveField("Sync.Status", argov1.SyncStatusSynced))
		Expect(cluster.Delete(ctx, s.app)).To(Succeed())
		Eventually(ctx, func() bool {
			return apierrors.IsNotFound(cluster.Get(ctx, client.ObjectKeyFromObject(s.app), s.app))
		}).Should(BeTrue())
		Expect(s.data(ctx, "a")).To(Equal("missing"))
		Expect(s.data(ctx, "b")).To(Equal("one"))
	}, SpecTimeout(time.Minute))

	It("prunes and is deleted while its repository does not answer", func(ctx SpecContext) {
		git, err := fixture.StartGitServer()
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(git.Close)
		s := newScenario(ctx, map[string]string{})
		s.repo.git = git.Repository("away")
		s.repo.commit(map[string]string{"app/a.yaml": configMap("a", "one"), "app/b.yaml": configMap("b", "one")})
		s.app.Spec.Source.RepoURL = s.repo.git.URL()
		s.create(ctx).compared(ctx)
		s.sync(ctx, `{"sync":{}}`)
		Eventually(ctx, s.status(ctx)).Should(HaveField("Sync.Status", argov1.SyncStatusSynced))
		s.repo.commit(map[string]string{"app/b.yaml": ""})
		s.refresh(ctx)
		Eventually(ctx, s.status(ctx)).Should(HaveField("Sync.Status", argov1.SyncStatusOutOfSync))
		git.Intercept(func(w http.ResponseWriter, _ *http.Request) bool {
			w.WriteHeader(http.StatusServiceUnavailable)
			return true
		})

		By("a prune at the revision that was seen")
		s.sync(ctx, `{"sync":{"prune":true,"revision":"`+s.app.Status.Sync.Revision+`"}}`)
		Eventually(ctx, func() string { return s.data(ctx, "b") }).Should(Equal("missing"))
		Eventually(ctx, s.status(ctx)).Should(HaveField("OperationState.Phase", argov1.OperationSucceeded))

		By("a deletion")
		Expect(cluster.Delete(ctx, s.app)).To(Succeed())
		Eventually(ctx, func() bool {
			return apierrors.IsNotFound(cluster.Get(ctx, client.ObjectKeyFromObject(s.app), s.app))
		}).Should(BeTrue())
		Expect(s.data(ctx, "a")).To(Equal("missing"))
	}, SpecTimeout(time.Minute))

	DescribeTable("says what is wrong and touches nothing", func(ctx SpecContext, change func(*scenario), conditionType argov1.ApplicationConditionType, text string) {
		s := newScenario(ctx, map[string]string{"app/a.yaml": configMap("a", "one")}).automated(true, true).create(ctx)
		Eventually(ctx, s.status(ctx)).Should(HaveField("Sync.Status", argov1.SyncStatusSynced))
		Eventually(ctx, func(g Gomega) {
			g.Expect(cluster.Get(ctx, client.ObjectKeyFromObject(s.app), s.app)).To(Succeed())
			change(s)
			g.Expect(cluster.Update(ctx, s.app)).To(Succeed())
		}).Should(Succeed())
		s.refresh(ctx)
		Eventually(ctx, s.status(ctx)).Should(HaveField("Conditions", ContainElement(SatisfyAll(
			HaveField("Type", conditionType), HaveField("Message", ContainSubstring(text))))))
		Expect(s.app.Status.Sync.Status).To(Equal(argov1.SyncStatusUnknown))
		Expect(s.data(ctx, "a")).To(Equal("one"))
	},
		Entry("a missing path", func(s *scenario) { s.app.Spec.Source.Path = "nowhere" },
			argov1.ConditionComparisonError, "nowhere: app path does not exist", SpecTimeout(time.Minute)),
		Entry("an unknown revision", func(s *scenario) { s.app.Spec.Source.TargetRevision = "nope" },
			argov1.ConditionComparisonError, "unable to resolve 'nope' to a commit SHA", SpecTimeout(time.Minute)),
		Entry("a missing project", func(s *scenario) { s.app.Spec.Project = "nobody" },
			argov1.ConditionInvalidSpecError, "Application referencing project nobody which does not exist", SpecTimeout(time.Minute)),
		Entry("a cluster that is not configured", func(s *scenario) { s.app.Spec.Destination.Server = "https://elsewhere" },
			argov1.ConditionInvalidSpecError, "https://elsewhere", SpecTimeout(time.Minute)),
		Entry("invalid YAML at line 7 of the third document", func(s *scenario) {
			good := configMap("first", "one") + "---\n" + configMap("second", "one") + "---\n" // 12 lines
			s.repo.commit(map[string]string{"app/bad.yaml": good + configMap("third", "one") + "# a comment\n\tmore: by a tab\n"})
		}, argov1.ConditionComparisonError, "app/bad.yaml: document 3, line 19: failed to unmarshal manifest: found character that cannot start any token", SpecTimeout(time.Minute)),
	)
})

// data is the value in a ConfigMap of the scenario, "missing" when there is no such object.
func (s *scenario) data(ctx SpecContext, name string) string {
	cm := &corev1.ConfigMap{}
	err := cluster.Get(ctx, client.ObjectKey{Namespace: s.namespace, Name: name}, cm)
	if apierrors.IsNotFound(err) {
		return "missing"
	}
	Expect(err).NotTo(HaveOccurred())
	return cm.Data["key"]
}

func (s *scenario) edit(ctx SpecContext, name, value string) {
	cm := &corev1.ConfigMap{}
	Expect(cluster.Get(ctx, client.ObjectKey{Namespace: s.namespace, Name: name}, cm)).To(Succeed())
	cm.Data["key"] = value
	Expect(cluster.Update(ctx, cm)).To(Succeed())
}

// heals edits a ConfigMap and waits until it is what it was.
func (s *scenario) heals(ctx SpecContext, name, value string) {
	GinkgoHelper()
	s.edit(ctx, name, "by hand")
	Eventually(ctx, func() string { return s.data(ctx, name) }).Should(Equal(value))
}
