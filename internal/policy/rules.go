package policy

import (
	"fmt"
	"path"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
)

// applicationNamespacePermitted: applications outside the control namespace need the project's consent.
func applicationNamespacePermitted(in Input) []string {
	namespace := in.Application.Namespace
	if namespace == "" || namespace == in.ControlNamespace || MatchNamespace(in.Project.Spec.SourceNamespaces, namespace) {
		return nil
	}
	return []string{fmt.Sprintf("application '%s' in namespace '%s' is not allowed to use project %s",
		in.Application.Name, namespace, in.Project.Name)}
}

func sourcesPermitted(in Input) []string {
	var violations, seen []string
	for _, repository := range repositories(&in.Application.Spec) {
		if slices.Contains(seen, repository) {
			continue
		}
		seen = append(seen, repository)
		if !isSourcePermitted(in.Project.Spec.SourceRepos, repository) {
			violations = append(violations, fmt.Sprintf("application repo %s is not permitted in project '%s'", repository, in.Project.Name))
		}
	}
	return violations
}

func repositories(spec *argov1.ApplicationSpec) []string {
	var urls []string
	if spec.SourceHydrator != nil {
		urls = append(urls, spec.SourceHydrator.DrySource.RepoURL)
	}
	for _, source := range spec.GetSources() {
		urls = append(urls, source.RepoURL)
	}
	return urls
}

func isSourcePermitted(patterns []string, repository string) bool {
	permitted := false
	for _, pattern := range patterns {
		if inner, negated := strings.CutPrefix(pattern, negation); negated {
			pattern = negation + normalizeURL(inner)
		} else {
			pattern = normalizeURL(pattern)
		}
		switch judge(pattern, normalizeURL(repository), '/') {
		case forbids:
			return false
		case matches:
			permitted = true
		}
	}
	return permitted
}

// normalizeURL makes the URLs of one repository equal (contract 7): surrounding space, case, the suffix .git and the form
// of SSH URLs do not matter. It works on patterns too, so it must not parse.
func normalizeURL(url string) string {
	url = strings.ToLower(strings.TrimSpace(url))
	if !strings.Contains(url, "://") {
		if user, rest, isSSH := strings.Cut(url, "@"); isSSH && !strings.ContainsAny(user, "/:") {
			url = user + "@" + strings.Replace(rest, ":", "/", 1)
		}
	}
	return strings.TrimSuffix(strings.TrimPrefix(url, "ssh://"), ".git")
}

func destinationPermitted(in Input) []string {
	namespace := in.Application.Spec.Destination.Namespace
	if isDestinationPermitted(in, namespace) {
		return nil
	}
	return []string{fmt.Sprintf("application destination server '%s' and namespace '%s' do not match any of the allowed destinations in project '%s'",
		in.Cluster.Server, namespace, in.Project.Name)}
}

func isDestinationPermitted(in Input, namespace string) bool {
	permitted := false
	for _, destination := range in.Project.Spec.Destinations {
		switch judgeDestination(destination, in.Cluster, namespace) {
		case forbids:
			return false
		case matches:
			permitted = true
		}
	}
	if !permitted || !in.Project.Spec.PermitOnlyProjectScopedClusters {
		return permitted
	}
	return slices.ContainsFunc(in.ProjectClusters, func(own Cluster) bool {
		return own.Server != "" && own.Server == in.Cluster.Server || own.Name != "" && own.Name == in.Cluster.Name
	})
}

// judgeDestination: one entry matches by server or by name, and by namespace. A negated part forbids only together with
// the other part of its entry: a namespace on the clusters of the entry, a cluster for its namespaces.
func judgeDestination(entry argov1.ApplicationDestination, cluster Cluster, namespace string) verdict {
	byServer, byName := judgeCluster(entry.Server, cluster.Server), judgeCluster(entry.Name, cluster.Name)
	byNamespace := judge(entry.Namespace, namespace)
	switch {
	case byServer == matches || byName == matches:
		return byNamespace
	case (byServer == forbids || byName == forbids) && byNamespace == matches:
		return forbids
	default:
		return misses
	}
}

// judgeCluster: a part of the cluster that is not known is matched by nothing, and forbidden when anything is.
func judgeCluster(pattern, value string) verdict {
	if value != "" {
		return judge(pattern, value)
	}
	if strings.HasPrefix(pattern, negation) {
		return forbids
	}
	return misses
}

func kindPermitted(in Input) []string {
	permitted := isClusterKindPermitted
	if in.Object.Namespaced {
		permitted = isNamespacedKindPermitted
	}
	if permitted(&in.Project.Spec, in.Object) {
		return nil
	}
	return []string{fmt.Sprintf("resource %s:%s is not permitted in project %s", in.Object.Group, in.Object.Kind, in.Project.Name)}
}

// isNamespacedKindPermitted: no whitelist permits all kinds, an empty one none (contract 7).
func isNamespacedKindPermitted(spec *argov1.AppProjectSpec, object Object) bool {
	listed := func(item metav1.GroupKind) bool { return matchKind(item.Group, item.Kind, object) }
	if spec.NamespaceResourceWhitelist != nil && !slices.ContainsFunc(spec.NamespaceResourceWhitelist, listed) {
		return false
	}
	return !slices.ContainsFunc(spec.NamespaceResourceBlacklist, listed)
}

// isClusterKindPermitted: without a whitelist, or with an empty one, nothing is permitted (contract 7).
func isClusterKindPermitted(spec *argov1.AppProjectSpec, object Object) bool {
	listed := func(item argov1.ClusterResourceRestrictionItem) bool {
		return matchKind(item.Group, item.Kind, object) && (item.Name == "" || matchGlob(item.Name, object.Name))
	}
	return slices.ContainsFunc(spec.ClusterResourceWhitelist, listed) && !slices.ContainsFunc(spec.ClusterResourceBlacklist, listed)
}

func matchKind(group, kind string, object Object) bool {
	groupMatches, groupErr := path.Match(group, object.Group)
	kindMatches, kindErr := path.Match(kind, object.Kind)
	return groupErr == nil && kindErr == nil && groupMatches && kindMatches
}

// objectNamespacePermitted: an object may say another namespace than the destination's, but only a permitted one.
func objectNamespacePermitted(in Input) []string {
	if !in.Object.Namespaced || in.Object.Namespace == "" || isDestinationPermitted(in, in.Object.Namespace) {
		return nil
	}
	return []string{fmt.Sprintf("namespace %s is not permitted in project '%s'", in.Object.Namespace, in.Project.Name)}
}
