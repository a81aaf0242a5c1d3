package settings_test

import (
	"os"
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/yaml"

	"github.com/tiphys-io/tiphys/internal/settings"
	"github.com/tiphys-io/tiphys/test/conformance"
)

func TestGlobalProjects(t *testing.T) {
	data, err := os.ReadFile(conformance.Path(t, "tables", "application.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var table struct {
		GlobalProjects []struct {
			Config any               `json:"config"`
			Labels map[string]string `json:"labels"`
			Global []string          `json:"global"`
		} `json:"globalProjects"`
	}
	if err := yaml.Unmarshal(data, &table); err != nil || len(table.GlobalProjects) == 0 {
		t.Fatalf("vectors of global projects: %v, %v", table, err)
	}
	for i, vector := range table.GlobalProjects {
		config, err := yaml.Marshal(vector.Config)
		if err != nil {
			t.Fatal(err)
		}
		s, errs := settings.Parse(map[string]string{settings.KeyGlobalProjects: string(config)})
		if len(errs) > 0 {
			t.Fatalf("vector %d: %v", i, errs)
		}
		if got := matching(s, vector.Labels); !slices.Equal(got, vector.Global) {
			t.Errorf("vector %d: labels %v inherit from %v, want %v", i, vector.Labels, got, vector.Global)
		}
	}
}

func TestBrokenGlobalProjects(t *testing.T) {
	for _, tc := range []struct {
		reason, text string
		want         []string
	}{
		{"nothing", "", nil},
		{"no list", "projectName: x", nil},
		{"an entry without a name does not take the others down", "[{labelSelector: {}}, {projectName: all}]", []string{"all"}},
		{"nor does a selector that cannot be read", "[{projectName: x, labelSelector: {matchExpressions: [{key: a, operator: Odd}]}}, {projectName: all}]", []string{"all"}},
	} {
		s, errs := settings.Parse(map[string]string{settings.KeyGlobalProjects: tc.text})
		if (tc.text != "") != (len(errs) == 1) {
			t.Errorf("%s: errors %v", tc.reason, errs)
		}
		if got := matching(s, nil); !slices.Equal(got, tc.want) {
			t.Errorf("%s: got %v, want %v", tc.reason, got, tc.want)
		}
	}
}

func matching(s settings.Settings, of map[string]string) (names []string) {
	for _, global := range s.GlobalProjects {
		if global.Selector.Matches(labels.Set(of)) {
			names = append(names, global.Name)
		}
	}
	return names
}
