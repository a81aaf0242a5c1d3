package conformance_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/tiphys-io/tiphys/test/conformance"
)

// rule is one entry of testdata/appendix.yaml.
type rule struct {
	Rule     string   `json:"rule"`
	Says     string   `json:"says"`
	Tests    []string `json:"tests"`
	Recorded []string `json:"recorded"`
	Later    string   `json:"later"`
	Ours     string   `json:"ours"`
}

// root is the root of the repository.
var root = filepath.Join("..", "..")

// TestAppendices holds the table against the contract's numbers and the tests that it names against those that exist.
func TestAppendices(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("testdata", "appendix.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var rules []rule
	if err := yaml.UnmarshalStrict(data, &rules); err != nil {
		t.Fatal(err)
	}
	var want []string
	for appendix, last := range map[string]int{"A": 30, "B": 25} {
		for n := range last {
			want = append(want, appendix+strconv.Itoa(n+1))
		}
	}
	table := map[string]rule{}
	for _, r := range rules {
		if _, twice := table[r.Rule]; twice || r.Says == "" {
			t.Errorf("rule %s stands there twice, or says nothing", r.Rule)
		}
		table[r.Rule] = r
	}
	for _, number := range want {
		if r := table[number]; len(r.Tests)+len(r.Recorded) == 0 && r.Later == "" {
			t.Errorf("nothing shows rule %s, and no issue will", number)
		}
	}
	if len(table) != len(want) {
		t.Errorf("%d rules, want %d", len(table), len(want))
	}
	folders := folders{}
	for _, r := range rules {
		for _, name := range r.Tests {
			if err := folders.check(name); err != nil {
				t.Errorf("rule %s: %v", r.Rule, err)
			}
		}
		for _, name := range r.Recorded {
			conformance.Path(t, "applications", "recorded", name+".json")
			if _, err := os.Stat(filepath.Join("testdata", "applications", "recorded", name+".json")); err != nil {
				t.Errorf("rule %s: case %s is not public: %v", r.Rule, name, err)
			}
		}
	}
}

// TestCheckFindsWhatIsGone keeps the check from becoming one that cannot fail.
func TestCheckFindsWhatIsGone(t *testing.T) {
	for _, tc := range []struct {
		name string
		want string
	}{
		{"test/conformance TestCheckFindsWhatIsGone", ""},
		{"test/conformance TestCheckFindsWhatIsGone/test/conformance TestCheckFindsWhatIsGone", ""},
		{"internal/apply TestOnAServer/stops after a failed prune", ""},
		{"internal/apply TestNowhere", "there is no TestNowhere in internal/apply"},
		{"internal/apply TestOnAServer/no such " + "thing", `TestOnAServer of internal/apply has no "no such thing"`},
		{"internal/nowhere TestNowhere", "there are no tests in internal/nowhere"},
		{"TestNowhere", `"TestNowhere" is not a folder and a function`},
	} {
		err := folders{}.check(tc.name)
		if got := fmt.Sprint(err); (tc.want == "") != (err == nil) || (err != nil && got != tc.want) {
			t.Errorf("%s: %s, want %q", tc.name, got, tc.want)
		}
	}
}

// folders are the test functions of folders, each with the texts in it, read once.
type folders map[string]map[string]map[string]bool

// check says what is wrong with "folder Function/subtest".
func (f folders) check(name string) error {
	folder, test, ok := strings.Cut(name, " ")
	if !ok {
		return fmt.Errorf("%q is not a folder and a function", name)
	}
	function, subtest, named := strings.Cut(test, "/")
	if f[folder] == nil {
		functions, err := readTests(folder)
		if err != nil {
			return err
		}
		f[folder] = functions
	}
	texts, ok := f[folder][function]
	switch {
	case len(f[folder]) == 0:
		return fmt.Errorf("there are no tests in %s", folder)
	case !ok:
		return fmt.Errorf("there is no %s in %s", function, folder)
	case named && !texts[subtest]:
		return fmt.Errorf("%s of %s has no %q", function, folder, subtest)
	}
	return nil
}

// readTests finds the test functions of a folder and the string literals in them. Those of a suite stand anywhere in the folder.
func readTests(folder string) (map[string]map[string]bool, error) {
	files, err := filepath.Glob(filepath.Join(root, folder, "*_test.go"))
	if err != nil {
		return nil, fmt.Errorf("tests of %s: %w", folder, err)
	}
	functions, all, suite := map[string]map[string]bool{}, map[string]bool{}, ""
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, fmt.Errorf("tests of %s: %w", folder, err)
		}
		collect(parsed, all)
		for _, declaration := range parsed.Decls {
			function, ok := declaration.(*ast.FuncDecl)
			if !ok || function.Recv != nil || !strings.HasPrefix(function.Name.Name, "Test") {
				continue
			}
			texts := map[string]bool{}
			functions[function.Name.Name] = texts
			if collect(function, texts) {
				suite = function.Name.Name
			}
		}
	}
	if suite != "" {
		functions[suite] = all
	}
	return functions, nil
}

// collect adds the string literals under a node, and tells whether it runs a suite of specs.
func collect(node ast.Node, texts map[string]bool) (suite bool) {
	ast.Inspect(node, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.BasicLit:
			if text, err := strconv.Unquote(n.Value); n.Kind == token.STRING && err == nil {
				texts[text] = true
			}
		case *ast.Ident:
			suite = suite || n.Name == "RunSpecs"
		}
		return true
	})
	return suite
}

// TestSubresources holds rule A 1: clients of Application write the whole object, those of ApplicationSet the status apart.
func TestSubresources(t *testing.T) {
	for file, want := range map[string]bool{"argoproj.io_applications.yaml": false, "argoproj.io_appprojects.yaml": false, "argoproj.io_applicationsets.yaml": true} {
		data, err := os.ReadFile(filepath.Join(root, "config", "crd", "bases", file))
		if err != nil {
			t.Fatal(err)
		}
		var crd struct {
			Spec struct {
				Versions []struct {
					Subresources map[string]any `json:"subresources"`
				} `json:"versions"`
			} `json:"spec"`
		}
		if err := yaml.Unmarshal(data, &crd); err != nil {
			t.Fatal(err)
		}
		for _, version := range crd.Spec.Versions {
			if _, got := version.Subresources["status"]; got != want {
				t.Errorf("%s: status subresource %v, want %v", file, got, want)
			}
		}
		if len(crd.Spec.Versions) == 0 {
			t.Errorf("%s has no versions", file)
		}
	}
}
