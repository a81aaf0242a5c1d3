package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/test/fixture"
)

// workload is a set of applications, each with a folder of its own in one repository. All live in one namespace.
type workload struct {
	// name is that of the namespace and of the repository, and the beginning of the names of the applications.
	name     string
	apps     int
	selfHeal bool
	// manifests are the objects of an application, by name of the file; a file may hold several.
	manifests func(app string) map[string]string
}

// resources are the kinds that the workloads have.
var resources = map[string]schema.GroupVersionResource{
	"ConfigMap":      {Version: "v1", Resource: "configmaps"},
	"ServiceAccount": {Version: "v1", Resource: "serviceaccounts"},
	"Service":        {Version: "v1", Resource: "services"},
	"Pod":            {Version: "v1", Resource: "pods"},
	"Deployment":     {Group: "apps", Version: "v1", Resource: "deployments"},
	"Ingress":        {Group: "networking.k8s.io", Version: "v1", Resource: "ingresses"},
}

// fourKinds are the four objects of a small web application; its Deployment has no replicas.
func fourKinds(app string) map[string]string {
	return map[string]string{
		"serviceaccount.yaml": fmt.Sprintf("apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: %s}\n", app),
		"service.yaml": fmt.Sprintf(`apiVersion: v1
kind: Service
metadata: {name: %[1]s, labels: {app: %[1]s}}
spec:
  selector: {app: %[1]s}
  ports: [{name: http, port: 80, targetPort: http}]
`, app),
		"deployment.yaml": fmt.Sprintf(`apiVersion: apps/v1
kind: Deployment
metadata: {name: %[1]s, labels: {app: %[1]s}}
spec:
  replicas: 0
  selector: {matchLabels: {app: %[1]s}}
  template:
    metadata: {labels: {app: %[1]s}}
    spec:
      serviceAccountName: %[1]s
      containers:
      - name: web
        image: example.com/%[1]s:1.0.0
        ports: [{name: http, containerPort: 8080}]
        env: [{name: LOG_LEVEL, value: info}]
        resources: {requests: {cpu: 100m, memory: 64Mi}, limits: {memory: 128Mi}}
        readinessProbe: {httpGet: {path: /healthz, port: http}, periodSeconds: 5}
`, app),
		"ingress.yaml": fmt.Sprintf(`apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: %[1]s}
spec:
  ingressClassName: web
  rules:
  - host: %[1]s.example.com
    http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: %[1]s, port: {name: http}}}}]}
`, app),
	}
}

// configMap is the manifest of a ConfigMap with a text of about that many bytes.
func configMap(name, value string, size int) string {
	return fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\ndata:\n  key: %s\n  text: %q\n", name, value, strings.Repeat("0123456789abcdef", size/16))
}

// oneConfigMap is a single ConfigMap of 2 KB, named like the application.
func oneConfigMap(app string) map[string]string {
	return map[string]string{"configmap.yaml": configMap(app, "wanted", 2000)}
}

// manyConfigMaps are n ConfigMaps of about that many bytes, each in a file of its own.
func manyConfigMaps(n, size int) func(app string) map[string]string {
	return func(app string) map[string]string {
		files := make(map[string]string, n)
		for i := range n {
			name := fmt.Sprintf("%s-%05d", app, i)
			files[name+".yaml"] = configMap(name, "wanted", size)
		}
		return files
	}
}

func (w workload) app(i int) string { return fmt.Sprintf("%s-%05d", w.name, i) }

// files are those of the repository.
func (w workload) files() map[string]string {
	files := map[string]string{}
	for i := range w.apps {
		app := w.app(i)
		for name, content := range w.manifests(app) {
			files[app+"/"+name] = content
		}
	}
	return files
}

// objects are what all applications want, in the namespace, in order.
func (w workload) objects(namespace string) ([]*unstructured.Unstructured, error) {
	files := w.files()
	var objects []*unstructured.Unstructured
	for _, name := range slices.Sorted(maps.Keys(files)) {
		object := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(files[name]), &object.Object); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		object.SetNamespace(namespace)
		objects = append(objects, object)
	}
	return objects, nil
}

// repository commits the files.
func (b *bench) repository(w workload) (*fixture.Repository, error) {
	repository := b.git.Repository(w.name)
	_, err := repository.Commit(w.files())
	return repository, err
}

// createApplications creates the applications of a workload as fast as the API server takes them.
func (b *bench) createApplications(ctx context.Context, w workload, repository *fixture.Repository) error {
	prune := true
	return parallel(ctx, w.apps, func(ctx context.Context, i int) error {
		err := b.cluster.Create(ctx, &argov1.Application{
			ObjectMeta: metav1.ObjectMeta{Name: w.app(i), Namespace: control},
			Spec: argov1.ApplicationSpec{
				Project:     argov1.DefaultProject,
				Source:      &argov1.ApplicationSource{RepoURL: repository.URL(), Path: w.app(i), TargetRevision: "HEAD"},
				Destination: argov1.ApplicationDestination{Server: argov1.InClusterServer, Namespace: w.name},
				SyncPolicy:  &argov1.SyncPolicy{Automated: &argov1.SyncPolicyAutomated{Prune: &prune, SelfHeal: &w.selfHeal}},
			},
		})
		if err != nil {
			return fmt.Errorf("application %s: %w", w.app(i), err)
		}
		return nil
	})
}

// floor is how long the API server takes for the objects of a workload when they are all that it is sent. They are removed
// afterwards.
func (b *bench) floor(ctx context.Context, w workload) (time.Duration, error) {
	namespace := w.name + "-floor"
	if err := b.createNamespace(ctx, namespace); err != nil {
		return 0, err
	}
	objects, err := w.objects(namespace)
	if err != nil {
		return 0, err
	}
	begin := time.Now()
	err = parallel(ctx, len(objects), func(ctx context.Context, i int) error {
		object := objects[i]
		_, err := b.dynamic.Resource(resources[object.GetKind()]).Namespace(namespace).Apply(ctx, object.GetName(), object,
			metav1.ApplyOptions{FieldManager: "benchmark", Force: true})
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("applying the objects of %s: %w", w.name, err)
	}
	took := time.Since(begin)
	return took, b.empty(ctx, namespace)
}

// empty deletes what the workloads have in a namespace.
func (b *bench) empty(ctx context.Context, namespace string) error {
	now := int64(0)
	for kind, resource := range resources {
		client := b.dynamic.Resource(resource).Namespace(namespace)
		err := until(ctx, "the end of every "+kind+" in "+namespace, patience, 100*time.Millisecond, func(ctx context.Context) (bool, error) {
			if err := client.DeleteCollection(ctx, metav1.DeleteOptions{GracePeriodSeconds: &now}, metav1.ListOptions{}); err != nil {
				return false, err
			}
			left, err := client.List(ctx, metav1.ListOptions{Limit: 1})
			return err == nil && len(left.Items) == 0, err
		})
		if err != nil {
			return fmt.Errorf("deleting every %s in %s: %w", kind, namespace, err)
		}
	}
	return nil
}

// remove deletes the applications of a workload and its objects. No operator runs that would take the one for the other.
func (b *bench) remove(ctx context.Context, w workload) error {
	if err := b.cluster.DeleteAllOf(ctx, &argov1.Application{}, client.InNamespace(control)); err != nil {
		return fmt.Errorf("deleting the applications of %s: %w", w.name, err)
	}
	return b.empty(ctx, w.name)
}
