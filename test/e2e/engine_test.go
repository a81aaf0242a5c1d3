package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
)

// job is a hook that ends well at once; further annotations are lines of YAML.
func job(name string, annotations ...string) string {
	return fmt.Sprintf("apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: %s\n  annotations:\n    %s\n", name, strings.Join(annotations, "\n    ")) +
		"spec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: example.com/job}]}}}\n"
}

// heldPod is a pod that no node takes, and so never ends.
func heldPod(name string, annotations ...string) string {
	return fmt.Sprintf("apiVersion: v1\nkind: Pod\nmetadata:\n  name: %s\n  annotations:\n    %s\n", name, strings.Join(annotations, "\n    ")) +
		"spec: {restartPolicy: Never, nodeSelector: {none: such}, containers: [{name: c, image: example.com/pod}]}\n"
}

// sync requests an operation as kubectl does.
func (s *scenario) sync(ctx SpecContext, operation string) {
	GinkgoHelper()
	patch := client.RawPatch("application/merge-patch+json", []byte(`{"operation":`+operation+`}`))
	Expect(cluster.Patch(ctx, s.app, patch)).To(Succeed())
}

// compared waits for the first comparison.
func (s *scenario) compared(ctx SpecContext) *scenario {
	GinkgoHelper()
	Eventually(ctx, s.status(ctx)).Should(HaveField("ReconciledAt", Not(BeNil())))
	return s
}

// results are the rows of the last operation, as "Kind/name phase: status hookPhase".
func (s *scenario) results() []string {
	var rows []string
	for _, r := range s.app.Status.OperationState.SyncResult.Resources {
		rows = append(rows, fmt.Sprintf("%s/%s %s: %s %s", r.Kind, r.Name, r.SyncPhase, r.Status, r.HookPhase))
	}
	return rows
}

var _ = Describe("A sync", func() {
	It("runs hooks in their phases, with real Jobs, and deletes those that ask for it", func(ctx SpecContext) {
		s := newScenario(ctx, map[string]string{
			"app/pre.yaml":  job("pre", "argocd.argoproj.io/hook: PreSync", "argocd.argoproj.io/hook-delete-policy: HookSucceeded"),
			"app/a.yaml":    configMap("a", "one"),
			"app/post.yaml": job("post", "argocd.argoproj.io/hook: PostSync"),
			"app/fail.yaml": job("fail", "argocd.argoproj.io/hook: SyncFail"),
		}).create(ctx).compared(ctx)
		for i := range 2 { // the second time the hooks of the first are in the way
			s.sync(ctx, `{"sync":{}}`)
			Eventually(ctx, s.status(ctx)).Should(SatisfyAll(HaveField("History", HaveLen(i+1)), HaveField("Sync.Status", argov1.SyncStatusSynced)))
			Expect(s.results()).To(Equal([]string{"Job/pre PreSync: Synced Succeeded", "ConfigMap/a Sync: Synced Succeeded", "Job/post PostSync: Synced Succeeded"}))
			Eventually(ctx, s.jobs(ctx)).Should(Equal("post "))
		}
	}, SpecTimeout(time.Minute))

	It("that a person terminates ends at once, and leaves no hook behind", func(ctx SpecContext) {
		s := newScenario(ctx, map[string]string{
			"app/held.yaml": heldPod("held", "argocd.argoproj.io/hook: PreSync"), "app/a.yaml": configMap("a", "one"),
		}).create(ctx).compared(ctx)
		s.sync(ctx, `{"sync":{},"retry":{"limit":-1}}`)
		Eventually(ctx, s.status(ctx)).Should(HaveField("OperationState.Message", "waiting for completion of hook /Pod/held"))
		patch := client.RawPatch("application/merge-patch+json", []byte(`{"status":{"operationState":{"phase":"Terminating"}}}`))
		Expect(cluster.Patch(ctx, s.app, patch)).To(Succeed())
		Eventually(ctx, s.status(ctx)).Should(SatisfyAll(
			HaveField("OperationState.Phase", argov1.OperationFailed), HaveField("OperationState.Message", "Operation terminated")))
		Expect(s.app.Operation).To(BeNil())
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "held", Namespace: s.namespace}}
		Eventually(ctx, func() bool { return apierrors.IsNotFound(cluster.Get(ctx, client.ObjectKeyFromObject(pod), pod)) }).Should(BeTrue())
		Expect(s.data(ctx, "a")).To(Equal("missing"))
	}, SpecTimeout(time.Minute))

	It("of an automated application gives way to a newer revision, says so, and leaves no hook that has done its work", func(ctx SpecContext) {
		s := newScenario(ctx, map[string]string{
			"app/pre.yaml":  job("pre", "argocd.argoproj.io/hook: PreSync", "argocd.argoproj.io/hook-delete-policy: HookSucceeded"),
			"app/held.yaml": heldPod("held", `argocd.argoproj.io/sync-wave: "-1"`), "app/a.yaml": configMap("a", "one"),
		}).automated(true, false).create(ctx)
		Eventually(ctx, s.status(ctx)).Should(HaveField("OperationState.Message", "waiting for healthy state of /Pod/held"))
		sha := s.repo.commit(map[string]string{"app/pre.yaml": "", "app/held.yaml": "", "app/a.yaml": configMap("a", "two")})
		s.refresh(ctx)
		Eventually(ctx, s.status(ctx)).Should(SatisfyAll(
			HaveField("Sync.Status", argov1.SyncStatusSynced), HaveField("OperationState.SyncResult.Revision", sha)))
		Expect(s.data(ctx, "a")).To(Equal("two"))
		Eventually(ctx, s.jobs(ctx)).Should(BeEmpty())
		Eventually(ctx, func() string {
			events, err := plane.Kubectl(ctx, "get", "events", "-n", "argocd", "--field-selector", "involvedObject.name="+s.app.Name)
			return events + errorText(err)
		}).Should(ContainSubstring("superseded by the newer revision " + sha))
	}, SpecTimeout(time.Minute))

	It("never prunes a namespace in which others live, unless told to", func(ctx SpecContext) {
		home := "home-of-" + fmt.Sprint(sequence+1)
		namespace := "apiVersion: v1\nkind: Namespace\nmetadata: {name: " + home + "}\n"
		s := newScenario(ctx, map[string]string{"app/ns.yaml": namespace, "app/a.yaml": configMap("a", "one")}).create(ctx).compared(ctx)
		s.sync(ctx, `{"sync":{}}`)
		Eventually(ctx, s.status(ctx)).Should(HaveField("Sync.Status", argov1.SyncStatusSynced))
		stranger := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "stranger", Namespace: home}}
		Expect(cluster.Create(ctx, stranger)).To(Succeed())
		s.repo.commit(map[string]string{"app/ns.yaml": ""})
		s.refresh(ctx)
		s.sync(ctx, `{"sync":{"prune":true}}`)
		Eventually(ctx, s.status(ctx)).Should(HaveField("OperationState.SyncResult.Resources", ContainElement(SatisfyAll(
			HaveField("Status", argov1.ResultCodePruneSkipped), HaveField("Message", ContainSubstring("still holds ConfigMap/stranger of others"))))))

		By("a word of the owner")
		_, err := plane.Kubectl(ctx, "annotate", "namespace", home, "argocd.argoproj.io/sync-options=Prune=true")
		Expect(err).NotTo(HaveOccurred())
		Eventually(ctx, func(g Gomega) {
			s.sync(ctx, `{"sync":{"prune":true}}`)
			g.Eventually(ctx, s.status(ctx)).Should(HaveField("OperationState.Phase", argov1.OperationSucceeded))
			g.Expect(s.results()).To(ContainElement(ContainSubstring("Namespace/" + home + " Sync: Pruned")))
		}).Should(Succeed())
	}, SpecTimeout(time.Minute))

	It("waits for a child application before the next wave", func(ctx SpecContext) {
		child := newScenario(ctx, map[string]string{"app/held.yaml": heldPod("held", "note: text")}).automated(true, true)
		text := fmt.Sprintf("apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: %s, namespace: argocd, annotations: {argocd.argoproj.io/sync-wave: \"-1\"}}\n", child.app.Name) +
			fmt.Sprintf("spec: {project: default, source: {repoURL: %s, path: app, targetRevision: HEAD}, destination: {server: %s, namespace: %s}, syncPolicy: {automated: {prune: true}}}\n",
				child.repo.git.URL(), argov1.InClusterServer, child.namespace)
		s := newScenario(ctx, map[string]string{"app/child.yaml": text, "app/a.yaml": configMap("a", "one")}).create(ctx).compared(ctx)
		s.sync(ctx, `{"sync":{}}`)
		Eventually(ctx, child.status(ctx)).Should(HaveField("Health.Status", argov1.HealthProgressing))
		Eventually(ctx, s.status(ctx)).Should(HaveField("OperationState.Message", "waiting for healthy state of argoproj.io/Application/"+child.app.Name))
		Expect(s.data(ctx, "a")).To(Equal("missing"))
		child.repo.commit(map[string]string{"app/held.yaml": "", "app/b.yaml": configMap("b", "one")})
		child.refresh(ctx)
		Eventually(ctx, s.status(ctx)).Should(HaveField("OperationState.Phase", argov1.OperationSucceeded))
		Expect(s.data(ctx, "a")).To(Equal("one"))
	}, SpecTimeout(time.Minute))

	It("takes nothing from another application in silence", func(ctx SpecContext) {
		first := newScenario(ctx, map[string]string{"app/a.yaml": configMap("a", "one")}).automated(false, false).create(ctx)
		Eventually(ctx, first.status(ctx)).Should(HaveField("Sync.Status", argov1.SyncStatusSynced))
		second := newScenario(ctx, map[string]string{"app/a.yaml": configMap("a", "two")})
		second.app.Spec.Destination.Namespace = first.namespace
		second.create(ctx).compared(ctx)
		shared := HaveField("Conditions", ContainElement(HaveField("Type", argov1.ConditionSharedResourceWarning)))
		Eventually(ctx, second.status(ctx)).Should(shared)
		second.sync(ctx, `{"sync":{}}`)
		Eventually(ctx, first.status(ctx)).Should(shared)
		Eventually(ctx, func() string {
			events, err := plane.Kubectl(ctx, "get", "events", "-n", "argocd", "--field-selector", "involvedObject.name="+second.app.Name)
			return events + errorText(err)
		}).Should(ContainSubstring("/ConfigMap/" + first.namespace + "/a belonged to application " + first.app.Name + " until now"))

		By("the deletion of the first, which leaves alone what is the other's")
		Expect(cluster.Delete(ctx, first.app)).To(Succeed())
		Eventually(ctx, func() bool {
			return apierrors.IsNotFound(cluster.Get(ctx, client.ObjectKeyFromObject(first.app), first.app))
		}).Should(BeTrue())
		Expect(first.data(ctx, "a")).To(Equal("two"))
	}, SpecTimeout(time.Minute))

	It("takes over what kubectl applied, and then removes what Git drops", func(ctx SpecContext) {
		s := newScenario(ctx, map[string]string{"app/a.yaml": configMap("a", "one")})
		file := filepath.Join(GinkgoT().TempDir(), "a.yaml")
		Expect(os.WriteFile(file, []byte("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: "+s.namespace+"}\ndata: {key: one, extra: two}\n"), 0o600)).To(Succeed())
		output, err := plane.Kubectl(ctx, "apply", "-f", file)
		Expect(err).NotTo(HaveOccurred(), output)
		s.create(ctx).compared(ctx)
		s.sync(ctx, `{"sync":{}}`)
		Eventually(ctx, s.status(ctx)).Should(HaveField("Sync.Status", argov1.SyncStatusSynced))
		cm := &corev1.ConfigMap{}
		Expect(cluster.Get(ctx, client.ObjectKey{Namespace: s.namespace, Name: "a"}, cm)).To(Succeed())
		Expect(cm.Data).To(Equal(map[string]string{"key": "one"}))
		for _, entry := range cm.ManagedFields {
			Expect(entry.Manager).NotTo(Equal("kubectl-client-side-apply"))
		}
	}, SpecTimeout(time.Minute))

	It("takes fields that the API server does not know, as kubectl does, and shows the difference", func(ctx SpecContext) {
		s := newScenario(ctx, map[string]string{"app/a.yaml": configMap("a", "one") + "nonsense: {b: c}\n"}).create(ctx).compared(ctx)
		for _, value := range []string{"one", "two"} {
			s.repo.commit(map[string]string{"app/a.yaml": configMap("a", value) + "nonsense: {b: c}\n"})
			s.refresh(ctx)
			s.sync(ctx, `{"sync":{}}`)
			Eventually(ctx, func() string { return s.data(ctx, "a") }).Should(Equal(value))
			Eventually(ctx, s.status(ctx)).Should(SatisfyAll(
				HaveField("OperationState.Phase", argov1.OperationSucceeded), HaveField("Sync.Status", argov1.SyncStatusOutOfSync)))
		}
	}, SpecTimeout(time.Minute))
})

var _ = Describe("Deleting an application", func() {
	It("runs its hooks before and after, and deletes those that ask for it", func(ctx SpecContext) {
		s := newScenario(ctx, map[string]string{
			"app/a.yaml":    configMap("a", "one"),
			"app/pre.yaml":  job("pre", "argocd.argoproj.io/hook: PreDelete"),
			"app/post.yaml": configMap("post", "one", "argocd.argoproj.io/hook: PostDelete", "argocd.argoproj.io/hook-delete-policy: HookSucceeded"),
			"app/kept.yaml": configMap("kept", "one", "helm.sh/hook: post-delete"),
		}).automated(false, false).create(ctx)
		Eventually(ctx, s.status(ctx)).Should(HaveField("Sync.Status", argov1.SyncStatusSynced))
		Expect(s.app.Finalizers).To(ContainElements("pre-delete-finalizer.argocd.argoproj.io", "post-delete-finalizer.argocd.argoproj.io/cleanup"))
		Expect(s.jobs(ctx)()).To(BeEmpty())
		Expect(cluster.Delete(ctx, s.app)).To(Succeed())
		Eventually(ctx, func() bool { return apierrors.IsNotFound(cluster.Get(ctx, client.ObjectKeyFromObject(s.app), s.app)) }).Should(BeTrue())
		Expect([]string{s.data(ctx, "a"), s.data(ctx, "post"), s.data(ctx, "kept")}).To(Equal([]string{"missing", "missing", "one"}))
		Eventually(ctx, s.jobs(ctx)).Should(BeEmpty())
	}, SpecTimeout(time.Minute))

	It("finishes a running operation first, and waits for no hook of it", func(ctx SpecContext) {
		s := newScenario(ctx, map[string]string{
			"app/held.yaml": heldPod("held", "argocd.argoproj.io/hook: PreSync"),
		}).create(ctx).compared(ctx)
		s.sync(ctx, `{"sync":{}}`)
		Eventually(ctx, s.status(ctx)).Should(HaveField("OperationState.Message", ContainSubstring("waiting for completion of hook")))
		Expect(cluster.Delete(ctx, s.app)).To(Succeed())
		patch := client.RawPatch("application/merge-patch+json", []byte(`{"status":{"operationState":{"phase":"Terminating"}}}`))
		Expect(cluster.Patch(ctx, s.app, patch)).To(Succeed())
		Eventually(ctx, func() bool { return apierrors.IsNotFound(cluster.Get(ctx, client.ObjectKeyFromObject(s.app), s.app)) }).Should(BeTrue())
	}, SpecTimeout(time.Minute))
})

// jobs lists the Jobs in the namespace of the scenario, each name followed by a space.
func (s *scenario) jobs(ctx SpecContext) func() string {
	return func() string {
		names, err := plane.Kubectl(ctx, "get", "jobs", "-n", s.namespace, "-o", "jsonpath={range .items[*]}{.metadata.name} {end}")
		return names + errorText(err)
	}
}
