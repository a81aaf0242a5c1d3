package git

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"

	"github.com/tiphys-io/tiphys/internal/source"
)

// lookup finds an entry, following symbolic links inside the repository.
func (t *tree) lookup(op, name string) (*node, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	n, err := t.walk(name, maxLinks)
	if err != nil {
		return nil, &fs.PathError{Op: op, Path: name, Err: err}
	}
	return n, nil
}

// walk goes down from the root part by part. A link restarts the walk at where it leads.
func (t *tree) walk(name string, links int) (*node, error) {
	current := &node{name: ".", mode: filemode.Dir, hash: t.root.Hash, dir: t.root, tree: t}
	if name == "." {
		return current, nil
	}
	parts := strings.Split(name, "/")
	for i, part := range parts {
		if current.dir == nil {
			return nil, fs.ErrNotExist
		}
		next, err := current.find(part)
		if err != nil {
			return nil, err
		}
		if next.mode == filemode.Submodule {
			sub := t.submodules[path.Join(parts[:i+1]...)]
			if sub == nil {
				return nil, fmt.Errorf("submodule %s is not listed in .gitmodules: %w", path.Join(parts[:i+1]...), fs.ErrNotExist)
			}
			return sub.walk(path.Join(append([]string{"."}, parts[i+1:]...)...), links)
		}
		if next.mode == filemode.Symlink {
			return t.follow(next, parts, i, links)
		}
		current = next
	}
	return current, nil
}

// follow continues at the target of a link; it must stay inside the repository.
func (t *tree) follow(link *node, parts []string, at, links int) (*node, error) {
	linkName := path.Join(parts[:at+1]...)
	if links == 0 {
		return nil, fmt.Errorf("%s: %w", linkName, source.ErrLinkLoop)
	}
	target, err := t.blob(link.hash)
	if err != nil {
		return nil, err
	}
	destination := path.Join(path.Join(parts[:at]...), string(target))
	if path.IsAbs(string(target)) || !fs.ValidPath(destination) {
		return nil, fmt.Errorf("%s -> %s: %w", linkName, target, source.ErrLinkEscapes)
	}
	return t.walk(path.Join(append([]string{destination}, parts[at+1:]...)...), links-1)
}

// find is the child of that name.
func (n *node) find(name string) (*node, error) {
	for i := range n.dir.Entries {
		if n.dir.Entries[i].Name == name {
			return n.tree.child(n.dir.Entries[i])
		}
	}
	return nil, fs.ErrNotExist
}

// child reads what a directory says of one entry; the content of files is not read.
func (t *tree) child(entry object.TreeEntry) (*node, error) {
	child := &node{name: entry.Name, mode: entry.Mode, hash: entry.Hash, tree: t}
	t.mu.Lock()
	defer t.mu.Unlock()
	var err error
	switch entry.Mode {
	case filemode.Dir:
		child.dir, err = object.GetTree(t.store, entry.Hash)
	case filemode.Submodule:
		child.dir = &object.Tree{}
	default:
		child.size, err = t.store.EncodedObjectSize(entry.Hash)
	}
	if err != nil {
		return nil, err
	}
	return child, nil
}

// openFile is a file that was read whole.
type openFile struct {
	*strings.Reader
	node *node
}

// Stat tells about the file.
func (f *openFile) Stat() (fs.FileInfo, error) { return f.node, nil }

// Close does nothing.
func (f *openFile) Close() error { return nil }

// openDir is a directory with what is left to list.
type openDir struct {
	node    *node
	entries []fs.DirEntry
}

// Stat tells about the directory.
func (d *openDir) Stat() (fs.FileInfo, error) { return d.node, nil }

// Read fails: a directory has no bytes.
func (d *openDir) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: d.node.name, Err: errors.New("is a directory")}
}

// Close does nothing.
func (d *openDir) Close() error { return nil }

// ReadDir gives up to n entries, all that are left if n is not positive.
func (d *openDir) ReadDir(n int) ([]fs.DirEntry, error) {
	if n <= 0 {
		entries := d.entries
		d.entries = nil
		return entries, nil
	}
	if len(d.entries) == 0 {
		return nil, io.EOF
	}
	n = min(n, len(d.entries))
	entries := d.entries[:n]
	d.entries = d.entries[n:]
	return entries, nil
}
