package e2e

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
)

// rollout is a Deployment of ten pods.
const rollout = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 10
  strategy: {rollingUpdate: {maxSurge: 1, maxUnavailable: 0}}
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: "example.com/web:1"}]}
`

// written counts the writes of the operator to the scenario's Application.
func (s *scenario) written(user string) int {
	GinkgoHelper()
	count := 0
	for _, r := range writes(requests(user)) {
		if r.Resource == "applications" && r.Name == s.app.Name {
			count++
		}
	}
	return count
}

var _ = Describe("The status of an application", func() {
	It("is written at most three times while ten pods are rolled out, and never while nothing happens", func(ctx SpecContext) {
		operator := newOperatorProcess(ctx, "quiet", "--app-resync=1s", "--app-resync-jitter=0")
		operator.user = administrator(ctx, "quiet-operator")
		operator.start()
		s := newScenario(ctx, map[string]string{"app/web.yaml": rollout}).automated(true, true)
		s.app.Namespace = "quiet"
		s.create(ctx)
		Eventually(ctx, s.status(ctx)).WithTimeout(time.Minute).Should(SatisfyAll(
			HaveField("Sync.Status", argov1.SyncStatusSynced), HaveField("Health.Status", argov1.HealthHealthy),
			HaveField("OperationState.Phase", argov1.OperationSucceeded)))

		By("idling through some polls of the repository")
		polls := server.Requests("info/refs")
		before := s.written(operator.user)
		Eventually(ctx, func() int { return server.Requests("info/refs") - polls }).Should(BeNumerically(">=", 3))
		Expect(s.written(operator.user)-before).To(BeZero(), "an idle application is written")

		By("a restart of the Deployment's pods")
		before = s.written(operator.user)
		output, err := plane.Kubectl(ctx, "rollout", "restart", "deployment/web", "-n", s.namespace)
		Expect(err).NotTo(HaveOccurred(), output)
		web := &appsv1.Deployment{}
		Eventually(ctx, func(g Gomega) {
			g.Expect(cluster.Get(ctx, client.ObjectKey{Namespace: s.namespace, Name: "web"}, web)).To(Succeed())
			g.Expect(web.Status.ObservedGeneration).To(Equal(web.Generation))
			g.Expect(web.Status.UpdatedReplicas).To(BeEquivalentTo(10))
			g.Expect(web.Status.Replicas).To(BeEquivalentTo(10))
			g.Expect(web.Status.AvailableReplicas).To(BeEquivalentTo(10))
		}).WithTimeout(time.Minute).Should(Succeed())
		Eventually(ctx, s.status(ctx)).Should(HaveField("Health.Status", argov1.HealthHealthy))
		polls = server.Requests("info/refs")
		Eventually(ctx, func() int { return server.Requests("info/refs") - polls }).Should(BeNumerically(">=", 2))
		Expect(s.status(ctx)(Default).Health.Status).To(Equal(argov1.HealthHealthy))
		Expect(s.written(operator.user)-before).To(SatisfyAll(BeNumerically(">", 0), BeNumerically("<=", 3)), "writes in a rollout of ten pods")
	}, SpecTimeout(3*time.Minute))
})
