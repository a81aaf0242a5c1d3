package e2e

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	bitnamiv1 "github.com/tiphys-io/tiphys/api/bitnami/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/sealing"
)

// sealed is a SealedSecret as a manifest, with one item, sealed for its name in a namespace.
func sealed(ctx context.Context, namespace, name, value string) string {
	GinkgoHelper()
	var public *rsa.PublicKey
	Eventually(ctx, func(g Gomega) {
		keys := &corev1.SecretList{}
		g.Expect(cluster.List(ctx, keys, client.InNamespace("argocd"), client.MatchingLabels{bitnamiv1.LabelSealingKey: bitnamiv1.SealingKeyActive})).To(Succeed())
		g.Expect(keys.Items).To(HaveLen(1))
		key, err := sealing.ParseKey(&keys.Items[0])
		g.Expect(err).NotTo(HaveOccurred())
		public = &key.Private.PublicKey
	}).Should(Succeed())
	object, err := sealing.Seal(rand.Reader, public, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Data: map[string][]byte{"key": []byte(value)},
	})
	Expect(err).NotTo(HaveOccurred())
	text, err := yaml.Marshal(object)
	Expect(err).NotTo(HaveOccurred())
	return string(text)
}

var _ = Describe("A SealedSecret in Git", func() {
	It("is synced and unsealed", func(ctx SpecContext) {
		s := newScenario(ctx, map[string]string{"app/cm.yaml": configMap("cm", "a")})
		s.repo.commit(map[string]string{"app/sealed.yaml": sealed(ctx, s.namespace, "s", "in the clear")})
		s.automated(true, true).create(ctx)
		Eventually(ctx, func(g Gomega) string {
			secret := &corev1.Secret{}
			g.Expect(cluster.Get(ctx, client.ObjectKey{Namespace: s.namespace, Name: "s"}, secret)).To(Succeed())
			g.Expect(secret.OwnerReferences).To(ContainElement(HaveField("Kind", "SealedSecret")))
			return string(secret.Data["key"])
		}).Should(Equal("in the clear"))
		Eventually(ctx, s.status(ctx)).Should(SatisfyAll(
			HaveField("Sync.Status", argov1.SyncStatusSynced), HaveField("Health.Status", argov1.HealthHealthy),
			HaveField("Resources", ContainElement(SatisfyAll(
				HaveField("Kind", "SealedSecret"), HaveField("Name", "s"), HaveField("Status", argov1.SyncStatusSynced),
				HaveField("Health.Status", argov1.HealthHealthy))))))

		By("with the SealedSecret goes its Secret")
		s.repo.commit(map[string]string{"app/sealed.yaml": ""})
		s.refresh(ctx)
		Eventually(ctx, func() bool {
			return apierrors.IsNotFound(cluster.Get(ctx, client.ObjectKey{Namespace: s.namespace, Name: "s"}, &corev1.Secret{}))
		}).Should(BeTrue())
	}, SpecTimeout(time.Minute))

	It("fails the sync before anything is applied, when no key opens it", func(ctx SpecContext) {
		s := newScenario(ctx, map[string]string{"app/cm.yaml": configMap("cm", "a", `argocd.argoproj.io/sync-wave: "-5"`)})
		text := sealed(ctx, "elsewhere", "s", "in the clear")
		s.repo.commit(map[string]string{"app/sealed.yaml": movedTo(text, s.namespace)})
		s.automated(true, true)
		s.app.Spec.SyncPolicy.Retry = &argov1.RetryStrategy{Limit: 0}
		s.create(ctx)
		Eventually(ctx, s.status(ctx)).Should(HaveField("OperationState.Phase", argov1.OperationFailed))
		Expect(s.app.Status.OperationState.Message).To(ContainSubstring("one or more objects failed to apply (dry run)"))
		Expect(s.app.Status.OperationState.SyncResult.Resources).To(ContainElement(SatisfyAll(
			HaveField("Kind", "SealedSecret"), HaveField("Status", argov1.ResultCodeSyncFailed), HaveField("Message",
				"SealedSecret "+s.namespace+"/s cannot be unsealed: no key could decrypt secret (key): "+
					"sealed for namespace elsewhere name s (strict), this is "+s.namespace+"/s"))))
		Expect(s.data(ctx, "cm")).To(Equal("missing"))
	}, SpecTimeout(time.Minute))
})

// movedTo is a SealedSecret put into another namespace than it was sealed for; its template still tells.
func movedTo(text, namespace string) string {
	GinkgoHelper()
	object := &bitnamiv1.SealedSecret{}
	Expect(yaml.Unmarshal([]byte(text), object)).To(Succeed())
	object.Namespace = namespace
	moved, err := yaml.Marshal(object)
	Expect(err).NotTo(HaveOccurred())
	return string(moved)
}
