package resource_test

import (
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/resource"
	"github.com/tiphys-io/tiphys/test/conformance"
)

type vectors struct {
	AnnotationKeyUnderTest string
	AnnotationValues       []struct {
		Annotation *string
		Values     []string
		Option     string
		Has        bool
	}
	Hooks []struct {
		Annotations map[string]string
		Hook, Skip  bool
		Types       []argov1.HookType
	}
	DeletePolicies []struct {
		Annotations map[string]string
		Policies    []resource.HookDeletePolicy
	}
	HookHasDeletePolicy []struct {
		Annotations map[string]string
		Policy      resource.HookDeletePolicy
		Has         bool
	}
	Ignored []struct {
		Annotations map[string]string
		Ignored     bool
	}
	Waves []struct {
		Annotations map[string]string
		Wave        int
	}
}

func load(t *testing.T) vectors {
	t.Helper()
	var v vectors
	conformance.Load(t, &v, "tables", "sync.yaml")
	for table, count := range map[string]int{
		"annotationValues": len(v.AnnotationValues), "hooks": len(v.Hooks), "deletePolicies": len(v.DeletePolicies),
		"hookHasDeletePolicy": len(v.HookHasDeletePolicy), "ignored": len(v.Ignored), "waves": len(v.Waves),
	} {
		if count == 0 {
			t.Fatalf("sync.yaml: table %s was not read", table)
		}
	}
	return v
}

func annotated(annotations map[string]string) *unstructured.Unstructured {
	obj := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "ConfigMap"}}
	if len(annotations) > 0 {
		obj.SetAnnotations(annotations)
	}
	return obj
}

func TestConformanceValues(t *testing.T) {
	v := load(t)
	for _, row := range v.AnnotationValues {
		annotations := map[string]string{}
		if row.Annotation != nil {
			annotations[v.AnnotationKeyUnderTest] = *row.Annotation
		}
		got := resource.Values(annotated(annotations), v.AnnotationKeyUnderTest)
		// A value that is written twice counts once in the vectors; whoever asks for a value cannot tell.
		if diff := gocmp.Diff(row.Values, slices.Compact(got), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("Values of %v: -want +got:\n%s", annotations, diff)
		}
		if has := slices.Contains(got, row.Option); has != row.Has {
			t.Errorf("%v has %s: %v, want %v", annotations, row.Option, has, row.Has)
		}
	}
}

func TestConformanceHooks(t *testing.T) {
	v := load(t)
	for _, row := range v.Hooks {
		obj := annotated(row.Annotations)
		if got := resource.IsHook(obj); got != row.Hook {
			t.Errorf("IsHook of %v = %v", row.Annotations, got)
		}
		if got := resource.IsSkipped(obj); got != row.Skip {
			t.Errorf("IsSkipped of %v = %v", row.Annotations, got)
		}
		if diff := gocmp.Diff(row.Types, resource.HookTypes(obj), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("HookTypes of %v: -want +got:\n%s", row.Annotations, diff)
		}
	}
	for _, row := range v.DeletePolicies {
		if diff := gocmp.Diff(row.Policies, resource.HookDeletePolicies(annotated(row.Annotations))); diff != "" {
			t.Errorf("HookDeletePolicies of %v: -want +got:\n%s", row.Annotations, diff)
		}
	}
	for _, row := range v.HookHasDeletePolicy {
		obj := annotated(row.Annotations)
		has := resource.IsHook(obj) && slices.Contains(resource.HookDeletePolicies(obj), row.Policy)
		if has != row.Has {
			t.Errorf("%v has policy %s: %v, want %v", row.Annotations, row.Policy, has, row.Has)
		}
	}
	for _, row := range v.Ignored {
		obj := annotated(row.Annotations)
		if ignored := resource.IsHook(obj) && len(resource.HookTypes(obj)) == 0; ignored != row.Ignored {
			t.Errorf("%v is ignored: %v, want %v", row.Annotations, ignored, row.Ignored)
		}
	}
}

func TestConformanceWaves(t *testing.T) {
	for _, row := range load(t).Waves {
		if got := resource.Wave(annotated(row.Annotations)); got != row.Wave {
			t.Errorf("Wave of %v = %d, want %d", row.Annotations, got, row.Wave)
		}
	}
}

func TestWave(t *testing.T) {
	tests := []struct {
		reason      string
		annotations map[string]string
		want        int
	}{
		{"Waves may be negative.", map[string]string{"argocd.argoproj.io/sync-wave": "-5"}, -5},
		{"The wave wins over the weight.", map[string]string{"argocd.argoproj.io/sync-wave": "1", "helm.sh/hook-weight": "2"}, 1},
		{"A wave that is no number falls through to the weight.", map[string]string{"argocd.argoproj.io/sync-wave": "first", "helm.sh/hook-weight": "2"}, 2},
		{"Nothing readable is wave 0.", map[string]string{"argocd.argoproj.io/sync-wave": "1.5"}, 0},
	}
	for _, tc := range tests {
		t.Run(tc.reason, func(t *testing.T) {
			if got := resource.Wave(annotated(tc.annotations)); got != tc.want {
				t.Errorf("Wave = %d, want %d", got, tc.want)
			}
		})
	}
}

func TestHelmHooks(t *testing.T) {
	tests := []struct {
		reason      string
		annotations map[string]string
		hook        bool
		types       []argov1.HookType
	}{
		{"A hook of install and upgrade runs once a sync.", map[string]string{"helm.sh/hook": "pre-install, pre-upgrade"}, true, []argov1.HookType{"PreSync"}},
		{"A test is a hook that never runs.", map[string]string{"helm.sh/hook": "test"}, true, nil},
		{"crd-install makes a normal object.", map[string]string{"helm.sh/hook": "crd-install"}, false, nil},
		{"Helm's types count when the object names no valid one of its own.", map[string]string{"argocd.argoproj.io/hook": "Garbage", "helm.sh/hook": "post-delete"}, true, []argov1.HookType{"PostDelete"}},
		{"Skip among other types does not skip.", map[string]string{"argocd.argoproj.io/hook": "Skip, Sync"}, true, []argov1.HookType{"Skip", "Sync"}},
	}
	for _, tc := range tests {
		t.Run(tc.reason, func(t *testing.T) {
			obj := annotated(tc.annotations)
			if got := resource.IsHook(obj); got != tc.hook {
				t.Errorf("IsHook = %v", got)
			}
			if diff := gocmp.Diff(tc.types, resource.HookTypes(obj)); diff != "" {
				t.Errorf("HookTypes: -want +got:\n%s", diff)
			}
		})
	}
}

func TestHookDeletePoliciesAreCollectedOnce(t *testing.T) {
	obj := annotated(map[string]string{
		"argocd.argoproj.io/hook-delete-policy": "HookFailed,HookFailed", "helm.sh/hook-delete-policy": "hook-failed,hook-succeeded",
	})
	want := []resource.HookDeletePolicy{resource.HookFailed, resource.HookSucceeded}
	if diff := gocmp.Diff(want, resource.HookDeletePolicies(obj)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestHasOption(t *testing.T) {
	obj := annotated(map[string]string{"argocd.argoproj.io/sync-options": "Prune=false, Replace=true"})
	for option, want := range map[string]bool{"Prune=false": true, "Replace=true": true, "Prune": false, "prune=false": false} {
		if got := resource.HasOption(obj, option); got != want {
			t.Errorf("HasOption(%q) = %v", option, got)
		}
	}
	if resource.HasOption(nil, "Prune=false") {
		t.Error("an object that does not exist has an option")
	}
}

func TestKey(t *testing.T) {
	obj := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apps/v1", "kind": "Deployment", "metadata": map[string]any{"namespace": "n", "name": "x"},
	}}
	key := resource.KeyOf(obj)
	if want := (resource.Key{Group: "apps", Kind: "Deployment", Namespace: "n", Name: "x"}); key != want {
		t.Fatalf("KeyOf = %+v, want %+v", key, want)
	}
	if got := key.String(); got != "apps/Deployment/n/x" {
		t.Errorf("String = %q", got)
	}
	if got := key.GroupKind().String(); got != "Deployment.apps" {
		t.Errorf("GroupKind = %q", got)
	}
	ordered := []resource.Key{
		{Kind: "A", Namespace: "z", Name: "z"},
		{Group: "a", Kind: "A"},
		{Group: "a", Kind: "B", Namespace: "a", Name: "b"},
		{Group: "a", Kind: "B", Namespace: "b", Name: "a"},
		{Group: "a", Kind: "B", Namespace: "b", Name: "b"},
	}
	shuffled := []resource.Key{ordered[3], ordered[0], ordered[4], ordered[2], ordered[1]}
	slices.SortFunc(shuffled, resource.Key.Compare)
	if diff := gocmp.Diff(ordered, shuffled); diff != "" {
		t.Errorf("order: -want +got:\n%s", diff)
	}
}
