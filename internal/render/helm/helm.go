package helm

import (
	"context"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	chartutil "helm.sh/helm/v4/pkg/chart/v2/util"
	"helm.sh/helm/v4/pkg/engine"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/render"
)

// Options limits what a rendering reads and makes.
type Options struct {
	// MaxBytes is the largest sum of the sizes of a chart's files, unpacked and with its dependencies, and of the files with
	// values; 0 means 64 MiB.
	MaxBytes int64
	// MaxFiles is how many files and folders a chart may have; 0 means 20,000.
	MaxFiles int
	// MaxManifestBytes is the largest sum of the sizes of the manifests that come out; 0 means 32 MiB.
	MaxManifestBytes int64
}

// Renderer renders charts. Make one with New.
type Renderer struct {
	options Options
}

// New makes a renderer.
func New(options Options) *Renderer {
	if options.MaxBytes == 0 {
		options.MaxBytes = 64 << 20
	}
	if options.MaxFiles == 0 {
		options.MaxFiles = 20_000
	}
	if options.MaxManifestBytes == 0 {
		options.MaxManifestBytes = 32 << 20
	}
	return &Renderer{options: options}
}

// Render renders the chart in the source's path, as "helm template" does: the definitions of its crds folders, its
// templates in the order in which Helm installs them, and its hooks.
func (r *Renderer) Render(ctx context.Context, req render.Request) ([]*unstructured.Unstructured, error) {
	rel, err := newRelease(ctx, req, r.options)
	if err != nil {
		return nil, err
	}
	left := &budget{bytes: r.options.MaxBytes, files: r.options.MaxFiles}
	values, err := resolveValues(ctx, req, rel.options, left)
	if err != nil {
		return nil, err
	}
	manifests, err := rel.template(ctx, values, left)
	if err != nil {
		return nil, fmt.Errorf("failed to execute helm template command: failed running helm: `%s failed exit status 1: Error: %w", // as recorded
			rel.command(values), clean(err))
	}
	return convert(manifests, r.options.MaxManifestBytes)
}

// release is what a chart is rendered for.
type release struct {
	req     render.Request
	options *argov1.ApplicationSourceHelm
	limits  Options

	name, namespace string
	kubeVersion     string // "1.37.2", or empty if nothing is known
	apiVersions     []string
}

func newRelease(ctx context.Context, req render.Request, limits Options) (*release, error) {
	options := req.Source.Helm
	if options == nil {
		options = &argov1.ApplicationSourceHelm{}
	}
	rel := &release{req: req, options: options, limits: limits, name: options.ReleaseName, namespace: options.Namespace}
	if rel.name == "" {
		rel.name = req.Instance.Application()
	}
	if rel.namespace == "" {
		rel.namespace = req.Instance.Namespace
	}
	cluster := render.Cluster{}
	if req.Cluster != nil && (options.KubeVersion == "" || len(options.APIVersions) == 0) {
		var err error
		if cluster, err = req.Cluster(ctx); err != nil {
			return nil, err
		}
	}
	if options.KubeVersion != "" {
		cluster.KubeVersion = options.KubeVersion
	}
	if len(options.APIVersions) > 0 {
		cluster.APIVersions = options.APIVersions
	}
	rel.apiVersions = cluster.APIVersions
	if cluster.KubeVersion == "" {
		return rel, nil
	}
	version, err := common.ParseKubeVersion(cluster.KubeVersion)
	if err != nil {
		return nil, fmt.Errorf("spec.source.helm.kubeVersion %q is no version such as 1.37.2: %w", cluster.KubeVersion, err)
	}
	for rel.kubeVersion = version.String()[1:]; strings.Count(rel.kubeVersion, ".") < 2; {
		rel.kubeVersion += ".0" // constraints want all three parts
	}
	return rel, nil
}

// template does what the command does, with its texts.
func (rel *release) template(ctx context.Context, values *values, left *budget) ([]document, error) {
	merged, err := values.merge()
	if err != nil {
		return nil, err
	}
	loaded, err := rel.load(ctx, left)
	if err != nil {
		return nil, err
	}
	if err := chartutil.ValidateReleaseName(rel.name); err != nil {
		return nil, fmt.Errorf("release name %q: %w", rel.name, err)
	}
	if err := chartutil.ProcessDependencies(loaded, merged); err != nil {
		return nil, err
	}
	capabilities, err := rel.capabilities()
	if err != nil {
		return nil, err
	}
	options := common.ReleaseOptions{Name: rel.name, Namespace: rel.namespace, Revision: 1, IsInstall: true}
	// The schema is checked below: the library would follow its references to files and servers.
	input, err := util.ToRenderValuesWithSchemaValidation(loaded, merged, options, capabilities, true)
	if err != nil {
		return nil, err
	}
	if !rel.options.SkipSchemaValidation {
		if err := checkSchemas(loaded, input); err != nil {
			return nil, err
		}
	}
	documents, err := rel.execute(ctx, loaded, input, capabilities)
	if err != nil {
		return nil, &invalidError{err}
	}
	return documents, nil
}

// capabilities are what the chart may know of the cluster.
func (rel *release) capabilities() (*common.Capabilities, error) {
	capabilities := common.DefaultCapabilities.Copy()
	if rel.kubeVersion != "" {
		version, err := common.ParseKubeVersion(rel.kubeVersion)
		if err != nil {
			return nil, err
		}
		capabilities.KubeVersion = *version
	}
	capabilities.APIVersions = append(slices.Clip(capabilities.APIVersions), rel.apiVersions...)
	return capabilities, nil
}

// execute runs the templates. There is no cluster to look up anything from, no name server and no environment.
func (rel *release) execute(ctx context.Context, loaded *chart.Chart, input common.Values, capabilities *common.Capabilities) ([]document, error) {
	if constraint := loaded.Metadata.KubeVersion; constraint != "" && !chartutil.IsCompatibleRange(constraint, capabilities.KubeVersion.String()) {
		return nil, fmt.Errorf("chart requires kubeVersion: %s which is incompatible with Kubernetes %s", constraint, capabilities.KubeVersion.Version)
	}
	var e engine.Engine
	files, err := e.RenderWithContext(ctx, loaded, input)
	if err != nil {
		return nil, err
	}
	var documents []document
	if !rel.options.SkipCrds {
		for _, crd := range loaded.CRDObjects() {
			documents = append(documents, document{file: crd.Filename, text: string(crd.File.Data)})
		}
	}
	rendered, err := sortDocuments(files, rel.options.SkipTests, rel.limits.MaxManifestBytes)
	return append(documents, rendered...), err
}

// budget is what may still be read.
type budget struct {
	bytes int64
	files int
}

// read reads a file if the budget allows it.
func (b *budget) read(tree fs.FS, name string) ([]byte, error) {
	info, err := fs.Stat(tree, name)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return nil, fmt.Errorf("read %s: is a directory", display(name))
	}
	if err := b.take(name, info.Size()); err != nil {
		return nil, err
	}
	return fs.ReadFile(tree, name)
}

// take counts a file.
func (b *budget) take(name string, size int64) error {
	if b.bytes -= size; b.bytes < 0 {
		return fmt.Errorf("%s: with its %d bytes the chart and its values are larger than what is read at most: move what is no part of the chart elsewhere", name, size)
	}
	return b.entry(name)
}

// entry counts a file or folder.
func (b *budget) entry(name string) error {
	if b.files--; b.files < 0 {
		return fmt.Errorf("%s: the chart has more files and folders than are read at most: move what is no part of the chart elsewhere", name)
	}
	return nil
}
