package operator

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/policy"
	"github.com/tiphys-io/tiphys/internal/resource"
)

// projectClient is a client of an API server in memory with these objects.
func projectClient(t *testing.T, calls interceptor.Funcs, objects ...client.Object) client.Client {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := argov1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	return fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).WithInterceptorFuncs(calls).Build()
}

func TestDefaultProjectIsMade(t *testing.T) {
	d := defaultProject{client: projectClient(t, interceptor.Funcs{}), namespace: "control", there: make(chan struct{})}
	if err := d.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	<-d.there
	project := &argov1.AppProject{}
	if err := d.client.Get(t.Context(), client.ObjectKey{Namespace: "control", Name: "default"}, project); err != nil {
		t.Fatal(err)
	}
	p := permissions{cluster: policy.Cluster{Server: argov1.InClusterServer, Name: argov1.InClusterName}, controlNamespace: "control"}
	app := &argov1.Application{Spec: argov1.ApplicationSpec{
		Project:     "default",
		Source:      &argov1.ApplicationSource{RepoURL: "https://example.com/any.git", Path: "app"},
		Destination: argov1.ApplicationDestination{Server: argov1.InClusterServer, Namespace: "anywhere"},
	}}
	if violations := p.Application(app, project); len(violations) > 0 || !p.Sources(app, project) {
		t.Errorf("the default project permits everything: %v", violations)
	}
	for _, namespaced := range []bool{true, false} {
		if why := p.Object(project, resource.Key{Group: "example.com", Kind: "Thing", Namespace: "anywhere", Name: "x"}, namespaced); why != "" {
			t.Errorf("the default project permits every kind: %s", why)
		}
	}
	if permitted, err := p.Window(project, app, policy.Moment{Now: time.Now()}); err != nil || !permitted {
		t.Errorf("the default project permits a sync at any time: %v", err)
	}
}

func TestDefaultProjectOfOthersStays(t *testing.T) {
	narrow := &argov1.AppProject{Spec: argov1.AppProjectSpec{SourceRepos: []string{"https://example.com/only.git"}}}
	narrow.Namespace, narrow.Name = "control", "default"
	d := defaultProject{client: projectClient(t, interceptor.Funcs{}, narrow), namespace: "control", there: make(chan struct{})}
	if err := d.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	<-d.there
	project := &argov1.AppProject{}
	if err := d.client.Get(t.Context(), client.ObjectKeyFromObject(narrow), project); err != nil || project.Spec.SourceRepos[0] != narrow.Spec.SourceRepos[0] {
		t.Errorf("a project that is there is left as it is: %+v, %v", project.Spec, err)
	}
}

// A default project that cannot be made is an error of the manager: without it no Application would be served.
func TestDefaultProjectThatCannotBeMade(t *testing.T) {
	refused := errors.New("refused")
	create := interceptor.Funcs{Create: func(context.Context, client.WithWatch, client.Object, ...client.CreateOption) error { return refused }}
	d := defaultProject{client: projectClient(t, create), namespace: "control", there: make(chan struct{})}
	if err := d.Start(t.Context()); !errors.Is(err, refused) || !strings.Contains(err.Error(), "namespace control") {
		t.Errorf("error %v does not say what was refused, and where", err)
	}
	missing := apierrors.NewNotFound(schema.GroupResource{Resource: "namespaces"}, "control")
	create.Create = func(context.Context, client.WithWatch, client.Object, ...client.CreateOption) error { return missing }
	d.client = projectClient(t, create)
	if err := d.Start(t.Context()); !errors.Is(err, missing) || !strings.Contains(err.Error(), "create it") {
		t.Errorf("a namespace that is missing has to be named with the remedy: %v", err)
	}
	get := interceptor.Funcs{Get: func(context.Context, client.WithWatch, client.ObjectKey, client.Object, ...client.GetOption) error {
		return refused
	}}
	d.client = projectClient(t, get)
	if err := d.Start(t.Context()); !errors.Is(err, refused) {
		t.Errorf("a project that cannot be read: %v", err)
	}
	select {
	case <-d.there:
		t.Error("it is said to be there")
	default:
	}
}
