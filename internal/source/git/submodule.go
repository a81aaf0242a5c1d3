package git

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path"
	"strings"

	"github.com/go-git/go-git/v5/config"
	"github.com/go-git/go-git/v5/plumbing/filemode"

	"github.com/tiphys-io/tiphys/internal/source"
)

// maxSubmoduleDepth bounds submodules of submodules.
const maxSubmoduleDepth = 10

// fetchSubmodules reads the commits that the tree's submodules are pinned to.
func (f *Fetcher) fetchSubmodules(ctx context.Context, t *tree, repoURL string, depth int) error {
	data, err := t.ReadFile(".gitmodules")
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return failure(repoURL, err)
	}
	if depth == maxSubmoduleDepth {
		return failure(repoURL, fmt.Errorf("submodules are nested more than %d deep", maxSubmoduleDepth))
	}
	modules, err := submodules(data, repoURL)
	if err != nil {
		return failure(repoURL, err)
	}
	t.submodules = map[string]*tree{}
	for modulePath, moduleURL := range modules {
		parent, err := t.walk(path.Dir(modulePath), 0)
		if err != nil || parent.dir == nil {
			continue
		}
		link, err := parent.find(path.Base(modulePath))
		if err != nil || link.mode != filemode.Submodule {
			continue
		}
		sub, err := f.fetchTree(ctx, moduleURL, link.hash.String(), depth+1)
		if err != nil {
			return fmt.Errorf("submodule %s: %w", modulePath, err)
		}
		t.submodules[modulePath] = sub
	}
	return nil
}

// submodules reads .gitmodules: the URL for each path. A URL may use no protocol that reads the local disk unless the
// repository itself lies there.
func submodules(data []byte, repoURL string) (map[string]string, error) {
	modules := config.NewModules()
	if err := modules.Unmarshal(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))); err != nil {
		return nil, fmt.Errorf(".gitmodules: %w", err)
	}
	urls := map[string]string{}
	for name, module := range modules.Submodules {
		if !fs.ValidPath(module.Path) || module.Path == "." {
			return nil, fmt.Errorf(".gitmodules: submodule %q has the invalid path %q", name, module.Path)
		}
		resolved, err := submoduleURL(repoURL, module.URL)
		if err != nil {
			return nil, fmt.Errorf(".gitmodules: submodule %q: %w", name, err)
		}
		urls[module.Path] = resolved
	}
	return urls, nil
}

// submoduleURL resolves a relative URL against the repository's.
func submoduleURL(repoURL, moduleURL string) (string, error) {
	if strings.HasPrefix(moduleURL, "./") || strings.HasPrefix(moduleURL, "../") {
		base, err := url.Parse(repoURL)
		if err != nil {
			return "", fmt.Errorf("relative to a repository URL that cannot be read: %w", err)
		}
		base.Path = path.Join(base.Path, moduleURL)
		return base.String(), nil
	}
	parsed, err := url.Parse(moduleURL)
	if err != nil {
		return "", fmt.Errorf("its URL cannot be read")
	}
	_, local := localPath(repoURL)
	switch parsed.Scheme {
	case "http", "https", "git":
		return moduleURL, nil
	case "file":
		if local {
			return moduleURL, nil
		}
	}
	return "", fmt.Errorf("the URL %s is not permitted: use http, https or git", source.Sanitize(moduleURL))
}
