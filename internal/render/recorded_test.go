package render_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/render"
	"github.com/tiphys-io/tiphys/internal/render/directory"
	"github.com/tiphys-io/tiphys/internal/render/helm"
	"github.com/tiphys-io/tiphys/internal/render/jsonnet"
	"github.com/tiphys-io/tiphys/internal/render/kustomize"
	"github.com/tiphys-io/tiphys/test/conformance"
)

// recordedCase is what these tests need of a case; the format is described beside the data.
type recordedCase struct {
	Name    string           `json:"name"`
	Source  map[string]any   `json:"source"`
	Sources []map[string]any `json:"sources"`
	Steps   []struct {
		Commit map[string]any `json:"commit"`
		From   []struct {
			Dir     string            `json:"dir"`
			As      string            `json:"as"`
			Replace map[string]string `json:"replace"`
		} `json:"from"`
		App map[string]any `json:"app"`
	} `json:"steps"`
}

type record struct {
	Steps []struct {
		Before struct {
			SourceType string `json:"sourceType"`
			Conditions rows   `json:"conditions"`
			Resources  rows   `json:"resources"`
		} `json:"before"`
		After struct {
			Phase any `json:"phase"`
		} `json:"after"`
		Live rows `json:"live"`
	} `json:"steps"`
}

// rows are a list, or nothing where the recordings differ among themselves.
type rows []map[string]any

func (r *rows) UnmarshalJSON(data []byte) error {
	var list []map[string]any
	if data[0] == '[' {
		if err := json.Unmarshal(data, &list); err != nil {
			return err
		}
	}
	*r = list
	return nil
}

// otherReasons are the cases that this test cannot judge, and why.
var otherReasons = map[string]string{
	"raw-manifests-operation":       "the objects come with the operation",
	"hooks-helm-annotations":        "what makes a hook is decided later",
	"hooks-skip-and-unknown":        "what makes a hook is decided later",
	"drift-defaults-and-quantities": "its file names an object y, which is a text only to a reader of YAML 1.2",
	"dir-jsonnet":                   "an argument of its is called n, which is a text only to a reader of YAML 1.2",
	"e2e-helm-api-versions":         "it lists what the recorded cluster served",
}

// TestRecordedTargets renders the recorded cases and holds kinds and names against those that the recorded controller
// found, and refusals against its texts.
func TestRecordedTargets(t *testing.T) {
	compared := 0
	for _, c := range recordedCases(t) {
		if len(c.Sources) > 0 || otherReasons[c.Name] != "" {
			continue
		}
		t.Run(c.Name, func(t *testing.T) {
			var recorded record
			conformance.Load(t, &recorded, "applications", "recorded", c.Name+".json")
			r := newReplay(t, c)
			for i, step := range c.Steps[:len(recorded.Steps)] {
				if step.Commit != nil || step.From != nil {
					r.commit(t, i)
				}
				r.patch(t, step.App)
				if r.compare(t, i, recorded) {
					compared++
				}
			}
		})
	}
	if compared < 100 {
		t.Errorf("only %d steps were compared", compared)
	}
}

func recordedCases(t *testing.T) []recordedCase {
	var all []recordedCase
	for _, file := range []string{"scenarios.yaml", "directories.yaml"} {
		var cases []recordedCase
		conformance.Load(t, &cases, "applications", file)
		all = append(all, cases...)
	}
	return all
}

// replay is a case on its way: its repository and its application.
type replay struct {
	recordedCase
	tree fstest.MapFS
	spec []byte // JSON
}

func newReplay(t *testing.T, c recordedCase) *replay {
	t.Helper()
	spec, err := yaml.Marshal(map[string]any{"source": map[string]any{"path": "app"}})
	if err == nil {
		spec, err = yaml.YAMLToJSON(spec)
	}
	if err != nil {
		t.Fatal(err)
	}
	r := &replay{recordedCase: c, spec: spec}
	if c.Source != nil {
		r.patch(t, map[string]any{"spec": map[string]any{"source": c.Source}})
	}
	return r
}

func (r *replay) patch(t *testing.T, app map[string]any) {
	t.Helper()
	spec, ok := app["spec"]
	if !ok {
		return
	}
	patch, err := yaml.Marshal(spec)
	if err == nil {
		patch, err = yaml.YAMLToJSON(patch)
	}
	if err == nil {
		r.spec, err = jsonpatch.MergePatch(r.spec, []byte(r.fill(string(patch))))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// commit makes the tree of a step.
func (r *replay) commit(t *testing.T, step int) {
	t.Helper()
	r.tree = fstest.MapFS{}
	for _, from := range r.Steps[step].From {
		root := os.DirFS(conformance.Path(t, "applications", "sources", from.Dir))
		err := fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			data, err := fs.ReadFile(root, name)
			text := string(data)
			for old, replacement := range from.Replace {
				text = strings.ReplaceAll(text, old, replacement)
			}
			r.add(path.Join(from.As, name), text)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, content := range r.Steps[step].Commit {
		text, ok := content.(string)
		if !ok {
			list, isList := content.([]any)
			if !isList {
				list = []any{content}
			}
			var parts []string
			for _, item := range list {
				part, err := yaml.Marshal(item)
				if err != nil {
					t.Fatal(err)
				}
				parts = append(parts, string(part))
			}
			text = strings.Join(parts, "---\n")
		}
		r.add(name, text)
	}
}

// fill puts the names of the case in.
func (r *replay) fill(text string) string {
	return strings.NewReplacer("%APP%", r.Name, "%NS%", "t-"+r.Name, "%REPO%", "http://git/"+r.Name+".git", "%GIT%", "http://git", "%KUBEVERSION%", kubeVersion).Replace(text)
}

// add adds a file; the sources hold links as files with the target in them.
func (r *replay) add(name, text string) {
	text = r.fill(text)
	file := &fstest.MapFile{Data: []byte(text), Mode: 0o644}
	if strings.HasPrefix(text, "../") && !strings.ContainsAny(text, " \n") {
		file.Mode |= fs.ModeSymlink
	}
	r.tree[name] = file
}

var recordedFailure = regexp.MustCompile(`(?s)^Failed to load target state: failed to generate manifest for source 1 of 1: rpc error: code = \w+ desc = (.*)$`)

// compare tells whether the record of the step says anything about rendering.
func (r *replay) compare(t *testing.T, step int, recorded record) bool {
	t.Helper()
	before := recorded.Steps[step].Before
	want, failed := "", false
	for _, condition := range before.Conditions {
		if condition["type"] == string(argov1.ConditionInvalidSpecError) {
			return false // it is not rendered
		}
		message, _ := condition["message"].(string)
		if match := recordedFailure.FindStringSubmatch(message); match != nil {
			want, failed = match[1], true
			want, _, _ = strings.Cut(want, "\nUsage:") // what a command says of itself is no fact
		}
	}
	if (!failed && before.SourceType == "") || elsewhere(want) {
		return false
	}
	objects, sourceType, err := r.render(t)
	if failed {
		want = r.fill(want)
		if err == nil || err.Error() != want {
			t.Errorf("step %d: %v, recorded was %q", step, err, want)
		}
		return true
	}
	if err != nil {
		t.Errorf("step %d: %v", step, err)
		return true
	}
	if string(sourceType) != before.SourceType {
		t.Errorf("step %d: type %s, recorded was %s", step, sourceType, before.SourceType)
	}
	var wanted []string
	for _, row := range before.Resources {
		if row["requiresPruning"] == nil && row["hook"] == nil && row["status"] != nil {
			text := func(key string) string { value, _ := row[key].(string); return value }
			wanted = append(wanted, text("group")+"/"+text("kind")+"/"+text("name"))
		}
	}
	if diff := cmp.Diff(unique(wanted), unique(keys(objects))); diff != "" {
		t.Errorf("step %d (-recorded +got)\n%s", step, diff)
	}
	if sourceType != argov1.SourceTypeDirectory && recorded.Steps[step].After.Phase == "Succeeded" {
		r.compareLive(t, objects, recorded.Steps[step].Live)
	}
	return true
}

// kubeVersion stands for the version of the recorded cluster.
const kubeVersion = "1.37.2"

// compareLive holds every field of the objects against what was live after they were applied.
func (r *replay) compareLive(t *testing.T, objects []*unstructured.Unstructured, live rows) {
	t.Helper()
	for _, object := range objects {
		var differences []string
		for _, row := range live {
			l := unstructured.Unstructured{Object: row}
			if l.GetKind() == object.GetKind() && l.GetName() == object.GetName() && (object.GetNamespace() == "" || object.GetNamespace() == l.GetNamespace()) {
				differences = append(differences, r.difference("", object.Object, row)) // none is live for a hook that is gone
			}
		}
		if len(differences) > 0 && !slices.Contains(differences, "") {
			t.Errorf("%s %s is not as recorded: %v", object.GetKind(), object.GetName(), differences)
		}
	}
}

// difference is the path of a field that live does not have, or has otherwise.
func (r *replay) difference(at string, want, live any) string {
	switch w := want.(type) {
	case map[string]any:
		l, _ := live.(map[string]any)
		for key, value := range w {
			if key == "creationTimestamp" || key == "status" || key == "conversion" || value == nil || value == "" {
				continue // what the recorder or the API server takes away
			}
			if d := r.difference(at+"."+key, value, l[key]); d != "" {
				return d
			}
		}
	case []any:
		l, _ := live.([]any)
		if len(l) != len(w) {
			return at
		}
		for i := range w {
			if d := r.difference(fmt.Sprintf("%s[%d]", at, i), w[i], l[i]); d != "" {
				return d
			}
		}
	default:
		if fmt.Sprint(want) != r.fill(fmt.Sprint(live)) {
			return fmt.Sprintf("%s: %v, live %v", at, want, live)
		}
	}
	return ""
}

// elsewhere tells whether a failure is about a repository.
func elsewhere(failure string) bool {
	return slices.ContainsFunc([]string{"repo index", "commit", "checkout"}, func(word string) bool { return strings.Contains(failure, word) })
}

func (r *replay) render(t *testing.T) ([]*unstructured.Unstructured, argov1.ApplicationSourceType, error) {
	t.Helper()
	var spec argov1.ApplicationSpec
	if err := yaml.Unmarshal(r.spec, &spec); err != nil {
		t.Fatal(err)
	}
	dispatcher := render.Dispatcher{
		argov1.SourceTypeDirectory: directory.New(directory.Options{Jsonnet: jsonnet.New(jsonnet.Options{})}), argov1.SourceTypeKustomize: kustomize.New(kustomize.Options{}),
		argov1.SourceTypeHelm: helm.New(helm.Options{}),
	}
	if spec.Source == nil {
		return nil, "", errors.New("no source")
	}
	instance := render.Instance{Name: r.Name, Namespace: "t-" + r.Name, Project: "default"}
	return dispatcher.Render(t.Context(), render.Request{
		Source: *spec.Source, Tree: r.tree, Instance: instance, Environment: render.NewEnvironment(instance, *spec.Source, ""),
		Cluster: func(context.Context) (render.Cluster, error) {
			return render.Cluster{KubeVersion: kubeVersion, APIVersions: []string{"v1"}}, nil
		},
	})
}

// keys are the group, kind and name of objects that are no hooks.
func keys(objects []*unstructured.Unstructured) (list []string) {
	for _, object := range objects {
		annotations := object.GetAnnotations()
		if annotations["argocd.argoproj.io/hook"] == "" && annotations["helm.sh/hook"] == "" {
			list = append(list, object.GroupVersionKind().Group+"/"+object.GetKind()+"/"+object.GetName())
		}
	}
	return list
}

func unique(list []string) []string {
	slices.Sort(list)
	return slices.Compact(list)
}
