// Package operator is the composition root: it reads flags and environment, and joins the rooms into a running manager.
package operator

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	bitnamiv1 "github.com/tiphys-io/tiphys/api/bitnami/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/apply"
	"github.com/tiphys-io/tiphys/internal/cluster"
	"github.com/tiphys-io/tiphys/internal/controller/application"
	"github.com/tiphys-io/tiphys/internal/installation"
	"github.com/tiphys-io/tiphys/internal/live"
	"github.com/tiphys-io/tiphys/internal/policy"
	"github.com/tiphys-io/tiphys/internal/render/worker"
	"github.com/tiphys-io/tiphys/internal/source/git"
	"github.com/tiphys-io/tiphys/internal/target"
)

// profileAddress serves pprof when it is asked for: on the loopback interface only, since a profile tells secrets.
const profileAddress = "127.0.0.1:6060"

// Command is the subcommand that runs the operator, of the version that runs.
func Command(version string) *cobra.Command {
	options := &Options{Revision: version}
	command := &cobra.Command{
		Use:   "operator",
		Short: "Run the operator against the current cluster",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := fromEnvironment(cmd.Flags()); err != nil {
				return err
			}
			config, err := ctrl.GetConfig()
			if err != nil {
				return fmt.Errorf("no cluster to connect to: %w", err)
			}
			log, err := newLogger(cmd.ErrOrStderr(), options.LogLevel, options.LogFormat)
			if err != nil {
				return err
			}
			ctrl.SetLogger(log)
			klog.SetLogger(log)
			return Run(ctrl.LoggerInto(cmd.Context(), log), config, options)
		},
	}
	options.register(command.Flags())
	return command
}

// Defaults are the options without any flag or environment.
func Defaults() (*Options, error) {
	options := &Options{}
	command := &cobra.Command{}
	options.register(command.Flags())
	return options, nil
}

// Run runs the operator until ctx ends. The logger is taken from ctx.
func Run(ctx context.Context, config *rest.Config, options *Options) error {
	log := ctrl.LoggerFrom(ctx)
	if err := options.validate(); err != nil {
		return err
	}
	config = rest.AddUserAgent(rest.CopyConfig(config), "tiphys")
	config.QPS = -1
	// The server warns of deprecated kinds whenever they are listed; that says nothing about an application.
	config.WarningHandler = rest.NoWarnings{}
	ctx, rewound := context.WithCancelCause(ctx)
	defer rewound(nil)
	cluster.OnRewind(config, rewound)
	served, err := newNamespaces(options.Namespace, options.ApplicationNamespaces)
	if err != nil {
		return err
	}
	mapper, err := awaitKinds(ctx, config, kindsTimeout, kindsOf(options))
	if err != nil {
		return err
	}
	memory, err := options.memoryBudget(os.DirFS("/"))
	if err != nil {
		return err
	}
	memory.enforce()
	managerOptions, err := newManagerOptions(options, served)
	if err != nil {
		return err
	}
	managerOptions.Logger = log
	if options.LeaderElect {
		fence := &fence{now: time.Now}
		managerOptions.LeaderElectionConfig = rest.CopyConfig(config)
		fence.observe(managerOptions.LeaderElectionConfig)
		fence.guard(config)
	}
	managerOptions.MapperProvider = func(*rest.Config, *http.Client) (meta.RESTMapper, error) { return mapper, nil }
	managed := rest.CopyConfig(config)
	cluster.Retry(managed)
	mgr, err := ctrl.NewManager(managed, managerOptions)
	if err != nil {
		return fmt.Errorf("building the manager: %w", err)
	}
	if err := errors.Join(mgr.AddHealthzCheck("healthz", healthz.Ping), mgr.AddReadyzCheck("readyz", healthz.Ping)); err != nil {
		return fmt.Errorf("adding the probes: %w", err)
	}
	var invalid func(*unstructured.Unstructured) string
	if options.runs(sealedSecretController) {
		if invalid, err = addSealedSecrets(ctx, mgr, config, options); err != nil {
			return err
		}
	}
	if options.runs(applicationController) {
		if err := addApplications(ctx, mgr, config, options, served, memory, invalid); err != nil {
			return err
		}
	}
	log.Info("starting", "controllers", options.Controllers, "memoryLimit", memory.heap, "namespace", options.Namespace, "applicationNamespaces", options.ApplicationNamespaces)
	if err := mgr.Start(ctx); err != nil {
		return fmt.Errorf("running the manager: %w", err)
	}
	if err := context.Cause(ctx); errors.Is(err, cluster.ErrRewound) {
		return fmt.Errorf("%w: start again", err)
	}
	return nil
}

// newManagerOptions are the manager's options: what it watches, where it listens, and who leads.
func newManagerOptions(options *Options, served namespaces) (ctrl.Options, error) {
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), argov1.AddToScheme(scheme), bitnamiv1.AddToScheme(scheme)); err != nil {
		return ctrl.Options{}, fmt.Errorf("building the scheme: %w", err)
	}
	byObject, err := watchedObjects(options, served)
	if err != nil {
		return ctrl.Options{}, err
	}
	stop, lease := 20*time.Second, leaseDuration
	pprofAddress := ""
	if options.Profile {
		pprofAddress = profileAddress
	}
	return ctrl.Options{
		Scheme: scheme, Metrics: metricsserver.Options{BindAddress: options.MetricsAddress},
		HealthProbeBindAddress: options.ProbeAddress, PprofBindAddress: pprofAddress,
		LeaderElection: options.LeaderElect, LeaderElectionID: "tiphys.argoproj.io", LeaderElectionNamespace: options.Namespace,
		LeaderElectionReleaseOnCancel: true, LeaseDuration: &lease, GracefulShutdownTimeout: &stop,
		Cache: cache.Options{ByObject: byObject},
	}, nil
}

// watchedObjects narrows what the manager's cache holds.
func watchedObjects(options *Options, served namespaces) (map[client.Object]cache.ByObject, error) {
	control := map[string]cache.Config{options.Namespace: {}}
	byObject := map[client.Object]cache.ByObject{
		&argov1.Application{}: {Namespaces: served.watched(), Transform: cache.TransformStripManagedFields()},
		&argov1.AppProject{}:  {Namespaces: control},
		&corev1.ConfigMap{}:   {Namespaces: control, Field: fields.OneTermEqualSelector("metadata.name", installation.ConfigMap)},
	}
	if !options.runs(sealedSecretController) {
		return byObject, nil
	}
	return byObject, watchSealedSecrets(byObject, options)
}

// addApplications joins the controller of Applications to the manager; invalid is what the dry run of a sync asks.
func addApplications(
	ctx context.Context, mgr manager.Manager, config *rest.Config, options *Options, served namespaces, memory memoryBudget,
	invalid func(*unstructured.Unstructured) string,
) error {
	conn, err := cluster.InCluster(config)
	if err != nil {
		return err
	}
	access, err := newRepositoryAccess(ctx, mgr, config, options.Namespace)
	if err != nil {
		return err
	}
	repositories, err := target.Open(renderingOptions(access, config, options, memory))
	if err != nil {
		return err
	}
	context.AfterFunc(ctx, repositories.Close)
	provider := &settingsProvider{reader: mgr.GetAPIReader(), options: options}
	startup, err := provider.get(ctx)
	if err != nil {
		return err
	}
	recorder, err := newEventRecorder(ctx, mgr)
	if err != nil {
		return err
	}
	reconciler := &application.Reconciler{
		Client: mgr.GetClient(), Conn: conn, Runner: apply.NewRunner(parallelism(options.Parallelism)),
		Rendering:   repositories,
		Permissions: permissions{cluster: policy.Cluster{Server: conn.Server, Name: conn.Name}, controlNamespace: options.Namespace},
		Invalid:     invalid,
		Settings:    provider.get, Recorder: recorder, Now: time.Now,
		Options: application.Options{
			ControlNamespace: options.Namespace, WaveDelay: options.WaveDelay, SyncTimeout: options.SyncTimeout, JQTimeout: options.JQTimeout,
			SelfHeal: options.SelfHeal, Concurrency: options.StatusProcessors,
		},
	}
	reconciler.Watcher = live.NewWatcher(ctx, conn, live.NewStore(startup.Tracker, reconciler.Changed))
	reconciler.Watcher.Store.Filter(startup.Matters)
	provider.reader, provider.retrack, provider.filter = mgr.GetClient(), reconciler.Watcher.Retrack, reconciler.Watcher.Store.Filter
	if err := metrics.Registry.Register(&application.Collector{Reader: servedReader{mgr.GetClient(), served}}); err != nil {
		return fmt.Errorf("registering the metrics: %w", err)
	}
	if err := mgr.Add(&keeper{
		limit: memory.heap, caches: []func(){repositories.Shed, reconciler.Shed}, giveBack: giveBack, calm: burstOver, log: mgr.GetLogger(),
	}); err != nil {
		return fmt.Errorf("adding the keeper of memory: %w", err)
	}
	project := defaultProject{client: mgr.GetClient(), namespace: options.Namespace, there: make(chan struct{})}
	reconciler.Begin = project.there
	webhooks := &webhooks{
		namespace: options.Namespace, options: options, served: served, settings: provider, access: access,
		forget: []func(string){repositories.Forget}, client: mgr.GetClient(), refresh: reconciler.Refresh, leads: mgr.Elected(),
	}
	if err := webhooks.add(ctx, mgr, config); err != nil {
		return err
	}
	if err := mgr.Add(project); err != nil {
		return fmt.Errorf("adding the default project: %w", err)
	}
	following := manager.RunnableFunc(func(ctx context.Context) error { return access.follow(ctx, reconciler.RepositoriesChanged) })
	if err := mgr.Add(following); err != nil {
		return fmt.Errorf("following the credentials of repositories: %w", err)
	}
	return reconciler.SetupWithManager(ctx, mgr, served.serves)
}

// renderingOptions are those of what reads and renders sources.
func renderingOptions(access *repositoryAccess, config *rest.Config, options *Options, memory memoryBudget) target.Options {
	return target.Options{
		Git: git.Options{
			Dir: options.CacheDir, Timeout: options.GitTimeout, ResolveTTL: resolveTTL(options.Timeout), CacheBytes: memory.cache, Access: access.get,
			Guard: newGuard(config, options),
		},
		Charts:           access.charts(config, options, memory),
		Worker:           worker.Options{Processes: options.RenderProcesses, MemoryBytes: options.RenderMemory, Timeout: options.RenderTimeout},
		MaxManifestBytes: options.MaxManifestBytes, ManifestCacheBytes: memory.manifests(options.ManifestCache),
	}
}

// resolveTTL shares one answer of a repository between the applications of one polling round.
func resolveTTL(timeout time.Duration) time.Duration {
	return min(max(timeout/2, time.Second), 30*time.Second)
}

// unlimited is more than there can be objects under way.
const unlimited = 1 << 16

// parallelism reads 0 as Argo CD does: no limit.
func parallelism(limit int) int {
	if limit == 0 {
		return unlimited
	}
	return limit
}
