package e2e

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/test/fixture"
)

// installElsewhere applies an installation of config/ into another control namespace than argocd.
func installElsewhere(ctx context.Context, kustomization, namespace string) {
	GinkgoHelper()
	manifests, err := plane.Kubectl(ctx, "kustomize", filepath.Join("..", "..", "config", kustomization))
	Expect(err).NotTo(HaveOccurred())
	path := filepath.Join(GinkgoT().TempDir(), "install.yaml")
	Expect(os.WriteFile(path, []byte(strings.ReplaceAll(manifests, "namespace: argocd\n", "namespace: "+namespace+"\n")), 0o600)).To(Succeed())
	output, err := plane.Kubectl(ctx, "apply", "--server-side", "-f", path)
	Expect(err).NotTo(HaveOccurred(), output)
}

var _ = Describe("An installation that may write in a single namespace", func() {
	It("works there, with the permissions of config/namespaced and nothing to spare, and says where it may not", func(ctx SpecContext) {
		o := newOperatorProcess(ctx, "narrow", "--leader-elect", "--application-namespaces=team-*")
		o.user = "system:serviceaccount:narrow:tiphys"
		Expect(cluster.Create(ctx, namespaceNamed("team-a"))).To(Succeed())
		installElsewhere(ctx, "namespaced", "narrow")
		installElsewhere(ctx, "application-namespaces", "narrow")
		o.start()

		By("synced, healed and pruned in the namespace")
		inside := newScenario(ctx, map[string]string{"app/a.yaml": configMap("a", "one"), "app/web.yaml": deployment}).automated(true, true)
		inside.app.Namespace, inside.namespace, inside.app.Spec.Destination.Namespace = "narrow", "team-a", "team-a"
		inside.create(ctx)
		Eventually(ctx, inside.status(ctx)).Should(SatisfyAll(
			HaveField("Sync.Status", argov1.SyncStatusSynced), HaveField("Health.Status", argov1.HealthHealthy)))
		inside.heals(ctx, "a", "one")
		inside.repo.commit(map[string]string{"app/a.yaml": ""})
		inside.refresh(ctx)
		Eventually(ctx, func() string { return inside.data(ctx, "a") }).Should(Equal("missing"))
		Eventually(ctx, func() string {
			events, err := plane.Kubectl(ctx, "get", "events", "-n", "narrow", "--field-selector", "involvedObject.name="+inside.app.Name)
			return events + errorText(err)
		}).Should(ContainSubstring("OperationCompleted"))

		By("an application that lives in the other namespace")
		spec := everything()
		spec.SourceNamespaces = []string{"team-a"}
		project := &argov1.AppProject{Spec: spec}
		project.Name, project.Namespace = "team", "narrow"
		Expect(cluster.Create(ctx, project)).To(Succeed())
		guest := newScenario(ctx, map[string]string{"app/b.yaml": configMap("b", "one")}).automated(true, true)
		guest.app.Namespace, guest.app.Spec.Project = "team-a", "team"
		guest.namespace, guest.app.Spec.Destination.Namespace = "team-a", "team-a"
		guest.create(ctx)
		Eventually(ctx, guest.status(ctx)).Should(HaveField("Sync.Status", argov1.SyncStatusSynced))

		By("refused elsewhere, and for kinds that it may not write")
		outside := newScenario(ctx, map[string]string{"app/a.yaml": configMap("a", "one")}).automated(true, true)
		kind := newScenario(ctx, map[string]string{"app/role.yaml": "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: r}\n"}).automated(true, true)
		kind.namespace, kind.app.Spec.Destination.Namespace = "team-a", "team-a"
		for _, s := range []*scenario{outside, kind} {
			s.app.Namespace = "narrow"
			s.app.Spec.SyncPolicy.Retry = &argov1.RetryStrategy{Limit: 0}
			s.create(ctx)
			Eventually(ctx, s.status(ctx)).Should(SatisfyAll(
				HaveField("OperationState.Phase", argov1.OperationFailed), HaveField("OperationState.Message", ContainSubstring("forbidden"))))
		}
		Expect(outside.data(ctx, "a")).To(Equal("missing"))

		By("what the control role lets it write is written")
		Expect(unused(ctx, o.user)).To(BeEmpty())
	}, SpecTimeout(2*time.Minute))
})

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// unused are the permissions to write that the control role gives and that a user has made no use of, as verb, group and
// resource.
func unused(ctx context.Context, user string) []string {
	GinkgoHelper()
	role := &rbacv1.Role{}
	Expect(cluster.Get(ctx, client.ObjectKey{Namespace: "narrow", Name: "tiphys-control"}, role)).To(Succeed())
	used := requests(user)
	var found []string
	for _, rule := range role.Rules {
		for _, verb := range rule.Verbs {
			// Events that repeat are counted up by a patch; none does here.
			if !slices.Contains([]string{"create", "update", "patch", "delete"}, verb) || (verb == "patch" && slices.Contains(rule.Resources, "events")) {
				continue
			}
			for _, group := range rule.APIGroups {
				for _, resource := range rule.Resources {
					if !slices.ContainsFunc(used, func(r fixture.Request) bool {
						return r.Verb == verb && r.Group == group && r.Resource == resource && r.Namespace == "narrow"
					}) {
						found = append(found, verb+" "+group+" "+resource)
					}
				}
			}
		}
	}
	return found
}
