package git

import (
	"errors"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/plumbing/storer"

	"github.com/tiphys-io/tiphys/internal/source"
)

// maxLinks bounds how many symbolic links one name may lead through.
const maxLinks = 40

// tree is one commit as a file tree, read from the object store as it is used.
type tree struct {
	store      storer.EncodedObjectStorer
	root       *object.Tree
	maxBytes   int64
	submodules map[string]*tree // by path

	mu sync.Mutex // go-git reads one pack at a time
}

// node is one entry of the tree.
type node struct {
	name string
	mode filemode.FileMode
	hash plumbing.Hash
	size int64
	dir  *object.Tree // set for directories and submodules
	tree *tree        // the repository that the entry is in
}

// Name is the last part of the path.
func (n *node) Name() string { return n.name }

// Size is in bytes; 0 for directories.
func (n *node) Size() int64 { return n.size }

// Mode has the type and whether the file is executable; nothing is writable.
func (n *node) Mode() fs.FileMode {
	switch {
	case n.dir != nil:
		return fs.ModeDir | 0o555
	case n.mode == filemode.Symlink:
		return fs.ModeSymlink | 0o444
	case n.mode == filemode.Executable:
		return 0o555
	}
	return 0o444
}

// ModTime is zero: Git does not record it.
func (n *node) ModTime() time.Time { return time.Time{} }

// IsDir tells whether this is a directory or a submodule.
func (n *node) IsDir() bool { return n.dir != nil }

// Sys is nil.
func (n *node) Sys() any { return nil }

// Open opens a file or a directory.
func (t *tree) Open(name string) (fs.File, error) {
	n, err := t.lookup("open", name)
	if err != nil {
		return nil, err
	}
	if n.dir != nil {
		entries, err := t.ReadDir(name)
		return &openDir{node: n, entries: entries}, err
	}
	data, err := t.ReadFile(name)
	if err != nil {
		return nil, err
	}
	return &openFile{node: n, Reader: strings.NewReader(string(data))}, nil
}

// Stat tells about a file or directory without reading it.
func (t *tree) Stat(name string) (fs.FileInfo, error) {
	return t.lookup("stat", name)
}

// Hash is the id of the content.
func (t *tree) Hash(name string) (string, error) {
	n, err := t.lookup("hash", name)
	if err != nil {
		return "", err
	}
	return n.hash.String(), nil
}

// ReadFile reads a whole file, unless it is larger than the limit.
func (t *tree) ReadFile(name string) ([]byte, error) {
	n, err := t.lookup("read", name)
	if err != nil {
		return nil, err
	}
	if n.dir != nil {
		return nil, &fs.PathError{Op: "read", Path: name, Err: errors.New("is a directory")}
	}
	if limit := t.maxBytes; n.size > limit {
		return nil, &source.FileSizeError{Name: name, Size: n.size, Limit: limit}
	}
	return n.tree.blob(n.hash)
}

// ReadDir lists a directory, sorted by name.
func (t *tree) ReadDir(name string) ([]fs.DirEntry, error) {
	n, err := t.lookup("readdir", name)
	if err != nil {
		return nil, err
	}
	if n.dir == nil {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: errors.New("not a directory")}
	}
	entries := make([]fs.DirEntry, 0, len(n.dir.Entries))
	for i := range n.dir.Entries {
		entry := n.dir.Entries[i]
		if !fs.ValidPath(entry.Name) || strings.Contains(entry.Name, "/") || entry.Name == "." {
			continue
		}
		child, err := n.tree.child(entry)
		if err != nil {
			return nil, &fs.PathError{Op: "readdir", Path: path.Join(name, entry.Name), Err: err}
		}
		entries = append(entries, fs.FileInfoToDirEntry(child))
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return entries, nil
}

// blob reads an object.
func (t *tree) blob(hash plumbing.Hash) ([]byte, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	blob, err := object.GetBlob(t.store, hash)
	if err != nil {
		return nil, err
	}
	reader, err := blob.Reader()
	if err != nil {
		return nil, err
	}
	defer func() { _ = reader.Close() }()
	return io.ReadAll(io.LimitReader(reader, t.maxBytes))
}
