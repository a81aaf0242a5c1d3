package live

import (
	"context"
	"fmt"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/tiphys-io/tiphys/internal/cluster"
	"github.com/tiphys-io/tiphys/internal/resource"
)

// directReads is how many objects are read at the same time.
const directReads = 16

// Reference names an object in a version of its kind.
type Reference struct {
	Kind            schema.GroupVersionKind
	Namespace, Name string
}

// Direct reads objects once, each by its name, for somebody who does not watch. Those that do not exist are left out, and so
// are those of kinds that the cluster does not serve.
func Direct(ctx context.Context, conn *cluster.Conn, references []Reference) (Snapshot, error) {
	var (
		all   sync.WaitGroup
		mu    sync.Mutex
		found = Snapshot{}
		first error
		slots = make(chan struct{}, directReads)
	)
	for _, reference := range references {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			obj, err := reference.read(ctx, conn)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err != nil && first == nil:
				first = err
			case obj != nil:
				found[resource.KeyOf(obj)] = obj
			}
		})
	}
	all.Wait()
	if first != nil {
		return nil, first
	}
	return found, nil
}

// read gives nil for an object that is not there.
func (r Reference) read(ctx context.Context, conn *cluster.Conn) (*unstructured.Unstructured, error) {
	named := &unstructured.Unstructured{}
	named.SetGroupVersionKind(r.Kind)
	named.SetNamespace(r.Namespace)
	client, err := conn.Client(named)
	if cluster.IsUnknownKind(err) {
		return nil, nil //nolint:nilnil // an object of an unknown kind is not there
	}
	if err != nil {
		return nil, fmt.Errorf("looking up kind %s: %w", r.Kind.GroupKind(), err)
	}
	obj, err := client.Get(ctx, r.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil //nolint:nilnil // that it is missing is an answer
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s %s: %w", r.Kind.GroupKind(), namespacedName(r.Namespace, r.Name), err)
	}
	return obj, nil
}

func namespacedName(namespace, name string) string {
	if namespace == "" {
		return name
	}
	return namespace + "/" + name
}
