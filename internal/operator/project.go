package operator

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
)

// defaultProject creates the AppProject "default", which permits everything, if it is missing (contract 7).
type defaultProject struct {
	client    client.Client
	namespace string
	// there is closed once the project can be read: an Application that is created together with the operator must not be
	// told that its project does not exist.
	there chan struct{}
}

// Start creates the project once this replica leads.
func (d defaultProject) Start(ctx context.Context) error {
	project := &argov1.AppProject{
		ObjectMeta: metav1.ObjectMeta{Name: argov1.DefaultProject, Namespace: d.namespace},
		Spec: argov1.AppProjectSpec{
			SourceRepos:              []string{"*"},
			Destinations:             []argov1.ApplicationDestination{{Server: "*", Namespace: "*"}},
			ClusterResourceWhitelist: []argov1.ClusterResourceRestrictionItem{{Group: "*", Kind: "*"}},
		},
	}
	err := d.client.Create(ctx, project)
	if apierrors.IsNotFound(err) {
		return fmt.Errorf("the control namespace %s does not exist: create it, or name another (--namespace, $POD_NAMESPACE): %w", d.namespace, err)
	}
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("creating the default project in namespace %s: %w", d.namespace, err)
	}
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := d.client.Get(ctx, client.ObjectKeyFromObject(project), project)
		if err == nil {
			close(d.there)
			return nil
		}
		if !apierrors.IsNotFound(err) {
			return fmt.Errorf("reading the default project in namespace %s: %w", d.namespace, err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}
