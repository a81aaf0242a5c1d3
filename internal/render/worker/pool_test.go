package worker_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/render"
	"github.com/tiphys-io/tiphys/internal/render/helm"
	"github.com/tiphys-io/tiphys/internal/render/manifest"
	"github.com/tiphys-io/tiphys/internal/render/worker"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == worker.CommandName {
		if err := worker.Main(context.Background(), worker.Renderers{
			Sources: render.Dispatcher{argov1.SourceTypeHelm: helm.New(helm.Options{}), argov1.SourceTypePlugin: strange{}}, Files: file{},
		}, os.Args[2]); err != nil {
			_, _ = fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// jobs counts those that a worker process was given for "worn out".
var jobs int

// strange is a renderer that does what the source's path says.
type strange struct{}

func (strange) Render(_ context.Context, req render.Request) ([]*unstructured.Unstructured, error) {
	switch req.Source.Path {
	case "panics":
		panic("no reason")
	case "worn out":
		if jobs++; jobs > 1 {
			_, _ = fmt.Fprintln(os.Stderr, "fatal error: runtime: out of memory")
			os.Exit(2)
		}
	case "prints":
		fmt.Println("something") //nolint:forbidigo // what a library may do
	case "exits":
		os.Exit(0)
	case "environment":
		return nil, errors.New(strings.Join(os.Environ(), " "))
	case "asks":
		_, err := fs.ReadFile(req.Tree, "../../etc/passwd")
		return nil, err
	case "large":
		return []*unstructured.Unstructured{{Object: map[string]any{"x": strings.Repeat("x", 2<<20)}}}, nil
	}
	return nil, nil
}

// file is a renderer of files that shows them.
type file struct{}

func (file) RenderFile(_ context.Context, req render.Request, name string, left int64) ([]*unstructured.Unstructured, int64, error) {
	data, err := fs.ReadFile(req.Tree, name)
	if err == nil && int64(len(data)) > left {
		err = &manifest.Error{File: name, Line: 3, Problem: "too large"}
	}
	return []*unstructured.Unstructured{{Object: map[string]any{"text": string(data), "int": int64(1) << 60, "float": 0.5}}}, int64(len(data)), err
}

func newPool(t testing.TB, options worker.Options) *worker.Pool {
	t.Helper()
	pool, err := worker.New(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

func chart(template string) fstest.MapFS {
	return fstest.MapFS{
		"app/Chart.yaml":        {Data: []byte("apiVersion: v2\nname: chart\nversion: 1.2.3\n")},
		"app/values.yaml":       {Data: []byte("a: b\n")},
		"app/templates/x.yaml":  {Data: []byte(template)},
		"app/templates/deep/y":  {Data: []byte("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: yy}\n")},
		"app/templates/link":    {Data: []byte("../../shared/z"), Mode: fs.ModeSymlink | 0o777},
		"shared/z":              {Data: []byte("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: z}\n")},
		"app/templates/_x.tpl":  {Data: []byte(`{{ define "again" }}{{ if lt . 100 }}{{ include "again" (add 1 . | int) }}{{ include "again" (add 1 . | int) }}{{ end }}{{ end }}{{ define "deeper" }}{{ template "deeper" . }}{{ end }}`)},
		"app/templates/NOTES":   {Data: []byte("# none")},
		"app/templates/env.txt": {Data: []byte("# {{ .Release.Name }}")},
	}
}

const configMap = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata: {whole: 1, part: 1.5, text: \"1\", kube: {{ .Capabilities.KubeVersion }}, v: {{ .Values.a }}, ref: {{ .Values.r }}}\n"

func request(tree fs.FS) render.Request {
	source := argov1.ApplicationSource{Path: "app", Helm: &argov1.ApplicationSourceHelm{ValueFiles: []string{"$vals/v.yaml"}}}
	instance := render.Instance{Name: "app", Namespace: "ns", Project: "default"}
	return render.Request{
		Source: source, Tree: tree, Instance: instance, Environment: render.NewEnvironment(instance, source, ""),
		References: map[string]render.Reference{"vals": {Tree: fstest.MapFS{"v.yaml": {Data: []byte("r: referred")}}}, "other": {Tree: fstest.MapFS{}}},
		Cluster:    func(context.Context) (render.Cluster, error) { return render.Cluster{KubeVersion: "1.37.2"}, nil },
	}
}

// TestPoolRendersTheSame holds the pool against the renderer in process.
func TestPoolRendersTheSame(t *testing.T) {
	pool := newPool(t, worker.Options{})
	for range 3 {
		got, err := pool.Renderer(argov1.SourceTypeHelm).Render(t.Context(), request(chart(configMap)))
		if err != nil {
			t.Fatal(err)
		}
		want, err := helm.New(helm.Options{}).Render(t.Context(), request(chart(configMap)))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" || len(got) != 3 {
			t.Errorf("%d objects (-in process +pool)\n%s", len(got), diff)
		}
	}
}

func TestPoolRendersFiles(t *testing.T) {
	pool := newPool(t, worker.Options{})
	req := request(fstest.MapFS{"f": {Data: []byte("content")}})
	objects, size, err := pool.RenderFile(t.Context(), req, "f", 10)
	if err != nil || size != 7 {
		t.Fatalf("size %d, %v", size, err)
	}
	if diff := cmp.Diff(map[string]any{"text": "content", "int": int64(1) << 60, "float": 0.5}, objects[0].Object); diff != "" {
		t.Error(diff)
	}
	_, _, err = pool.RenderFile(t.Context(), req, "f", 3)
	if found, ok := errors.AsType[*manifest.Error](err); !ok || found.File != "f" || found.Line != 3 || err.Error() != "f: line 3: too large" {
		t.Errorf("an error of a manifest: %v", err)
	}
	if _, _, err = pool.RenderFile(t.Context(), req, "absent", 3); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
}

var errBroken = errors.New("the repository is broken")

// broken is a tree of which one file cannot be read.
type broken struct {
	fstest.MapFS
	name string
}

func (b broken) ReadFile(name string) ([]byte, error) {
	if name == b.name {
		return nil, fmt.Errorf("%s: %w", name, errBroken)
	}
	return b.MapFS.ReadFile(name)
}

func TestErrorsOfTheOperatorComeBack(t *testing.T) {
	pool := newPool(t, worker.Options{})
	helmRenderer := pool.Renderer(argov1.SourceTypeHelm)
	if _, err := helmRenderer.Render(t.Context(), request(broken{chart(configMap), "app/values.yaml"})); !errors.Is(err, errBroken) || !strings.Contains(err.Error(), "app/values.yaml") {
		t.Errorf("a tree: %v", err)
	}
	req := request(chart(configMap))
	req.Cluster = func(context.Context) (render.Cluster, error) { return render.Cluster{}, errBroken }
	if _, err := helmRenderer.Render(t.Context(), req); !errors.Is(err, errBroken) {
		t.Errorf("a cluster: %v", err)
	}
	_, want := helm.New(helm.Options{}).Render(t.Context(), request(chart("{{ fail }}")))
	if _, err := helmRenderer.Render(t.Context(), request(chart("{{ fail }}"))); err == nil || err.Error() != want.Error() {
		t.Errorf("%v, in process it is %v", err, want)
	}
}

// hashed is a tree whose folders have an identity, and which counts what is read of it.
type hashed struct {
	fstest.MapFS
	id   string
	read *int
}

func (h hashed) Hash(string) (string, error) { return h.id, nil }

func (h hashed) ReadFile(name string) ([]byte, error) {
	*h.read++
	return h.MapFS.ReadFile(name)
}

func TestAChartIsSentOnce(t *testing.T) {
	pool := newPool(t, worker.Options{Processes: 1})
	read := 0
	show := func(id, template string) string {
		t.Helper()
		objects, err := pool.Renderer(argov1.SourceTypeHelm).Render(t.Context(), request(hashed{chart(template), id, &read}))
		if err != nil {
			t.Fatal(err)
		}
		for _, object := range objects {
			if object.Object["data"] != nil {
				return object.GetName()
			}
		}
		return ""
	}
	named := func(name string) string { return strings.Replace(configMap, "name: x", "name: "+name, 1) }
	show("1", named("a"))
	first := read
	if got := show("1", named("a")); got != "a" || read != first+1 { // the link is read again
		t.Errorf("%s, %d files read at first and %d then", got, first, read-first)
	}
	if got := show("2", named("b")); got != "b" {
		t.Errorf("another commit renders as %s", got)
	}
	if got := show("1", named("a")); got != "a" {
		t.Errorf("the first again renders as %s", got)
	}
	for i := range 40 { // more than is kept
		tree := chart(named("x"))
		tree["app/large"] = &fstest.MapFile{Data: make([]byte, 1<<20)}
		if _, err := pool.Renderer(argov1.SourceTypeHelm).Render(t.Context(), request(hashed{tree, fmt.Sprint("large ", i), &read})); err != nil {
			t.Fatal(err)
		}
	}
	before := read
	if got := show("1", named("a")); got != "a" || read == before+1 {
		t.Errorf("%s: what is kept has no bound", got)
	}
}

// elsewhere has one file and no chart.
type elsewhere struct{}

func (elsewhere) Chart(_ context.Context, r render.ChartReference) ([]byte, error) {
	return nil, fmt.Errorf("%s %s %s %v: %w", r.Repository, r.Name, r.Version, r.PassCredentials, errBroken)
}

func (elsewhere) File(_ context.Context, url string, _ render.RemoteOptions) ([]byte, error) {
	return []byte("r: " + strings.TrimPrefix(url, "s3://")), nil
}

func TestTheOperatorFetches(t *testing.T) {
	pool := newPool(t, worker.Options{})
	req := request(chart(configMap))
	req.Remote, req.Settings.ValueFileSchemes = elsewhere{}, []string{"s3"}
	req.Source.Helm.ValueFiles = []string{"s3://fetched"}
	objects, err := pool.Renderer(argov1.SourceTypeHelm).Render(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	found := ""
	for _, object := range objects {
		if ref, ok, _ := unstructured.NestedString(object.Object, "data", "ref"); ok {
			found = ref
		}
	}
	if found != "fetched" {
		t.Errorf("the values of a URL: %q", found)
	}
	tree := chart(configMap)
	tree["app/Chart.yaml"].Data = append(tree["app/Chart.yaml"].Data, "dependencies: [{name: redis, version: 1.x, repository: oci://r}]"...)
	req.Tree, req.Source.Helm.PassCredentials = tree, true
	if _, err := pool.Renderer(argov1.SourceTypeHelm).Render(t.Context(), req); !errors.Is(err, errBroken) || !strings.Contains(err.Error(), "oci://r redis 1.x true") {
		t.Errorf("a chart: %v", err)
	}
}

// TestTemplatesThatNeverEnd also checks that the pool goes on afterwards.
func TestTemplatesThatNeverEnd(t *testing.T) {
	pool := newPool(t, worker.Options{Timeout: time.Second, Processes: 1})
	for _, template := range []string{
		`{{ range 1000000000000 }}{{ end }}`,
		`{{ include "again" 1 }}`,
		`{{ $x := 1 }}{{ range until 100000 }}{{ range until 100000 }}{{ end }}{{ end }}`,
		`{{ genSelfSignedCert "a" nil nil 365 }}{{ range 1000000000 }}{{ genPrivateKey "rsa" }}{{ end }}`,
		`{{ derivePassword 1 "long" "a" "b" "c" }}{{ range 10000000 }}{{ derivePassword 1 "long" "a" "b" "c" }}{{ end }}`,
		`{{ regexReplaceAll "(x+x+)+y" (repeat 100000 "x") "" }}{{ range 10000000000 }}{{ end }}`,
	} {
		begin := time.Now()
		_, err := pool.Renderer(argov1.SourceTypeHelm).Render(t.Context(), request(chart(template)))
		if err == nil || !strings.Contains(err.Error(), "app: it is not rendered within 1s") {
			t.Errorf("%s: %v", template, err)
		}
		if took := time.Since(begin); took > 30*time.Second {
			t.Errorf("%s: ended after %s", template, took)
		}
	}
	if _, err := pool.Renderer(argov1.SourceTypeHelm).Render(t.Context(), request(chart(configMap))); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// TestTemplatesThatEatMemory runs where the kernel keeps the limit; elsewhere the deadline has to do.
func TestTemplatesThatEatMemory(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Log("no limit of memory on this system")
		return
	}
	const limit = 128 << 20
	// As the program is built: the race detector, and threads of C, take more than the limit for themselves.
	program := filepath.Join(t.TempDir(), "worker")
	build := exec.CommandContext(t.Context(), "go", "test", "-c", "-o", program, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building the worker: %v\n%s", err, output)
	}
	pool := newPool(t, worker.Options{Timeout: 60 * time.Second, Processes: 1, MemoryBytes: limit, Command: []string{program, worker.CommandName}})
	for template, want := range map[string]string{
		`{{ repeat 2000000000 "x" }}`: "needs more than 128 MiB of memory",
		`{{ $x := "xxxxxxxx" }}{{ range 100 }}{{ $x = printf "%s%s" $x $x }}{{ end }}{{ $x }}`: "needs more than 128 MiB of memory",
		`{{ $l := list 1 }}{{ range 100 }}{{ $l = concat $l $l }}{{ end }}{{ toYaml $l }}`:     "needs more than 128 MiB of memory",
		`{{ until 1000000000 | len }}`: "needs more than 128 MiB of memory",
		`{{ range 1000000000 }}xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx{{ end }}`: "needs more than 128 MiB of memory",
		`{{ template "deeper" . }}`: "app",
	} {
		_, err := pool.Renderer(argov1.SourceTypeHelm).Render(t.Context(), request(chart(template)))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", template, err)
		}
	}
	if _, err := pool.Renderer(argov1.SourceTypeHelm).Render(t.Context(), request(chart(configMap))); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// A source is not refused for what others have left in the process.
func TestWornOutProcessIsReplaced(t *testing.T) {
	pool := newPool(t, worker.Options{Processes: 1})
	for i := range 3 {
		req := render.Request{Source: argov1.ApplicationSource{Path: "worn out"}, Tree: fstest.MapFS{}}
		if _, err := pool.Renderer(argov1.SourceTypePlugin).Render(t.Context(), req); err != nil {
			t.Errorf("job %d: %v", i, err)
		}
	}
}

func TestStrangeRenderers(t *testing.T) {
	t.Setenv("PASSWORD", "hunter2")
	pool := newPool(t, worker.Options{Processes: 1, MaxResultBytes: 1 << 20})
	for _, tc := range []struct{ path, want string }{
		{"panics", "fails on it and does not say why"},
		{"prints", ""},
		{"exits", "exits: the process that renders it ended"},
		{"environment", "GOMAXPROCS"},
		{"asks", "invalid argument"},
		{"large", "its result may be too large"},
		{"nothing", ""},
	} {
		_, err := pool.Renderer(argov1.SourceTypePlugin).Render(t.Context(), render.Request{Source: argov1.ApplicationSource{Path: tc.path}, Tree: fstest.MapFS{}})
		if (err == nil) != (tc.want == "") || (err != nil && !strings.Contains(err.Error(), tc.want)) {
			t.Errorf("%s: %v", tc.path, err)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the environment came along: %v", err)
		}
	}
	if _, err := pool.Renderer(argov1.SourceTypeKustomize).Render(t.Context(), request(fstest.MapFS{})); err == nil {
		t.Error("a type that no process renders")
	}
}

func TestPoolEndsWithItsContext(t *testing.T) {
	pool := newPool(t, worker.Options{Processes: 1})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		_, err := pool.Renderer(argov1.SourceTypeHelm).Render(ctx, request(chart(`{{ range 1000000000000 }}{{ end }}`)))
		done <- err
	}()
	waiting, stop := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer stop()
	if _, err := pool.Renderer(argov1.SourceTypeHelm).Render(waiting, request(chart(configMap))); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("while another one is rendered: %v", err)
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func TestPoolStartsOnlyWhatItNeeds(t *testing.T) {
	pool := newPool(t, worker.Options{Processes: 2, Idle: 50 * time.Millisecond})
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if _, err := pool.Renderer(argov1.SourceTypeHelm).Render(t.Context(), request(chart(configMap))); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := pool.Waiting(); n > 2 {
		t.Errorf("%d processes", n)
	}
	for begin := time.Now(); pool.Waiting() > 0; {
		if time.Since(begin) > 30*time.Second {
			t.Fatal("idle processes are kept")
		}
		runtime.Gosched()
	}
	pool.Close()
	if _, err := pool.Renderer(argov1.SourceTypeHelm).Render(t.Context(), request(chart(configMap))); err == nil {
		t.Error("a closed pool renders")
	}
}

func TestNoBinary(t *testing.T) {
	pool := newPool(t, worker.Options{Command: []string{"/nowhere/tiphys"}})
	if _, err := pool.Renderer(argov1.SourceTypeHelm).Render(t.Context(), request(chart(configMap))); err == nil || !strings.Contains(err.Error(), "starting a worker process") {
		t.Error(err)
	}
}

func BenchmarkPool(b *testing.B) {
	pool := newPool(b, worker.Options{})
	large := chart(configMap)
	for i := range 50 {
		large[fmt.Sprintf("app/templates/t%d.yaml", i)] = &fstest.MapFile{Data: bytes.ReplaceAll([]byte(configMap), []byte("name: x"), fmt.Appendf(nil, "name: x%d", i))}
	}
	read := 0
	for name, tree := range map[string]fs.FS{"small": chart(configMap), "50 templates": large, "small, kept": hashed{chart(configMap), "s", &read}, "50 templates, kept": hashed{large, "l", &read}} {
		for kind, renderer := range map[string]render.Renderer{"pool": pool.Renderer(argov1.SourceTypeHelm), "in process": helm.New(helm.Options{})} {
			b.Run(name+"/"+kind, func(b *testing.B) {
				for b.Loop() {
					if _, err := renderer.Render(b.Context(), request(tree)); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
	b.Run("start", func(b *testing.B) {
		for b.Loop() {
			fresh := newPool(b, worker.Options{})
			if _, err := fresh.Renderer(argov1.SourceTypeHelm).Render(b.Context(), request(chart(configMap))); err != nil {
				b.Fatal(err)
			}
			fresh.Close()
		}
	})
}
