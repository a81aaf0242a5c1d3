package replay

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// listed are the kinds that are looked for in the namespaces of a case.
var listed = []Object{
	{APIVersion: "v1", Kind: "ConfigMap"},
	{APIVersion: "v1", Kind: "Secret"},
	{APIVersion: "v1", Kind: "Service"},
	{APIVersion: "v1", Kind: "ServiceAccount"},
	{APIVersion: "v1", Kind: "PersistentVolumeClaim"},
	{APIVersion: "v1", Kind: "Pod"},
	{APIVersion: "v1", Kind: "ReplicationController"},
	{APIVersion: "v1", Kind: "ResourceQuota"},
	{APIVersion: "v1", Kind: "LimitRange"},
	{APIVersion: "apps/v1", Kind: "Deployment"},
	{APIVersion: "apps/v1", Kind: "StatefulSet"},
	{APIVersion: "apps/v1", Kind: "DaemonSet"},
	{APIVersion: "apps/v1", Kind: "ReplicaSet"},
	{APIVersion: "batch/v1", Kind: "Job"},
	{APIVersion: "batch/v1", Kind: "CronJob"},
	{APIVersion: "rbac.authorization.k8s.io/v1", Kind: "Role"},
	{APIVersion: "rbac.authorization.k8s.io/v1", Kind: "RoleBinding"},
	{APIVersion: "networking.k8s.io/v1", Kind: "Ingress"},
	{APIVersion: "networking.k8s.io/v1", Kind: "NetworkPolicy"},
	{APIVersion: "policy/v1", Kind: "PodDisruptionBudget"},
	{APIVersion: "autoscaling/v2", Kind: "HorizontalPodAutoscaler"},
}

// objectKey names an object in a record.
type objectKey struct{ kind, namespace, name string }

type objects map[objectKey]*unstructured.Unstructured

func sortedObjects(o objects) []objectKey {
	return slices.SortedFunc(maps.Keys(o), func(a, b objectKey) int {
		return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.namespace, b.namespace), cmp.Compare(a.name, b.name))
	})
}

// live reads the objects of the usual kinds without an owner in the namespaces of the case, the namespaces themselves, and
// the further objects that are named.
func (s *session) live(ctx context.Context, further []row) (objects, error) {
	found := objects{}
	for _, namespace := range s.namespaces {
		for _, kind := range listed {
			if err := s.list(ctx, kind, namespace, found); err != nil {
				return nil, err
			}
		}
		o, err := s.cluster.get(ctx, Object{APIVersion: "v1", Kind: "Namespace", Name: namespace})
		if err != nil {
			return nil, err
		}
		if o != nil {
			found[objectKey{"Namespace", "", namespace}] = o
		}
	}
	for _, r := range further {
		if found[objectKey{r.kind, r.namespace, r.name}] != nil {
			continue
		}
		if err := s.read(ctx, r, found); err != nil {
			return nil, err
		}
	}
	return found, nil
}

func (s *session) list(ctx context.Context, kind Object, namespace string, found objects) error {
	client, err := s.cluster.resource(kind.APIVersion, kind.Kind, namespace)
	if err != nil {
		return err
	}
	list, err := client.List(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("list %s in %s: %w", kind.Kind, namespace, err)
	}
	for i := range list.Items {
		o := &list.Items[i]
		o.SetAPIVersion(kind.APIVersion)
		o.SetKind(kind.Kind)
		// Every namespace has these two.
		standard := kind.Kind == "ConfigMap" && o.GetName() == "kube-root-ca.crt" || kind.Kind == "ServiceAccount" && o.GetName() == "default"
		if len(o.GetOwnerReferences()) == 0 && !standard {
			found[objectKey{kind.Kind, namespace, o.GetName()}] = o
		}
	}
	return nil
}

// read reads an object that a status names; without a version there, in the first version that has it.
func (s *session) read(ctx context.Context, r row, found objects) error {
	versions := []string{r.apiVersion()}
	if r.version == "" {
		var err error
		if versions, err = s.cluster.versions(r.group); err != nil {
			return err
		}
	}
	for _, version := range versions {
		o, err := s.cluster.get(ctx, Object{APIVersion: version, Kind: r.kind, Namespace: r.namespace, Name: r.name})
		// What a status names may be a place that no request can name, such as a namespaced kind without a namespace.
		if apierrors.IsNotFound(err) || apierrors.IsMethodNotSupported(err) || apierrors.IsBadRequest(err) {
			continue
		}
		if err != nil {
			return err
		}
		if o != nil {
			found[objectKey{r.kind, o.GetNamespace(), r.name}] = o
			return nil
		}
	}
	return nil
}

// interesting says that somebody has marked a namespace of the case, or that it was not there before.
func (s *session) interesting(namespace *unstructured.Unstructured) bool {
	labels := namespace.GetLabels()
	delete(labels, "kubernetes.io/metadata.name")
	return len(namespace.GetAnnotations()) > 0 || len(labels) > 0 || s.c.CreateNamespace
}

// identityFields are set by the API server, or differ from run to run.
var identityFields = []string{
	"uid", "resourceVersion", "creationTimestamp", "managedFields", "generation", "selfLink", "deletionTimestamp",
	"deletionGracePeriodSeconds",
}

// cleaned is an object without what differs from run to run, and without what the control plane assigns.
func cleaned(o *unstructured.Unstructured) map[string]any {
	content := o.DeepCopy().Object
	metadata := part(content, "metadata")
	if _, deleting := metadata["deletionTimestamp"]; deleting {
		metadata["deleting"] = true
	}
	remove(metadata, identityFields...)
	annotations := part(metadata, "annotations")
	remove(annotations, "kubectl.kubernetes.io/last-applied-configuration", "deployment.kubernetes.io/revision", "deprecated.daemonset.template.generation")
	maps.DeleteFunc(annotations, func(name string, _ any) bool { return strings.HasPrefix(name, "batch.kubernetes.io/") })
	remove(content, "status")
	spec := part(content, "spec")
	switch o.GetKind() {
	case "Service":
		cleanService(spec)
	case "Pod":
		remove(spec, "nodeName")
	case "Job":
		remove(spec, "selector")
		cleanJobLabels(metadata)
		cleanJobLabels(part(part(spec, "template"), "metadata"))
	case "CustomResourceDefinition":
		remove(spec, "conversion")
	case "Application":
		remove(content, "operation")
	}
	for _, name := range []string{"annotations", "labels", "finalizers"} {
		if isEmpty(metadata[name]) {
			delete(metadata, name)
		}
	}
	return content
}

func cleanService(spec map[string]any) {
	if spec["clusterIP"] != "None" {
		remove(spec, "clusterIP", "clusterIPs")
	}
	remove(spec, "healthCheckNodePort")
	ports, _ := spec["ports"].([]any)
	for _, port := range ports {
		if p, ok := port.(map[string]any); ok {
			remove(p, "nodePort")
		}
	}
}

// cleanJobLabels takes out the labels by which a Job finds its pods.
func cleanJobLabels(metadata map[string]any) {
	labels := part(metadata, "labels")
	remove(labels, "controller-uid", "batch.kubernetes.io/controller-uid", "job-name", "batch.kubernetes.io/job-name")
	if len(labels) == 0 {
		delete(metadata, "labels")
	}
}

// part is a field that is an object; an empty one when it is none.
func part(o map[string]any, field string) map[string]any {
	found, _ := o[field].(map[string]any)
	return found
}

func remove(o map[string]any, fields ...string) {
	for _, field := range fields {
		delete(o, field)
	}
}

func isEmpty(value any) bool {
	switch v := value.(type) {
	case map[string]any:
		return len(v) == 0
	case []any:
		return len(v) == 0
	}
	return value == nil
}
