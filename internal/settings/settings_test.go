package settings_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"k8s.io/apimachinery/pkg/runtime/schema"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/settings"
	"github.com/tiphys-io/tiphys/test/conformance"
)

func defaults() settings.Settings {
	return settings.Settings{
		TrackingMethod: "annotation", InstanceLabelKey: "app.kubernetes.io/instance",
		Timeout: 2 * time.Minute, TimeoutJitter: time.Minute,
		Compare:          settings.CompareOptions{IgnoreStatus: settings.StatusOfAll, IgnoreDifferencesOnUpdates: true},
		InClusterEnabled: true, IgnoreUpdatesEnabled: true, KustomizeEnabled: true, HelmEnabled: true, JsonnetEnabled: true,
		ValueFileSchemes: []string{"https", "http"}, Webhook: settings.Webhook{MaxPayloadBytes: 10 << 20, Threshold: 10},
	}
}

func TestParse(t *testing.T) {
	tests := []struct {
		reason string
		data   map[string]string
		change func(*settings.Settings)
		errs   []string
	}{
		{"Nothing given means the defaults.", nil, func(*settings.Settings) {}, nil},
		{"Empty values and unknown keys say nothing.", map[string]string{"timeout.reconciliation": " ", "helm.enable": "", "ui.cssurl": "x", "resource.exclusions": "\n"}, func(*settings.Settings) {}, nil},
		{"Everything can be changed.", map[string]string{
			"application.resourceTrackingMethod": "annotation+label", "application.instanceLabelKey": "example.com/app", "installationID": "one\n",
			"timeout.reconciliation": "3m", "timeout.reconciliation.jitter": "0s", "timeout.hard.reconciliation": "1h",
			"resource.compareoptions":  "ignoreResourceStatusField: crd\nignoreAggregatedRoles: true\nignoreDifferencesOnResourceUpdates: false",
			"cluster.inClusterEnabled": "false", "kustomize.enable": "false", "helm.enable": "F", "jsonnet.enable": "0", "resource.ignoreResourceUpdatesEnabled": "false",
			"kustomize.path.v4.5.7": "/bin/k4", "kustomize.version.v3": "/bin/k3", "kustomize.buildOptions.v4.5.7": "--reorder none ", "kustomize.buildOptions.v2": "--lost",
			"kustomize.buildOptions": " --enable-helm ", "helm.valuesFileSchemes": "s3, https",
		}, func(s *settings.Settings) {
			*s = settings.Settings{
				TrackingMethod: "annotation+label", InstanceLabelKey: "example.com/app", InstallationID: "one",
				Timeout: 3 * time.Minute, TimeoutHard: time.Hour,
				Compare:               settings.CompareOptions{IgnoreStatus: settings.StatusOfCRDs, IgnoreAggregatedRoles: true},
				KustomizeVersions:     map[string]string{"v4.5.7": "--reorder none", "v3": ""},
				KustomizeBuildOptions: "--enable-helm", ValueFileSchemes: []string{"s3", "https"},
				Webhook: settings.Webhook{MaxPayloadBytes: 10 << 20, Threshold: 10},
			}
		}, nil},
		{"Updates can all be made to count, and annotations of Secrets be masked.", map[string]string{
			"resource.ignoreResourceUpdatesEnabled": "false", "resource.sensitive.mask.annotations": "example.com/token, api-key",
		}, func(s *settings.Settings) {
			s.IgnoreUpdatesEnabled, s.MaskAnnotations = false, []string{"example.com/token", "api-key"}
		}, nil},
		{"An entry of ignoreResourceUpdates that cannot be read is left out.", map[string]string{
			"resource.customizations.ignoreResourceUpdates.all": "jsonPointers: [/status]", "resource.customizations.ignoreResourceUpdates.apps_Deployment": "nonsense: x",
		}, func(s *settings.Settings) {
			s.IgnoreUpdates = argov1.IgnoreDifferences{{Group: "*", Kind: "*", JSONPointers: []string{"/status"}}}
		}, []string{`argocd-cm: resource.customizations.ignoreResourceUpdates.apps_Deployment is "nonsense: x": error unmarshaling JSON: while decoding JSON: json: unknown field "nonsense"; write a YAML map with lists jsonPointers, jqPathExpressions, managedFieldsManagers`}},
		{"An empty list of schemes permits none.", map[string]string{"helm.valuesFileSchemes": ""}, func(s *settings.Settings) { s.ValueFileSchemes = []string{} }, nil},
		{"A number is seconds, and zero turns polling off.", map[string]string{"timeout.reconciliation": "0", "timeout.reconciliation.jitter": "90"}, func(s *settings.Settings) {
			s.Timeout, s.TimeoutJitter = 0, 90*time.Second
		}, nil},
		{"Unquoted off is a boolean to YAML.", map[string]string{"resource.compareoptions": "ignoreResourceStatusField: off"}, func(s *settings.Settings) {
			s.Compare.IgnoreStatus = settings.StatusOfNone
		}, nil},
		{"Quoted it is a word.", map[string]string{"resource.compareoptions": "ignoreResourceStatusField: 'off'"}, func(s *settings.Settings) {
			s.Compare.IgnoreStatus = settings.StatusOfNone
		}, nil},
		{"A bad value keeps its default and no other.", map[string]string{"application.resourceTrackingMethod": "lable", "timeout.reconciliation": "5m"}, func(s *settings.Settings) {
			s.Timeout = 5 * time.Minute
		}, []string{`argocd-cm: application.resourceTrackingMethod is "lable": write annotation, label or annotation+label`}},
		{"Every bad value is told, in a fixed order.", map[string]string{
			"timeout.reconciliation": "-5m", "timeout.reconciliation.jitter": "soon", "timeout.hard.reconciliation": "99999999999999999999", "helm.enable": "yes",
			"application.instanceLabelKey": "not a key", "installationID": "a\nb", "resource.compareoptions": "ignoreResourceStatusField: [all]\nignoreAggregatedRoles: true",
		}, func(s *settings.Settings) { s.Compare.IgnoreAggregatedRoles = true }, []string{
			`argocd-cm: application.instanceLabelKey is "not a key": write a label key such as app.kubernetes.io/instance`,
			`argocd-cm: installationID is "a\nb": write an id on one line`,
			`argocd-cm: timeout.reconciliation is "-5m": write a duration such as 120s or 3m, or a number of seconds; 0 turns it off`,
			`argocd-cm: timeout.reconciliation.jitter is "soon": write a duration such as 120s or 3m, or a number of seconds; 0 turns it off`,
			`argocd-cm: timeout.hard.reconciliation is "99999999999999999999": write a duration such as 120s or 3m, or a number of seconds; 0 turns it off`,
			`argocd-cm: resource.compareoptions is "ignoreResourceStatusField: [all]\nignoreAggregatedRoles: true": write all, crd or none for ignoreResourceStatusField`,
			`argocd-cm: helm.enable is "yes": write "true" or "false"`,
		}},
	}
	for _, tc := range tests {
		t.Run(tc.reason, func(t *testing.T) {
			got, errs := settings.Parse(tc.data)
			want := defaults()
			tc.change(&want)
			if diff := gocmp.Diff(want, got, cmpopts.IgnoreUnexported(settings.Settings{})); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if diff := gocmp.Diff(tc.errs, texts(errs)); diff != "" {
				t.Errorf("errors: -want +got:\n%s", diff)
			}
		})
	}
}

func texts(errs []error) []string {
	var list []string
	for _, err := range errs {
		list = append(list, err.Error())
	}
	return list
}

// TestParseReferenceManifest reads the ConfigMap that documents every key.
func TestParseReferenceManifest(t *testing.T) {
	var cm struct{ Data map[string]string }
	conformance.Load(t, &cm, "manifests", "argocd-cm.yaml")
	got, errs := settings.Parse(cm.Data)
	if len(errs) > 0 {
		t.Errorf("errors: %v", errs)
	}
	want := defaults()
	want.TrackingMethod, want.InstanceLabelKey, want.InstallationID = cm.Data[settings.KeyTrackingMethod], "mycompany.com/appname", "my-unique-id"
	want.Compare.IgnoreAggregatedRoles = true
	want.KustomizeBuildOptions, want.ValueFileSchemes = "--load_restrictor none", []string{"http", "https"}
	want.Webhook.MaxPayloadBytes = 50 << 20
	want.KustomizeVersions = map[string]string{"v3.5.1": "", "v3.5.4": "", "v3.9.1": "--enable_kyaml true"}
	want.MaskAnnotations = []string{"openshift.io/token-secret.value", "api-key"}
	hpa := []string{"behavior", "conditions", "metrics", "current-metrics"}
	want.IgnoreUpdates = argov1.IgnoreDifferences{
		{Group: "*", Kind: "*", JSONPointers: []string{"/metadata/resourceVersion"}},
		{Group: "argoproj.io", Kind: "Application", JSONPointers: []string{"/status"}},
		{Group: "autoscaling", Kind: "HorizontalPodAutoscaler"},
	}
	for _, name := range hpa {
		last := &want.IgnoreUpdates[2]
		last.JSONPointers = append(last.JSONPointers, "/metadata/annotations/autoscaling.alpha.kubernetes.io~1"+name)
		last.JQPathExpressions = append(last.JQPathExpressions, `.metadata.annotations."autoscaling.alpha.kubernetes.io/`+name+`"`)
	}
	want.IgnoreDifferences = argov1.IgnoreDifferences{
		{Group: "*", Kind: "*", JSONPointers: []string{"/spec/replicas"}, ManagedFieldsManagers: []string{"kube-controller-manager"}},
		{
			Group: "admissionregistration.k8s.io", Kind: "MutatingWebhookConfiguration",
			JSONPointers:          []string{"/webhooks/0/clientConfig/caBundle"},
			JQPathExpressions:     []string{".webhooks[0].clientConfig.caBundle"},
			ManagedFieldsManagers: []string{"kube-controller-manager"},
		},
	}
	if diff := gocmp.Diff(want, got, cmpopts.IgnoreUnexported(settings.Settings{})); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	snapshot := schema.GroupKind{Group: "repositories.stash.appscode.com", Kind: "Snapshot"}
	if !got.Excluded(snapshot, "https://x.local") {
		t.Error("the exclusion does not hold")
	}
	if !got.Excluded(schema.GroupKind{Group: "apps", Kind: "Deployment"}, "https://x.local") {
		t.Error("what matches no inclusion is not excluded")
	}
}

func TestExcluded(t *testing.T) {
	before, _ := settings.Parse(nil)
	for _, key := range []string{settings.KeyResourceExclusions, settings.KeyResourceInclusions} {
		if after, _ := settings.Parse(map[string]string{key: "[{kinds: [A]}]"}); after.ExcludedVersion() == before.ExcludedVersion() {
			t.Errorf("%s has changed what is excluded, and not its version", key)
		}
	}
	const filters = `
- apiGroups: ["", discovery.k8s.io]
  kinds: [Endpoints, EndpointSlice]
- apiGroups: ["*.kyverno.io"]
  clusters: ["https://*.test"]
- kinds: [Snap*]
`
	pod := schema.GroupKind{Kind: "Pod"}
	tests := []struct {
		reason  string
		data    map[string]string
		gk      schema.GroupKind
		cluster string
		want    bool
	}{
		{"Events of the core group are always excluded.", nil, schema.GroupKind{Kind: "Event"}, "", true},
		{"So is their own group.", nil, schema.GroupKind{Group: "events.k8s.io", Kind: "Event"}, "", true},
		{"So are metrics.", nil, schema.GroupKind{Group: "metrics.k8s.io", Kind: "PodMetrics"}, "", true},
		{"So are leases.", nil, schema.GroupKind{Group: "coordination.k8s.io", Kind: "Lease"}, "", true},
		{"Events of somebody else are not.", nil, schema.GroupKind{Group: "example.com", Kind: "Event"}, "", false},
		{"An inclusion does not bring leases back.", map[string]string{"resource.inclusions": "[{}]"}, schema.GroupKind{Group: "coordination.k8s.io", Kind: "Lease"}, "", true},
		{"Group and kind match.", map[string]string{"resource.exclusions": filters}, schema.GroupKind{Group: "discovery.k8s.io", Kind: "EndpointSlice"}, "x", true},
		{"The empty group is the core group.", map[string]string{"resource.exclusions": filters}, schema.GroupKind{Kind: "Endpoints"}, "x", true},
		{"A group that is not listed.", map[string]string{"resource.exclusions": filters}, schema.GroupKind{Group: "example.com", Kind: "Endpoints"}, "x", false},
		{"A cluster that matches.", map[string]string{"resource.exclusions": filters}, schema.GroupKind{Group: "reports.kyverno.io", Kind: "Any"}, "https://a.test", true},
		{"A cluster that does not.", map[string]string{"resource.exclusions": filters}, schema.GroupKind{Group: "reports.kyverno.io", Kind: "Any"}, "https://a.prod", false},
		{"Kinds are globs as well, in every group.", map[string]string{"resource.exclusions": filters}, schema.GroupKind{Group: "any", Kind: "Snapshot"}, "x", true},
		{"With inclusions, everything else is excluded.", map[string]string{"resource.inclusions": "[{apiGroups: [apps]}]"}, pod, "x", true},
		{"An exclusion wins over an inclusion.", map[string]string{"resource.inclusions": "[{kinds: [Pod]}]", "resource.exclusions": "[{kinds: [Pod]}]"}, pod, "x", true},
		{"An included kind.", map[string]string{"resource.inclusions": "[{kinds: [Pod]}]"}, pod, "x", false},
	}
	for _, tc := range tests {
		t.Run(tc.reason, func(t *testing.T) {
			parsed, errs := settings.Parse(tc.data)
			if len(errs) > 0 {
				t.Fatalf("Parse: %v", errs)
			}
			if got := parsed.Excluded(tc.gk, tc.cluster); got != tc.want {
				t.Errorf("Excluded = %v", got)
			}
		})
	}
}

func TestBrokenFilters(t *testing.T) {
	parsed, errs := settings.Parse(map[string]string{
		"resource.exclusions": "[{kinds: ['[']}, {kinds: [Pod]}, {apiGroups: core}]",
	})
	if len(errs) != 1 {
		t.Fatalf("errors: %v", errs)
	}
	if parsed.Excluded(schema.GroupKind{Kind: "Pod"}, "") {
		t.Error("half a list counts, although it cannot be read as a whole")
	}

	parsed, errs = settings.Parse(map[string]string{"resource.exclusions": "[{apiGroups: ['[']}, {kinds: [Pod]}]"})
	var broken *settings.Error
	if len(errs) != 1 || !errors.As(errs[0], &broken) {
		t.Fatalf("errors: %v", errs)
	}
	if broken.Key != "resource.exclusions" || !strings.Contains(broken.Remedy, `entry 0, apiGroups: glob "["`) || errors.Unwrap(broken) == nil {
		t.Errorf("the error does not say where: %v", broken)
	}
	if parsed.Excluded(schema.GroupKind{Kind: "Service"}, "") {
		t.Error("the broken entry excludes everything")
	}
	if !parsed.Excluded(schema.GroupKind{Kind: "Pod"}, "") {
		t.Error("the other entry was lost")
	}
}

func TestErrorsShortenValues(t *testing.T) {
	_, errs := settings.Parse(map[string]string{"helm.enable": strings.Repeat("é", 100)})
	if len(errs) != 1 || len(errs[0].Error()) > 250 || strings.Contains(errs[0].Error(), `\x`) {
		t.Errorf("errors: %v", errs)
	}
}

// FuzzParse puts one value under every key: whatever it is, all settings stay within what callers may expect.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{"jsonPointers: [/a]", "a/B: {ignoreDifferences: 'jsonPointers: [/a]'}", "- {field: a.b, type: core/Quantity}", "", "true", "120s", "0", "-1", "label", "[{kinds: [Pod]}]", "ignoreResourceStatusField: off", "{", "&a [*a]", "9223372036854775807", "é"} {
		f.Add(seed)
	}
	keys := []string{
		settings.KeyTrackingMethod, settings.KeyInstanceLabelKey, settings.KeyInstallationID, settings.KeyTimeout, settings.KeyTimeoutJitter,
		settings.KeyTimeoutHard, settings.KeyResourceExclusions, settings.KeyResourceInclusions, settings.KeyCompareOptions,
		settings.KeyInClusterEnabled, settings.KeyKustomizeEnabled, settings.KeyHelmEnabled, settings.KeyJsonnetEnabled,
		settings.KeyIgnoreUpdates, settings.KeyMaskAnnotations, "resource.customizations.ignoreResourceUpdates.all",
		settings.KeyCustomizations, "resource.customizations.ignoreDifferences.all", "resource.customizations.knownTypeFields.all",
	}
	f.Fuzz(func(t *testing.T, value string) {
		data := map[string]string{}
		for _, key := range keys {
			data[key] = value
		}
		parsed, errs := settings.Parse(data)
		if parsed.Timeout < 0 || parsed.TimeoutJitter < 0 || parsed.TimeoutHard < 0 {
			t.Errorf("a negative time: %+v", parsed)
		}
		if parsed.TrackingMethod == "" || parsed.InstanceLabelKey == "" || parsed.Compare.IgnoreStatus == "" {
			t.Errorf("an empty setting: %+v", parsed)
		}
		for _, entry := range parsed.IgnoreDifferences {
			if entry.Kind == "" {
				t.Errorf("an entry for no kind: %+v", entry)
			}
		}
		for _, err := range errs {
			var broken *settings.Error
			if !errors.As(err, &broken) || broken.Remedy == "" || data[broken.Key] == "" {
				t.Errorf("an error that helps nobody: %v", err)
			}
		}
		parsed.Excluded(schema.GroupKind{Group: value, Kind: value}, value)
	})
}
