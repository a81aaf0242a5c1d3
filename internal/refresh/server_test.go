package refresh_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/apply"
	"github.com/tiphys-io/tiphys/internal/cluster"
	"github.com/tiphys-io/tiphys/internal/diff"
	"github.com/tiphys-io/tiphys/internal/live"
	"github.com/tiphys-io/tiphys/internal/refresh"
	"github.com/tiphys-io/tiphys/internal/resource"
	"github.com/tiphys-io/tiphys/internal/target"
	"github.com/tiphys-io/tiphys/internal/tracking"
	"github.com/tiphys-io/tiphys/test/fixture"
)

const application = "refresh"

var (
	plane *fixture.ControlPlane
	conn  *cluster.Conn
)

func TestOnAServer(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "Refresh")
}

var _ = BeforeSuite(func(ctx SpecContext) {
	var err error
	plane, err = fixture.StartControlPlane(ctx, fixture.ControlPlaneOptions{
		CRDs: []string{filepath.Join("..", "..", "config", "crd", "bases")}, Progress: GinkgoWriter,
	})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(plane.Stop)
	conn, err = cluster.Connect(plane.RESTConfig(), "https://kubernetes.default.svc", "in-cluster")
	Expect(err).NotTo(HaveOccurred())
}, NodeTimeout(5*time.Minute))

// manifests are the documents of a file.
func manifests(file string) []*unstructured.Unstructured {
	data, err := os.ReadFile(filepath.Join("testdata", file))
	Expect(err).NotTo(HaveOccurred())
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(data), 4096)
	var objs []*unstructured.Unstructured
	for {
		obj := &unstructured.Unstructured{}
		err := decoder.Decode(&obj.Object)
		if errors.Is(err, io.EOF) {
			return objs
		}
		Expect(err).NotTo(HaveOccurred())
		objs = append(objs, obj)
	}
}

// stateOf makes targets of manifests as the target room does.
func stateOf(objs ...*unstructured.Unstructured) *target.State {
	state := &target.State{}
	for _, obj := range objs {
		obj = diff.Normalize(obj, "")
		namespaced, err := conn.Namespaced(obj.GroupVersionKind())
		Expect(err).NotTo(HaveOccurred())
		if namespaced {
			obj.SetNamespace("default")
		}
		Expect(tracking.Tracker{}.Mark(obj, application, "default")).To(Succeed())
		hash, err := diff.Hash(obj)
		Expect(err).NotTo(HaveOccurred())
		state.Objects = append(state.Objects, target.Object{Key: resource.KeyOf(obj), Target: obj, Hash: hash})
	}
	return state
}

func read(ctx context.Context, obj *unstructured.Unstructured) *unstructured.Unstructured {
	found, err := apply.Read(ctx, conn, obj)
	Expect(err).NotTo(HaveOccurred())
	return found
}

func put(ctx context.Context, obj *unstructured.Unstructured) {
	client, err := conn.Client(obj)
	Expect(err).NotTo(HaveOccurred())
	_, err = client.Apply(ctx, obj.GetName(), obj, metav1.ApplyOptions{FieldManager: argov1.FieldManager, Force: true})
	Expect(err).NotTo(HaveOccurred(), "%s %s", obj.GetKind(), obj.GetName())
}

func predict(ctx context.Context, obj *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	return apply.Predict(ctx, conn, obj)
}

// comparison compares a state with what the server holds, and counts the dry runs.
func comparison(ctx context.Context, m *refresh.Memory, state *target.State, change ...func(*refresh.Request)) (*refresh.Comparison, int) {
	asked := 0
	req := refresh.Request{
		State: state, Snapshot: live.Snapshot{}, Instance: application,
		Predict: func(ctx context.Context, obj *unstructured.Unstructured) (*unstructured.Unstructured, error) {
			asked++
			return predict(ctx, obj)
		},
	}
	for _, object := range state.Objects {
		req.Snapshot[object.Key] = read(ctx, object.Target)
	}
	for _, c := range change {
		c(&req)
	}
	return m.Compare(ctx, req), asked
}

var _ = Describe("A comparison", func() {
	It("finds an applied object equal, whatever its spelling", func(ctx SpecContext) {
		state := stateOf(manifests("kinds.yaml")...)
		for _, object := range state.Objects {
			put(ctx, object.Target)
		}
		memory := &refresh.Memory{}
		got, asked := comparison(ctx, memory, state)
		Expect(got.Err).NotTo(HaveOccurred())
		for _, row := range got.Rows {
			Expect(row.Status).To(Equal(argov1.SyncStatusSynced), "%s", row.Key)
			Expect(row.Modified).To(BeFalse(), "%s", row.Key)
		}
		_, again := comparison(ctx, memory, state)
		Expect(again).To(BeZero(), "nothing changed, so nothing is asked")
		AddReportEntry("dry runs", asked)

		By("and finds each changed one different")
		for i := range state.Objects {
			changed := state.Objects[i].Target.DeepCopy()
			changed.SetLabels(map[string]string{"new": "label"})
			state.Objects[i].Target, state.Objects[i].Hash = changed, "changed"
		}
		got, _ = comparison(ctx, &refresh.Memory{}, state)
		for _, row := range got.Rows {
			Expect(row.Status).To(Equal(argov1.SyncStatusOutOfSync), "%s", row.Key)
		}
	}, NodeTimeout(2*time.Minute))

	It("adopts what kubectl applied without a difference, and sees what Git has dropped since", func(ctx SpecContext) {
		file := filepath.Join(GinkgoT().TempDir(), "applied.yaml")
		Expect(os.WriteFile(file, []byte(`
apiVersion: apps/v1
kind: Deployment
metadata: {name: adopted, namespace: default, labels: {old: "yes"}, annotations: {argocd.argoproj.io/tracking-id: "refresh:apps/Deployment:default/adopted"}}
spec:
  replicas: 1
  selector: {matchLabels: {a: b}}
  template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: x, resources: {requests: {cpu: 1000m}}}]}}
`), 0o600)).To(Succeed())
		_, err := plane.Kubectl(ctx, "apply", "-f", file)
		Expect(err).NotTo(HaveOccurred())
		data, err := os.ReadFile(file)
		Expect(err).NotTo(HaveOccurred())
		manifest := &unstructured.Unstructured{}
		Expect(yaml.Unmarshal(data, &manifest.Object)).To(Succeed())

		got, _ := comparison(ctx, &refresh.Memory{}, stateOf(manifest))
		Expect(got.Rows[0].Status).To(Equal(argov1.SyncStatusSynced))
		Expect(got.Rows[0].Modified).To(BeFalse())

		manifest.SetLabels(nil)
		got, _ = comparison(ctx, &refresh.Memory{}, stateOf(manifest))
		Expect(got.Rows[0].Status).To(Equal(argov1.SyncStatusOutOfSync))
	}, NodeTimeout(time.Minute))

	It("leaves what another manager scales to it", func(ctx SpecContext) {
		state := stateOf(manifests("kinds.yaml")[5])
		object := state.Objects[0]
		put(ctx, object.Target)
		_, err := plane.Kubectl(ctx, "patch", "deployment", "a", "--subresource=scale", "--field-manager=scaler", "--type=merge", "-p", `{"spec":{"replicas":4}}`)
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(func(ctx SpecContext) { put(ctx, object.Target) })

		got, _ := comparison(ctx, &refresh.Memory{}, state)
		Expect(got.Status).To(Equal(argov1.SyncStatusOutOfSync))
		trusting := func(req *refresh.Request) {
			req.Ignore.Application = argov1.IgnoreDifferences{{Group: "apps", Kind: "Deployment", ManagedFieldsManagers: []string{"scaler"}}}
		}
		got, _ = comparison(ctx, &refresh.Memory{}, state, trusting)
		Expect(got.Status).To(Equal(argov1.SyncStatusSynced))
		Expect(got.Rows[0].Modified).To(BeTrue(), "a sync would scale it back")
		respected, err := diff.RespectIgnored(object.Target, read(ctx, object.Target), got.Rules)
		Expect(err).NotTo(HaveOccurred())
		replicas, _, err := unstructured.NestedInt64(respected.Object, "spec", "replicas")
		Expect(err).NotTo(HaveOccurred())
		Expect(replicas).To(BeEquivalentTo(4))
	}, NodeTimeout(time.Minute))

	It("sees a field that Git has dropped although somebody has updated it", func(ctx SpecContext) {
		obj := manifest("{apiVersion: v1, kind: ConfigMap, metadata: {name: dropped, namespace: default}, data: {a: '1', b: '1'}}")
		put(ctx, stateOf(obj).Objects[0].Target)
		for _, patch := range []string{`{"data":{"b":null}}`, `{"data":{"b":"1"}}`} {
			_, err := plane.Kubectl(ctx, "patch", "configmap", "dropped", "-n", "default", "--type=merge", "-p", patch)
			Expect(err).NotTo(HaveOccurred())
		}
		put(ctx, stateOf(obj).Objects[0].Target)
		Expect(explain(ctx, obj)).To(BeNil())
		unstructured.RemoveNestedField(obj.Object, "data", "b")
		Expect(explain(ctx, obj).Differences).To(ConsistOf(difference("data.b", diff.ClassNotInGit, nil, "1", "kubectl-patch")))
	}, NodeTimeout(time.Minute))

	It("takes an object that does not fit its schema for one that differs", func(ctx SpecContext) {
		plain := &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "odd"}, "data": map[string]any{"a": "1"},
		}}
		put(ctx, stateOf(plain).Objects[0].Target)
		plain.Object["nonsense"] = "x"
		got, asked := comparison(ctx, &refresh.Memory{}, stateOf(plain))
		Expect(got.Err).NotTo(HaveOccurred())
		Expect(got.Rows[0].Status).To(Equal(argov1.SyncStatusOutOfSync))
		Expect(asked).To(Equal(1))
	}, NodeTimeout(time.Minute))
})
