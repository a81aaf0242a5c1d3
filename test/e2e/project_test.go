package e2e

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
)

var _ = Describe("A project", func() {
	It("is obeyed as soon as it appears, changes or goes", func(ctx SpecContext) {
		s := newScenario(ctx, map[string]string{"app/a.yaml": configMap("a", "one")}).automated(true, true)
		s.app.Spec.Project = "late"
		s.create(ctx)
		refused := func(text string) {
			GinkgoHelper()
			Eventually(ctx, s.status(ctx)).Should(SatisfyAll(
				HaveField("Health.Status", argov1.HealthUnknown),
				HaveField("Conditions", ContainElement(HaveField("Message", ContainSubstring(text))))))
		}
		refused("Application referencing project late which does not exist")
		Expect(s.data(ctx, "a")).To(Equal("missing"))

		project := createProject(ctx, "late", everything())
		Eventually(ctx, s.status(ctx)).Should(SatisfyAll(HaveField("Sync.Status", argov1.SyncStatusSynced), HaveField("Conditions", BeEmpty())))
		Expect(s.data(ctx, "a")).To(Equal("one"))

		project.Spec.SourceRepos = []string{"https://example.com/other.git"}
		Expect(cluster.Update(ctx, project)).To(Succeed())
		refused("is not permitted in project 'late'")

		Expect(cluster.Patch(ctx, project, client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"sourceRepos":["*"]}}`)))).To(Succeed())
		Eventually(ctx, s.status(ctx)).Should(SatisfyAll(HaveField("Sync.Status", argov1.SyncStatusSynced), HaveField("Conditions", BeEmpty())))

		Expect(cluster.Delete(ctx, project)).To(Succeed())
		refused("Application referencing project late which does not exist")
		Expect(s.data(ctx, "a")).To(Equal("one"))
	}, SpecTimeout(time.Minute))
})
