package replay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
)

// userAgent tells the requests of this package from those of the controller, in the audit log.
const userAgent = "recorder"

// errNotServed is about a kind that the API server does not serve.
var errNotServed = errors.New("kind is not served")

// cluster is the control plane: objects of any kind.
type cluster struct {
	dynamic   dynamic.Interface
	discovery discovery.DiscoveryInterface
	host      string // Address of the API server, host and port.
	version   string // Its version, without the v.

	mu    sync.Mutex
	kinds map[schema.GroupVersionKind]served
}

// served is how the API server serves a kind.
type served struct {
	schema.GroupVersionResource
	namespaced bool
}

// name is the resource as audit logs and records have it: "deployments.apps".
func (s served) name() string { return s.GroupResource().String() }

func newCluster(config *rest.Config) (*cluster, error) {
	config = rest.CopyConfig(config)
	config.UserAgent = userAgent
	config.QPS = -1
	config.WarningHandlerWithContext = rest.NoWarnings{} // They are about how the cases are written.
	address, err := url.Parse(config.Host)
	if err != nil {
		return nil, fmt.Errorf("address of the API server: %w", err)
	}
	c := &cluster{host: address.Host, kinds: map[schema.GroupVersionKind]served{}}
	if c.dynamic, err = dynamic.NewForConfig(config); err != nil {
		return nil, fmt.Errorf("client of the control plane: %w", err)
	}
	if c.discovery, err = discovery.NewDiscoveryClientForConfig(config); err != nil {
		return nil, fmt.Errorf("client of the control plane: %w", err)
	}
	version, err := c.discovery.ServerVersion()
	if err != nil {
		return nil, fmt.Errorf("version of the control plane: %w", err)
	}
	c.version = strings.TrimPrefix(version.GitVersion, "v")
	return c, nil
}

// served asks how a kind is served; errNotServed when it is not.
func (c *cluster) served(apiVersion, kind string) (served, error) {
	group, err := schema.ParseGroupVersion(apiVersion)
	if err != nil {
		return served{}, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if s, found := c.kinds[group.WithKind(kind)]; found {
		return s, nil
	}
	resources, err := c.discovery.ServerResourcesForGroupVersion(apiVersion)
	if apierrors.IsNotFound(err) {
		return served{}, fmt.Errorf("%s %s: %w", apiVersion, kind, errNotServed)
	}
	if err != nil {
		return served{}, fmt.Errorf("kinds of %s: %w", apiVersion, err)
	}
	for _, r := range resources.APIResources {
		if r.Kind != kind || strings.Contains(r.Name, "/") {
			continue
		}
		s := served{GroupVersionResource: group.WithResource(r.Name), namespaced: r.Namespaced}
		// The kinds of a case's own CRDs come and go.
		if !strings.Contains(group.Group, ".") || strings.HasSuffix(group.Group, ".k8s.io") {
			c.kinds[group.WithKind(kind)] = s
		}
		return s, nil
	}
	return served{}, fmt.Errorf("%s %s: %w", apiVersion, kind, errNotServed)
}

// versions are the API versions of a group, none when it is not served.
func (c *cluster) versions(group string) ([]string, error) {
	groups, err := c.discovery.ServerGroups()
	if err != nil {
		return nil, fmt.Errorf("API groups: %w", err)
	}
	var versions []string
	for _, g := range groups.Groups {
		if g.Name != group {
			continue
		}
		for _, v := range g.Versions {
			versions = append(versions, v.GroupVersion)
		}
	}
	return versions, nil
}

// resource is the client for a kind in a namespace, which does not count where the kind has none.
func (c *cluster) resource(apiVersion, kind, namespace string) (dynamic.ResourceInterface, error) {
	s, err := c.served(apiVersion, kind)
	if err != nil {
		return nil, err
	}
	if s.namespaced && namespace != "" {
		return c.dynamic.Resource(s.GroupVersionResource).Namespace(namespace), nil
	}
	return c.dynamic.Resource(s.GroupVersionResource), nil
}

// get reads an object; nil when there is none, or no such kind.
func (c *cluster) get(ctx context.Context, o Object) (*unstructured.Unstructured, error) {
	client, err := c.resource(o.APIVersion, o.Kind, o.Namespace)
	if errors.Is(err, errNotServed) {
		return nil, nil //nolint:nilnil // That an object is not there is an answer.
	}
	if err != nil {
		return nil, err
	}
	found, err := client.Get(ctx, o.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil //nolint:nilnil // That an object is not there is an answer.
	}
	return found, err
}

// applyPatience bounds how long an object is applied again and again until the API server takes it.
const applyPatience = 6 * time.Second

// apply applies an object on the server; one without a namespace goes to the given one.
func (c *cluster) apply(ctx context.Context, content map[string]any, namespace string) error {
	o := named(content, namespace)
	data, err := json.Marshal(content)
	if err != nil {
		return fmt.Errorf("apply %s/%s: %w", o.Kind, o.Name, err)
	}
	force := true
	var failure error
	taken := poll(ctx, pollPause, applyPatience, func() bool {
		client, err := c.resource(o.APIVersion, o.Kind, o.Namespace)
		if err == nil {
			_, err = client.Patch(ctx, o.Name, types.ApplyPatchType, data, metav1.PatchOptions{FieldManager: userAgent, Force: &force})
		}
		failure = err
		return err == nil
	})
	if !taken {
		return fmt.Errorf("apply %s/%s: %w", o.Kind, o.Name, failure)
	}
	return nil
}

// create makes an object; one without a namespace goes to the given one. One that exists stays as it is.
func (c *cluster) create(ctx context.Context, content map[string]any, namespace string) error {
	o := named(content, namespace)
	client, err := c.resource(o.APIVersion, o.Kind, o.Namespace)
	if err == nil {
		_, err = client.Create(ctx, &unstructured.Unstructured{Object: content}, metav1.CreateOptions{})
	}
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("create %s/%s: %w", o.Kind, o.Name, err)
	}
	return nil
}

// remove deletes an object in the background; one that is gone is no error.
func (c *cluster) remove(ctx context.Context, o Object) error {
	client, err := c.resource(o.APIVersion, o.Kind, o.Namespace)
	if errors.Is(err, errNotServed) {
		return nil
	}
	if err == nil {
		policy := metav1.DeletePropagationBackground
		err = client.Delete(ctx, o.Name, metav1.DeleteOptions{PropagationPolicy: &policy})
	}
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("delete %s/%s: %w", o.Kind, o.Name, err)
	}
	return nil
}

// gone waits until an object is no longer there, and says whether it went in time.
func (c *cluster) gone(ctx context.Context, o Object, limit time.Duration) bool {
	return poll(ctx, pollPause, limit, func() bool {
		found, err := c.get(ctx, o)
		return err == nil && found == nil
	})
}

// named is the name of an object, which is in the given namespace when it says nothing else.
func named(content map[string]any, namespace string) Object {
	u := unstructured.Unstructured{Object: content}
	o := Object{APIVersion: u.GetAPIVersion(), Kind: u.GetKind(), Namespace: u.GetNamespace(), Name: u.GetName()}
	if o.Namespace == "" {
		o.Namespace = namespace
	}
	return o
}

// Times between two looks at what has no watch: at one object, and at all objects of a case.
const (
	pollPause   = 100 * time.Millisecond
	surveyPause = 500 * time.Millisecond
)

// poll looks until a condition holds, and says whether it did before the limit.
func poll(ctx context.Context, pause, limit time.Duration, condition func() bool) bool {
	ticker := time.NewTicker(pause)
	defer ticker.Stop()
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	for {
		if condition() {
			return true
		}
		select {
		case <-ticker.C:
		case <-deadline.C:
			return false
		case <-ctx.Done():
			return false
		}
	}
}

// pause waits.
func pause(ctx context.Context, length time.Duration) {
	timer := time.NewTimer(length)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
