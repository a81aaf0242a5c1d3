package kustomize

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"sigs.k8s.io/kustomize/kyaml/filesys"

	"github.com/tiphys-io/tiphys/internal/render/manifest"
)

// repository is where the library finds the root of the repository. The recorded texts call it so, without the slash.
const repository = "<path to cached source>"

// absolute is the name of a file of the tree for the library.
func absolute(name string) string { return path.Join("/", repository, name) }

// relative is the name in the tree for a name of the library; ok is false outside of the tree.
func relative(name string) (rel string, ok bool) {
	rel, ok = strings.CutPrefix(path.Clean(name)+"/", "/"+repository+"/")
	rel = path.Clean(rel)
	return rel, ok && fs.ValidPath(rel)
}

// view is a tree as the file system of one build: read-only, with an edited kustomization over it, and bounded. It checks
// what it hands out. Once it has refused something, it hands out nothing more.
type view struct {
	ctx     context.Context
	tree    fs.FS
	options Options

	edited  map[string][]byte   // content by name in the tree
	roots   map[string][]string // folders that a kustomization was asked for from, by its name in the tree
	seen    map[string]inspection
	bytes   int64
	objects int
	growth  growth
	charts  *charts // nil where charts are not permitted
	fetched *fetched
	schema  bool  // whether a kustomization chooses an OpenAPI schema
	refused error // the first refusal
}

func newView(ctx context.Context, tree fs.FS, options Options) *view {
	return &view{ctx: ctx, tree: tree, options: options, edited: map[string][]byte{}, roots: map[string][]string{}, seen: map[string]inspection{}}
}

// refuse remembers why the build cannot go on.
func (v *view) refuse(err error) error {
	if v.refused == nil {
		v.refused = err
	}
	return v.refused
}

// usable tells whether the view may still hand out anything.
func (v *view) usable() error {
	if v.refused == nil && v.ctx.Err() != nil {
		v.refused = v.ctx.Err()
	}
	return v.refused
}

// CleanedAbs implements [filesys.FileSystem]: it follows links, and tells a folder from a file.
func (v *view) CleanedAbs(name string) (filesys.ConfirmedDir, string, error) {
	if err := v.usable(); err != nil {
		return "", "", err
	}
	rel, ok := relative(name)
	if !ok {
		return "", "", fmt.Errorf("'%s' is outside of the repository", name)
	}
	if v.charts != nil && v.edited[rel] != nil && strings.HasPrefix(path.Base(rel), chartPrefix) {
		return filesys.ConfirmedDir(absolute(path.Dir(rel))), path.Base(rel), nil
	}
	found, info, err := v.follow(rel)
	if err != nil {
		return "", "", fmt.Errorf("evalsymlink failure on '%s' : %w", name, err)
	}
	if info.IsDir() {
		return filesys.ConfirmedDir(absolute(found)), "", nil
	}
	if isKustomization(path.Base(rel)) {
		v.roots[found] = append(v.roots[found], path.Dir(rel))
	}
	return filesys.ConfirmedDir(absolute(path.Dir(found))), path.Base(found), nil
}

// follow gives the name of a file without links, and what it is. Links that lead out of the tree are errors of the tree.
func (v *view) follow(name string) (found string, info fs.FileInfo, err error) {
	if info, err = fs.Stat(v.tree, name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", nil, err
	}
	missing := err != nil
	found = "."
	parts := strings.Split(name, "/")
	for links := 0; len(parts) > 0; {
		next := path.Join(found, parts[0])
		parts = parts[1:]
		entry, err := fs.Lstat(v.tree, next)
		if errors.Is(err, fs.ErrNotExist) {
			return "", nil, &fs.PathError{Op: "lstat", Path: absolute(next), Err: syscall.ENOENT}
		}
		if err != nil {
			return "", nil, err
		}
		if entry.Mode()&fs.ModeSymlink == 0 {
			found = next
			continue
		}
		target, err := fs.ReadLink(v.tree, next)
		if err != nil {
			return "", nil, err
		}
		if links++; links > 255 {
			return "", nil, &fs.PathError{Op: "lstat", Path: absolute(name), Err: syscall.ELOOP}
		}
		parts = append(strings.Split(target, "/"), parts...)
	}
	if missing || !fs.ValidPath(found) {
		return "", nil, &fs.PathError{Op: "lstat", Path: absolute(name), Err: syscall.ENOENT}
	}
	return found, info, nil
}

// ReadFile implements [filesys.FileSystem].
func (v *view) ReadFile(name string) ([]byte, error) {
	if err := v.usable(); err != nil {
		return nil, err
	}
	rel, ok := relative(name)
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: syscall.ENOENT}
	}
	if rel, ok = v.resolve(rel); !ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: syscall.ENOENT}
	}
	data, err := v.read(rel)
	if err != nil {
		return nil, err
	}
	if roots := v.roots[rel]; len(roots) > 0 {
		root := roots[len(roots)-1]
		if data, err = v.localize(rel, root, data); err == nil {
			data, err = v.inflate(rel, root, data)
		}
		if err != nil {
			return nil, v.refuse(err)
		}
	}
	if err := v.admit(rel, data); err != nil {
		return nil, v.refuse(err)
	}
	return data, nil
}

// resolve is the name of a file without links. A kustomization that the library did not ask for before, as it does not where
// files may lie outside of their folder, is taken down as one.
func (v *view) resolve(rel string) (found string, ok bool) {
	found, info, err := v.follow(rel)
	if err != nil || info.IsDir() {
		return rel, v.edited[rel] != nil
	}
	if isKustomization(path.Base(rel)) && !slices.Contains(v.roots[found], path.Dir(rel)) {
		v.roots[found] = append(v.roots[found], path.Dir(rel))
	}
	return found, true
}

// read reads a file that fits into what may still be read.
func (v *view) read(rel string) ([]byte, error) {
	data, ok := v.edited[rel]
	if !ok {
		info, err := fs.Stat(v.tree, rel)
		if err != nil {
			return nil, err
		}
		if info.Size() > v.options.MaxBytes-v.bytes {
			return nil, v.refuse(v.tooLarge(rel))
		}
		if data, err = fs.ReadFile(v.tree, rel); err != nil {
			return nil, err
		}
		if err := manifest.CheckPointer(rel, data); err != nil {
			return nil, v.refuse(err)
		}
	}
	if v.bytes += int64(len(data)); v.bytes > v.options.MaxBytes {
		return nil, v.refuse(v.tooLarge(rel))
	}
	return data, nil
}

func (v *view) tooLarge(rel string) error {
	return fmt.Errorf("%s: with it the kustomization reads more than %d bytes, each file as often as it is used: split the application", rel, v.options.MaxBytes)
}

// Exists implements [filesys.FileSystem].
func (v *view) Exists(name string) bool {
	rel, ok := relative(name)
	if !ok || v.usable() != nil {
		return false
	}
	_, err := fs.Stat(v.tree, rel)
	return err == nil
}

// IsDir implements [filesys.FileSystem].
func (v *view) IsDir(name string) bool {
	rel, ok := relative(name)
	if !ok || v.usable() != nil {
		return false
	}
	info, err := fs.Stat(v.tree, rel)
	return err == nil && info.IsDir()
}

// The rest of [filesys.FileSystem] is not needed to build: nothing is written, and nothing is looked for.

func unsupported(name string) error {
	return &fs.PathError{Op: "access", Path: name, Err: errors.ErrUnsupported}
}

// Create fails.
func (v *view) Create(name string) (filesys.File, error) { return nil, unsupported(name) }

// Mkdir fails.
func (v *view) Mkdir(name string) error { return unsupported(name) }

// MkdirAll fails.
func (v *view) MkdirAll(name string) error { return unsupported(name) }

// RemoveAll fails.
func (v *view) RemoveAll(name string) error { return unsupported(name) }

// Open fails.
func (v *view) Open(name string) (filesys.File, error) { return nil, unsupported(name) }

// ReadDir fails.
func (v *view) ReadDir(name string) ([]string, error) { return nil, unsupported(name) }

// Glob fails.
func (v *view) Glob(pattern string) ([]string, error) { return nil, unsupported(pattern) }

// WriteFile fails.
func (v *view) WriteFile(name string, _ []byte) error { return unsupported(name) }

// Walk fails.
func (v *view) Walk(name string, _ filepath.WalkFunc) error { return unsupported(name) }

var _ filesys.FileSystem = (*view)(nil)
