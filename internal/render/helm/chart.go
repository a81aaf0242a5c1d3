package helm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"helm.sh/helm/v4/pkg/chart/loader/archive"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/ignore"

	"github.com/tiphys-io/tiphys/internal/render"
	"github.com/tiphys-io/tiphys/internal/render/manifest"
)

// load reads the chart in the source's path, with its dependencies.
func (rel *release) load(ctx context.Context, left *budget) (*chart.Chart, error) {
	loaded, err := loadFolder(ctx, rel.req.Tree, render.Root(rel.req.Source), left)
	if err != nil {
		return nil, err
	}
	switch loaded.Metadata.Type {
	case "", "application":
	default:
		return nil, fmt.Errorf("%s charts are not installable", loaded.Metadata.Type)
	}
	if err := rel.addDependencies(ctx, loaded, left); err != nil {
		return nil, err
	}
	return loaded, nil
}

// loadFolder reads the chart in a folder of a tree.
func loadFolder(ctx context.Context, tree fs.FS, root string, left *budget) (*chart.Chart, error) {
	rules, err := ignoreRules(tree, root, left)
	if err != nil {
		return nil, err
	}
	w := &folder{ctx: ctx, tree: tree, root: root, rules: rules, left: left}
	if err := w.walk("."); err != nil {
		return nil, err
	}
	return loadFiles(w.files, left)
}

// loadFiles makes a chart of its files. What its files of YAML become once aliases are written out is checked before.
func loadFiles(files []*archive.BufferedFile, left *budget) (*chart.Chart, error) {
	files, err := unpack(files, left, 0)
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		switch path.Base(file.Name) {
		case "Chart.yaml", "values.yaml", "requirements.yaml", "Chart.lock", "requirements.lock":
			if _, err := manifest.Measure(file.Name, file.Data, left.bytes); err != nil {
				return nil, err
			}
		}
	}
	return loader.LoadFiles(files)
}

// ignoreRules are those of the chart's .helmignore.
func ignoreRules(tree fs.FS, root string, left *budget) (*ignore.Rules, error) {
	rules := ignore.Empty()
	data, err := left.read(tree, path.Join(root, ignore.HelmIgnore))
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	default:
		if rules, err = ignore.Parse(bytes.NewReader(data)); err != nil {
			return nil, fmt.Errorf("%s: %w", display(path.Join(root, ignore.HelmIgnore)), err)
		}
	}
	rules.AddDefaults()
	return rules, nil
}

// maxDepth is how deep folders may be within each other: links can make them endless.
const maxDepth = 100

// folder reads all files of a folder. Links are followed, within the tree.
type folder struct {
	ctx   context.Context
	tree  fs.FS
	root  string
	rules *ignore.Rules
	left  *budget

	files []*archive.BufferedFile
}

func (w *folder) walk(dir string) error {
	if err := w.ctx.Err(); err != nil {
		return err
	}
	if strings.Count(dir, "/") > maxDepth {
		return fmt.Errorf("%s: folders are nested deeper than %d levels, probably by a link in a circle", path.Join(w.root, dir)[:80]+"...", maxDepth)
	}
	entries, err := fs.ReadDir(w.tree, path.Join(w.root, dir))
	if err != nil {
		return err
	}
	for _, entry := range entries {
		name := path.Join(dir, entry.Name())
		full := path.Join(w.root, name)
		info, err := fs.Stat(w.tree, full)
		if err != nil {
			return fmt.Errorf("%s: %w", full, err)
		}
		if w.rules.Ignore(name, info) {
			continue
		}
		if info.IsDir() {
			if err := w.left.entry(full); err != nil {
				return err
			}
			if err := w.walk(name); err != nil {
				return err
			}
			continue
		}
		data, err := w.left.read(w.tree, full)
		if err != nil {
			return fmt.Errorf("%s: %w", full, err)
		}
		if isPart(name) {
			if err := manifest.CheckPointer(full, data); err != nil {
				return err
			}
		}
		w.files = append(w.files, &archive.BufferedFile{Name: name, Data: trimMark(data)})
	}
	return nil
}

// isPart tells whether a file makes up a chart, or a chart in its charts folder; others are there for templates to use.
func isPart(name string) bool {
	top, rest, inFolder := strings.Cut(name, "/")
	switch {
	case !inFolder:
		return slices.Contains([]string{"Chart.yaml", "Chart.lock", "requirements.yaml", "requirements.lock", "values.yaml", "values.schema.json"}, name)
	case top == "charts":
		_, inside, isFolder := strings.Cut(rest, "/")
		return !isFolder || isPart(inside)
	}
	return top == "templates" || top == "crds"
}

// trimMark removes a byte order mark.
func trimMark(data []byte) []byte { return bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")) }

// addDependencies adds the charts that Chart.yaml asks for and that are not in the charts folder, as "helm dependency build"
// would.
func (rel *release) addDependencies(ctx context.Context, loaded *chart.Chart, left *budget) error {
	present := map[string]bool{}
	for _, dependency := range loaded.Dependencies() {
		present[dependency.Name()] = true
	}
	for _, wanted := range loaded.Metadata.Dependencies {
		if wanted == nil || present[wanted.Name] {
			continue
		}
		found, err := rel.dependency(ctx, wanted, loaded.Lock, left)
		if err != nil {
			return fmt.Errorf("An error occurred while checking for chart dependencies. You may need to run `helm dependency build` "+ //nolint:staticcheck // as recorded
				"to fetch missing dependencies: found in Chart.yaml, but missing in charts/ directory: %s: %w", wanted.Name, err)
		}
		present[wanted.Name] = true
		loaded.AddDependency(found)
	}
	return nil
}
