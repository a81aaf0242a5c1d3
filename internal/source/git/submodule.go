package git

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path"
	"strings"

	"github.com/go-git/go-git/v5/config"

	"github.com/tiphys-io/tiphys/internal/credentials"
	"github.com/tiphys-io/tiphys/internal/source"
)

const (
	// maxSubmoduleDepth bounds submodules of submodules.
	maxSubmoduleDepth = 10
	// maxModulesBytes bounds .gitmodules.
	maxModulesBytes = 1 << 20

	modulesFile = ".gitmodules"
)

// submodule gives the tree of the commit that a directory is pinned to. The .gitmodules of the same commit says where it is.
func (t *tree) submodule(at *node) (*tree, error) {
	t.mu.Lock()
	known := t.submodules[at.path]
	t.mu.Unlock()
	if known != nil {
		return known, nil
	}
	sub, err := t.fetchSubmodule(at)
	if err != nil {
		return nil, fmt.Errorf("submodule %s: %w", at.path, err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.submodules[at.path] = sub
	return sub, nil
}

func (t *tree) fetchSubmodule(at *node) (*tree, error) {
	if t.depth >= maxSubmoduleDepth {
		return nil, fmt.Errorf("submodules are nested more than %d deep", maxSubmoduleDepth)
	}
	urls, err := t.moduleURLs()
	if err != nil {
		return nil, err
	}
	moduleURL, ok := urls[at.path]
	if !ok {
		return nil, fmt.Errorf("%s names no URL for this path", modulesFile)
	}
	repoURL, err := submoduleURL(t.repository.url, moduleURL)
	if err != nil {
		return nil, err
	}
	return t.repository.fetcher.fetchTree(t.ctx, source.Repository{URL: repoURL, Project: t.project, NamedBy: t.names}, at.hash.String(), t.depth+1)
}

// moduleURLs reads .gitmodules once.
func (t *tree) moduleURLs() (map[string]string, error) {
	t.mu.Lock()
	urls := t.modules
	t.mu.Unlock()
	if urls != nil {
		return urls, nil
	}
	n, err := t.walk(modulesFile, false)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("the repository has no %s", modulesFile)
	}
	if err != nil {
		return nil, err
	}
	if n.fileMode().Type() != 0 {
		return nil, fmt.Errorf("%s is not a file", modulesFile)
	}
	data, err := t.object(n.hash, maxModulesBytes)
	if err != nil {
		return nil, err
	}
	if urls, err = parseModules(data); err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.modules = urls
	return urls, nil
}

// parseModules reads a .gitmodules file: the URL for each path, as it is written.
func parseModules(data []byte) (map[string]string, error) {
	modules := config.NewModules()
	if err := guard(func() error { return modules.Unmarshal(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))) }); err != nil {
		return nil, fmt.Errorf("%s: %w", modulesFile, err)
	}
	urls := map[string]string{}
	for _, m := range modules.Submodules {
		at := strings.TrimSuffix(m.Path, "/")
		if fs.ValidPath(at) && at != "." && m.URL != "" {
			urls[at] = m.URL
		}
	}
	return urls, nil
}

// submoduleURL completes the URL of a submodule, which may be relative to that of its parent, and refuses protocols that
// would let a repository read what lies on this machine.
func submoduleURL(parent, module string) (string, error) {
	if module == "." || module == ".." || strings.HasPrefix(module, "./") || strings.HasPrefix(module, "../") {
		return joinURL(strings.TrimSpace(parent), module)
	}
	if strings.HasPrefix(module, "-") || strings.ContainsAny(module, "\x00\n\r") {
		return "", fmt.Errorf("the URL %q is not allowed", source.Sanitize(module))
	}
	if permittedProtocol(parent, module) {
		return module, nil
	}
	return "", fmt.Errorf("the URL %s is not allowed: use https, http, git, ssh or a relative URL", source.Sanitize(module))
}

// permittedProtocol tells whether a submodule may be read by the protocol of its URL.
func permittedProtocol(parent, module string) bool {
	scheme, _, found := strings.Cut(module, "://")
	if !found { // the short form of SSH: a colon before the first slash
		host, _, colon := strings.Cut(module, ":")
		return colon && host != "" && !strings.Contains(host, "/")
	}
	switch strings.ToLower(scheme) {
	case "http", "https", "git", "ssh":
		return true
	case "file":
		return isLocal(parent)
	}
	return false
}

// joinURL applies a relative URL to the path of another one; host and login stay.
func joinURL(parent, relative string) (string, error) {
	if host, base, isShort := shortSSH(parent); isShort {
		if escapes(strings.Trim(base, "/"), relative) {
			return "", fmt.Errorf("the URL %s climbs out of %s", relative, parent)
		}
		return host + ":" + path.Join(base, relative), nil
	}
	u, err := url.Parse(parent)
	if err != nil || u.Scheme == "" {
		return "", fmt.Errorf("the URL %s is relative, and that of the parent is not one it can be relative to", relative)
	}
	base := path.Join(".", strings.Trim(u.Path, "/"))
	if escapes(base, relative) {
		return "", fmt.Errorf("the URL %s climbs out of %s", relative, source.Sanitize(parent))
	}
	u.Path, u.RawPath = "/"+path.Join(base, relative), ""
	return u.String(), nil
}

// shortSSH splits the short form of SSH, user@host:path.
func shortSSH(repoURL string) (host, base string, isShort bool) {
	address, isSSH := credentials.ParseSSH(repoURL)
	if !isSSH || !address.Short {
		return "", "", false
	}
	return strings.TrimSuffix(strings.TrimSpace(repoURL), ":"+address.Path), address.Path, true
}
