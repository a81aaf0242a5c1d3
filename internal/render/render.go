// Package render turns a source at a revision into manifests: it finds out what kind of source it is and hands it to the
// renderer for that kind.
package render

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
)

// Request is one source at one revision.
type Request struct {
	Source argov1.ApplicationSource
	// Tree is the repository at the revision, from its root.
	Tree fs.FS
	// Environment is what options that take variables may use; nil has none.
	Environment Environment
}

// Renderer renders sources of one type.
type Renderer interface {
	Render(ctx context.Context, req Request) ([]*unstructured.Unstructured, error)
}

// Dispatcher knows the renderer of each source type.
type Dispatcher map[argov1.ApplicationSourceType]Renderer

// Render finds out the type of a source and renders it. A type without a renderer is an error that says what is possible.
func (d Dispatcher) Render(ctx context.Context, req Request) ([]*unstructured.Unstructured, argov1.ApplicationSourceType, error) {
	if err := checkPath(req); err != nil {
		return nil, "", err
	}
	sourceType, err := Detect(req.Source, req.Tree)
	if err != nil {
		return nil, "", fmt.Errorf("error getting app source type: %w", err) // as recorded
	}
	renderer := d[sourceType]
	if renderer == nil {
		return nil, sourceType, fmt.Errorf("%s: sources of type %s are not rendered by this version: use Kustomize, or a directory of plain YAML or JSON",
			Root(req.Source), sourceType)
	}
	objects, err := renderer.Render(ctx, req)
	return objects, sourceType, err
}

// Root is the path of a source inside its tree, in the form that io/fs wants.
func Root(source argov1.ApplicationSource) string {
	return path.Clean(source.Path)
}

// checkPath refuses a path that is no directory of the repository, in the recorded words (contract 1.2).
func checkPath(req Request) error {
	if path.IsAbs(req.Source.Path) {
		return fmt.Errorf("%s: app path is absolute", req.Source.Path)
	}
	if !fs.ValidPath(Root(req.Source)) {
		return fmt.Errorf("%s: app path outside root", req.Source.Path)
	}
	info, err := fs.Stat(req.Tree, Root(req.Source))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s: app path does not exist", req.Source.Path)
	case err != nil:
		return fmt.Errorf("%s: %w", req.Source.Path, err)
	case !info.IsDir():
		return fmt.Errorf("%s: app path is not a directory", req.Source.Path)
	}
	return nil
}

// Detect is the type of a source: what its spec says, else what its files say (contract 1.2).
func Detect(source argov1.ApplicationSource, tree fs.FS) (argov1.ApplicationSourceType, error) {
	explicit := explicitTypes(source)
	switch len(explicit) {
	case 0:
	case 1:
		return argov1.ApplicationSourceType(explicit[0]), nil
	default:
		return "", fmt.Errorf("multiple application sources defined: %s", strings.Join(explicit, ",")) // as recorded
	}
	entries, err := fs.ReadDir(tree, Root(source))
	if err != nil {
		return "", fmt.Errorf("%s: %w", source.Path, err)
	}
	sourceType := argov1.SourceTypeDirectory
	for _, entry := range entries {
		switch {
		case entry.IsDir():
		case entry.Name() == "Chart.yaml":
			return argov1.SourceTypeHelm, nil
		case IsKustomization(entry.Name()):
			sourceType = argov1.SourceTypeKustomize
		}
	}
	return sourceType, nil
}

// IsKustomization tells whether a file of this name makes its folder a Kustomize source.
func IsKustomization(name string) bool {
	return name == "kustomization.yaml" || name == "kustomization.yml" || name == "Kustomization"
}

func explicitTypes(source argov1.ApplicationSource) (types []string) {
	if source.Kustomize != nil {
		types = append(types, string(argov1.SourceTypeKustomize))
	}
	if source.Helm != nil || source.Chart != "" {
		types = append(types, string(argov1.SourceTypeHelm))
	}
	if source.Directory != nil {
		types = append(types, string(argov1.SourceTypeDirectory))
	}
	if source.Plugin != nil {
		types = append(types, string(argov1.SourceTypePlugin))
	}
	return types
}
