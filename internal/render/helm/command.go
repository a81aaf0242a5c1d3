package helm

import (
	"errors"
	"regexp"
	"strings"
)

// repository is how the recorded texts call the root of a repository.
const repository = "<path to cached source>"

// display is the name of a file in the texts.
func display(name string) string { return repository + "/" + name }

// inlineValues stands for the file into which the command gets the values of the source.
const inlineValues = "<path>"

// command is the command line that would do the same (contract 1.2), with the closing quote where it stands in the
// recorded texts: the API versions are left out together with the character behind them.
func (rel *release) command(v *values) string {
	arguments := []string{"helm", "template", ".", "--name-template", rel.name}
	add := func(set bool, flag ...string) {
		if set {
			arguments = append(arguments, flag...)
		}
	}
	add(rel.namespace != "", "--namespace", rel.namespace)
	add(rel.kubeVersion != "", "--kube-version", rel.kubeVersion)
	for _, p := range v.parameters {
		add(!p.forceString, "--set", p.text())
	}
	for _, p := range v.parameters {
		add(p.forceString, "--set-string", p.text())
	}
	for _, f := range v.fileParameters {
		add(true, "--set-file", f.name+"="+escape(f.file.display()))
	}
	for _, file := range v.files {
		add(true, "--values", file.display())
	}
	add(v.inline != nil, "--values", inlineValues)
	add(len(rel.apiVersions) > 0, apiVersionsRemoved)
	add(!rel.options.SkipCrds, "--include-crds")
	add(rel.options.SkipSchemaValidation, "--skip-schema-validation")
	add(rel.options.SkipTests, "--skip-tests")
	text := strings.Join(arguments, " ")
	if strings.HasSuffix(text, apiVersionsRemoved) {
		return text
	}
	return text + "`"
}

// apiVersionsRemoved stands for any number of --api-versions.
const apiVersionsRemoved = "<api versions removed>"

// invalidError is an error of the templates or of what they make; the command adds a hint to these.
type invalidError struct{ error }

func (e *invalidError) Error() string {
	return e.error.Error() + "\n\nUse --debug flag to render out invalid YAML"
}

func (e *invalidError) Unwrap() error { return e.error }

// quoted are the places where Helm and the YAML library quote templates or values.
var quoted = regexp.MustCompile(`(cannot parse template|error during tpl function execution for) "(?:[^"\\]|\\.)*"|(unknown anchor) '[^']*'|(cannot unmarshal \S+) ` + "`[^`]*`")

// location is how Helm 4 writes where a template failed; Helm 3, whose texts are recorded, writes it on one line.
var location = regexp.MustCompile(`(?m)^(\S+:\d+:\d+)\n  (executing .*>:)\n    `)

// clean is an error of the library as a status may show it: on one line where it says a place, and without the text of
// templates and values.
func clean(err error) error {
	text := err.Error()
	text = quoted.ReplaceAllString(text, `$1$2$3 "..."`)
	if location.MatchString(text) {
		text = strings.ReplaceAll(location.ReplaceAllString(text, "template: $1: $2 "), "\ntemplate: ", " template: ")
	}
	text = strings.TrimSpace(text)
	if half := longestError / 2; len(text) > longestError { // templates may call each other a thousand times
		text = strings.ToValidUTF8(text[:half]+" ... "+text[len(text)-half:], "")
	}
	return &cleanError{text: text, err: err}
}

// longestError is how long an error of the library may be, in bytes; of a longer one the middle is left out.
const longestError = 4 << 10

// cleanError is an error whose text is another one.
type cleanError struct {
	text string
	err  error
}

func (e *cleanError) Error() string { return e.text }

func (e *cleanError) Unwrap() error { return e.err }

// errMissing has the text of the command.
var errMissing = errors.New("no such file or directory")
