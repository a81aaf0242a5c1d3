package kustomize_test

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/render"
	"github.com/tiphys-io/tiphys/internal/render/kustomize"
)

const linkMode = fs.ModeSymlink | 0o777

// heldTree blocks the first reading of a file.
type heldTree struct {
	fstest.MapFS
	once           sync.Once
	entered, leave chan struct{}
}

func (h *heldTree) ReadFile(name string) ([]byte, error) {
	h.once.Do(func() {
		close(h.entered)
		<-h.leave
	})
	return h.MapFS.ReadFile(name)
}

// TestNothingRemoteIsFetched names a server and a repository in every place that the library would load from.
func TestNothingRemoteIsFetched(t *testing.T) {
	t.Setenv("PATH", "") // no git to be found
	var asked atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		_, _ = w.Write([]byte(configMap))
	}))
	defer server.Close()
	plugin := func(kind, rest string) string {
		return "apiVersion: builtin\nkind: " + kind + "\nmetadata: {name: p}\n" + rest
	}
	inline := func(field, kind, rest string) string {
		return field + ":\n- |\n  " + strings.ReplaceAll(plugin(kind, rest), "\n", "\n  ") + "\n"
	}
	for _, kustomization := range []string{
		"resources: [URL]", "resources: [github.com/org/repo]", "resources: ['GitHub.com:org/repo']", "resources: ['git@example.com:org/repo']", "resources: ['git::https://example.com/org/repo']",
		"resources: ['ssh://example.com/org/repo']", "resources: ['file:///etc//x']", "resources: ['user@example.com:org/repo.git']", "resources: ['hTTps:evil']",
		"bases: [URL]", "components: [URL]", "components: [github.com/org/repo]", "crds: [URL]", "configurations: [URL]", "openapi: {path: URL}", "generators: [URL]", "generators: [github.com/org/repo]",
		"transformers: [URL]", "validators: [URL]", "patchesStrategicMerge: [URL]", "patchesJson6902: [{path: URL, target: {kind: ConfigMap, name: cm, version: v1}}]", "patches: [{path: URL}]", "replacements: [{path: URL}]",
		"configMapGenerator: [{name: g, files: [URL]}]", "configMapGenerator: [{name: g, files: ['k=URL']}]", "configMapGenerator: [{name: g, envs: [URL]}]", "configMapGenerator: [{name: g, env: URL}]",
		"secretGenerator: [{name: g, files: [URL]}]", "secretGenerator: [{name: g, env: URL}]",
		"transformers: [t.yaml]", "transformers: [alias.yaml]", "transformers: [list.yaml]", "transformers: ['/<path to cached source>/app/t.yaml']", "transformers: [t.yml]", "validators: [t.yaml]",
		inline("transformers", "PatchTransformer", "path: URL"), inline("transformers", "PatchTransformer", "PATH: URL"), inline("transformers", "PatchTransformer", `"pat\x68": "h\x74tp\x73://x"`),
		inline("transformers", "PatchStrategicMergeTransformer", "paths: [URL]"), inline("transformers", "PatchJson6902Transformer", "path: URL\ntarget: {kind: ConfigMap, name: cm, version: v1}"),
		inline("transformers", "ValueAddTransformer", "targetFilePath: URL\ntargets: [{}]\nvalue: x"),
		inline("generators", "ConfigMapGenerator", "files: [URL]"), inline("generators", "ConfigMapGenerator", "files: ['a=URL']"), inline("generators", "SecretGenerator", "envs: [URL]"),
		inline("generators", "ConfigMapGenerator", "x: &u [URL]\nfiles: *u"), inline("generators", "ConfigMapGenerator", "x: &k files\n*k : [URL]"), inline("generators", "ConfigMapGenerator", "<<: {files: [URL]}"),
	} {
		kustomization = strings.ReplaceAll(kustomization, "URL", server.URL+"/x.yaml")
		patch := strings.ReplaceAll(plugin("PatchTransformer", "path: URL\n"), "URL", server.URL)
		in := files{
			"app/kustomization.yaml": kustomization + "\n" + rest(kustomization), "app/cm.yaml": configMap, "app/t.yaml": patch, "app/t.yml": "-> t.yaml",
			"app/alias.yaml": strings.ReplaceAll(plugin("PatchTransformer", "x: &u URL\npath: *u\n"), "URL", server.URL),
			"app/list.yaml":  "apiVersion: v1\nkind: List\nitems:\n- " + strings.ReplaceAll(strings.TrimSpace(patch), "\n", "\n  ") + "\n",
		}
		for _, buildOptions := range []string{"", "--load-restrictor LoadRestrictionsNone"} {
			req := request(in, nil)
			req.Settings.KustomizeBuildOptions = buildOptions
			_, err := kustomize.New(kustomize.Options{}).Render(t.Context(), req)
			if err == nil || !strings.Contains(err.Error(), "remote files and bases are not fetched here") {
				t.Errorf("%s\n%s\n%v", buildOptions, kustomization, err)
			}
			if err != nil && strings.Contains(err.Error(), server.URL) {
				t.Errorf("%s\nthe error shows the URL, which may hold a password: %v", kustomization, err)
			}
		}
	}
	if n := asked.Load(); n > 0 {
		t.Errorf("the server was asked %d times", n)
	}
}

// rest gives a kustomization something to work on, unless it names its resources itself.
func rest(kustomization string) string {
	if strings.HasPrefix(kustomization, "resources") {
		return ""
	}
	return "resources: [cm.yaml]\n"
}

func TestRemoteInABaseOrAnOption(t *testing.T) {
	t.Setenv("PATH", "")
	for _, tc := range []struct {
		reason  string
		files   files
		options *argov1.ApplicationSourceKustomize
	}{
		{"a base of a base", files{"app/kustomization.yaml": "resources: [../b]", "b/kustomization.yaml": "resources: [../c]", "c/kustomization.yaml": "resources: ['https://example.com/x.yaml']"}, nil},
		{"a component of the application", app(), &argov1.ApplicationSourceKustomize{Components: []string{"https://example.com/org/repo"}}},
		{"a patch of the application", app(), &argov1.ApplicationSourceKustomize{Patches: argov1.KustomizePatches{{Path: "https://example.com/x.yaml"}}}},
		{"a kustomization behind a link with another name", files{"app/kustomization.yaml": "-> k", "app/k": "resources: ['https://example.com/x.yaml']"}, nil},
		{"a kustomization that is edited", files{"app/kustomization.yaml": "resources: ['https://example.com/x.yaml']"}, &argov1.ApplicationSourceKustomize{NamePrefix: "x"}},
	} {
		if objects, err := build(t, tc.files, tc.options); err == nil || !strings.Contains(err.Error(), "remote files and bases are not fetched here") {
			t.Errorf("%s: %d objects, %v", tc.reason, len(objects), err)
		}
	}
}

func TestNothingOutsideIsRead(t *testing.T) {
	secret := files{"app/kustomization.yaml": "", "app/cm.yaml": configMap, "secret.yaml": strings.ReplaceAll(configMap, "cm", "secret"), "other/kustomization.yaml": "resources: [cm.yaml]", "other/cm.yaml": configMap}
	for _, tc := range []struct {
		reason, kustomization string
		links                 files
		want                  string
	}{
		{"a file above the repository", "resources: [../../x.yaml]", nil, "is outside of the repository"},
		{"an absolute file", "resources: [/etc/passwd]", nil, "is outside of the repository"},
		{"a base above the repository", "resources: [../..]", nil, "is outside of the repository"},
		{"the repository itself", "resources: [..]", nil, "cycle detected"},
		{"a file outside of the folder", "resources: [../secret.yaml]", nil, "security; file '<path to cached source>/secret.yaml' is not in or below '<path to cached source>/app'"},
		{"a file outside of the folder, by its absolute name", "resources: ['/<path to cached source>/secret.yaml']", nil, "security; file"},
		{"a file outside of the folder, for a ConfigMap", "configMapGenerator: [{name: g, files: [../secret.yaml]}]", nil, "security; file"},
		{"a link to a file outside of the folder", "resources: [link.yaml]", files{"app/link.yaml": "-> ../secret.yaml"}, "security; file '<path to cached source>/app/link.yaml' is not in or below '<path to cached source>/app'"},
		{"a link to a file through a linked folder", "resources: [dir/cm.yaml]", files{"app/dir": "-> ../other"}, "security; file"},
		{"a link that leaves the repository", "resources: [link.yaml]", files{"app/link.yaml": "-> ../../../etc/passwd"}, "evalsymlink failure"},
		{"a kustomization outside of its folder", "", files{"app/kustomization.yaml": "-> ../other/kustomization.yaml"}, "unable to find one of"},
		{"two bases of each other", "resources: [../loop]", files{"loop/kustomization.yaml": "resources: [../app]"}, "cycle detected"},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			in := with(secret, files{"app/kustomization.yaml": tc.kustomization})
			objects, err := build(t, with(in, tc.links), nil)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%d objects, %v", len(objects), err)
			}
		})
	}
}

func TestChartsAndFoldersOfPluginsAreRefused(t *testing.T) {
	for _, tc := range []struct{ reason, kustomization, want string }{
		{"a chart", "helmCharts: [{name: x, repo: 'https://example.com'}]", "helmCharts: Helm charts"},
		{"a chart, the old way", "helmChartInflationGenerator: [{chartName: x}]", "helmCharts: Helm charts"},
		{"a chart, as a generator", "generators: [helm.yaml]", "generators[0]: Helm charts"},
		{"a chart, as an inline generator", "generators: ['{apiVersion: builtin, kind: HelmChartInflationGenerator, metadata: {name: x}, name: x}']", "generators[0]: Helm charts"},
		{"a transformer of replacements", "transformers: ['{apiVersion: builtin, kind: ReplacementTransformer, metadata: {name: x}, replacements: []}']", "transformers[0]: a ReplacementTransformer"},
		{"a folder of transformers", "transformers: [cm.yaml, folder]", "transformers[1]: a folder"},
	} {
		objects, err := build(t, files{
			"app/kustomization.yaml": tc.kustomization, "app/cm.yaml": configMap, "app/folder/kustomization.yaml": "resources: []",
			"app/helm.yaml": "apiVersion: builtin\nkind: HelmChartInflationGenerator\nmetadata: {name: x}\nname: x\n",
		}, nil)
		if err == nil || !strings.Contains(err.Error(), "app/kustomization.yaml: "+tc.want) {
			t.Errorf("%s: %d objects, %v", tc.reason, len(objects), err)
		}
	}
}

// TestAliasesAreBounded puts texts into every place where they are read as YAML that would bring the library to its end:
// an anchor that contains itself overflows the stack, which nothing recovers.
func TestAliasesAreBounded(t *testing.T) {
	bomb := "a0: &a0 {x: lol}\n"
	for i := 1; i < 12; i++ {
		bomb += fmt.Sprintf("a%d: &a%d [%s]\n", i, i, strings.Repeat(fmt.Sprintf("*a%d,", i-1), 9))
	}
	for kind, part := range map[string]string{
		"cycle": "c: &c [*c]\n", "cycle of merges": "c: &c {<<: *c}\n", "long cycle": "c: &c {d: &d {e: [*c]}, f: *d}\n", "bomb": bomb,
		"text": "t: &t " + strings.Repeat("x", 100_000) + "\nu: [" + strings.Repeat("*t,", 500) + "]\n",
		"deep": "d: " + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + "\n",
	} {
		document := configMap + part
		inline := strings.ReplaceAll(document, "\n", "\n    ")
		for place, in := range map[string]files{
			"resource":           {"app/kustomization.yaml": "resources: [a.yaml]", "app/a.yaml": document},
			"second resource":    {"app/kustomization.yaml": "resources: [a.yaml]", "app/a.yaml": configMap + "---\n" + strings.ReplaceAll(document, "cm", "x")},
			"resource in a list": {"app/kustomization.yaml": "resources: [a.yaml]", "app/a.yaml": "apiVersion: v1\nkind: List\nitems:\n- " + strings.ReplaceAll(document, "\n", "\n  ") + "\n"},
			"kustomization":      {"app/kustomization.yaml": "resources: [a.yaml]\n" + part, "app/a.yaml": configMap},
			"patch file":         {"app/kustomization.yaml": "resources: [a.yaml]\npatches: [{path: p.yaml}]", "app/a.yaml": configMap, "app/p.yaml": document},
			"inline patch":       {"app/kustomization.yaml": "resources: [a.yaml]\npatches:\n- patch: |-\n    " + inline + "\n", "app/a.yaml": configMap},
			"old inline patch":   {"app/kustomization.yaml": "resources: [a.yaml]\npatchesStrategicMerge:\n- |-\n    " + inline + "\n", "app/a.yaml": configMap},
			"transformer":        {"app/kustomization.yaml": "resources: [a.yaml]\ntransformers: [t.yaml]", "app/a.yaml": configMap, "app/t.yaml": "apiVersion: builtin\nkind: PrefixTransformer\nmetadata: {name: t}\nprefix: x\n" + part},
			"inline generator":   {"app/kustomization.yaml": "generators:\n- |-\n    " + inline + "\n"},
			"configuration":      {"app/kustomization.yaml": "resources: [a.yaml]\nconfigurations: [c.yaml]", "app/a.yaml": configMap, "app/c.yaml": part},
			"crd":                {"app/kustomization.yaml": "resources: [a.yaml]\ncrds: [c.yaml]", "app/a.yaml": configMap, "app/c.yaml": part},
			"schema":             {"app/kustomization.yaml": "resources: [a.yaml]\nopenapi: {path: c.yaml}", "app/a.yaml": configMap, "app/c.yaml": part},
			"replacement":        {"app/kustomization.yaml": "resources: [a.yaml]\nreplacements: [{path: c.yaml}]", "app/a.yaml": configMap, "app/c.yaml": part},
		} {
			if kind == "deep" && strings.Contains(place, "inline") {
				continue // its text has no aliases, and is not deep enough to hurt
			}
			objects, err := build(t, in, nil)
			if err == nil {
				t.Errorf("%s as %s: %d objects", kind, place, len(objects))
			}
		}
	}
}

// TestTheLibraryCannotEndTheProcess has a referrer with two possible referrals, which the library wants to print and
// cannot, because a number in it has no JSON form: it calls log.Fatal.
func TestTheLibraryCannotEndTheProcess(t *testing.T) {
	rename := func(namespace, name string) string {
		return "- target: {kind: ConfigMap, namespace: " + namespace + "}\n  options: {allowNameChange: true}\n  patch: |-\n    - {op: replace, path: /metadata/name, value: " + name + "}\n"
	}
	in := func(namespace string) string {
		return strings.ReplaceAll(configMap, "name: cm", "name: cm\n  namespace: "+namespace)
	}
	_, err := build(t, files{
		"app/kustomization.yaml": "resources: [a.yaml]\npatches:\n" + rename("one", "a") + rename("two", "b"),
		"app/a.yaml": in("one") + "---\n" + in("two") + "---\n" + in("three") +
			"---\napiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: r}\nx: .nan\nrules: [{resources: [configmaps], resourceNames: [cm]}]\n",
	}, nil)
	if err == nil || !strings.Contains(err.Error(), "the Kustomize library cannot build this kustomization") {
		t.Errorf("%v", err)
	}
	if _, err := build(t, app(), nil); err != nil {
		t.Errorf("the build after it: %v", err)
	}
}

// TestSchemasDoNotReachOthers builds with a schema by whose rules lists of containers are replaced, then without.
func TestSchemasDoNotReachOthers(t *testing.T) {
	patched := with(app(), files{"app/kustomization.yaml": "resources: [d.yaml]\npatches:\n- patch: |-\n    {apiVersion: apps/v1, kind: Deployment, metadata: {name: d}, spec: {template: {spec: {containers: [{name: second, image: x}]}}}}\n"})
	before, err := build(t, patched, nil)
	if err != nil {
		t.Fatal(err)
	}
	own := with(patched, files{"app/schema.json": `{"definitions": {"d": {"x-kubernetes-group-version-kind": [{"group": "apps", "version": "v1", "kind": "Deployment"}], "properties": {}}}}`})
	own["app/kustomization.yaml"] += "openapi: {path: schema.json}\n"
	other, err := build(t, own, nil)
	if err != nil {
		t.Fatal(err)
	}
	if text(t, other) == text(t, before) {
		t.Error("the schema changes nothing, so that this test shows nothing")
	}
	for _, disturbance := range []files{own, with(own, files{"app/schema.json": "{\"definitions\": 1}"}), with(own, files{"app/kustomization.yaml": own["app/kustomization.yaml"] + "x: 1\n"})} {
		_, _ = build(t, disturbance, nil)
		after, err := build(t, patched, nil)
		if err != nil {
			t.Fatal(err)
		}
		if text(t, after) != text(t, before) {
			t.Errorf("after a build with a schema of its own:\n%s", text(t, after))
		}
	}
}

// TestWhatIsReadIsBounded has kustomizations that read little, but often, and files that are large.
func TestWhatIsReadIsBounded(t *testing.T) {
	diamond := files{"l0/a/kustomization.yaml": "resources: [a.yaml]\nnamePrefix: a-", "l0/a/a.yaml": configMap, "l0/b/kustomization.yaml": "resources: [a.yaml]\nnamePrefix: b-", "l0/b/a.yaml": configMap, "app/kustomization.yaml": "resources: [../l20/a]"}
	for i := 1; i <= 20; i++ {
		for _, side := range []string{"a", "b"} {
			diamond[fmt.Sprintf("l%d/%s/kustomization.yaml", i, side)] = fmt.Sprintf("resources: [../../l%d/a, ../../l%d/b]\nnamePrefix: %s-", i-1, i-1, side)
		}
	}
	many := strings.Repeat("---\n"+configMap, 200)
	list := "apiVersion: v1\nkind: List\nitems: [" + strings.Repeat("{apiVersion: v1, kind: A, metadata: {name: a}},", 200) + "]\n"
	for _, tc := range []struct {
		reason string
		files  files
		want   string
	}{
		{"a base used a million times", diamond, "more than 100 objects, each as often as it is used"},
		{"many objects", files{"app/kustomization.yaml": "resources: [a.yaml]", "app/a.yaml": many}, "app/a.yaml: with it the kustomization has more than 100 objects"},
		{"a long list", files{"app/kustomization.yaml": "resources: [a.yaml]", "app/a.yaml": list}, "app/a.yaml: with it the kustomization has more than 100 objects"},
		{"a large file", files{"app/kustomization.yaml": "resources: [a.yaml]", "app/a.yaml": configMap + "#" + strings.Repeat("x", 200_000)}, "app/a.yaml: with it the kustomization reads more than 100000 bytes"},
		{"a large file for a ConfigMap", files{"app/kustomization.yaml": "configMapGenerator: [{name: g, files: [a.bin]}]", "app/a.bin": strings.Repeat("x", 200_000)}, "app/a.bin: with it the kustomization reads more than 100000 bytes"},
		{"a large kustomization", files{"app/kustomization.yaml": "resources: []\n#" + strings.Repeat("x", 200_000)}, "app/kustomization.yaml: with it the kustomization reads more than 100000 bytes"},
		{"a large result", files{"app/kustomization.yaml": "resources: [a.yaml]\nnameSuffix: " + strings.Repeat("x", 5000), "app/a.yaml": numbered(90)}, "larger than the limit"},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			objects, err := kustomize.New(kustomize.Options{MaxBytes: 100_000, MaxObjects: 100}).Render(t.Context(), request(tc.files, nil))
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%d objects, %v", len(objects), err)
			}
		})
	}
}

func numbered(count int) string {
	var b strings.Builder
	for i := range count {
		b.WriteString("---\n" + strings.ReplaceAll(configMap, "name: cm", fmt.Sprintf("name: cm%d", i)))
	}
	return b.String()
}

// unreadable is a tree whose large file must not be read.
type unreadable struct{ fstest.MapFS }

func (u unreadable) Stat(name string) (fs.FileInfo, error) {
	info, err := u.MapFS.Stat(name)
	if err == nil && strings.HasSuffix(name, "big.yaml") {
		return large{info}, nil
	}
	return info, err
}

func (u unreadable) ReadFile(name string) ([]byte, error) {
	if strings.HasSuffix(name, "big.yaml") {
		return nil, errors.New("a file above the limit was read")
	}
	return u.MapFS.ReadFile(name)
}

type large struct{ fs.FileInfo }

func (large) Size() int64 { return 100 << 20 }

func TestLargeFilesAreNotRead(t *testing.T) {
	in := files{"app/kustomization.yaml": "resources: [big.yaml]", "app/big.yaml": configMap}
	_, err := kustomize.New(kustomize.Options{}).Render(t.Context(), render.Request{Source: argov1.ApplicationSource{Path: "app"}, Tree: unreadable{in.tree()}})
	if err == nil || !strings.Contains(err.Error(), "app/big.yaml: with it the kustomization reads more than 16777216 bytes") {
		t.Error(err)
	}
}

// TestCopiesInPatchesAreBounded doubles an object with each operation.
func TestCopiesInPatchesAreBounded(t *testing.T) {
	patch := "- {op: add, path: /x, value: [{y: zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz}]}\n"
	for range 60 {
		patch += "- {op: copy, from: /x, path: /x/-}\n"
	}
	objects, err := build(t, files{"app/kustomization.yaml": "resources: [a.yaml]\npatches: [{path: p.yaml, target: {name: cm}}]", "app/a.yaml": configMap, "app/p.yaml": patch}, nil)
	if err == nil || !strings.Contains(err.Error(), "copy") {
		t.Errorf("%d objects, %v", len(objects), err)
	}
}

// TestReplacementsAreBounded has replacements that double what they copy, and those that people write.
func TestReplacementsAreBounded(t *testing.T) {
	doubling := "- {source: {kind: ConfigMap, fieldPath: data.a}, targets: [{select: {kind: ConfigMap}, fieldPaths: [data.a], options: {delimiter: '-', index: 99}}]}\n"
	nesting := "- {source: {kind: ConfigMap, fieldPath: data}, targets: [{select: {name: c.*}, fieldPaths: ['data.[x=y]', data.b], options: {create: true}}]}\n"
	there := "- {source: {name: cm, fieldPath: data.a}, targets: [{select: {kind: ConfigMap}, fieldPaths: [data.b], options: {delimiter: '-', index: 99, create: true}}]}\n"
	back := "- {source: {name: cm, fieldPath: data.b}, targets: [{select: {}, fieldPaths: [data.a], options: {delimiter: '-', index: 99}}]}\n"
	names := "- {targets: [{select: {kind: ConfigMap}, options: {delimiter: '-', index: 99}}], source: {kind: ConfigMap}}\n"
	wide := "- {source: {kind: ConfigMap, name: cm, fieldPath: data.a}, targets: [{select: {kind: Other}, fieldPaths: [data.b], options: {delimiter: '-', index: 99, create: true}}]}\n"
	common := "- {source: {kind: ConfigMap, name: cm, fieldPath: metadata.name}, targets: [{select: {kind: Other}, fieldPaths: [data.a, data.b], options: {delimiter: '-', create: true}}]}\n"
	beside := "- {source: {kind: ConfigMap, fieldPath: metadata.name}, targets: [{select: {kind: ConfigMap}, fieldPaths: [data.a]}]}\n"
	large := strings.Replace(configMap, `"1"`, strings.Repeat("x", 1_000_000), 1)
	pod := "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: c, args: ['" + strings.Repeat("$(X)", 2000) + "']}]}"
	const resources, variable = "resources: [a.yaml, b.yaml]\n", "vars: [{name: X, objref: {kind: ConfigMap, name: cm, apiVersion: v1}, fieldref: {fieldpath: data.a}}]\n"
	const doubles, much = "each could double what it copies", "may make more than 1073741824 bytes"
	others := func(count int) string { return strings.ReplaceAll(numbered(count), "kind: ConfigMap", "kind: Other") }
	for _, tc := range []struct {
		reason string
		files  files // beside a.yaml and b.yaml
		want   string
	}{
		{"into itself", files{"app/kustomization.yaml": resources + "replacements:\n" + strings.Repeat(doubling, 40)}, doubles},
		{"in a file", files{"app/kustomization.yaml": resources + "replacements: [{path: r.yaml}]", "app/r.yaml": strings.Repeat(doubling, 40)}, doubles},
		{"in bases", files{
			"app/kustomization.yaml": "resources: [../b1]\nreplacements:\n" + strings.Repeat(doubling, 4), "b1/kustomization.yaml": "resources: [../b2]\nreplacements:\n" + strings.Repeat(doubling, 4),
			"b2/kustomization.yaml": "resources: [a.yaml]", "b2/a.yaml": configMap,
		}, doubles},
		{"an object into a part of it", files{"app/kustomization.yaml": resources + "replacements:\n" + strings.Repeat(nesting, 40)}, doubles},
		{"there and back", files{"app/kustomization.yaml": resources + "replacements:\n" + strings.Repeat(there+back, 20)}, doubles},
		{"names, by default", files{"app/kustomization.yaml": resources + "replacements:\n" + strings.Repeat(names, 40)}, doubles},
		{"many", files{"app/kustomization.yaml": resources + "replacements:\n" + strings.Repeat("- {path: x.yaml}\n", 1001), "app/x.yaml": "source: {kind: A}"}, "more than 1000 replacements"},
		{"one to many", files{"app/kustomization.yaml": resources + "replacements:\n" + wide, "app/a.yaml": large, "app/b.yaml": others(1200)}, much},
		{"variables", files{"app/kustomization.yaml": resources + variable, "app/a.yaml": large, "app/b.yaml": pod}, much},
		{"variables of a file for a ConfigMap", files{
			"app/kustomization.yaml": "resources: [b.yaml]\nconfigMapGenerator: [{name: cm, files: [a=f.txt]}]\n" + variable, "app/f.txt": strings.Repeat("x", 1_000_000), "app/b.yaml": pod,
		}, much},
		{"a name in many objects", files{"app/kustomization.yaml": resources + "replacements:\n" + strings.Repeat(common, 30), "app/b.yaml": others(50)}, ""},
		{"another field of the same object", files{"app/kustomization.yaml": "resources: [a.yaml]\nreplacements:\n" + strings.Repeat(beside, 30)}, ""},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			objects, err := build(t, with(files{"app/a.yaml": configMap, "app/b.yaml": others(1)}, tc.files), nil)
			if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("%d objects, %v", len(objects), err)
			}
		})
	}
}

// TestNoDocumentIsLost has files in which the library sees fewer documents than there are.
func TestNoDocumentIsLost(t *testing.T) {
	second := strings.ReplaceAll(configMap, "name: cm", "name: second")
	for _, tc := range []struct {
		reason, text string
		want         int // objects; 0 is an error
	}{
		{"documents", configMap + "---\n" + second, 2},
		{"documents with comments between them", configMap + "--- # x\n# y\n---\n" + second + "---\n", 2},
		{"line ends of Windows", strings.ReplaceAll(configMap+"---\n"+second, "\n", "\r\n"), 2},
		{"line ends of old Macs", strings.ReplaceAll(configMap+"---\n"+second, "\n", "\r"), 0},
		{"a document after an end mark", configMap + "...\n---\n" + second, 2},
		{"a document after an end mark without a separator", configMap + "...\n" + second, 0},
		{"JSON objects in a row", `{"apiVersion":"v1","kind":"A","metadata":{"name":"a"}}` + "\n" + `{"apiVersion":"v1","kind":"A","metadata":{"name":"b"}}`, 0},
		{"an object after an empty document", "---\n...\n" + configMap, 0},
	} {
		objects, err := build(t, files{"app/kustomization.yaml": "resources: [a.yaml]", "app/a.yaml": tc.text}, nil)
		if len(objects) != tc.want || (err != nil) != (tc.want == 0) {
			t.Errorf("%s: %d objects, %v", tc.reason, len(objects), err)
		}
	}
}

// TestErrorsShowNoSecret breaks kustomizations in many ways, with a secret in each place.
func TestErrorsShowNoSecret(t *testing.T) {
	const secret = "hunter2-is-the-password"
	object := "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {p: " + secret + "}\n"
	failed := 0
	for _, in := range []files{
		{"app/kustomization.yaml": "resources: [a.yaml]", "app/a.yaml": object + "x: .nan\n"},
		{"app/kustomization.yaml": "resources: [a.yaml]", "app/a.yaml": object + "x: [\n"},
		{"app/kustomization.yaml": "resources: [a.yaml]", "app/a.yaml": object + "x: !!int " + secret + "\n"},
		{"app/kustomization.yaml": "resources: [a.yaml]", "app/a.yaml": object + "x: [null]\n"},
		{"app/kustomization.yaml": "resources: [a.yaml]", "app/a.yaml": object + "---\n" + object},
		{"app/kustomization.yaml": "resources: [a.yaml]", "app/a.yaml": strings.Replace(object, "kind: Secret\n", "", 1)},
		{"app/kustomization.yaml": "resources: [a.yaml]", "app/a.yaml": strings.Replace(object, "name: s", "x: y", 1)},
		{"app/kustomization.yaml": "resources: [a.yaml]", "app/a.yaml": "- " + secret},
		{"app/kustomization.yaml": "resources: [a.yaml]\npatches: [{patch: '" + secret + "'}]", "app/a.yaml": object},
		{"app/kustomization.yaml": "resources: [a.yaml]\npatches:\n- patch: |-\n    apiVersion: v1\n    kind: Secret\n    metadata: {name: other}\n    stringData: {p: " + secret + "}\n", "app/a.yaml": object},
		{"app/kustomization.yaml": "resources: [a.yaml]\npatches:\n- patch: |-\n    - {op: replace, path: /stringData/q, value: " + secret + "}\n", "app/a.yaml": object},
		{"app/kustomization.yaml": "resources: [a.yaml]\npatches:\n- target: {kind: Secret}\n  patch: |-\n    - {op: test, path: /stringData/p, value: " + secret + "x}\n", "app/a.yaml": object},
		{"app/kustomization.yaml": "resources: [a.yaml]\npatches:\n- path: x\n  patch: |-\n    stringData: {p: " + secret + "}\n", "app/a.yaml": object},
		{"app/kustomization.yaml": "secretGenerator: [{name: s, literals: [" + secret + "]}]"},
		{"app/kustomization.yaml": "secretGenerator: [{name: s, literals: ['" + secret + "=']}, {name: s, literals: [a=" + secret + "]}]"},
		{"app/kustomization.yaml": "secretGenerator: [{name: s, envs: [e.env]}]", "app/e.env": "A=" + secret + "\xff\n"},
		{"app/kustomization.yaml": "secretGenerator: [{name: s, literals: {p: " + secret + "}}]"},
		{"app/kustomization.yaml": "secretGenerator: [{name: s, literals: [{{" + secret + "}}]}]"},
		{"app/kustomization.yaml": "secretGenerator: [{name: s, literals: [!!int " + secret + "]}]"},
		{"app/kustomization.yaml": "resources: [a.yaml]\nreplacements: [{source: {kind: Secret, fieldPath: stringData.p, options: {delimiter: '-', index: 99}}, targets: [{select: {kind: Secret}, fieldPaths: [x]}]}]", "app/a.yaml": object},
		{"app/kustomization.yaml": "resources: [a.yaml]\nreplacements: [{source: {kind: Secret, fieldPath: stringData.p}, targets: [{select: {kind: Secret}, fieldPaths: [x.y.z]}]}]", "app/a.yaml": object},
		{"app/kustomization.yaml": "resources: [a.yaml]\nvars: [{name: X, objref: {kind: Secret, name: s, apiVersion: v1}, fieldref: {fieldpath: stringData}}]", "app/a.yaml": object},
		{"app/kustomization.yaml": "resources: [a.yaml]\ntransformers:\n- |-\n  apiVersion: builtin\n  kind: PatchTransformer\n  metadata: {name: t}\n  patch: " + secret + "\n", "app/a.yaml": object},
		{"app/kustomization.yaml": "resources: [a.yaml]\nopenapi: {path: s.json}", "app/a.yaml": object, "app/s.json": "{\"definitions\": \"" + secret + "\"}"},
	} {
		objects, err := build(t, in, nil)
		if err == nil {
			continue
		}
		failed++
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%v: %d objects and\n%v", in, len(objects), err)
		}
	}
	if failed < 18 {
		t.Errorf("only %d fail", failed)
	}
}

func TestErrorsAreStable(t *testing.T) {
	in := with(app(), files{"app/kustomization.yaml": "resources: [d.yaml, missing.yaml]"})
	_, first := build(t, in, nil)
	for range 5 {
		if _, err := build(t, in, nil); err == nil || first == nil || err.Error() != first.Error() {
			t.Errorf("%v, then %v", first, err)
		}
	}
}

func TestBuildsSideBySide(t *testing.T) {
	r := kustomize.New(kustomize.Options{})
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			prefix := fmt.Sprintf("p%d-", i)
			objects, err := r.Render(t.Context(), request(app(), &argov1.ApplicationSourceKustomize{NamePrefix: prefix}))
			if err != nil || len(objects) != 2 || objects[0].GetName() != prefix+"cm" {
				t.Errorf("%d objects, %v", len(objects), err)
			}
		})
	}
	group.Wait()
}
