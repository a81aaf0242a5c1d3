package cli

import (
	"errors"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/tiphys-io/tiphys/internal/installation"
	"github.com/tiphys-io/tiphys/internal/settings"
)

// readSettings reads a file with the ConfigMap argocd-cm; no file means the defaults. Problems are settings that cannot be
// used.
func readSettings(file string) (found installation.Settings, problems []error, err error) {
	var data map[string]string
	if file != "" {
		if data, err = readConfigMap(file); err != nil {
			return installation.Settings{}, nil, err
		}
	}
	parsed, problems := settings.Parse(data)
	found, err = installation.From(parsed, time.Now)
	if err != nil {
		problems = append(problems, err)
	}
	for i, problem := range problems {
		problems[i] = fmt.Errorf("%s: %w", file, problem)
	}
	return found, problems, nil
}

// readConfigMap gives the data of the one ConfigMap in a file.
func readConfigMap(file string) (map[string]string, error) {
	objects, err := readObjects(file, nil)
	if err != nil {
		return nil, err
	}
	if len(objects) != 1 || objects[0].GetKind() != "ConfigMap" {
		return nil, fmt.Errorf("%s: it must hold one ConfigMap, and nothing else", file)
	}
	data, _, err := unstructured.NestedStringMap(objects[0].Object, "data")
	if err != nil {
		return nil, fmt.Errorf("%s: the data of a ConfigMap are texts: %w", file, err)
	}
	return data, nil
}

var errStdinTwice = errors.New("only one file can be the standard input")
