package git

import (
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tiphys-io/tiphys/internal/source"
)

// maxLinks is how many symbolic links one name may lead through, as in Linux.
const maxLinks = 40

// node is an entry that was found, and the tree it was found in: this one or a submodule's.
type node struct {
	entry
	tree *tree
	// path from the root of that tree, without links.
	path string
}

// lookup finds what a name stands for. The last part may be a link that is itself asked for.
func (t *tree) lookup(op, name string, follow bool) (*node, error) {
	if !utf8.ValidString(name) {
		return nil, inPath(op, strconv.Quote(name), source.ErrName)
	}
	if !fs.ValidPath(name) {
		return nil, inPath(op, name, fs.ErrInvalid)
	}
	n, err := t.walk(name, follow)
	if err != nil {
		return nil, inPath(op, name, err)
	}
	return n, nil
}

// walker goes down a tree part by part.
type walker struct {
	tree   *tree
	trail  []*node  // from the root to where it stands
	parts  []string // still to go
	follow bool
	links  int
}

func (t *tree) walk(name string, follow bool) (*node, error) {
	n, rest, err := t.reach(name, follow)
	if err != nil || len(rest) == 0 {
		return n, err
	}
	sub, err := t.submodule(n)
	if err != nil {
		return nil, err
	}
	return sub.walkInto(rest, follow)
}

// reach goes as far as this tree does: to what a name stands for, or to a submodule in which the rest is to be found.
func (t *tree) reach(name string, follow bool) (found *node, rest []string, err error) {
	root := &node{entry: entry{name: ".", mode: modeDir, hash: t.root}, tree: t, path: "."}
	w := &walker{tree: t, trail: []*node{root}, parts: strings.Split(name, "/"), follow: follow}
	for len(w.parts) > 0 {
		if w.here().mode == modeSubmodule {
			return w.here(), w.parts, nil
		}
		if err := w.step(); err != nil {
			return nil, nil, err
		}
	}
	return w.here(), nil, nil
}

// walkInto continues inside a submodule. A link there that leads out of it is an error, also when it would end in the parent.
func (t *tree) walkInto(parts []string, follow bool) (*node, error) {
	return t.walk(strings.Join(parts, "/"), follow)
}

func (w *walker) here() *node { return w.trail[len(w.trail)-1] }

// step takes the next part.
func (w *walker) step() error {
	part := w.parts[0]
	w.parts = w.parts[1:]
	switch part {
	case "", ".":
		return nil
	case "..":
		if len(w.trail) == 1 {
			return source.ErrLinkEscapes // only the target of a link can hold this part
		}
		w.trail = w.trail[:len(w.trail)-1]
		return nil
	}
	here := w.here()
	if here.mode != modeDir {
		return fs.ErrNotExist
	}
	d, err := w.tree.dir(here.hash)
	if err != nil {
		return fmt.Errorf("directory %s: %w", here.path, err)
	}
	e, ok := d.find(part)
	if !ok {
		return fs.ErrNotExist
	}
	next := &node{entry: e, tree: w.tree, path: path.Join(here.path, part)}
	if e.mode == modeSymlink && (w.follow || len(w.parts) > 0) {
		return w.jump(next)
	}
	w.trail = append(w.trail, next)
	return nil
}

// jump puts the target of a link before what is still to go.
func (w *walker) jump(link *node) error {
	if w.links++; w.links > maxLinks {
		return fmt.Errorf("link %s: %w", link.path, source.ErrLinkLoop)
	}
	data, err := w.tree.object(link.hash, maxLinkBytes)
	if err != nil {
		return fmt.Errorf("link %s: %w", link.path, err)
	}
	target := string(data)
	// Beyond the root is told here, where the link is known, and not when the walk arrives there.
	if path.IsAbs(target) || escapes(path.Dir(link.path), target) {
		return fmt.Errorf("link %s to %s: %w", link.path, target, source.ErrLinkEscapes)
	}
	if target == "" {
		return fmt.Errorf("link %s: %w", link.path, fs.ErrNotExist)
	}
	w.parts = append(strings.Split(target, "/"), w.parts...)
	return nil
}

// escapes says whether a relative target climbs above the root, even if it comes back.
func escapes(from, target string) bool {
	depth := 0
	if from != "." {
		depth = strings.Count(from, "/") + 1
	}
	for part := range strings.SplitSeq(target, "/") {
		switch part {
		case "", ".":
		case "..":
			if depth--; depth < 0 {
				return true
			}
		default:
			depth++
		}
	}
	return false
}
