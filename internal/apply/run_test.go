package apply_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/tiphys-io/tiphys/internal/apply"
	"github.com/tiphys-io/tiphys/internal/plan"
	"github.com/tiphys-io/tiphys/internal/resource"
)

// pruneOf is the task that prunes a live object.
func pruneOf(live *unstructured.Unstructured, propagation string) plan.Task {
	return plan.Task{Key: resource.KeyOf(live), Live: live, Modified: true, Propagation: propagation}
}

func action(verb plan.Verb, task plan.Task) []plan.Action {
	return []plan.Action{{Verb: verb, Task: task}}
}

func messages(outcomes []plan.Outcome) []string {
	var texts []string
	for _, outcome := range outcomes {
		texts = append(texts, string(outcome.Action.Verb)+" "+outcome.Action.Task.Key.Name)
	}
	return texts
}

var _ = Describe("A prune", func() {
	It("deletes with the policy that was asked for, foreground when there is none", func(ctx SpecContext) {
		for propagation, finalizer := range map[string]string{
			"background": "", "foreground": metav1.FinalizerDeleteDependents, "orphan": metav1.FinalizerOrphanDependents, "nonsense": metav1.FinalizerDeleteDependents,
		} {
			live := createAs(ctx, "other", configMap("pruned-"+propagation, "1"))
			unhold(live) // no garbage collector runs here
			observer := &seen{}
			Expect(do(ctx, observer, plan.Prune, pruneOf(live, propagation)).Err).NotTo(HaveOccurred())
			left := current(ctx, live)
			if finalizer == "" {
				Expect(left).To(BeNil(), propagation)
				Expect(observer.gone).To(HaveExactElements(resource.KeyOf(live)))
				continue
			}
			Expect(left.GetFinalizers()).To(Equal([]string{finalizer}), propagation)
			Expect(left.GetDeletionTimestamp()).NotTo(BeNil())
			Expect(observer.last(resource.KeyOf(live)).GetDeletionTimestamp()).NotTo(BeNil())

			By("and what goes already is not deleted again")
			Expect(do(ctx, &seen{}, plan.Prune, pruneOf(left, propagation)).Err).NotTo(HaveOccurred())
			Expect(current(ctx, live).GetResourceVersion()).To(Equal(left.GetResourceVersion()))
		}
	}, NodeTimeout(time.Minute))

	It("does not touch another object that has taken the name", func(ctx SpecContext) {
		old := createAs(ctx, "other", configMap("reborn", "1"))
		Expect(clientFor(old).Delete(ctx, "reborn", metav1.DeleteOptions{})).To(Succeed())
		successor := createAs(ctx, "other", configMap("reborn", "2"))
		outcome := do(ctx, &seen{}, plan.Prune, pruneOf(old, "background"))
		Expect(apierrors.IsConflict(outcome.Err)).To(BeTrue(), "%v", outcome.Err)
		Expect(current(ctx, old).GetUID()).To(Equal(successor.GetUID()))
		Expect(current(ctx, old).GetDeletionTimestamp()).To(BeNil())
	}, NodeTimeout(time.Minute))

	It("of what has gone already is done", func(ctx SpecContext) {
		old := createAs(ctx, "other", configMap("gone", "1"))
		Expect(clientFor(old).Delete(ctx, "gone", metav1.DeleteOptions{})).To(Succeed())
		observer := &seen{}
		Expect(do(ctx, observer, plan.Prune, pruneOf(old, "background")).Err).NotTo(HaveOccurred())
		Expect(observer.gone).To(HaveExactElements(resource.KeyOf(old)))
	}, NodeTimeout(time.Minute))

	It("that was not asked for is not done", func(ctx SpecContext) {
		live := createAs(ctx, "other", configMap("kept", "1"))
		Expect(do(ctx, &seen{}, plan.Prune, pruneOf(live, "background"), plan.Options{}).Err).NotTo(HaveOccurred())
		Expect(current(ctx, live).GetDeletionTimestamp()).To(BeNil())
	}, NodeTimeout(time.Minute))
})

var _ = Describe("The cascade", func() {
	It("deletes side by side, hooks too, tells what failed, and touches no successor", func(ctx SpecContext) {
		plain := createAs(ctx, "other", configMap("cascade-plain", "1"))
		held := createAs(ctx, "other", hook("cascade-hook", "1"))
		old := createAs(ctx, "other", configMap("cascade-reborn", "1"))
		Expect(clientFor(old).Delete(ctx, old.GetName(), metav1.DeleteOptions{})).To(Succeed())
		createAs(ctx, "other", configMap("cascade-reborn", "2"))
		observer := &seen{}
		errs := apply.NewRunner(4).Delete(ctx, conn, []*unstructured.Unstructured{plain, held, old}, "background", observer)
		Expect(errs).To(HaveLen(3))
		Expect(errs[:2]).To(HaveEach(BeNil()))
		Expect(apierrors.IsConflict(errs[2])).To(BeTrue(), "%v", errs[2])
		Expect(current(ctx, plain)).To(BeNil())
		Expect(current(ctx, held)).To(BeNil())
		Expect(data(current(ctx, old))).To(Equal(map[string]string{"a": "2"}))
		Expect(observer.gone).To(ContainElements(resource.KeyOf(plain), resource.KeyOf(held)))
	}, NodeTimeout(time.Minute))

	It("that is interrupted says so for each object that was left", func(ctx SpecContext) {
		live := createAs(ctx, "other", configMap("cascade-interrupted", "1"))
		ended, cancel := context.WithCancel(ctx)
		cancel()
		Expect(apply.NewRunner(1).Delete(ended, conn, []*unstructured.Unstructured{live, live}, "background", &seen{})).
			To(HaveEach(MatchError(context.Canceled)))
		Expect(current(ctx, live)).NotTo(BeNil())
	}, NodeTimeout(time.Minute))
})

var _ = Describe("A run", func() {
	// refused is an apply that the server refuses.
	refused := func(name string) plan.Task {
		obj := configMap(name, "1")
		obj.SetNamespace("nowhere")
		return plan.Task{Key: resource.KeyOf(obj), Target: obj, Modified: true}
	}
	// stale is a prune that fails, because another object has the name.
	stale := func(ctx SpecContext, name string) plan.Task {
		old := createAs(ctx, "other", configMap(name, "1"))
		Expect(clientFor(old).Delete(ctx, name, metav1.DeleteOptions{})).To(Succeed())
		createAs(ctx, "other", configMap(name, "2"))
		return pruneOf(old, "background")
	}

	It("stops after a failed prune", func(ctx SpecContext) {
		outcomes := apply.NewRunner(4).Run(ctx, conn, plan.Options{Prune: true}, [][]plan.Action{
			action(plan.Prune, stale(ctx, "stop-prune")),
			action(plan.Apply, taskFor(ctx, configMap("stop-apply", "1"))),
		}, &seen{})
		Expect(messages(outcomes)).To(Equal([]string{"prune stop-prune"}))
		Expect(current(ctx, configMap("stop-apply", ""))).To(BeNil())
	}, NodeTimeout(time.Minute))

	It("goes on after a failed apply, but cleans no hook up any more", func(ctx SpecContext) {
		unhold(hook("on-hook", ""))
		createAs(ctx, "other", hook("on-hook", "1"))
		outcomes := apply.NewRunner(4).Run(ctx, conn, plan.Options{Prune: true}, [][]plan.Action{
			action(plan.Apply, refused("on-refused")),
			action(plan.Apply, taskFor(ctx, configMap("on-applied", "1"))),
			action(plan.DeleteHook, taskFor(ctx, hook("on-hook", "1"), asHook)),
		}, &seen{})
		Expect(messages(outcomes)).To(Equal([]string{"apply on-refused", "apply on-applied"}))
		Expect(outcomes[0].Err).To(HaveOccurred())
		Expect(outcomes[1].Err).NotTo(HaveOccurred())
		Expect(current(ctx, hook("on-hook", "")).GetFinalizers()).To(ContainElement("argocd.argoproj.io/hook-finalizer"))
	}, NodeTimeout(time.Minute))

	It("does as many things at a time as it may, and no more", func(ctx SpecContext) {
		var group []plan.Action
		for i := range 6 {
			group = append(group, plan.Action{Verb: plan.Apply, Task: taskFor(ctx, configMap(fmt.Sprintf("side-%d", i), "1"))})
		}
		observer := &counting{pairs: make(chan struct{})}
		outcomes := apply.NewRunner(2).Run(ctx, conn, plan.Options{}, [][]plan.Action{group}, observer)
		Expect(outcomes).To(HaveLen(6))
		for i, outcome := range outcomes {
			Expect(outcome.Err).NotTo(HaveOccurred())
			Expect(outcome.Message).To(Equal(fmt.Sprintf("configmap/side-%d created", i)), "the outcomes are in the order of the actions")
		}
		Expect(observer.most).To(Equal(2))
	}, NodeTimeout(time.Minute))

	It("begins nothing after it was interrupted, and has no outcome for that", func(ctx SpecContext) {
		var group []plan.Action
		for i := range 8 {
			group = append(group, plan.Action{Verb: plan.Apply, Task: taskFor(ctx, configMap(fmt.Sprintf("cut-%d", i), "1"))})
		}
		next := taskFor(ctx, configMap("cut-next", "1"))
		running, cancel := context.WithCancel(ctx)
		observer := &cancelling{cancel: cancel}
		outcomes := apply.NewRunner(1).Run(running, conn, plan.Options{}, [][]plan.Action{group, action(plan.Apply, next)}, observer)
		Expect(messages(outcomes)).To(Equal([]string{"apply cut-0"}))
		Expect(outcomes[0].Err).NotTo(HaveOccurred())
		Expect(current(ctx, configMap("cut-1", ""))).To(BeNil())
		Expect(current(ctx, next.Target)).To(BeNil())
		Expect(apply.NewRunner(8).Run(running, conn, plan.Options{}, [][]plan.Action{group}, observer)).To(BeEmpty())
	}, NodeTimeout(time.Minute))

	It("tells the observer of all that it did", func(ctx SpecContext) {
		observer := &seen{}
		old := createAs(ctx, "other", configMap("told-pruned", "1"))
		createAs(ctx, "other", hook("told-hook", "1"))
		changed := createAs(ctx, "other", configMap("told-changed", "1"))
		outcomes := apply.NewRunner(4).Run(ctx, conn, plan.Options{Prune: true}, [][]plan.Action{
			action(plan.Prune, pruneOf(old, "background")),
			action(plan.Apply, taskFor(ctx, configMap("told-changed", "2"))),
			action(plan.Apply, taskFor(ctx, configMap("told-new", "1"), replacing)),
			action(plan.DeleteHook, taskFor(ctx, hook("told-hook", "1"), asHook, func(t *plan.Task) { t.Propagation = "background" })),
		}, observer)
		for _, outcome := range outcomes {
			Expect(outcome.Err).NotTo(HaveOccurred())
		}
		var gone []string
		for _, key := range observer.gone {
			gone = append(gone, key.Name)
		}
		slices.Sort(gone)
		Expect(gone).To(Equal([]string{"told-hook", "told-pruned"}))
		Expect(data(observer.last(resource.KeyOf(changed)))).To(Equal(map[string]string{"a": "2"}))
		Expect(observer.last(resource.KeyOf(configMap("told-new", "")))).NotTo(BeNil())
	}, NodeTimeout(time.Minute))
})

// counting lets objects pass in pairs, and counts how many are on their way at most.
type counting struct {
	pairs chan struct{}

	mu        sync.Mutex
	now, most int
}

func (c *counting) Put(*unstructured.Unstructured) {
	c.mu.Lock()
	c.now++
	c.most = max(c.most, c.now)
	c.mu.Unlock()
	select {
	case c.pairs <- struct{}{}:
	case <-c.pairs:
	}
	c.mu.Lock()
	c.now--
	c.mu.Unlock()
}

func (c *counting) Delete(resource.Key, string) {}

// cancelling interrupts the run as soon as it has done anything.
type cancelling struct{ cancel context.CancelFunc }

func (c *cancelling) Put(*unstructured.Unstructured) { c.cancel() }

func (c *cancelling) Delete(resource.Key, string) {}
