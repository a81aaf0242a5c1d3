package kustomize

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
	"time"
)

// fetchedTree is a tree with what was fetched for it: files, and the trees of repositories below [fetchedFolder]. A link in one
// of them stays in it.
type fetchedTree struct {
	fs.FS

	mounts []mount
	files  map[string][]byte
	listed int // entries of folders
}

// maxListed is how many entries of folders are listed for one source: a few small objects of Git can spell out any number.
const maxListed = 100_000

var errListed = fmt.Errorf("its patterns match in more than %d files and folders: name fewer", maxListed)

// mount is a repository at a commit.
type mount struct {
	fs.FS

	repository, commit string
}

// mount puts a repository into the tree, each commit once: only so a repository that names itself is found out.
func (t *fetchedTree) mount(repository, commit string, tree fs.FS) (folder string) {
	repository = strings.TrimSuffix(repository, ".git")
	for i, known := range t.mounts {
		if known.repository == repository && known.commit == commit {
			return path.Join(fetchedFolder, strconv.Itoa(i))
		}
	}
	t.mounts = append(t.mounts, mount{FS: tree, repository: repository, commit: commit})
	return path.Join(fetchedFolder, strconv.Itoa(len(t.mounts)-1))
}

// at is the tree that a name lies in, and its name there.
func (t *fetchedTree) at(name string) (tree fs.FS, inside string) {
	rest, isFetched := strings.CutPrefix(name, fetchedFolder+"/")
	if !isFetched {
		return t.FS, name
	}
	number, inside, found := strings.Cut(rest, "/")
	if !found {
		inside = "."
	}
	n, err := strconv.Atoi(number)
	if err != nil || n < 0 || n >= len(t.mounts) || number != strconv.Itoa(n) {
		return nothing{}, inside
	}
	return t.mounts[n].FS, inside
}

// nothing is a tree without anything in it.
type nothing struct{}

func (nothing) Open(name string) (fs.File, error) {
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
}

// own is what lies at a name in none of the trees: a fetched file, or a folder above fetched repositories.
func (t *fetchedTree) own(name string) (info *fetchedInfo, data []byte) {
	if data, isFile := t.files[name]; isFile {
		return &fetchedInfo{name: path.Base(name), size: int64(len(data))}, data
	}
	if len(t.mounts) > 0 && (name == fetchedFolder || name == path.Dir(fetchedFolder)) {
		return &fetchedInfo{name: path.Base(name), mode: fs.ModeDir}, nil
	}
	return nil, nil
}

// Open implements [fs.FS].
func (t *fetchedTree) Open(name string) (fs.File, error) {
	if info, data := t.own(name); info != nil {
		return &fetchedFile{Reader: bytes.NewReader(data), info: info}, nil
	}
	tree, inside := t.at(name)
	return tree.Open(inside)
}

// Stat implements [fs.StatFS].
func (t *fetchedTree) Stat(name string) (fs.FileInfo, error) {
	if info, _ := t.own(name); info != nil {
		return info, nil
	}
	tree, inside := t.at(name)
	return fs.Stat(tree, inside)
}

// Lstat implements [fs.ReadLinkFS].
func (t *fetchedTree) Lstat(name string) (fs.FileInfo, error) {
	if info, _ := t.own(name); info != nil {
		return info, nil
	}
	tree, inside := t.at(name)
	return fs.Lstat(tree, inside)
}

// ReadLink implements [fs.ReadLinkFS].
func (t *fetchedTree) ReadLink(name string) (string, error) {
	tree, inside := t.at(name)
	return fs.ReadLink(tree, inside)
}

// ReadFile implements [fs.ReadFileFS].
func (t *fetchedTree) ReadFile(name string) ([]byte, error) {
	if info, data := t.own(name); info != nil && !info.IsDir() {
		return data, nil
	}
	tree, inside := t.at(name)
	return fs.ReadFile(tree, inside)
}

// ReadDir implements [fs.ReadDirFS]; what was fetched is not listed.
func (t *fetchedTree) ReadDir(name string) ([]fs.DirEntry, error) {
	if t.listed > maxListed {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: errListed}
	}
	tree, inside := t.at(name)
	entries, err := fs.ReadDir(tree, inside)
	t.listed += len(entries)
	return entries, err
}

// Hash is the identity of a folder, if its tree knows it: worker keeps charts by it.
func (t *fetchedTree) Hash(name string) (string, error) {
	tree, inside := t.at(name)
	if hasher, ok := tree.(interface {
		Hash(name string) (string, error)
	}); ok {
		return hasher.Hash(inside)
	}
	return "", errors.ErrUnsupported
}

// fetchedInfo describes a fetched file, or a folder above what was fetched.
type fetchedInfo struct {
	name string
	size int64
	mode fs.FileMode
}

func (i *fetchedInfo) Name() string       { return i.name }
func (i *fetchedInfo) Size() int64        { return i.size }
func (i *fetchedInfo) Mode() fs.FileMode  { return i.mode }
func (i *fetchedInfo) ModTime() time.Time { return time.Time{} }
func (i *fetchedInfo) IsDir() bool        { return i.mode.IsDir() }
func (i *fetchedInfo) Sys() any           { return nil }

// fetchedFile is an open fetched file.
type fetchedFile struct {
	*bytes.Reader

	info fs.FileInfo
}

func (f *fetchedFile) Stat() (fs.FileInfo, error) { return f.info, nil }
func (*fetchedFile) Close() error                 { return nil }
