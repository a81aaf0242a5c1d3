package operator

import (
	"context"
	"fmt"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/controller/application"
	"github.com/tiphys-io/tiphys/internal/settings"
	"github.com/tiphys-io/tiphys/internal/tracking"
)

// settingsProvider reads argocd-cm, and parses it when it has changed.
type settingsProvider struct {
	reader  client.Reader
	options *Options

	mu      sync.Mutex
	version string
	current application.Settings
}

func newSettingsProvider(reader client.Reader, options *Options) *settingsProvider {
	return &settingsProvider{reader: reader, options: options}
}

// get gives the settings in force; without an argocd-cm these are the defaults.
func (p *settingsProvider) get(ctx context.Context) (application.Settings, error) {
	return p.read(ctx, p.reader)
}

// startupTracker is the tracker that the index of live objects is built with: changing it takes a restart.
func (p *settingsProvider) startupTracker(ctx context.Context, reader client.Reader) (tracking.Tracker, error) {
	current, err := p.read(ctx, reader)
	return current.Tracker, err
}

func (p *settingsProvider) read(ctx context.Context, reader client.Reader) (application.Settings, error) {
	cm := &corev1.ConfigMap{}
	err := reader.Get(ctx, types.NamespacedName{Namespace: p.options.Namespace, Name: settingsName}, cm)
	if err != nil && !apierrors.IsNotFound(err) {
		return application.Settings{}, fmt.Errorf("reading ConfigMap %s: %w", settingsName, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if version := cm.ResourceVersion + " "; p.version != version {
		parsed, problems := settings.Parse(cm.Data)
		for _, problem := range problems {
			ctrl.LoggerFrom(ctx).Error(problem, "a setting is not usable and has its default", "configMap", settingsName)
		}
		p.version, p.current = version, p.adapt(parsed)
	}
	return p.current, nil
}

// adapt is what the controller needs of the settings. The polling interval is a flag, as it is an environment variable of
// Argo CD's controller (contract 5.1).
func (p *settingsProvider) adapt(parsed settings.Settings) application.Settings {
	return application.Settings{
		Tracker: tracking.Tracker{
			Method: tracking.Method(parsed.TrackingMethod), LabelKey: parsed.InstanceLabelKey, InstallationID: parsed.InstallationID,
		},
		Excluded: func(group, kind string) bool {
			return parsed.Excluded(schema.GroupKind{Group: group, Kind: kind}, argov1.InClusterServer)
		},
		Timeout: p.options.Timeout, Jitter: p.options.Jitter,
	}
}
