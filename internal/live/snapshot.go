package live

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/tiphys-io/tiphys/internal/resource"
)

// Snapshot is what an application has in a cluster at one moment. Its objects are shared and must not be changed.
type Snapshot map[resource.Key]*unstructured.Unstructured
