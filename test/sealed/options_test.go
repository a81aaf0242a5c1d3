package sealed

import (
	"syscall"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// restarted runs the program with other options until the spec ends.
func restarted(args ...string) {
	GinkgoHelper()
	running.stop()
	running.start(args...)
	DeferCleanup(func() {
		running.stop()
		running.start()
	})
}

var _ = Describe("Options", Serial, func() {
	It("SIGUSR1 has a new key made, and older ones open on", func(ctx SpecContext) {
		namespace := newNamespace(ctx)
		before := certificate()
		create(ctx, sealedHere(namespace, "s", map[string][]byte{"a": []byte("1")}))
		Eventually(ctx, synced(ctx, namespace, "s")).Should(isSynced)
		Expect(running.process.Signal(syscall.SIGUSR1)).To(Succeed())
		Eventually(ctx, func() string { return certificate().SerialNumber.String() }).ShouldNot(Equal(before.SerialNumber.String()))
		create(ctx, sealedHere(namespace, "t", map[string][]byte{"a": []byte("2")}))
		Eventually(ctx, data(ctx, namespace, "t")).Should(Equal(map[string]string{"a": "2"}))
		create(ctx, sealWith(publicKey(before), namespace, "u", map[string][]byte{"a": []byte("3")}))
		Eventually(ctx, data(ctx, namespace, "u")).Should(Equal(map[string]string{"a": "3"}))
	}, SpecTimeout(time.Minute))

	It("--skip-recreate leaves deletions and edits of Secrets alone, and follows the SealedSecret", func(ctx SpecContext) {
		restarted("--skip-recreate")
		namespace := newNamespace(ctx)
		object := sealedHere(namespace, "s", map[string][]byte{"a": []byte("1")})
		create(ctx, object)
		Eventually(ctx, data(ctx, namespace, "s")).Should(Equal(map[string]string{"a": "1"}))
		Eventually(ctx, synced(ctx, namespace, "s")).Should(isSynced)
		Expect(cluster.Delete(ctx, readSecret(ctx, namespace, "s"))).To(Succeed())
		// Another one is a sign that events are seen at all: what comes of the deletion would have come before.
		create(ctx, sealedHere(namespace, "t", map[string][]byte{"a": []byte("2")}))
		Eventually(ctx, data(ctx, namespace, "t")).Should(Equal(map[string]string{"a": "2"}))
		Consistently(ctx, data(ctx, namespace, "s")).WithTimeout(time.Second).Should(BeNil())
		Eventually(ctx, func(g Gomega) {
			now, err := read(ctx, namespace, "s")
			g.Expect(err).NotTo(HaveOccurred())
			now.Spec = sealedHere(namespace, "s", map[string][]byte{"a": []byte("3")}).Spec
			g.Expect(cluster.Update(ctx, now)).To(Succeed())
		}).Should(Succeed())
		Eventually(ctx, data(ctx, namespace, "s")).Should(Equal(map[string]string{"a": "3"}))
	}, SpecTimeout(time.Minute))

	It("--update-status=false writes no status", func(ctx SpecContext) {
		restarted("--update-status=false")
		namespace := newNamespace(ctx)
		create(ctx, sealedHere(namespace, "s", map[string][]byte{"a": []byte("1")}))
		Eventually(ctx, data(ctx, namespace, "s")).Should(Equal(map[string]string{"a": "1"}))
		Consistently(ctx, func(g Gomega) {
			object, err := read(ctx, namespace, "s")
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(object.Status).To(Or(BeNil(), HaveValue(BeZero())))
		}).WithTimeout(time.Second).Should(Succeed())
	}, SpecTimeout(time.Minute))

	It("--all-namespaces=false serves the own and the additional namespaces, and no others", func(ctx SpecContext) {
		listed, other := newNamespace(ctx), newNamespace(ctx)
		restarted("--all-namespaces=false", "--additional-namespaces="+listed)
		for _, namespace := range []string{other, listed, keyNamespace} {
			create(ctx, sealedHere(namespace, "scoped", map[string][]byte{"a": []byte("1")}))
		}
		Eventually(ctx, data(ctx, listed, "scoped")).Should(Equal(map[string]string{"a": "1"}))
		Eventually(ctx, data(ctx, keyNamespace, "scoped")).Should(Equal(map[string]string{"a": "1"}))
		Consistently(ctx, data(ctx, other, "scoped")).WithTimeout(time.Second).Should(BeNil())
		Expect(cluster.Delete(ctx, sealedHere(keyNamespace, "scoped", map[string][]byte{"a": []byte("1")}))).To(Succeed())
	}, SpecTimeout(time.Minute))

	It("--label-selector serves those with the label only", func(ctx SpecContext) {
		restarted("--label-selector=served=yes")
		namespace := newNamespace(ctx)
		without := sealedHere(namespace, "without", map[string][]byte{"a": []byte("1")})
		with := sealedHere(namespace, "with", map[string][]byte{"a": []byte("1")})
		with.Labels = map[string]string{"served": "yes"}
		create(ctx, without)
		create(ctx, with)
		Eventually(ctx, data(ctx, namespace, "with")).Should(Equal(map[string]string{"a": "1"}))
		Consistently(ctx, data(ctx, namespace, "without")).WithTimeout(time.Second).Should(BeNil())
	}, SpecTimeout(time.Minute))
})

var _ = Describe("Two replicas", Serial, func() {
	It("take turns: the second serves the API at once, and works only when the first has ended", func(ctx SpecContext) {
		second := &operator{log: running.log + "-second", api: freePort(), metrics: freePort()}
		second.start()
		DeferCleanup(func() {
			if second.process.Err() == nil {
				second.stop()
			}
		})
		code, text, err := second.get("/v1/cert.pem")
		Expect(err).NotTo(HaveOccurred())
		Expect(code).To(Equal(200))
		_, leading, err := running.get("/v1/cert.pem")
		Expect(err).NotTo(HaveOccurred())
		Expect(text).To(Equal(leading), "both know the same keys")

		namespace := newNamespace(ctx)
		create(ctx, sealedHere(namespace, "s", map[string][]byte{"a": []byte("1")}))
		Eventually(ctx, data(ctx, namespace, "s")).Should(Equal(map[string]string{"a": "1"}))
		Expect(total(second, "sealed_secrets_controller_unseal_requests_total")).To(BeZero(), "the second works although the first leads")

		first := *running
		first.stop()
		DeferCleanup(func() { running.start() })
		Expect(cluster.Delete(ctx, readSecret(ctx, namespace, "s"))).To(Succeed())
		Eventually(ctx, data(ctx, namespace, "s")).Should(Equal(map[string]string{"a": "1"}))
		Expect(total(second, "sealed_secrets_controller_unseal_requests_total")).To(BeNumerically(">", 0))
	}, SpecTimeout(2*time.Minute))
})
