package git

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/tiphys-io/tiphys/internal/source"
)

// Fingerprint implements [source.Tree]. Nothing is fetched: what lies in a submodule is identified by its commit.
func (t *tree) Fingerprint(name string, aspect source.Aspect) (string, error) {
	if !fs.ValidPath(name) {
		return "invalid", nil
	}
	n, rest, err := t.reach(name, aspect != source.Entry)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "missing", nil
	case errors.Is(err, source.ErrLinkEscapes), errors.Is(err, source.ErrLinkLoop):
		return "error " + err.Error(), nil
	case err != nil:
		return "", err
	case n.mode == modeSubmodule:
		return fmt.Sprintf("submodule %s %s\x00%s", n.hash, strings.Join(rest, "/"), n.path), nil
	case n.mode != modeDir || aspect == source.Everything:
		return fmt.Sprintf("%o %s\x00%s", n.mode, n.hash, n.path), nil
	case aspect == source.Listing:
		return n.listing()
	}
	return "directory\x00" + n.path, nil
}

// listing identifies the names and kinds of a directory's entries.
func (n *node) listing() (string, error) {
	d, err := n.tree.dir(n.hash)
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	for _, e := range d {
		_, _ = fmt.Fprintf(sum, "%o %s\x00", e.mode, e.name)
	}
	return fmt.Sprintf("listing %s\x00%s", hex.EncodeToString(sum.Sum(nil)), n.path), nil
}

// maxEntries is how many entries of directories are remembered, of all repositories together.
const maxEntries = 100_000

// dirCache remembers directories by their ids, which say what is in them whatever the repository. All trees share it: a
// thousand applications of one commit go through the same directories.
type dirCache struct {
	mu      sync.Mutex
	dirs    map[plumbing.Hash]dir
	entries int
	roots   map[plumbing.Hash]plumbing.Hash // of commits
}

// root is the root of a commit.
func (c *dirCache) root(commit plumbing.Hash) (plumbing.Hash, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	root, ok := c.roots[commit]
	return root, ok
}

// maxRoots is of how many commits the root is remembered.
const maxRoots = 1000

func (c *dirCache) putRoot(commit, root plumbing.Hash) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.roots == nil || len(c.roots) >= maxRoots {
		c.roots = map[plumbing.Hash]plumbing.Hash{}
	}
	c.roots[commit] = root
}

func (c *dirCache) get(hash plumbing.Hash) (dir, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	d, ok := c.dirs[hash]
	return d, ok
}

// put remembers a directory. When there are too many, all are forgotten: those that are used come back at once.
func (c *dirCache) put(hash plumbing.Hash, d dir) {
	c.mu.Lock()
	defer c.mu.Unlock()
	size := len(d) + 1
	if c.entries += size; c.dirs == nil || c.entries > maxEntries {
		c.dirs, c.entries = map[plumbing.Hash]dir{}, size
	}
	c.dirs[hash] = d
}
