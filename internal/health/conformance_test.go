package health

import (
	"path/filepath"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/test/conformance"
)

type vectors struct {
	Cases []struct {
		ID, Input string
		Status    *argov1.HealthStatusCode
		Message   *string
	}
}

// TestConformance holds all of Assess against the vectors of the kinds that are judged here. The vectors of kinds with
// a rule of their own folder are for the rule alone, so an object with a deletion timestamp reaches it there.
func TestConformance(t *testing.T) {
	tests := []struct {
		folder  string
		assess  func(*unstructured.Unstructured) *Status
		atLeast int
	}{
		{"builtin", Assess, 53},
		{"batch/CronJob", assessKind, 6},
		{"policy/PodDisruptionBudget", assessKind, 3},
		{"apiextensions.k8s.io/CustomResourceDefinition", assessKind, 8},
	}
	for _, tc := range tests {
		var v vectors
		conformance.Load(t, &v, "health", tc.folder, "cases.yaml")
		if len(v.Cases) < tc.atLeast {
			t.Errorf("%s has %d cases, want %d or more", tc.folder, len(v.Cases), tc.atLeast)
		}
		for _, row := range v.Cases {
			t.Run(filepath.Join(tc.folder, row.ID, row.Input), func(t *testing.T) {
				var obj unstructured.Unstructured
				conformance.Load(t, &obj.Object, "health", tc.folder, row.Input)
				got := tc.assess(&obj)
				if row.Status == nil {
					if got != nil {
						t.Errorf("got %+v, want no opinion", *got)
					}
					return
				}
				if got == nil || got.Status != *row.Status {
					t.Fatalf("got %+v, want %s", got, *row.Status)
				}
				if row.Message != nil && got.Message != *row.Message {
					t.Errorf("message %q, want %q", got.Message, *row.Message)
				}
			})
		}
	}
}
