package application

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	discoveryfake "k8s.io/client-go/discovery/fake"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	clienttesting "k8s.io/client-go/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	clientfake "sigs.k8s.io/controller-runtime/pkg/client/fake"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/apply"
	"github.com/tiphys-io/tiphys/internal/cluster"
	"github.com/tiphys-io/tiphys/internal/controller/outcome"
	"github.com/tiphys-io/tiphys/internal/live"
	"github.com/tiphys-io/tiphys/internal/plan"
	"github.com/tiphys-io/tiphys/internal/policy"
	"github.com/tiphys-io/tiphys/internal/refresh"
	"github.com/tiphys-io/tiphys/internal/resource"
	"github.com/tiphys-io/tiphys/internal/target"
	"github.com/tiphys-io/tiphys/internal/tracking"
)

// The tests of this file hold the rules of the contract's appendices that no other test of the package shows;
// test/conformance/testdata/appendix.yaml says which test shows which.

// permits is a project that permits all but the kinds of this name.
type permits struct{ forbidden string }

func (permits) Application(*argov1.Application, *argov1.AppProject) []string { return nil }

func (permits) Sources(*argov1.Application, *argov1.AppProject) bool { return true }

func (p permits) Object(_ *argov1.AppProject, key resource.Key, _ bool) string {
	if key.Kind == p.forbidden {
		return "forbidden"
	}
	return ""
}

func (permits) Window(*argov1.AppProject, *argov1.Application, policy.Moment) (bool, error) {
	return true, nil
}

// standing is a live ConfigMap, or one of another kind, that the application "app" tracks.
func standing(kind, name string, annotations ...string) *unstructured.Unstructured {
	obj := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": kind}}
	obj.SetName(name)
	obj.SetNamespace("ns")
	obj.SetUID("uid")
	all := map[string]string{argov1.AnnotationTrackingID: fmt.Sprintf("app:/%s:ns/%s", kind, name)}
	for _, annotation := range annotations {
		key, value, _ := strings.Cut(annotation, "=")
		all[key] = value
	}
	obj.SetAnnotations(all)
	return obj
}

// onCluster is a reconciler on a cluster in memory that holds ConfigMaps.
func onCluster(t *testing.T, objects ...runtime.Object) *Reconciler {
	t.Helper()
	mapper := meta.NewDefaultRESTMapper(nil)
	mapper.Add(schema.GroupVersionKind{Version: "v1", Kind: "ConfigMap"}, meta.RESTScopeNamespace)
	lists := map[schema.GroupVersionResource]string{{Version: "v1", Resource: "configmaps"}: "ConfigMapList"}
	conn := &cluster.Conn{Server: "https://here", Dynamic: dynamicfake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), lists, objects...), Mapper: mapper}
	return &Reconciler{
		Conn: conn, Permissions: permits{}, Runner: apply.NewRunner(1), Now: func() time.Time { return time.Unix(1000, 0) },
		Watcher: live.NewWatcher(t.Context(), conn, live.NewStore(tracking.Tracker{}, func(live.Change) {})),
	}
}

// tracked is a scope of the application "app" that has ConfigMaps.
func tracked(change func(*argov1.Application)) *scope {
	reconciled := metav1.NewTime(time.Unix(1, 0))
	app := &argov1.Application{ObjectMeta: metav1.ObjectMeta{Name: "app", Namespace: "argocd"}}
	app.Spec.Source = &argov1.ApplicationSource{RepoURL: "u", Path: "p", TargetRevision: "main"}
	app.Spec.Destination.Namespace, app.Spec.Destination.Server = "ns", "https://here"
	app.Status.ReconciledAt = &reconciled
	app.Status.Resources = []argov1.ResourceStatus{{Version: "v1", Kind: "ConfigMap"}}
	change(app)
	return &scope{app: app, base: app.DeepCopy(), instance: "app", memory: &memory{}, now: time.Unix(1000, 0)}
}

// Who asks for an operation takes the state of the last one away (A 2).
func TestAutosyncClearsTheLastState(t *testing.T) {
	app := automatedApp(ended(argov1.OperationSucceeded, 0))
	app.Status.OperationState.SyncResult.Revision = "older"
	target0 := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "ConfigMap"}}
	s := &scope{
		app: app, now: time.Unix(1000, 0), comparison: outOfSync(refresh.Row{Target: target0, Status: argov1.SyncStatusOutOfSync}),
		memory: &memory{state: &target.State{Revisions: []string{"r1"}}, request: target.Request{Sources: app.Spec.GetSources()}},
	}
	if err := (&Reconciler{Permissions: permits{}}).autosync(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	if s.app.Operation == nil || s.app.Status.OperationState != nil {
		t.Errorf("operation %+v, state %+v; want an operation and no state", s.app.Operation, s.app.Status.OperationState)
	}
}

// An operation has the options that stand in it, and none of the spec (A 3).
func TestBareOperationInheritsNothing(t *testing.T) {
	yes := true
	s := operating(func(s *scope) {
		s.app.Spec.SyncPolicy = &argov1.SyncPolicy{
			Automated: &argov1.SyncPolicyAutomated{Prune: &yes}, Retry: &argov1.RetryStrategy{Limit: 3},
			SyncOptions: argov1.SyncOptions{"CreateNamespace=true", "Replace=true"},
		}
		s.app.Operation = &argov1.Operation{Sync: &argov1.SyncOperation{}}
		s.app.Status.OperationState = nil
	})
	state := s.underway()
	s.app.Status.OperationState = state
	got := s.planOptions(effective(state))
	want := plan.Options{Revision: "old"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("options (-want +got):\n%s", diff)
	}
	if state.Operation.Retry != (argov1.RetryStrategy{}) {
		t.Errorf("retry %+v, want none", state.Operation.Retry)
	}
}

// A heal names what differs without its namespace (A 18); that it writes no history, TestHistory shows.
func TestHealsNameNoNamespace(t *testing.T) {
	row := func(name string, status argov1.SyncStatusCode) refresh.Row {
		return refresh.Row{Key: resource.Key{Group: "g", Kind: "K", Namespace: "ns", Name: name}, Status: status, Target: &unstructured.Unstructured{}}
	}
	d := decide(automatedApp(ended(argov1.OperationSucceeded, 0)), outOfSync(
		row("same", argov1.SyncStatusSynced), row("changed", argov1.SyncStatusOutOfSync), row("hook", ""), row("forbidden", argov1.SyncStatusUnknown)),
		[]string{"r1"}, healing{backoff: backoff}, time.Unix(1000, 0))
	want := []argov1.SyncOperationResource{{Group: "g", Kind: "K", Name: "changed"}, {Group: "g", Kind: "K", Name: "forbidden"}}
	if diff := cmp.Diff(want, d.operation.Sync.Resources); diff != "" {
		t.Errorf("resources (-want +got):\n%s", diff)
	}
}

// An invalid spec makes health and sync Unknown, and nothing is asked of repository or cluster (A 21).
func TestInvalidSpecIsUnknown(t *testing.T) {
	s := tracked(func(app *argov1.Application) { app.Spec.Destination.Server = "https://elsewhere" })
	r := onCluster(t)
	if err := r.admit(t.Context(), s); !outcome.IsWaiting(err) {
		t.Errorf("admit: %v, want an end of the reconcile", err)
	}
	if status := s.app.Status; status.Sync.Status != argov1.SyncStatusUnknown || status.Health.Status != argov1.HealthUnknown {
		t.Errorf("sync %s, health %s", status.Sync.Status, status.Health.Status)
	}
}

// Clients wait for a comparison that is later than the end of the operation (A 29).
func TestComparisonAfterTheOperation(t *testing.T) {
	at := func(seconds int64) *metav1.Time { return new(metav1.NewTime(time.Unix(seconds, 0))) }
	for _, tc := range []struct {
		reason               string
		finished, reconciled *metav1.Time
		want                 bool
	}{
		{"an operation has ended since", at(20), at(10), true},
		{"the comparison is later", at(20), at(30), false},
		{"it runs yet", nil, at(10), false},
	} {
		s := tracked(func(app *argov1.Application) {
			app.Status.OperationState, app.Status.ReconciledAt = &argov1.OperationState{FinishedAt: tc.finished}, tc.reconciled
		})
		if got := s.finishedOperation(); got != tc.want {
			t.Errorf("%s: %v", tc.reason, got)
		}
	}
}

// A refresh that was asked for while one was under way is not taken for answered (A 30).
func TestRefreshAskedForInBetweenStays(t *testing.T) {
	scheme := runtime.NewScheme()
	if err := argov1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	asked := func(at string) *argov1.Application {
		return &argov1.Application{ObjectMeta: metav1.ObjectMeta{
			Name: "app", Namespace: "argocd", Annotations: map[string]string{argov1.AnnotationRefresh: "normal", argov1.AnnotationRefreshTimestamp: at},
		}}
	}
	c := clientfake.NewClientBuilder().WithScheme(scheme).WithObjects(asked("first")).Build()
	seen, again := &argov1.Application{}, &argov1.Application{}
	key := client.ObjectKey{Namespace: "argocd", Name: "app"}
	if err := c.Get(t.Context(), key, seen); err != nil {
		t.Fatal(err)
	}
	seen.DeepCopyInto(again)
	again.Annotations[argov1.AnnotationRefreshTimestamp] = "second"
	if err := c.Update(t.Context(), again); err != nil {
		t.Fatal(err)
	}
	s := &scope{app: seen.DeepCopy(), base: seen, memory: &memory{}}
	delete(s.app.Annotations, argov1.AnnotationRefresh)
	delete(s.app.Annotations, argov1.AnnotationRefreshTimestamp)
	r := &Reconciler{Client: c}
	if err := r.write(t.Context(), s); !apierrors.IsConflict(err) {
		t.Errorf("write: %v, want a conflict", err)
	}
	now := &argov1.Application{}
	if err := c.Get(t.Context(), key, now); err != nil {
		t.Fatal(err)
	}
	if now.Annotations[argov1.AnnotationRefreshTimestamp] != "second" {
		t.Errorf("annotations %v", now.Annotations)
	}
}

// Rows of the status carry no namespace for cluster-scoped objects (B 5).
func TestStatusOfClusterScopedObjects(t *testing.T) {
	role := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole"}}
	row := refresh.Row{Key: resource.Key{Group: "rbac.authorization.k8s.io", Kind: "ClusterRole", Name: "x"}, Target: role}
	if got := tracked(func(*argov1.Application) {}).resourceStatus(row, nil); got.Namespace != "" || got.Name != "x" || got.Version != "v1" {
		t.Errorf("row %+v", got)
	}
}

// What cannot be discovered is told raw in the message and with a hint in the row (B 7).
func TestUnknownKinds(t *testing.T) {
	mapper := meta.NewDefaultRESTMapper([]schema.GroupVersion{{Group: "example.com", Version: "v2"}})
	mapper.Add(schema.GroupVersionKind{Group: "example.com", Version: "v2", Kind: "Thing"}, meta.RESTScopeNamespace)
	served := []*metav1.APIResourceList{{GroupVersion: "argoproj.io/v1alpha1", APIResources: []metav1.APIResource{{Name: "applications", Kind: "Application"}}}}
	r := &Reconciler{Conn: &cluster.Conn{Mapper: mapper, Discovery: &discoveryfake.FakeDiscovery{Fake: &clienttesting.Fake{Resources: served}}}}
	for _, tc := range []struct{ reason, version, kind, message, row string }{
		{
			"nothing of the group is served", "nowhere.io/v1", "Thing",
			"failed to discover server resources for group version nowhere.io/v1: the server could not find the requested resource",
			`The Kubernetes API could not find nowhere.io/Thing for requested resource ns/x. Make sure the "Thing" CRD is installed on the destination cluster.`,
		},
		{
			"another version of the kind is", "example.com/v1", "Thing",
			"failed to discover server resources for group version example.com/v1: the server could not find the requested resource",
			`The Kubernetes API could not find version "v1" of example.com/Thing for requested resource ns/x. Version "v2" of example.com/Thing is installed on the destination cluster.`,
		},
		{
			"group and version are, the kind is not: no hint", "argoproj.io/v1alpha1", "DoesNotExist",
			`DoesNotExist.argoproj.io "" not found`, `DoesNotExist.argoproj.io "" not found`,
		},
	} {
		obj := &unstructured.Unstructured{Object: map[string]any{"apiVersion": tc.version, "kind": tc.kind, "metadata": map[string]any{"name": "x", "namespace": "ns"}}}
		got := r.unknownKind(refresh.Row{Key: resource.KeyOf(obj), Target: obj})
		if diff := cmp.Diff(plan.Rejection{Reason: tc.message, Message: tc.row}, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
		}
	}
}

// Without a target nobody knows what is wanted: what is live stays in sight as Unknown, and its health counts (B 13).
func TestUnknownTarget(t *testing.T) {
	r := onCluster(t, standing("ConfigMap", "a"))
	s := tracked(func(app *argov1.Application) {
		app.Status.Resources = append(app.Status.Resources, argov1.ResourceStatus{Version: "v1", Kind: "ConfigMap", Name: "only-a-target"})
		app.Status.Sync.Revision = "0123"
	})
	if err := r.watch(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	s.showUnknown(t.Context(), r)
	status := s.app.Status
	want := []argov1.ResourceStatus{{Version: "v1", Kind: "ConfigMap", Namespace: "ns", Name: "a", Status: argov1.SyncStatusUnknown, RequiresPruning: true}}
	if diff := cmp.Diff(want, status.Resources); diff != "" {
		t.Errorf("resources (-want +got):\n%s", diff)
	}
	if status.Sync.Status != argov1.SyncStatusUnknown || status.Sync.Revision != "main" || status.Health.Status != argov1.HealthHealthy {
		t.Errorf("sync %s at %q, health %s", status.Sync.Status, status.Sync.Revision, status.Health.Status)
	}
}

// Two renderers in one source are the renderer's business, not that of the check of the spec (B 15).
func TestTwoRenderersAreNoInvalidSpec(t *testing.T) {
	r := onCluster(t)
	for reason, source := range map[string]argov1.ApplicationSource{
		"path and chart":     {RepoURL: "u", Path: "p", Chart: "c"},
		"helm and kustomize": {RepoURL: "u", Path: "p", Helm: &argov1.ApplicationSourceHelm{ReleaseName: "a"}, Kustomize: &argov1.ApplicationSourceKustomize{NamePrefix: "b"}},
	} {
		s := tracked(func(app *argov1.Application) { app.Spec.Source = &source })
		if violations := r.validate(&s.app.Spec); len(violations) > 0 {
			t.Errorf("%s: %v", reason, violations)
		}
	}
}

// A plugin is refused before anything is fetched, with what is supported.
func TestPluginsAreAnInvalidSpec(t *testing.T) {
	r := onCluster(t)
	plugin := argov1.ApplicationSource{RepoURL: "u", Path: "p", Plugin: &argov1.ApplicationSourcePlugin{Name: "x"}}
	for want, change := range map[string]func(app *argov1.Application){
		"spec.source.plugin: config management plugins are not run":     func(app *argov1.Application) { app.Spec.Source = &plugin },
		"spec.sources[0].plugin: config management plugins are not run": func(app *argov1.Application) { app.Spec.Sources = argov1.ApplicationSources{plugin} },
	} {
		if violations := r.validate(&tracked(change).app.Spec); len(violations) != 1 || !strings.HasPrefix(violations[0], want) {
			t.Errorf("%v, want %s", violations, want)
		}
	}
}

// The warning names this application with its namespace and the other as its mark does (B 19).
func TestSharedResourceWarning(t *testing.T) {
	s := tracked(func(*argov1.Application) {})
	obj := standing("ConfigMap", "x")
	s.comparison = &refresh.Comparison{Rows: []refresh.Row{
		{Key: resource.KeyOf(obj), Target: obj, Live: obj, SharedWith: "other"},
		{Key: resource.KeyOf(obj), Live: obj, SharedWith: "not wanted here"},
	}}
	s.reportComparison()
	want := []argov1.ApplicationCondition{{Type: argov1.ConditionSharedResourceWarning, Message: "ConfigMap/x is part of applications argocd/app and other"}}
	if diff := cmp.Diff(want, s.conditions); diff != "" {
		t.Errorf("conditions (-want +got):\n%s", diff)
	}
}

// What stays when an application is deleted (contract 2.11, A 26, B 21, B 24, B 25).
func TestKeeps(t *testing.T) {
	copied := standing("ConfigMap", "genuine")
	copied.SetName("copy")
	self := standing("Application", "app")
	self.SetAPIVersion("argoproj.io/v1alpha1")
	self.SetNamespace("argocd")
	self.SetAnnotations(map[string]string{argov1.AnnotationTrackingID: "app:argoproj.io/Application:argocd/app"})
	foreign := standing("ConfigMap", "x", argov1.AnnotationTrackingID+"=other:/ConfigMap:ns/x")
	unmarked := standing("ConfigMap", "x")
	unmarked.SetAnnotations(nil)
	for _, tc := range []struct {
		reason  string
		obj     *unstructured.Unstructured
		options argov1.SyncOptions
		want    bool
	}{
		{"what the application tracks goes", standing("ConfigMap", "x"), nil, false},
		{"a definition of a kind stays, and with it all objects of that kind", standing("CustomResourceDefinition", "x"), nil, true},
		{"Helm's keep policy is honoured", standing("ConfigMap", "x", "helm.sh/resource-policy=keep"), nil, true},
		{"so is Delete=false on the object", standing("ConfigMap", "x", argov1.AnnotationSyncOptions+"=Delete=false"), nil, true},
		{"and in the spec", standing("ConfigMap", "x"), argov1.SyncOptions{"Delete=false"}, true},
		{"unless the object says otherwise", standing("ConfigMap", "x", argov1.AnnotationSyncOptions+"=Delete=true"), argov1.SyncOptions{"Delete=false"}, false},
		{"Prune=false has no say", standing("ConfigMap", "x", argov1.AnnotationSyncOptions+"=Prune=false"), nil, false},
		{"what the project forbids stays", standing("Forbidden", "x"), nil, true},
		{"a copied mark proves nothing", copied, nil, true},
		{"nor does that of another application", foreign, nil, true},
		{"an object without a mark is nobody's", unmarked, nil, true},
		{"the application itself is not waited for", self, nil, true},
		{"a PreDelete hook goes with the rest", standing("ConfigMap", "x", argov1.AnnotationHook+"=PreDelete"), nil, false},
		{"a PostDelete hook has its own time", standing("ConfigMap", "x", argov1.AnnotationHook+"=PostDelete"), nil, true},
	} {
		s := tracked(func(app *argov1.Application) { app.Spec.SyncPolicy = &argov1.SyncPolicy{SyncOptions: tc.options} })
		r := &Reconciler{Permissions: permits{forbidden: "Forbidden"}}
		if got := r.keeps(t.Context(), s, tc.obj); got != tc.want {
			t.Errorf("%s: keeps %v", tc.reason, got)
		}
	}
}

// One object that asks first holds up the whole cascade, and an approval lets all of it go (B 22).
func TestConfirmationHoldsTheCascade(t *testing.T) {
	r := onCluster(t, standing("ConfigMap", "a"), standing("ConfigMap", "asks", argov1.AnnotationSyncOptions+"=Delete=confirm"))
	s := tracked(func(app *argov1.Application) {
		app.Finalizers = []string{argov1.FinalizerResources}
		app.DeletionTimestamp = new(metav1.NewTime(time.Unix(500, 0)))
	})
	left := func(ctx context.Context) (names []string) {
		list, err := r.Conn.Dynamic.Resource(schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}).List(ctx, metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for _, item := range list.Items {
			names = append(names, item.GetName())
		}
		slices.Sort(names)
		return names
	}
	for _, approved := range []string{"", "no time", time.Unix(499, 0).UTC().Format(time.RFC3339)} {
		s.app.Annotations = map[string]string{argov1.AnnotationDeletionApproved: approved}
		waiting, err := r.cascade(t.Context(), s)
		if err != nil || !strings.Contains(waiting, "/ConfigMap/ns/asks to be confirmed") || !s.confirming {
			t.Errorf("approved %q: waiting %q, %v", approved, waiting, err)
		}
		if diff := cmp.Diff([]string{"a", "asks"}, left(t.Context())); diff != "" {
			t.Fatalf("approved %q: objects left (-want +got):\n%s", approved, diff)
		}
	}
	s.app.Annotations = map[string]string{argov1.AnnotationDeletionApproved: time.Unix(500, 0).UTC().Format(time.RFC3339)}
	waiting, err := r.cascade(t.Context(), s)
	if err != nil || waiting != "" || len(left(t.Context())) > 0 {
		t.Errorf("approved: waiting %q, %v, left %v", waiting, err, left(t.Context()))
	}
}

// Without its project an application cannot be deleted: the finalizer and the objects stay, and a condition says why (B 23).
func TestDeletionWithoutProject(t *testing.T) {
	r := withObjects(t, onCluster(t, standing("ConfigMap", "a")))
	s := tracked(func(app *argov1.Application) {
		app.Spec.Project = "gone"
		app.Finalizers = []string{argov1.FinalizerResources}
		app.DeletionTimestamp = new(metav1.NewTime(time.Unix(500, 0)))
	})
	if err := r.finalize(t.Context(), s); !outcome.IsWaiting(err) {
		t.Errorf("finalize: %v, want to wait", err)
	}
	want := []argov1.ApplicationCondition{{Type: argov1.ConditionDeletionError, Message: `error getting app project "gone": appproject.argoproj.io "gone" not found`}}
	if diff := cmp.Diff(want, s.conditions); diff != "" {
		t.Errorf("conditions (-want +got):\n%s", diff)
	}
	if !slices.Contains(s.app.Finalizers, argov1.FinalizerResources) {
		t.Error("the finalizer is gone")
	}
	if _, err := r.Conn.Dynamic.Resource(schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}).Namespace("ns").Get(t.Context(), "a", metav1.GetOptions{}); err != nil {
		t.Errorf("the object: %v", err)
	}
}

// An operation with manifests of its own is about no revision, in its result and in the history (B 12).
func TestRawManifestsHaveNoRevision(t *testing.T) {
	s := operating(func(s *scope) {
		s.app.Status.OperationState.SyncResult = nil
		s.memory.request = target.Request{Sources: s.app.Spec.GetSources(), Manifests: []string{"{}"}}
		s.memory.state.Revisions = []string{"main"}
	})
	s.beginResult()
	s.app.Status.OperationState.Phase, s.app.Status.OperationState.FinishedAt = argov1.OperationSucceeded, new(metav1.NewTime(s.now))
	s.remember()
	if result := s.app.Status.OperationState.SyncResult; result.Revision != "" || result.Source.RepoURL != "u" {
		t.Errorf("result %+v", result)
	}
	if history := s.app.Status.History; len(history) != 1 || history[0].Revision != "" {
		t.Errorf("history %+v, want one entry without a revision", history)
	}
}

// A render error that is told again keeps its text: it does not become another one, nor cost another write (B 20, where the
// original adds a prefix).
func TestRepeatedErrorsKeepTheirText(t *testing.T) {
	r := onCluster(t)
	s := tracked(func(*argov1.Application) {})
	key, err := requestKey(r.targetRequest(s), "")
	if err != nil {
		t.Fatal(err)
	}
	s.memory.failure = targetFailure{err: errors.New("no such chart"), key: key, until: s.now.Add(time.Second)}
	if err := r.loadTarget(t.Context(), s); err == nil || err.Error() != "no such chart" {
		t.Errorf("error %v", err)
	}
}
