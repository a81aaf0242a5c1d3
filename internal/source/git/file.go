package git

import (
	"bytes"
	"io"
	"io/fs"
	"time"

	"github.com/tiphys-io/tiphys/internal/source"
)

// content reads a file.
func (n *node) content(name string) ([]byte, error) {
	if n.isDir() {
		return nil, errIsDir
	}
	limit := n.tree.maxFileBytes()
	size, err := n.tree.size(n.hash)
	if err != nil {
		return nil, err
	}
	if size > limit {
		return nil, &source.FileSizeError{Name: name, Size: size, Limit: limit}
	}
	return n.tree.object(n.hash, limit)
}

// list reads a directory; that of a submodule is fetched first.
func (n *node) list() ([]fs.DirEntry, error) {
	if n.mode == modeSubmodule {
		sub, err := n.tree.submodule(n)
		if err != nil {
			return nil, err
		}
		return sub.ReadDir(".")
	}
	if n.mode != modeDir {
		return nil, errNotDir
	}
	d, err := n.tree.dir(n.hash)
	if err != nil {
		return nil, err
	}
	entries := make([]fs.DirEntry, len(d))
	for i, e := range d {
		entries[i] = &node{entry: e, tree: n.tree, path: n.path + "/" + e.name}
	}
	return entries, nil
}

// Name implements [fs.DirEntry].
func (n *node) Name() string { return n.name }

// IsDir implements [fs.DirEntry].
func (n *node) IsDir() bool { return n.isDir() }

// Type implements [fs.DirEntry].
func (n *node) Type() fs.FileMode { return n.fileMode().Type() }

// Info implements [fs.DirEntry]; it asks the store for the size.
func (n *node) Info() (fs.FileInfo, error) {
	info := &fileInfo{entry: n.entry}
	if n.isDir() {
		return info, nil
	}
	var err error
	info.size, err = n.tree.size(n.hash)
	return info, err
}

// fileInfo describes an entry. Git knows no times.
type fileInfo struct {
	entry
	size int64
}

// Name implements [fs.FileInfo].
func (i *fileInfo) Name() string { return i.name }

// Size implements [fs.FileInfo]; directories have none.
func (i *fileInfo) Size() int64 { return i.size }

// Mode implements [fs.FileInfo].
func (i *fileInfo) Mode() fs.FileMode { return i.fileMode() }

// ModTime implements [fs.FileInfo]; it is always the zero time.
func (i *fileInfo) ModTime() time.Time { return time.Time{} }

// IsDir implements [fs.FileInfo].
func (i *fileInfo) IsDir() bool { return i.isDir() }

// Sys implements [fs.FileInfo].
func (i *fileInfo) Sys() any { return nil }

// file is an open file or directory, for one goroutine.
type file struct {
	node    *node
	path    string
	closed  bool
	content *bytes.Reader
	entries []fs.DirEntry
	listed  bool
}

var _ fs.ReadDirFile = (*file)(nil)

// Stat implements [fs.File].
func (f *file) Stat() (fs.FileInfo, error) {
	if f.closed {
		return nil, inPath("stat", f.path, fs.ErrClosed)
	}
	info, err := f.node.Info()
	return info, inPath("stat", f.path, err)
}

// Read implements [fs.File].
func (f *file) Read(p []byte) (int, error) {
	if f.closed {
		return 0, inPath("read", f.path, fs.ErrClosed)
	}
	if f.content == nil {
		data, err := f.node.content(f.path)
		if err != nil {
			return 0, inPath("read", f.path, err)
		}
		f.content = bytes.NewReader(data)
	}
	return f.content.Read(p)
}

// ReadDir implements [fs.ReadDirFile].
func (f *file) ReadDir(n int) ([]fs.DirEntry, error) {
	if f.closed {
		return nil, inPath("readdir", f.path, fs.ErrClosed)
	}
	if !f.listed {
		var err error
		if f.entries, err = f.node.list(); err != nil {
			return nil, inPath("readdir", f.path, err)
		}
		f.listed = true
	}
	if n > 0 && len(f.entries) == 0 {
		return nil, io.EOF
	}
	if n <= 0 || n > len(f.entries) {
		n = len(f.entries)
	}
	next := f.entries[:n:n]
	f.entries = f.entries[n:]
	return next, nil
}

// Close implements [fs.File].
func (f *file) Close() error {
	if f.closed {
		return inPath("close", f.path, fs.ErrClosed)
	}
	f.closed = true
	f.content, f.entries = nil, nil
	return nil
}
