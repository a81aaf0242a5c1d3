package e2e

import (
	"net/http"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/test/fixture"
)

var _ = Describe("Bad input", func() {
	DescribeTable("fails the operation before the next wave, with the reason", func(ctx SpecContext, files map[string]string, text string) {
		files["app/a.yaml"] = configMap("a", "one", `argocd.argoproj.io/sync-wave: "1"`)
		s := newScenario(ctx, files).create(ctx)
		Eventually(ctx, s.status(ctx)).Should(HaveField("Sync.Status", argov1.SyncStatusOutOfSync))
		Expect(cluster.Patch(ctx, s.app, client.RawPatch("application/merge-patch+json", []byte(`{"operation":{"sync":{}}}`)))).To(Succeed())
		Eventually(ctx, s.status(ctx)).Should(HaveField("OperationState.Phase", argov1.OperationFailed))
		told := s.app.Status.OperationState.Message
		for _, row := range s.app.Status.OperationState.SyncResult.Resources {
			told += "\n" + row.Message
		}
		Expect(told).To(ContainSubstring(text))
		Expect(s.data(ctx, "a")).To(Equal("missing"))
	},
		Entry("an unknown kind", map[string]string{"app/b.yaml": "apiVersion: example.com/v1\nkind: Thing\nmetadata: {name: x}\n"},
			"one or more synchronization tasks are not valid", SpecTimeout(time.Minute)),
		Entry("an object without a name", map[string]string{"app/b.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {labels: {a: b}}\n"},
			"metadata.name", SpecTimeout(time.Minute)),
		Entry("a missing namespace", map[string]string{"app/b.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b, namespace: nowhere}\n"},
			`namespaces "nowhere" not found`, SpecTimeout(time.Minute)),
		Entry("a value of the wrong type", map[string]string{"app/b.yaml": "apiVersion: v1\nkind: Service\nmetadata: {name: b}\nspec: {ports: 80}\n"},
			"ports", SpecTimeout(time.Minute)),
	)

	It("is a file that is larger than manifests may be", func(ctx SpecContext) {
		s := newScenario(ctx, map[string]string{"app/a.yaml": configMap("a", "one"), "app/big.yaml": strings.Repeat("# big\n", 2<<20)}).automated(true, true).create(ctx)
		Eventually(ctx, s.status(ctx)).Should(HaveField("Conditions", ContainElement(SatisfyAll(
			HaveField("Type", argov1.ConditionComparisonError), HaveField("Message", ContainSubstring("app/big.yaml"))))))
	}, SpecTimeout(time.Minute))

	It("is a destination that the project does not permit", func(ctx SpecContext) {
		project := &argov1.AppProject{
			ObjectMeta: metav1.ObjectMeta{Name: "narrow", Namespace: "argocd"},
			Spec: argov1.AppProjectSpec{
				SourceRepos:  []string{"*"},
				Destinations: []argov1.ApplicationDestination{{Server: "*", Namespace: "elsewhere"}},
			},
		}
		Expect(cluster.Create(ctx, project)).To(Succeed())
		s := newScenario(ctx, map[string]string{"app/a.yaml": configMap("a", "one")}).automated(true, true)
		s.app.Spec.Project = "narrow"
		s.create(ctx)
		Eventually(ctx, s.status(ctx)).Should(SatisfyAll(
			HaveField("Health.Status", argov1.HealthUnknown),
			HaveField("Conditions", ContainElement(SatisfyAll(
				HaveField("Type", argov1.ConditionInvalidSpecError),
				HaveField("Message", ContainSubstring("do not match any of the allowed destinations in project 'narrow'")))))))
		Expect(s.data(ctx, "a")).To(Equal("missing"))
	}, SpecTimeout(time.Minute))

	It("is a repository that does not answer well, and nothing is pruned because of it", func(ctx SpecContext) {
		broken, err := fixture.StartGitServer()
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(broken.Close)
		s := newScenario(ctx, map[string]string{}).automated(true, true)
		s.repo.git = broken.Repository("broken")
		s.repo.commit(map[string]string{"app/a.yaml": configMap("a", "one")})
		s.app.Spec.Source.RepoURL = s.repo.git.URL()
		s.create(ctx)
		Eventually(ctx, s.status(ctx)).Should(HaveField("Sync.Status", argov1.SyncStatusSynced))
		broken.Intercept(func(w http.ResponseWriter, _ *http.Request) bool {
			w.WriteHeader(http.StatusInternalServerError)
			return true
		})
		s.refresh(ctx)
		Eventually(ctx, s.status(ctx)).Should(SatisfyAll(
			HaveField("Sync.Status", argov1.SyncStatusUnknown),
			HaveField("Conditions", ContainElement(HaveField("Message", ContainSubstring("repository "+s.repo.git.URL()))))))
		Expect(s.data(ctx, "a")).To(Equal("one"))
		broken.Intercept(nil)
		s.refresh(ctx)
		Eventually(ctx, s.status(ctx)).Should(SatisfyAll(HaveField("Sync.Status", argov1.SyncStatusSynced), HaveField("Conditions", BeEmpty())))
	}, SpecTimeout(time.Minute))
})

var _ = Describe("kubectl", func() {
	It("shows the columns that users of Argo CD know", func(ctx SpecContext) {
		s := newScenario(ctx, map[string]string{"app/a.yaml": configMap("a", "one")}).automated(true, true).create(ctx)
		Eventually(ctx, s.status(ctx)).Should(HaveField("Sync.Status", argov1.SyncStatusSynced))
		table, err := plane.Kubectl(ctx, "get", "applications", "-n", "argocd", s.app.Name)
		Expect(err).NotTo(HaveOccurred())
		Expect(table).To(MatchRegexp(`NAME\s+SYNC STATUS\s+HEALTH STATUS\n%s\s+Synced\s+Healthy`, s.app.Name))
	}, SpecTimeout(time.Minute))
})
