package kustomize

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/kustomize/api/konfig"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/yaml"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/render"
	"github.com/tiphys-io/tiphys/internal/render/manifest"
)

// charts renders the charts of kustomizations, where argocd-cm permits them. The library would run a command for each; it is
// shown a resource in the place of the chart.
type charts struct {
	renderer  render.Renderer
	req       render.Request
	namespace string // of the source's own kustomization; charts that no other says anything for have it too
}

// chartPrefix begins the name of the resource that the library is shown for a chart.
const chartPrefix = ".helm-chart-"

// inflate gives a kustomization with what its charts render among its resources.
func (v *view) inflate(rel, root string, data []byte) ([]byte, error) {
	if v.charts == nil {
		return data, nil
	}
	own := root == render.Root(v.charts.req.Source)
	if !own && !bytes.Contains(data, []byte("helmChart")) {
		return data, nil
	}
	if _, err := manifest.Measure(rel, data, v.options.MaxBytes); err != nil {
		return nil, err
	}
	var k types.Kustomization
	if err := k.Unmarshal(data); err != nil {
		return data, nil //nolint:nilerr // the library says it better
	}
	k.FixKustomization()
	if options := v.charts.req.Source.Kustomize; own && options != nil && options.Namespace != "" {
		k.Namespace = options.Namespace // which is edited in later
	}
	if own {
		v.charts.namespace = k.Namespace
	}
	if len(k.HelmCharts) == 0 {
		return data, nil
	}
	if err := v.inflateCharts(rel, root, &k); err != nil {
		return nil, err
	}
	return yaml.Marshal(k)
}

// inflateCharts puts a resource in the place of each chart.
func (v *view) inflateCharts(rel, root string, k *types.Kustomization) error {
	globals := types.HelmGlobals{}
	if k.HelmGlobals != nil {
		globals = *k.HelmGlobals
	}
	for i, chart := range k.HelmCharts {
		chart.Namespace = cmp.Or(chart.Namespace, k.Namespace, v.charts.namespace)
		objects, err := v.charts.render(v, root, globals, chart)
		if err != nil {
			return fmt.Errorf("%s: helmCharts[%d]: %w", rel, i, err)
		}
		text, err := write(objects)
		if err != nil {
			return err
		}
		if len(objects) == 0 {
			continue
		}
		name := fmt.Sprintf(chartPrefix+"%d-%s.yaml", i, path.Base(chart.Name))
		v.edited[path.Join(root, name)] = text
		k.Resources = append(k.Resources, name)
	}
	k.HelmCharts, k.HelmGlobals = nil, nil
	return nil
}

// write writes objects as documents of YAML, with the mark of the library for what charts made: it leaves their namespaces
// to them.
func write(objects []*unstructured.Unstructured) ([]byte, error) {
	var b bytes.Buffer
	for _, object := range objects {
		annotations := object.GetAnnotations()
		if annotations == nil {
			annotations = map[string]string{}
		}
		annotations[konfig.HelmGeneratedAnnotation] = "true"
		object.SetAnnotations(annotations)
		data, err := json.Marshal(object.Object)
		if err != nil {
			return nil, err
		}
		b.WriteString("---\n")
		b.Write(data)
		b.WriteByte('\n')
	}
	return b.Bytes(), nil
}

var errNoChart = errors.New("charts of repositories are not fetched for kustomizations by this version: commit the chart to the charts folder")

// render renders a chart that lies in the repository.
func (c *charts) render(v *view, root string, globals types.HelmGlobals, chart types.HelmChart) ([]*unstructured.Unstructured, error) {
	home := globals.ChartHome
	if home == "" {
		home = types.HelmDefaultHome
	}
	if chart.Version != "" && chart.Repo != "" {
		home = path.Join(home, chart.Name+"-"+chart.Version)
	}
	folder := path.Join(root, home, chart.Name)
	if path.IsAbs(home) || chart.Name == "" || !fs.ValidPath(folder) {
		return nil, errors.New("the chart does not lie in the repository")
	}
	for _, name := range append([]string{path.Join(home, chart.Name), chart.ValuesFile}, chart.AdditionalValuesFiles...) {
		if err := checkInside(root, name); err != nil {
			return nil, err
		}
	}
	if _, err := fs.Stat(v.tree, folder); errors.Is(err, fs.ErrNotExist) {
		return nil, errNoChart
	}
	helm, err := c.options(v, root, folder, chart)
	if err != nil {
		return nil, err
	}
	req := c.req
	req.References = nil
	req.Source = argov1.ApplicationSource{RepoURL: c.req.Source.RepoURL, Path: folder, TargetRevision: c.req.Source.TargetRevision, Helm: helm}
	objects, err := c.renderer.Render(v.ctx, req)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(objects, func(o *unstructured.Unstructured) bool {
		return chart.SkipHooks && o.GetAnnotations()["helm.sh/hook"] != ""
	}), nil
}

// options are those of the chart as a source has them. What the source says about Kubernetes wins over what the chart says.
func (c *charts) options(v *view, root, folder string, chart types.HelmChart) (*argov1.ApplicationSourceHelm, error) {
	helm := &argov1.ApplicationSourceHelm{
		ReleaseName: chart.ReleaseName, Namespace: chart.Namespace, SkipCrds: !chart.IncludeCRDs, SkipTests: chart.SkipTests,
		KubeVersion: chart.KubeVersion, APIVersions: chart.ApiVersions,
	}
	if helm.ReleaseName == "" {
		helm.ReleaseName = "release-name" // as the command calls it
	}
	if helm.Namespace == "" {
		helm.Namespace = "default"
	}
	if options := c.req.Source.Kustomize; options != nil {
		if options.KubeVersion != "" {
			helm.KubeVersion = options.KubeVersion
		}
		if len(options.APIVersions) > 0 {
			helm.APIVersions = options.APIVersions
		}
	}
	values := path.Join(folder, "values.yaml")
	if chart.ValuesFile != "" {
		values = path.Join(root, chart.ValuesFile)
	}
	merged, err := c.values(v, values, chart)
	for _, file := range chart.AdditionalValuesFiles {
		var more map[string]any
		if err == nil {
			more, err = readValues(v, path.Join(root, file))
		}
		merged = overlay(merged, more)
	}
	if err != nil {
		return nil, err
	}
	if helm.ValuesObject, err = object(merged); err != nil {
		return nil, err
	}
	return helm, nil
}

// values are the file with values and the inline ones, of which valuesMerge says which win.
func (c *charts) values(v *view, file string, chart types.HelmChart) (map[string]any, error) {
	var ofFile map[string]any
	if chart.ValuesMerge != "replace" || len(chart.ValuesInline) == 0 {
		var err error
		ofFile, err = readValues(v, file)
		if err != nil && (chart.ValuesFile != "" || !errors.Is(err, fs.ErrNotExist)) {
			return nil, err
		}
	}
	switch chart.ValuesMerge {
	case "", "override":
		return overlay(ofFile, chart.ValuesInline), nil
	case "merge":
		return overlay(chart.ValuesInline, ofFile), nil
	case "replace":
		if len(chart.ValuesInline) == 0 {
			return ofFile, nil
		}
		return chart.ValuesInline, nil
	default:
		return nil, fmt.Errorf("valuesMerge must be one of %v", []string{"merge", "override", "replace"}) // the text of the command
	}
}

// readValues reads a file with values.
func readValues(v *view, file string) (values map[string]any, err error) {
	if !fs.ValidPath(file) {
		return nil, fmt.Errorf("%s: a file with values lies outside of the repository", file)
	}
	data, err := v.read(file)
	if err == nil {
		_, err = manifest.Measure(file, data, v.options.MaxBytes)
	}
	if err == nil {
		err = yaml.Unmarshal(data, &values)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return values, nil
}

// overlay gives the values of both, of which those of over win.
func overlay(under, over map[string]any) map[string]any {
	merged := maps.Clone(under)
	if merged == nil {
		merged = map[string]any{}
	}
	for key, value := range over {
		inner, isMap := value.(map[string]any)
		below, wasMap := merged[key].(map[string]any)
		if isMap && wasMap {
			value = overlay(below, inner)
		}
		merged[key] = value
	}
	return merged
}

func object(values map[string]any) (*runtime.RawExtension, error) {
	data, err := json.Marshal(values)
	if err != nil {
		return nil, fmt.Errorf("the values: %s", strings.TrimPrefix(err.Error(), "json: "))
	}
	return &runtime.RawExtension{Raw: data}, nil
}
