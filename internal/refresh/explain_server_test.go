package refresh_test

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/types"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/apply"
	"github.com/tiphys-io/tiphys/internal/diff"
	"github.com/tiphys-io/tiphys/internal/live"
	"github.com/tiphys-io/tiphys/internal/refresh"
)

func manifest(text string) *unstructured.Unstructured {
	GinkgoHelper()
	obj := &unstructured.Unstructured{}
	Expect(yaml.Unmarshal([]byte(text), &obj.Object)).To(Succeed())
	return obj
}

// explain compares one target with what is live, and explains it.
func explain(ctx SpecContext, obj *unstructured.Unstructured, change ...func(*refresh.Request)) *refresh.Explanation {
	GinkgoHelper()
	state := stateOf(obj)
	req := refresh.Request{State: state, Snapshot: live.Snapshot{}, Instance: application, Predict: predict}
	req.Snapshot[state.Objects[0].Key] = read(ctx, state.Objects[0].Target)
	for _, c := range change {
		c(&req)
	}
	got := new(refresh.Memory).Compare(ctx, req)
	Expect(got.Err).NotTo(HaveOccurred())
	explanation, err := refresh.Explain(ctx, req, got.Rules, got.Rows[0], nil)
	Expect(err).NotTo(HaveOccurred())
	Expect(explanation != nil).To(Equal(got.Rows[0].Status == argov1.SyncStatusOutOfSync))
	return explanation
}

func difference(path string, class diff.Class, target, live any, manager string) types.GomegaMatcher {
	value := func(want any) types.GomegaMatcher {
		if want == nil {
			return BeNil()
		}
		return Equal(want)
	}
	return SatisfyAll(
		HaveField("Path", path), HaveField("Class", class), HaveField("Target", value(target)), HaveField("Live", value(live)), HaveField("Manager", manager),
	)
}

const explained = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: explained, namespace: default, labels: {tier: a, team: b}}
spec:
  replicas: 2
  selector: {matchLabels: {a: b}}
  template: {metadata: {labels: {a: b}}, spec: {containers: [{name: web, image: "web:1", resources: {requests: {cpu: 1000m}}}]}}
`

var _ = Describe("An explanation", func() {
	It("names each field, who wrote it, and why it differs", func(ctx SpecContext) {
		obj := manifest(explained)
		put(ctx, stateOf(obj).Objects[0].Target)
		Expect(explain(ctx, obj)).To(BeNil())

		By("an edit with kubectl, a controller that scales, and a Git that has gone on")
		GinkgoT().Setenv("KUBE_EDITOR", `sed -i "s/web:1/web:2/"`)
		_, err := plane.Kubectl(ctx, "edit", "deployment", "explained", "-n", "default")
		Expect(err).NotTo(HaveOccurred())
		_, err = plane.Kubectl(ctx, "patch", "deployment", "explained", "-n", "default", "--subresource=scale", "--field-manager=kube-controller-manager", "--type=merge", "-p", `{"spec":{"replicas":4}}`)
		Expect(err).NotTo(HaveOccurred())
		wanted := obj.DeepCopy()
		wanted.SetLabels(map[string]string{"team": "c", "new": "d"})
		Expect(unstructured.SetNestedField(wanted.Object, int64(5), "spec", "revisionHistoryLimit")).To(Succeed())

		got := explain(ctx, wanted)
		Expect(got.Refusal).To(BeEmpty())
		Expect(got.Differences).To(ConsistOf(
			difference("metadata.labels.new", diff.ClassMissing, "d", nil, ""),
			difference("metadata.labels.team", diff.ClassChangedInGit, "c", "b", argov1.FieldManager),
			difference("metadata.labels.tier", diff.ClassNotInGit, nil, "a", argov1.FieldManager),
			difference("spec.replicas", diff.ClassController, int64(2), int64(4), "kube-controller-manager"),
			difference("spec.revisionHistoryLimit", diff.ClassDefaulted, int64(5), int64(10), ""),
			difference("spec.template.spec.containers[name=web].image", diff.ClassEdited, "web:1", "web:2", "kubectl-edit"),
		))
		for _, d := range got.Differences {
			if d.Manager != "" && d.Path != "spec.replicas" { // the API server gives no time to scales
				Expect(d.Time.Time).To(BeTemporally("~", time.Now(), 5*time.Minute))
			}
		}

		By("and each field can be ignored by the expression that is told")
		for _, d := range got.Differences {
			ignored := explain(ctx, wanted, func(req *refresh.Request) {
				req.Ignore.Application = argov1.IgnoreDifferences{{Group: "apps", Kind: "Deployment", JQPathExpressions: []string{d.Ignore}}}
			})
			Expect(ignored.Differences).To(HaveLen(len(got.Differences)-1), "%s is ignored by %s", d.Path, d.Ignore)
			Expect(ignored.Differences).NotTo(ContainElement(HaveField("Path", d.Path)))
		}
	}, NodeTimeout(time.Minute))

	It("tells what admission changes", func(ctx SpecContext) {
		obj := manifest("{apiVersion: v1, kind: ConfigMap, metadata: {name: admitted, namespace: default, labels: {zone: here}}}")
		target := stateOf(obj).Objects[0].Target
		put(ctx, target)
		for _, text := range []string{`
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicy
metadata: {name: zones}
spec:
  reinvocationPolicy: Never
  matchConstraints: {resourceRules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [configmaps]}]}
  matchConditions: [{name: zoned, expression: 'object.metadata.name == "admitted"'}]
  mutations: [{patchType: ApplyConfiguration, applyConfiguration: {expression: 'Object{metadata: Object.metadata{labels: {"zone": "there"}}}'}}]
`, `
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicyBinding
metadata: {name: zones}
spec: {policyName: zones}
`} {
			policy := manifest(text)
			put(ctx, policy)
			DeferCleanup(func(ctx SpecContext) {
				client, err := conn.Client(policy)
				Expect(err).NotTo(HaveOccurred())
				Expect(client.Delete(ctx, policy.GetName(), metav1.DeleteOptions{})).To(Succeed())
			})
		}
		Eventually(ctx, func() string {
			predicted, err := apply.Predict(ctx, conn, target)
			Expect(err).NotTo(HaveOccurred())
			return predicted.GetLabels()["zone"]
		}).WithTimeout(30 * time.Second).Should(Equal("there"))
		Expect(explain(ctx, obj)).To(BeNil(), "the object is as it is wanted, whatever an apply would do")
		obj.SetLabels(map[string]string{"zone": "elsewhere"})
		got := explain(ctx, obj)
		Expect(got.Differences).To(ConsistOf(SatisfyAll(
			difference("metadata.labels.zone", diff.ClassAdmission, "elsewhere", "here", argov1.FieldManager), HaveField("Applied", "there"))))

		By("which is no difference once it has been applied")
		put(ctx, stateOf(obj).Objects[0].Target)
		Expect(explain(ctx, obj)).To(BeNil())
	}, NodeTimeout(time.Minute))

	It("shows no value of a Secret, and which values are the same", func(ctx SpecContext) {
		obj := manifest("{apiVersion: v1, kind: Secret, metadata: {name: hidden, namespace: default}, stringData: {a: canary-one, b: canary-two}}")
		put(ctx, stateOf(obj).Objects[0].Target)
		_, err := plane.Kubectl(ctx, "patch", "secret", "hidden", "-n", "default", "--type=merge", "-p", `{"stringData":{"a":"canary-three"}}`)
		Expect(err).NotTo(HaveOccurred())
		Expect(explain(ctx, obj).Differences).To(ConsistOf(difference("data.a", diff.ClassEdited, "++++++++", "++++++++++++", "kubectl-patch")))

		By("not even where the API server quotes it")
		obj.Object["immutable"] = "canary-four"
		got := explain(ctx, obj)
		Expect(got.Refusal).To(Equal("the API server does not accept the target"))
		Expect(got.Differences).To(ContainElement(HaveField("Path", "immutable")))
	}, NodeTimeout(time.Minute))

	It("tells why the API server would not apply the target", func(ctx SpecContext) {
		obj := manifest(explained)
		put(ctx, stateOf(obj).Objects[0].Target)
		Expect(unstructured.SetNestedStringMap(obj.Object, map[string]string{"c": "d"}, "spec", "selector", "matchLabels")).To(Succeed())
		Expect(unstructured.SetNestedStringMap(obj.Object, map[string]string{"c": "d"}, "spec", "template", "metadata", "labels")).To(Succeed())
		got := explain(ctx, obj)
		Expect(got.Refusal).To(ContainSubstring("field is immutable"))
		Expect(got.Differences).To(ContainElement(HaveField("Path", "spec.selector.matchLabels.c")))
	}, NodeTimeout(time.Minute))

	It("takes an object that is missing, or no longer wanted, as a whole", func(ctx SpecContext) {
		obj := manifest("{apiVersion: v1, kind: ConfigMap, metadata: {name: unwanted, namespace: default}}")
		target := stateOf(obj).Objects[0]
		put(ctx, target.Target)
		got := new(refresh.Memory).Compare(ctx, refresh.Request{
			State: stateOf(manifest("{apiVersion: v1, kind: ConfigMap, metadata: {name: missing, namespace: default}}")), Instance: application,
			Snapshot: live.Snapshot{target.Key: read(ctx, target.Target)}, Predict: predict,
		})
		classes := map[string]diff.Class{}
		for _, row := range got.Rows {
			explanation, err := refresh.Explain(ctx, refresh.Request{Predict: predict}, got.Rules, row, nil)
			Expect(err).NotTo(HaveOccurred())
			Expect(explanation.Differences).To(HaveLen(1))
			classes[row.Key.Name] = explanation.Differences[0].Class
		}
		Expect(classes).To(Equal(map[string]diff.Class{"missing": diff.ClassMissing, "unwanted": diff.ClassNotInGit}))
	}, NodeTimeout(time.Minute))
})
