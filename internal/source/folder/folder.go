// Package folder reads a folder of this machine as a source, in the place of a repository.
//
// The tree has what a commit of the folder would have: everything but what Git keeps for itself. A link that leads out of the
// folder is an error, as it is in a repository, and what is neither file, folder nor link is not there.
package folder

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"unicode/utf8"

	"github.com/tiphys-io/tiphys/internal/source"
)

const (
	// maxFileBytes is the largest file that can be read, as in a repository.
	maxFileBytes = 50 << 20
	// maxLinks is how many symbolic links one name may lead through, as in Linux.
	maxLinks = 40
	// git is the name under which Git keeps what is its own; no commit can hold it.
	git = ".git"
)

// Tree is a folder. Its files are read when they are asked for, so that an edit shows at once.
type Tree struct {
	root *os.Root
	fs   fs.FS
}

var (
	_ fs.ReadDirFS  = (*Tree)(nil)
	_ fs.ReadFileFS = (*Tree)(nil)
	_ fs.StatFS     = (*Tree)(nil)
	_ fs.ReadLinkFS = (*Tree)(nil)
)

// Open opens a folder. Close it when it is no longer read.
func Open(dir string) (*Tree, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	return &Tree{root: root, fs: root.FS()}, nil
}

// Close closes the folder.
func (t *Tree) Close() error { return t.root.Close() }

// Open implements [fs.FS].
func (t *Tree) Open(name string) (fs.File, error) {
	found, info, err := t.find("open", name, true)
	if err == nil {
		err = checkSize("open", name, info)
	}
	if err != nil {
		return nil, err
	}
	return t.fs.Open(found)
}

// Stat implements [fs.StatFS].
func (t *Tree) Stat(name string) (fs.FileInfo, error) {
	_, info, err := t.find("stat", name, true)
	return info, err
}

// Lstat implements [fs.ReadLinkFS].
func (t *Tree) Lstat(name string) (fs.FileInfo, error) {
	_, info, err := t.find("lstat", name, false)
	return info, err
}

// ReadLink implements [fs.ReadLinkFS].
func (t *Tree) ReadLink(name string) (string, error) {
	found, _, err := t.find("readlink", name, false)
	if err != nil {
		return "", err
	}
	return fs.ReadLink(t.fs, found)
}

// ReadFile implements [fs.ReadFileFS].
func (t *Tree) ReadFile(name string) ([]byte, error) {
	found, info, err := t.find("read", name, true)
	if err == nil {
		err = checkSize("read", name, info)
	}
	if err != nil {
		return nil, err
	}
	return fs.ReadFile(t.fs, found)
}

// ReadDir implements [fs.ReadDirFS]; the entries are in the order of their names.
func (t *Tree) ReadDir(name string) ([]fs.DirEntry, error) {
	found, _, err := t.find("readdir", name, true)
	if err != nil {
		return nil, err
	}
	entries, err := fs.ReadDir(t.fs, found)
	return slices.DeleteFunc(entries, func(entry fs.DirEntry) bool {
		return entry.Name() == git || !isSource(entry.Type())
	}), err
}

// find is what a name stands for, and its name without links; the last part may be a link that is itself asked for.
func (t *Tree) find(op, name string, follow bool) (found string, info fs.FileInfo, err error) {
	if !utf8.ValidString(name) {
		return "", nil, &fs.PathError{Op: op, Path: strconv.Quote(name), Err: source.ErrName}
	}
	if !fs.ValidPath(name) {
		return "", nil, &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	w := walker{tree: t, found: ".", parts: strings.Split(name, "/"), follow: follow}
	for err == nil && len(w.parts) > 0 {
		err = w.step()
	}
	if err == nil {
		info, err = fs.Lstat(t.fs, w.found)
	}
	if err == nil && !isSource(info.Mode().Type()) {
		err = fs.ErrNotExist
	}
	if err != nil {
		return "", nil, &fs.PathError{Op: op, Path: name, Err: err}
	}
	return w.found, info, nil
}

// walker goes down a folder part by part.
type walker struct {
	tree   *Tree
	found  string   // where it stands, without links
	parts  []string // still to go
	follow bool
	links  int
}

// step takes the next part.
func (w *walker) step() error {
	part := w.parts[0]
	w.parts = w.parts[1:]
	switch part {
	case "", ".":
		return nil
	case "..":
		if w.found == "." {
			return source.ErrLinkEscapes // only the target of a link can hold this part
		}
		w.found = path.Dir(w.found)
		return nil
	case git:
		return fs.ErrNotExist
	}
	next := path.Join(w.found, part)
	info, err := fs.Lstat(w.tree.fs, next)
	if errors.Is(err, syscall.ENOTDIR) {
		return fs.ErrNotExist
	}
	if err != nil {
		return err
	}
	if info.Mode()&fs.ModeSymlink != 0 && (w.follow || len(w.parts) > 0) {
		return w.jump(next)
	}
	w.found = next
	return nil
}

// jump puts the target of a link before what is still to go.
func (w *walker) jump(link string) error {
	if w.links++; w.links > maxLinks {
		return fmt.Errorf("link %s: %w", link, source.ErrLinkLoop)
	}
	target, err := fs.ReadLink(w.tree.fs, link)
	if err != nil {
		return err
	}
	if path.IsAbs(target) || !fs.ValidPath(path.Join(path.Dir(link), target)) {
		return fmt.Errorf("link %s to %s: %w", link, target, source.ErrLinkEscapes)
	}
	w.parts = append(strings.Split(target, "/"), w.parts...)
	return nil
}

func checkSize(op, name string, info fs.FileInfo) error {
	if info.IsDir() || info.Size() <= maxFileBytes {
		return nil
	}
	return &fs.PathError{Op: op, Path: name, Err: &source.FileSizeError{Name: name, Size: info.Size(), Limit: maxFileBytes}}
}

// isSource tells whether a commit can hold a file of a type: not a device, and nothing that would be waited for.
func isSource(mode fs.FileMode) bool {
	return mode == 0 || mode == fs.ModeDir || mode == fs.ModeSymlink
}
