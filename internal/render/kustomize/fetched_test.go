package kustomize_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/render"
	"github.com/tiphys-io/tiphys/internal/render/helm"
	"github.com/tiphys-io/tiphys/internal/render/kustomize"
)

// elsewhere is what can be fetched: files by their URL, and repositories by their URL and revision.
type elsewhere struct {
	pages        map[string]string
	repositories map[string]files

	mu    sync.Mutex
	asked []string
	wait  func(ctx context.Context) error
}

func (e *elsewhere) ask(ctx context.Context, what string) error {
	e.mu.Lock()
	e.asked = append(e.asked, what)
	e.mu.Unlock()
	if e.wait != nil {
		return e.wait(ctx)
	}
	return nil
}

func (e *elsewhere) File(ctx context.Context, url string, _ render.RemoteOptions) ([]byte, error) {
	page, found := e.pages[url]
	if err := e.ask(ctx, url); err != nil || !found {
		return nil, errors.Join(err, errors.New("no such page"))
	}
	return []byte(page), nil
}

func (*elsewhere) Chart(context.Context, render.ChartReference) ([]byte, error) {
	return nil, errors.New("no such chart")
}

func (e *elsewhere) Repository(ctx context.Context, url, revision string) (fs.FS, string, error) {
	key := url + "@" + revision
	found, ok := e.repositories[key]
	if err := e.ask(ctx, key); err != nil || !ok {
		return nil, "", errors.Join(err, errors.New("no such repository"))
	}
	return found.tree(), key, nil
}

// buildWith builds app with what can be fetched.
func buildWith(t *testing.T, e *elsewhere, in files, options *argov1.ApplicationSourceKustomize) ([]*unstructured.Unstructured, error) {
	t.Helper()
	t.Setenv("PATH", "") // no command may be found
	req := request(in, options)
	req.Remote, req.Repositories, req.Settings.KustomizeBuildOptions = e, e, "--enable-helm"
	return kustomize.New(kustomize.Options{Helm: helm.New(helm.Options{})}).Render(t.Context(), req)
}

func named(name string) string { return strings.ReplaceAll(configMap, "name: cm", "name: "+name) }

// names are those of objects, in their order.
func names(objects []*unstructured.Unstructured) string {
	var list []string
	for _, object := range objects {
		list = append(list, object.GetName())
	}
	return strings.Join(list, " ")
}

func TestFetched(t *testing.T) {
	base := files{"base/kustomization.yaml": "resources: [cm.yaml, ../common]\nnamePrefix: b-", "base/cm.yaml": named("base"), "common/kustomization.yaml": "resources: [c.yaml]", "common/c.yaml": named("common")}
	for _, tc := range []struct {
		reason, kustomization, want string
		more                        files
		options                     *argov1.ApplicationSourceKustomize
	}{
		{"a base of a repository, with what is beside it there", "resources: ['https://h/org/repo//base?ref=v1']", "b-base b-common", nil, nil},
		{"the default branch, by SSH", "resources: ['git@h:org/repo.git/base', cm.yaml]", "b-base b-common cm", nil, nil},
		{"a file", "resources: ['https://h/a.yaml', cm.yaml]", "cm page", nil, nil},
		{"a page for people, behind which is a repository", "resources: ['https://h/org/repo/base']", "b-base b-common", nil, nil},
		{"a component", "resources: [cm.yaml]\ncomponents: ['https://h/org/component?ref=v1']", "cm-component", nil, nil},
		{"a component of the application", "resources: [cm.yaml]", "cm-component", nil, &argov1.ApplicationSourceKustomize{Components: []string{"https://h/org/component?ref=v1"}, IgnoreMissingComponents: true}},
		{"an edited kustomization", "resources: ['https://h/org/repo//base?ref=v1']", "x-b-base x-b-common", nil, &argov1.ApplicationSourceKustomize{NamePrefix: "x-"}},
		{"a base of the repository that has a remote one itself", "resources: [../mid]", "b-base b-common", files{"mid/kustomization.yaml": "resources: ['https://h/org/repo//base?ref=v1']"}, nil},
		{"a remote base of a remote base", "resources: ['https://h/org/chain?ref=v1']", "n-b-base n-b-common", nil, nil},
		{"the same base twice, by two names", "resources: ['https://h/org/repo//base?ref=v1', ../mid]", "b-base b-common m-b-base m-b-common", files{"mid/kustomization.yaml": "namePrefix: m-\nresources: ['https://h/org/repo//base?ref=v1']"}, nil},
		{"a patch of the names that a base gives", "resources: ['https://h/org/repo//base?ref=v1']\npatches: [{path: 'https://h/patch', target: {name: base}}]", "b-base b-common", nil, nil},
		{"a file for a generator keeps its key", "configMapGenerator: [{name: g, files: ['https://h/dir/app.conf', 'k=https://h/dir/app.conf'], envs: ['https://h/env'], options: {disableNameSuffixHash: true}}]", "g", nil, nil},
		{"a generator of a base merges with ours", "resources: ['https://h/org/generator?ref=v1']\nconfigMapGenerator: [{name: made, behavior: merge, literals: [b=2]}]", "made-7gdc49gk6d", nil, nil},
		{"a chart in a remote base", "resources: ['https://h/org/chart?ref=v1']", "from-chart", nil, nil},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			e := &elsewhere{
				pages: map[string]string{
					"https://h/a.yaml": named("page"), "https://h/org/repo/base": "<html>Welcome: to</html>", "https://h/patch": "- {op: add, path: /data, value: {patched: 'yes'}}",
					"https://h/dir/app.conf": "conf", "https://h/env": "E=1",
				},
				repositories: map[string]files{
					"https://h/org/repo@v1": base, "https://h/org/repo@": base, "git@h:org/repo.git@": base,
					"https://h/org/component@v1": {"kustomization.yaml": "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nnameSuffix: -component"},
					"https://h/org/chain@v1":     {"kustomization.yaml": "namePrefix: n-\nresources: ['https://h/org/repo//base?ref=v1']"},
					"https://h/org/generator@v1": {"kustomization.yaml": "configMapGenerator: [{name: made, literals: [a=1]}]"},
					"https://h/org/chart@v1": {
						"kustomization.yaml": "helmCharts: [{name: c, valuesFile: v.yaml}]", "v.yaml": "name: from-chart", "charts/c/Chart.yaml": "{apiVersion: v2, name: c, version: 1.0.0}",
						"charts/c/templates/a.yaml": strings.ReplaceAll(configMap, "name: cm", "name: {{ .Values.name }}"),
					},
				},
			}
			objects, err := buildWith(t, e, with(files{"app/kustomization.yaml": tc.kustomization, "app/cm.yaml": configMap}, tc.more), tc.options)
			if err != nil || names(objects) != tc.want {
				t.Fatalf("%s, %v; want %s", names(objects), err, tc.want)
			}
			seen := map[string]bool{}
			for _, what := range e.asked {
				if seen[what] {
					t.Errorf("%s is fetched twice", what)
				}
				seen[what] = true
			}
			switch tc.reason {
			case "a patch of the names that a base gives":
				if data, _, _ := unstructured.NestedStringMap(objects[0].Object, "data"); data["patched"] != "yes" {
					t.Errorf("not patched: %v", objects[0].Object)
				}
			case "a file for a generator keeps its key":
				data, _, _ := unstructured.NestedStringMap(objects[0].Object, "data")
				if fmt.Sprint(data) != "map[E:1 app.conf:conf k:conf]" {
					t.Errorf("data %v", data)
				}
			}
		})
	}
}

// A repository that is fetched reads what lies in it, and nothing of the source's own or of another one.
func TestFetchedIsConfined(t *testing.T) {
	t.Setenv("PATH", "") // no command may be found
	for _, tc := range []struct {
		reason, want string
		remote       files
	}{
		{"a base of the source", "may only use what lies in that repository", files{"kustomization.yaml": "resources: [../../../app2]"}},
		{"a base of the source, from a folder", "may only use what lies in that repository", files{"kustomization.yaml": "resources: [d]", "d/kustomization.yaml": "resources: [../../../../app2]"}},
		{"another fetched repository", "may only use what lies in that repository", files{"kustomization.yaml": "resources: [../1]"}},
		{"a file by its absolute name", "may only use what lies in that repository", files{"kustomization.yaml": "configMapGenerator: [{name: g, files: ['/<path to cached source>/secret.yaml']}]"}},
		{"a file for a generator", "may only use what lies in that repository", files{"kustomization.yaml": "configMapGenerator: [{name: g, files: ['k=../../../secret.yaml']}]"}},
		{"a patch", "may only use what lies in that repository", files{"kustomization.yaml": "resources: [cm.yaml]\npatches: [{path: ../../../secret.yaml}]", "cm.yaml": configMap}},
		{"a replacement", "may only use what lies in that repository", files{"kustomization.yaml": "replacements: [{path: ../../../secret.yaml}]"}},
		{"the configuration of a generator", "may only use what lies in that repository", files{"kustomization.yaml": "generators: [g.yaml]", "g.yaml": "apiVersion: builtin\nkind: ConfigMapGenerator\nmetadata: {name: g}\nfiles: ['k=../../../secret.yaml']"}},
		{"a file with the configuration of a generator", "may only use what lies in that repository", files{"kustomization.yaml": "generators: [../../../secret.yaml]"}},
		{"a chart", "may only use what lies in that repository", files{"kustomization.yaml": "helmGlobals: {chartHome: ../../..}\nhelmCharts: [{name: chart}]"}},
		{"the values of a chart", "may only use what lies in that repository", files{"kustomization.yaml": "helmCharts: [{name: c, valuesFile: ../../../secret.yaml}]", "charts/c/Chart.yaml": "{apiVersion: v2, name: c, version: 1.0.0}"}},
		{"more values of a chart", "may only use what lies in that repository", files{"kustomization.yaml": "helmCharts: [{name: c, additionalValuesFiles: [../../../secret.yaml]}]", "charts/c/Chart.yaml": "{apiVersion: v2, name: c, version: 1.0.0}"}},
		{"a link", "evalsymlink failure", files{"kustomization.yaml": "resources: [link]", "link": "-> ../../../app2"}},
		{"a repository of this machine", "a repository of this machine is not read", files{"kustomization.yaml": "resources: ['file:///srv/repo//x']"}},
		{"a remote generator", "remote files and bases are not fetched here", files{"kustomization.yaml": "generators: ['https://h/a.yaml']"}},
		{"a folder that is not there", "https://h/org/evil", files{"x": ""}},
		{"itself", "cycle detected", files{"kustomization.yaml": "resources: ['https://h/org/evil?ref=v1']"}},
		{"itself by another name", "cycle detected", files{"kustomization.yaml": "resources: ['https://h/org/evil.git?ref=v1']"}},
		{"itself by way of another", "cycle detected", files{"kustomization.yaml": "resources: ['https://h/org/other?ref=v1']"}},
		{"a component that is itself", "cycle detected", files{"kustomization.yaml": "components: ['https://h/org/evil?ref=v1']"}},
		{"a missing folder", "https://h/org/evil/none", files{"kustomization.yaml": "resources: [none]"}},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			e := &elsewhere{repositories: map[string]files{
				"https://h/org/evil@v1": tc.remote, "https://h/org/evil.git@v1": tc.remote,
				"https://h/org/other@v1": {"kustomization.yaml": "resources: ['https://h/org/evil?ref=v1']", "cm.yaml": named("other")},
			}}
			// The same commit by whatever name, as a server has it.
			for key := range e.repositories {
				if strings.Contains(key, "evil.git") {
					delete(e.repositories, key)
				}
			}
			in := files{
				"app/kustomization.yaml": "resources: ['https://h/org/evil?ref=v1', 'https://h/org/other?ref=v1']", "app2/kustomization.yaml": "resources: [cm.yaml]", "app2/cm.yaml": named("secret"),
				"secret.yaml": named("secret"), "chart/Chart.yaml": "{apiVersion: v2, name: chart, version: 1.0.0}",
			}
			if strings.Contains(tc.reason, "another name") {
				e.repositories["https://h/org/evil.git@v1"] = tc.remote
			}
			req := request(in, nil)
			req.Remote, req.Repositories = e, sameCommit{e}
			req.Settings.KustomizeBuildOptions = "--enable-helm --load-restrictor LoadRestrictionsNone"
			objects, err := kustomize.New(kustomize.Options{Helm: helm.New(helm.Options{})}).Render(t.Context(), req)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%s, %v; want %q", names(objects), err, tc.want)
			}
			if err != nil && (strings.Contains(err.Error(), ".git/fetched") || strings.Contains(err.Error(), ".git-fetched")) {
				t.Errorf("the error shows where things are put: %v", err)
			}
		})
	}
}

// sameCommit gives a repository one commit whatever it is called.
type sameCommit struct{ *elsewhere }

func (s sameCommit) Repository(ctx context.Context, url, revision string) (fs.FS, string, error) {
	tree, commit, err := s.elsewhere.Repository(ctx, url, revision)
	return tree, strings.Replace(commit, ".git@", "@", 1), err
}

func TestFetchedIsBounded(t *testing.T) {
	many := &elsewhere{pages: map[string]string{}, repositories: map[string]files{}}
	var entries []string
	for i := range 100 {
		url := fmt.Sprintf("https://h/%d.yaml", i)
		many.pages[url] = named(fmt.Sprintf("n%d", i))
		entries = append(entries, url)
		many.repositories[fmt.Sprintf("https://h/org/chain@%d", i)] = files{"kustomization.yaml": fmt.Sprintf("resources: ['https://h/org/chain?ref=%d']", i+1)}
	}
	many.pages["https://h/big.yaml"] = named("big") + "data: {k: " + strings.Repeat("x", 1<<20) + "}\n"
	many.repositories["https://u:hunter2@h/org/repo@"] = nil
	for _, tc := range []struct{ reason, kustomization, want string }{
		{"too many files", "resources: [" + strings.Join(entries, ", ") + "]", "names more than 64 files and repositories elsewhere"},
		{"a chain without an end", "resources: ['https://h/org/chain?ref=0']", "names more than 64 files and repositories elsewhere"},
		{"files that are too large together", "resources: ['https://h/big.yaml', 'https://h/big.yaml?2']", "have more than 1048576 bytes"},
		{"neither a file nor a repository", "resources: ['https://h/org/none']", "app/kustomization.yaml: resources[0]: it is neither a file: no such page; nor a repository: no such repository"},
		{"no file", "resources: ['https://h/none.yaml']", "app/kustomization.yaml: resources[0]: no such page"},
		{"no repository", "components: ['https://h/org/none']\nresources: [cm.yaml]", "app/kustomization.yaml: components[0]: no such repository"},
		{"no address", "resources: ['https:']", "it names neither a file behind http or https nor a repository"},
		{"a file by SSH", "patches: [{path: 'git@h:a/b', target: {kind: X}}]\nresources: [cm.yaml]", "it names neither a file behind http or https nor a repository"},
	} {
		in := files{"app/kustomization.yaml": tc.kustomization, "app/cm.yaml": configMap}
		req := request(in, nil)
		req.Remote, req.Repositories = many, many
		if objects, err := kustomize.New(kustomize.Options{MaxBytes: 1 << 20}).Render(t.Context(), req); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %s, %v; want %q", tc.reason, names(objects), err, tc.want)
		}
	}
}

// A server that does not answer holds up its own application until the deadline, and no other kustomization.
func TestFetchingHoldsUpNobody(t *testing.T) {
	waiting := make(chan struct{})
	e := &elsewhere{repositories: map[string]files{"https://h/org/slow@v1": {}}, wait: func(ctx context.Context) error {
		close(waiting)
		<-ctx.Done()
		return ctx.Err()
	}}
	r := kustomize.New(kustomize.Options{FetchTimeout: time.Second})
	slow := make(chan error)
	go func() {
		req := request(files{"app/kustomization.yaml": "resources: ['https://h/org/slow?ref=v1']"}, nil)
		req.Remote, req.Repositories = e, e
		_, err := r.Render(t.Context(), req)
		slow <- err
	}()
	<-waiting
	if objects, err := r.Render(t.Context(), request(app(), nil)); err != nil || len(objects) == 0 {
		t.Errorf("%s, %v", names(objects), err)
	}
	select {
	case err := <-slow:
		t.Errorf("the other one is not held up by itself: %v", err)
	default:
	}
	if err := <-slow; err == nil || !strings.Contains(err.Error(), "app/kustomization.yaml: resources[0]: what the kustomization names elsewhere is not fetched within 1s") {
		t.Errorf("error %v", err)
	}
}

// endless has ten folders in every folder.
type endless struct{ fstest.MapFS }

func (e endless) isEndless(name string) bool {
	return name == "many" || strings.HasPrefix(name, "many/")
}

func (e endless) ReadDir(name string) ([]fs.DirEntry, error) {
	if !e.isEndless(name) {
		return e.MapFS.ReadDir(name)
	}
	return fstest.MapFS{"0/x": {}, "1/x": {}, "2/x": {}, "3/x": {}, "4/x": {}, "5/x": {}, "6/x": {}, "7/x": {}, "8/x": {}, "9/x": {}}.ReadDir(".")
}

func (e endless) Stat(name string) (fs.FileInfo, error) {
	if e.isEndless(name) {
		return e.MapFS.Stat("app")
	}
	return e.MapFS.Stat(name)
}

// A repository may choose components by patterns, and hold any number of folders.
func TestPatternsAreBounded(t *testing.T) {
	req := request(app(), &argov1.ApplicationSourceKustomize{Components: []string{"../many/*/*/*/*/*/*/*/*/*/*"}})
	req.Tree = endless{app().tree()}
	if _, err := kustomize.New(kustomize.Options{}).Render(t.Context(), req); err == nil || !strings.Contains(err.Error(), "its patterns match in more than 100000 files and folders: name fewer") {
		t.Errorf("error %v", err)
	}
}
