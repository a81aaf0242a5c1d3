package kustomize_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/yaml"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/render"
	"github.com/tiphys-io/tiphys/internal/render/kustomize"
)

// files are the content of a repository by path; what begins with "-> " is a link.
type files map[string]string

func (f files) tree() fstest.MapFS {
	tree := fstest.MapFS{}
	for name, content := range f {
		tree[name] = &fstest.MapFile{Data: []byte(content), Mode: 0o644}
		if target, link := strings.CutPrefix(content, "-> "); link {
			tree[name] = &fstest.MapFile{Data: []byte(target), Mode: linkMode}
		}
	}
	return tree
}

func with(base files, more files) files {
	all := files{}
	for _, set := range []files{base, more} {
		maps.Copy(all, set)
	}
	return all
}

const (
	deployment = `apiVersion: apps/v1
kind: Deployment
metadata:
  name: d
spec:
  replicas: 2
  selector:
    matchLabels:
      a: d
  template:
    metadata:
      labels:
        a: d
    spec:
      containers:
      - image: busybox:3
        name: c
      volumes:
      - configMap:
          name: cm
        name: v
`
	configMap = `apiVersion: v1
data:
  a: "1"
kind: ConfigMap
metadata:
  name: cm
`
)

// app is a kustomization of a Deployment and of the ConfigMap that it mounts.
func app() files {
	return files{
		"app/kustomization.yaml":     "resources: [d.yaml, cm.yaml]\n",
		"app/d.yaml":                 deployment,
		"app/cm.yaml":                configMap,
		"parts/x/kustomization.yaml": "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nresources: [x.yaml]\n",
		"parts/x/x.yaml":             strings.ReplaceAll(configMap, "name: cm", "name: from-x"),
		"parts/y/kustomization.yaml": "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nresources: [y.yaml]\n",
		"parts/y/y.yaml":             strings.ReplaceAll(configMap, "name: cm", "name: from-y"),
	}
}

func build(t *testing.T, in files, options *argov1.ApplicationSourceKustomize) ([]*unstructured.Unstructured, error) {
	t.Helper()
	return kustomize.New(kustomize.Options{}).Render(t.Context(), request(in, options))
}

func request(in files, options *argov1.ApplicationSourceKustomize) render.Request {
	return render.Request{
		Source: argov1.ApplicationSource{Path: "app", Kustomize: options}, Tree: in.tree(),
		Environment: render.Environment{"ARGOCD_APP_NAME": "guestbook"},
	}
}

// text is objects as YAML.
func text(t *testing.T, objects []*unstructured.Unstructured) string {
	t.Helper()
	var parts []string
	for _, object := range objects {
		data, err := yaml.Marshal(object.Object)
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, string(data))
	}
	return strings.Join(parts, "---\n")
}

// replaced is the unchanged output with parts of it replaced, given as pairs.
func replaced(pairs ...string) string {
	return strings.NewReplacer(pairs...).Replace(configMap + "---\n" + deployment)
}

func TestRenderOptions(t *testing.T) {
	type options = argov1.ApplicationSourceKustomize
	selector := "    matchLabels:\n      a: d\n"
	podLabels := "    metadata:\n      labels:\n        a: d\n"
	for _, tc := range []struct {
		reason        string
		kustomization string // lines after the resources
		options       *options
		want          string
	}{
		{"no options", "", nil, replaced()},
		{"options without content", "", &options{}, replaced()},
		{"the version that builds everything", "", &options{Version: kustomize.Version}, replaced()},
		{"the name prefix reaches references", "", &options{NamePrefix: "pre-"}, replaced("name: cm", "name: pre-cm", "name: d\n", "name: pre-d\n")},
		{"a name suffix instead of the kustomization's", "nameSuffix: -own\n", &options{NameSuffix: "-suf"}, replaced("name: cm", "name: cm-suf", "name: d\n", "name: d-suf\n")},
		{"a tag", "", &options{Images: argov1.KustomizeImages{"busybox:9"}}, replaced("busybox:3", "busybox:9")},
		{"another name and tag", "", &options{Images: argov1.KustomizeImages{"busybox=example.com/b:9"}}, replaced("busybox:3", "example.com/b:9")},
		{"another name only", "", &options{Images: argov1.KustomizeImages{"busybox=b"}}, replaced("busybox:3", "b:3")},
		{"a digest", "", &options{Images: argov1.KustomizeImages{"busybox@sha256:" + argov1.KustomizeImage(strings.Repeat("a", 64))}}, replaced("busybox:3", "busybox@sha256:"+strings.Repeat("a", 64))},
		{"an image of the kustomization is replaced, and others stay", "images: [{name: busybox, newTag: '5'}, {name: z, newTag: '1'}]\n", &options{Images: argov1.KustomizeImages{"busybox:9"}}, replaced("busybox:3", "busybox:9")},
		{"an asterisk keeps what the kustomization says", "images: [{name: busybox, newName: own, newTag: '5'}]\n", &options{Images: argov1.KustomizeImages{"busybox=*:9"}}, replaced("busybox:3", "own:9")},
		{"an image with a variable", "", &options{Images: argov1.KustomizeImages{"busybox=${ARGOCD_APP_NAME}:9"}}, replaced("busybox:3", "guestbook:9")},
		{"replicas", "", &options{Replicas: argov1.KustomizeReplicas{{Name: "d", Count: intstr.FromInt32(0)}}}, replaced("replicas: 2", "replicas: 0")},
		{"replicas in a text, instead of the kustomization's", "replicas: [{name: d, count: 7}]\n", &options{Replicas: argov1.KustomizeReplicas{{Name: "d", Count: intstr.FromString("5")}}}, replaced("replicas: 2", "replicas: 5")},
		{
			"labels reach selectors and templates", "", &options{CommonLabels: map[string]string{"team": "red"}},
			replaced("metadata:\n  name:", "metadata:\n  labels:\n    team: red\n  name:", selector, selector+"      team: red\n", podLabels, podLabels+"        team: red\n"),
		},
		{
			"labels without selectors", "", &options{CommonLabels: map[string]string{"team": "$ARGOCD_APP_NAME"}, LabelWithoutSelector: true},
			replaced("metadata:\n  name:", "metadata:\n  labels:\n    team: guestbook\n  name:"),
		},
		{
			"labels without selectors, in templates", "", &options{CommonLabels: map[string]string{"team": "red"}, LabelWithoutSelector: true, LabelIncludeTemplates: true},
			replaced("metadata:\n  name:", "metadata:\n  labels:\n    team: red\n  name:", podLabels, podLabels+"        team: red\n"),
		},
		{
			"labels by force", "labels: [{pairs: {team: blue}}]\n", &options{CommonLabels: map[string]string{"team": "red"}, LabelWithoutSelector: true, ForceCommonLabels: true},
			replaced("metadata:\n  name:", "metadata:\n  labels:\n    team: red\n  name:"),
		},
		{
			"annotations, as they are", "", &options{CommonAnnotations: map[string]string{"note": "of $ARGOCD_APP_NAME"}},
			replaced("metadata:\n  name:", "metadata:\n  annotations:\n    note: of $ARGOCD_APP_NAME\n  name:", podLabels, "    metadata:\n      annotations:\n        note: of $ARGOCD_APP_NAME\n      labels:\n        a: d\n"),
		},
		{
			"annotations with variables, by force", "commonAnnotations: {note: own}\n",
			&options{CommonAnnotations: map[string]string{"note": "of $ARGOCD_APP_NAME"}, CommonAnnotationsEnvsubst: true, ForceCommonAnnotations: true},
			replaced("metadata:\n  name:", "metadata:\n  annotations:\n    note: of guestbook\n  name:", podLabels, "    metadata:\n      annotations:\n        note: of guestbook\n      labels:\n        a: d\n"),
		},
		{"a namespace instead of the kustomization's", "namespace: own\n", &options{Namespace: "ns"}, replaced("name: cm\n---", "name: cm\n  namespace: ns\n---", "name: d\n", "name: d\n  namespace: ns\n")},
		{
			"patches after the kustomization's", "patches: [{patch: '{apiVersion: v1, kind: ConfigMap, metadata: {name: cm}, data: {a: own, b: own}}'}]\n",
			&options{Patches: argov1.KustomizePatches{{
				Patch:  "- {op: replace, path: /data/a, value: patched}",
				Target: &argov1.KustomizeSelector{KustomizeResId: argov1.KustomizeResId{KustomizeGvk: argov1.KustomizeGvk{Kind: "ConfigMap"}, Name: "c.*"}},
			}}},
			replaced("a: \"1\"\n", "a: patched\n  b: own\n"),
		},
		{
			"a patch that renames", "",
			&options{Patches: argov1.KustomizePatches{{
				Patch:  "- {op: replace, path: /metadata/name, value: renamed}",
				Target: &argov1.KustomizeSelector{KustomizeResId: argov1.KustomizeResId{Name: "cm"}}, Options: map[string]bool{"allowNameChange": true},
			}}},
			replaced("name: cm", "name: renamed"),
		},
		{"a component", "", &options{Components: []string{"../parts/x"}}, configMap + "---\n" + strings.ReplaceAll(configMap, "name: cm", "name: from-x") + "---\n" + deployment},
		{
			"components by a pattern", "", &options{Components: []string{"../parts/*"}},
			configMap + "---\n" + strings.ReplaceAll(configMap, "name: cm", "name: from-x") + "---\n" + strings.ReplaceAll(configMap, "name: cm", "name: from-y") + "---\n" + deployment,
		},
		{"missing components, ignored", "", &options{Components: []string{"../parts/none", "../../outside"}, IgnoreMissingComponents: true}, replaced()},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			objects, err := build(t, with(app(), files{"app/kustomization.yaml": "resources: [d.yaml, cm.yaml]\n" + tc.kustomization}), tc.options)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, text(t, objects)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestRenderKustomizations(t *testing.T) {
	for _, tc := range []struct {
		reason string
		files  files
		want   string
	}{
		{"a base elsewhere in the repository", with(app(), files{"app/kustomization.yaml": "resources: [../base]\nnamePrefix: p-\n", "base/kustomization.yml": "resources: [../other]\n", "other/Kustomization": "resources: [cm.yaml]\n", "other/cm.yaml": configMap}), strings.Replace(configMap, "cm", "p-cm", 1)},
		{"a base behind a link", files{"app/kustomization.yaml": "resources: [base]\n", "app/base": "-> ../base", "base/kustomization.yaml": "resources: [cm.yaml]\n", "base/cm.yaml": configMap}, configMap},
		{"a file behind a link in the folder", files{"app/kustomization.yaml": "resources: [cm.yaml]\n", "app/cm.yaml": "-> sub/x.yaml", "app/sub/x.yaml": configMap}, configMap},
		{"a kustomization behind a link in the folder", files{"app/kustomization.yaml": "-> sub/k", "app/sub/k": "resources: [cm.yaml]\n", "app/cm.yaml": configMap}, configMap},
		{"generators", files{"app/kustomization.yaml": "configMapGenerator: [{name: g, files: [f.txt, k=f.txt], envs: [e.env], literals: [a=b]}]\n", "app/f.txt": "&content *with signs\n", "app/e.env": "E=F\n"}, "apiVersion: v1\ndata:\n  E: F\n  a: b\n  f.txt: |\n    &content *with signs\n  k: |\n    &content *with signs\nkind: ConfigMap\nmetadata:\n  name: g-m624c2g494\n"},
		{"anchors", files{"app/kustomization.yaml": "resources: [cm.yaml]\n", "app/cm.yaml": "apiVersion: v1\ndata: &d\n  a: \"1\"\nkind: ConfigMap\nmetadata:\n  name: cm\n  annotations: *d\n"}, "apiVersion: v1\ndata:\n  a: \"1\"\nkind: ConfigMap\nmetadata:\n  annotations:\n    a: \"1\"\n  name: cm\n"},
		{"a transformer in a file", files{"app/kustomization.yaml": "resources: [cm.yaml]\ntransformers: [t.yaml]\n", "app/cm.yaml": configMap, "app/t.yaml": "apiVersion: builtin\nkind: PrefixTransformer\nmetadata: {name: t}\nprefix: p-\nfieldSpecs: [{path: metadata/name}]\n"}, strings.Replace(configMap, "cm", "p-cm", 1)},
		{"an inline generator", files{"app/kustomization.yaml": "generators:\n- |-\n  apiVersion: builtin\n  kind: ConfigMapGenerator\n  metadata: {name: g}\n  options: {disableNameSuffixHash: true}\n  literals: [\"url=https://example.com\"]\n"}, "apiVersion: v1\ndata:\n  url: https://example.com\nkind: ConfigMap\nmetadata:\n  name: g\n"},
		{"numbers and words, as Kustomize reads them", files{"app/kustomization.yaml": "resources: [a.yaml]\n", "app/a.yaml": "apiVersion: v1\nkind: A\nmetadata: {name: a}\nx: {int: 1, float: 1.5, whole: 2.0, word: yes, text: 'yes', octal: 010}\n"}, "apiVersion: v1\nkind: A\nmetadata:\n  name: a\nx:\n  float: 1.5\n  int: 1\n  octal: 8\n  text: \"yes\"\n  whole: 2\n  word: \"yes\"\n"},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			objects, err := build(t, tc.files, nil)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, text(t, objects)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestRenderSaysWhatTheCommandWould(t *testing.T) {
	type options = argov1.ApplicationSourceKustomize
	const edit, run = "`kustomize edit ", "`kustomize build <path to cached source>/app` failed exit status 1: Error: "
	for _, tc := range []struct {
		reason  string
		files   files
		options *options
		want    string
	}{
		{"no kustomization", files{"app/x": ""}, nil, run + "unable to find one of 'kustomization.yaml', 'kustomization.yml' or 'Kustomization' in directory '<path to cached source>/app'"},
		{"no kustomization to edit", files{"app/x": ""}, &options{Namespace: "x"}, edit + "set namespace -- x` failed exit status 1: Error: Missing kustomization file 'kustomization.yaml'."},
		{"two kustomizations", with(app(), files{"app/Kustomization": "{}"}), nil, run + "Found multiple kustomization files under: <path to cached source>/app"},
		{"two kustomizations to edit", with(app(), files{"app/Kustomization": "{}"}), &options{Namespace: "x"}, edit + "set namespace -- x` failed exit status 1: Error: Found multiple kustomization file: [kustomization.yaml Kustomization]"},
		{"an unknown field", files{"app/kustomization.yaml": "resource: []\n"}, nil, run + `invalid Kustomization: json: unknown field "resource"`},
		{"an unknown field to edit", files{"app/kustomization.yaml": "resource: []\n"}, &options{NamePrefix: "x"}, edit + "set nameprefix -- x` failed exit status 1: Error: invalid Kustomization: json: unknown field \"resource\""},
		{"a missing resource", files{"app/kustomization.yaml": "resources: [sub/missing.yaml]\n"}, nil, run + "accumulating resources: accumulation err='accumulating resources from 'sub/missing.yaml': evalsymlink failure on '<path to cached source>/app/sub/missing.yaml' : lstat <path to cached source>/app/sub: no such file or directory': must build at directory: not a valid directory: evalsymlink failure on '<path to cached source>/app/sub/missing.yaml' : lstat <path to cached source>/app/sub: no such file or directory"},
		{"a broken resource", files{"app/kustomization.yaml": "resources: [a.yaml]\n", "app/a.yaml": configMap + "x: [\n"}, nil, run + "accumulating resources: accumulating resources from 'a.yaml': MalformedYAMLError: yaml: line 7: did not find expected node content in File: a.yaml"},
		{"the same object twice", with(app(), files{"app/kustomization.yaml": "resources: [cm.yaml, d.yaml, ../base]\n", "base/kustomization.yaml": "resources: [cm.yaml]", "base/cm.yaml": configMap}), nil, "recursed merging from path '<path to cached source>/base': may not add resource with an already registered id: ConfigMap.v1.[noGrp]/cm.[noNs]"},
		{"a label that is there", with(app(), files{"app/kustomization.yaml": "resources: [cm.yaml]\ncommonLabels: {team: blue}\n"}), &options{CommonLabels: map[string]string{"team": "red"}}, edit + "add label team:red` failed exit status 1: Error: label team already in kustomization file. Use --force to override."},
		{"an annotation that is there", with(app(), files{"app/kustomization.yaml": "resources: [cm.yaml]\ncommonAnnotations: {note: own}\n"}), &options{CommonAnnotations: map[string]string{"note": "x"}}, edit + "add annotation note:x` failed exit status 1: Error: annotation note already in kustomization file. Use --force to override."},
		{"templates need no selectors", app(), &options{CommonLabels: map[string]string{"a": "b"}, LabelIncludeTemplates: true}, edit + "add label --include-templates a:b` failed exit status 1: Error: --without-selector flag must be specified for --include-templates to work"},
		{"an image without anything new", app(), &options{Images: argov1.KustomizeImages{"busybox"}}, edit + "set image busybox` failed exit status 1: Error: invalid format of image"},
		{"replicas of nothing", app(), &options{Replicas: argov1.KustomizeReplicas{{Name: "nothing", Count: intstr.FromInt32(1)}}}, run + "resource with name nothing does not match a config with the following GVK"},
		{"replicas that are no number", app(), &options{Replicas: argov1.KustomizeReplicas{{Name: "d", Count: intstr.FromString("many")}}}, "expected integer value for count. Received: many"},
		{"a missing component", app(), &options{Components: []string{"../parts/none"}}, edit + "add component ../parts/none` failed exit status 1: Error: ../parts/none has no match: must build at directory: not a valid directory: evalsymlink failure on '<path to cached source>/parts/none' : lstat <path to cached source>/parts/none: no such file or directory"},
		{"a component that is none", with(app(), files{"base/kustomization.yaml": "resources: []"}), &options{Components: []string{"../base"}}, run + `accumulating components: accumulateDirectory: "`},
		{"a plugin", files{"app/kustomization.yaml": "generators: [g.yaml]\n", "app/g.yaml": "apiVersion: example.com/v1\nkind: Generator\nmetadata: {name: g, annotations: {config.kubernetes.io/function: \"exec: {path: ./run.sh}\"}}\n"}, nil, run + "loading generator plugins: failed to load generator: external plugins disabled; unable to load external plugin 'Generator'"},
		{"a name that is a number", files{"app/kustomization.yaml": "resources: [a.yaml]\n", "app/a.yaml": "apiVersion: v1\nkind: A\nmetadata: {name: 123}\n"}, nil, "metadata.name is a number: write it in quotes"},
		{"a number without a JSON form", files{"app/kustomization.yaml": "resources: [a.yaml]\n", "app/a.yaml": configMap + "x: .nan\n"}, nil, run + "ConfigMap.v1.[noGrp]/cm.[noNs]: json: unsupported value: NaN"},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			objects, err := build(t, tc.files, tc.options)
			if err == nil || !strings.Contains(err.Error(), tc.want) || objects != nil {
				t.Errorf("%d objects and error %v\nwant %s", len(objects), err, tc.want)
			}
		})
	}
}

func TestRenderStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if objects, err := kustomize.New(kustomize.Options{}).Render(ctx, request(app(), nil)); !errors.Is(err, context.Canceled) {
		t.Errorf("%d objects, %v", len(objects), err)
	}
}

// TestRenderWaitsForOthers holds a build in the middle of its reading.
func TestRenderWaitsForOthers(t *testing.T) {
	held := &heldTree{MapFS: app().tree(), entered: make(chan struct{}), leave: make(chan struct{})}
	done := make(chan error)
	r := kustomize.New(kustomize.Options{})
	go func() {
		_, err := r.Render(t.Context(), render.Request{Source: argov1.ApplicationSource{Path: "app"}, Tree: held})
		done <- err
	}()
	<-held.entered
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	objects, err := r.Render(ctx, request(app(), nil))
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "waiting for another kustomization") {
		t.Errorf("%d objects, %v", len(objects), err)
	}
	close(held.leave)
	if err := <-done; err != nil {
		t.Error(err)
	}
	if _, err := r.Render(t.Context(), request(app(), nil)); err != nil {
		t.Error(err)
	}
}

func BenchmarkRender(b *testing.B) {
	options := &argov1.ApplicationSourceKustomize{NamePrefix: "p-", Namespace: "ns", Images: argov1.KustomizeImages{"busybox:9"}, CommonLabels: map[string]string{"a": "b"}}
	for _, objects := range []int{2, 100} {
		in := app()
		in["app/cm.yaml"] += numbered(objects - 2)
		r := kustomize.New(kustomize.Options{})
		b.Run(fmt.Sprintf("objects=%d", objects), func(b *testing.B) {
			for b.Loop() {
				if made, err := r.Render(b.Context(), request(in, options)); err != nil || len(made) != objects {
					b.Fatal(len(made), err)
				}
			}
		})
	}
}
