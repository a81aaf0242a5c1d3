package replay

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"k8s.io/client-go/rest"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/test/fixture"
)

// Options say what cases run on.
type Options struct {
	// Config is the control plane, as a user who may do everything. One controller of Applications runs there.
	Config *rest.Config
	// AuditLog is the file of fixture.ControlPlaneOptions; the order of writes is read from it.
	AuditLog string
	// Git serves the repositories of the cases.
	Git *fixture.GitServer
	// Sources is the folder that "from" of a commit is taken from.
	Sources string
	// Namespace holds the Applications. Default: argocd.
	Namespace string
	// Patience is how many times as long as in the recordings nothing may change before a status is recorded; default 1. A
	// machine that does other things at the same time needs more.
	Patience int
}

// Runner runs cases. Several may run at the same time.
type Runner struct {
	options      Options
	cluster      *cluster
	applications *applications
}

// New connects to the control plane and follows its Applications until ctx ends.
func New(ctx context.Context, options Options) (*Runner, error) {
	if options.Namespace == "" {
		options.Namespace = "argocd"
	}
	options.Patience = max(options.Patience, 1)
	cluster, err := newCluster(options.Config)
	if err != nil {
		return nil, err
	}
	applications, err := followApplications(ctx, cluster.dynamic, options.Namespace)
	if err != nil {
		return nil, err
	}
	return &Runner{options: options, cluster: cluster, applications: applications}, nil
}

// caseTimeout bounds one case as a whole: the slowest of the recorded ones needs a third of it.
const caseTimeout = 5 * time.Minute

// Run drives one case and returns its record, a JSON document. There may be a record and an error, when the case left
// something behind that could not be removed.
func (r *Runner) Run(ctx context.Context, declared Case) ([]byte, error) {
	s, err := r.newSession(declared)
	if err != nil {
		return nil, fmt.Errorf("case %s: %w", declared.Name, err)
	}
	record, err := s.timed(ctx)
	// What a case leaves behind would disturb others, also when its time is up.
	if err = errors.Join(err, s.cleanUp(context.WithoutCancel(ctx))); err != nil {
		err = fmt.Errorf("case %s: %w", declared.Name, err)
	}
	return record, err
}

func (s *session) timed(ctx context.Context) ([]byte, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, caseTimeout, fmt.Errorf("not done after %s", caseTimeout))
	defer cancel()
	record, err := s.run(ctx)
	if err = errors.Join(err, context.Cause(ctx)); err != nil {
		return nil, err
	}
	return s.normalise(record)
}

// session is one case under way.
type session struct {
	*Runner
	c          Case
	git        *fixture.Repository
	commits    []string
	namespaces []string          // All that are looked at, that of the case first.
	suffixes   []string          // Of the Applications, in the order in which they are declared.
	names      map[string]string // Suffix to name.
	inventory  *inventory
}

func (r *Runner) newSession(declared Case) (*session, error) {
	git := r.options.Git.Repository(declared.Name)
	c, err := declared.filled(git.URL(), r.options.Git.URL())
	if err != nil {
		return nil, err
	}
	s := &session{Runner: r, c: c, git: git, names: map[string]string{}, inventory: newInventory()}
	s.namespaces = append(append([]string{c.namespace()}, c.Namespaces...), c.Watch...)
	for _, app := range append([]Application{{}}, c.Apps...) {
		s.suffixes = append(s.suffixes, app.Suffix)
		s.names[app.Suffix] = strings.TrimSuffix(c.Name+"-"+app.Suffix, "-")
	}
	return s, nil
}

// made are the namespaces that the case makes.
func (s *session) made() []string { return s.namespaces[:1+len(s.c.Namespaces)] }

func (s *session) app(suffix string) *argov1.Application {
	application, _ := s.applications.get(s.names[suffix])
	return application
}

func (s *session) patch(ctx context.Context, suffix string, body map[string]any) error {
	return s.applications.patch(ctx, s.names[suffix], body)
}

func (s *session) run(ctx context.Context) (*record, error) {
	for _, name := range s.namespaces {
		namespace := Object{APIVersion: "v1", Kind: "Namespace", Name: name}
		if !s.cluster.gone(ctx, namespace, time.Minute) {
			return nil, fmt.Errorf("namespace %s of an earlier run does not go", name)
		}
	}
	if !s.c.CreateNamespace {
		for _, name := range s.made() {
			if err := s.cluster.create(ctx, object("v1", "Namespace", name, ""), ""); err != nil {
				return nil, err
			}
		}
	}
	for _, o := range s.c.Pre {
		if err := s.cluster.apply(ctx, o, s.c.namespace()); err != nil {
			return nil, err
		}
	}
	rec := &record{Name: s.c.Name, Area: s.c.Area}
	for _, manifest := range s.manifests() {
		rec.Application = append(rec.Application, manifest["spec"])
	}
	for i, step := range s.c.Steps {
		done, err := s.step(ctx, step, i == 0)
		if err != nil {
			return nil, fmt.Errorf("step %d: %w", i, err)
		}
		rec.Steps = append(rec.Steps, done)
	}
	if s.c.Delete == nil || *s.c.Delete {
		deletion, err := s.deletion(ctx)
		if err != nil {
			return nil, fmt.Errorf("deletion: %w", err)
		}
		rec.Delete = deletion
	}
	return rec, nil
}

func object(apiVersion, kind, name, namespace string) map[string]any {
	metadata := map[string]any{"name": name}
	if namespace != "" {
		metadata["namespace"] = namespace
	}
	return map[string]any{"apiVersion": apiVersion, "kind": kind, "metadata": metadata}
}

// manifests are the Applications of the case.
func (s *session) manifests() []map[string]any {
	var made []map[string]any
	for _, app := range append([]Application{s.c.Application}, s.c.Apps...) {
		common := map[string]any{"repoURL": s.git.URL(), "targetRevision": fixture.DefaultBranch}
		spec := map[string]any{
			"project":     "default",
			"destination": map[string]any{"server": argov1.InClusterServer, "namespace": s.c.namespace()},
		}
		if app.Sources != nil {
			var sources []any
			for _, source := range app.Sources {
				sources = append(sources, merged(common, source))
			}
			spec["sources"] = sources
		} else {
			spec["source"] = merged(common, map[string]any{"path": "app"}, app.Source)
		}
		manifest := object(argov1.GroupVersion.String(), "Application", s.names[app.Suffix], s.options.Namespace)
		metadata, _ := manifest["metadata"].(map[string]any)
		manifest["metadata"] = merged(metadata, map[string]any{"finalizers": []any{argov1.FinalizerResources}}, app.Metadata)
		manifest["spec"] = merged(spec, app.Spec)
		made = append(made, manifest)
	}
	return made
}

// merged is a map with the keys of all; the later wins.
func merged(all ...map[string]any) map[string]any {
	result := map[string]any{}
	for _, m := range all {
		maps.Copy(result, m)
	}
	return result
}
