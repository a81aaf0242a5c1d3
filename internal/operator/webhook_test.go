package operator

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/receiver"
)

// The process that leads refreshes by itself; another leaves the request where the leader sees it.
func TestRefreshOfAWebhook(t *testing.T) {
	app := &argov1.Application{ObjectMeta: metav1.ObjectMeta{Namespace: "argocd", Name: "a"}}
	leads := make(chan struct{})
	var asked []string
	w := &webhooks{
		client: projectClient(t, interceptor.Funcs{}, app), leads: leads,
		refresh: func(name types.NamespacedName, wait time.Duration, urgent bool) {
			if asked = append(asked, name.String()); wait != time.Second || !urgent {
				t.Errorf("%s: wait %s, urgent %v", name, wait, urgent)
			}
		},
	}
	requests := []receiver.Request{
		{NamespacedName: types.NamespacedName{Namespace: "argocd", Name: "a"}, Wait: time.Second, Urgent: true},
		{NamespacedName: types.NamespacedName{Namespace: "argocd", Name: "deleted"}, Wait: time.Second, Urgent: true},
	}
	if err := w.request(t.Context(), requests); err != nil {
		t.Fatal(err)
	}
	if err := w.client.Get(t.Context(), client.ObjectKeyFromObject(app), app); err != nil {
		t.Fatal(err)
	}
	if app.Annotations[argov1.AnnotationRefresh] != "normal" || len(asked) > 0 {
		t.Errorf("a process that does not lead: annotations %v, asked %v", app.Annotations, asked)
	}
	close(leads)
	w.client = nil
	if err := w.request(t.Context(), requests); err != nil || len(asked) != 2 {
		t.Errorf("the process that leads: asked %v, %v", asked, err)
	}
}

func TestRefreshThatCannotBeWritten(t *testing.T) {
	refused := errors.New("refused")
	calls := interceptor.Funcs{Patch: func(context.Context, client.WithWatch, client.Object, client.Patch, ...client.PatchOption) error {
		return refused
	}}
	w := &webhooks{client: projectClient(t, calls)}
	err := w.request(t.Context(), []receiver.Request{{NamespacedName: types.NamespacedName{Namespace: "argocd", Name: "a"}}})
	if !errors.Is(err, refused) || !strings.Contains(err.Error(), "argocd/a") {
		t.Errorf("error %v", err)
	}
}

// secretsClient is a client of an API server in memory that has Secrets.
func secretsClient(t *testing.T, calls interceptor.Funcs, secrets ...client.Object) client.Client {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	return fake.NewClientBuilder().WithScheme(scheme).WithObjects(secrets...).WithInterceptorFuncs(calls).Build()
}

func TestSecretsOfWebhooks(t *testing.T) {
	secret := func(name string, data map[string][]byte) *corev1.Secret {
		return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "argocd", Name: name}, Data: data}
	}
	w := &webhooks{
		namespace: "argocd",
		own: secretsClient(t, interceptor.Funcs{}, secret("argocd-secret", map[string][]byte{
			receiver.KeyGitHub: []byte("$hooks:github"), receiver.KeyGogs: []byte("$none:x"),
		})),
		labelled: secretsClient(t, interceptor.Funcs{}, secret("hooks", map[string][]byte{"github": []byte("s")})),
	}
	got, err := w.secrets(t.Context())
	if err != nil || got.Values[receiver.KeyGitHub] != "s" || got.Broken[receiver.KeyGogs] == nil {
		t.Errorf("%+v, %v", got, err)
	}
	failing := interceptor.Funcs{Get: func(context.Context, client.WithWatch, client.ObjectKey, client.Object, ...client.GetOption) error {
		return errors.New("no cache")
	}}
	w.labelled = secretsClient(t, failing)
	if _, err := w.secrets(t.Context()); err == nil {
		t.Error("a Secret that cannot be read is taken for none")
	}
	w.own = secretsClient(t, failing)
	if _, err := w.secrets(t.Context()); err == nil {
		t.Error("an argocd-secret that cannot be read is taken for none, and everybody let in")
	}
	w.own = secretsClient(t, interceptor.Funcs{})
	if got, err := w.secrets(t.Context()); err != nil || len(got.Values) > 0 {
		t.Errorf("without argocd-secret nothing is checked: %+v, %v", got, err)
	}
}

// Only the applications that are served are found, by the index.
func TestApplicationsOfAWebhook(t *testing.T) {
	scheme := runtime.NewScheme()
	if err := argov1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	of := func(namespace, name, repoURL string) *argov1.Application {
		return &argov1.Application{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
			Spec:       argov1.ApplicationSpec{Source: &argov1.ApplicationSource{RepoURL: repoURL}},
		}
	}
	served, err := newNamespaces("argocd", []string{"team-*"})
	if err != nil {
		t.Fatal(err)
	}
	w := &webhooks{served: served, client: fake.NewClientBuilder().WithScheme(scheme).WithIndex(&argov1.Application{}, byRepository, repositoryKeys).WithObjects(
		of("argocd", "one", "https://git.example.com/org/repo.git"), of("team-a", "two", "git@git.example.com:org/repo"),
		of("argocd", "three", "https://git.example.com/org/other"), of("elsewhere", "four", "https://git.example.com/org/repo"),
	).Build()}
	apps, err := w.applications(t.Context(), "git.example.com/org/repo")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, app := range apps {
		names = append(names, app.Name)
	}
	slices.Sort(names)
	if diff := cmp.Diff([]string{"one", "two"}, names); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
