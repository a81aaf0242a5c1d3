package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/test/fixture"
)

var _ = Describe("Bad input", func() {
	DescribeTable("fails the sync, says which object and why, and leaves what is there", func(ctx SpecContext, bad string, untouched bool, texts ...string) {
		s := newScenario(ctx, map[string]string{"app/a.yaml": configMap("a", "one"), "app/b.yaml": configMap("b", "one")}).automated(true, true)
		s.app.Spec.SyncPolicy.Retry = &argov1.RetryStrategy{Limit: 0}
		s.create(ctx)
		Eventually(ctx, s.status(ctx)).Should(HaveField("Sync.Status", argov1.SyncStatusSynced))
		s.repo.commit(map[string]string{
			"app/b.yaml": "", "app/bad.yaml": bad, "app/later.yaml": configMap("later", "one", `argocd.argoproj.io/sync-wave: "1"`),
		})
		s.refresh(ctx)
		Eventually(ctx, s.status(ctx)).Should(SatisfyAll(
			HaveField("OperationState.Phase", argov1.OperationFailed),
			HaveField("Conditions", ContainElement(HaveField("Type", argov1.ConditionSyncError)))))
		for _, text := range texts {
			Expect(s.conditions()).To(ContainSubstring(text))
		}
		Expect(s.data(ctx, "a")).To(Equal("one"))
		Expect(s.data(ctx, "later")).To(Equal("missing"), "the wave after the one that failed")
		if untouched {
			Expect(s.data(ctx, "b")).To(Equal("one"), "a sync that cannot begin prunes nothing")
		}
	},
		Entry("an unknown kind", "apiVersion: example.com/v1\nkind: Thing\nmetadata: {name: x}\n", true,
			"example.com/Thing", "/x", `Make sure the "Thing" CRD is installed`, SpecTimeout(time.Minute)),
		Entry("an object without a name", "apiVersion: v1\nkind: ConfigMap\nmetadata: {labels: {a: b}}\n", true,
			"ConfigMap", "give ConfigMap a metadata.name", SpecTimeout(time.Minute)),
		Entry("a missing namespace", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, namespace: nowhere}\n", false,
			"ConfigMap", "nowhere/c", `namespaces "nowhere" not found`, SpecTimeout(time.Minute)),
		Entry("a value of the wrong type", "apiVersion: v1\nkind: Service\nmetadata: {name: c}\nspec: {ports: 80}\n", false,
			"Service", "/c", "spec.ports", SpecTimeout(time.Minute)),
	)

	It("is a file of 100 MB, larger than manifests may be", func(ctx SpecContext) {
		s := newScenario(ctx, map[string]string{"app/a.yaml": configMap("a", "one")}).automated(true, true).create(ctx)
		Eventually(ctx, s.status(ctx)).Should(HaveField("Sync.Status", argov1.SyncStatusSynced))
		s.repo.commit(map[string]string{"app/a.yaml": "", "app/big.yaml": strings.Repeat("# much too much of it\n", bigFile/22)})
		s.ask(ctx)
		// Packing, sending and unpacking it takes a while under the race detector.
		Eventually(ctx, s.status(ctx)).WithTimeout(2 * time.Minute).Should(SatisfyAll(
			HaveField("Sync.Status", argov1.SyncStatusUnknown),
			HaveField("Conditions", ContainElement(SatisfyAll(
				HaveField("Type", argov1.ConditionComparisonError), HaveField("Message", ContainSubstring("app/big.yaml")))))))
		Expect(s.data(ctx, "a")).To(Equal("one"))
	}, SpecTimeout(time.Minute))

	It("is a destination that the project does not permit", func(ctx SpecContext) {
		createProject(ctx, "narrow", argov1.AppProjectSpec{
			SourceRepos:  []string{"*"},
			Destinations: []argov1.ApplicationDestination{{Server: "*", Namespace: "elsewhere"}},
		})
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

	DescribeTable("is a repository that does not answer as it should, and nothing is pruned because of it", func(ctx SpecContext, answer func(http.ResponseWriter, *http.Request), text string) {
		// Its own operator, whose patience with Git servers is short.
		sequence++
		namespace := fmt.Sprintf("impatient-%d", sequence)
		newOperatorProcess(ctx, namespace, "--git-request-timeout=3s").start()
		broken, err := fixture.StartGitServer()
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(broken.Close)
		s := newScenario(ctx, map[string]string{}).automated(true, true)
		s.app.Namespace = namespace
		s.repo.git = broken.Repository("broken")
		s.repo.commit(map[string]string{"app/a.yaml": configMap("a", "one")})
		s.app.Spec.Source.RepoURL = s.repo.git.URL()
		s.create(ctx)
		Eventually(ctx, s.status(ctx)).Should(HaveField("Sync.Status", argov1.SyncStatusSynced))
		broken.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
			answer(w, r)
			return true
		})
		s.refresh(ctx)
		Eventually(ctx, s.status(ctx)).Should(SatisfyAll(
			HaveField("Sync.Status", argov1.SyncStatusUnknown),
			HaveField("Conditions", ContainElement(SatisfyAll(
				HaveField("Type", argov1.ConditionComparisonError),
				HaveField("Message", And(ContainSubstring("repository "+s.repo.git.URL()), ContainSubstring(text))))))))
		Expect(s.data(ctx, "a")).To(Equal("one"))
		broken.Intercept(nil)
		s.refresh(ctx)
		Eventually(ctx, s.status(ctx)).Should(SatisfyAll(HaveField("Sync.Status", argov1.SyncStatusSynced), HaveField("Conditions", BeEmpty())))
	},
		Entry("an error", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }, "500", SpecTimeout(time.Minute)),
		Entry("silence", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "no answer within 3s", SpecTimeout(time.Minute)),
		Entry("something that is not Git", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>sign in</html>")) }, "check the URL", SpecTimeout(time.Minute)),
	)
})

// conditions are the texts of the conditions.
func (s *scenario) conditions() string {
	var text strings.Builder
	for _, condition := range s.app.Status.Conditions {
		_, _ = fmt.Fprintln(&text, condition.Type, condition.Message)
	}
	return text.String()
}

var _ = Describe("kubectl", func() {
	It("shows the columns that users of Argo CD know", func(ctx SpecContext) {
		s := newScenario(ctx, map[string]string{"app/a.yaml": configMap("a", "one")}).automated(true, true).create(ctx)
		Eventually(ctx, s.status(ctx)).Should(HaveField("Sync.Status", argov1.SyncStatusSynced))
		table, err := plane.Kubectl(ctx, "get", "applications", "-n", "argocd", s.app.Name)
		Expect(err).NotTo(HaveOccurred())
		Expect(table).To(MatchRegexp(`NAME\s+SYNC STATUS\s+HEALTH STATUS\n%s\s+Synced\s+Healthy`, s.app.Name))
	}, SpecTimeout(time.Minute))
})
