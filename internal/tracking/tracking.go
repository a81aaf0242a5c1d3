// Package tracking answers one question: to which application does an object belong?
//
// An application marks its targets with an annotation, a label or both. The annotation names the object it was written
// for, so that a copy on another object (operators like to copy annotations to the children they create) is recognised
// and never leads to a deletion; the label cannot give that safety.
package tracking

import (
	"cmp"
	"errors"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/resource"
)

// Method is the way in which objects are marked (contract 3.1).
type Method string

// The tracking methods; any other value means MethodAnnotation.
const (
	MethodAnnotation         Method = "annotation"
	MethodLabel              Method = "label"
	MethodAnnotationAndLabel Method = "annotation+label"
)

// LegacyLabelKey is the only label key that is also written to pod templates (contract 3.1).
const LegacyLabelKey = "applications.argoproj.io/app-name"

// maxLabelLength is the longest label value that Kubernetes accepts, in bytes.
const maxLabelLength = 63

var errLabelEnd = errors.New("unable to truncate label to not end with a special character")

// Tracker marks objects and reads marks. The zero value tracks by annotation, without an installation id.
type Tracker struct {
	// Method is the tracking method; empty means MethodAnnotation.
	Method Method
	// LabelKey is the key of the tracking label; empty means app.kubernetes.io/instance.
	LabelKey string
	// InstallationID keeps installations apart that manage the same cluster; empty means that there is only one.
	InstallationID string
}

func (t Tracker) writesAnnotation() bool { return t.Method != MethodLabel }

func (t Tracker) writesLabel() bool {
	return t.Method == MethodLabel || t.Method == MethodAnnotationAndLabel
}

func (t Tracker) labelKey() string { return cmp.Or(t.LabelKey, argov1.LabelInstance) }

// Mark writes the marks of the instance on obj, which it changes. CustomResourceDefinitions stay unmarked. An object
// without a namespace, cluster-scoped ones included, is tracked under the destination namespace (contract 3.1). It
// fails on labels or annotations that are not strings, and on a name that cannot be cut to a valid label.
func (t Tracker) Mark(obj *unstructured.Unstructured, instance, destinationNamespace string) error {
	if isCRD(obj) {
		return nil
	}
	if t.writesAnnotation() {
		id := ID{Instance: instance, Key: resource.KeyOf(obj)}
		id.Key.Namespace = cmp.Or(id.Key.Namespace, destinationNamespace)
		if err := t.annotate(obj, id); err != nil {
			return fmt.Errorf("failed to set app instance annotation: %w", err)
		}
	}
	if t.writesLabel() {
		if err := t.label(obj, instance); err != nil {
			return fmt.Errorf("failed to set app instance label: %w", err)
		}
	}
	return nil
}

func (t Tracker) annotate(obj *unstructured.Unstructured, id ID) error {
	annotations, err := stringMap(obj, "metadata", "annotations")
	if err != nil {
		return err
	}
	annotations[argov1.AnnotationTrackingID] = id.String()
	delete(annotations, argov1.AnnotationInstallationID)
	if t.InstallationID != "" {
		annotations[argov1.AnnotationInstallationID] = t.InstallationID
	}
	obj.SetAnnotations(annotations)
	return nil
}

func (t Tracker) label(obj *unstructured.Unstructured, instance string) error {
	value := instance
	if t.Method == MethodAnnotationAndLabel {
		var err error
		if value, err = TruncateLabel(instance); err != nil {
			return err
		}
	}
	labels, err := stringMap(obj, "metadata", "labels")
	if err != nil {
		return err
	}
	labels[t.labelKey()] = value
	obj.SetLabels(labels)
	if t.labelKey() == LegacyLabelKey && hasPodTemplate(obj) {
		return labelPodTemplate(obj, value)
	}
	return nil
}

func labelPodTemplate(obj *unstructured.Unstructured, value string) error {
	path := []string{"spec", "template", "metadata", "labels"}
	labels, err := stringMap(obj, path...)
	if err != nil {
		return err
	}
	labels[LegacyLabelKey] = value
	return unstructured.SetNestedStringMap(obj.Object, labels, path...)
}

// Unmark removes the marks of the tracking method from obj, which it changes.
func (t Tracker) Unmark(obj *unstructured.Unstructured) {
	if t.writesAnnotation() {
		unstructured.RemoveNestedField(obj.Object, "metadata", "annotations", argov1.AnnotationTrackingID)
		unstructured.RemoveNestedField(obj.Object, "metadata", "annotations", argov1.AnnotationInstallationID)
	}
	if t.writesLabel() {
		unstructured.RemoveNestedField(obj.Object, "metadata", "labels", t.labelKey())
	}
}

// Owner is the instance that the marks of obj name, and whether there is one. Objects of another installation have
// none (contract 3.1). It does not look at owner references, nor whether the mark was copied: see SelfReferenced.
func (t Tracker) Owner(obj metav1.Object) (instance string, ok bool) {
	if !t.writesAnnotation() {
		instance = obj.GetLabels()[t.labelKey()]
		return instance, instance != ""
	}
	id, ok := t.id(obj)
	return id.Instance, ok && id.Instance != ""
}

func (t Tracker) id(obj metav1.Object) (ID, bool) {
	annotations := obj.GetAnnotations()
	if t.InstallationID != "" && annotations[argov1.AnnotationInstallationID] != t.InstallationID {
		return ID{}, false
	}
	id, err := ParseID(annotations[argov1.AnnotationTrackingID])
	return id, err == nil
}

// SelfReferenced tells whether live is the very object that its mark was written for (contract 3.1). With a target,
// live must have the target's group, kind, namespace and name, which also notices a kind that moved to another API
// group; without one it must be what its annotation names, and an object without an annotation is not. Labels carry
// too little for this check: with MethodLabel everything is self-referenced. So is a missing live object.
func (t Tracker) SelfReferenced(live, target *unstructured.Unstructured) bool {
	if live == nil || !t.writesAnnotation() {
		return true
	}
	var named resource.Key
	if target != nil {
		named = resource.KeyOf(target)
	} else {
		id, ok := t.id(live)
		if !ok {
			return false
		}
		named = id.Key
	}
	key := resource.KeyOf(live)
	if key.Namespace == "" {
		named.Namespace = ""
	}
	return key == named
}

// Nameless tells whether the mark of live was written before the object had a name, as that of a hook with a generated name
// is: it names the kind and the place, and no object.
func (t Tracker) Nameless(live *unstructured.Unstructured) bool {
	if !t.writesAnnotation() {
		return false
	}
	id, ok := t.id(live)
	named := resource.KeyOf(live)
	named.Name = ""
	if named.Namespace == "" {
		id.Key.Namespace = ""
	}
	return ok && id.Key == named
}

// Migrate makes the marks of live, a copy that it changes, comparable with those of target after the tracking method
// changed from labels to annotations (contract 3.3): a live object that carries only the label counts as annotated, and
// its label counts as absent unless the target has one too. A live annotation always stays what it is, so that an
// object taken over from another application shows as different.
func (t Tracker) Migrate(live, target *unstructured.Unstructured) {
	if !t.writesAnnotation() || live == nil || target == nil || isCRD(live) || live.GetLabels()[t.labelKey()] == "" {
		return
	}
	id := target.GetAnnotations()[argov1.AnnotationTrackingID]
	if annotations := live.GetAnnotations(); annotations[argov1.AnnotationTrackingID] == "" && id != "" {
		if annotations == nil {
			annotations = map[string]string{}
		}
		annotations[argov1.AnnotationTrackingID] = id
		live.SetAnnotations(annotations)
	}
	if target.GetLabels()[t.labelKey()] == "" {
		unstructured.RemoveNestedField(live.Object, "metadata", "labels", t.labelKey())
	}
}

// TruncateLabel cuts an instance name to a label value of at most 63 bytes that ends in a letter or digit (contract
// 3.1). Shorter names stay as they are.
func TruncateLabel(instance string) (string, error) {
	if len(instance) <= maxLabelLength {
		return instance, nil
	}
	for end := maxLabelLength; end > 0; end-- {
		if isAlphanumeric(instance[end-1]) {
			return instance[:end], nil
		}
	}
	return "", errLabelEnd
}

func isAlphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

func isCRD(obj *unstructured.Unstructured) bool {
	gvk := obj.GroupVersionKind()
	return gvk.Group == "apiextensions.k8s.io" && gvk.Kind == "CustomResourceDefinition"
}

func hasPodTemplate(obj *unstructured.Unstructured) bool {
	switch gvk := obj.GroupVersionKind(); gvk.Group {
	case "apps", "extensions":
		return gvk.Kind == "Deployment" || gvk.Kind == "ReplicaSet" || gvk.Kind == "StatefulSet" || gvk.Kind == "DaemonSet"
	case "batch":
		return gvk.Kind == "Job"
	default:
		return false
	}
}

// stringMap reads a map of strings that may be absent or null. The getters of Unstructured drop a whole map when one
// value is of another type; writing it back would silently lose what the user wrote.
func stringMap(obj *unstructured.Unstructured, fields ...string) (map[string]string, error) {
	value, found, err := unstructured.NestedFieldNoCopy(obj.Object, fields...)
	if err == nil && found && value != nil {
		var values map[string]string
		if values, _, err = unstructured.NestedStringMap(obj.Object, fields...); err == nil {
			return values, nil
		}
	}
	if err != nil {
		return nil, fmt.Errorf("read %s %q: %w; write every value as a string", obj.GetKind(), obj.GetName(), err)
	}
	return map[string]string{}, nil
}
