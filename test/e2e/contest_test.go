package e2e

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/types"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
)

// insist plays a controller that writes a value into a ConfigMap whenever somebody else has, until it is stopped.
func (s *scenario) insist(name, value string) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer GinkgoRecover()
		ticker := time.NewTicker(100 * time.Millisecond)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
			cm := &corev1.ConfigMap{}
			if cluster.Get(ctx, client.ObjectKey{Namespace: s.namespace, Name: name}, cm) != nil || cm.Data["key"] == value {
				continue
			}
			cm.Data["key"] = value
			_ = cluster.Update(ctx, cm, client.FieldOwner("insister")) // a conflict is tried again
		}
	}()
	return func() { cancel(); <-done }
}

var _ = Describe("Two managers of one field", func() {
	It("are named after three flips, and self-heal leaves the field alone until the user decides", func(ctx SpecContext) {
		s := newScenario(ctx, map[string]string{"app/a.yaml": configMap("a", "git"), "app/b.yaml": configMap("b", "git")}).automated(true, true).create(ctx)
		Eventually(ctx, s.status(ctx)).Should(HaveField("Sync.Status", argov1.SyncStatusSynced))
		stop := s.insist("a", "theirs")
		DeferCleanup(stop)
		told := HaveField("Conditions", ConsistOf(SatisfyAll(
			HaveField("Type", argov1.ConditionContestedFieldWarning),
			HaveField("Message", SatisfyAll(ContainSubstring("data.key of ConfigMap "+s.namespace+"/a is set by Git and by insister in turn"), ContainSubstring("spec.ignoreDifferences"))))))
		Eventually(ctx, s.status(ctx)).WithTimeout(time.Minute).Should(told)
		Eventually(ctx, s.status(ctx)).Should(HaveField("Sync.Status", argov1.SyncStatusOutOfSync))
		stop()
		Consistently(ctx, func() string { return s.data(ctx, "a") }).WithTimeout(3 * time.Second).Should(Equal("theirs"))

		By("while the others are healed as ever")
		s.edit(ctx, "b", "by hand")
		Eventually(ctx, func() string { return s.data(ctx, "b") }).Should(Equal("git"))
		Expect(s.data(ctx, "a")).To(Equal("theirs"))
		Expect(s.status(ctx)(Default)).To(told)

		By("the remedy")
		patch := client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"ignoreDifferences":[{"group":"","kind":"ConfigMap","name":"a","jqPathExpressions":[".data.key"]}]}}`))
		Expect(cluster.Patch(ctx, s.app, patch)).To(Succeed())
		Eventually(ctx, s.status(ctx)).Should(SatisfyAll(HaveField("Sync.Status", argov1.SyncStatusSynced), HaveField("Conditions", BeEmpty())))
		Expect(s.data(ctx, "a")).To(Equal("theirs"))
	}, SpecTimeout(3*time.Minute))
})

var _ = Describe("Orphaned resources", func() {
	It("are counted when the project asks for it, without what it ignores and what others have", func(ctx SpecContext) {
		project := everything()
		yes := true
		project.OrphanedResources = &argov1.OrphanedResourcesMonitorSettings{Warn: &yes}
		created := createProject(ctx, "orphanage", project)
		s := newScenario(ctx, map[string]string{"app/a.yaml": configMap("a", "one")}).automated(true, true)
		s.app.Spec.Project = "orphanage"
		for _, name := range []string{"stray", "other"} {
			_, err := plane.Kubectl(ctx, "create", "configmap", name, "-n", s.namespace)
			Expect(err).NotTo(HaveOccurred())
		}
		s.create(ctx)
		warning := func(message string) types.GomegaMatcher {
			return HaveField("Conditions", ConsistOf(SatisfyAll(HaveField("Type", argov1.ConditionOrphanedResourceWarning), HaveField("Message", message))))
		}
		Eventually(ctx, s.status(ctx)).Should(SatisfyAll(HaveField("Sync.Status", argov1.SyncStatusSynced), warning("Application has 2 orphaned resources")))

		By("one that is ignored from now on")
		created.Spec.OrphanedResources.Ignore = []argov1.OrphanedResourceKey{{Kind: "ConfigMap", Name: "oth*"}}
		Expect(cluster.Update(ctx, created)).To(Succeed())
		Eventually(ctx, s.status(ctx)).Should(warning("Application has 1 orphaned resources"))

		By("one that goes, for which somebody asks")
		_, err := plane.Kubectl(ctx, "delete", "configmap", "stray", "-n", s.namespace)
		Expect(err).NotTo(HaveOccurred())
		s.refresh(ctx)
		Expect(s.app.Status.Conditions).To(BeEmpty())
	}, SpecTimeout(time.Minute))
})

var _ = Describe("Updates that do not matter", func() {
	It("start no comparison", func(ctx SpecContext) {
		newOperatorProcess(ctx, "updates").start()
		settings := &corev1.ConfigMap{}
		settings.Name, settings.Namespace, settings.Labels = "argocd-cm", "updates", map[string]string{"app.kubernetes.io/part-of": "argocd"}
		settings.Data = map[string]string{"resource.customizations.ignoreResourceUpdates.ConfigMap": "jsonPointers: [/metadata/annotations/beat]"}
		Expect(cluster.Create(ctx, settings)).To(Succeed())
		s := newScenario(ctx, map[string]string{"app/a.yaml": configMap("a", "one", "beat: '0'")}).automated(true, true)
		s.app.Namespace = "updates"
		s.create(ctx)
		Eventually(ctx, s.status(ctx)).Should(HaveField("Sync.Status", argov1.SyncStatusSynced))
		annotate := func(key, value string) {
			GinkgoHelper()
			_, err := plane.Kubectl(ctx, "annotate", "configmap", "a", "-n", s.namespace, "--overwrite", key+"="+value)
			Expect(err).NotTo(HaveOccurred())
		}
		annotate("beat", "1")
		Consistently(ctx, func() (string, error) {
			return plane.Kubectl(ctx, "get", "configmap", "a", "-n", s.namespace, "-o", "jsonpath={.metadata.annotations.beat}")
		}).WithTimeout(2*time.Second).Should(Equal("1"), "nobody has compared it, or it would have been healed")

		By("until one does")
		s.edit(ctx, "a", "two")
		Eventually(ctx, func() string { return s.data(ctx, "a") }).Should(Equal("one"))
	}, SpecTimeout(time.Minute))
})
