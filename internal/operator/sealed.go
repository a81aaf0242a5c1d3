package operator

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/kubernetes"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/record"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	bitnamiv1 "github.com/tiphys-io/tiphys/api/bitnami/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/controller/sealedsecret"
	"github.com/tiphys-io/tiphys/internal/sealing"
)

// usualKeyNamespace is where an installation of Sealed Secrets keeps its keys if nobody said otherwise.
const usualKeyNamespace = metav1.NamespaceSystem

// watchSealedSecrets adds to what the manager's cache holds: the SealedSecrets, and of Secrets the metadata.
func watchSealedSecrets(byObject map[client.Object]cache.ByObject, options *Options) error {
	selector, err := labels.Parse(options.SealedSecrets.LabelSelector)
	if err != nil {
		return fmt.Errorf("label-selector: %w", err)
	}
	var namespaces map[string]cache.Config // nil for all
	if !options.SealedSecrets.AllNamespaces {
		namespaces = map[string]cache.Config{options.Namespace: {}}
		for _, namespace := range options.SealedSecrets.AdditionalNamespaces {
			namespaces[namespace] = cache.Config{}
		}
	}
	byObject[&bitnamiv1.SealedSecret{}] = cache.ByObject{Namespaces: namespaces, Label: selector, Transform: cache.TransformStripManagedFields()}
	byObject[&corev1.Secret{}] = cache.ByObject{Namespaces: namespaces, Transform: cache.TransformStripManagedFields()}
	return nil
}

// sealedSecrets are the pieces of the controller of SealedSecrets.
type sealedSecrets struct {
	options    *SealedSecretOptions
	keys       *sealedsecret.Keyring
	upstream   *sealedsecret.Upstream
	reconciler *sealedsecret.Reconciler
}

// addSealedSecrets joins the controller of SealedSecrets to the manager. It gives what the dry run of a sync asks: why a target
// could not be unsealed.
func addSealedSecrets(ctx context.Context, mgr manager.Manager, config *rest.Config, options *Options) (func(*unstructured.Unstructured) string, error) {
	o := &options.SealedSecrets
	namespace, err := keyNamespace(ctx, mgr.GetAPIReader(), options)
	if err != nil {
		return nil, err
	}
	recorder, err := newRecorder(ctx, mgr, config)
	if err != nil {
		return nil, err
	}
	s := &sealedSecrets{options: o}
	everything := func(ctx context.Context) { s.reconciler.Everything(ctx) }
	order, err := sealing.ParseOrder(o.KeyOrder)
	if err != nil {
		return nil, err
	}
	s.keys = &sealedsecret.Keyring{Prefix: o.KeyPrefix, Order: order, Recorder: recorder, Changed: everything}
	s.upstream = &sealedsecret.Upstream{Recorder: recorder, Changed: everything}
	s.reconciler = &sealedsecret.Reconciler{
		Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Keys: s.keys, Recorder: recorder, StandBy: s.upstream.Name, Now: time.Now,
		Options: sealedsecret.Options{
			AcceptLegacy: o.AcceptLegacy, UpdateStatus: o.UpdateStatus, SkipRecreate: o.SkipRecreate, Concurrency: o.Concurrency,
		},
	}
	if err := s.addCaches(mgr, config, namespace); err != nil {
		return nil, err
	}
	renewer, err := s.renewer(ctx, mgr, namespace)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(mgr.Add(s.keys), mgr.Add(s.upstream), mgr.Add(renewer), s.addServers(mgr, options.Revision)); err != nil {
		return nil, fmt.Errorf("adding the controller of SealedSecrets: %w", err)
	}
	ctrl.LoggerFrom(ctx).Info("serving SealedSecrets", "keyNamespace", namespace)
	selector, err := labels.Parse(o.LabelSelector)
	if err != nil {
		return nil, fmt.Errorf("label-selector: %w", err)
	}
	check := &sealedsecret.Check{
		Keys: s.keys, StandBy: s.upstream.Name, Options: sealing.Options{AcceptLegacy: o.AcceptLegacy},
		Serves: func(object *bitnamiv1.SealedSecret) bool {
			return selector.Matches(labels.Set(object.Labels)) &&
				(o.AllNamespaces || object.Namespace == options.Namespace || slices.Contains(o.AdditionalNamespaces, object.Namespace))
		},
	}
	return check.Invalid, s.reconciler.SetupWithManager(mgr)
}

// keyNamespace is where the sealing keys are: where they were said to be, where an installation of Sealed Secrets usually has
// them if there are some, or else our own namespace (contract A10).
func keyNamespace(ctx context.Context, reader client.Reader, options *Options) (string, error) {
	if options.SealedSecrets.KeyNamespace != "" {
		return options.SealedSecrets.KeyNamespace, nil
	}
	list := &corev1.SecretList{}
	err := reader.List(ctx, list, client.InNamespace(usualKeyNamespace), client.Limit(1),
		client.MatchingLabels{bitnamiv1.LabelSealingKey: bitnamiv1.SealingKeyActive})
	switch {
	case apierrors.IsForbidden(err):
		ctrl.LoggerFrom(ctx).Info("it is not permitted to look for sealing keys there; keys are kept in our own namespace",
			"namespace", usualKeyNamespace, "ours", options.Namespace)
	case err != nil:
		return "", fmt.Errorf("looking for sealing keys in namespace %s: %w", usualKeyNamespace, err)
	case len(list.Items) > 0:
		return usualKeyNamespace, nil
	}
	return options.Namespace, nil
}

// newRecorder records events under the name that tools know (contract A6).
func newRecorder(ctx context.Context, mgr manager.Manager, config *rest.Config) (record.EventRecorder, error) {
	clientset, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("connecting to the cluster: %w", err)
	}
	broadcaster := record.NewBroadcaster(record.WithContext(ctx))
	broadcaster.StartRecordingToSink(&typedcorev1.EventSinkImpl{Interface: clientset.CoreV1().Events("")})
	return broadcaster.NewRecorder(mgr.GetScheme(), corev1.EventSource{Component: "sealed-secrets"}), nil
}

// ownCache is a cache beside the manager's, started with it.
type ownCache struct{ cache.Cache }

// GetCache tells the manager that this is to be filled before anything else starts.
func (c ownCache) GetCache() cache.Cache { return c.Cache }

// addCache makes a cache of one kind, of no more objects than are needed, and has it started with the manager.
func addCache(mgr manager.Manager, config *rest.Config, object client.Object, by cache.ByObject) (cache.Cache, error) {
	made, err := cache.New(config, cache.Options{
		HTTPClient: mgr.GetHTTPClient(), Scheme: mgr.GetScheme(), Mapper: mgr.GetRESTMapper(), ByObject: map[client.Object]cache.ByObject{object: by},
	})
	if err != nil {
		return nil, fmt.Errorf("making a cache of %T: %w", object, err)
	}
	return made, mgr.Add(ownCache{made})
}

// addCaches makes the caches of the keys and of other controllers, which hold less than the manager's would.
func (s *sealedSecrets) addCaches(mgr manager.Manager, config *rest.Config, namespace string) error {
	keys := cache.ByObject{Namespaces: map[string]cache.Config{namespace: {}}, Transform: sealedsecret.KeepKeys(s.options.KeyPrefix)}
	var err error
	if s.keys.Cache, err = addCache(mgr, config, &corev1.Secret{}, keys); err != nil {
		return err
	}
	if s.options.Force {
		return nil
	}
	for _, selector := range sealedsecret.UpstreamSelectors() {
		deployments, err := addCache(mgr, config, &appsv1.Deployment{}, cache.ByObject{Label: selector})
		if err != nil {
			return err
		}
		s.upstream.Caches = append(s.upstream.Caches, deployments)
	}
	return nil
}

func (s *sealedSecrets) renewer(ctx context.Context, mgr manager.Manager, namespace string) (*sealedsecret.Renewer, error) {
	cutoff, err := s.options.cutoff()
	if err != nil {
		return nil, err
	}
	return &sealedsecret.Renewer{
		Client: mgr.GetClient(), Keys: s.keys, StandBy: s.upstream.StandBy, Now: time.Now, Force: renewalSignal(ctx),
		Options: sealedsecret.RenewalOptions{
			Namespace: namespace, Prefix: s.options.KeyPrefix, Period: s.options.KeyRenewPeriod, Cutoff: cutoff, TTL: s.options.KeyTTL,
			Bits: s.options.KeySize, CommonName: s.options.CommonName, Labels: s.options.KeyLabels, Annotations: s.options.KeyAnnotations,
		},
	}, nil
}

// addServers adds the API for clients that seal, and the metrics: among the others, and alone where Sealed Secrets has them.
func (s *sealedSecrets) addServers(mgr manager.Manager, revision string) error {
	collector := &sealedsecret.Collector{
		Reader: mgr.GetClient(), Keys: s.keys, StandBy: s.upstream.Name, Revision: revision, OmitSecretLabels: s.options.OmitSecretLabels,
	}
	own := prometheus.NewRegistry()
	err := errors.Join(metrics.Registry.Register(collector), own.Register(collector),
		own.Register(collectors.NewGoCollector()), own.Register(collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})))
	if err != nil {
		return fmt.Errorf("registering the metrics: %w", err)
	}
	api := &sealedsecret.API{
		Keys: s.keys, Ready: s.keys.Loaded, Options: sealing.Options{AcceptLegacy: s.options.AcceptLegacy},
		Limit: sealedsecret.NewLimit(s.options.RateLimit, s.options.RateLimitBurst, time.Now),
	}
	if s.options.ListenAddress != "0" {
		err = errors.Join(err, mgr.Add(newHTTPServer("the API of SealedSecrets", s.options.ListenAddress, api.Handler(), sealedsecret.RequestTimeout)))
	}
	if s.options.MetricsAddress != "0" {
		handler := promhttp.HandlerFor(own, promhttp.HandlerOpts{})
		err = errors.Join(err, mgr.Add(newHTTPServer("the metrics of SealedSecrets", s.options.MetricsAddress, sealedsecret.MetricsHandler(handler), sealedsecret.RequestTimeout)))
	}
	return err
}
