package apply_test

import (
	"fmt"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/apply"
	"github.com/tiphys-io/tiphys/internal/plan"
)

var _ = Describe("An apply", func() {
	It("says in kubectl's words what it did, and writes nothing when nothing is to be done", func(ctx SpecContext) {
		message, live := applied(ctx, taskFor(ctx, configMap("words", "1")))
		Expect(message).To(Equal("configmap/words created"))

		message, told := applied(ctx, taskFor(ctx, configMap("words", "1"), func(t *plan.Task) { t.Modified = false }))
		Expect(message).To(Equal("configmap/words unchanged"))
		Expect(told).To(BeNil(), "nothing was asked of the server")

		message, told = applied(ctx, taskFor(ctx, configMap("words", "1")))
		Expect(message).To(Equal("configmap/words unchanged"), "the server found no difference either")
		Expect(told.GetResourceVersion()).To(Equal(live.GetResourceVersion()))

		message, told = applied(ctx, taskFor(ctx, configMap("words", "2")))
		Expect(message).To(Equal("configmap/words configured"))
		Expect(data(told)).To(Equal(map[string]string{"a": "2"}))

		serverSide := func(t *plan.Task) { t.ServerSideApply = true }
		message, _ = applied(ctx, taskFor(ctx, configMap("words", "3"), serverSide))
		Expect(message).To(Equal("configmap/words serverside-applied"))
		message, _ = applied(ctx, taskFor(ctx, configMap("words", "3"), serverSide, func(t *plan.Task) { t.Modified = false }))
		Expect(message).To(Equal("configmap/words serverside-applied"))

		message, _ = applied(ctx, taskFor(ctx, parse("{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: words}, rules: []}")))
		Expect(message).To(Equal("clusterrole.rbac.authorization.k8s.io/words created"))
	}, NodeTimeout(time.Minute))

	It("takes fields that others hold, and leaves those that it does not set", func(ctx SpecContext) {
		obj := configMap("conflict", "theirs")
		Expect(unstructured.SetNestedField(obj.Object, "kept", "data", "b")).To(Succeed())
		createAs(ctx, "other", obj)
		message, live := applied(ctx, taskFor(ctx, configMap("conflict", "ours")))
		Expect(message).To(Equal("configmap/conflict configured"))
		Expect(data(live)).To(Equal(map[string]string{"a": "ours", "b": "kept"}))
		Expect(managers(live)).To(ContainElement("argocd-controller Apply"))
	}, NodeTimeout(time.Minute))

	It("removes what the target has dropped", func(ctx SpecContext) {
		obj := configMap("drop", "1")
		Expect(unstructured.SetNestedField(obj.Object, "2", "data", "b")).To(Succeed())
		applied(ctx, taskFor(ctx, obj))
		_, live := applied(ctx, taskFor(ctx, configMap("drop", "1")))
		Expect(data(live)).To(Equal(map[string]string{"a": "1"}))
	}, NodeTimeout(time.Minute))

	It("removes what the target has dropped though somebody has updated it, and leaves it to who has applied it", func(ctx SpecContext) {
		for _, tc := range []struct {
			manager string
			apply   bool
			want    map[string]string
		}{
			{"kubectl-patch", false, map[string]string{"a": "1", "c": "extra"}},
			{"controller", false, map[string]string{"a": "1", "c": "extra"}},
			{"applier", true, map[string]string{"a": "1", "b": "2", "c": "extra"}},
		} {
			name := "reclaim-" + tc.manager
			obj := configMap(name, "1")
			Expect(unstructured.SetNestedField(obj.Object, "2", "data", "b")).To(Succeed())
			applied(ctx, taskFor(ctx, obj))
			kind, patches := types.MergePatchType, []string{`{"data":{"b":null,"c":"extra"}}`, `{"data":{"b":"2"}}`}
			if tc.apply {
				kind, patches = types.ApplyPatchType, []string{`{"apiVersion":"v1","kind":"ConfigMap","data":{"b":"2","c":"extra"}}`}
			}
			for _, patch := range patches {
				_, err := clientFor(obj).Patch(ctx, name, kind, []byte(patch), metav1.PatchOptions{FieldManager: tc.manager})
				Expect(err).NotTo(HaveOccurred())
			}
			applied(ctx, taskFor(ctx, obj))
			_, live := applied(ctx, taskFor(ctx, configMap(name, "1")))
			Expect(data(live)).To(Equal(tc.want))
			Expect(managers(live)).To(ContainElement(HavePrefix(tc.manager+" ")), "what they hold besides is theirs")
		}
	}, NodeTimeout(time.Minute))

	It("is refused by the server with its reason, and nothing is told to the observer", func(ctx SpecContext) {
		observer := &seen{}
		obj := configMap("lost", "1")
		obj.SetNamespace("nowhere")
		outcome := do(ctx, observer, plan.Apply, plan.Task{Key: taskFor(ctx, obj).Key, Target: obj, Modified: true})
		Expect(outcome.Err).To(MatchError(`namespaces "nowhere" not found`))
		Expect(outcome.Message).To(BeEmpty())
		Expect(observer.puts).To(BeEmpty())
	}, NodeTimeout(time.Minute))

	It("of a kind that is not served says so and what to do", func(ctx SpecContext) {
		obj := parse("{apiVersion: example.com/v1, kind: Nothing, metadata: {name: x, namespace: default}}")
		outcome := do(ctx, &seen{}, plan.Apply, taskFor(ctx, obj))
		Expect(outcome.Err).To(MatchError(And(
			HavePrefix(`resource mapping not found for name: "x" namespace: "default" from "": no matches for kind "Nothing" in version "example.com/v1"`),
			HaveSuffix("ensure CRDs are installed first"))))
	}, NodeTimeout(time.Minute))

	It("that is only predicted changes nothing", func(ctx SpecContext) {
		_, live := applied(ctx, taskFor(ctx, configMap("predicted", "1")))
		predicted, err := apply.Predict(ctx, conn, configMap("predicted", "2"))
		Expect(err).NotTo(HaveOccurred())
		Expect(data(predicted)).To(Equal(map[string]string{"a": "2"}))
		Expect(current(ctx, live).GetResourceVersion()).To(Equal(live.GetResourceVersion()))
	}, NodeTimeout(time.Minute))
})

var _ = Describe("A replacement", func() {
	It("makes what is missing, and keeps nothing of what stood there", func(ctx SpecContext) {
		message, _ := applied(ctx, taskFor(ctx, configMap("replaced", "1"), replacing))
		Expect(message).To(Equal("configmap/replaced created"))
		live := change(ctx, current(ctx, configMap("replaced", "")), func(obj *unstructured.Unstructured) {
			obj.SetLabels(map[string]string{"by": "other"})
			Expect(unstructured.SetNestedField(obj.Object, "b", "data", "b")).To(Succeed())
		})
		message, told := applied(ctx, taskFor(ctx, configMap("replaced", "2"), replacing))
		Expect(message).To(Equal("configmap/replaced replaced"))
		Expect(data(told)).To(Equal(map[string]string{"a": "2"}))
		Expect(told.GetLabels()).To(BeEmpty())
		Expect(told.GetUID()).To(Equal(live.GetUID()))
	}, NodeTimeout(time.Minute))

	It("wins over server-side apply", func(ctx SpecContext) {
		applied(ctx, taskFor(ctx, configMap("precedence", "1")))
		message, _ := applied(ctx, taskFor(ctx, configMap("precedence", "2"), replacing, func(t *plan.Task) { t.ServerSideApply = true }))
		Expect(message).To(Equal("configmap/precedence replaced"))
	}, NodeTimeout(time.Minute))

	It("does not mind that the object has changed since it was compared", func(ctx SpecContext) {
		createAs(ctx, "other", configMap("moved", "1"))
		task := taskFor(ctx, configMap("moved", "2"), replacing)
		change(ctx, task.Live, func(obj *unstructured.Unstructured) { obj.SetLabels(map[string]string{"by": "other"}) })
		message, told := applied(ctx, task)
		Expect(message).To(Equal("configmap/moved replaced"))
		Expect(data(told)).To(Equal(map[string]string{"a": "2"}))
	}, NodeTimeout(time.Minute))

	It("with force deletes first, and says so", func(ctx SpecContext) {
		text := func(image string) *unstructured.Unstructured {
			return parse(strings.NewReplacer("NAME", "j", "IMAGE", image).Replace(job))
		}
		before := createAs(ctx, "other", text("one"))
		message, told := applied(ctx, taskFor(ctx, text("two"), replacing, forced))
		Expect(message).To(Equal("job.batch \"j\" deleted from default namespace\njob.batch/j replaced"))
		Expect(told.GetUID()).NotTo(Equal(before.GetUID()))

		By("without force an immutable field is refused and the object stays")
		outcome := do(ctx, &seen{}, plan.Apply, taskFor(ctx, text("three"), replacing))
		Expect(apierrors.IsInvalid(outcome.Err)).To(BeTrue(), "%v", outcome.Err)
		Expect(current(ctx, told).GetUID()).To(Equal(told.GetUID()))
	}, NodeTimeout(time.Minute))

	It("with force of an object without a namespace names none", func(ctx SpecContext) {
		role := parse("{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: again}, rules: []}")
		createAs(ctx, "other", role)
		message, _ := applied(ctx, taskFor(ctx, role, replacing, forced))
		Expect(message).To(Equal("clusterrole.rbac.authorization.k8s.io \"again\" deleted\nclusterrole.rbac.authorization.k8s.io/again replaced"))
	}, NodeTimeout(time.Minute))

	It("never deletes a CustomResourceDefinition or a Namespace", func(ctx SpecContext) {
		namespace := parse("{apiVersion: v1, kind: Namespace, metadata: {name: precious, labels: {a: b}}}")
		before := createAs(ctx, "other", namespace)
		message, told := applied(ctx, taskFor(ctx, parse("{apiVersion: v1, kind: Namespace, metadata: {name: precious}}"), replacing, forced))
		Expect(message).To(Equal("namespace/precious replaced"))
		Expect(told.GetUID()).To(Equal(before.GetUID()))
		Expect(told.GetLabels()).NotTo(HaveKey("a"))

		applied(ctx, taskFor(ctx, definition("Precious", "")))
		before = current(ctx, definition("Precious", ""))
		message, told = applied(ctx, taskFor(ctx, definition("Precious", "shortNames: [pr]"), replacing, forced))
		Expect(message).To(Equal("customresourcedefinition.apiextensions.k8s.io/preciouss.example.com replaced"))
		Expect(told.GetUID()).To(Equal(before.GetUID()))
	}, NodeTimeout(time.Minute))
})

var _ = Describe("Force", func() {
	It("makes an object anew when an immutable field changes, and only then", func(ctx SpecContext) {
		text := func(image, labels string) *unstructured.Unstructured {
			obj := parse(strings.NewReplacer("NAME", "immutable", "IMAGE", image).Replace(job))
			obj.SetLabels(map[string]string{"a": labels})
			return obj
		}
		_, first := applied(ctx, taskFor(ctx, text("one", "1")))
		message, second := applied(ctx, taskFor(ctx, text("one", "2"), forced))
		Expect(message).To(Equal("job.batch/immutable configured"))
		Expect(second.GetUID()).To(Equal(first.GetUID()))

		outcome := do(ctx, &seen{}, plan.Apply, taskFor(ctx, text("two", "2")))
		Expect(apierrors.IsInvalid(outcome.Err)).To(BeTrue(), "%v", outcome.Err)
		Expect(current(ctx, second).GetUID()).To(Equal(first.GetUID()))

		message, third := applied(ctx, taskFor(ctx, text("two", "2"), forced))
		Expect(message).To(Equal("job.batch/immutable configured"))
		Expect(third.GetUID()).NotTo(Equal(first.GetUID()))
	}, NodeTimeout(time.Minute))

	It("never deletes a CustomResourceDefinition: its objects would go with it", func(ctx SpecContext) {
		applied(ctx, taskFor(ctx, definition("Scoped", "")))
		before := current(ctx, definition("Scoped", ""))
		scope, _, err := unstructured.NestedString(before.Object, "spec", "scope")
		Expect(err).NotTo(HaveOccurred())
		other := definition("Scoped", "")
		Expect(unstructured.SetNestedField(other.Object, map[string]string{"Cluster": "Namespaced", "Namespaced": "Cluster"}[scope], "spec", "scope")).To(Succeed())
		outcome := do(ctx, &seen{}, plan.Apply, taskFor(ctx, other, forced))
		Expect(apierrors.IsInvalid(outcome.Err)).To(BeTrue(), "%v", outcome.Err)
		Expect(current(ctx, other).GetUID()).To(Equal(before.GetUID()))
	}, NodeTimeout(time.Minute))
})

// The API server cannot read these as objects of their kind; a client-side apply takes them (contract B 6).
var _ = DescribeTable("A target that the server cannot type is created and merged", func(ctx SpecContext, name, first, second string, check func(*unstructured.Unstructured)) {
	pod := func(spec string) *unstructured.Unstructured {
		return parse(fmt.Sprintf("{apiVersion: apps/v1, kind: Deployment, metadata: {name: %s}, spec: {selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: %s}}}", name, spec))
	}
	message, live := applied(ctx, taskFor(ctx, pod(first)))
	Expect(message).To(Equal("deployment.apps/" + name + " created"))
	check(live)
	message, live = applied(ctx, taskFor(ctx, pod(second)))
	Expect(message).To(Equal("deployment.apps/" + name + " configured"))
	check(live)
	containers, _, err := unstructured.NestedSlice(live.Object, "spec", "template", "spec", "containers")
	Expect(err).NotTo(HaveOccurred())
	Expect(containers[0]).To(HaveKeyWithValue("image", "two"))
},
	Entry("an unknown field is dropped", "unknown", "{containers: [{name: c, image: one, nonsense: x}]}", "{containers: [{name: c, image: two, nonsense: x}]}",
		func(live *unstructured.Unstructured) {
			containers, _, err := unstructured.NestedSlice(live.Object, "spec", "template", "spec", "containers")
			Expect(err).NotTo(HaveOccurred())
			Expect(containers[0]).NotTo(HaveKey("nonsense"))
		}, NodeTimeout(time.Minute)),
	Entry("duplicate keys of a list stay", "twice", "{containers: [{name: c, image: one, env: [{name: A, value: '1'}, {name: A, value: '2'}]}]}",
		"{containers: [{name: c, image: two, env: [{name: A, value: '1'}, {name: A, value: '2'}]}]}",
		func(live *unstructured.Unstructured) {
			containers, _, err := unstructured.NestedSlice(live.Object, "spec", "template", "spec", "containers")
			Expect(err).NotTo(HaveOccurred())
			Expect(containers[0]).To(HaveKeyWithValue("env", HaveLen(2)))
		}, NodeTimeout(time.Minute)),
)

var _ = Describe("Fields that were applied from the client", func() {
	// dropped applies a target that lacks "b", which a manager has set with an update.
	dropped := func(ctx SpecContext, name, manager string, migrate bool, options ...plan.Options) (map[string]string, []string) {
		GinkgoHelper()
		obj := configMap(name, "1")
		Expect(unstructured.SetNestedField(obj.Object, "2", "data", "b")).To(Succeed())
		createAs(ctx, manager, obj)
		_, live := applied(ctx, taskFor(ctx, configMap(name, "1"), func(t *plan.Task) { t.Migrate = migrate }), options...)
		return data(live), managers(live)
	}
	only := map[string]string{"a": "1"}
	both := map[string]string{"a": "1", "b": "2"}

	It("are taken over from kubectl, from Argo CD and from the manager of the annotation", func(ctx SpecContext) {
		annotated := plan.Options{MigrationManager: "annotated"}
		for name, manager := range map[string]string{
			"from-kubectl": "kubectl-client-side-apply", "from-argo": argov1.FieldManager, "from-annotated": annotated.MigrationManager,
		} {
			values, found := dropped(ctx, name, manager, true, annotated)
			Expect(values).To(Equal(only), manager)
			Expect(found).To(Equal([]string{"argocd-controller Apply"}), manager)
		}
	}, NodeTimeout(time.Minute))

	It("stay with all others, and with everybody when the option says so", func(ctx SpecContext) {
		values, _ := dropped(ctx, "from-other", "other", true)
		Expect(values).To(Equal(both))
		values, found := dropped(ctx, "not-from-kubectl", "kubectl-client-side-apply", false)
		Expect(values).To(Equal(both))
		Expect(found).To(ConsistOf("argocd-controller Apply", "kubectl-client-side-apply Update"))
	}, NodeTimeout(time.Minute))

	It("are taken over although the object has changed since it was compared", func(ctx SpecContext) {
		obj := configMap("from-moved", "1")
		Expect(unstructured.SetNestedField(obj.Object, "2", "data", "b")).To(Succeed())
		createAs(ctx, "kubectl-client-side-apply", obj)
		task := taskFor(ctx, configMap("from-moved", "1"))
		change(ctx, task.Live, func(obj *unstructured.Unstructured) { obj.SetLabels(map[string]string{"by": "other"}) })
		_, live := applied(ctx, task)
		Expect(data(live)).To(Equal(only))
		Expect(live.GetLabels()).To(Equal(map[string]string{"by": "other"}))
	}, NodeTimeout(time.Minute))

	It("of an object that has gone since need not be taken over", func(ctx SpecContext) {
		createAs(ctx, "kubectl-client-side-apply", configMap("from-gone", "1"))
		task := taskFor(ctx, configMap("from-gone", "2"))
		Expect(clientFor(task.Live).Delete(ctx, task.Live.GetName(), metav1.DeleteOptions{})).To(Succeed())
		_, live := applied(ctx, task)
		Expect(data(live)).To(Equal(map[string]string{"a": "2"}))
	}, NodeTimeout(time.Minute))
})

// definition is a CustomResourceDefinition of group example.com.
func definition(kind, names string) *unstructured.Unstructured {
	GinkgoHelper()
	lower := strings.ToLower(kind)
	return parse(fmt.Sprintf(`
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: %[1]ss.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {kind: %[2]s, plural: %[1]ss, singular: %[1]s, listKind: %[2]sList, %[3]s}
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}]
`, lower, kind, names))
}

var _ = Describe("A CustomResourceDefinition", func() {
	It("is waited for, so that its objects can follow in the next group", func(ctx SpecContext) {
		// Often enough to meet the moment in which a kind is established and not found yet.
		for _, kind := range []string{"Widget", "Gadget", "Gizmo", "Cog", "Lever", "Pulley", "Spring", "Gear", "Crank", "Axle"} {
			custom := parse("{apiVersion: example.com/v1, kind: " + kind + ", metadata: {name: x, namespace: default}, spec: {a: 1}}")
			Expect(do(ctx, &seen{}, plan.Apply, taskFor(ctx, custom)).Err).To(HaveOccurred(), "nobody knows the kind yet")
			observer := &seen{}
			outcomes := apply.NewRunner(4).Run(ctx, conn, plan.Options{}, [][]plan.Action{
				{{Verb: plan.Apply, Task: taskFor(ctx, definition(kind, ""))}},
				{{Verb: plan.Apply, Task: taskFor(ctx, custom)}},
			}, observer)
			Expect(outcomes).To(HaveLen(2))
			Expect(outcomes[0].Err).NotTo(HaveOccurred())
			Expect(outcomes[1].Err).NotTo(HaveOccurred())
			Expect(outcomes[1].Message).To(Equal(strings.ToLower(kind) + ".example.com/x created"))
			crd := observer.last(outcomes[0].Action.Task.Key)
			conditions, _, err := unstructured.NestedSlice(crd.Object, "status", "conditions")
			Expect(err).NotTo(HaveOccurred())
			Expect(conditions).To(ContainElement(And(HaveKeyWithValue("type", "Established"), HaveKeyWithValue("status", "True"))),
				"the observer knows it as established")
		}
	}, NodeTimeout(time.Minute))

	It("that cannot be established is not fatal", func(ctx SpecContext) {
		applied(ctx, taskFor(ctx, definition("Taken", "shortNames: [tk]")))
		clash := definition("Taken", "")
		clash.SetName("takes.example.com")
		Expect(unstructured.SetNestedField(clash.Object, "takes", "spec", "names", "plural")).To(Succeed())
		began := time.Now()
		message, _ := applied(ctx, taskFor(ctx, clash)) // the kind is taken: NamesAccepted stays False
		Expect(message).To(Equal("customresourcedefinition.apiextensions.k8s.io/takes.example.com created"))
		Expect(time.Since(began)).To(BeNumerically(">=", 3*time.Second), "it was waited for")
	}, NodeTimeout(time.Minute))
})
