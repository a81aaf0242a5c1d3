// Package directory renders a directory of plain YAML and JSON manifests.
package directory

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/gobwas/glob"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/render"
)

// skipMarker in a file's text leaves the file out (contract 1.2).
const skipMarker = "+argocd:skip-file-rendering"

// Options limits what is read.
type Options struct {
	// MaxBytes is the largest sum of the sizes of a source's manifests; 0 means 10 MiB.
	MaxBytes int64
}

// Renderer renders directories. Make one with New.
type Renderer struct {
	maxBytes int64
}

// New makes a renderer.
func New(options Options) *Renderer {
	if options.MaxBytes == 0 {
		options.MaxBytes = 10 << 20
	}
	return &Renderer{maxBytes: options.MaxBytes}
}

// Render reads the manifests of a directory in the order of their paths. An error names the file, the document and the line.
func (r *Renderer) Render(ctx context.Context, req render.Request) ([]*unstructured.Unstructured, error) {
	files, err := r.list(req)
	if err != nil {
		return nil, err
	}
	if err := r.checkSize(req, files); err != nil {
		return nil, err
	}
	var objects []*unstructured.Unstructured
	for _, name := range files {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		data, err := fs.ReadFile(req.Tree, path.Join(render.Root(req.Source), name))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path.Join(req.Source.Path, name), err)
		}
		if strings.Contains(string(data), skipMarker) {
			continue
		}
		found, err := parse(path.Join(req.Source.Path, name), data)
		if err != nil {
			return nil, err
		}
		objects = append(objects, found...)
	}
	return objects, nil
}

// list gives the files to read, relative to the source's path and sorted.
func (r *Renderer) list(req render.Request) ([]string, error) {
	options := req.Source.Directory
	if options == nil {
		options = &argov1.ApplicationSourceDirectory{}
	}
	chosen, err := selection(options)
	if err != nil {
		return nil, err
	}
	var files []string
	var walk func(dir string) error
	walk = func(dir string) error {
		entries, err := fs.ReadDir(req.Tree, path.Join(render.Root(req.Source), dir))
		if err != nil {
			return fmt.Errorf("%s: %w", path.Join(req.Source.Path, dir), err)
		}
		for _, entry := range entries {
			name := path.Join(dir, entry.Name())
			switch {
			case entry.IsDir():
				if options.Recurse {
					if err := walk(name); err != nil {
						return err
					}
				}
			case chosen(name):
				files = append(files, name)
			}
		}
		return nil
	}
	if err := walk("."); err != nil {
		return nil, err
	}
	slices.Sort(files)
	return files, nil
}

// selection tells which files count: by extension, include and exclude; exclude wins (contract 1.2).
func selection(options *argov1.ApplicationSourceDirectory) (func(name string) bool, error) {
	include, err := compile("include", options.Include)
	if err != nil {
		return nil, err
	}
	exclude, err := compile("exclude", options.Exclude)
	if err != nil {
		return nil, err
	}
	return func(name string) bool {
		switch path.Ext(name) {
		case ".yaml", ".yml", ".json", ".jsonnet":
		default:
			if !options.DisableExtensionFilter {
				return false
			}
		}
		return (exclude == nil || !exclude.Match(name)) && (include == nil || include.Match(name))
	}, nil
}

func compile(field, pattern string) (glob.Glob, error) {
	if pattern == "" {
		return nil, nil //nolint:nilnil // no pattern matches by its absence
	}
	compiled, err := glob.Compile(pattern)
	if err != nil {
		return nil, fmt.Errorf("spec.source.directory.%s %q is not a valid pattern: %w", field, pattern, err)
	}
	return compiled, nil
}

// checkSize adds the sizes up before anything is read.
func (r *Renderer) checkSize(req render.Request, files []string) error {
	var sum int64
	for _, name := range files {
		full := path.Join(req.Source.Path, name)
		info, err := fs.Stat(req.Tree, path.Join(render.Root(req.Source), name))
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s: the link leads to nothing", full)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", full, err)
		}
		if info.IsDir() {
			continue
		}
		if sum += info.Size(); sum > r.maxBytes {
			return fmt.Errorf("%s: its %d bytes bring the manifests of %s above the limit of %d bytes: move what is no manifest elsewhere, exclude it, "+
				"or raise reposerver.max.combined.directory.manifests.size", full, info.Size(), req.Source.Path, r.maxBytes)
		}
	}
	return nil
}
