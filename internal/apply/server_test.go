package apply_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/yaml"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/apply"
	"github.com/tiphys-io/tiphys/internal/cluster"
	"github.com/tiphys-io/tiphys/internal/plan"
	"github.com/tiphys-io/tiphys/internal/resource"
	"github.com/tiphys-io/tiphys/test/fixture"
)

var (
	plane *fixture.ControlPlane
	conn  *cluster.Conn
)

func TestOnAServer(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "Apply")
}

var _ = BeforeSuite(func(ctx SpecContext) {
	var err error
	plane, err = fixture.StartControlPlane(ctx, fixture.ControlPlaneOptions{Progress: GinkgoWriter})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(plane.Stop)
	conn, err = cluster.Connect(plane.RESTConfig(), "https://kubernetes.default.svc", "in-cluster")
	Expect(err).NotTo(HaveOccurred())
}, NodeTimeout(5*time.Minute))

// parse reads one manifest; it is in the namespace default unless it says otherwise or its kind has none.
func parse(text string) *unstructured.Unstructured {
	GinkgoHelper()
	obj := &unstructured.Unstructured{}
	Expect(yaml.Unmarshal([]byte(text), &obj.Object)).To(Succeed())
	namespaced, err := conn.Namespaced(obj.GroupVersionKind())
	if cluster.IsUnknownKind(err) {
		return obj
	}
	Expect(err).NotTo(HaveOccurred())
	if namespaced && obj.GetNamespace() == "" {
		obj.SetNamespace("default")
	}
	return obj
}

// configMap is a target with one key, "a".
func configMap(name, value string) *unstructured.Unstructured {
	GinkgoHelper()
	return parse("{apiVersion: v1, kind: ConfigMap, metadata: {name: " + name + "}, data: {a: '" + value + "'}}")
}

const job = `{apiVersion: batch/v1, kind: Job, metadata: {name: NAME}, spec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: IMAGE}]}}}}`

func clientFor(obj *unstructured.Unstructured) dynamic.ResourceInterface {
	GinkgoHelper()
	client, err := conn.Client(obj)
	Expect(err).NotTo(HaveOccurred())
	return client
}

// current is the live form of an object, nil when there is none.
func current(ctx context.Context, obj *unstructured.Unstructured) *unstructured.Unstructured {
	GinkgoHelper()
	live, err := apply.Read(ctx, conn, obj)
	if apierrors.IsNotFound(err) || cluster.IsUnknownKind(err) {
		return nil
	}
	Expect(err).NotTo(HaveOccurred())
	return live
}

// createAs makes an object as another manager of fields.
func createAs(ctx context.Context, manager string, obj *unstructured.Unstructured) *unstructured.Unstructured {
	GinkgoHelper()
	live, err := clientFor(obj).Create(ctx, obj, metav1.CreateOptions{FieldManager: manager})
	Expect(err).NotTo(HaveOccurred())
	return live
}

// change writes to a live object as another manager of fields.
func change(ctx context.Context, live *unstructured.Unstructured, how func(*unstructured.Unstructured)) *unstructured.Unstructured {
	GinkgoHelper()
	changed := live.DeepCopy()
	how(changed)
	changed, err := clientFor(live).Update(ctx, changed, metav1.UpdateOptions{FieldManager: "other"})
	Expect(err).NotTo(HaveOccurred())
	return changed
}

// taskFor is the task that applies a target to what stands there now.
func taskFor(ctx context.Context, obj *unstructured.Unstructured, change ...func(*plan.Task)) plan.Task {
	GinkgoHelper()
	task := plan.Task{
		Key: resource.KeyOf(obj), Phase: argov1.SyncPhaseSync, Target: obj, Live: current(ctx, obj), Modified: true, Migrate: true,
	}
	for _, c := range change {
		c(&task)
	}
	return task
}

func replacing(task *plan.Task) { task.Replace = true }
func forced(task *plan.Task)    { task.Force = true }

// seen is an observer that remembers.
type seen struct {
	mu   sync.Mutex
	puts []*unstructured.Unstructured
	gone []resource.Key
}

func (s *seen) Put(obj *unstructured.Unstructured) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.puts = append(s.puts, obj)
}

func (s *seen) Delete(key resource.Key, _ string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gone = append(s.gone, key)
}

// last is the object as the observer saw it last, nil when it did not.
func (s *seen) last(key resource.Key) *unstructured.Unstructured {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, obj := range slices.Backward(s.puts) {
		if resource.KeyOf(obj) == key {
			return obj
		}
	}
	return nil
}

// do carries out one action with the default options; options may be given.
func do(ctx context.Context, observer apply.Observer, verb plan.Verb, task plan.Task, options ...plan.Options) plan.Outcome {
	GinkgoHelper()
	options = append(options, plan.Options{Prune: true})
	outcomes := apply.NewRunner(1).Run(ctx, conn, options[0], [][]plan.Action{{{Verb: verb, Task: task}}}, observer)
	Expect(outcomes).To(HaveLen(1))
	return outcomes[0]
}

// applied applies a task, which has to succeed, and tells kubectl's line and what the observer saw.
func applied(ctx context.Context, task plan.Task, options ...plan.Options) (string, *unstructured.Unstructured) {
	GinkgoHelper()
	observer := &seen{}
	outcome := do(ctx, observer, plan.Apply, task, options...)
	Expect(outcome.Err).NotTo(HaveOccurred())
	told := observer.last(task.Key)
	if told != nil && task.Key.Kind != "CustomResourceDefinition" { // its status is written by the API server at any time
		Expect(told.GetResourceVersion()).To(Equal(current(ctx, task.Target).GetResourceVersion()), "what the observer was told is what stands there")
	}
	return outcome.Message, told
}

func data(obj *unstructured.Unstructured) map[string]string {
	GinkgoHelper()
	values, _, err := unstructured.NestedStringMap(obj.Object, "data")
	Expect(err).NotTo(HaveOccurred())
	return values
}

// managers are the managers of the fields of an object, as "name operation".
func managers(obj *unstructured.Unstructured) []string {
	var names []string
	for _, entry := range obj.GetManagedFields() {
		names = append(names, entry.Manager+" "+string(entry.Operation))
	}
	return names
}
