package e2e

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
)

// in puts the application of the scenario into a namespace, which is made, under a project that permits it.
func (s *scenario) in(ctx context.Context, namespace, project string) *scenario {
	Expect(cluster.Create(ctx, namespaceNamed(namespace))).To(Succeed())
	s.app.Namespace, s.app.Spec.Project = namespace, project
	return s
}

func createProject(ctx context.Context, name string, spec argov1.AppProjectSpec) *argov1.AppProject {
	project := &argov1.AppProject{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "argocd"}, Spec: spec}
	Expect(cluster.Create(ctx, project)).To(Succeed())
	return project
}

// everything is what the default project permits.
func everything() argov1.AppProjectSpec {
	return argov1.AppProjectSpec{
		SourceRepos:              []string{"*"},
		Destinations:             []argov1.ApplicationDestination{{Server: "*", Namespace: "*"}},
		ClusterResourceWhitelist: []argov1.ClusterResourceRestrictionItem{{Group: "*", Kind: "*"}},
	}
}

var _ = Describe("Applications outside the control namespace", func() {
	It("are served where a pattern of application.namespaces matches, and nowhere else", func(ctx SpecContext) {
		spec := everything()
		spec.SourceNamespaces = []string{"*"}
		createProject(ctx, "tenants", spec)
		files := map[string]string{"app/a.yaml": configMap("a", "one")}
		outside := newScenario(ctx, files).automated(true, true).in(ctx, "stranger", "tenants").create(ctx)
		glob := newScenario(ctx, files).automated(true, true).in(ctx, "tenant-a", "tenants").create(ctx)
		expression := newScenario(ctx, files).automated(true, true).in(ctx, "guest-7", "tenants").create(ctx)
		for _, s := range []*scenario{glob, expression} {
			Eventually(ctx, s.status(ctx)).Should(SatisfyAll(
				HaveField("Sync.Status", argov1.SyncStatusSynced), HaveField("Health.Status", argov1.HealthHealthy)))
			cm := &corev1.ConfigMap{}
			Expect(cluster.Get(ctx, client.ObjectKey{Namespace: s.namespace, Name: "a"}, cm)).To(Succeed())
			Expect(cm.Annotations).To(HaveKeyWithValue(argov1.AnnotationTrackingID, s.app.Namespace+"_"+s.app.Name+":/ConfigMap:"+s.namespace+"/a"))
			s.heals(ctx, "a", "one")
		}

		By("an object that names an application outside does not bring it in")
		mark := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{
			Namespace: outside.namespace, Name: "marked",
			Annotations: map[string]string{argov1.AnnotationTrackingID: "stranger_" + outside.app.Name + ":/ConfigMap:" + outside.namespace + "/marked"},
		}}
		Expect(cluster.Create(ctx, mark)).To(Succeed())
		glob.heals(ctx, "a", "one") // seen after the mark, by the same watch
		before := outside.app.ResourceVersion
		Expect(cluster.Get(ctx, client.ObjectKeyFromObject(outside.app), outside.app)).To(Succeed())
		Expect(outside.app.ResourceVersion).To(Equal(before))
		Expect(outside.app.Status).To(BeZero())
		Expect(outside.data(ctx, "a")).To(Equal("missing"))
		Expect(namespacesInMetrics()).To(And(ContainElements("tenant-a", "guest-7"), Not(ContainElement("stranger"))))
	}, SpecTimeout(time.Minute))

	It("need a project that lets them in", func(ctx SpecContext) {
		s := newScenario(ctx, map[string]string{"app/a.yaml": configMap("a", "one")}).automated(true, true).in(ctx, "tenant-b", "default").create(ctx)
		Eventually(ctx, s.status(ctx)).Should(HaveField("Conditions", ContainElement(SatisfyAll(
			HaveField("Type", argov1.ConditionInvalidSpecError), HaveField("Message", ContainSubstring("tenant-b"))))))
		Expect(s.data(ctx, "a")).To(Equal("missing"))
	}, SpecTimeout(time.Minute))
})

// namespacesInMetrics are those of the applications that the metrics tell of.
func namespacesInMetrics() []string {
	families, err := metrics.Registry.Gather()
	Expect(err).NotTo(HaveOccurred())
	var found []string
	for _, family := range families {
		if family.GetName() != "argocd_app_info" {
			continue
		}
		for _, metric := range family.GetMetric() {
			for _, label := range metric.GetLabel() {
				if label.GetName() == "namespace" {
					found = append(found, label.GetValue())
				}
			}
		}
	}
	return found
}
