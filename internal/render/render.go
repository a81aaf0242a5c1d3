// Package render turns a source at a revision into manifests: it finds out what kind of source it is and hands it to the
// renderer for that kind.
package render

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
)

// Request is one source at one revision.
type Request struct {
	Source argov1.ApplicationSource
	// Tree is the repository at the revision, from its root.
	Tree fs.FS
	// Instance is the application that the source is rendered for.
	Instance Instance
	// Environment is what options that take variables may use; nil has none.
	Environment Environment
	// References are the sources that value files may come from, by the name that stands behind the dollar sign; nil for an
	// application of a single source, where a dollar sign is one of a variable (contract 1.4).
	References map[string]Reference
	// Cluster is asked for the versions of the destination; nil for one that nothing is known of.
	Cluster func(ctx context.Context) (Cluster, error)
	// Remote gets charts and files from elsewhere, and Repositories repositories; nil gets nothing.
	Remote       Remote
	Repositories Repositories
	// Settings are those of the installation.
	Settings Settings
	// Names is told the variables of the environment that the source names; nil wants to know nothing.
	Names func(variable string)
	// Fresh renders although the same was rendered before.
	Fresh bool
}

// Settings are what argocd-cm says about rendering (contract 5.1). The zero value has the defaults.
type Settings struct {
	// WithoutKustomize, WithoutHelm and WithoutJsonnet turn a tool off: its sources are then folders of plain manifests, and
	// its files are left out.
	WithoutKustomize, WithoutHelm, WithoutJsonnet bool
	// KustomizeBuildOptions are options of "kustomize build" for all kustomizations.
	KustomizeBuildOptions string
	// KustomizeVersions are the versions that a source may choose, each with its own options of "kustomize build".
	KustomizeVersions map[string]string
	// ValueFileSchemes are the schemes of URLs that value files may come from; nil means https and http.
	ValueFileSchemes []string
}

// without tells whether a type is turned off.
func (s Settings) without(sourceType argov1.ApplicationSourceType) bool {
	return (sourceType == argov1.SourceTypeKustomize && s.WithoutKustomize) || (sourceType == argov1.SourceTypeHelm && s.WithoutHelm)
}

// Reference is a source that another one takes files from.
type Reference struct {
	// Chart is the chart of the source, if it is one of a repository of charts: that has no files to refer to.
	Chart string
	// Tree is the repository at the source's revision, from its root.
	Tree fs.FS
}

// Cluster is what is known of the destination.
type Cluster struct {
	// KubeVersion is the version of Kubernetes, with or without a leading "v".
	KubeVersion string
	// APIVersions are the served group versions and their kinds: "apps/v1", "apps/v1/Deployment".
	APIVersions []string
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
	if err := checkReferences(req); err != nil {
		return nil, "", err
	}
	var err error
	if req.Source, err = override(req); err != nil {
		return nil, "", fmt.Errorf("error getting app source type: %w", err)
	}
	if req.Environment, err = req.Environment.namedBy(req.Source); err != nil {
		return nil, "", fmt.Errorf("the source: %w", err)
	}
	for variable := range req.Environment {
		if req.Names != nil {
			req.Names(variable)
		}
	}
	sourceType, err := Detect(req.Source, req.Tree, req.Settings)
	if err != nil {
		return nil, "", fmt.Errorf("error getting app source type: %w", err) // as recorded
	}
	if sourceType == argov1.SourceTypePlugin {
		return nil, sourceType, errors.New(PluginProblem)
	}
	renderer := d[sourceType]
	if renderer == nil {
		return nil, sourceType, fmt.Errorf("%s: sources of type %s are not rendered by this version: use Helm, Kustomize, Jsonnet, or a directory of plain YAML or JSON",
			Root(req.Source), sourceType)
	}
	objects, err := renderer.Render(ctx, req)
	return objects, sourceType, err
}

// PluginProblem says of a source with a plugin what is supported.
const PluginProblem = "config management plugins are not run by this version; Helm, Kustomize, Jsonnet and folders of YAML and JSON are"

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

// checkReferences refuses values from a source that is not there, in the recorded words (contract 1.4).
func checkReferences(req Request) error {
	if req.References == nil || req.Source.Helm == nil {
		return nil
	}
	files := slices.Clone(req.Source.Helm.ValueFiles)
	for _, parameter := range req.Source.Helm.FileParameters {
		files = append(files, parameter.Path)
	}
	for _, file := range files {
		name, isReference := strings.CutPrefix(file, "$")
		if !isReference {
			continue
		}
		name, _, _ = strings.Cut(name, "/")
		found, known := req.References[name]
		switch {
		case known && found.Chart != "":
			return errors.New("source has a 'chart' field defined, but Helm charts are not yet not supported for 'ref' sources")
		case known:
		case len(req.References) == 0:
			return fmt.Errorf("source referenced %q, but no source has a 'ref' field defined", "$"+name)
		default:
			return fmt.Errorf("source referenced %q, which is not one of the available sources ($%s)", "$"+name,
				strings.Join(slices.Sorted(maps.Keys(req.References)), ", $"))
		}
	}
	return nil
}

// Detect is the type of a source: what its spec says, else what its files say. A type that is turned off is none, and leaves
// a folder of plain manifests (contract 1.2).
func Detect(source argov1.ApplicationSource, tree fs.FS, settings Settings) (argov1.ApplicationSourceType, error) {
	explicit := explicitTypes(source)
	switch len(explicit) {
	case 0:
	case 1:
		sourceType := argov1.ApplicationSourceType(explicit[0])
		if settings.without(sourceType) {
			sourceType = argov1.SourceTypeDirectory
		}
		return sourceType, nil
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
		case entry.Name() == "Chart.yaml" && !settings.WithoutHelm:
			return argov1.SourceTypeHelm, nil
		case IsKustomization(entry.Name()) && !settings.WithoutKustomize:
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
