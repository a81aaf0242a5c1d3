package e2e

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
)

// marks are the tracking annotation and label of an object, and the installation id.
func (s *scenario) marks(ctx context.Context, name string) func(Gomega) [3]string {
	return func(g Gomega) [3]string {
		cm := &corev1.ConfigMap{}
		g.Expect(cluster.Get(ctx, client.ObjectKey{Namespace: s.namespace, Name: name}, cm)).To(Succeed())
		return [3]string{cm.Annotations[argov1.AnnotationTrackingID], cm.Labels["example.com/app"], cm.Annotations[argov1.AnnotationInstallationID]}
	}
}

var _ = Describe("argocd-cm", func() {
	It("takes effect without a restart: other marks, and what only they attribute", func(ctx SpecContext) {
		newOperatorProcess(ctx, "settings").start()
		s := newScenario(ctx, map[string]string{"app/a.yaml": configMap("a", "one"), "app/b.yaml": configMap("b", "one")}).automated(true, true)
		s.app.Namespace = "settings"
		s.create(ctx)
		Eventually(ctx, s.status(ctx)).Should(HaveField("Sync.Status", argov1.SyncStatusSynced))
		id := s.app.Name + ":/ConfigMap:" + s.namespace + "/a"
		Expect(s.marks(ctx, "a")(Default)).To(Equal([3]string{id, "", ""}))

		By("by label")
		settings := &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Name: "argocd-cm", Namespace: "settings", Labels: map[string]string{"app.kubernetes.io/part-of": "argocd"}},
			Data:       map[string]string{"application.resourceTrackingMethod": "label", "application.instanceLabelKey": "example.com/app"},
		}
		Expect(cluster.Create(ctx, settings)).To(Succeed())
		Eventually(ctx, s.marks(ctx, "a")).Should(Equal([3]string{"", s.app.Name, ""}))
		Eventually(ctx, s.status(ctx)).Should(HaveField("Sync.Status", argov1.SyncStatusSynced))

		By("an object that carries only the label is ours now, and pruned")
		stray := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "stray", Labels: map[string]string{"example.com/app": s.app.Name}}}
		Expect(cluster.Create(ctx, stray)).To(Succeed())
		s.repo.commit(map[string]string{"app/b.yaml": ""})
		s.refresh(ctx)
		Eventually(ctx, func() [3]string { return [3]string{s.data(ctx, "a"), s.data(ctx, "b"), s.data(ctx, "stray")} }).
			Should(Equal([3]string{"one", "missing", "missing"}))

		By("by annotation, with an installation id")
		settings.Data = map[string]string{"installationID": "harbour"}
		Expect(cluster.Update(ctx, settings)).To(Succeed())
		Eventually(ctx, s.marks(ctx, "a")).Should(Equal([3]string{id, "", "harbour"}))
		Eventually(ctx, s.status(ctx)).Should(HaveField("Sync.Status", argov1.SyncStatusSynced))

		By("the cascade finds what the new marks attribute")
		Expect(cluster.Delete(ctx, s.app)).To(Succeed())
		Eventually(ctx, func() string { return s.data(ctx, "a") }).Should(Equal("missing"))
	}, SpecTimeout(time.Minute))
})
