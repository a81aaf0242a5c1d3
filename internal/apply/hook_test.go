package apply_test

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/apply"
	"github.com/tiphys-io/tiphys/internal/plan"
)

const theirs = "example.com/hold"

// hook is a hook as the planner hands it over: with our finalizer.
func hook(name, value string, finalizers ...string) *unstructured.Unstructured {
	GinkgoHelper()
	obj := configMap(name, value)
	obj.SetAnnotations(map[string]string{argov1.AnnotationHook: "Sync"})
	obj.SetFinalizers(append(finalizers, argov1.FinalizerHook))
	return obj
}

func asHook(task *plan.Task) { task.HookType = argov1.HookTypeSync }

// unhold takes all finalizers off when the spec has ended.
func unhold(obj *unstructured.Unstructured) {
	DeferCleanup(func(ctx SpecContext) {
		if live := current(ctx, obj); live != nil {
			change(ctx, live, func(obj *unstructured.Unstructured) { obj.SetFinalizers(nil) })
		}
	})
}

var _ = Describe("A hook", func() {
	It("is created, and applied again when it stands there", func(ctx SpecContext) {
		unhold(hook("h", ""))
		message, first := applied(ctx, taskFor(ctx, hook("h", "1"), asHook))
		Expect(message).To(Equal("configmap/h created"))
		Expect(first.GetFinalizers()).To(Equal([]string{argov1.FinalizerHook}))
		message, again := applied(ctx, taskFor(ctx, hook("h", "2"), asHook))
		Expect(message).To(Equal("configmap/h configured"))
		Expect(again.GetUID()).To(Equal(first.GetUID()))
		Expect(data(again)).To(Equal(map[string]string{"a": "2"}))
	}, NodeTimeout(time.Minute))

	It("that was created just before the process ended is taken as it is", func(ctx SpecContext) {
		unhold(hook("raced", ""))
		task := taskFor(ctx, hook("raced", "1"), asHook)
		_, first := applied(ctx, task)
		message, again := applied(ctx, task)
		Expect(message).To(Equal("configmap/raced created"), "the task knows of none")
		Expect(again.GetUID()).To(Equal(first.GetUID()))
	}, NodeTimeout(time.Minute))

	It("is released of our finalizer and of no other", func(ctx SpecContext) {
		unhold(hook("released", ""))
		createAs(ctx, "other", hook("released", "1", theirs))
		observer := &seen{}
		task := taskFor(ctx, hook("released", "1", theirs), asHook)
		Expect(do(ctx, observer, plan.ReleaseHook, task).Err).NotTo(HaveOccurred())
		Expect(current(ctx, task.Live).GetFinalizers()).To(Equal([]string{theirs}))
		Expect(observer.last(task.Key).GetFinalizers()).To(Equal([]string{theirs}))

		By("and a second time nothing is written")
		version := current(ctx, task.Live).GetResourceVersion()
		Expect(do(ctx, &seen{}, plan.ReleaseHook, task).Err).NotTo(HaveOccurred())
		Expect(apply.Release(ctx, conn, current(ctx, task.Live), &seen{})).To(Succeed())
		Expect(current(ctx, task.Live).GetResourceVersion()).To(Equal(version))
	}, NodeTimeout(time.Minute))

	It("is released although others change the finalizers at the same time", func(ctx SpecContext) {
		unhold(hook("contested", ""))
		task := taskFor(ctx, hook("contested", "1"), asHook)
		task.Live = createAs(ctx, "other", task.Target)
		change(ctx, task.Live, func(obj *unstructured.Unstructured) { obj.SetFinalizers([]string{theirs, argov1.FinalizerHook}) })
		Expect(do(ctx, &seen{}, plan.ReleaseHook, task).Err).NotTo(HaveOccurred())
		Expect(current(ctx, task.Live).GetFinalizers()).To(Equal([]string{theirs}))
	}, NodeTimeout(time.Minute))

	It("that is being deleted goes when it is released, and the observer hears of it", func(ctx SpecContext) {
		task := taskFor(ctx, hook("going", "1"), asHook)
		createAs(ctx, "other", task.Target)
		Expect(clientFor(task.Target).Delete(ctx, "going", metav1.DeleteOptions{})).To(Succeed())
		task.Live = current(ctx, task.Target)
		Expect(task.Live.GetDeletionTimestamp()).NotTo(BeNil())
		observer := &seen{}
		Expect(do(ctx, observer, plan.ReleaseHook, task).Err).NotTo(HaveOccurred())
		Expect(current(ctx, task.Target)).To(BeNil())
		Expect(observer.gone).To(HaveExactElements(task.Key))

		By("and one that has gone is released already")
		observer = &seen{}
		Expect(do(ctx, observer, plan.ReleaseHook, task).Err).NotTo(HaveOccurred())
		Expect(observer.gone).To(HaveExactElements(task.Key))
	}, NodeTimeout(time.Minute))

	It("is deleted in spite of our finalizer, and waits for those of others", func(ctx SpecContext) {
		unhold(hook("waits", ""))
		for _, tc := range []struct {
			obj  *unstructured.Unstructured
			gone bool
		}{{hook("deleted", "1"), true}, {hook("waits", "1", theirs), false}} {
			createAs(ctx, "other", tc.obj)
			task := taskFor(ctx, tc.obj, asHook, func(t *plan.Task) { t.Propagation = "background" })
			observer := &seen{}
			Expect(do(ctx, observer, plan.DeleteHook, task).Err).NotTo(HaveOccurred())
			live := current(ctx, tc.obj)
			if tc.gone {
				Expect(live).To(BeNil())
				Expect(observer.gone).To(HaveExactElements(task.Key))
				continue
			}
			Expect(live.GetDeletionTimestamp()).NotTo(BeNil())
			Expect(live.GetFinalizers()).To(Equal([]string{theirs}))
			Expect(observer.last(task.Key).GetDeletionTimestamp()).NotTo(BeNil())
		}
	}, NodeTimeout(time.Minute))
})
