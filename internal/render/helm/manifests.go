package helm

import (
	"fmt"
	"slices"
	"strings"

	releasev1 "helm.sh/helm/v4/pkg/release/v1"
	releaseutil "helm.sh/helm/v4/pkg/release/v1/util"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/tiphys-io/tiphys/internal/render/manifest"
)

// document is a text of YAML that came out, and the template that made it.
type document struct {
	file, text string
}

// notes is the name of a template that makes a text for people.
const notes = "NOTES.txt"

// sortDocuments puts what the templates made into the order of "helm template": first what Helm installs, by kind, then the
// hooks, which keep their annotations. Hooks of a kind that Helm does not know are left out, as Helm does.
func sortDocuments(files map[string]string, skipTests bool, limit int64) ([]document, error) {
	for name, text := range files {
		if strings.HasSuffix(name, notes) {
			delete(files, name)
			continue
		}
		if err := manifest.CheckPointerIn(name, text); err != nil {
			return nil, err
		}
		// The library writes aliases out to find the kind of an object.
		if strings.Contains(text, "*") && strings.Contains(text, "&") {
			if _, err := manifest.Measure(name, []byte(text), limit); err != nil {
				return nil, err
			}
		}
	}
	hooks, manifests, err := releaseutil.SortManifests(files, nil, releaseutil.InstallOrder)
	if err != nil {
		return nil, err
	}
	var documents []document
	for _, m := range manifests {
		documents = append(documents, document{file: m.Name, text: m.Content})
	}
	for _, hook := range hooks {
		if !skipTests || !slices.Contains(hook.Events, releasev1.HookTest) {
			documents = append(documents, document{file: hook.Path, text: hook.Manifest})
		}
	}
	return documents, nil
}

// convert makes objects of the documents.
func convert(documents []document, left int64) ([]*unstructured.Unstructured, error) {
	var objects []*unstructured.Unstructured
	for _, d := range documents {
		found, size, err := manifest.Parse(d.file, []byte(d.text), left)
		if err != nil {
			return nil, err
		}
		if len(found) == 0 {
			if err := checkEmpty(d); err != nil {
				return nil, err
			}
		}
		left -= size
		objects = append(objects, found...)
	}
	return objects, nil
}

// checkEmpty refuses a text without objects that holds something all the same. In a folder of plain files it may be there
// for somebody else; a template is there for its objects.
func checkEmpty(d document) error {
	var value any
	if err := yaml.Unmarshal([]byte(d.text), &value); err != nil {
		return &manifest.Error{File: d.file, Problem: "the template makes no valid YAML"}
	}
	if object, ok := value.(map[string]any); value == nil || (ok && strings.HasSuffix(fmt.Sprint(object["kind"]), "List")) {
		return nil
	}
	return &manifest.Error{File: d.file, Problem: "the template makes something without apiVersion and kind"}
}
