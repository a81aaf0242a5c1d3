// Package replay drives whatever controller reconciles Applications through declared cases on a control plane, and records
// what it did.
//
// The format of a case and of a record is that of the README of the recorded cases (applications/README.md of the
// conformance data), and so are the rules of when to look. Test code: it decides nothing about right or wrong, see
// test/conformance/score.
package replay

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"go.yaml.in/yaml/v3" //nolint:depguard // Case files are YAML in which y and n are words; sigs.k8s.io/yaml takes them for booleans.
)

// Case is one declared case.
type Case struct {
	// Name of the case, of its Application and of its repository.
	Name string `json:"name"`
	// Area groups cases in summaries.
	Area string `json:"area"`
	// About says why the case exists.
	About string `json:"about"`
	// The first Application.
	Application `json:",inline"`
	// Apps are further Applications.
	Apps []Application `json:"apps"`
	// Pre are objects applied before and removed after.
	Pre []map[string]any `json:"pre"`
	// Namespaces are made beside that of the case.
	Namespaces []string `json:"namespaces"`
	// Watch are namespaces that are only looked at.
	Watch []string `json:"watch"`
	// CreateNamespace says that no namespace is made beforehand.
	CreateNamespace bool `json:"createNamespace"`
	// Steps are done in this order.
	Steps []Step `json:"steps"`
	// Delete false leaves the deletion at the end out. Default: true.
	Delete *bool `json:"delete"`
	// Deletion says how the Applications are deleted at the end.
	Deletion Deletion `json:"deletion"`
	// Lock names what the case shares with others: cases with the same lock never run at the same time.
	Lock string `json:"lock"`
	// Alone says that the case runs after all others, by itself.
	Alone bool `json:"alone"`

	raw json.RawMessage // As declared, with its placeholders.
}

// Application is what an Application of a case is made of, merged over what all have in common.
type Application struct {
	Suffix   string           `json:"suffix"`
	Source   map[string]any   `json:"source"`
	Sources  []map[string]any `json:"sources"`
	Spec     map[string]any   `json:"spec"`
	Metadata map[string]any   `json:"metadata"`
}

// Deletion says how the Applications of a case are deleted at its end.
type Deletion struct {
	// Cap is how long to wait for each to go. Default: 25 s.
	Cap seconds `json:"cap"`
	// Order of the suffixes. Default: as declared.
	Order []string `json:"order"`
}

// Commit is one commit of the case's repository.
type Commit struct {
	// Files of its tree; an object or a list of objects is written as YAML.
	Files map[string]any `json:"commit"`
	// From are folders that are put into its tree; Files win over them.
	From many[Folder] `json:"from"`
	// Branch of the commit. Default: main.
	Branch string `json:"branch"`
	// Tag names lightweight tags on it.
	Tag many[string] `json:"tag"`
}

func (c Commit) given() bool { return c.Files != nil || c.From != nil }

// Folder is a folder of the conformance data that is put into a commit.
type Folder struct {
	Dir     string            `json:"dir"`
	As      string            `json:"as"`
	Replace map[string]string `json:"replace"`
}

// Step is one step of a case; its parts are done in the order of the fields.
type Step struct {
	Commit `json:",inline"`
	// Commits are further commits.
	Commits []Commit `json:"commits"`
	// Do are actions on live objects.
	Do []Action `json:"do"`
	// App is a merge patch to the Application.
	App map[string]any `json:"app"`
	// Refresh is the value of the refresh annotation: normal (default) or hard; none leaves it out.
	Refresh string `json:"refresh"`
	// Sync is the sync of an operation, Op a whole operation. Without either the step only refreshes.
	Sync map[string]any `json:"sync"`
	Op   map[string]any `json:"op"`
	// Then are reactions to what the running operation says, each done once, in order.
	Then []Reaction `json:"then"`
	// Running is a message; once it has stood for a second, the operation is taken to hang and left alone.
	Running string `json:"running"`
	// Cap is how long to wait for the end of the operation, default 60 s, and for each Until, default 40 s.
	Cap seconds `json:"cap"`
	// Until are regular expressions for fields of the record; each set is waited for, in order.
	Until many[map[string]any] `json:"until"`
	// After are actions before the record is taken.
	After []Action `json:"after"`
	// Target is the suffix of the Application that the step is about.
	Target string `json:"target"`
	// Quiet is how long nothing may change before the record is taken. Default: 1.5 s.
	Quiet seconds `json:"quiet"`
}

// Reaction is done once the message of the running operation matches When.
type Reaction struct {
	When string   `json:"when"`
	Do   []Action `json:"do"`
}

// Action is one thing done to the cluster. Exactly one of the fields but Target is set.
type Action struct {
	Target    string         `json:"target"`
	Sleep     seconds        `json:"sleep"`
	App       map[string]any `json:"app"`
	Terminate bool           `json:"terminate"`
	Apply     map[string]any `json:"apply"`
	Create    map[string]any `json:"create"`
	Patch     *Patch         `json:"patch"`
	Delete    *Object        `json:"delete"`
	WaitGone  *Object        `json:"wait_gone"`
	Scale     *Scale         `json:"scale"`
}

// Object names a live object. Its default namespace is that of the case.
type Object struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Namespace  string `json:"namespace"`
	Name       string `json:"name"`
}

// Patch is a patch of type merge (default), json, strategic, or status for a merge patch to the status.
type Patch struct {
	Object  `json:",inline"`
	Type    string `json:"type"`
	Manager string `json:"manager"`
	Body    any    `json:"body"`
}

// Scale sets the number of replicas.
type Scale struct {
	Object   `json:",inline"`
	Replicas int32 `json:"replicas"`
}

// Load reads the cases of one or more files. Unknown keys and names that occur twice are errors.
func Load(paths ...string) ([]Case, error) {
	var cases []Case
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("read cases: %w", err)
		}
		found, err := parse(data)
		if err != nil {
			return nil, fmt.Errorf("read cases of %s: %w", path, err)
		}
		cases = append(cases, found...)
	}
	named := map[string]bool{}
	for _, c := range cases {
		if named[c.Name] {
			return nil, fmt.Errorf("two cases are called %s", c.Name)
		}
		named[c.Name] = true
	}
	return cases, nil
}

func parse(data []byte) ([]Case, error) {
	var documents []any
	if err := yaml.Unmarshal(data, &documents); err != nil {
		return nil, err
	}
	var cases []Case
	for i, document := range documents {
		raw, err := json.Marshal(stringKeys(document))
		if err != nil {
			return nil, fmt.Errorf("case %d: %w", i+1, err)
		}
		c, err := decode(raw)
		if err == nil && c.Name == "" {
			err = errors.New("it has no name")
		}
		if err != nil {
			return nil, fmt.Errorf("case %d (%s): %w", i+1, c.Name, err)
		}
		cases = append(cases, c)
	}
	return cases, nil
}

// stringKeys turns the keys of every map into strings, as JSON wants them: {false: no} has one that is none.
func stringKeys(value any) any {
	switch v := value.(type) {
	case map[any]any:
		o := make(map[string]any, len(v))
		for key, item := range v {
			o[fmt.Sprint(key)] = stringKeys(item)
		}
		return o
	case map[string]any:
		for key, item := range v {
			v[key] = stringKeys(item)
		}
	case []any:
		for i, item := range v {
			v[i] = stringKeys(item)
		}
	}
	return value
}

func decode(raw []byte) (Case, error) {
	c := Case{raw: raw}
	err := strict(raw, &c)
	return c, err
}

// strict decodes JSON and refuses unknown keys.
func strict(data []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	return decoder.Decode(into)
}

// namespace of the case.
func (c Case) namespace() string { return "t-" + c.Name }

// filled replaces the placeholders in every string of the case. What replaces them needs no escape in JSON.
func (c Case) filled(repository, server string) (Case, error) {
	values := strings.NewReplacer("%REPO%", repository, "%NS%", c.namespace(), "%APP%", c.Name, "%GIT%", server)
	return decode([]byte(values.Replace(string(c.raw))))
}

// seconds is a duration that is written as a number of seconds.
type seconds time.Duration

// UnmarshalJSON reads a number of seconds.
func (s *seconds) UnmarshalJSON(data []byte) error {
	var number float64
	if err := json.Unmarshal(data, &number); err != nil {
		return fmt.Errorf("%s is no number of seconds: %w", data, err)
	}
	*s = seconds(number * float64(time.Second))
	return nil
}

// or is the duration, or a preset when there is none.
func (s seconds) or(preset time.Duration) time.Duration {
	if s == 0 {
		return preset
	}
	return time.Duration(s)
}

// many is a list that may be written as its only item.
type many[T any] []T

// UnmarshalJSON reads one item or a list.
func (m *many[T]) UnmarshalJSON(data []byte) error {
	if bytes.HasPrefix(data, []byte("[")) {
		return strict(data, (*[]T)(m))
	}
	var item T
	if err := strict(data, &item); err != nil {
		return err
	}
	*m = many[T]{item}
	return nil
}
