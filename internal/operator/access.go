package operator

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"sync"
	"sync/atomic"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/tiphys-io/tiphys/internal/credentials"
	"github.com/tiphys-io/tiphys/internal/source/connection"
	"github.com/tiphys-io/tiphys/internal/source/helmrepo"
)

// repositoryAccess follows the Secrets and ConfigMaps with the credentials of repositories. Whoever asks after an edit was seen
// gets what it says.
type repositoryAccess struct {
	namespace                        string
	secrets, authorities, knownHosts cache.Cache

	changed atomic.Bool   // something was seen that set does not hold yet
	news    chan struct{} // holds one entry while follow has not looked at what was seen
	mu      sync.Mutex
	set     *credentials.Set
}

// newRepositoryAccess adds to the manager caches of no more than is needed: Secrets with the labels of repositories, and two
// ConfigMaps.
func newRepositoryAccess(ctx context.Context, mgr manager.Manager, config *rest.Config, namespace string) (*repositoryAccess, error) {
	ours, err := labels.NewRequirement(credentials.SecretTypeLabel, selection.In, []string{credentials.RepositorySecret, credentials.TemplateSecret})
	if err != nil {
		return nil, err
	}
	a := &repositoryAccess{namespace: namespace, news: make(chan struct{}, 1)}
	a.see()
	named := func(name string) cache.ByObject {
		return cache.ByObject{Field: fields.OneTermEqualSelector("metadata.name", name)}
	}
	for _, c := range []struct {
		into   *cache.Cache
		object client.Object
		by     cache.ByObject
	}{
		{&a.secrets, &corev1.Secret{}, cache.ByObject{Label: labels.NewSelector().Add(*ours)}},
		{&a.authorities, &corev1.ConfigMap{}, named(credentials.AuthoritiesConfigMap)},
		{&a.knownHosts, &corev1.ConfigMap{}, named(credentials.KnownHostsConfigMap)},
	} {
		c.by.Namespaces, c.by.Transform = map[string]cache.Config{namespace: {}}, cache.TransformStripManagedFields()
		made, err := addCache(mgr, config, c.object, c.by)
		if err != nil {
			return nil, err
		}
		informer, err := made.GetInformer(ctx, c.object, cache.BlockUntilSynced(false))
		if err != nil {
			return nil, fmt.Errorf("watching %T: %w", c.object, err)
		}
		if _, err := informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
			AddFunc: func(any) { a.see() }, UpdateFunc: func(any, any) { a.see() }, DeleteFunc: func(any) { a.see() },
		}); err != nil {
			return nil, fmt.Errorf("watching %T: %w", c.object, err)
		}
		*c.into = made
	}
	return a, nil
}

// see takes down that something was seen.
func (a *repositoryAccess) see() {
	a.changed.Store(true)
	select {
	case a.news <- struct{}{}:
	default: // follow has not looked at the last one yet
	}
}

// follow tells of each change which repositories it concerns, until ctx ends.
func (a *repositoryAccess) follow(ctx context.Context, tell func(ctx context.Context, concerned func(repoURL, project string) bool)) error {
	var before *credentials.Set
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-a.news:
		}
		now, err := a.current(ctx)
		if err != nil {
			if ctx.Err() == nil {
				ctrl.LoggerFrom(ctx).Error(err, "a change of credentials counts from the next poll on")
			}
			continue
		}
		if known := before; known != nil {
			tell(ctx, func(repoURL, project string) bool { return !now.SameFor(known, repoURL, project) })
		}
		before = now
	}
}

// get is the access to a repository for the applications of a project, as everything that was seen says.
func (a *repositoryAccess) get(ctx context.Context, repoURL, project string) (credentials.Access, error) {
	set, err := a.current(ctx)
	if err != nil {
		return credentials.Access{}, err
	}
	return set.For(repoURL, project)
}

// named is the URL of the repository that has a name.
func (a *repositoryAccess) named(ctx context.Context, name, project string) (string, error) {
	set, err := a.current(ctx)
	if err != nil {
		return "", err
	}
	return set.Named(name, project), nil
}

// charts are the options of what reads charts.
func (a *repositoryAccess) charts(config *rest.Config, options *Options, memory memoryBudget) helmrepo.Options {
	return helmrepo.Options{
		Timeout: options.GitTimeout, ResolveTTL: resolveTTL(options.Timeout), CacheBytes: memory.cache, Access: a.get, Named: a.named,
		Guard: newGuard(config, options),
	}
}

// newGuard refuses what a repository may not send us to; nil refuses nothing.
func newGuard(config *rest.Config, options *Options) *connection.Guard {
	if options.AllowLocalRemotes {
		return nil
	}
	guard := &connection.Guard{}
	if u, err := url.Parse(config.Host); err == nil && u.Hostname() != "" {
		guard.Hosts = []string{u.Hostname()}
	}
	return guard
}

// current reads the caches only when something has changed. An edit that arrives meanwhile counts for the next one who asks.
func (a *repositoryAccess) current(ctx context.Context) (*credentials.Set, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.changed.Swap(false) {
		return a.set, nil
	}
	set, err := a.read(ctx)
	if err != nil {
		a.changed.Store(true)
		return nil, fmt.Errorf("reading the credentials of repositories: %w", err)
	}
	for _, problem := range set.Problems() {
		ctrl.LoggerFrom(ctx).Error(problem, "repositories that need it cannot be read")
	}
	a.set = set
	return set, nil
}

func (a *repositoryAccess) read(ctx context.Context) (*credentials.Set, error) {
	var secrets corev1.SecretList
	var authorities, knownHosts corev1.ConfigMapList
	err := errors.Join(a.secrets.List(ctx, &secrets, client.InNamespace(a.namespace)),
		a.authorities.List(ctx, &authorities, client.InNamespace(a.namespace)), a.knownHosts.List(ctx, &knownHosts, client.InNamespace(a.namespace)))
	if err != nil {
		return nil, err
	}
	return credentials.Parse(secrets.Items, dataOf(authorities), dataOf(knownHosts)), nil
}

// dataOf is what the one ConfigMap holds that a cache has; nothing when there is none.
func dataOf(list corev1.ConfigMapList) map[string]string {
	if len(list.Items) == 0 {
		return nil
	}
	return list.Items[0].Data
}
