package operator

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/installation"
	"github.com/tiphys-io/tiphys/internal/receiver"
	"github.com/tiphys-io/tiphys/internal/settings"
)

const (
	// byRepository is the index of the applications by what webhooks find them by.
	byRepository = "webhook.repository"
	// webhookTimeout bounds reading a webhook and answering it.
	webhookTimeout = 30 * time.Second
	// apiTimeout bounds a question to the API of a sender.
	apiTimeout = 10 * time.Second
)

// webhooks joins the receiver of webhooks to what it needs.
type webhooks struct {
	namespace string
	options   *Options
	served    namespaces
	settings  *settingsProvider
	access    *repositoryAccess
	forget    []func(repoURL string)
	client    client.Client
	// refresh asks the controller of this process; leads is closed when this process leads, and does what is asked.
	refresh func(name types.NamespacedName, wait time.Duration, urgent bool)
	leads   <-chan struct{}

	own, labelled client.Reader // argocd-secret, and the Secrets that it may refer to
}

// add has webhooks answered, unless that is turned off.
func (w *webhooks) add(ctx context.Context, mgr manager.Manager, config *rest.Config) error {
	if w.options.WebhookAddress == "0" {
		return nil
	}
	if err := mgr.GetFieldIndexer().IndexField(ctx, &argov1.Application{}, byRepository, repositoryKeys); err != nil {
		return fmt.Errorf("indexing applications by repository: %w", err)
	}
	here := map[string]cache.Config{w.namespace: {}}
	own, err := addCache(mgr, config, &corev1.Secret{}, cache.ByObject{Namespaces: here, Field: fields.OneTermEqualSelector("metadata.name", settings.SecretName)})
	if err != nil {
		return err
	}
	labelled, err := addCache(mgr, config, &corev1.Secret{}, cache.ByObject{Namespaces: here, Label: labels.SelectorFromSet(labels.Set{installation.PartOfLabel: installation.PartOfValue})})
	if err != nil {
		return err
	}
	for _, c := range []cache.Cache{own, labelled} {
		if _, err := c.GetInformer(ctx, &corev1.Secret{}, cache.BlockUntilSynced(false)); err != nil {
			return fmt.Errorf("watching Secrets: %w", err)
		}
	}
	w.own, w.labelled = own, labelled
	r := receiver.New(receiver.Options{
		Settings: w.settings.webhooks, Secrets: w.secrets, Applications: w.applications, Forget: w.forgetAll, Refresh: w.request, Login: w.login,
		Client: &http.Client{Timeout: apiTimeout}, Parallel: w.options.WebhookParallelism,
	})
	return errors.Join(mgr.Add(r), mgr.Add(newHTTPServer("webhooks", w.options.WebhookAddress, r.Handler(), webhookTimeout)))
}

func repositoryKeys(object client.Object) []string {
	if app, ok := object.(*argov1.Application); ok {
		return receiver.Keys(app)
	}
	return nil
}

// secrets reads what the senders prove themselves with.
func (w *webhooks) secrets(ctx context.Context) (receiver.Secrets, error) {
	data, err := w.secret(ctx, w.own, settings.SecretName)
	if err != nil {
		return receiver.Secrets{}, err
	}
	var failed error
	values, broken := settings.WebhookSecrets(data, func(name string) map[string][]byte {
		found, err := w.secret(ctx, w.labelled, name)
		failed = errors.Join(failed, err)
		return found
	})
	return receiver.Secrets{Values: values, Broken: broken}, failed
}

// secret gives the data of a Secret, nil if there is none.
func (w *webhooks) secret(ctx context.Context, from client.Reader, name string) (map[string][]byte, error) {
	found := &corev1.Secret{}
	err := from.Get(ctx, types.NamespacedName{Namespace: w.namespace, Name: name}, found)
	if client.IgnoreNotFound(err) != nil {
		return nil, fmt.Errorf("reading Secret %s: %w", name, err)
	}
	return found.Data, nil
}

// applications lists the served ones that have a key.
func (w *webhooks) applications(ctx context.Context, key string) ([]argov1.Application, error) {
	var list argov1.ApplicationList
	shared := true // they are only read
	err := w.client.List(ctx, &list, client.MatchingFields{byRepository: key}, &client.ListOptions{UnsafeDisableDeepCopy: &shared})
	return slices.DeleteFunc(list.Items, func(app argov1.Application) bool { return !w.served.serves(app.Namespace) }), err
}

func (w *webhooks) forgetAll(repoURL string) {
	for _, forget := range w.forget {
		forget(repoURL)
	}
}

// request has applications refreshed: by the controller of this process if it leads, else by the annotation, which the leader
// sees.
func (w *webhooks) request(ctx context.Context, requests []receiver.Request) error {
	select {
	case <-w.leads:
		for _, request := range requests {
			w.refresh(request.NamespacedName, request.Wait, request.Urgent)
		}
		return nil
	default:
	}
	patch := client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"annotations":{"`+argov1.AnnotationRefresh+`":"normal"}}}`))
	var errs []error
	ctx = context.WithValue(ctx, anyReplica{}, true)
	for _, request := range requests {
		app := &argov1.Application{ObjectMeta: metav1.ObjectMeta{Namespace: request.Namespace, Name: request.Name}}
		if err := w.client.Patch(ctx, app, patch, client.FieldOwner(argov1.FieldManager)); err != nil && !apierrors.IsNotFound(err) {
			errs = append(errs, fmt.Errorf("asking for the refresh of application %s: %w", request, err))
		}
	}
	return errors.Join(errs...)
}

// login is what the API of a server is asked with: the credentials of the repository.
func (w *webhooks) login(ctx context.Context, repoURL, project string) (receiver.Login, error) {
	access, err := w.access.get(ctx, repoURL, project)
	return receiver.Login{Username: access.Username, Password: access.Password, BearerToken: access.BearerToken}, err
}
