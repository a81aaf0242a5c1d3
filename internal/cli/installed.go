package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/apply"
	"github.com/tiphys-io/tiphys/internal/cluster"
	"github.com/tiphys-io/tiphys/internal/credentials"
	"github.com/tiphys-io/tiphys/internal/installation"
	"github.com/tiphys-io/tiphys/internal/live"
	"github.com/tiphys-io/tiphys/internal/policy"
	"github.com/tiphys-io/tiphys/internal/refresh"
	"github.com/tiphys-io/tiphys/internal/render"
	"github.com/tiphys-io/tiphys/internal/resource"
	"github.com/tiphys-io/tiphys/internal/settings"
	"github.com/tiphys-io/tiphys/internal/target"
)

// installed is an installation in the cluster of the current kubeconfig, as its operator sees it.
type installed struct {
	client    client.Client
	conn      *cluster.Conn
	namespace string
	settings  installation.Settings
	globals   []settings.GlobalProject
	warnings  []error
}

// subject is the Application that a command is about, with what it needs to be compared.
type subject struct {
	app         *argov1.Application
	project     *argov1.AppProject // with what it inherits
	credentials *credentials.Set
	warnings    []error
}

// connect reads the settings of the installation whose control namespace has that name.
func connect(ctx context.Context, namespace string) (*installed, error) {
	config, err := ctrl.GetConfig()
	if err != nil {
		return nil, fmt.Errorf("no cluster to connect to: %w", err)
	}
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), argov1.AddToScheme(scheme)); err != nil {
		return nil, fmt.Errorf("building the scheme: %w", err)
	}
	i := &installed{namespace: namespace}
	if i.conn, err = cluster.InCluster(config); err != nil {
		return nil, err
	}
	if i.client, err = client.New(config, client.Options{Scheme: scheme, Mapper: i.conn.Mapper}); err != nil {
		return nil, fmt.Errorf("connecting to the cluster: %w", err)
	}
	return i, i.readSettings(ctx)
}

func (i *installed) readSettings(ctx context.Context) error {
	configMap := &corev1.ConfigMap{}
	err := i.client.Get(ctx, client.ObjectKey{Namespace: i.namespace, Name: installation.ConfigMap}, configMap)
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("reading ConfigMap %s: %w", installation.ConfigMap, err)
	}
	data, err := installation.Data(configMap)
	if err != nil {
		i.warnings = append(i.warnings, err)
	}
	parsed, problems := settings.Parse(data)
	i.warnings = append(i.warnings, problems...)
	i.globals = parsed.GlobalProjects
	if i.settings, err = installation.From(parsed, time.Now); err != nil {
		i.warnings = append(i.warnings, err)
	}
	return nil
}

// subject reads an Application, and fails when its project does not permit it, as the operator does.
func (i *installed) subject(ctx context.Context, namespace, name string) (*subject, error) {
	s := &subject{app: &argov1.Application{}}
	if err := i.client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, s.app); err != nil {
		return nil, fmt.Errorf("reading the Application: %w", err)
	}
	target.NormalizeSources(&s.app.Spec)
	problems := target.SpecProblems(&s.app.Spec)
	if destination := s.app.Spec.Destination; destination.Server != i.conn.Server && destination.Name != i.conn.Name {
		problems = append(problems, fmt.Sprintf("its destination is not the cluster of the kubeconfig (%s, %s)", i.conn.Server, i.conn.Name))
	}
	if len(problems) > 0 {
		return nil, conditionError(argov1.ConditionInvalidSpecError, errors.New(strings.Join(problems, "; ")))
	}
	if err := i.readProject(ctx, s); err != nil {
		return nil, err
	}
	if violations := policy.CheckApplication(i.input(s)); len(violations) > 0 {
		return nil, conditionError(argov1.ConditionInvalidSpecError, errors.New(strings.Join(violations, "; ")))
	}
	return s, i.readCredentials(ctx, s)
}

func (i *installed) input(s *subject) policy.Input {
	return policy.Input{
		Project: s.project, Application: s.app, ControlNamespace: i.namespace, Cluster: policy.Cluster{Server: i.conn.Server, Name: i.conn.Name},
	}
}

func (i *installed) readProject(ctx context.Context, s *subject) error {
	project, err := i.projectNamed(ctx, s.app.Spec.GetProject())
	if apierrors.IsNotFound(err) {
		return conditionError(argov1.ConditionInvalidSpecError, fmt.Errorf("Application referencing project %s which does not exist", s.app.Spec.GetProject())) //nolint:staticcheck // the contract's text (7)
	}
	if err != nil {
		return err
	}
	var globals []*argov1.AppProject
	for _, entry := range i.globals {
		if entry.Name == project.Name || !entry.Selector.Matches(labels.Set(project.Labels)) {
			continue
		}
		global, err := i.projectNamed(ctx, entry.Name)
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return err
		}
		globals = append(globals, global)
	}
	s.project = policy.Inherit(project, globals...)
	return nil
}

func (i *installed) projectNamed(ctx context.Context, name string) (*argov1.AppProject, error) {
	project := &argov1.AppProject{}
	if err := i.client.Get(ctx, client.ObjectKey{Namespace: i.namespace, Name: name}, project); err != nil {
		return nil, fmt.Errorf("reading project %s: %w", name, err)
	}
	return project, nil
}

// readCredentials reads what logs in to repositories. Who may not read Secrets can still compare what is public.
func (i *installed) readCredentials(ctx context.Context, s *subject) error {
	var secrets corev1.SecretList
	err := i.client.List(ctx, &secrets, client.InNamespace(i.namespace), client.HasLabels{credentials.SecretTypeLabel})
	if apierrors.IsForbidden(err) {
		s.warnings = append(s.warnings, fmt.Errorf("only public repositories can be read: %w", err))
	} else if err != nil {
		return fmt.Errorf("reading the Secrets of repositories: %w", err)
	}
	data := map[string]map[string]string{}
	for _, name := range []string{credentials.AuthoritiesConfigMap, credentials.KnownHostsConfigMap} {
		configMap := &corev1.ConfigMap{}
		if err := i.client.Get(ctx, client.ObjectKey{Namespace: i.namespace, Name: name}, configMap); client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("reading ConfigMap %s: %w", name, err)
		}
		data[name] = configMap.Data
	}
	s.credentials = credentials.Parse(secrets.Items, data[credentials.AuthoritiesConfigMap], data[credentials.KnownHostsConfigMap])
	return nil
}

// request is the comparison that the operator makes of an Application.
func (i *installed) request(ctx context.Context, s *subject, state *target.State) (refresh.Request, error) {
	snapshot, err := live.Direct(ctx, i.conn, i.inventory(s.app, state))
	if err != nil {
		return refresh.Request{}, err
	}
	ignore := i.settings.Ignore
	ignore.Application = s.app.Spec.IgnoreDifferences
	return refresh.Request{
		State: state, Snapshot: snapshot, Tracker: i.settings.Tracker, Instance: s.app.InstanceName(i.namespace),
		Predict: func(ctx context.Context, obj *unstructured.Unstructured) (*unstructured.Unstructured, error) {
			return apply.Predict(ctx, i.conn, obj)
		},
		Read: func(ctx context.Context, obj *unstructured.Unstructured) (*unstructured.Unstructured, error) {
			return apply.Read(ctx, i.conn, obj)
		},
		Ignore: ignore, Namespace: refresh.NamespaceOf(s.app), Forbidden: i.forbidden(s),
	}, nil
}

// inventory names what the Application wants, and what its status says that it has.
func (i *installed) inventory(app *argov1.Application, state *target.State) []live.Reference {
	var references []live.Reference
	wanted := map[resource.Key]bool{}
	for _, object := range state.Objects {
		if wanted[object.Key] || object.Key.Name == "" {
			continue
		}
		wanted[object.Key] = true
		references = append(references, live.Reference{Kind: object.Target.GroupVersionKind(), Namespace: object.Key.Namespace, Name: object.Key.Name})
	}
	for _, row := range app.Status.Resources {
		key := resource.Key{Group: row.Group, Kind: row.Kind, Namespace: row.Namespace, Name: row.Name}
		if wanted[key] || i.settings.Excluded(row.Group, row.Kind) {
			continue
		}
		references = append(references, live.Reference{
			Kind: schema.GroupVersionKind{Group: row.Group, Version: row.Version, Kind: row.Kind}, Namespace: row.Namespace, Name: row.Name,
		})
	}
	return references
}

func (i *installed) forbidden(s *subject) func(resource.Key) bool {
	input := i.input(s)
	return func(key resource.Key) bool {
		mapping, err := i.conn.Mapper.RESTMapping(key.GroupKind())
		if err != nil {
			return false // of a kind that is not known nobody can say
		}
		input.Object = policy.Object{
			GroupKind: key.GroupKind(), Namespace: key.Namespace, Name: key.Name, Namespaced: mapping.Scope.Name() == meta.RESTScopeNameNamespace,
		}
		return len(policy.CheckObject(input)) > 0
	}
}

func (i *installed) namespaced(gvk schema.GroupVersionKind) (namespaced, known bool, err error) {
	namespaced, err = i.conn.Namespaced(gvk)
	if cluster.IsUnknownKind(err) {
		return false, false, nil
	}
	return namespaced, err == nil, err
}

// versions is what renderers may know of the destination.
func (i *installed) versions(ctx context.Context) (render.Cluster, error) {
	versions, err := i.conn.Versions(ctx)
	return render.Cluster{KubeVersion: versions.Kubernetes, APIVersions: versions.APIs}, err
}
