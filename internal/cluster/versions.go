package cluster

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
)

// versionsTTL is how long an answer about versions is taken for true.
const versionsTTL = 10 * time.Second

// Versions is what a cluster says of itself.
type Versions struct {
	// Kubernetes is the version of the API server, for example "v1.37.2".
	Kubernetes string
	// APIs are the served group versions, each followed by its kinds: "apps/v1", "apps/v1/Deployment" and so on, sorted.
	// Kinds that cannot be both listed and watched are left out, and so are group versions with no others.
	APIs []string
}

// versionCache remembers the last answer of a cluster.
type versionCache struct {
	mutex    sync.Mutex
	until    time.Time
	versions Versions
	kinds    map[schema.GroupVersion][]string
}

// Versions asks the cluster for its versions, every ten seconds at most. A group version whose server does not answer keeps the
// kinds that it had: that an extension is down for a while must not change what is rendered for the cluster.
func (c *Conn) Versions(ctx context.Context) (Versions, error) {
	cache := &c.versions
	cache.mutex.Lock()
	defer cache.mutex.Unlock()
	if time.Now().Before(cache.until) {
		return cache.versions, nil
	}
	server := discovery.ToDiscoveryInterfaceWithContext(c.Discovery)
	info, err := server.ServerVersionWithContext(ctx)
	if err != nil {
		return Versions{}, fmt.Errorf("cluster %s: asking for its version: %w", c.Server, err)
	}
	_, lists, err := server.ServerGroupsAndResourcesWithContext(ctx)
	failed, partial := discovery.GroupDiscoveryFailedErrorGroups(err)
	if err != nil && !partial {
		return Versions{}, fmt.Errorf("cluster %s: asking for the kinds that it serves: %w", c.Server, err)
	}
	kinds := kindsOf(lists)
	for gv := range failed {
		kinds[gv] = cache.kinds[gv] // perhaps none are known: that the group version exists is known all the same
	}
	cache.kinds, cache.versions = kinds, Versions{Kubernetes: info.GitVersion, APIs: names(kinds)}
	cache.until = time.Now().Add(versionsTTL)
	return cache.versions, nil
}

// kindsOf are the kinds of each group version that can be listed and watched.
func kindsOf(lists []*metav1.APIResourceList) map[schema.GroupVersion][]string {
	kinds := map[schema.GroupVersion][]string{}
	for _, list := range lists {
		gv, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			continue // no such version can be asked for
		}
		for _, resource := range list.APIResources {
			if slices.Contains(resource.Verbs, "list") && slices.Contains(resource.Verbs, "watch") {
				kinds[gv] = append(kinds[gv], cmp.Or(resource.Kind, resource.Name))
			}
		}
	}
	return kinds
}

func names(kinds map[schema.GroupVersion][]string) (list []string) {
	for gv, of := range kinds {
		list = append(list, gv.String())
		for _, kind := range of {
			list = append(list, gv.String()+"/"+kind)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}
