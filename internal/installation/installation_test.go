package installation_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/diff"
	"github.com/tiphys-io/tiphys/internal/health"
	"github.com/tiphys-io/tiphys/internal/installation"
	"github.com/tiphys-io/tiphys/internal/render"
	"github.com/tiphys-io/tiphys/internal/settings"
	"github.com/tiphys-io/tiphys/internal/tracking"
)

func from(t *testing.T, data map[string]string) (installation.Settings, error) {
	t.Helper()
	parsed, problems := settings.Parse(data)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return installation.From(parsed, time.Now)
}

func TestFrom(t *testing.T) {
	defaults, err := from(t, nil)
	if err != nil {
		t.Fatal(err)
	}
	changed, err := from(t, map[string]string{
		"application.resourceTrackingMethod": "annotation+label", "application.instanceLabelKey": "example.com/app", "installationID": "one",
		"resource.exclusions": "[{apiGroups: [apps], kinds: [Deployment]}]", "kustomize.enable": "false", "helm.enable": "false", "jsonnet.enable": "false",
		"kustomize.buildOptions": "--enable-helm", "kustomize.path.v4": "/bin/k4", "helm.valuesFileSchemes": "s3",
		"resource.compareoptions":                                   "{ignoreResourceStatusField: none, ignoreAggregatedRoles: true}",
		"resource.customizations.ignoreDifferences.all":             "jsonPointers: [/spec/a]",
		"resource.customizations.knownTypeFields.example.com_Thing": "[{field: spec.pod, type: core/v1/PodSpec}]",
		"resource.customizations.health.example.com_Thing":          "return {status = 'Suspended'}",
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		reason    string
		got, want any
	}{
		{"tracking by default", defaults.Tracker, tracking.Tracker{Method: tracking.MethodAnnotation, LabelKey: "app.kubernetes.io/instance"}},
		{"tracking as it is set", changed.Tracker, tracking.Tracker{Method: tracking.MethodAnnotationAndLabel, LabelKey: "example.com/app", InstallationID: "one"}},
		{"rendering by default", defaults.Rendering, render.Settings{ValueFileSchemes: []string{"https", "http"}}},
		{"rendering as it is set", changed.Rendering, render.Settings{
			WithoutKustomize: true, WithoutHelm: true, WithoutJsonnet: true, KustomizeBuildOptions: "--enable-helm", KustomizeVersions: map[string]string{"v4": ""}, ValueFileSchemes: []string{"s3"},
		}},
		{"the status of all kinds is left out", defaults.Status, diff.StatusScope("all")},
		{"the status of none is", changed.Status, diff.StatusScope("none")},
		{"nothing is excluded but what code excludes", defaults.Excluded("apps", "Deployment"), false},
		{"a kind is excluded", changed.Excluded("apps", "Deployment"), true},
		{"the exclusions have another version", defaults.ExcludedVersion == changed.ExcludedVersion, false},
		{"no differences are ignored", len(defaults.Ignore.System) + len(defaults.Ignore.Known), 0},
		{"differences are ignored", []int{len(changed.Ignore.System), len(changed.Ignore.Known)}, []int{1, 1}},
		{"aggregated roles", []bool{defaults.Ignore.AggregatedRoles, changed.Ignore.AggregatedRoles}, []bool{false, true}},
		{"a script for health", changed.Health.Assess(thing()), &health.Status{Status: "Suspended"}},
	} {
		if diff := cmp.Diff(tc.want, tc.got); diff != "" {
			t.Errorf("%s: -want +got:\n%s", tc.reason, diff)
		}
	}
}

func thing() *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{"apiVersion": "example.com/v1", "kind": "Thing"}}
}

func TestBrokenScript(t *testing.T) {
	got, err := from(t, map[string]string{"resource.customizations.health.example.com_Thing": "if", "installationID": "one"})
	if err == nil || !strings.Contains(err.Error(), "example.com/Thing") {
		t.Errorf("error %v, want one that names the kind", err)
	}
	if status := got.Health.Assess(thing()); status == nil || status.Status != argov1.HealthUnknown || got.Tracker.InstallationID != "one" {
		t.Errorf("%+v, %+v: its kind is Unknown, and the rest holds", status, got)
	}
}

func TestTarget(t *testing.T) {
	s, err := from(t, map[string]string{"installationID": "one"})
	if err != nil {
		t.Fatal(err)
	}
	one, two := argov1.ApplicationSource{RepoURL: "a"}, argov1.ApplicationSource{RepoURL: "b"}
	spec := &argov1.ApplicationSpec{Source: &one, Destination: argov1.ApplicationDestination{Namespace: "shop"}}
	req := s.Target(spec, "team_app")
	if len(req.Sources) != 1 || req.Multiple || req.Project != "default" || req.Scope.Instance != "team_app" || req.Scope.DestinationNamespace != "shop" ||
		req.Scope.Tracker != s.Tracker || req.Scope.Status != s.Status || req.Scope.Excluded == nil || req.Rendering.ValueFileSchemes == nil {
		t.Errorf("%+v", req)
	}
	spec.Sources, spec.Project = argov1.ApplicationSources{one, two}, "p"
	if req := s.Target(spec, "app"); len(req.Sources) != 2 || !req.Multiple || req.Project != "p" {
		t.Errorf("%+v", req)
	}
}

func TestData(t *testing.T) {
	for _, tc := range []struct {
		reason  string
		version string
		labels  map[string]string
		want    bool
		fails   bool
	}{
		{"What does not exist says nothing.", "", nil, true, false},
		{"What carries the label counts.", "1", map[string]string{"app.kubernetes.io/part-of": "argocd"}, true, false},
		{"What does not says nothing, and somebody should know.", "1", nil, false, true},
	} {
		data, err := installation.Data(&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{ResourceVersion: tc.version, Labels: tc.labels}, Data: map[string]string{"a": "b"}})
		if (data["a"] == "b") != tc.want || (err != nil) != tc.fails {
			t.Errorf("%s: %v, %v", tc.reason, data, err)
		}
	}
}
