package target_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/render"
	"github.com/tiphys-io/tiphys/internal/render/directory"
	"github.com/tiphys-io/tiphys/internal/render/kustomize"
	"github.com/tiphys-io/tiphys/internal/render/worker"
	"github.com/tiphys-io/tiphys/internal/source/git"
	"github.com/tiphys-io/tiphys/internal/target"
	"github.com/tiphys-io/tiphys/test/fixture"
)

// counting counts what a renderer renders.
type counting struct {
	renderer render.Renderer
	renders  *atomic.Int64
}

func (c counting) Render(ctx context.Context, req render.Request) ([]*unstructured.Unstructured, error) {
	c.renders.Add(1)
	return c.renderer.Render(ctx, req)
}

// renderers are those of the operator; cache may be nil.
func renderers(t testing.TB, cache *target.Cache) (render.Dispatcher, *atomic.Int64) {
	t.Helper()
	pool, err := worker.New(worker.Options{Processes: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	renders := &atomic.Int64{}
	all := render.Dispatcher{
		argov1.SourceTypeDirectory: directory.New(directory.Options{Jsonnet: pool}),
		argov1.SourceTypeHelm:      pool.Renderer(argov1.SourceTypeHelm),
		argov1.SourceTypeKustomize: kustomize.New(kustomize.Options{Helm: pool.Renderer(argov1.SourceTypeHelm)}),
	}
	for sourceType, renderer := range all {
		all[sourceType] = counting{renderer, renders}
		if cache != nil {
			all[sourceType] = cache.Renderer(sourceType, all[sourceType])
		}
	}
	return all, renders
}

// monorepo is a repository of many applications, and one with values for some of them.
type monorepo struct {
	main, values *fixture.Repository
	files        map[string]string // a content that begins with linkTo is a link
	valueFiles   map[string]string
}

const linkTo = "-> "

func newMonorepo(t testing.TB) *monorepo {
	t.Helper()
	server, err := fixture.StartGitServer()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	m := &monorepo{main: server.Repository("main"), values: server.Repository("values")}
	m.reset()
	return m
}

// reset makes the files what they are at first.
func (m *monorepo) reset() {
	m.valueFiles = map[string]string{
		"v/one.yaml": "text: one\n", "README": "x", "k/kustomization.yaml": "resources: [cm.yaml]\n", "k/cm.yaml": object("k", "one"),
	}
	m.files = map[string]string{
		"remote/kustomization.yaml": "resources: ['" + m.values.URL() + "//k?ref=main']\n",
		"plain/a.yaml":              object("a", "one"), "plain/b.yaml": object("b", "one"), "plain/sub/c.yaml": object("c", "one"), "plain/notes.txt": "x",
		"linked/x.yaml": linkTo + "../shared/x.yaml", "linked/folder": linkTo + "../shared/folder", "shared/x.yaml": object("x", "one"), "shared/folder/y.yaml": object("y", "one"),
		"base/kustomization.yaml": "resources: [cm.yaml]\n", "base/cm.yaml": object("base", "one"), "base/unused.yaml": object("unused", "one"),
		"overlay/kustomization.yaml": "resources: [../base]\nnamePrefix: over-\n", "overlay/patch.yaml": object("base", "patched"),
		"chart/Chart.yaml": "apiVersion: v2\nname: chart\nversion: 1.0.0\n", "chart/values.yaml": "text: chart\n",
		"chart/templates/cm.yaml": object("{{ .Release.Name }}", "{{ .Values.text }}{{ .Files.Get `extra.txt` }}"), "chart/extra.txt": "extra", "chart/README.md": "x",
		"values/one.yaml": "text: values\n", "values/notes.txt": "x",
		"json/main.jsonnet": `local l = import "lib.libsonnet"; {apiVersion: "v1", kind: "ConfigMap", metadata: {name: "j"}, data: {text: l.text}}`,
		"lib/lib.libsonnet": `{text: "lib"}`,
	}
}

func (m *monorepo) commit(t testing.TB) []string {
	t.Helper()
	var shas []string
	for _, repository := range []struct {
		git   *fixture.Repository
		files map[string]string
	}{{m.main, m.files}, {m.values, m.valueFiles}} {
		plain, options := map[string]string{}, []fixture.CommitOption{}
		for _, name := range slices.Sorted(maps.Keys(repository.files)) {
			if to, isLink := strings.CutPrefix(repository.files[name], linkTo); isLink {
				options = append(options, fixture.WithSymlink(name, to))
				continue
			}
			plain[name] = repository.files[name]
		}
		sha, err := repository.git.Commit(plain, options...)
		if err != nil {
			t.Fatal(err)
		}
		shas = append(shas, sha)
	}
	return shas
}

// contents are what files may come to hold, some of it wrong.
var contents = []func(random *rand.Rand) string{
	func(random *rand.Rand) string { return object("r", fmt.Sprint(random.IntN(3))) },
	func(random *rand.Rand) string { return fmt.Sprintf("text: %d\n", random.IntN(3)) },
	func(*rand.Rand) string { return "resources: [cm.yaml, unused.yaml]\n" },
	func(*rand.Rand) string { return "resources: [../base]\npatches: [{path: patch.yaml}]\n" },
	func(*rand.Rand) string { return "helm: {parameters: [{name: text, value: $ARGOCD_APP_REVISION}]}\n" },
	func(*rand.Rand) string { return "directory: {recurse: true}\n" },
	func(random *rand.Rand) string { return fmt.Sprintf("{text: %q}", fmt.Sprint(random.IntN(3))) },
	func(*rand.Rand) string { return linkTo + "../shared/x.yaml" },
	func(*rand.Rand) string { return linkTo + "../values" },
	func(*rand.Rand) string { return linkTo + "../../outside" },
	func(*rand.Rand) string { return "a: [" },
	func(*rand.Rand) string { return "" },
}

// mutable are names that a commit may change, besides those that are there.
var mutable = []string{
	"plain/.argocd-source.yaml", "plain/.argocd-source-team_app.yaml", "plain/new.yaml", "chart/.argocd-source.yaml", "chart/templates/more.yaml", "chart/.helmignore",
	"values/two.yaml", "values/deep/three.yaml", "json/lib.libsonnet", "lib/other.libsonnet", "linked/folder", "overlay/kustomization.yml", "overlay/Chart.yaml",
	"shared/folder/z.yaml", "base/patch.yaml", "elsewhere/a.yaml", "plain/Chart.yaml", "plain/sub/kustomization.yaml",
}

// mutate changes a few files; a folder that a file takes the place of goes.
func (m *monorepo) mutate(random *rand.Rand) {
	for range 1 + random.IntN(2) {
		switch random.IntN(9) {
		case 0:
			m.valueFiles["v/one.yaml"] = fmt.Sprintf("text: %d\n", random.IntN(3))
			continue
		case 1:
			m.valueFiles["k/cm.yaml"] = object("k", fmt.Sprint(random.IntN(3)))
			continue
		}
		names := slices.Concat(slices.Sorted(maps.Keys(m.files)), mutable)
		name := names[random.IntN(len(names))]
		if random.IntN(4) == 0 {
			delete(m.files, name)
			continue
		}
		for other := range m.files {
			if strings.HasPrefix(other, name+"/") || strings.HasPrefix(name, other+"/") {
				delete(m.files, other)
			}
		}
		m.files[name] = contents[random.IntN(len(contents))](random)
	}
}

// applications are requests for the sources of the repositories.
func (m *monorepo) applications() map[string]target.Request {
	of := func(sources ...argov1.ApplicationSource) target.Request {
		return target.Request{
			Sources: sources, Multiple: len(sources) > 1, Project: "default", Scope: scope(),
			Cluster: func(context.Context) (render.Cluster, error) { return render.Cluster{KubeVersion: "1.37.2"}, nil },
		}
	}
	in := func(path string) argov1.ApplicationSource {
		return argov1.ApplicationSource{RepoURL: m.main.FileURL(), Path: path, TargetRevision: "main"}
	}
	with := func(src argov1.ApplicationSource, change func(*argov1.ApplicationSource)) argov1.ApplicationSource {
		change(&src)
		return src
	}
	values := argov1.ApplicationSource{RepoURL: m.values.FileURL(), TargetRevision: "main", Ref: "vals"}
	return map[string]target.Request{
		"plain":  of(in("plain")),
		"linked": of(with(in("linked"), func(s *argov1.ApplicationSource) { s.Directory = &argov1.ApplicationSourceDirectory{Recurse: true} })),
		"remote": of(in("remote")), "base": of(in("base")), "overlay": of(in("overlay")), "chart": of(in("chart")),
		"values": of(with(in("chart"), func(s *argov1.ApplicationSource) {
			s.Helm = &argov1.ApplicationSourceHelm{ValueFiles: []string{"/values/**/*.yaml"}, IgnoreMissingValueFiles: true}
		})),
		"revision": of(with(in("chart"), func(s *argov1.ApplicationSource) {
			s.Helm = &argov1.ApplicationSourceHelm{Parameters: []argov1.HelmParameter{{Name: "text", Value: "${ARGOCD_APP_REVISION_SHORT}"}}}
		})),
		"jsonnet": of(with(in("json"), func(s *argov1.ApplicationSource) {
			s.Directory = &argov1.ApplicationSourceDirectory{Jsonnet: argov1.ApplicationSourceJsonnet{Libs: []string{"lib"}}}
		})),
		"referring": of(with(in("chart"), func(s *argov1.ApplicationSource) {
			s.Helm = &argov1.ApplicationSourceHelm{ValueFiles: []string{"$vals/v/one.yaml"}}
		}), values, in("plain")),
	}
}

// described is all of a state that counts, or the error.
func described(state *target.State, err error) string {
	if err != nil {
		return err.Error()
	}
	var text strings.Builder
	for _, o := range state.Objects {
		data, err := json.Marshal(o.Target)
		_, _ = fmt.Fprintf(&text, "%s %v %s\n", o.Key, cmp.Or(err), data)
	}
	_, _ = fmt.Fprint(&text, state.Types, state.Conditions)
	return text.String()
}

func newRepositoriesOf(t testing.TB, cache *target.Cache) (*target.Repositories, *atomic.Int64) {
	t.Helper()
	fetcher, err := git.New(git.Options{Dir: t.TempDir(), ResolveTTL: time.Nanosecond})
	if err != nil {
		t.Fatal(err)
	}
	all, renders := renderers(t, cache)
	return &target.Repositories{Fetcher: fetcher, Renderer: all}, renders
}

// Over random repositories and commits, an application that is moved without rendering has what a full rendering gives, and so
// has one whose manifests come from the cache.
func TestMovedIsWhatAFullRenderingGives(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("TIPHYS_SEED"); text != "" {
		_, _ = fmt.Sscan(text, &seed)
	}
	t.Logf("TIPHYS_SEED=%d", seed)
	random := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // a test repeats itself by its seed
	m := newMonorepo(t)
	full, _ := newRepositoriesOf(t, nil)
	kept, _ := newRepositoriesOf(t, target.NewCache(4<<20))
	states := map[string]*target.State{}
	moved, rendered := map[string]int{}, map[string]int{}
	for round := range 40 {
		if round%10 == 0 {
			m.reset()
		} else {
			m.mutate(random)
		}
		shas := m.commit(t)
		for name, req := range m.applications() {
			revisions := make([]string, len(req.Sources))
			for i, src := range req.Sources {
				revisions[i] = shas[0]
				if src.Ref != "" {
					revisions[i] = shas[1]
				}
			}
			req.Force = true // the bases of a kustomization are resolved when they are read
			want, wantErr := target.Build(t.Context(), full, req, revisions)
			if got, err := target.Build(t.Context(), kept, req, revisions); described(got, err) != described(want, wantErr) {
				t.Fatalf("round %d, %s, from the cache (-full +cache):\n%s", round, name, gocmp.Diff(described(want, wantErr), described(got, err)))
			}
			if before := states[name]; before != nil {
				state, err := target.Moved(t.Context(), full, req, before, revisions)
				if err != nil {
					t.Fatal(err)
				}
				if state == nil {
					rendered[name]++
				} else {
					moved[name]++
					if described(state, nil) != described(want, wantErr) || !slices.Equal(state.Revisions, revisions) {
						t.Fatalf("round %d, %s, moved (-full +moved):\n%s", round, name, gocmp.Diff(described(want, wantErr), described(state, nil)))
					}
				}
			}
			if wantErr == nil {
				states[name] = want
			}
		}
	}
	t.Logf("moved %v, rendered %v", moved, rendered)
	if len(moved) == 0 || len(rendered) == 0 {
		t.Error("all are moved or none is, and the test proves nothing")
	}
}

// A commit has only those applications rendered that read what it changes, what they looked for in vain included.
func TestWhatACommitHasRendered(t *testing.T) {
	repositories, _ := newRepositoriesOf(t, nil)
	for _, tc := range []struct {
		reason   string
		change   func(*monorepo)
		rendered []string
	}{
		{"nothing that anybody reads", func(m *monorepo) { m.files["elsewhere/x.yaml"] = "x" }, nil},
		{"a commit without a change", func(*monorepo) {}, nil},
		{"a file beside those with manifests", func(m *monorepo) { m.files["plain/notes.txt"] = "y" }, nil},
		{"a folder that is not gone into", func(m *monorepo) { m.files["plain/sub/c.yaml"] = object("c", "two") }, nil},
		{"a manifest", func(m *monorepo) { m.files["plain/a.yaml"] = object("a", "two") }, []string{"plain", "referring"}},
		{"another manifest", func(m *monorepo) { m.files["plain/new.yaml"] = object("new", "one") }, []string{"plain", "referring"}},
		{"one fewer", func(m *monorepo) { delete(m.files, "plain/b.yaml") }, []string{"plain", "referring"}},
		{"an override that was looked for in vain", func(m *monorepo) { m.files["plain/.argocd-source-team_app.yaml"] = "{}" }, []string{"plain", "referring"}},
		{"the override of another application is an entry of the folder", func(m *monorepo) { m.files["plain/.argocd-source-team_other.yaml"] = "{}" }, []string{"plain", "referring"}},
		{"a file that becomes a chart", func(m *monorepo) { m.files["plain/Chart.yaml"] = "name: x" }, []string{"plain", "referring"}},
		{"behind a link", func(m *monorepo) { m.files["shared/x.yaml"] = object("x", "two") }, []string{"linked"}},
		{"where a link leads", func(m *monorepo) { m.files["linked/x.yaml"] = linkTo + "../base/cm.yaml" }, []string{"linked"}},
		{"a base of others", func(m *monorepo) { m.files["base/cm.yaml"] = object("base", "two") }, []string{"base", "overlay"}},
		{"an overlay", func(m *monorepo) { m.files["overlay/kustomization.yaml"] = "resources: [../base]\n" }, []string{"overlay"}},
		{"a file of a chart", func(m *monorepo) { m.files["chart/extra.txt"] = "more" }, []string{"chart", "referring", "values"}},
		{"values beside a chart", func(m *monorepo) { m.files["values/one.yaml"] = "text: two\n" }, []string{"values"}},
		{"values that a glob finds", func(m *monorepo) { m.files["values/deep/two.yaml"] = "text: two\n" }, []string{"values"}},
		{"values in another repository", func(m *monorepo) { m.valueFiles["v/one.yaml"] = "text: two\n" }, []string{"referring"}},
		{"what is beside them there", func(m *monorepo) { m.valueFiles["README"] = "y" }, nil},
		{"what Jsonnet imports", func(m *monorepo) { m.files["lib/lib.libsonnet"] = `{text: "two"}` }, []string{"jsonnet"}},
		{"what Jsonnet looked for first", func(m *monorepo) { m.files["json/lib.libsonnet"] = `{text: "two"}` }, []string{"jsonnet"}},
	} {
		m := newMonorepo(t)
		revisionsOf := func(req target.Request, shas []string) []string {
			revisions := make([]string, len(req.Sources))
			for i, src := range req.Sources {
				revisions[i] = shas[0]
				if src.Ref != "" {
					revisions[i] = shas[1]
				}
			}
			return revisions
		}
		before := m.commit(t)
		states := map[string]*target.State{}
		for name, req := range m.applications() {
			state, err := target.Build(t.Context(), repositories, req, revisionsOf(req, before))
			if err != nil {
				t.Fatal(name, err)
			}
			states[name] = state
		}
		tc.change(m)
		after := m.commit(t)
		var rendered []string
		for name, req := range m.applications() {
			state, err := target.Moved(t.Context(), repositories, req, states[name], revisionsOf(req, after))
			if err != nil {
				t.Fatal(name, err)
			}
			if state == nil && name != "revision" && name != "remote" { // what is in these is not known by their files
				rendered = append(rendered, name)
			}
			if state != nil && (name == "revision" || name == "remote") {
				t.Errorf("%s: %s has something in it that may change with each commit, and is moved", tc.reason, name)
			}
			if state != nil && (!slices.Equal(state.Revisions, revisionsOf(req, after)) || !slices.Equal(state.Earlier[0], states[name].Revisions)) {
				t.Errorf("%s, %s: revisions %v, earlier %v", tc.reason, name, state.Revisions, state.Earlier)
			}
		}
		slices.Sort(rendered)
		if diff := gocmp.Diff(tc.rendered, rendered); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
		}
	}
}
