package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/diff"
	"github.com/tiphys-io/tiphys/internal/refresh"
	"github.com/tiphys-io/tiphys/internal/resource"
	"github.com/tiphys-io/tiphys/internal/target"
)

// differsCode is the code with which a comparison ends that found differences.
const differsCode = 1

const diffLong = `Print why the objects of an Application are OutOfSync: for each field the value that the sources want, the
live value, who wrote that, when, and how it came about.

The Application, its project, argocd-cm and the Secrets of repositories are read from the cluster of the
current kubeconfig, the sources from their repositories, and each object is compared as the operator
compares it; nothing is changed. Dry runs need the permission to patch the objects. Values of Secrets
are masked, and equal ones have equal masks.

The command ends with 0 when nothing differs, with 1 when something does, and with 2 after an error.`

const diffExample = `  tiphys diff guestbook
  tiphys diff guestbook -n team-a --revision my-branch
  tiphys diff guestbook -o json | jq '.[].differences[] | select(.class == "EditedByHand")'`

// diffOptions are the flags of the command.
type diffOptions struct {
	namespace, controlNamespace string
	revisions                   []string
	output                      string
	localRemotes                bool
}

// objectDiff is one object that is OutOfSync; the field names are those of the JSON output.
type objectDiff struct {
	Group     string `json:"group,omitempty"`
	Version   string `json:"version"`
	Kind      string `json:"kind"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`

	refresh.Explanation
}

func diffCommand() *cobra.Command {
	o := &diffOptions{}
	command := &cobra.Command{
		Use:     "diff APPLICATION",
		Short:   "Print why the objects of an Application are OutOfSync",
		Long:    diffLong,
		Example: diffExample,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.output != "" && o.output != "json" {
				return fmt.Errorf("-o %s: the output is json, or lines without -o", o.output)
			}
			return o.run(cmd, args[0])
		},
	}
	flags := command.Flags()
	flags.StringVarP(&o.namespace, "namespace", "n", "argocd", "namespace of the Application")
	flags.StringVar(&o.controlNamespace, "control-namespace", "argocd", "namespace of the operator, with the projects, argocd-cm and the Secrets of repositories")
	flags.StringArrayVar(&o.revisions, "revision", nil, "revision of the first source; given again, those of the next ones; an empty one is that of the source")
	flags.StringVarP(&o.output, "output", "o", "", "json for an array of objects")
	flags.BoolVar(&o.localRemotes, "allow-local-remotes", false, "let files and charts that a repository names come from loopback and link-local addresses")
	return failsWith(failedCode, command)
}

// run compares, prints, and ends with an error that has no text but a code when something differs.
func (o *diffOptions) run(cmd *cobra.Command, name string) error {
	installed, err := connect(cmd.Context(), o.controlNamespace)
	if err != nil {
		return err
	}
	subject, err := installed.subject(cmd.Context(), o.namespace, name)
	if err != nil {
		return err
	}
	differing, err := o.differences(cmd.Context(), installed, subject)
	for _, warning := range append(installed.warnings, subject.warnings...) {
		if _, err := fmt.Fprintln(cmd.ErrOrStderr(), "Warning:", warning); err != nil {
			return err
		}
	}
	if err != nil {
		return err
	}
	if err := printDiff(cmd.OutOrStdout(), differing, o.output); err != nil {
		return err
	}
	if len(differing) > 0 {
		return &exitError{fmt.Errorf("objects of Application %s that are not as its sources want them: %d", name, len(differing)), differsCode}
	}
	return nil
}

// differences are the objects that are OutOfSync.
func (o *diffOptions) differences(ctx context.Context, installed *installed, subject *subject) ([]objectDiff, error) {
	state, err := o.target(ctx, installed, subject)
	if err != nil {
		return nil, err
	}
	req, err := installed.request(ctx, subject, state)
	if err != nil {
		return nil, err
	}
	comparison := new(refresh.Memory).Compare(ctx, req)
	if comparison.Err != nil {
		return nil, conditionError(argov1.ConditionComparisonError, comparison.Err)
	}
	differing := []objectDiff{}
	if explanation := req.Namespace.Explain(); explanation != nil {
		differing = append(differing, objectDiff{Version: "v1", Kind: "Namespace", Name: req.Namespace.Name, Explanation: *explanation})
	}
	for _, row := range comparison.Rows {
		explanation, err := refresh.Explain(ctx, req, comparison.Rules, row, installed.settings.MaskAnnotations)
		if err != nil {
			return nil, err
		}
		if explanation == nil {
			continue
		}
		obj := row.Target
		if obj == nil {
			obj = row.Live
		}
		differing = append(differing, objectDiff{
			Group: row.Key.Group, Version: obj.GroupVersionKind().Version, Kind: row.Key.Kind, Namespace: row.Key.Namespace, Name: row.Key.Name,
			Explanation: *explanation,
		})
	}
	return differing, nil
}

// target renders the sources.
func (o *diffOptions) target(ctx context.Context, installed *installed, subject *subject) (*target.State, error) {
	req := installed.settings.Target(&subject.app.Spec, subject.app.InstanceName(installed.namespace))
	if len(o.revisions) > len(req.Sources) {
		return nil, fmt.Errorf("--revision is given %d times for an Application of %d sources", len(o.revisions), len(req.Sources))
	}
	req.Revisions, req.Scope.Namespaced, req.Cluster = o.revisions, installed.namespaced, installed.versions
	repositories, closeRepositories, err := openRepositories(subject.credentials, o.localRemotes)
	if err != nil {
		return nil, err
	}
	defer closeRepositories()
	state, err := build(ctx, repositories, req)
	if err != nil {
		return nil, conditionError(argov1.ConditionComparisonError, target.LoadError(err))
	}
	for _, condition := range state.Conditions {
		found := conditionError(condition.Type, errors.New(condition.Message))
		if condition.Type == argov1.ConditionInvalidSpecError {
			return nil, found
		}
		subject.warnings = append(subject.warnings, found)
	}
	return state, nil
}

func printDiff(out io.Writer, differing []objectDiff, output string) error {
	if output == "json" {
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		encoder.SetEscapeHTML(false)
		return encoder.Encode(differing)
	}
	var text strings.Builder
	for _, object := range differing {
		key := resource.Key{Group: object.Group, Kind: object.Kind, Namespace: object.Namespace, Name: object.Name}
		_, _ = fmt.Fprintf(&text, "%s %s\n", key.GroupKind(), strings.TrimPrefix(object.Namespace+"/"+object.Name, "/"))
		if object.Refusal != "" {
			_, _ = fmt.Fprintf(&text, "  the API server would not apply it: %s\n", onOneLine.Replace(object.Refusal))
		}
		for _, difference := range object.Differences {
			describe(&text, difference)
		}
	}
	_, err := io.WriteString(out, text.String())
	return err
}

// describe writes the lines of one difference.
func describe(text *strings.Builder, d diff.Difference) {
	if d.Path == "" {
		whole := "it is not in the cluster"
		if d.Class == diff.ClassNotInGit {
			whole = "it is no longer in Git; a sync with prune deletes it"
		}
		_, _ = fmt.Fprintf(text, "  %s\n", whole)
		return
	}
	_, _ = fmt.Fprintf(text, "  %s: %s\n", d.Path, d.Reason())
	for _, value := range []struct {
		name string
		is   any
	}{{"in Git: ", d.Target}, {"live:   ", d.Live}, {"applied: ", d.Applied}} {
		if value.is != nil {
			_, _ = fmt.Fprintf(text, "    %s%s\n", value.name, valueText(value.is))
		}
	}
}

// valueText is a value on one line.
func valueText(value any) string {
	if plain, ok := value.(string); ok && plain != "" && strings.TrimSpace(plain) == plain {
		return onOneLine.Replace(plain)
	}
	data, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprint(value)
	}
	return string(data)
}
