package health

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/test/conformance"
)

// vector is one recorded case.
type vector struct {
	ID, Input, Group, Kind string
	Status                 *argov1.HealthStatusCode
	Message                *string
	object                 *unstructured.Unstructured
}

// vectors are the cases of a folder of the recorded data.
func vectors(t *testing.T, folder string) []vector {
	t.Helper()
	var file struct{ Cases []vector }
	conformance.Load(t, &file, "health", folder, "cases.yaml")
	for i := range file.Cases {
		v := &file.Cases[i]
		v.object = &unstructured.Unstructured{}
		conformance.Load(t, &v.object.Object, "health", folder, v.Input)
	}
	return file.Cases
}

// TestBuiltin holds all of Assess against the vectors of the built-in kinds, and the rules of kinds with a folder of their own
// against theirs: these are for the rule alone, so an object with a deletion timestamp reaches it there.
func TestBuiltin(t *testing.T) {
	assessor := &Assessor{}
	tests := []struct {
		folder  string
		assess  func(*unstructured.Unstructured) *Status
		atLeast int
	}{
		{"builtin", assessor.Assess, 53},
		{"batch/CronJob", assessor.assessKind, 6},
		{"policy/PodDisruptionBudget", assessor.assessKind, 3},
		{"apiextensions.k8s.io/CustomResourceDefinition", assessor.assessKind, 8},
	}
	for _, tc := range tests {
		cases := vectors(t, tc.folder)
		if len(cases) < tc.atLeast {
			t.Errorf("%s has %d cases, want %d or more", tc.folder, len(cases), tc.atLeast)
		}
		for _, row := range cases {
			t.Run(filepath.Join(tc.folder, row.ID, row.Input), func(t *testing.T) {
				got := tc.assess(row.object)
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

// TestMessages holds the messages of kinds that Argo CD's own users see, beside the status, against their vectors.
func TestMessages(t *testing.T) {
	for _, folder := range []string{"bitnami.com/SealedSecret", "argoproj.io/ApplicationSet"} {
		for _, v := range vectors(t, folder) {
			got := custom(v.object, entryFor(v.object.GroupVersionKind()))
			if got == nil || got.Status != *v.Status || got.Message != *v.Message {
				t.Errorf("%s %s: got %+v, want %s %q", folder, v.Input, got, *v.Status, *v.Message)
			}
		}
	}
}

// customResources are the vectors of all kinds but the built-in ones, by group. Some are recorded under another kind than that
// of their object.
func customResources(t *testing.T) map[string][]vector {
	t.Helper()
	folders, err := filepath.Glob(filepath.Join(conformance.Path(t, "health"), "*", "*", "cases.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	groups := map[string][]vector{}
	for _, path := range folders {
		folder, err := filepath.Rel(conformance.Path(t, "health"), filepath.Dir(path))
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range vectors(t, folder) {
			if _, isBuiltin := builtins[v.object.GroupVersionKind().GroupKind()]; !isBuiltin {
				groups[strings.Split(filepath.ToSlash(folder), "/")[0]] = append(groups[strings.Split(filepath.ToSlash(folder), "/")[0]], v)
			}
		}
	}
	return groups
}

// share counts right answers.
type share struct{ right, all int }

func (s share) percent() float64 { return 100 * float64(s.right) / float64(max(s.all, 1)) }

func (s share) String() string { return fmt.Sprintf("%d of %d, %.1f %%", s.right, s.all, s.percent()) }

func (s *share) count(right bool) {
	s.all++
	if right {
		s.right++
	}
}

// judged is the status that an entry gives an object; empty for no opinion.
func judged(v vector, special *entry) argov1.HealthStatusCode {
	if status := custom(v.object, special); status != nil {
		return status.Status
	}
	return ""
}

// TestCustomResources measures the status of custom resources. With all that is declared it must be right in nearly all
// recorded cases. What the general reading is worth on kinds that nobody has looked at is measured by taking each tenth of
// the groups out of what is declared: once only out of what is special about kinds, so that it is still known which of them
// publish a status, and once out of everything. No entry says anything about another group, so that this comes to judging each
// group without its own.
func TestCustomResources(t *testing.T) {
	groups := customResources(t)
	names := make([]string, 0, len(groups))
	for name := range groups {
		names = append(names, name)
	}
	slices.Sort(names)
	var declared, known, unknown, unknownWithStatus share
	var knownByGroup, unknownByGroup float64
	for _, name := range names {
		var knownHere, unknownHere share
		for _, v := range groups[name] {
			got := judged(v, entryFor(v.object.GroupVersionKind()))
			declared.count(got == *v.Status)
			if got != *v.Status {
				t.Logf("%s %s: %q, want %s", name, v.Input, got, *v.Status)
			}
			blank := judged(v, nil)
			unknownHere.count(blank == *v.Status)
			knownHere.count(judged(v, &entry{}) == *v.Status)
			if status, _ := v.object.Object["status"].(map[string]any); len(status) > 0 {
				unknownWithStatus.count(blank == *v.Status)
			}
		}
		known = share{known.right + knownHere.right, known.all + knownHere.all}
		unknown = share{unknown.right + unknownHere.right, unknown.all + unknownHere.all}
		knownByGroup += knownHere.percent() / float64(len(names))
		unknownByGroup += unknownHere.percent() / float64(len(names))
	}
	report := fmt.Sprintf(`status of custom resources, %d groups
  with everything that is declared:                    %s
  left out, but known to publish a status:             %s; mean of groups %.1f %%
  left out:                                            %s; mean of groups %.1f %%
  left out, of objects that have a status:             %s
`, len(names), declared, known, knownByGroup, unknown, unknownByGroup, unknownWithStatus)
	if _, err := os.Stdout.WriteString(report); err != nil {
		t.Fatal(err)
	}
	if declared.all < 700 {
		t.Errorf("%d cases, want 700 or more", declared.all)
	}
	for _, gate := range []struct {
		what         string
		got, atLeast float64
	}{
		{"with everything that is declared", declared.percent(), 97.5},
		{"left out, but known to publish a status", known.percent(), 82},
		{"the same, as the mean of groups", knownByGroup, 86.5},
		{"left out", unknown.percent(), 69},
	} {
		if gate.got < gate.atLeast {
			t.Errorf("%s: %.1f %%, want %.1f %% or more", gate.what, gate.got, gate.atLeast)
		}
	}
}
