package directory

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"

	"github.com/gobwas/glob"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/render"
)

// maxPath is how long a path may be, in bytes; that of Linux.
const maxPath = 4096

// list gives the files to read, relative to the source's path and sorted.
func (r *Renderer) list(ctx context.Context, req render.Request) ([]string, error) {
	options := req.Source.Directory
	if options == nil {
		options = &argov1.ApplicationSourceDirectory{}
	}
	chosen, err := selection(options)
	if err != nil {
		return nil, err
	}
	w := &walker{Request: req, chosen: chosen, recurse: options.Recurse, limit: r.options.MaxEntries}
	if err := w.walk(ctx, "."); err != nil {
		return nil, err
	}
	slices.Sort(w.files)
	return w.files, nil
}

// walker goes through the folders of a source. It never follows a link to a folder.
type walker struct {
	render.Request

	chosen  func(name string) bool
	recurse bool
	limit   int // of entries

	entries int
	files   []string
}

func (w *walker) walk(ctx context.Context, dir string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	full := path.Join(render.Root(w.Source), dir)
	if len(full) > maxPath {
		return fmt.Errorf("%.40s...: a path in the repository is longer than %d bytes: leave spec.source.directory.recurse out", full, maxPath)
	}
	entries, err := fs.ReadDir(w.Tree, full)
	if err != nil {
		return fmt.Errorf("%s: %w", full, err)
	}
	// A few small Git objects can spell out any number of folders.
	if w.entries += len(entries); w.entries > w.limit {
		return fmt.Errorf("%s has more than %d files and folders: name a smaller folder as spec.source.path, or leave spec.source.directory.recurse out",
			render.Root(w.Source), w.limit)
	}
	for _, entry := range entries {
		name := path.Join(dir, entry.Name())
		switch {
		case entry.IsDir():
			if w.recurse {
				if err := w.walk(ctx, name); err != nil {
					return err
				}
			}
		case w.chosen(name):
			w.files = append(w.files, name)
		}
	}
	return nil
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

// measure drops what is a link to a folder and adds the sizes up, before anything is read.
func (r *Renderer) measure(req render.Request, files []string) ([]string, error) {
	var sum int64
	var regular []string
	for _, name := range files {
		full := path.Join(render.Root(req.Source), name)
		info, err := fs.Stat(req.Tree, full)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%s: the link leads to nothing: correct or remove it", full)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", full, err)
		}
		if info.IsDir() {
			continue
		}
		regular = append(regular, name)
		if sum += info.Size(); sum > r.options.MaxBytes {
			return nil, fmt.Errorf("%s: its %d bytes bring the manifests of %s above the limit of %d bytes: move what is no manifest elsewhere, exclude it, "+
				"or raise reposerver.max.combined.directory.manifests.size", full, info.Size(), render.Root(req.Source), r.options.MaxBytes)
		}
	}
	return regular, nil
}
