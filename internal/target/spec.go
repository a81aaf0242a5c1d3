package target

import (
	"fmt"
	"reflect"
	"strconv"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/render"
)

// SpecProblems is what is wrong with the destination and the sources of a spec by themselves (contract 1.7 and 1.8). Nothing
// means that they may be read.
func SpecProblems(spec *argov1.ApplicationSpec) []string {
	var problems []string
	switch destination := spec.Destination; {
	case destination.Server != "" && destination.Name != "":
		problems = append(problems, fmt.Sprintf("application destination can't have both name and server defined: %s %s", destination.Name, destination.Server))
	case destination.Server == "" && destination.Name == "":
		problems = append(problems, "Destination server missing from app spec")
	}
	sources := spec.GetSources()
	if len(sources) == 0 {
		problems = append(problems, "spec.source or spec.sources is required")
	}
	for i, source := range sources {
		where := "spec.source"
		if spec.HasMultipleSources() {
			where = "spec.sources[" + strconv.Itoa(i) + "]"
		}
		if source.RepoURL == "" || (source.Path == "" && source.Chart == "" && source.Ref == "") {
			problems = append(problems, fmt.Sprintf("%[1]s.repoURL and either %[1]s.path or %[1]s.chart are required", where))
		}
		if source.Plugin != nil {
			problems = append(problems, where+".plugin: "+render.PluginProblem)
		}
	}
	return problems
}

// NormalizeSources removes from the sources of a spec what says nothing, and would otherwise say of which type they are
// (contract 1.7).
func NormalizeSources(spec *argov1.ApplicationSpec) {
	if spec.Source != nil {
		normalizeSource(spec.Source)
	}
	for i := range spec.Sources {
		normalizeSource(&spec.Sources[i])
	}
}

func normalizeSource(source *argov1.ApplicationSource) {
	if source.Directory != nil && reflect.DeepEqual(*source.Directory, argov1.ApplicationSourceDirectory{}) {
		source.Directory = nil
	}
	if source.Helm != nil && reflect.DeepEqual(*source.Helm, argov1.ApplicationSourceHelm{}) {
		source.Helm = nil
	}
	if source.Kustomize != nil && reflect.DeepEqual(*source.Kustomize, argov1.ApplicationSourceKustomize{}) {
		source.Kustomize = nil
	}
}
