package e2e

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/test/fixture"
)

// killsVariable raises the number of kills: `TIPHYS_KILLS=100 make e2e RUN=TestEndToEnd`, alone with
// TESTFLAGS="-ginkgo.focus 'is killed'".
const killsVariable = "TIPHYS_KILLS"

const (
	defaultKills  = 15
	killsPerRound = 3
	// lifetime is the longest that an operator lives on before it is killed: about as long as a sync takes.
	lifetime = 1200 * time.Millisecond
)

// task is a family of objects that each round of the crash test syncs: what is there, and what is to happen to it.
type task struct {
	name string
	// files are the manifests in a round, by file name.
	files func(round int) map[string]string
	// effects are what a round has to do, exactly once each, from the second round on.
	effects func(round int) []effect
}

// effect is one change of an object that somebody sees. What is applied in one sync comes in the order of its steps, and so
// does what is pruned; an effect of a step comes before all of later ones.
type effect struct {
	Kind, Name, What string
	Step             int
}

// pruned tells to which of the two orders an effect belongs.
func (e effect) pruned() bool { return e.Kind == "ConfigMap" && (e.What == doomed || e.What == gone) }

// What can happen to an object. Doomed is the request to delete it, gone its end, for which foreground deletion waits.
const (
	created = "created"
	changed = "changed"
	doomed  = "doomed"
	gone    = "gone"
)

// crashTasks are the waves -1, 0 and 1. In each, one object changes in every round, one is new, the new one of the round
// before is pruned, and one stays as it is. The middle wave has a Deployment that is rolled out. What is pruned goes in the
// reverse order of the waves, and each wave is gone before the next is doomed (contract 2.4 step 6 and 2.6).
func crashTasks() []task {
	var tasks []task
	for step, wave := range []string{"-1", "0", "1"} {
		annotation := `argocd.argoproj.io/sync-wave: "` + wave + `"`
		at := func(round int) string { return fmt.Sprintf("new-%d-%d", step, round) }
		other, same := fmt.Sprintf("other-%d", step), fmt.Sprintf("same-%d", step)
		tasks = append(tasks, task{
			name: "wave " + wave,
			files: func(round int) map[string]string {
				return map[string]string{
					other:     configMap(other, strconv.Itoa(round)+"-th", annotation),
					same:      configMap(same, "as it is", annotation),
					at(round): configMap(at(round), "new", annotation),
				}
			},
			effects: func(round int) []effect {
				return []effect{
					{"ConfigMap", at(round - 1), doomed, -2 * step},
					{"ConfigMap", at(round - 1), gone, -2*step + 1},
					{"ConfigMap", other, changed, step},
					{"ConfigMap", at(round), created, step},
				}
			},
		})
	}
	return append(tasks, task{
		name: "a rollout that the last wave waits for",
		files: func(round int) map[string]string {
			return map[string]string{"web": fmt.Sprintf(`
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: "example.com/web:%d"}]}
`, round)}
		},
		effects: func(int) []effect { return []effect{{"Deployment", "web", changed, 1}} },
	}, hookTask("PreSync", -1), hookTask("PostSync", 3))
}

// hookTask is a Job that runs once in each sync: the one of the round before is deleted first (contract 2.3), which is no
// prune and belongs to its own step.
func hookTask(phase string, step int) task {
	name := strings.ToLower(phase)
	return task{
		name: "a hook of phase " + phase,
		files: func(int) map[string]string {
			return map[string]string{name: fmt.Sprintf(`
apiVersion: batch/v1
kind: Job
metadata: {name: %s, annotations: {argocd.argoproj.io/hook: %s}}
spec:
  template:
    spec: {restartPolicy: Never, containers: [{name: %[1]s, image: example.com/job}]}
`, name, phase)}
		},
		effects: func(int) []effect {
			return []effect{{"Job", name, doomed, step}, {"Job", name, gone, step}, {"Job", name, created, step}}
		},
	}
}

var _ = Describe("An operator that is killed at any moment", func() {
	It("goes on where it was: nothing is lost, repeated or out of order", func(ctx SpecContext) {
		kills := defaultKills
		if text := os.Getenv(killsVariable); text != "" {
			var err error
			kills, err = strconv.Atoi(text)
			Expect(err).NotTo(HaveOccurred(), killsVariable)
		}
		c := newCrash(ctx)
		c.round(ctx, 0) // the first sync has other effects: all is new
		for c.killed < kills {
			c.round(ctx, min(killsPerRound, kills-c.killed))
		}
		AddReportEntry("kills", fmt.Sprintf("%d kills, %d of them while an operation was under way; %d rounds; %d requests repeated by the operator that came after",
			c.killed, c.killedAtWork, c.rounds, c.repeated))
		Expect(c.killedAtWork).To(BeNumerically(">", 0), "no kill met an operation: the test shows nothing")
	}, SpecTimeout(20*time.Minute))
})

// crash is an application whose operator is killed over and over.
type crash struct {
	*scenario
	operator *operatorProcess
	process  *fixture.Process
	tasks    []task
	seen     *recorder
	random   *rand.Rand

	rounds, killed, killedAtWork, repeated int
	counted                                int // of the operator's writes, those that earlier rounds have looked at
}

func newCrash(ctx SpecContext) *crash {
	c := &crash{operator: newOperatorProcess(ctx, "crash", "--sync-wave-delay=250ms"), tasks: crashTasks(), random: rand.New(rand.NewPCG(uint64(GinkgoRandomSeed()), 0))} //nolint:gosec // G404: the seed of the suite repeats a run
	c.operator.user = administrator(ctx, "crash-operator")
	c.scenario = newScenario(ctx, map[string]string{}).automated(true, false)
	c.app.Namespace = "crash"
	c.seen = record(ctx, c.namespace)
	c.process = c.operator.start()
	return c
}

// round makes a commit, kills the operator while it rolls it out, lets the last one finish, and looks at what was done.
func (c *crash) round(ctx SpecContext, kills int) {
	GinkgoHelper()
	files := map[string]string{}
	for name := range c.repo.files {
		files[name] = ""
	}
	for _, t := range c.tasks {
		for name, content := range t.files(c.rounds) {
			files["app/"+name+".yaml"] = content
		}
	}
	sha := c.repo.commit(files)
	if c.rounds == 0 {
		c.create(ctx)
	} else {
		c.ask(ctx)
	}
	for range kills {
		c.kill(ctx, sha)
	}
	Eventually(ctx, c.status(ctx)).WithTimeout(time.Minute).Should(SatisfyAll(
		HaveField("Sync.Status", argov1.SyncStatusSynced), HaveField("Sync.Revision", sha),
		HaveField("OperationState.Phase", argov1.OperationSucceeded), HaveField("OperationState.SyncResult.Revision", sha)))
	Expect(c.app.Operation).To(BeNil())
	c.judge(ctx, sha, kills)
	c.rounds++
}

// kill kills the operator, every other time only once the operation is under way, and starts another.
func (c *crash) kill(ctx SpecContext, sha string) {
	GinkgoHelper()
	if c.killed%2 == 0 {
		Eventually(ctx, c.status(ctx)).WithPolling(10 * time.Millisecond).Should(HaveField("OperationState.SyncResult.Revision", sha))
	}
	select {
	case <-time.After(time.Duration(c.random.Int64N(int64(lifetime)))):
	case <-c.process.Done():
	}
	Expect(c.process.Err()).NotTo(HaveOccurred(), "the operator ended by itself")
	c.process.Kill()
	c.killed++
	if state := c.status(ctx)(Default).OperationState; c.app.Operation != nil && state != nil && state.Phase == argov1.OperationRunning {
		c.killedAtWork++
	}
	c.process = c.operator.start()
}

// judge compares what happened since the last round with what had to happen.
func (c *crash) judge(ctx SpecContext, sha string, kills int) {
	GinkgoHelper()
	seen := c.seen.drain(ctx)
	var want []effect
	for _, t := range c.tasks {
		if c.rounds > 0 {
			want = append(want, t.effects(c.rounds)...)
		}
	}
	if c.rounds > 0 {
		step := map[effect]int{}
		for _, e := range want {
			step[effect{Kind: e.Kind, Name: e.Name, What: e.What}] = e.Step
		}
		for i := range seen {
			seen[i].Step = step[seen[i]]
		}
		Expect(seen).To(ConsistOf(want), "round %d: each object changes exactly once", c.rounds)
		for _, pruned := range []bool{false, true} {
			part := slices.DeleteFunc(slices.Clone(seen), func(e effect) bool { return e.pruned() != pruned })
			Expect(slices.IsSortedFunc(part, func(a, b effect) int { return cmp.Compare(a.Step, b.Step) })).To(BeTrue(),
				"round %d: the waves are out of order: %v", c.rounds, part)
		}
	}
	Expect(c.app.Status.History).NotTo(BeEmpty())
	revisions := map[string]int{}
	for _, entry := range c.app.Status.History {
		revisions[entry.Revision]++
	}
	Expect(revisions).To(HaveKeyWithValue(sha, 1), "round %d: one sync, one entry of the history", c.rounds)
	c.countApplies(want, kills)
}

// countApplies bounds the applies of this round: an operator may repeat only what the one before it did not live to record.
func (c *crash) countApplies(effects []effect, kills int) {
	GinkgoHelper()
	all := writes(requests(c.operator.user))
	applies := map[string]int{}
	for _, r := range all[c.counted:] {
		if r.Namespace == c.namespace {
			applies[r.Verb+" "+r.Resource+" "+r.Name]++
		}
	}
	for _, e := range effects {
		if e.What == created || e.What == changed {
			Expect(applies).To(HaveKey("patch "+strings.ToLower(e.Kind)+"s "+e.Name), "round %d: the audit log lacks requests", c.rounds)
		}
	}
	for what, n := range applies {
		Expect(n).To(BeNumerically("<=", 1+kills), "round %d: %s", c.rounds, what)
		c.repeated += n - 1
	}
	c.counted = len(all)
}

// recorder sees every change of the ConfigMaps, Deployments and Jobs of a namespace.
type recorder struct {
	namespace string
	drained   int

	mu      sync.Mutex
	changes []change
	markers map[string]int // by kind
	ended   string         // why a watch ended
}

// change is an effect with the place in the history of the cluster where it came about.
type change struct {
	effect
	version uint64
}

// marker is the name of an object of each kind that the recorder changes itself, to know that it has seen all before.
const marker = "marker"

// markers are the objects of that name: they do nothing.
func markers(namespace string) []client.Object {
	none, suspended := int32(0), true
	at := metav1.ObjectMeta{Namespace: namespace, Name: marker}
	labels := map[string]string{"app": marker}
	template := corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: labels},
		Spec:       corev1.PodSpec{RestartPolicy: corev1.RestartPolicyNever, Containers: []corev1.Container{{Name: marker, Image: "example.com/marker"}}},
	}
	always := template
	always.Spec.RestartPolicy = corev1.RestartPolicyAlways
	return []client.Object{
		&corev1.ConfigMap{ObjectMeta: at},
		&appsv1.Deployment{ObjectMeta: at, Spec: appsv1.DeploymentSpec{Replicas: &none, Selector: &metav1.LabelSelector{MatchLabels: labels}, Template: always}},
		&batchv1.Job{ObjectMeta: at, Spec: batchv1.JobSpec{Suspend: &suspended, Template: template}},
	}
}

// record begins to watch a namespace.
func record(ctx context.Context, namespace string) *recorder {
	GinkgoHelper()
	r := &recorder{namespace: namespace, markers: map[string]int{}}
	watching, err := client.NewWithWatch(plane.RESTConfig(), client.Options{Scheme: cluster.Scheme()})
	Expect(err).NotTo(HaveOccurred())
	version := ""
	for _, object := range markers(namespace) {
		Expect(cluster.Create(ctx, object)).To(Succeed())
		version = object.GetResourceVersion()
	}
	for kind, list := range map[string]client.ObjectList{"ConfigMap": &corev1.ConfigMapList{}, "Deployment": &appsv1.DeploymentList{}, "Job": &batchv1.JobList{}} {
		events, err := watching.Watch(context.WithoutCancel(ctx), list, client.InNamespace(namespace),
			&client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: version}})
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(events.Stop)
		go r.follow(kind, events)
	}
	return r
}

func (r *recorder) follow(kind string, events watch.Interface) {
	defer GinkgoRecover()
	known := map[types.UID]client.Object{}
	for event := range events.ResultChan() {
		obj, ok := event.Object.(client.Object)
		if !ok {
			r.mu.Lock()
			r.ended = fmt.Sprint(event.Object)
			r.mu.Unlock()
			return
		}
		version, err := strconv.ParseUint(obj.GetResourceVersion(), 10, 64)
		Expect(err).NotTo(HaveOccurred())
		what := whatHappened(event.Type, known[obj.GetUID()], obj)
		known[obj.GetUID()] = obj
		r.mu.Lock()
		switch {
		case obj.GetName() == marker:
			if seen, err := strconv.Atoi(obj.GetAnnotations()[marker]); err == nil {
				r.markers[kind] = seen
			}
		case what != "" && obj.GetName() != "kube-root-ca.crt":
			r.changes = append(r.changes, change{effect{Kind: kind, Name: obj.GetName(), What: what}, version})
		}
		r.mu.Unlock()
	}
}

// whatHappened is empty for what others write: status and finalizers, with which the generation stays as it is.
func whatHappened(event watch.EventType, before, now client.Object) string {
	switch {
	case event == watch.Added:
		return created
	case event == watch.Deleted:
		return gone
	case before != nil && before.GetDeletionTimestamp() == nil && now.GetDeletionTimestamp() != nil:
		return doomed
	case before != nil && now.GetGeneration() != 0 && before.GetGeneration() == now.GetGeneration():
		return ""
	}
	return changed
}

// drain gives the changes since the last call in their order, once all up to now have been seen.
func (r *recorder) drain(ctx context.Context) []effect {
	GinkgoHelper()
	r.drained++
	patch := client.RawPatch(types.MergePatchType, fmt.Appendf(nil, `{"metadata":{"annotations":{"%s":"%d"}}}`, marker, r.drained))
	want := map[string]int{}
	for _, object := range markers(r.namespace) {
		kinds, _, err := cluster.Scheme().ObjectKinds(object)
		Expect(err).NotTo(HaveOccurred())
		Expect(cluster.Patch(ctx, object, patch)).To(Succeed())
		want[kinds[0].Kind] = r.drained
	}
	Eventually(ctx, func(g Gomega) map[string]int {
		r.mu.Lock()
		defer r.mu.Unlock()
		g.Expect(r.ended).To(BeEmpty(), "a watch of the test ended")
		return maps.Clone(r.markers)
	}).Should(Equal(want))
	r.mu.Lock()
	defer r.mu.Unlock()
	changes := r.changes
	r.changes = nil
	slices.SortFunc(changes, func(a, b change) int { return cmp.Compare(a.version, b.version) })
	var effects []effect
	for _, c := range changes {
		effects = append(effects, c.effect)
	}
	return effects
}
