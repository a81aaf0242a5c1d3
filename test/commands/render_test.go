package commands

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tiphys-io/tiphys/internal/render/manifest"
)

// TestTiphysRender runs the program that users run: it starts itself again for a chart, ends with the code that it promises, and
// leaves nothing behind.
func TestTiphysRender(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "tiphys")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, root+"/cmd").CombinedOutput(); err != nil {
		t.Fatalf("building it: %v\n%s", err, out)
	}
	corpus, err := filepath.Abs("testdata")
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		reason, path, says string
		some               bool
		code               int
	}{
		{"a chart", "charts/web", "", true, 0},
		{"a path that is not there", "none", "ComparisonError: Failed to load target state: failed to generate manifest for source 1 of 1: rpc error: code = Unknown desc = none: app path does not exist", false, 2},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			dir, temporary := t.TempDir(), t.TempDir()
			app := "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: app}\nspec:\n  destination: {name: in-cluster, namespace: ns}\n" +
				"  source: {repoURL: 'https://git.example/x', path: " + tc.path + "}\n"
			if err := os.WriteFile(filepath.Join(dir, "app.yaml"), []byte(app), 0o600); err != nil {
				t.Fatal(err)
			}
			command := exec.CommandContext(t.Context(), binary, "render", "app.yaml", "--local", corpus)
			command.Dir, command.Env = dir, []string{"TMPDIR=" + temporary}
			var stderr strings.Builder
			command.Stderr = &stderr
			out, err := command.Output()
			code := 0
			if exit, failed := errors.AsType[*exec.ExitError](err); failed {
				code = exit.ExitCode()
			} else if err != nil {
				t.Fatal(err)
			}
			objects, _, err := manifest.Parse("printed.yaml", out, 1<<20)
			if err != nil || code != tc.code || !strings.Contains(stderr.String(), tc.says) || (len(objects) > 0) != tc.some {
				t.Errorf("ends with %d, prints %q and %q (%v)", code, out, stderr.String(), err)
			}
			for _, object := range objects {
				if id := object.GetAnnotations()["argocd.argoproj.io/tracking-id"]; !strings.HasPrefix(id, "app:") && object.GetKind() != "CustomResourceDefinition" {
					t.Errorf("%s is marked %q", object.GetName(), id)
				}
			}
			if left, err := os.ReadDir(temporary); err != nil || len(left) > 0 {
				t.Errorf("it leaves %v, %v", left, err)
			}
		})
	}
}
