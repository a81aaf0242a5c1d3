package operator

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/cluster"
	"github.com/tiphys-io/tiphys/internal/controller/application"
	"github.com/tiphys-io/tiphys/internal/resource"
	"github.com/tiphys-io/tiphys/internal/tracking"
)

// settingsProvider reads argocd-cm.
type settingsProvider struct {
	reader  client.Reader
	options *Options
}

func newSettingsProvider(reader client.Reader, options *Options) *settingsProvider {
	return &settingsProvider{reader: reader, options: options}
}

func (p *settingsProvider) get(ctx context.Context) (application.Settings, error) {
	return p.read(ctx, p.reader)
}

func (p *settingsProvider) startupTracker(ctx context.Context, reader client.Reader) (tracking.Tracker, error) {
	settings, err := p.read(ctx, reader)
	return settings.Tracker, err
}

func (p *settingsProvider) read(ctx context.Context, reader client.Reader) (application.Settings, error) {
	cm := &corev1.ConfigMap{}
	err := reader.Get(ctx, types.NamespacedName{Namespace: p.options.Namespace, Name: settingsName}, cm)
	if err != nil && !apierrors.IsNotFound(err) {
		return application.Settings{}, fmt.Errorf("reading ConfigMap %s: %w", settingsName, err)
	}
	return application.Settings{
		Excluded: func(string, string) bool { return false },
		Timeout:  p.options.Timeout, Jitter: p.options.Jitter,
	}, nil
}

// permissions asks the rules of the projects.
type permissions struct {
	conn             *cluster.Conn
	controlNamespace string
}

// Application lists what the project forbids.
func (p permissions) Application(*argov1.Application, *argov1.AppProject) []string { return nil }

// Object says why an object may not be synced.
func (p permissions) Object(*argov1.AppProject, resource.Key, bool) string { return "" }
