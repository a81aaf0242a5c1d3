// Package conformance finds the recorded behaviour that the tests of this repository are held against.
package conformance

import (
	"os"
	"path/filepath"
	"testing"

	"sigs.k8s.io/yaml"
)

// Variable names the environment variable with the folder of the conformance data. Without it the data is expected in
// ../shared/conformance, seen from the root of the repository.
const Variable = "TIPHYS_CONFORMANCE"

// Path is the path of a file or folder of the conformance data. The test fails when it does not exist: a test that
// skips itself for want of data proves nothing.
func Path(t testing.TB, elem ...string) string {
	t.Helper()
	root := os.Getenv(Variable)
	if root == "" {
		root = filepath.Join(repositoryRoot(t), "..", "shared", "conformance")
	}
	path := filepath.Join(append([]string{root}, elem...)...)
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("conformance data not found: %v; set %s to the folder that holds it", err, Variable)
	}
	return path
}

// Load reads a YAML or JSON file of the conformance data into a value.
func Load(t testing.TB, into any, elem ...string) {
	t.Helper()
	path := Path(t, elem...)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("read conformance data: %v", err)
	}
	if err := yaml.Unmarshal(data, into); err != nil {
		t.Fatalf("parse conformance data %s: %v", path, err)
	}
}

func repositoryRoot(t testing.TB) string {
	t.Helper()
	folder, err := os.Getwd()
	if err != nil {
		t.Fatalf("find the repository root: %v", err)
	}
	for {
		if _, err := os.Stat(filepath.Join(folder, "go.mod")); err == nil {
			return folder
		}
		parent := filepath.Dir(folder)
		if parent == folder {
			t.Fatalf("find the repository root: no go.mod above the folder of the test")
		}
		folder = parent
	}
}
