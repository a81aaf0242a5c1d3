package cli

import (
	"fmt"
	"io"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
)

// applicationKind is the kind of what people render.
const applicationKind = "Application"

// readApplication reads the one Application in a file, which may hold other objects. Warnings are fields that an Application
// does not have.
func readApplication(file string, input io.Reader) (app *argov1.Application, warnings []error, err error) {
	objects, err := readObjects(file, input)
	if err != nil {
		return nil, nil, err
	}
	var found []*unstructured.Unstructured
	for _, object := range objects {
		if gvk := object.GroupVersionKind(); gvk.Group == argov1.GroupVersion.Group && gvk.Kind == applicationKind {
			found = append(found, object)
		}
	}
	if len(found) != 1 {
		return nil, nil, fmt.Errorf("%s: it holds %d Applications (apiVersion: %s, kind: %s): give a file with one", file, len(found), argov1.GroupVersion, applicationKind)
	}
	if version := found[0].GetAPIVersion(); version != argov1.GroupVersion.String() {
		return nil, nil, fmt.Errorf("%s: an Application has the apiVersion %s, and not %s", file, argov1.GroupVersion, version)
	}
	app = &argov1.Application{}
	err = runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(found[0].Object, app, true)
	if strict, isStrict := runtime.AsStrictDecodingError(err); isStrict {
		for _, problem := range strict.Errors() {
			warnings = append(warnings, fmt.Errorf("%s: %w, which the API server would leave out", file, problem))
		}
	} else if err != nil {
		return nil, nil, fmt.Errorf("%s: the Application %s: %w", file, found[0].GetName(), err)
	}
	if app.Name == "" {
		return nil, nil, fmt.Errorf("%s: the Application has no metadata.name", file)
	}
	return app, warnings, nil
}
