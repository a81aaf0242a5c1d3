package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/health"
	"github.com/tiphys-io/tiphys/internal/render/manifest"
)

// maxManifest is the size in bytes that the objects of one file may have once aliases are written out.
const maxManifest = 64 << 20

// stdin is the name of the standard input among files.
const stdin = "-"

const healthLong = `Print the health of the objects in files, as the operator would judge them in a cluster.

Each object is a line with apiVersion/kind, name, status and message, separated by tabs. The status is
empty for a kind without health, and for a script that returned nothing. With --argocd-cm the scripts
for health in that ConfigMap are used. The command fails when a file or a script cannot be read; what
can be read is printed all the same.`

const healthExample = `  kubectl get certificate web -o yaml | tiphys health -
  tiphys health widget.yaml --argocd-cm argocd-cm.yaml
  tiphys health live/*.yaml -o json | jq '.[] | select(.status != "Healthy")'`

// healthRow is the health of one object; the field names are those of the JSON output.
type healthRow struct {
	APIVersion string                  `json:"apiVersion"`
	Kind       string                  `json:"kind"`
	Namespace  string                  `json:"namespace,omitempty"`
	Name       string                  `json:"name"`
	Status     argov1.HealthStatusCode `json:"status,omitempty"`
	Message    string                  `json:"message,omitempty"`
}

func healthCommand() *cobra.Command {
	var configMap, output string
	command := &cobra.Command{
		Use:     "health FILE...",
		Short:   "Print the health of objects in files, without a cluster",
		Long:    healthLong,
		Example: healthExample,
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, files []string) error {
			if output != "" && output != "json" {
				return fmt.Errorf("-o %s: the output is json, or lines without -o", output)
			}
			settings, problems, err := readSettings(configMap)
			if err != nil {
				return err
			}
			rows := []healthRow{}
			for _, file := range files {
				objects, err := readObjects(file, cmd.InOrStdin())
				if err != nil {
					problems = append(problems, err)
				}
				for _, obj := range objects {
					rows = append(rows, assess(settings.Health, obj))
				}
			}
			return errors.Join(append([]error{printHealth(cmd.OutOrStdout(), rows, output)}, problems...)...)
		},
	}
	command.Flags().StringVar(&configMap, "argocd-cm", "", "a file with the ConfigMap argocd-cm, whose scripts for health are used")
	command.Flags().StringVarP(&output, "output", "o", "", "json for an array of objects")
	return command
}

func assess(assessor *health.Assessor, obj *unstructured.Unstructured) healthRow {
	row := healthRow{APIVersion: obj.GetAPIVersion(), Kind: obj.GetKind(), Namespace: obj.GetNamespace(), Name: obj.GetName()}
	if status := assessor.Assess(obj); status != nil {
		row.Status, row.Message = status.Status, status.Message
	}
	return row
}

// onOneLine keeps a row on one line, and its columns apart.
var onOneLine = strings.NewReplacer("\n", `\n`, "\r", `\r`, "\t", `\t`)

func printHealth(out io.Writer, rows []healthRow, output string) error {
	if output == "json" {
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		encoder.SetEscapeHTML(false)
		return encoder.Encode(rows)
	}
	for _, row := range rows {
		if _, err := fmt.Fprintf(out, "%s/%s\t%s\t%s\t%s\n", row.APIVersion, row.Kind, row.Name, row.Status, onOneLine.Replace(row.Message)); err != nil {
			return err
		}
	}
	return nil
}

// readObjects reads the objects of a file, or of the standard input.
func readObjects(file string, input io.Reader) ([]*unstructured.Unstructured, error) {
	var data []byte
	var err error
	if file == stdin {
		file = "standard input"
		data, err = io.ReadAll(input)
	} else {
		data, err = os.ReadFile(file)
	}
	if err != nil {
		return nil, err
	}
	objects, _, err := manifest.Parse(file, data, maxManifest)
	switch {
	case err != nil && !strings.HasPrefix(err.Error(), file):
		return nil, fmt.Errorf("%s: %w", file, err)
	case err != nil:
		return nil, err
	case len(objects) == 0:
		return nil, fmt.Errorf("%s: no object in it: an object needs apiVersion, kind and metadata", file)
	}
	return objects, nil
}
