package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/credentials"
	"github.com/tiphys-io/tiphys/internal/installation"
	"github.com/tiphys-io/tiphys/internal/source/connection"
	"github.com/tiphys-io/tiphys/internal/source/folder"
	"github.com/tiphys-io/tiphys/internal/source/git"
	"github.com/tiphys-io/tiphys/internal/source/helmrepo"
	"github.com/tiphys-io/tiphys/internal/target"
)

// failedCode is the code with which a preview ends that could not be made; 1 is for one that found differences.
const failedCode = 2

const renderLong = `Print the manifests of an Application as the operator would apply them, without a cluster.

The sources are read from their repositories, or the first of them from a folder with --local. The
manifests are placed in their namespaces, of several with one key the last counts, and each carries the
mark (annotation or label) by which the operator knows it again. Secrets are printed as they are.

What only a cluster knows is left out: the AppProject is not asked, charts see the versions of
spec.source.helm, and a kind that is neither one of Kubernetes nor defined among the manifests is taken
for one that lives in namespaces.

The command ends with 0, or with 2 and the error that the condition of the Application would show.
Nothing is printed then but the error. Warnings go to the standard error.`

const renderExample = `  tiphys render guestbook.yaml
  tiphys render guestbook.yaml --local .                  # the repository is the current folder
  tiphys render guestbook.yaml --revision my-branch | kubectl diff -f -
  kubectl get application guestbook -n argocd -o yaml | tiphys render - --argocd-cm argocd-cm.yaml
  kubectl get secrets -n argocd -l argocd.argoproj.io/secret-type -o yaml >secrets.yaml
  tiphys render private.yaml --repo-secrets secrets.yaml`

// renderOptions are the flags of the command.
type renderOptions struct {
	local, configMap, secrets string
	namespace                 string
	revisions                 []string
	localRemotes              bool
}

func renderCommand() *cobra.Command {
	o := &renderOptions{}
	command := &cobra.Command{
		Use:     "render APPLICATION.yaml",
		Short:   "Print the manifests of an Application, without a cluster",
		Long:    renderLong,
		Example: renderExample,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.run(cmd, args[0])
		},
	}
	flags := command.Flags()
	flags.StringVar(&o.local, "local", "", "a folder that is read in the place of the first source's repository, whose root it is")
	flags.StringArrayVar(&o.revisions, "revision", nil, "revision of the first source; given again, those of the next ones; an empty one is that of the source")
	flags.StringVar(&o.configMap, "argocd-cm", "", "a file with the ConfigMap argocd-cm, whose settings are used")
	flags.StringVar(&o.secrets, "repo-secrets", "", "a file with the Secrets of repositories, and argocd-tls-certs-cm and argocd-ssh-known-hosts-cm if they are needed")
	flags.StringVar(&o.namespace, "namespace", "argocd", "control namespace: the objects of Applications elsewhere are marked with the namespace, too")
	flags.BoolVar(&o.localRemotes, "allow-local-remotes", false, "let files, charts and repositories that a repository names come from loopback and link-local addresses")
	return failsWith(failedCode, command)
}

// run reads what the command is about, and prints it.
func (o *renderOptions) run(cmd *cobra.Command, file string) error {
	if file == stdin && o.secrets == stdin {
		return errStdinTwice
	}
	app, warnings, err := readApplication(file, cmd.InOrStdin())
	if err != nil {
		return err
	}
	settings, problems, err := readSettings(o.configMap)
	if err != nil {
		return err
	}
	state, err := o.load(cmd.Context(), cmd.InOrStdin(), app, settings)
	if err != nil {
		return err
	}
	warnings = append(warnings, problems...)
	for _, condition := range state.Conditions {
		found := conditionError(condition.Type, errors.New(condition.Message))
		if condition.Type == argov1.ConditionInvalidSpecError {
			return found
		}
		warnings = append(warnings, found)
	}
	for _, warning := range warnings {
		if _, err := fmt.Fprintln(cmd.ErrOrStderr(), "Warning:", warning); err != nil {
			return err
		}
	}
	return printTargets(cmd.OutOrStdout(), state.Objects)
}

// conditionError shows an error as the condition of an Application does.
func conditionError(condition argov1.ApplicationConditionType, err error) error {
	return fmt.Errorf("%s: %w", condition, err)
}

// load reads and renders the sources.
func (o *renderOptions) load(ctx context.Context, input io.Reader, app *argov1.Application, settings installation.Settings) (*target.State, error) {
	target.NormalizeSources(&app.Spec)
	if problems := target.SpecProblems(&app.Spec); len(problems) > 0 {
		return nil, conditionError(argov1.ConditionInvalidSpecError, errors.New(strings.Join(problems, "; ")))
	}
	req := settings.Target(&app.Spec, app.InstanceName(o.namespace))
	if len(o.revisions) > len(req.Sources) {
		return nil, fmt.Errorf("--revision is given %d times for an Application of %d sources", len(o.revisions), len(req.Sources))
	}
	kinds := newScopes()
	req.Revisions, req.Scope.Namespaced = o.revisions, kinds.namespaced
	if o.local != "" {
		tree, err := folder.Open(o.local)
		if err != nil {
			return nil, fmt.Errorf("--local: %w", err)
		}
		defer func() { _ = tree.Close() }() // it was only read
		req.Local = tree
		if err := o.checkRoot(tree, req.Sources[0].Path); err != nil {
			return nil, err
		}
	}
	repositories, closeRepositories, err := o.repositories(input)
	if err != nil {
		return nil, err
	}
	defer closeRepositories()
	state, err := build(ctx, repositories, req)
	if err != nil {
		return nil, conditionError(argov1.ConditionComparisonError, target.LoadError(err))
	}
	if state.HasUnknownKinds() && kinds.learn(state.Objects) {
		return state.Relocate(req.Scope)
	}
	return state, nil
}

func build(ctx context.Context, rendering target.Rendering, req target.Request) (*target.State, error) {
	revisions, err := target.Resolve(ctx, rendering, req)
	if err != nil {
		return nil, err
	}
	return target.Build(ctx, rendering, req, revisions)
}

// checkRoot finds that somebody gave the folder of the application, as for the argocd command, and not that of the repository.
func (o *renderOptions) checkRoot(tree fs.FS, sourcePath string) error {
	inside := path.Clean(sourcePath)
	if !fs.ValidPath(inside) || inside == "." {
		return nil
	}
	dir, err := filepath.Abs(o.local)
	if err != nil {
		return fmt.Errorf("--local: %w", err)
	}
	root, isInside := strings.CutSuffix(filepath.ToSlash(dir), "/"+inside)
	if _, err := fs.Stat(tree, inside); !isInside || !errors.Is(err, fs.ErrNotExist) {
		return nil // a path that is not there is told by the renderer, as the operator would
	}
	return fmt.Errorf("--local %s: it has no folder %s: give the root of the repository, which is %s", o.local, inside, root)
}

// repositories makes what reads and renders; what it keeps on disk is removed when it is closed.
func (o *renderOptions) repositories(input io.Reader) (*target.Repositories, func(), error) {
	set, err := readCredentials(o.secrets, input)
	if err != nil {
		return nil, nil, err
	}
	return openRepositories(set, o.localRemotes)
}

// openRepositories makes what reads and renders with the credentials of a set.
func openRepositories(set *credentials.Set, localRemotes bool) (*target.Repositories, func(), error) {
	cache, err := os.MkdirTemp("", "tiphys-render-")
	if err != nil {
		return nil, nil, err
	}
	access := func(_ context.Context, repoURL, project string) (credentials.Access, error) {
		return set.For(repoURL, project)
	}
	var guard *connection.Guard
	if !localRemotes {
		guard = &connection.Guard{}
	}
	charts := helmrepo.Options{ResolveTTL: time.Minute, Access: access, Guard: guard, Named: func(_ context.Context, name, project string) (string, error) {
		return set.Named(name, project), nil
	}}
	opened, err := target.Open(target.Options{Git: git.Options{Dir: cache, ResolveTTL: time.Minute, Access: access, Guard: guard}, Charts: charts})
	if err != nil {
		return nil, nil, errors.Join(err, os.RemoveAll(cache))
	}
	return opened, func() {
		opened.Close()
		_ = os.RemoveAll(cache) // temporary; what is left there harms nobody
	}, nil
}

// printTargets prints objects as a stream of YAML documents.
func printTargets(out io.Writer, objects []target.Object) error {
	for i, object := range objects {
		data, err := yaml.Marshal(object.Target.Object)
		if err != nil {
			return fmt.Errorf("%s: %w", object.Key, err)
		}
		separator := "---\n"
		if i == 0 {
			separator = ""
		}
		if _, err := io.WriteString(out, separator+string(data)); err != nil {
			return err
		}
	}
	return nil
}
