package replay

import (
	"context"
	"errors"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
)

// cleanUp removes what the case left: it must not disturb others, nor a later run on the same control plane.
func (s *session) cleanUp(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	var failures []error
	for _, suffix := range s.suffixes {
		failures = append(failures, s.stop(ctx, suffix))
		if s.app(suffix) == nil {
			continue
		}
		failures = append(failures, s.cluster.release(ctx, named(object(argov1.GroupVersion.String(), "Application", s.names[suffix], s.options.Namespace), "")),
			s.applications.remove(ctx, s.names[suffix]))
	}
	objects, err := s.live(ctx, s.inventory.rows())
	failures = append(failures, err)
	for key, o := range objects {
		if s.keeps(key) {
			continue
		}
		left := named(o.Object, "")
		if len(o.GetFinalizers()) > 0 {
			failures = append(failures, s.cluster.release(ctx, left))
		}
		failures = append(failures, s.cluster.remove(ctx, left))
		if key.kind == "CustomResourceDefinition" || key.kind == "APIService" || key.kind == "Application" {
			s.cluster.gone(ctx, left, 15*time.Second)
		}
	}
	for _, o := range s.c.Pre {
		failures = append(failures, s.cluster.remove(ctx, named(o, s.c.namespace())))
	}
	for _, name := range s.namespaces {
		failures = append(failures, s.cluster.remove(ctx, Object{APIVersion: "v1", Kind: "Namespace", Name: name}))
	}
	return errors.Join(failures...)
}

// keeps says what is not removed one by one: namespaces of the case take their content along, and some belong to nobody.
func (s *session) keeps(key objectKey) bool {
	switch key.kind {
	case "Namespace":
		return s.isOwnNamespace(key.name) || key.name == metav1.NamespaceDefault || key.name == metav1.NamespaceSystem || key.name == s.options.Namespace
	case "CustomResourceDefinition":
		return strings.HasSuffix(key.name, "."+argov1.GroupVersion.Group)
	}
	return false
}
