package operator

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tiphys-io/tiphys/internal/controller/application"
	"github.com/tiphys-io/tiphys/internal/diff"
	"github.com/tiphys-io/tiphys/internal/installation"
	"github.com/tiphys-io/tiphys/internal/receiver"
	"github.com/tiphys-io/tiphys/internal/refresh"
	"github.com/tiphys-io/tiphys/internal/settings"
	"github.com/tiphys-io/tiphys/internal/tracking"
)

// settingsProvider reads argocd-cm, and parses it when it has changed.
type settingsProvider struct {
	reader  client.Reader
	options *Options
	// retrack tells the index of live objects that objects are tracked in another way, before get says so; nil while there
	// is no index yet.
	retrack func(tracking.Tracker)
	// filter tells the same index which updates of live objects matter; nil while there is no index yet.
	filter func(matters func(before, after *unstructured.Unstructured) bool)

	mu      sync.Mutex
	read    bool
	version string // of the ConfigMap that current is made of; empty when there is none
	current application.Settings
	webhook receiver.Settings
}

// webhooks is what the settings in force say about webhooks.
func (p *settingsProvider) webhooks(ctx context.Context) (receiver.Settings, error) {
	if _, err := p.get(ctx); err != nil {
		return receiver.Settings{}, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.webhook, nil
}

// get gives the settings in force; without an argocd-cm these are the defaults.
func (p *settingsProvider) get(ctx context.Context) (application.Settings, error) {
	// The ConfigMap is read under the lock, so that a slow reader does not bring back what was.
	p.mu.Lock()
	defer p.mu.Unlock()
	cm := &corev1.ConfigMap{}
	err := p.reader.Get(ctx, types.NamespacedName{Namespace: p.options.Namespace, Name: installation.ConfigMap}, cm)
	if err != nil && !apierrors.IsNotFound(err) {
		return application.Settings{}, fmt.Errorf("reading ConfigMap %s: %w", installation.ConfigMap, err)
	}
	if p.read && p.version == cm.ResourceVersion {
		return p.current, nil
	}
	data, err := installation.Data(cm)
	if err != nil {
		ctrl.LoggerFrom(ctx).Info(err.Error())
	}
	parsed, problems := settings.Parse(data)
	for _, problem := range problems {
		ctrl.LoggerFrom(ctx).Error(problem, "a setting is not usable and has its default", "configMap", installation.ConfigMap)
	}
	// The polling interval is a flag, as it is an environment variable of Argo CD's controller (contract 5.1).
	now := application.Settings{
		GlobalProjects: globalProjects(parsed.GlobalProjects), Timeout: p.options.Timeout, Jitter: p.options.Jitter, IgnoreUpdates: parsed.IgnoreUpdatesEnabled,
	}
	if now.Settings, err = installation.From(parsed, time.Now); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "the health of the objects of these kinds is Unknown", "configMap", installation.ConfigMap)
	}
	if now.Updates, err = updateRules(parsed, p.options.JQTimeout); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "all updates of objects start a reconcile", "configMap", installation.ConfigMap)
		now.IgnoreUpdates = false
	}
	if p.filter != nil {
		p.filter(now.Matters)
	}
	if p.retrack != nil && now.Tracker != p.current.Tracker {
		p.retrack(now.Tracker)
	}
	p.read, p.version, p.current, p.webhook = true, cm.ResourceVersion, now, receiver.Settings(parsed.Webhook)
	return now, ctx.Err() // the caller may be among those that end because of it
}

// updateRules are the fields whose changes do not matter: those of ignoreResourceUpdates, and those of ignoreDifferences unless
// resource.compareoptions says otherwise (contract 3.4). Managers have no say here.
func updateRules(parsed settings.Settings, timeout time.Duration) (*diff.Rules, error) {
	entries := slices.Clone(parsed.IgnoreUpdates)
	if parsed.Compare.IgnoreDifferencesOnUpdates {
		entries = append(entries, parsed.IgnoreDifferences...)
	}
	for i := range entries {
		entries[i].ManagedFieldsManagers = nil
	}
	return diff.Compile(diff.Ignore{System: entries, Limit: refresh.Limit(timeout)})
}

func globalProjects(entries []settings.GlobalProject) []application.GlobalProject {
	projects := make([]application.GlobalProject, len(entries))
	for i, entry := range entries {
		projects[i] = application.GlobalProject(entry)
	}
	return projects
}
