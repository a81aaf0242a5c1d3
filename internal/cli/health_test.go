package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

// inFolder writes files and makes their folder the current one.
func inFolder(t *testing.T, files map[string]string) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
}

// runHealth gives what the command prints, and its error.
func runHealth(t *testing.T, input string, args ...string) (string, string) {
	t.Helper()
	root := New()
	var out bytes.Buffer
	root.SetIn(strings.NewReader(input))
	root.SetOut(&out)
	root.SetErr(&out)
	root.SetArgs(append([]string{"health"}, args...))
	if err := root.Execute(); err != nil {
		return out.String(), err.Error()
	}
	return out.String(), ""
}

const (
	twoObjects = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec: {paused: true}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: words}
`
	widget     = "apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: w}\nstatus: {phase: Failed, message: \"one\\ntwo\\tthree\"}\n"
	oneSetting = `
apiVersion: v1
kind: ConfigMap
metadata: {name: argocd-cm}
data:
  resource.customizations.health.example.com_Widget: |
    return {status = "Healthy", message = obj.metadata.name .. " is mine"}
`
)

func TestHealth(t *testing.T) {
	for _, tc := range []struct {
		reason string
		files  map[string]string
		input  string
		args   []string
		want   string
		err    string
	}{
		{
			"A line for each object; a kind without health has an empty status.",
			map[string]string{"a.yaml": twoObjects},
			"",
			[]string{"a.yaml"},
			"apps/v1/Deployment\tweb\tSuspended\tDeployment is paused\nv1/ConfigMap\twords\t\t\n", "",
		},
		{"Standard input is a file, too; a message stays on its line.", nil, widget, []string{"-"}, "example.com/v1/Widget\tw\tDegraded\tone\\ntwo\\tthree\n", ""},
		{
			"Several files are read in their order.",
			map[string]string{"a.yaml": widget, "b.json": `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c"}}`},
			"",
			[]string{"b.json", "a.yaml"},
			"v1/ConfigMap\tc\t\t\nexample.com/v1/Widget\tw\tDegraded\tone\\ntwo\\tthree\n", "",
		},
		{"A list is what it holds.", nil, "{apiVersion: v1, kind: List, items: [{apiVersion: v1, kind: ConfigMap, metadata: {name: c}}]}", []string{"-"}, "v1/ConfigMap\tc\t\t\n", ""},
		{"JSON keeps everything as it is.", map[string]string{"a.yaml": twoObjects}, widget, []string{"a.yaml", "-", "-o", "json"}, `[
  {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "namespace": "shop",
    "name": "web",
    "status": "Suspended",
    "message": "Deployment is paused"
  },
  {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "name": "words"
  },
  {
    "apiVersion": "example.com/v1",
    "kind": "Widget",
    "name": "w",
    "status": "Degraded",
    "message": "one\ntwo\tthree"
  }
]
`, ""},
		{"Scripts of a ConfigMap are used.", map[string]string{"cm.yaml": oneSetting}, widget, []string{"-", "--argocd-cm", "cm.yaml"}, "example.com/v1/Widget\tw\tHealthy\tw is mine\n", ""},
		{
			"A script that does not compile is told twice: for its objects, and as an error.",
			map[string]string{"cm.yaml": strings.Replace(oneSetting, "return", "= ", 1)},
			widget,
			[]string{"-", "--argocd-cm", "cm.yaml"},
			"example.com/v1/Widget\tw\tUnknown\t<string> line:1(column:1) near '=': syntax error\n",
			"cm.yaml: the health script for example.com/Widget: <string> line:1(column:1) near '=': syntax error",
		},
		{
			"So is a setting that cannot be read.",
			map[string]string{"cm.yaml": strings.Replace(oneSetting, "com_Widget", "com_v1_Widget", 1)},
			widget,
			[]string{"-", "--argocd-cm", "cm.yaml"},
			"example.com/v1/Widget\tw\tDegraded\tone\\ntwo\\tthree\n",
			`cm.yaml: argocd-cm: resource.customizations.health.example.com_v1_Widget is "return {status = \"Healthy\", message = obj.metadata.name .. \" is mine\"}": end the key in <group>_<Kind>, in <Kind> for the core group, or in all`,
		},
		{
			"What can be read is printed, whatever else is wrong; errors name file and line.",
			map[string]string{"a.yaml": widget, "bad.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n b: c\n"},
			"",
			[]string{"bad.yaml", "a.yaml", "none.yaml"},
			"example.com/v1/Widget\tw\tDegraded\tone\\ntwo\\tthree\n",
			"bad.yaml: document 1, line 5: failed to unmarshal manifest: did not find expected key\nopen none.yaml: no such file or directory",
		},
		{
			"An object without a kind is an error at its line.", nil, widget + "---\nmetadata: {name: x}\n",
			[]string{"-"},
			"",
			"standard input: document 2, line 6: an object needs apiVersion and kind, both texts",
		},
		{
			"A file without objects is a mistake.",
			map[string]string{"a.txt": "hello"},
			"",
			[]string{"a.txt"},
			"",
			"a.txt: no object in it: an object needs apiVersion, kind and metadata",
		},
		{"Settings are one ConfigMap.", map[string]string{"cm.yaml": twoObjects}, widget, []string{"-", "--argocd-cm", "cm.yaml"}, "", "cm.yaml: it must hold one ConfigMap, and nothing else"},
		{
			"Its data are texts.",
			map[string]string{"cm.yaml": "{apiVersion: v1, kind: ConfigMap, metadata: {name: c}, data: {a: 1}}"},
			widget,
			[]string{"-", "--argocd-cm", "cm.yaml"},
			"",
			"cm.yaml: the data of a ConfigMap are texts: .data accessor error: contains non-string value in the map under key \"a\": 1 is of the type int64, expected string",
		},
		{"There is no other output.", nil, widget, []string{"-", "-o", "yaml"}, "", "-o yaml: the output is json, or lines without -o"},
		{"Nothing to judge is a mistake.", nil, "", nil, "", "requires at least 1 arg(s), only received 0"},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			inFolder(t, tc.files)
			got, err := runHealth(t, tc.input, tc.args...)
			if diff := gocmp.Diff(tc.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if diff := gocmp.Diff(tc.err, err); diff != "" {
				t.Errorf("error: -want +got:\n%s", diff)
			}
		})
	}
}
