package tracking_test

import (
	"cmp"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/resource"
	"github.com/tiphys-io/tiphys/internal/tracking"
	"github.com/tiphys-io/tiphys/test/conformance"
)

type mark struct {
	Method      tracking.Method
	Application string
}

type vectors struct {
	AnnotationKey, LabelKey string

	Parse []struct {
		Value, Application, Group, Kind, Namespace, Name string
		Error                                            bool
	}
	TruncateLabel []struct{ Value, Label, Error string }
	Set           []struct {
		ID                                    string
		Object                                map[string]any
		Method                                tracking.Method
		Application, LabelKey, InstallationID string
		AskedInstallationID                   *string
		Expect                                struct{ ApplicationName, Label, Error string }
	}
	Remove []struct {
		ID                              string
		Method                          tracking.Method
		SetLabelKey, Application        string
		ExtraLabels, PresentLabels      map[string]string
		AbsentLabels, AbsentAnnotations []string
	}
	Normalize []struct {
		ID           string
		Object       map[string]any
		Live, Config []mark
		Method       tracking.Method
		Expect       struct {
			LiveAnnotationEqualsConfig, LiveLabelPresent, LiveAnnotationPresent *bool
			LiveAnnotation, ConfigAnnotation, LiveLabel                         *string
		}
	}
	QualifiedName, InstanceNameParse []struct {
		ID, Input, ImplicitNamespace, Application, Namespace string
	}
	InstanceName []struct {
		ID, Application, Namespace, DefaultNamespace, Instance string
	}
	InstanceNameFromQualified []struct {
		ID, Qualified, DefaultNamespace, Instance string
	}
}

func load(t *testing.T) vectors {
	t.Helper()
	var v vectors
	conformance.Load(t, &v, "tables", "tracking.yaml")
	count := len(v.Parse) + len(v.TruncateLabel) + len(v.Set) + len(v.Remove) + len(v.Normalize) + len(v.QualifiedName) +
		len(v.InstanceNameParse) + len(v.InstanceName) + len(v.InstanceNameFromQualified)
	if count < 49 {
		t.Fatalf("tracking.yaml has %d vectors, want 49 or more: a table was not read", count)
	}
	if v.AnnotationKey != argov1.AnnotationTrackingID || v.LabelKey != argov1.LabelInstance {
		t.Fatalf("keys are %q and %q", v.AnnotationKey, v.LabelKey)
	}
	return v
}

func copyOf(object map[string]any) *unstructured.Unstructured {
	return (&unstructured.Unstructured{Object: object}).DeepCopy()
}

func TestConformanceNames(t *testing.T) {
	v := load(t)
	for _, row := range v.Parse {
		id, err := tracking.ParseID(row.Value)
		if (err != nil) != row.Error {
			t.Errorf("ParseID(%q): error %v, want error %v", row.Value, err, row.Error)
		}
		key := resource.Key{Group: row.Group, Kind: row.Kind, Namespace: row.Namespace, Name: row.Name}
		if want := (tracking.ID{Instance: row.Application, Key: key}); id != want {
			t.Errorf("ParseID(%q) = %+v, want %+v", row.Value, id, want)
		}
	}
	for _, row := range v.TruncateLabel {
		label, err := tracking.TruncateLabel(row.Value)
		if label != row.Label || errorText(err) != row.Error {
			t.Errorf("TruncateLabel(%q) = %q, %v, want %q, %q", row.Value, label, err, row.Label, row.Error)
		}
	}
	for _, row := range v.QualifiedName {
		if name, namespace := tracking.ParseQualifiedName(row.Input, row.ImplicitNamespace); name != row.Application || namespace != row.Namespace {
			t.Errorf("%s: ParseQualifiedName(%q) = %q, %q", row.ID, row.Input, name, namespace)
		}
	}
	for _, row := range v.InstanceNameParse {
		if name, namespace := tracking.ParseInstanceName(row.Input, row.ImplicitNamespace); name != row.Application || namespace != row.Namespace {
			t.Errorf("%s: ParseInstanceName(%q) = %q, %q", row.ID, row.Input, name, namespace)
		}
	}
	for _, row := range v.InstanceName {
		if got := tracking.InstanceName(row.Application, row.Namespace, row.DefaultNamespace); got != row.Instance {
			t.Errorf("%s: InstanceName = %q, want %q", row.ID, got, row.Instance)
		}
	}
	for _, row := range v.InstanceNameFromQualified {
		name, namespace := tracking.ParseQualifiedName(row.Qualified, row.DefaultNamespace)
		if got := tracking.InstanceName(name, namespace, row.DefaultNamespace); got != row.Instance {
			t.Errorf("%s: instance of %q = %q, want %q", row.ID, row.Qualified, got, row.Instance)
		}
	}
}

func TestConformanceMark(t *testing.T) {
	for _, row := range load(t).Set {
		t.Run(row.ID, func(t *testing.T) {
			obj := copyOf(row.Object)
			tracker := tracking.Tracker{Method: row.Method, LabelKey: row.LabelKey, InstallationID: row.InstallationID}
			err := tracker.Mark(obj, row.Application, "")
			if errorText(err) != row.Expect.Error {
				t.Fatalf("Mark: %v, want %q", err, row.Expect.Error)
			}
			if err != nil {
				return
			}
			if row.AskedInstallationID != nil {
				tracker.InstallationID = *row.AskedInstallationID
			}
			if owner, ok := tracker.Owner(obj); owner != row.Expect.ApplicationName || ok != (owner != "") {
				t.Errorf("Owner = %q, %v, want %q", owner, ok, row.Expect.ApplicationName)
			}
			if got := obj.GetLabels()[cmp.Or(row.LabelKey, argov1.LabelInstance)]; got != row.Expect.Label {
				t.Errorf("label %q, want %q", got, row.Expect.Label)
			}
		})
	}
}

func TestConformanceUnmark(t *testing.T) {
	for _, row := range load(t).Remove {
		t.Run(string(row.Method)+" "+row.Application, func(t *testing.T) {
			obj := copyOf(map[string]any{"apiVersion": "v1", "kind": "Service", "metadata": map[string]any{"name": "my-service"}})
			if row.ExtraLabels != nil {
				obj.SetLabels(row.ExtraLabels)
			}
			tracker := tracking.Tracker{Method: row.Method, LabelKey: row.SetLabelKey, InstallationID: "some-id"}
			if err := tracker.Mark(obj, row.Application, ""); err != nil {
				t.Fatalf("Mark: %v", err)
			}
			if _, ok := tracker.Owner(obj); !ok {
				t.Fatalf("no owner after Mark: nothing to remove")
			}
			tracker.Unmark(obj)
			for _, key := range row.AbsentLabels {
				if value, ok := obj.GetLabels()[key]; ok {
					t.Errorf("label %s is still %q", key, value)
				}
			}
			for _, key := range row.AbsentAnnotations {
				if value, ok := obj.GetAnnotations()[key]; ok {
					t.Errorf("annotation %s is still %q", key, value)
				}
			}
			for key, value := range row.PresentLabels {
				if got := obj.GetLabels()[key]; got != value {
					t.Errorf("label %s is %q, want %q", key, got, value)
				}
			}
		})
	}
}

func TestConformanceMigrate(t *testing.T) {
	for _, row := range load(t).Normalize {
		t.Run(row.ID, func(t *testing.T) {
			live, target := copyOf(row.Object), copyOf(row.Object)
			applyMarks(t, live, row.Live)
			applyMarks(t, target, row.Config)
			before := target.DeepCopy()
			tracking.Tracker{Method: row.Method}.Migrate(live, target)

			if diff := gocmp.Diff(before, target); diff != "" {
				t.Errorf("target was changed:\n%s", diff)
			}
			annotation, hasAnnotation := live.GetAnnotations()[argov1.AnnotationTrackingID]
			label, hasLabel := live.GetLabels()[argov1.LabelInstance]
			wanted := target.GetAnnotations()[argov1.AnnotationTrackingID]
			expect(t, "live annotation", row.Expect.LiveAnnotation, annotation)
			expect(t, "target annotation", row.Expect.ConfigAnnotation, wanted)
			expect(t, "live label", row.Expect.LiveLabel, label)
			expect(t, "live annotation present", row.Expect.LiveAnnotationPresent, hasAnnotation)
			expect(t, "live label present", row.Expect.LiveLabelPresent, hasLabel)
			expect(t, "annotations equal", row.Expect.LiveAnnotationEqualsConfig, annotation == wanted)
		})
	}
}

func applyMarks(t *testing.T, obj *unstructured.Unstructured, marks []mark) {
	t.Helper()
	for _, m := range marks {
		if err := (tracking.Tracker{Method: m.Method}).Mark(obj, m.Application, ""); err != nil {
			t.Fatalf("Mark: %v", err)
		}
	}
}

func expect[T comparable](t *testing.T, what string, want *T, got T) {
	t.Helper()
	if want != nil && *want != got {
		t.Errorf("%s is %v, want %v", what, got, *want)
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
