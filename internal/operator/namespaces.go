package operator

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/policy"
)

// namespaces says where applications are served: in the control namespace always, and where application.namespaces says,
// a list of names, globs and expressions between slashes (contract 5.2).
type namespaces struct {
	control  string
	patterns []string
}

// newNamespaces refuses an entry that cannot be read: it would match nothing, and nobody would know why.
func newNamespaces(control string, entries []string) (namespaces, error) {
	served := namespaces{control: control}
	for _, pattern := range entries {
		if pattern = strings.TrimSpace(pattern); pattern == "" {
			continue
		}
		if err := policy.CheckNamespace(pattern); err != nil {
			return namespaces{}, fmt.Errorf("application-namespaces: %q is neither a name nor a glob such as team-* nor an expression such as /^team-.*$/: %w", pattern, err)
		}
		served.patterns = append(served.patterns, pattern)
	}
	return served, nil
}

// serves tells whether the applications of a namespace are served.
func (n namespaces) serves(namespace string) bool {
	return namespace == n.control || policy.MatchNamespace(n.patterns, namespace)
}

// watched are the namespaces whose applications are watched; nil stands for all, since a pattern may match any that comes.
func (n namespaces) watched() map[string]cache.Config {
	watched := map[string]cache.Config{n.control: {}}
	for _, pattern := range n.patterns {
		if len(validation.IsDNS1123Label(pattern)) > 0 {
			return nil
		}
		watched[pattern] = cache.Config{}
	}
	return watched
}

// servedReader lists only the applications that are served, of those that are watched.
type servedReader struct {
	client.Reader
	namespaces namespaces
}

// List lists objects; what is no list of applications is passed on as it is.
func (r servedReader) List(ctx context.Context, list client.ObjectList, opts ...client.ListOption) error {
	if err := r.Reader.List(ctx, list, opts...); err != nil {
		return err
	}
	if applications, ok := list.(*argov1.ApplicationList); ok {
		applications.Items = slices.DeleteFunc(applications.Items, func(app argov1.Application) bool {
			return !r.namespaces.serves(app.Namespace)
		})
	}
	return nil
}
