package settings

import (
	"fmt"

	"github.com/gobwas/glob"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"
)

// filter matches objects by group, kind and cluster; an empty list matches all (contract 5.1).
type filter struct {
	groups, kinds, clusters []glob.Glob
}

// alwaysExcluded are kinds that change without end and that nobody manages (contract 5.1).
var alwaysExcluded = map[schema.GroupKind]bool{
	{Kind: "Event"}: true,
	{Group: "coordination.k8s.io", Kind: "Lease"}: true,
}

var alwaysExcludedGroups = map[string]bool{
	"events.k8s.io":  true,
	"metrics.k8s.io": true,
}

// Excluded tells whether objects of the kind on the cluster, given by its server, are neither watched nor managed
// (contract 5.1): what matches an exclusion, what matches no inclusion if there are any, and a few kinds always.
func (s Settings) Excluded(gk schema.GroupKind, cluster string) bool {
	if alwaysExcluded[gk] || alwaysExcludedGroups[gk.Group] {
		return true
	}
	if len(s.inclusions) > 0 && !matchAny(s.inclusions, gk, cluster) {
		return true
	}
	return matchAny(s.exclusions, gk, cluster)
}

// ExcludedVersion changes whenever Excluded does.
func (s Settings) ExcludedVersion() string { return s.excludedVersion }

func matchAny(filters []filter, gk schema.GroupKind, cluster string) bool {
	for _, f := range filters {
		if matchGlobs(f.groups, gk.Group) && matchGlobs(f.kinds, gk.Kind) && matchGlobs(f.clusters, cluster) {
			return true
		}
	}
	return false
}

func matchGlobs(globs []glob.Glob, value string) bool {
	for _, g := range globs {
		if g.Match(value) {
			return true
		}
	}
	return len(globs) == 0
}

// filters reads a list of filters. One with a glob that cannot be read is left out as a whole: without that glob it
// might match everything.
func (p *parser) filters(key string) []filter {
	var entries []struct {
		APIGroups []string `json:"apiGroups"`
		Kinds     []string `json:"kinds"`
		Clusters  []string `json:"clusters"`
	}
	if err := yaml.Unmarshal([]byte(p.data[key]), &entries); err != nil {
		p.reject(key, err, filterRemedy)
		return nil
	}
	var filters []filter
	for i, entry := range entries {
		var f filter
		var err error
		for _, list := range []struct {
			name     string
			patterns []string
			into     *[]glob.Glob
		}{{"apiGroups", entry.APIGroups, &f.groups}, {"kinds", entry.Kinds, &f.kinds}, {"clusters", entry.Clusters, &f.clusters}} {
			if *list.into, err = compile(list.patterns); err != nil {
				err = fmt.Errorf("entry %d, %s: %w", i, list.name, err)
				break
			}
		}
		if err != nil {
			p.reject(key, err, filterRemedy)
			continue
		}
		filters = append(filters, f)
	}
	return filters
}

func compile(patterns []string) ([]glob.Glob, error) {
	var globs []glob.Glob
	for _, pattern := range patterns {
		compiled, err := glob.Compile(pattern)
		if err != nil {
			return nil, fmt.Errorf("glob %q: %w", pattern, err)
		}
		globs = append(globs, compiled)
	}
	return globs, nil
}
