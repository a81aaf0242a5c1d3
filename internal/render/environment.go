package render

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
)

// Environment is the build environment: the variables that some options of a source may use (contract 1.2).
type Environment map[string]string

// Instance is the application that a source is rendered for.
type Instance struct {
	// Name is the instance name (contract 3.1), Namespace that of the destination, Project that of the AppProject.
	Name, Namespace, Project string
}

// Application is the name of the Application, which an instance name has behind its namespace.
func (i Instance) Application() string {
	if _, name, found := strings.Cut(i.Name, "_"); found {
		return name
	}
	return i.Name
}

// NewEnvironment gives the variables for a source of an instance at a full revision.
func NewEnvironment(instance Instance, source argov1.ApplicationSource, revision string) Environment {
	return Environment{
		"ARGOCD_APP_NAME":                   instance.Name,
		"ARGOCD_APP_NAMESPACE":              instance.Namespace,
		"ARGOCD_APP_PROJECT_NAME":           instance.Project,
		"ARGOCD_APP_REVISION":               revision,
		"ARGOCD_APP_REVISION_SHORT":         revision[:min(7, len(revision))],
		"ARGOCD_APP_REVISION_SHORT_8":       revision[:min(8, len(revision))],
		"ARGOCD_APP_SOURCE_REPO_URL":        source.RepoURL,
		"ARGOCD_APP_SOURCE_PATH":            source.Path,
		"ARGOCD_APP_SOURCE_TARGET_REVISION": source.TargetRevision,
	}
}

// RevisionVariable is what the names of the variables with the revision begin with.
const RevisionVariable = "ARGOCD_APP_REVISION"

// namedBy is the part of the environment that a source names: it cannot depend on the rest.
func (e Environment) namedBy(source argov1.ApplicationSource) (Environment, error) {
	text, err := json.Marshal(source)
	if err != nil {
		return nil, err
	}
	named := Environment{}
	for name, value := range e {
		if bytes.Contains(text, []byte(name)) {
			named[name] = value
		}
	}
	return named, nil
}

// Substitute puts the variables in the place of $NAME and ${NAME}. An unknown one becomes nothing, and $$ a dollar sign.
// The environment of the process is not looked at.
func (e Environment) Substitute(text string) string {
	return os.Expand(text, func(name string) string {
		if name == "$" {
			return "$"
		}
		return e[name]
	})
}
