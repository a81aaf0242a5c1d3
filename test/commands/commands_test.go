// Package commands holds what is rendered against the helm and kustomize commands, which hack/tools pins.
package commands

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/render"
	"github.com/tiphys-io/tiphys/internal/render/helm"
	"github.com/tiphys-io/tiphys/internal/render/kustomize"
	"github.com/tiphys-io/tiphys/internal/render/manifest"
	"github.com/tiphys-io/tiphys/internal/target"
	"github.com/tiphys-io/tiphys/test/conformance"
)

const root = "../.."

var helmPath, kustomizePath string

func TestMain(m *testing.M) {
	if asked, err := target.Work(context.Background(), os.Args); asked { // a worker process of BenchmarkRender
		if err != nil {
			_, _ = fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Minute)
	defer cancel()
	for name, found := range map[string]*string{"helm": &helmPath, "kustomize": &kustomizePath} {
		built, err := filepath.Abs(filepath.Join(root, "bin", "tools", name))
		if err == nil {
			command := exec.CommandContext(ctx, "make", "-C", root, "bin/tools/"+name)
			command.Stdout, command.Stderr = os.Stderr, os.Stderr
			err = command.Run()
		}
		if err != nil {
			_, _ = fmt.Fprintf(os.Stderr, "building %s: %v\n", name, err)
			os.Exit(1)
		}
		*found = built
	}
	os.Exit(m.Run())
}

// corpus are trees with charts and overlays: ours, and those of the recorded cases.
func corpus(t testing.TB) map[string]string {
	t.Helper()
	trees := map[string]string{"corpus": "testdata"}
	for _, name := range []string{"e2e", "examples"} {
		trees[name] = conformance.Path(t, "applications", "sources", name)
	}
	return trees
}

// folders are those of a tree with one of the files.
func folders(t testing.TB, tree fs.FS, files ...string) (list []string) {
	t.Helper()
	err := fs.WalkDir(tree, ".", func(name string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && slices.Contains(files, path.Base(name)) && !strings.Contains(name, "/charts/") {
			list = append(list, path.Dir(name))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// run gives what a command prints, in a folder and without the environment of the user.
func run(t testing.TB, dir string, command ...string) ([]byte, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), command[0], command[1:]...)
	cmd.Dir = dir
	home := t.TempDir()
	cmd.Env = []string{"HOME=" + home, "HELM_CONFIG_HOME=" + home, "HELM_CACHE_HOME=" + home, "HELM_DATA_HOME=" + home, "PATH=" + filepath.Dir(helmPath)}
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("%w: %s", err, stderr.String())
	}
	return out, err
}

// lines are objects as JSON with sorted keys, sorted.
func lines(t testing.TB, objects []*unstructured.Unstructured) string {
	t.Helper()
	var list []string
	for _, object := range objects {
		data, err := json.Marshal(object.Object)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, string(data))
	}
	slices.Sort(list)
	return strings.Join(list, "\n")
}

// compare holds what we render against what a command printed.
func compare(t *testing.T, printed []byte, commandErr error, objects []*unstructured.Unstructured, err error) {
	t.Helper()
	if (err != nil) != (commandErr != nil) {
		t.Fatalf("error %v, of the command %v", err, commandErr)
	}
	if err != nil {
		return
	}
	want, _, err := manifest.Parse("printed.yaml", printed, 64<<20)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := lines(t, objects), lines(t, want); got != want {
		t.Errorf("we render\n%s\nthe command\n%s", got, want)
	}
}

func TestHelm(t *testing.T) {
	compared := 0
	for tree, dir := range corpus(t) {
		for _, folder := range folders(t, os.DirFS(dir), "Chart.yaml") {
			compared++
			t.Run(tree+"/"+folder, func(t *testing.T) {
				options := &argov1.ApplicationSourceHelm{KubeVersion: "1.33.4", APIVersions: []string{"example.com/v1"}}
				arguments := []string{helmPath, "template", "release", ".", "--namespace", "ns", "--kube-version", "1.33.4", "--api-versions", "example.com/v1", "--include-crds"}
				for _, values := range []string{"more.yaml", "other.yaml"} {
					if _, err := os.Stat(filepath.Join(dir, folder, values)); err == nil {
						options.ValueFiles = append(options.ValueFiles, values)
						arguments = append(arguments, "--values", values)
					}
				}
				printed, commandErr := run(t, filepath.Join(dir, folder), arguments...)
				objects, err := helm.New(helm.Options{}).Render(t.Context(), render.Request{
					Source: argov1.ApplicationSource{Path: folder, Helm: options}, Tree: os.DirFS(dir), Instance: render.Instance{Name: "release", Namespace: "ns"},
				})
				compare(t, printed, commandErr, objects, err)
			})
		}
	}
	if compared < 15 {
		t.Errorf("only %d charts were compared", compared)
	}
}

func TestKustomize(t *testing.T) {
	compared := 0
	for tree, dir := range corpus(t) {
		for _, folder := range folders(t, os.DirFS(dir), "kustomization.yaml", "kustomization.yml", "Kustomization") {
			compared++
			t.Run(tree+"/"+folder, func(t *testing.T) {
				printed, commandErr := run(t, filepath.Join(dir, folder), kustomizePath, "build", ".", "--enable-helm", "--helm-kube-version", "1.33.4")
				objects, err := kustomize.New(kustomize.Options{Helm: helm.New(helm.Options{})}).Render(t.Context(), render.Request{
					Source: argov1.ApplicationSource{Path: folder, Kustomize: &argov1.ApplicationSourceKustomize{KubeVersion: "1.33.4"}},
					Tree:   os.DirFS(dir), Instance: render.Instance{Name: "release", Namespace: "ns"},
					Settings: render.Settings{KustomizeBuildOptions: "--enable-helm"},
				})
				compare(t, printed, commandErr, objects, err)
			})
		}
	}
	if compared < 20 {
		t.Errorf("only %d kustomizations were compared", compared)
	}
}

// TestVersion holds the version that applications may choose against that of the command.
func TestVersion(t *testing.T) {
	printed, err := run(t, ".", kustomizePath, "version")
	if err != nil || strings.TrimSpace(string(printed)) != kustomize.Version {
		t.Errorf("the command is %q, %v; the library says %s", printed, err, kustomize.Version)
	}
}
