package settings_test

import (
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/settings"
)

func TestIgnoreDifferences(t *testing.T) {
	pointer := func(group, kind, text string) argov1.ResourceIgnoreDifferences {
		return argov1.ResourceIgnoreDifferences{Group: group, Kind: kind, JSONPointers: []string{text}}
	}
	tests := []struct {
		reason string
		data   map[string]string
		want   argov1.IgnoreDifferences
		errs   []string
	}{
		{
			"A key names group and kind, a kind of the core group, or all.",
			map[string]string{
				"resource.customizations.ignoreDifferences.apps_Deployment": "jsonPointers: [/a]",
				"resource.customizations.ignoreDifferences.ConfigMap":       "jsonPointers: [/b]",
				"resource.customizations.ignoreDifferences.all":             "jsonPointers: [/c]",
			},
			argov1.IgnoreDifferences{pointer("*", "*", "/c"), pointer("", "ConfigMap", "/b"), pointer("apps", "Deployment", "/a")},
			nil,
		},
		{
			"The older form is one map; its values are YAML in strings, or written out.",
			map[string]string{"resource.customizations": `
apps/Deployment:
  health.lua: return {}
  ignoreDifferences: |
    jsonPointers: [/a]
ConfigMap:
  ignoreDifferences: {jsonPointers: [/b]}
"*.example.com/*":
  ignoreDifferences: "jsonPointers: [/c]"
`},
			argov1.IgnoreDifferences{pointer("*.example.com", "*", "/c"), pointer("", "ConfigMap", "/b"), pointer("apps", "Deployment", "/a")},
			nil,
		},
		{
			"A key of its own wins.",
			map[string]string{
				"resource.customizations":                                   "apps/Deployment: {ignoreDifferences: 'jsonPointers: [/old]'}",
				"resource.customizations.ignoreDifferences.apps_Deployment": "jsonPointers: [/new]",
			},
			argov1.IgnoreDifferences{pointer("apps", "Deployment", "/new")},
			nil,
		},
		{
			"What is no list is told, with the key.",
			map[string]string{"resource.customizations.ignoreDifferences.apps_Deployment": "jsonPointers: /a"},
			nil,
			[]string{`argocd-cm: resource.customizations.ignoreDifferences.apps_Deployment is "jsonPointers: /a": error unmarshaling JSON: while decoding JSON: json: cannot unmarshal string into Go struct field .jsonPointers of type []string; write a YAML map with lists jsonPointers, jqPathExpressions, managedFieldsManagers`},
		},
		{
			"A field that is misspelled would protect nothing, so it is told.",
			map[string]string{"resource.customizations.ignoreDifferences.ConfigMap": "jsonPointer: [/a]"},
			nil,
			[]string{`argocd-cm: resource.customizations.ignoreDifferences.ConfigMap is "jsonPointer: [/a]": error unmarshaling JSON: while decoding JSON: json: unknown field "jsonPointer"; write a YAML map with lists jsonPointers, jqPathExpressions, managedFieldsManagers`},
		},
		{
			"A kind that cannot be read is told.",
			map[string]string{"resource.customizations.ignoreDifferences.apps_v1_Deployment": "jsonPointers: [/a]"},
			nil,
			[]string{`argocd-cm: resource.customizations.ignoreDifferences.apps_v1_Deployment is "jsonPointers: [/a]": end the key in <group>_<Kind>, in <Kind> for the core group, or in all`},
		},
		{
			"So is one of the older form.",
			map[string]string{"resource.customizations": "a/b/c: {ignoreDifferences: 'jsonPointers: [/a]'}"},
			nil,
			[]string{`argocd-cm: resource.customizations is "a/b/c: {ignoreDifferences: 'jsonPointers: [/a]'}": entry "a/b/c"; write <group>/<Kind>, or <Kind> for the core group`},
		},
	}
	for _, tc := range tests {
		t.Run(tc.reason, func(t *testing.T) {
			got, errs := settings.Parse(tc.data)
			if diff := gocmp.Diff(tc.want, got.IgnoreDifferences); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if diff := gocmp.Diff(tc.errs, texts(errs)); diff != "" {
				t.Errorf("errors: -want +got:\n%s", diff)
			}
			if (got.BrokenIgnoreDifferences != nil) != (len(tc.errs) > 0) {
				t.Errorf("whoever compares is told: %v", got.BrokenIgnoreDifferences)
			}
		})
	}
}

func TestCustomizationsThatAreNoMapBreakComparisons(t *testing.T) {
	got, errs := settings.Parse(map[string]string{"resource.customizations": "[]"})
	if len(errs) != 1 || got.BrokenIgnoreDifferences == nil {
		t.Errorf("errors %v, told to comparisons: %v", errs, got.BrokenIgnoreDifferences)
	}
}

func TestKnownTypes(t *testing.T) {
	got, errs := settings.Parse(map[string]string{
		"resource.customizations.knownTypeFields.argoproj.io_Rollout": "- {field: spec.template.spec, type: core/v1/PodSpec}",
		"resource.customizations":                                     "example.com/Widget: {knownTypeFields: [{field: spec.ram, type: core/Quantity}]}",
	})
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	want := []settings.KnownType{
		{Group: "argoproj.io", Kind: "Rollout", Field: "spec.template.spec", Type: "core/v1/PodSpec"},
		{Group: "example.com", Kind: "Widget", Field: "spec.ram", Type: "core/Quantity"},
	}
	if diff := gocmp.Diff(want, got.KnownTypes); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestHealthScripts(t *testing.T) {
	tests := []struct {
		reason string
		data   map[string]string
		want   []settings.HealthScript
		errs   []string
	}{
		{
			"A script has a key of its own, and so has what it may use.",
			map[string]string{
				"resource.customizations.health.example.com_Widget":      "return {}",
				"resource.customizations.useOpenLibs.example.com_Widget": "true",
				"resource.customizations.health.ConfigMap":               "return nil",
				"resource.customizations.health.all":                     "return 1",
				"resource.customizations.health.*.example.com_*":         "return 2",
			},
			[]settings.HealthScript{
				{Group: "*.example.com", Kind: "*", Lua: "return 2"},
				{Group: "*", Kind: "*", Lua: "return 1"},
				{Group: "", Kind: "ConfigMap", Lua: "return nil"},
				{Group: "example.com", Kind: "Widget", Lua: "return {}", OpenLibs: true},
			},
			nil,
		},
		{
			"The older form has both in one entry.",
			map[string]string{"resource.customizations": "example.com/Widget: {health.lua: 'return {}', health.lua.useOpenLibs: true}\nPod: {health.lua: 'return nil'}"},
			[]settings.HealthScript{{Group: "", Kind: "Pod", Lua: "return nil"}, {Group: "example.com", Kind: "Widget", Lua: "return {}", OpenLibs: true}},
			nil,
		},
		{
			"A key of its own wins.",
			map[string]string{
				"resource.customizations":                           "example.com/Widget: {health.lua: return 1, health.lua.useOpenLibs: true}",
				"resource.customizations.health.example.com_Widget": "return 2",
			},
			[]settings.HealthScript{{Group: "example.com", Kind: "Widget", Lua: "return 2", OpenLibs: true}},
			nil,
		},
		{
			"An empty script is none.",
			map[string]string{"resource.customizations.health.Pod": " \n"},
			nil, nil,
		},
		{
			"What is neither true nor false is told.",
			map[string]string{"resource.customizations.health.Pod": "return nil", "resource.customizations.useOpenLibs.Pod": "always"},
			[]settings.HealthScript{{Kind: "Pod", Lua: "return nil"}},
			[]string{`argocd-cm: resource.customizations.useOpenLibs.Pod is "always": useOpenLibs; write "true" or "false"`},
		},
		{
			"So is a kind that cannot be read.",
			map[string]string{"resource.customizations.health.a_b_C": "return nil"},
			nil,
			[]string{`argocd-cm: resource.customizations.health.a_b_C is "return nil": end the key in <group>_<Kind>, in <Kind> for the core group, or in all`},
		},
	}
	for _, tc := range tests {
		t.Run(tc.reason, func(t *testing.T) {
			got, errs := settings.Parse(tc.data)
			if diff := gocmp.Diff(tc.want, got.HealthScripts); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if diff := gocmp.Diff(tc.errs, texts(errs)); diff != "" {
				t.Errorf("errors: -want +got:\n%s", diff)
			}
		})
	}
}
