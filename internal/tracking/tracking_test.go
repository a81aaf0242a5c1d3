package tracking_test

import (
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/resource"
	"github.com/tiphys-io/tiphys/internal/tracking"
)

func object(apiVersion, kind, namespace, name string) *unstructured.Unstructured {
	obj := &unstructured.Unstructured{Object: map[string]any{"apiVersion": apiVersion, "kind": kind}}
	obj.SetNamespace(namespace)
	obj.SetName(name)
	return obj
}

func annotated(obj *unstructured.Unstructured, id string) *unstructured.Unstructured {
	obj.SetAnnotations(map[string]string{argov1.AnnotationTrackingID: id})
	return obj
}

func TestMark(t *testing.T) {
	tests := []struct {
		reason  string
		tracker tracking.Tracker
		obj     *unstructured.Unstructured
		want    *unstructured.Unstructured
	}{
		{
			reason: "A cluster-scoped object is tracked under the destination namespace.",
			obj:    object("rbac.authorization.k8s.io/v1", "ClusterRole", "", "x"),
			want:   annotated(object("rbac.authorization.k8s.io/v1", "ClusterRole", "", "x"), "app:rbac.authorization.k8s.io/ClusterRole:dest/x"),
		},
		{
			reason: "The object's own namespace wins over the destination's, and the core group is empty.",
			obj:    object("v1", "ConfigMap", "other", "x"),
			want:   annotated(object("v1", "ConfigMap", "other", "x"), "app:/ConfigMap:other/x"),
		},
		{
			reason: "A CustomResourceDefinition is never marked.",
			obj:    object("apiextensions.k8s.io/v1", "CustomResourceDefinition", "", "x"),
			want:   object("apiextensions.k8s.io/v1", "CustomResourceDefinition", "", "x"),
		},
		{
			reason: "An installation id that a manifest brings along is removed when none is configured.",
			obj: func() *unstructured.Unstructured {
				obj := object("v1", "ConfigMap", "n", "x")
				obj.SetAnnotations(map[string]string{argov1.AnnotationInstallationID: "foreign"})
				return obj
			}(),
			want: annotated(object("v1", "ConfigMap", "n", "x"), "app:/ConfigMap:n/x"),
		},
		{
			reason:  "A custom label key is used instead of the default one.",
			tracker: tracking.Tracker{Method: tracking.MethodLabel, LabelKey: "my/key"},
			obj:     object("v1", "ConfigMap", "n", "x"),
			want: func() *unstructured.Unstructured {
				obj := object("v1", "ConfigMap", "n", "x")
				obj.SetLabels(map[string]string{"my/key": "app"})
				return obj
			}(),
		},
		{
			reason:  "Only the legacy label key also reaches pod templates.",
			tracker: tracking.Tracker{Method: tracking.MethodLabel, LabelKey: tracking.LegacyLabelKey},
			obj:     object("apps/v1", "Deployment", "n", "x"),
			want: func() *unstructured.Unstructured {
				obj := object("apps/v1", "Deployment", "n", "x")
				obj.SetLabels(map[string]string{tracking.LegacyLabelKey: "app"})
				obj.Object["spec"] = map[string]any{"template": map[string]any{
					"metadata": map[string]any{"labels": map[string]any{tracking.LegacyLabelKey: "app"}},
				}}
				return obj
			}(),
		},
		{
			reason:  "With the default label key pod templates stay as they are.",
			tracker: tracking.Tracker{Method: tracking.MethodLabel},
			obj:     object("apps/v1", "Deployment", "n", "x"),
			want: func() *unstructured.Unstructured {
				obj := object("apps/v1", "Deployment", "n", "x")
				obj.SetLabels(map[string]string{argov1.LabelInstance: "app"})
				return obj
			}(),
		},
	}
	for _, tc := range tests {
		t.Run(tc.reason, func(t *testing.T) {
			if err := tc.tracker.Mark(tc.obj, "app", "dest"); err != nil {
				t.Fatalf("Mark: %v", err)
			}
			if diff := gocmp.Diff(tc.want, tc.obj); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestMarkRefusesToLoseAnnotations(t *testing.T) {
	obj := object("v1", "ConfigMap", "n", "x")
	obj.Object["metadata"].(map[string]any)["annotations"] = map[string]any{"keep": "me", "number": int64(1)}
	before := obj.DeepCopy()
	err := tracking.Tracker{}.Mark(obj, "app", "dest")
	if err == nil || !strings.Contains(err.Error(), `ConfigMap "x"`) {
		t.Errorf("Mark: %v, want an error that names the object", err)
	}
	if diff := gocmp.Diff(before, obj); diff != "" {
		t.Errorf("the object was changed in spite of the error:\n%s", diff)
	}
}

func TestMarkAcceptsNullAnnotations(t *testing.T) {
	obj := object("v1", "ConfigMap", "n", "x")
	obj.Object["metadata"].(map[string]any)["annotations"] = nil
	if err := (tracking.Tracker{}).Mark(obj, "app", "dest"); err != nil {
		t.Fatalf("Mark: %v", err)
	}
	if owner, ok := (tracking.Tracker{}).Owner(obj); owner != "app" || !ok {
		t.Errorf("Owner = %q, %v", owner, ok)
	}
}

func TestOwner(t *testing.T) {
	labelled := object("v1", "ConfigMap", "n", "x")
	labelled.SetLabels(map[string]string{argov1.LabelInstance: "by-label"})
	tests := []struct {
		reason  string
		tracker tracking.Tracker
		obj     *unstructured.Unstructured
		want    string
	}{
		{"An instance outside the control namespace has an underscore.", tracking.Tracker{}, annotated(object("v1", "ConfigMap", "n", "x"), "team_app:/ConfigMap:n/x"), "team_app"},
		{"A broken tracking id names nobody.", tracking.Tracker{}, annotated(object("v1", "ConfigMap", "n", "x"), "app"), ""},
		{"The label does not count when annotations do.", tracking.Tracker{}, labelled, ""},
		{"Nor does it with both: the annotation is authoritative.", tracking.Tracker{Method: tracking.MethodAnnotationAndLabel}, labelled, ""},
		{"The label counts in label mode, whatever the installation id.", tracking.Tracker{Method: tracking.MethodLabel, InstallationID: "i"}, labelled, "by-label"},
		{"An object without installation id is not ours when one is configured.", tracking.Tracker{InstallationID: "i"}, annotated(object("v1", "ConfigMap", "n", "x"), "app:/ConfigMap:n/x"), ""},
	}
	for _, tc := range tests {
		t.Run(tc.reason, func(t *testing.T) {
			if got, ok := tc.tracker.Owner(tc.obj); got != tc.want || ok != (tc.want != "") {
				t.Errorf("Owner = %q, %v, want %q", got, ok, tc.want)
			}
		})
	}
}

func TestSelfReferenced(t *testing.T) {
	deployment := func() *unstructured.Unstructured { return object("apps/v1", "Deployment", "n", "x") }
	tests := []struct {
		reason       string
		tracker      tracking.Tracker
		live, target *unstructured.Unstructured
		want         bool
	}{
		{"The annotation names the object itself.", tracking.Tracker{}, annotated(deployment(), "a:apps/Deployment:n/x"), nil, true},
		{"The annotation was copied from an object of another name.", tracking.Tracker{}, annotated(deployment(), "a:apps/Deployment:n/y"), nil, false},
		{"The annotation was copied from an object of another kind.", tracking.Tracker{}, annotated(deployment(), "a:apps/ReplicaSet:n/x"), nil, false},
		{"The annotation was copied from an object of another group.", tracking.Tracker{}, annotated(deployment(), "a:extensions/Deployment:n/x"), nil, false},
		{"The annotation was copied from another namespace.", tracking.Tracker{}, annotated(deployment(), "a:apps/Deployment:m/x"), nil, false},
		{"Of a cluster-scoped object the namespace does not matter.", tracking.Tracker{}, annotated(object("v1", "Namespace", "", "x"), "a:/Namespace:dest/x"), nil, true},
		{"An unmarked object does not name itself, so nothing may be deleted.", tracking.Tracker{}, deployment(), nil, false},
		{"An object of another installation is not ours.", tracking.Tracker{InstallationID: "i"}, annotated(deployment(), "a:apps/Deployment:n/x"), nil, false},
		{"A target is enough for an unmarked object.", tracking.Tracker{}, deployment(), deployment(), true},
		{"The target moved to another API group.", tracking.Tracker{}, object("extensions/v1beta1", "Ingress", "n", "x"), object("networking.k8s.io/v1", "Ingress", "n", "x"), false},
		{"The target counts, not the annotation.", tracking.Tracker{}, annotated(deployment(), "a:apps/Deployment:n/y"), deployment(), true},
		{"Labels carry too little for the check.", tracking.Tracker{Method: tracking.MethodLabel}, deployment(), nil, true},
		{"What does not exist is nobody's copy.", tracking.Tracker{}, nil, deployment(), true},
	}
	for _, tc := range tests {
		t.Run(tc.reason, func(t *testing.T) {
			if got := tc.tracker.SelfReferenced(tc.live, tc.target); got != tc.want {
				t.Errorf("SelfReferenced = %v, want %v", got, tc.want)
			}
		})
	}
}

// TestMarkedObjectIsOwnAndSelfReferenced holds for every method: what was marked is found again, and is no copy.
func TestMarkedObjectIsOwnAndSelfReferenced(t *testing.T) {
	for _, method := range []tracking.Method{"", tracking.MethodAnnotation, tracking.MethodLabel, tracking.MethodAnnotationAndLabel} {
		for _, obj := range []*unstructured.Unstructured{
			object("v1", "ConfigMap", "n", "x"), object("v1", "Namespace", "", "x"), object("rbac.authorization.k8s.io/v1", "Role", "n", "system:x:y"),
		} {
			tracker := tracking.Tracker{Method: method, InstallationID: "i"}
			if err := tracker.Mark(obj, "team_app", "dest"); err != nil {
				t.Fatalf("Mark: %v", err)
			}
			if owner, ok := tracker.Owner(obj); owner != "team_app" || !ok {
				t.Errorf("method %q, %s: Owner = %q, %v", method, resource.KeyOf(obj), owner, ok)
			}
			if !tracker.SelfReferenced(obj, nil) {
				t.Errorf("method %q, %s: not self-referenced", method, resource.KeyOf(obj))
			}
		}
	}
}

func FuzzParseID(f *testing.F) {
	for _, seed := range []string{"app:/ConfigMap:ns/cm", "team_app:apps/Deployment:/x", "a:b/c:d/e:f/g", "app", "::", ":/:/", "a:/:b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		id, err := tracking.ParseID(value)
		if err != nil {
			if id != (tracking.ID{}) {
				t.Errorf("an error comes with %+v", id)
			}
			return
		}
		if got := id.String(); got != value {
			t.Errorf("%q is written back as %q", value, got)
		}
	})
}
