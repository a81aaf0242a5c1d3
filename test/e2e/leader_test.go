package e2e

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	coordinationv1 "k8s.io/api/coordination/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/test/fixture"
)

// holder is who holds the lease of the operators of a namespace; empty when nobody does.
func holder(ctx context.Context, namespace string) func(Gomega) string {
	return func(g Gomega) string {
		lease := &coordinationv1.Lease{}
		g.Expect(client.IgnoreNotFound(cluster.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "tiphys.argoproj.io"}, lease))).To(Succeed())
		if lease.Spec.HolderIdentity == nil {
			return ""
		}
		return *lease.Spec.HolderIdentity
	}
}

var _ = Describe("Two operators", func() {
	It("never work at the same time, and the second takes over when the first stops", func(ctx SpecContext) {
		first := newOperatorProcess(ctx, "leaders", "--leader-elect")
		first.user = administrator(ctx, "leader-one")
		second := *first
		second.folder, second.user = GinkgoT().TempDir(), administrator(ctx, "leader-two")
		process := first.start()
		Eventually(ctx, holder(ctx, "leaders")).ShouldNot(BeEmpty())
		leader := holder(ctx, "leaders")(Default)
		second.start()
		asked := func() []fixture.Request { return requests(second.user) }
		Eventually(ctx, asked).Should(ContainElement(SatisfyAll(HaveField("Resource", "leases"), HaveField("Verb", "get"))))

		s := newScenario(ctx, map[string]string{"app/a.yaml": configMap("a", "one")}).automated(true, true)
		s.app.Namespace = "leaders"
		s.create(ctx)
		Eventually(ctx, s.status(ctx)).Should(HaveField("Sync.Status", argov1.SyncStatusSynced))
		s.heals(ctx, "a", "one")
		Expect(holder(ctx, "leaders")(Default)).To(Equal(leader))
		Expect(writes(requests(first.user))).NotTo(BeEmpty())
		Expect(writes(requests(second.user))).To(BeEmpty(), "the second works although the first leads")

		process.Stop()
		Expect(process.Err()).NotTo(HaveOccurred())
		done := writes(requests(first.user))
		s.edit(ctx, "a", "by hand")
		// A lease that was not handed back would be waited for until it ends, 15 s after its last renewal.
		Eventually(ctx, func() string { return s.data(ctx, "a") }).WithTimeout(10 * time.Second).Should(Equal("one"))
		Expect(holder(ctx, "leaders")(Default)).NotTo(Or(Equal(leader), BeEmpty()))
		Expect(writes(requests(second.user))).NotTo(BeEmpty())
		Expect(writes(requests(first.user))).To(Equal(done), "the first works on after it has stopped")
	}, SpecTimeout(2*time.Minute))
})
