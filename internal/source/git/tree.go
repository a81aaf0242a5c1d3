package git

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"sync"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/tiphys-io/tiphys/internal/source"
)

// maxLinkBytes bounds the target of a symbolic link; file systems have the same limit.
const maxLinkBytes = 4096

var (
	errIsDir  = errors.New("is a directory")
	errNotDir = errors.New("not a directory")
)

// tree is one commit as a file tree. Objects are read when they are asked for, directory by directory.
type tree struct {
	ctx        context.Context
	repository *repository
	project    string // whose application reads it
	names      string // URL of the repository that counts as the one which names its submodules
	commit     plumbing.Hash
	root       plumbing.Hash
	depth      int // how many repositories this one is a submodule of

	mu         sync.Mutex
	store      *store
	healed     bool
	modules    map[string]string // URL of each submodule by path; nil until the first is needed
	submodules map[string]*tree
}

var (
	_ source.Tree   = (*tree)(nil)
	_ fs.ReadLinkFS = (*tree)(nil)
)

// read runs f on the store. When that is damaged or was replaced, it moves to another one and tries once more.
func (t *tree) read(f func(*store) error) error {
	for {
		t.mu.Lock()
		s, healed := t.store, t.healed
		t.mu.Unlock()
		err := f(s)
		damage, ok := errors.AsType[*damageError](err)
		if !ok {
			return err
		}
		replaced := errors.Is(damage, errStoreClosed)
		if healed && !replaced {
			return err
		}
		next, err := t.repository.heal(t.ctx, s, t.commit)
		if err != nil {
			return t.repository.failure(errors.Join(damage, err))
		}
		t.mu.Lock()
		t.store, t.healed = next, t.healed || !replaced
		t.mu.Unlock()
	}
}

func (t *tree) rootHash() (root plumbing.Hash, err error) {
	remembered := &t.repository.fetcher.dirs
	if root, ok := remembered.root(t.commit); ok {
		return root, nil
	}
	err = t.read(func(s *store) error {
		root, err = s.root(t.commit, t.maxFileBytes())
		return err
	})
	if err == nil {
		remembered.putRoot(t.commit, root)
	}
	return root, err
}

func (t *tree) maxFileBytes() int64 { return t.repository.fetcher.options.MaxFileBytes }

func (t *tree) object(hash plumbing.Hash, limit int64) (data []byte, err error) {
	err = t.read(func(s *store) error {
		_, data, err = s.object(hash, limit)
		return err
	})
	return data, err
}

func (t *tree) size(hash plumbing.Hash) (size int64, err error) {
	err = t.read(func(s *store) error {
		size, err = s.size(hash)
		return err
	})
	return size, err
}

// dir reads one directory and remembers it.
func (t *tree) dir(hash plumbing.Hash) (dir, error) {
	remembered := &t.repository.fetcher.dirs
	if d, ok := remembered.get(hash); ok {
		return d, nil
	}
	data, err := t.object(hash, t.maxFileBytes())
	if err != nil {
		return nil, err
	}
	d, err := parseDir(data)
	if err != nil {
		return nil, err
	}
	remembered.put(hash, d)
	return d, nil
}

// Open implements [fs.FS]. The content of a file is read with its first byte.
func (t *tree) Open(name string) (fs.File, error) {
	n, err := t.lookup("open", name, true)
	if err != nil {
		return nil, err
	}
	return &file{node: n, path: name}, nil
}

// Stat implements [fs.StatFS].
func (t *tree) Stat(name string) (fs.FileInfo, error) { return t.stat("stat", name, true) }

// Lstat implements [fs.ReadLinkFS].
func (t *tree) Lstat(name string) (fs.FileInfo, error) { return t.stat("lstat", name, false) }

func (t *tree) stat(op, name string, follow bool) (fs.FileInfo, error) {
	n, err := t.lookup(op, name, follow)
	if err != nil {
		return nil, err
	}
	info, err := n.Info()
	return info, inPath(op, name, err)
}

// ReadLink implements [fs.ReadLinkFS].
func (t *tree) ReadLink(name string) (string, error) {
	n, err := t.lookup("readlink", name, false)
	if err != nil {
		return "", err
	}
	if n.mode != modeSymlink {
		return "", inPath("readlink", name, fs.ErrInvalid)
	}
	target, err := n.tree.object(n.hash, maxLinkBytes)
	return string(target), inPath("readlink", name, err)
}

// ReadFile implements [fs.ReadFileFS].
func (t *tree) ReadFile(name string) ([]byte, error) {
	n, err := t.lookup("read", name, true)
	if err != nil {
		return nil, err
	}
	data, err := n.content(name)
	return data, inPath("read", name, err)
}

// ReadDir implements [fs.ReadDirFS]; the entries are in the order of their names.
func (t *tree) ReadDir(name string) ([]fs.DirEntry, error) {
	n, err := t.lookup("readdir", name, true)
	if err != nil {
		return nil, err
	}
	entries, err := n.list()
	return entries, inPath("readdir", name, err)
}

// Hash implements [source.Tree].
func (t *tree) Hash(name string) (string, error) {
	n, err := t.lookup("hash", name, true)
	if err != nil {
		return "", err
	}
	return n.hash.String(), nil
}

// inPath adds the name that the caller used; errors about repositories, which are not about a name, stay as they are below it.
func inPath(op, name string, err error) error {
	if err == nil {
		return nil
	}
	if large, ok := errors.AsType[*source.FileSizeError](err); ok && strings.HasPrefix(large.Name, "object ") {
		err = &source.FileSizeError{Name: name, Size: large.Size, Limit: large.Limit}
	}
	return &fs.PathError{Op: op, Path: name, Err: err}
}
