package receiver

import (
	"net/url"
	"regexp"
	"strings"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
)

// address is the URL of a repository as applications write it, in any of Git's forms: with or without scheme and user, a port
// or none, and a path behind a slash or a colon.
var address = regexp.MustCompile(`(?i)^(?:(https?|ssh)://)?(?:[\w.][^/]*@)?([^/:@]+)(?::(\d*))?[:/](.+)$`)

// ociScheme marks an artifact in a registry.
const ociScheme = "oci://"

// Keys are what an application is found by when something is pushed to one of its repositories.
func Keys(app *argov1.Application) []string {
	var keys []string
	seen := map[string]bool{}
	for _, source := range sourcesOf(app) {
		for _, key := range sourceKeys(source) {
			if !seen[key] {
				seen[key] = true
				keys = append(keys, key)
			}
		}
	}
	return keys
}

// sourcesOf lists all that an application reads: with a hydrator the branch with manifests, and what they are made of.
func sourcesOf(app *argov1.Application) argov1.ApplicationSources {
	sources := app.Spec.GetSources()
	if hydrator := app.Spec.SourceHydrator; hydrator != nil {
		sources = append(sources, drySource(hydrator))
	}
	return sources
}

func drySource(hydrator *argov1.SourceHydrator) argov1.ApplicationSource {
	dry := hydrator.DrySource
	return argov1.ApplicationSource{RepoURL: dry.RepoURL, TargetRevision: dry.TargetRevision, Path: dry.Path}
}

func sourceKeys(source argov1.ApplicationSource) []string {
	if source.Chart != "" || hasOCIScheme(source.RepoURL) {
		return []string{artifactKey(source)}
	}
	return gitKeys(source.RepoURL)
}

// gitKeys are host and path of a repository, in lower case: neither scheme, user, port nor ".git" count, nor whether SSH has a
// name of its own for the host (contract 5.6).
func gitKeys(repoURL string) []string {
	match := address.FindStringSubmatch(strings.TrimSpace(repoURL))
	if match == nil {
		return nil
	}
	scheme, host, port := match[1], strings.ToLower(match[2]), match[3]
	paths := []string{trimPath(match[4])}
	if scheme == "" && port != "" {
		paths = append(paths, trimPath(port+"/"+match[4])) // it may be the first part of the path as well
	}
	hosts := []string{host}
	for _, prefix := range []string{"ssh.", "altssh."} {
		if rest, ok := strings.CutPrefix(host, prefix); ok {
			hosts = append(hosts, rest)
		}
	}
	var keys []string
	for _, host := range hosts {
		for _, path := range paths {
			if path != "" {
				keys = append(keys, host+"/"+path)
			}
		}
	}
	return keys
}

func trimPath(path string) string {
	return strings.TrimSuffix(strings.TrimRight(strings.ToLower(path), "/"), ".git")
}

// webKey is the key of a repository for the URL that an event gives; empty for an empty one.
func webKey(webURL string) (string, error) {
	u, err := url.Parse(webURL)
	if err != nil {
		return "", err
	}
	path := trimPath(strings.TrimPrefix(u.EscapedPath(), "/"))
	if u.Hostname() == "" || path == "" {
		return "", nil
	}
	return strings.ToLower(u.Hostname()) + "/" + path, nil
}

// artifactKey is the key of a chart or artifact in a registry. It has the scheme, so that no repository of Git is meant.
func artifactKey(source argov1.ApplicationSource) string {
	name := normalizeOCI(source.RepoURL)
	if source.Chart != "" {
		name += "/" + strings.ToLower(source.Chart)
	}
	return ociScheme + name
}

func (a Artifact) key() string { return ociScheme + normalizeOCI(a.Registry+"/"+a.Repository) }

func hasOCIScheme(repoURL string) bool {
	return len(repoURL) >= len(ociScheme) && strings.EqualFold(repoURL[:len(ociScheme)], ociScheme)
}

// normalizeOCI gives one spelling to what is in a registry.
func normalizeOCI(repoURL string) string {
	return strings.TrimRight(strings.TrimPrefix(strings.ToLower(strings.TrimSpace(repoURL)), ociScheme), "/")
}
