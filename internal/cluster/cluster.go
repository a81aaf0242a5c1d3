// Package cluster connects to destination clusters: a client for any kind, and the kinds that the cluster serves.
package cluster

import (
	"fmt"
	"net/http"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
)

// requestTimeout bounds the wait for the headers of an answer; watches, whose answer begins at once, outlive it.
const requestTimeout = 60 * time.Second

// Conn is a connection to one destination cluster. It is safe for concurrent use.
type Conn struct {
	// Server and Name are the two ways in which an Application names the cluster.
	Server string
	Name   string
	// Dynamic reads and writes objects of any kind.
	Dynamic dynamic.Interface
	// Metadata lists the metadata of objects of any kind.
	Metadata metadata.Interface
	// Discovery tells which kinds the cluster serves.
	Discovery discovery.DiscoveryInterface
	// Mapper maps kinds to resources; an unknown kind makes it ask the cluster again.
	Mapper meta.RESTMapper

	versions versionCache
	mappings sync.Map // schema.GroupVersionKind -> *meta.RESTMapping, those that were found
}

// InCluster connects to the cluster that the operator itself runs in.
func InCluster(config *rest.Config) (*Conn, error) {
	return Connect(config, argov1.InClusterServer, argov1.InClusterName)
}

// Connect prepares a connection; nothing is sent yet. The rate of requests is not limited here: the API server's priority
// and fairness does that, and apply bounds what is in flight.
func Connect(config *rest.Config, server, name string) (*Conn, error) {
	config = rest.CopyConfig(config)
	config.QPS = -1
	// What the API server warns of stands in what it answers; the default would print it beside the log, values and all.
	config.WarningHandler = rest.NoWarnings{}
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return &headerDeadline{next: next, timeout: requestTimeout}
	})
	Retry(config)
	httpClient, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("cluster %s: %w", server, err)
	}
	conn := &Conn{Server: server, Name: name}
	if conn.Dynamic, err = dynamic.NewForConfigAndClient(config, httpClient); err != nil {
		return nil, fmt.Errorf("cluster %s: %w", server, err)
	}
	if conn.Metadata, err = metadata.NewForConfigAndClient(config, httpClient); err != nil {
		return nil, fmt.Errorf("cluster %s: %w", server, err)
	}
	if conn.Discovery, err = discovery.NewDiscoveryClientForConfigAndClient(config, httpClient); err != nil {
		return nil, fmt.Errorf("cluster %s: %w", server, err)
	}
	if conn.Mapper, err = apiutil.NewDynamicRESTMapper(config, httpClient); err != nil {
		return nil, fmt.Errorf("cluster %s: %w", server, err)
	}
	return conn, nil
}

// Mapping is the resource that serves a kind; without a version, in the preferred one. IsUnknownKind tells whether the error
// means that there is none. What was found once is kept, as in the mapper below, whose search through all kinds is too slow to
// be made for every object.
func (c *Conn) Mapping(gvk schema.GroupVersionKind) (*meta.RESTMapping, error) {
	if known, ok := c.mappings.Load(gvk); ok {
		if mapping, ok := known.(*meta.RESTMapping); ok {
			return mapping, nil
		}
	}
	var versions []string
	if gvk.Version != "" {
		versions = append(versions, gvk.Version)
	}
	mapping, err := c.Mapper.RESTMapping(gvk.GroupKind(), versions...)
	if err != nil {
		return nil, err
	}
	c.mappings.Store(gvk, mapping)
	return mapping, nil
}

// IsUnknownKind tells whether a lookup failed because the cluster does not serve the kind, rather than because it could
// not be asked.
func IsUnknownKind(err error) bool {
	return meta.IsNoMatchError(err)
}

// Namespaced tells whether objects of the kind live in namespaces.
func (c *Conn) Namespaced(gvk schema.GroupVersionKind) (bool, error) {
	mapping, err := c.Mapping(gvk)
	if err != nil {
		return false, err
	}
	return mapping.Scope.Name() == meta.RESTScopeNameNamespace, nil
}

// Client is the client for obj, in its namespace if its kind is namespaced.
func (c *Conn) Client(obj *unstructured.Unstructured) (dynamic.ResourceInterface, error) {
	mapping, err := c.Mapping(obj.GroupVersionKind())
	if err != nil {
		return nil, err
	}
	if mapping.Scope.Name() == meta.RESTScopeNameNamespace {
		return c.Dynamic.Resource(mapping.Resource).Namespace(obj.GetNamespace()), nil
	}
	return c.Dynamic.Resource(mapping.Resource), nil
}
