package kustomize_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/render"
	"github.com/tiphys-io/tiphys/internal/render/helm"
	"github.com/tiphys-io/tiphys/internal/render/kustomize"
)

// chart is a chart in the repository that shows its values.
var chart = files{
	"app/charts/c/Chart.yaml":  "apiVersion: v2\nname: c\nversion: 1.2.3\n",
	"app/charts/c/values.yaml": "a: chart\nb: chart\nc: {d: chart, e: chart}\n",
	"app/charts/c/templates/cm.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Release.Name }}}\ndata:\n  values: {{ .Values | toJson | quote }}\n" +
		"  about: {{ .Release.Namespace }} {{ .Capabilities.KubeVersion }} {{ .Capabilities.APIVersions.Has \"x/v1\" }}\n",
	"app/charts/c/templates/hook.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: hook, annotations: {helm.sh/hook: pre-install}}\n",
	"app/charts/c/templates/test.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: test, annotations: {helm.sh/hook: test}}\n",
	"app/charts/c/crds/crd.yaml":       "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: parts.example.com}\n",
	"app/v.yaml":                       "b: file\nc: {e: file}\n",
	"app/w.yaml":                       "b: more\n",
	"app/cm.yaml":                      configMap,
}

func inflated(t *testing.T, in files, options *argov1.ApplicationSourceKustomize, buildOptions string) ([]*unstructured.Unstructured, error) {
	t.Helper()
	renderer := kustomize.New(kustomize.Options{Helm: helm.New(helm.Options{})})
	return renderer.Render(t.Context(), render.Request{
		Source: argov1.ApplicationSource{Path: "app", Kustomize: options}, Tree: in.tree(), Instance: render.Instance{Name: "app", Namespace: "dest"},
		Settings: render.Settings{KustomizeBuildOptions: buildOptions},
	})
}

func TestCharts(t *testing.T) {
	for _, tc := range []struct {
		reason, kustomization string
		options               *argov1.ApplicationSourceKustomize
		names                 string
		data                  string // of the chart's ConfigMap
	}{
		{"a chart", "helmCharts: [{name: c, releaseName: r}]", nil, "r hook test", `{"a":"chart","b":"chart","c":{"d":"chart","e":"chart"}}`},
		{"no name, as the command calls it", "helmCharts: [{name: c}]", nil, "release-name hook test", ""},
		{"beside resources, and edited as these are", "resources: [cm.yaml]\nnamePrefix: x-\nnamespace: ns\nhelmCharts: [{name: c, releaseName: r, namespace: other}]", nil, "x-cm x-r x-hook x-test", "about:other "},
		{"in the namespace of the kustomization", "namespace: ns\nhelmCharts: [{name: c, releaseName: r, skipHooks: true}]", nil, "r", "about:ns "},
		{"in the namespace of the source", "namespace: ns\nhelmCharts: [{name: c, releaseName: r, skipHooks: true}]", &argov1.ApplicationSourceKustomize{Namespace: "given"}, "r", "about:given "},
		{"in the namespace of the one that uses it", "namespace: ns\nresources: [../based]", nil, "r", "about:ns "},
		{"edited by the source", "helmCharts: [{name: c, releaseName: r}]", &argov1.ApplicationSourceKustomize{NameSuffix: "-y"}, "r-y hook-y test-y", ""},
		{"twice", "helmCharts: [{name: c, releaseName: r, skipHooks: true}, {name: c, releaseName: s, skipHooks: true}]", nil, "r s", ""},
		{"definitions, and no hooks", "helmCharts: [{name: c, releaseName: r, includeCRDs: true, skipHooks: true}]", nil, "parts.example.com r", ""},
		{"no tests", "helmCharts: [{name: c, releaseName: r, skipTests: true}]", nil, "r hook", ""},
		{"a file with values", "helmCharts: [{name: c, releaseName: r, valuesFile: v.yaml, skipHooks: true}]", nil, "r", `{"a":"chart","b":"file","c":{"d":"chart","e":"file"}}`},
		{"further files", "helmCharts: [{name: c, releaseName: r, valuesFile: v.yaml, additionalValuesFiles: [w.yaml], valuesInline: {b: inline}, skipHooks: true}]", nil, "r", `"b":"more"`},
		{"inline values", "helmCharts: [{name: c, releaseName: r, valuesFile: v.yaml, valuesInline: {b: inline, c: {d: inline}}, skipHooks: true}]", nil, "r", `{"a":"chart","b":"inline","c":{"d":"inline","e":"file"}}`},
		{"inline values that do not win", "helmCharts: [{name: c, releaseName: r, valuesFile: v.yaml, valuesMerge: merge, valuesInline: {b: inline, f: inline}, skipHooks: true}]", nil, "r", `"b":"file","c":{"d":"chart","e":"file"},"f":"inline"`},
		{"inline values alone", "helmCharts: [{name: c, releaseName: r, valuesFile: v.yaml, valuesMerge: replace, valuesInline: {b: inline}, skipHooks: true}]", nil, "r", `{"a":"chart","b":"inline","c":{"d":"chart","e":"chart"}}`},
		{"versions of the chart", "helmCharts: [{name: c, releaseName: r, kubeVersion: '1.20', apiVersions: [x/v1], skipHooks: true}]", nil, "r", "v1.20.0 true"},
		{"versions of the source win", "helmCharts: [{name: c, releaseName: r, kubeVersion: '1.20', skipHooks: true}]", &argov1.ApplicationSourceKustomize{KubeVersion: "1.30.1", APIVersions: []string{"x/v1"}}, "r", "v1.30.1 true"},
		{"the old field", "helmChartInflationGenerator: [{chartName: c, releaseName: r}]", nil, "r hook test", ""},
		{"a chart elsewhere", "helmGlobals: {chartHome: ../lib}\nhelmCharts: [{name: d, releaseName: r}]", nil, "d", ""},
		{"a chart in a base", "resources: [../base]", nil, "based", ""},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			in := with(chart, files{
				"app/kustomization.yaml": tc.kustomization, "lib/d/Chart.yaml": "apiVersion: v2\nname: d\nversion: 1.0.0\n", "lib/d/templates/cm.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: d}\n",
				"based/kustomization.yaml": "helmGlobals: {chartHome: ../app/charts}\nhelmCharts: [{name: c, releaseName: r, skipHooks: true}]",
				"base/kustomization.yaml":  "helmCharts: [{name: b}]", "base/charts/b/Chart.yaml": "apiVersion: v2\nname: b\nversion: 1.0.0\n", "base/charts/b/templates/cm.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: based}\n",
			})
			objects, err := inflated(t, in, tc.options, "--enable-helm")
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			data := ""
			for _, o := range objects {
				names = append(names, o.GetName())
				data += fmt.Sprint(o.Object["data"])
			}
			want := strings.Fields(tc.names)
			slices.Sort(names)
			slices.Sort(want)
			if !slices.Equal(names, want) || !strings.Contains(strings.ReplaceAll(data, `\`, ""), tc.data) {
				t.Errorf("%v %s", names, data)
			}
		})
	}
}

func TestChartErrors(t *testing.T) {
	for _, tc := range []struct{ reason, kustomization, options, want string }{
		{"not permitted", "helmCharts: [{name: c}]", "", "--enable-helm among kustomize.buildOptions"},
		{"switched off", "helmCharts: [{name: c}]", "--enable-helm=false", "--enable-helm among kustomize.buildOptions"},
		{"a chart that is not there", "helmCharts: [{name: x, repo: 'https://example.com', version: 1.0.0}]", "--enable-helm", "app/kustomization.yaml: helmCharts[0]: charts of repositories are not fetched"},
		{"a chart outside", "helmCharts: [{name: ../../../x}]", "--enable-helm", "the chart does not lie in the repository"},
		{"charts of the machine", "helmGlobals: {chartHome: /etc}\nhelmCharts: [{name: x}]", "--enable-helm", "the chart does not lie in the repository"},
		{"values outside", "helmCharts: [{name: c, valuesFile: ../../x.yaml}]", "--enable-helm", "lies outside of the repository"},
		{"values that are missing", "helmCharts: [{name: c, valuesFile: x.yaml}]", "--enable-helm", "app/x.yaml"},
		{"a rule that is none", "helmCharts: [{name: c, valuesMerge: x}]", "--enable-helm", "valuesMerge must be one of"},
		{"a chart that fails", "helmCharts: [{name: f}]", "--enable-helm", "helmCharts[0]: failed to execute helm template command"},
		{"a generator with a chart", "generators: ['{apiVersion: builtin, kind: HelmChartInflationGenerator, metadata: {name: x}, name: c}']", "--enable-helm", "only from helmCharts"},
		{"an unknown option", "resources: [cm.yaml]", "--output /etc/x", "kustomize.buildOptions in argocd-cm: --output: remove it"},
		{"an option without a value", "resources: [cm.yaml]", "--load-restrictor", "--load-restrictor: write a value behind it"},
		{"a value that is none", "resources: [cm.yaml]", "--reorder=x", "--reorder: write legacy or none"},
		{"another", "resources: [cm.yaml]", "--load-restrictor=x", "--load-restrictor: write LoadRestrictionsRootOnly"},
		{"options in the text of the command", "resources: [x.yaml]", "--enable-helm --reorder none", "`kustomize build <path to cached source>/app --enable-helm --reorder none` failed"},
	} {
		in := with(chart, files{"app/kustomization.yaml": tc.kustomization, "app/charts/f/Chart.yaml": "name: f"})
		if _, err := inflated(t, in, nil, tc.options); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %s", tc.reason, err, tc.want)
		}
	}
}

func TestBuildOptions(t *testing.T) {
	in := files{"app/kustomization.yaml": "resources: [../shared/cm.yaml, deployment.yaml]", "shared/cm.yaml": configMap, "app/deployment.yaml": deployment}
	if _, err := inflated(t, in, nil, ""); err == nil || !strings.Contains(err.Error(), "is not in or below") {
		t.Errorf("a file outside of the kustomization: %v", err)
	}
	objects, err := inflated(t, in, nil, "--load_restrictor none --reorder=legacy --enable-managedby-label --enable-alpha-plugins --helm-command helm3")
	if err != nil {
		t.Fatal(err)
	}
	if len(objects) != 2 || objects[0].GetLabels()["app.kubernetes.io/managed-by"] == "" {
		t.Errorf("%v", objects)
	}
	in["app/kustomization.yaml"] = "resources: [../../etc/passwd]"
	if _, err := inflated(t, in, nil, "--load-restrictor=LoadRestrictionsNone"); err == nil {
		t.Error("a file outside of the repository")
	}
	if _, err := inflated(t, in, nil, "--x"); err == nil || errors.Is(err, errors.ErrUnsupported) {
		t.Error(err)
	}
}

func TestBuildOptionsOfVersions(t *testing.T) {
	versions := map[string]string{"v4.5.7": "--enable-helm", "v3.9.1": "--enable_kyaml true --load_restrictor none", "v2": ""}
	in := files{"app/kustomization.yaml": "helmCharts: [{name: c, releaseName: r, skipHooks: true}]", "app/charts/c/Chart.yaml": "{apiVersion: v2, name: c, version: 1.0.0}", "app/charts/c/templates/a.yaml": configMap}
	for _, tc := range []struct{ reason, version, own, want string }{
		{"no version has the options of all", "", "--enable-helm", ""},
		{"ours has them, too", kustomize.Version, "--enable-helm", ""},
		{"ours, as it is written elsewhere", strings.TrimPrefix(kustomize.Version, "v"), "--enable-helm", ""},
		{"another has its own", "v4.5.7", "", ""},
		{"and not those of all", "v2", "--enable-helm", "only with --enable-helm"},
		{"options that only old versions have", "v3.9.1", "--enable-helm", "only with --enable-helm"},
		{"one that argocd-cm does not know", "v9", "--enable-helm", "kustomize version v9 is not registered: remove spec.source.kustomize.version, since all are built with " + kustomize.Version + ", or add kustomize.path.v9 to argocd-cm"},
	} {
		req := request(in, &argov1.ApplicationSourceKustomize{Version: tc.version})
		req.Settings = render.Settings{KustomizeBuildOptions: tc.own, KustomizeVersions: versions}
		_, err := kustomize.New(kustomize.Options{Helm: helm.New(helm.Options{})}).Render(t.Context(), req)
		if (err == nil) != (tc.want == "") || (err != nil && !strings.Contains(err.Error(), tc.want)) {
			t.Errorf("%s: %v, want %q", tc.reason, err, tc.want)
		}
	}
}
