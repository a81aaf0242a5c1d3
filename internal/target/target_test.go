package target_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/render"
	"github.com/tiphys-io/tiphys/internal/render/directory"
	"github.com/tiphys-io/tiphys/internal/render/manifest"
	"github.com/tiphys-io/tiphys/internal/source"
	"github.com/tiphys-io/tiphys/internal/target"
	"github.com/tiphys-io/tiphys/internal/tracking"
)

// repositories are trees by URL and revision.
type repositories struct {
	trees   map[string]fstest.MapFS
	fetched []string
}

type tree struct{ fstest.MapFS }

func (tree) Hash(string) (string, error) { return "", errors.ErrUnsupported }

func (tree) Fingerprint(string, source.Aspect) (string, error) { return "", errors.ErrUnsupported }

func (r *repositories) Resolve(_ context.Context, _ source.Repository, revision string, opts source.ResolveOptions) (string, error) {
	if revision == "absent" {
		return "", &source.RevisionError{Revision: revision}
	}
	return opts.TagPrefix + revision + "-resolved", nil
}

func (r *repositories) Fetch(_ context.Context, repo source.Repository, sha string) (source.Tree, error) {
	r.fetched = append(r.fetched, repo.URL+"@"+sha)
	found := r.trees[repo.URL]
	if found == nil {
		return nil, &source.Error{URL: repo.URL, Reason: source.NotFound, Err: errors.New("not found")}
	}
	return tree{found}, nil
}

func object(name, text string) string {
	return fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\ndata: {text: %q}\n", name, text)
}

func scope() target.Scope {
	return target.Scope{
		Instance: "team_app", DestinationNamespace: "dest", Tracker: tracking.Tracker{Method: tracking.MethodAnnotation},
		Excluded: func(_, kind string) bool { return kind == "Excluded" },
		Namespaced: func(gvk schema.GroupVersionKind) (namespaced, known bool, err error) {
			if gvk.Kind == "Broken" {
				return false, false, errors.New("the cluster does not answer")
			}
			return gvk.Kind != "Namespace", gvk.Group == "", nil
		},
	}
}

func newRepositories(files map[string]string) *repositories {
	all := &repositories{trees: map[string]fstest.MapFS{}}
	for name, content := range files {
		repo, file, _ := strings.Cut(name, ":")
		if all.trees[repo] == nil {
			all.trees[repo] = fstest.MapFS{}
		}
		all.trees[repo][file] = &fstest.MapFile{Data: []byte(content), Mode: 0o644}
	}
	return all
}

func build(t *testing.T, renderer render.Dispatcher, all *repositories, req target.Request) (*target.State, error) {
	t.Helper()
	rendering := &target.Repositories{Fetcher: all, Renderer: renderer}
	revisions, err := target.Resolve(t.Context(), rendering, req)
	if err != nil {
		return nil, err
	}
	return target.Build(t.Context(), rendering, req, revisions)
}

var plain = render.Dispatcher{argov1.SourceTypeDirectory: directory.New(directory.Options{})}

func texts(state *target.State) (list []string) {
	for _, o := range state.Objects {
		data, _ := o.Target.Object["data"].(map[string]any)
		list = append(list, fmt.Sprintf("%s=%v", o.Key, data["text"]))
	}
	return list
}

func TestBuild(t *testing.T) {
	files := map[string]string{
		"one:a/1.yaml": object("a", "one"), "one:a/2.yaml": object("b", "one"), "one:twice/1.yaml": object("a", "first"), "one:twice/2.yaml": object("a", "second"),
		"two:a/1.yaml": object("a", "two"), "two:a/2.yaml": object("c", "two"),
		"one:kinds/1.yaml":    "apiVersion: v1\nkind: Namespace\nmetadata: {name: space, namespace: x}\n---\napiVersion: example.com/v1\nkind: Thing\nmetadata: {name: t}\n",
		"one:excluded/1.yaml": "apiVersion: v1\nkind: Excluded\nmetadata: {name: e}\n", "one:names/1.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {generateName: x-}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {generateName: x-}\n",
	}
	src := func(repo, path string) argov1.ApplicationSource {
		return argov1.ApplicationSource{RepoURL: repo, Path: path, TargetRevision: "main"}
	}
	for _, tc := range []struct {
		reason     string
		req        target.Request
		want       []string
		conditions []string
		revisions  []string
		types      []argov1.ApplicationSourceType
	}{
		{
			"a source",
			target.Request{Sources: argov1.ApplicationSources{src("one", "a")}},
			[]string{"/ConfigMap/dest/a=one", "/ConfigMap/dest/b=one"},
			nil,
			[]string{"main-resolved"},
			[]argov1.ApplicationSourceType{"Directory"},
		},
		{
			"of several sources the last wins, in the place of the first",
			target.Request{Multiple: true, Sources: argov1.ApplicationSources{src("one", "a"), {RepoURL: "two", Ref: "x", TargetRevision: "v1", TagPrefix: "web/"}, src("two", "a")}},
			[]string{"/ConfigMap/dest/a=two", "/ConfigMap/dest/b=one", "/ConfigMap/dest/c=two"},
			[]string{"RepeatedResourceWarning: Resource /ConfigMap/dest/a appeared 2 times among application resources."},
			[]string{"main-resolved", "web/v1-resolved", "main-resolved"},
			[]argov1.ApplicationSourceType{"Directory", "", "Directory"},
		},
		{
			"twice within a source",
			target.Request{Sources: argov1.ApplicationSources{src("one", "twice")}},
			[]string{"/ConfigMap/dest/a=second"},
			[]string{"RepeatedResourceWarning: Resource /ConfigMap/dest/a appeared 2 times among application resources."},
			[]string{"main-resolved"},
			[]argov1.ApplicationSourceType{"Directory"},
		},
		{
			"revisions of an operation",
			target.Request{Multiple: true, Sources: argov1.ApplicationSources{src("one", "a"), src("two", "a")}, Revisions: []string{"", "v2"}},
			[]string{"/ConfigMap/dest/a=two", "/ConfigMap/dest/b=one", "/ConfigMap/dest/c=two"},
			[]string{"RepeatedResourceWarning: Resource /ConfigMap/dest/a appeared 2 times among application resources."},
			[]string{"main-resolved", "v2-resolved"},
			[]argov1.ApplicationSourceType{"Directory", "Directory"},
		},
		{
			"namespaces by kind",
			target.Request{Sources: argov1.ApplicationSources{src("one", "kinds")}},
			[]string{"/Namespace//space=<nil>", "example.com/Thing/dest/t=<nil>"},
			nil,
			[]string{"main-resolved"},
			[]argov1.ApplicationSourceType{"Directory"},
		},
		{
			"what is excluded",
			target.Request{Sources: argov1.ApplicationSources{src("one", "excluded")}},
			nil,
			[]string{"ExcludedResourceWarning: Resource /Excluded e is excluded in the settings"},
			[]string{"main-resolved"},
			[]argov1.ApplicationSourceType{"Directory"},
		},
		{
			"objects without names are not the same",
			target.Request{Sources: argov1.ApplicationSources{src("one", "names")}},
			[]string{"/ConfigMap/dest/=<nil>", "/ConfigMap/dest/=<nil>"},
			nil,
			[]string{"main-resolved"},
			[]argov1.ApplicationSourceType{"Directory"},
		},
		{
			"manifests in place of sources",
			target.Request{Sources: argov1.ApplicationSources{src("nowhere", "a")}, Manifests: []string{`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"m"},"data":{"text":"given"}}`}},
			[]string{"/ConfigMap/dest/m=given"},
			nil,
			[]string{"main"},
			[]argov1.ApplicationSourceType{""},
		},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			tc.req.Scope = scope()
			state, err := build(t, plain, newRepositories(files), tc.req)
			if err != nil {
				t.Fatal(err)
			}
			var conditions []string
			for _, c := range state.Conditions {
				conditions = append(conditions, string(c.Type)+": "+c.Message)
			}
			for _, diff := range []string{cmp.Diff(tc.want, texts(state)), cmp.Diff(tc.conditions, conditions), cmp.Diff(tc.revisions, state.Revisions), cmp.Diff(tc.types, state.Types)} {
				if diff != "" {
					t.Errorf("(-want +got)\n%s", diff)
				}
			}
			for _, o := range state.Objects {
				if !strings.HasPrefix(o.Target.GetAnnotations()["argocd.argoproj.io/tracking-id"], "team_app:") || o.Hash == "" {
					t.Errorf("%s is not marked: %v", o.Key, o.Target.GetAnnotations())
				}
			}
		})
	}
}

func TestErrors(t *testing.T) {
	files := map[string]string{
		"one:a/1.yaml": object("a", "one"), "one:json/a.json": "{}{}", "one:broken/a.yaml": "apiVersion: v1\nkind: Broken\nmetadata: {name: a}",
	}
	src := func(repo, path string) argov1.ApplicationSource {
		return argov1.ApplicationSource{RepoURL: repo, Path: path}
	}
	for _, tc := range []struct {
		reason string
		req    target.Request
		want   string
	}{
		{
			"a manifest, as recorded",
			target.Request{Sources: argov1.ApplicationSources{src("one", "json")}},
			`failed to generate manifest for source 1 of 1: rpc error: code = FailedPrecondition desc = Found multiple objects in "a.json". Only single objects are allowed in JSON files.`,
		},
		{
			"a path, as recorded",
			target.Request{Sources: argov1.ApplicationSources{src("one", "a"), src("one", "absent")}},
			"failed to generate manifest for source 2 of 2: rpc error: code = Unknown desc = absent: app path does not exist",
		},
		{
			"a revision",
			target.Request{Sources: argov1.ApplicationSources{src("one", "a"), {RepoURL: "one", Path: "a", TargetRevision: "absent"}}},
			"failed to generate manifest for source 2 of 2: rpc error: code = Unknown desc = unable to resolve 'absent' to a commit SHA: revision not found",
		},
		{"a repository", target.Request{Sources: argov1.ApplicationSources{src("nowhere", "a")}}, "failed to generate manifest for source 1 of 1: rpc error: code = Unknown desc = repository nowhere: not found"},
		{"a cluster", target.Request{Sources: argov1.ApplicationSources{src("one", "broken")}}, "looking up kind Broken: the cluster does not answer"},
		{"a manifest of an operation", target.Request{Sources: argov1.ApplicationSources{src("one", "a")}, Manifests: []string{"{"}}, "operation.sync.manifests[0] is no object: unexpected end of JSON input"},
	} {
		tc.req.Scope = scope()
		state, err := build(t, plain, newRepositories(files), tc.req)
		if err == nil || err.Error() != tc.want || state != nil {
			t.Errorf("%s: %v, %v", tc.reason, state, err)
		}
	}
	_, err := build(t, plain, newRepositories(files), target.Request{Sources: argov1.ApplicationSources{src("one", "json")}, Scope: scope()})
	if _, ok := errors.AsType[*manifest.Error](err); !ok {
		t.Errorf("the cause is lost: %v", err)
	}
}

// capture is a renderer that keeps what it is asked for.
type capture struct{ request *render.Request }

func (c capture) Render(_ context.Context, req render.Request) ([]*unstructured.Unstructured, error) {
	*c.request = req
	return nil, nil
}

func TestWhatARendererIsTold(t *testing.T) {
	all := newRepositories(map[string]string{"charts:app/Chart.yaml": "", "values:envs/prod.yaml": "a: b"})
	var got render.Request
	variables := []string{
		"$ARGOCD_APP_NAME", "$ARGOCD_APP_NAMESPACE", "${ARGOCD_APP_PROJECT_NAME}", "$ARGOCD_APP_REVISION_SHORT", "$ARGOCD_APP_SOURCE_REPO_URL",
		"$ARGOCD_APP_SOURCE_PATH", "$ARGOCD_APP_SOURCE_TARGET_REVISION",
	}
	req := target.Request{
		Multiple: true, Project: "proj", Scope: scope(), Rendering: render.Settings{WithoutJsonnet: true},
		Cluster: func(context.Context) (render.Cluster, error) { return render.Cluster{KubeVersion: "1.37.2"}, nil },
		Sources: argov1.ApplicationSources{
			{RepoURL: "charts", Path: "app", TargetRevision: "main", Helm: &argov1.ApplicationSourceHelm{
				ValueFiles: []string{"$vals/envs/prod.yaml"}, Parameters: []argov1.HelmParameter{{Name: "all", Value: strings.Join(variables, " ")}},
			}},
			{RepoURL: "values", Ref: "vals", TargetRevision: "v1"},
			{RepoURL: "nowhere", Ref: "gone"},
			{RepoURL: "https://example.com", Chart: "redis", Ref: "redis"},
		},
	}
	rendering := &target.Repositories{Fetcher: all, Renderer: render.Dispatcher{argov1.SourceTypeHelm: capture{&got}}}
	if _, _, err := rendering.Render(t.Context(), req, 0, []string{"0123456789", "v1-resolved", "x", "y"}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"charts@0123456789"}, all.fetched); diff != "" {
		t.Errorf("what was fetched before a file of it is wanted (-want +got)\n%s", diff)
	}
	if diff := cmp.Diff(render.Instance{Name: "team_app", Namespace: "dest", Project: "proj"}, got.Instance); diff != "" {
		t.Error(diff)
	}
	for name, want := range map[string]string{
		"ARGOCD_APP_NAME": "team_app", "ARGOCD_APP_NAMESPACE": "dest", "ARGOCD_APP_PROJECT_NAME": "proj", "ARGOCD_APP_REVISION_SHORT": "0123456",
		"ARGOCD_APP_SOURCE_REPO_URL": "charts", "ARGOCD_APP_SOURCE_PATH": "app", "ARGOCD_APP_SOURCE_TARGET_REVISION": "main",
	} {
		if got.Environment[name] != want {
			t.Errorf("%s is %q, want %q", name, got.Environment[name], want)
		}
	}
	if cluster, err := got.Cluster(t.Context()); err != nil || cluster.KubeVersion != "1.37.2" || !got.Settings.WithoutJsonnet {
		t.Errorf("%v, %v, %v", cluster, err, got.Settings)
	}
	if got.References["redis"].Chart != "redis" {
		t.Error("a chart that others refer to is not known as one")
	}
	vals := got.References["vals"].Tree
	if data, err := fs.ReadFile(vals, "envs/prod.yaml"); err != nil || string(data) != "a: b" {
		t.Errorf("%q, %v", data, err)
	}
	if entries, err := fs.ReadDir(vals, "envs"); err != nil || len(entries) != 1 {
		t.Errorf("%v, %v", entries, err)
	}
	if info, err := fs.Stat(vals, "envs"); err != nil || !info.IsDir() {
		t.Errorf("%v, %v", info, err)
	}
	if file, err := vals.Open("envs/prod.yaml"); err != nil || file.Close() != nil {
		t.Error(err)
	}
	if diff := cmp.Diff([]string{"charts@0123456789", "values@v1-resolved"}, all.fetched); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	gone := got.References["gone"].Tree
	_, openErr := gone.Open("x")
	_, listErr := fs.ReadDir(gone, "x")
	_, readErr := fs.ReadFile(gone, "x")
	_, statErr := fs.Stat(gone, "x")
	for _, err := range []error{openErr, listErr, readErr, statErr} {
		if _, ok := errors.AsType[*source.Error](err); !ok {
			t.Errorf("a source that cannot be fetched: %v", err)
		}
	}

	req.Multiple = false
	if _, _, err := rendering.Render(t.Context(), req, 0, []string{"x", "x", "x", "x"}); err != nil || got.References != nil {
		t.Errorf("a single source has no others: %v, %v", got.References, err)
	}
}

func TestRelocate(t *testing.T) {
	all := newRepositories(map[string]string{"one:a/1.yaml": "apiVersion: example.com/v1\nkind: Thing\nmetadata: {name: t}\n"})
	req := target.Request{Sources: argov1.ApplicationSources{{RepoURL: "one", Path: "a"}}, Scope: scope()}
	state, err := build(t, plain, all, req)
	if err != nil || !state.HasUnknownKinds() {
		t.Fatalf("%v, %v", state, err)
	}
	now := scope()
	now.Namespaced = func(schema.GroupVersionKind) (namespaced, known bool, err error) { return false, true, nil }
	moved, err := state.Relocate(now)
	if err != nil || moved.HasUnknownKinds() || moved.Objects[0].Key.Namespace != "" {
		t.Errorf("%v, %v", moved, err)
	}
	if len(all.fetched) != 1 {
		t.Error("it was rendered again")
	}
	now.Namespaced = func(schema.GroupVersionKind) (namespaced, known bool, err error) {
		return false, false, errors.New("the cluster does not answer")
	}
	if moved, err := state.Relocate(now); err == nil {
		t.Errorf("%v", moved)
	}
}
