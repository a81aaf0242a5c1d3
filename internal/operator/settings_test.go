package operator

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tiphys-io/tiphys/internal/health"
	"github.com/tiphys-io/tiphys/internal/installation"
	"github.com/tiphys-io/tiphys/internal/tracking"
)

// settingsReader answers with one ConfigMap, or with an error.
type settingsReader struct {
	client.Reader
	cm   *corev1.ConfigMap
	err  error
	keys []client.ObjectKey
}

func (r *settingsReader) Get(_ context.Context, key client.ObjectKey, obj client.Object, _ ...client.GetOption) error {
	r.keys = append(r.keys, key)
	cm, ok := obj.(*corev1.ConfigMap)
	switch {
	case r.err != nil:
		return r.err
	case !ok || r.cm == nil:
		return apierrors.NewNotFound(schema.GroupResource{Resource: "configmaps"}, key.Name)
	}
	r.cm.DeepCopyInto(cm)
	return nil
}

func argocdCM(version string, data map[string]string) *corev1.ConfigMap {
	return &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: installation.ConfigMap, ResourceVersion: version, Labels: map[string]string{"app.kubernetes.io/part-of": "argocd"}},
		Data:       data,
	}
}

func TestSettingsFollowTheConfigMap(t *testing.T) {
	reader := &settingsReader{}
	var retracked []tracking.Tracker
	p := &settingsProvider{reader: reader, options: &Options{Namespace: "control", Timeout: time.Minute, Jitter: time.Second}}
	expect := func(reason string, want tracking.Tracker, changes int) {
		t.Helper()
		got, err := p.get(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got.Tracker); diff != "" {
			t.Errorf("%s (-want +got):\n%s", reason, diff)
		}
		if got.Timeout != time.Minute || got.Jitter != time.Second {
			t.Errorf("%s: the polling interval is a flag: %v, %v", reason, got.Timeout, got.Jitter)
		}
		if len(retracked) != changes || (changes > 0 && retracked[changes-1] != want) {
			t.Errorf("%s: the index was told %v", reason, retracked)
		}
	}
	byDefault := tracking.Tracker{Method: tracking.MethodAnnotation, LabelKey: "app.kubernetes.io/instance"}
	expect("without a ConfigMap there are the defaults", byDefault, 0)
	p.retrack = func(tracker tracking.Tracker) { retracked = append(retracked, tracker) }
	expect("nothing has changed", byDefault, 0)

	label := tracking.Tracker{Method: tracking.MethodLabel, LabelKey: "example.com/app", InstallationID: "one"}
	data := map[string]string{"application.resourceTrackingMethod": "label", "application.instanceLabelKey": "example.com/app", "installationID": "one"}
	reader.cm = argocdCM("1", data)
	expect("a ConfigMap that appears takes effect, and the index knows first", label, 1)
	expect("it is told once", label, 1)

	reader.cm = argocdCM("2", map[string]string{"application.resourceTrackingMethod": "label", "application.instanceLabelKey": "example.com/app", "installationID": "one", "resource.exclusions": "- kinds: [Secret]\n"})
	expect("another setting does not concern the index", label, 1)
	if got, err := p.get(t.Context()); err != nil || !got.Excluded("", "Secret") || got.Excluded("", "ConfigMap") {
		t.Errorf("the exclusion of Secrets is not in force: %v", err)
	}

	reader.cm = argocdCM("3", map[string]string{"application.resourceTrackingMethod": "by name"})
	expect("a value that cannot be read is the default", byDefault, 2)

	reader.cm = argocdCM("4", data)
	reader.cm.Labels = nil
	expect("without its label a ConfigMap does not count", byDefault, 2)

	reader.cm = argocdCM("5", data)
	expect("with it, it does", label, 3)
	reader.cm = nil
	expect("a ConfigMap that is gone leaves the defaults", byDefault, 4)
	if want := (client.ObjectKey{Namespace: "control", Name: "argocd-cm"}); reader.keys[0] != want {
		t.Errorf("read %v, want %v", reader.keys[0], want)
	}
}

// Scripts for health are those of the ConfigMap that is in force; one that does not compile speaks for its own kind only.
func TestHealthScripts(t *testing.T) {
	reader := &settingsReader{cm: argocdCM("1", map[string]string{
		"resource.customizations.health.ConfigMap": "return {status = 'Suspended', message = 'mine'}", "resource.customizations.health.Secret": "if",
	})}
	p := &settingsProvider{reader: reader, options: &Options{}}
	expect := func(kind string, want *health.Status) {
		t.Helper()
		got, err := p.get(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		obj := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": kind}}
		if diff := cmp.Diff(want, got.Health.Assess(obj)); diff != "" {
			t.Errorf("%s: -want +got:\n%s", kind, diff)
		}
	}
	expect("ConfigMap", &health.Status{Status: "Suspended", Message: "mine"})
	expect("Secret", &health.Status{Status: "Unknown", Message: "<string> at EOF: syntax error"})
	reader.cm = nil
	expect("ConfigMap", nil)
}

// An error is not the absence of settings.
func TestSettingsThatCannotBeRead(t *testing.T) {
	reader := &settingsReader{err: errors.New("refused")}
	p := &settingsProvider{reader: reader, options: &Options{}}
	if _, err := p.get(t.Context()); !errors.Is(err, reader.err) {
		t.Errorf("error %v, want %v", err, reader.err)
	}
	reader.err = nil
	if _, err := p.get(t.Context()); err != nil {
		t.Errorf("once it can be read: %v", err)
	}
}
