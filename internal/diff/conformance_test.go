package diff

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/resource"
	"github.com/tiphys-io/tiphys/test/conformance"
)

// overrides are the entries of argocd-cm as the vectors write them, by <group>/<Kind>.
type overrides map[string]argov1.ResourceIgnoreDifferences

func (o overrides) entries() argov1.IgnoreDifferences {
	var list argov1.IgnoreDifferences
	for kind, entry := range o {
		entry.Group, entry.Kind, _ = strings.Cut(kind, "/")
		list = append(list, entry)
	}
	return list
}

type ignoreVectors struct {
	RemoveIgnored []struct {
		ID                string
		IgnoreDifferences argov1.IgnoreDifferences
		Overrides         overrides
		Object            map[string]any
		Absent, Present   []string
		Equals            map[string]any
		Unchanged         bool
		ConfigError       bool
		EvaluationError   string
	}
	Lookup []struct {
		ID                string
		IgnoreDifferences argov1.IgnoreDifferences
		Overrides         overrides
		Ask               struct{ Group, Kind, Name, Namespace string }
		Result            *argov1.ResourceIgnoreDifferences
	}
	StateDiff []struct {
		ID                                            string
		IgnoreDifferences                             argov1.IgnoreDifferences
		Desired, Live                                 string
		Modified                                      bool
		NormalizedLiveReplicas, PredictedLiveReplicas int64
	}
	NormalizeBoth []struct {
		ID                string
		IgnoreDifferences argov1.IgnoreDifferences
		Desired, Live     string
		AbsentInBoth      []string
		Unchanged         bool
	}
	ManagedFields []struct {
		ID                        string
		Managers                  []string
		Desired, Live             *string
		AbsentInBoth, EmptyInBoth []string
		LengthInBoth              map[string]int
		DesiredValues, LiveValues map[string]any
	}
	KnownTypeFields []struct {
		ID, Kind string
		Fields   []KnownType
		Object   map[string]any
		Equals   map[string]any
		Absent   []string
	}
	KnownTypeNames []string
}

func loadIgnore(t *testing.T) ignoreVectors {
	t.Helper()
	var v ignoreVectors
	conformance.Load(t, &v, "tables", "ignore-differences.yaml")
	for table, count := range map[string]int{
		"removeIgnored": len(v.RemoveIgnored), "lookup": len(v.Lookup), "stateDiff": len(v.StateDiff),
		"normalizeBoth": len(v.NormalizeBoth), "managedFields": len(v.ManagedFields), "knownTypeNames": len(v.KnownTypeNames),
		"knownTypeFields": len(v.KnownTypeFields),
	} {
		if count == 0 {
			t.Fatalf("ignore-differences.yaml: table %s was not read", table)
		}
	}
	return v
}

func loadObject(t *testing.T, elem ...string) *unstructured.Unstructured {
	t.Helper()
	obj := &unstructured.Unstructured{}
	conformance.Load(t, obj, elem...)
	return obj
}

// lookup reads a dotted path; [n] is an index, ["key"] a key with dots, [field=value] an item.
func lookup(value any, path string) (any, bool) {
	for path != "" {
		var token string
		if rest, bracket := strings.CutPrefix(path, "["); bracket {
			token, path, _ = strings.Cut(rest, "]")
			value = inBrackets(value, token)
		} else {
			end := strings.IndexAny(path, ".[")
			if end < 0 {
				end = len(path)
			}
			token, path = path[:end], path[end:]
			object, _ := value.(map[string]any)
			next, ok := object[token]
			if !ok {
				return nil, false
			}
			value = next
		}
		path = strings.TrimPrefix(path, ".")
		if value == nil && path != "" {
			return nil, false
		}
	}
	return value, value != nil
}

func inBrackets(value any, token string) any {
	if key, quoted := strings.CutPrefix(token, `"`); quoted {
		object, _ := value.(map[string]any)
		return object[strings.TrimSuffix(key, `"`)]
	}
	list, _ := value.([]any)
	field, want, byField := strings.Cut(token, "=")
	for i, item := range list {
		object, _ := item.(map[string]any)
		if (byField && fmt.Sprint(object[field]) == want) || (!byField && fmt.Sprint(i) == token) {
			return item
		}
	}
	return nil
}

func TestConformanceRemoveIgnored(t *testing.T) {
	for _, row := range loadIgnore(t).RemoveIgnored {
		t.Run(row.ID, func(t *testing.T) {
			rules, err := Compile(Ignore{Application: row.IgnoreDifferences, System: row.Overrides.entries(), Limit: soon})
			if row.ConfigError != (err != nil) {
				t.Fatalf("Compile: %v", err)
			}
			if err != nil {
				return
			}
			obj := &unstructured.Unstructured{Object: row.Object}
			got, _, err := rules.For(resource.KeyOf(obj)).Align(obj, obj)
			if (row.EvaluationError != "") != (err != nil) {
				t.Fatalf("Align: %v", err)
			}
			if err != nil {
				return
			}
			for _, path := range row.Absent {
				if value, found := lookup(got.Object, path); found {
					t.Errorf("%s is still %v", path, value)
				}
			}
			for _, path := range row.Present {
				if _, found := lookup(got.Object, path); !found {
					t.Errorf("%s is gone", path)
				}
			}
			for path, want := range row.Equals {
				value, _ := lookup(got.Object, path)
				if d := cmp.Diff(want, value); d != "" {
					t.Errorf("%s (-want +got):\n%s", path, d)
				}
			}
			if d := cmp.Diff(row.Object, got.Object); row.Unchanged && d != "" {
				t.Errorf("changed:\n%s", d)
			}
		})
	}
}

// The entries of the table are no valid pointers and expressions, so they are looked up before they are compiled.
func TestConformanceLookup(t *testing.T) {
	for _, row := range loadIgnore(t).Lookup {
		t.Run(row.ID, func(t *testing.T) {
			rules := &Rules{}
			c := compiler{}
			for _, written := range append(row.Overrides.entries(), row.IgnoreDifferences...) {
				e := entry{
					group: c.glob("group", written.Group), kind: c.glob("kind", written.Kind),
					name: written.Name, namespace: written.Namespace, managers: written.ManagedFieldsManagers,
				}
				for _, text := range written.JSONPointers {
					e.pointers = append(e.pointers, pointer{text: text})
				}
				for _, text := range written.JQPathExpressions {
					e.expressions = append(e.expressions, &named{text: text})
				}
				rules.entries = append(rules.entries, e)
			}
			view := rules.For(resource.Key{Group: row.Ask.Group, Kind: row.Ask.Kind, Name: row.Ask.Name, Namespace: row.Ask.Namespace})
			if (row.Result == nil) != (view == nil) {
				t.Fatalf("For = %+v", view)
			}
			if view == nil {
				return
			}
			got := argov1.ResourceIgnoreDifferences{ManagedFieldsManagers: view.managers}
			for _, p := range view.pointers {
				got.JSONPointers = append(got.JSONPointers, p.text)
			}
			for _, x := range view.expressions {
				got.JQPathExpressions = append(got.JQPathExpressions, x.text)
			}
			if d := cmp.Diff(*row.Result, got, cmpopts.SortSlices(strings.Compare)); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
		})
	}
}

func TestConformanceStateDiff(t *testing.T) {
	for _, row := range loadIgnore(t).StateDiff {
		t.Run(row.ID, func(t *testing.T) {
			target, live := Normalize(loadObject(t, "tables", row.Desired), ""), loadObject(t, "tables", row.Live)
			rules, err := Compile(Ignore{Application: row.IgnoreDifferences, Limit: soon})
			if err != nil {
				t.Fatal(err)
			}
			left, right, err := rules.For(resource.KeyOf(target)).Align(target, live)
			if err != nil {
				t.Fatal(err)
			}
			if got := Local(left, right); got != row.Modified {
				t.Errorf("Local = %v", got)
			}
			// The vectors show the default in place of a replica count that is ignored; here it is the same on both sides.
			wanted, _, _ := unstructured.NestedInt64(left.Object, "spec", "replicas")
			found, _, _ := unstructured.NestedInt64(right.Object, "spec", "replicas")
			if (wanted == found) != (row.NormalizedLiveReplicas == row.PredictedLiveReplicas) {
				t.Errorf("replicas are %d and %d", wanted, found)
			}
		})
	}
}

func TestConformanceNormalizeBoth(t *testing.T) {
	for _, row := range loadIgnore(t).NormalizeBoth {
		t.Run(row.ID, func(t *testing.T) {
			target, live := loadObject(t, "tables", row.Desired), loadObject(t, "tables", row.Live)
			rules, err := Compile(Ignore{Application: row.IgnoreDifferences, Limit: soon})
			if err != nil {
				t.Fatal(err)
			}
			left, right, err := rules.For(resource.KeyOf(target)).Align(target, live)
			if err != nil {
				t.Fatal(err)
			}
			sameInBoth(t, row.AbsentInBoth, left, right)
			if row.Unchanged && (!reflect.DeepEqual(left, target) || !reflect.DeepEqual(right, live)) {
				t.Error("something changed")
			}
		})
	}
}

// sameInBoth holds fields of trusted managers against vectors that take them out on both sides: here they have the live value
// on both sides (contract 3.4), and a sync can apply the result.
func sameInBoth(t *testing.T, paths []string, left, right *unstructured.Unstructured) {
	t.Helper()
	for _, path := range paths {
		a, _ := lookup(left.Object, path)
		b, _ := lookup(right.Object, path)
		if d := cmp.Diff(a, b); d != "" {
			t.Errorf("%s differs:\n%s", path, d)
		}
	}
}

func TestConformanceManagedFields(t *testing.T) {
	for _, row := range loadIgnore(t).ManagedFields {
		if row.Desired == nil || row.Live == nil {
			continue // without one side there is no pair, and nothing is aligned
		}
		t.Run(row.ID, func(t *testing.T) {
			target, live := loadObject(t, "tables", *row.Desired), loadObject(t, "tables", *row.Live)
			rules, err := Compile(Ignore{
				Application: argov1.IgnoreDifferences{{Group: "*", Kind: "*", ManagedFieldsManagers: row.Managers}}, Limit: soon,
			})
			if err != nil {
				t.Fatal(err)
			}
			left, right, err := rules.For(resource.KeyOf(target)).Align(target, live)
			if err != nil {
				t.Fatal(err)
			}
			sameInBoth(t, append(row.AbsentInBoth, row.EmptyInBoth...), left, right)
			for path, want := range row.LengthInBoth {
				for _, side := range []*unstructured.Unstructured{left, right} {
					if list, _ := lookup(side.Object, path); len(list.([]any)) != want {
						t.Errorf("%s has %d items, want %d", path, len(list.([]any)), want)
					}
				}
			}
			equals(t, "target", row.DesiredValues, left)
			equals(t, "live", row.LiveValues, right)
			if len(row.Managers) == 0 && !reflect.DeepEqual(left, target) {
				t.Error("something changed though no manager is trusted")
			}
		})
	}
}

func TestConformanceKnownTypes(t *testing.T) {
	v := loadIgnore(t)
	for _, name := range v.KnownTypeNames {
		if name == "core/v1/PodStatusResult" {
			continue // Kubernetes 1.37 does not have it any more
		}
		if _, err := typeNamed(name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, row := range v.KnownTypeFields {
		t.Run(row.ID, func(t *testing.T) {
			for i := range row.Fields {
				row.Fields[i].Group, row.Fields[i].Kind, _ = strings.Cut(row.Kind, "/")
			}
			rules, err := Compile(Ignore{Known: row.Fields, Limit: soon})
			if err != nil {
				t.Fatal(err)
			}
			obj := &unstructured.Unstructured{Object: row.Object}
			got, _, err := rules.For(resource.KeyOf(obj)).Align(obj, obj)
			if err != nil {
				t.Fatal(err)
			}
			equals(t, "object", row.Equals, got)
			for _, path := range row.Absent {
				if value, found := lookup(got.Object, path); found {
					t.Errorf("%s is %v", path, value)
				}
			}
		})
	}
}

func equals(t *testing.T, side string, want map[string]any, got *unstructured.Unstructured) {
	t.Helper()
	for path, value := range want {
		have, _ := lookup(got.Object, path)
		if !equalScalar(have, value) && fmt.Sprint(have) != fmt.Sprint(value) {
			t.Errorf("%s %s is %v, want %v", side, path, have, value)
		}
	}
}

type diffVectors struct {
	Cases []struct {
		ID, Mode                    string
		Config, Live, PredictedLive *string
		Options                     struct {
			IgnoreAggregatedRoles bool
			IgnoreJSONPointers    []string
		}
		Expect struct {
			Modified                  *bool
			Predicted, NormalizedLive []map[string]any
		}
	}
}

// upToTheServer are pairs that a server knows to be equal, and that the local comparison may therefore suspect.
var upToTheServer = map[string]string{
	"deployment": "an image pull policy and quantities in other spellings",
	"wordpress":  "quantities in other spellings",
	"namespace in config of a cluster-scoped object": "the namespace is taken out when a target is made",
}

// unowned are answers of a server that differ in a field that nobody owns, which is no difference here.
var unowned = map[string]string{
	"server side: field removed, webhook change undone": "a port that no manager set is gone, and all defaults are",
}

func TestConformanceCases(t *testing.T) {
	var v diffVectors
	conformance.Load(t, &v, "diff", "cases.yaml")
	if len(v.Cases) < 54 {
		t.Fatalf("%d cases, want 54 or more", len(v.Cases))
	}
	for _, row := range v.Cases {
		if row.Expect.Modified == nil || row.Config == nil || row.Live == nil {
			continue // one side alone is never compared; that a missing side is a difference is said in refresh
		}
		t.Run(row.ID, func(t *testing.T) {
			target, live := Normalize(loadObject(t, "diff", *row.Config), ""), loadObject(t, "diff", *row.Live)
			rules, err := Compile(Ignore{
				AggregatedRoles: row.Options.IgnoreAggregatedRoles, Limit: soon,
				System: argov1.IgnoreDifferences{{Group: "*", Kind: "*", JSONPointers: row.Options.IgnoreJSONPointers}},
			})
			if err != nil {
				t.Fatal(err)
			}
			view := rules.For(resource.KeyOf(target))
			left, right, err := view.Align(target, live)
			if err != nil {
				t.Fatal(err)
			}
			suspected := Local(left, right) || Abandoned(left, right)
			if _, known := upToTheServer[row.ID]; suspected != *row.Expect.Modified && suspected != known && row.Mode != "server-side" {
				t.Errorf("a difference is suspected: %v", suspected)
			}
			if row.PredictedLive == nil {
				return
			}
			left, right, err = view.Align(loadObject(t, "diff", *row.PredictedLive), live)
			if err != nil {
				t.Fatal(err)
			}
			if _, known := unowned[row.ID]; Changed(right, left) != (*row.Expect.Modified != known) {
				t.Errorf("Changed = %v", !*row.Expect.Modified)
			}
		})
	}
}
