package application

import (
	"context"
	"fmt"
	"hash/fnv"
	"reflect"
	"strconv"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/controller/outcome"
	"github.com/tiphys-io/tiphys/internal/render"
)

// admit normalises the spec and checks it against its project; what is wrong stops the reconcile before anything is
// fetched, compared or changed (contract 1.7 and 1.8).
func (r *Reconciler) admit(ctx context.Context, s *scope) error {
	normalize(&s.app.Spec)
	s.evaluated = append(s.evaluated, argov1.ConditionInvalidSpecError)
	violations := r.validate(&s.app.Spec)
	if len(violations) == 0 {
		var err error
		if violations, err = r.permitted(ctx, s); err != nil {
			return err
		}
	}
	if len(violations) == 0 {
		return nil
	}
	for _, message := range violations {
		s.raise(argov1.ConditionInvalidSpecError, message)
	}
	s.app.Status.Sync.Status = argov1.SyncStatusUnknown
	s.setHealth(argov1.HealthUnknown, "")
	reasons := make([]string, len(violations))
	for i, message := range violations {
		reasons[i] = string(argov1.ConditionInvalidSpecError) + ": " + message
	}
	err := r.abort(ctx, s, strings.Join(reasons, ";"), r.resolvePermitted(ctx, s)...)
	s.unfinished = false
	if err != nil {
		return err
	}
	if state := s.app.Status.OperationState; s.app.Operation != nil && state != nil && state.FinishedAt != nil {
		return outcome.Waiting(max(retryAt(state).Sub(r.Now()), atOnce))
	}
	return outcome.Waiting(max(s.settings.Timeout, 0))
}

// permitted looks up the project and asks it.
func (r *Reconciler) permitted(ctx context.Context, s *scope) ([]string, error) {
	err := r.readProject(ctx, s)
	if apierrors.IsNotFound(err) {
		return []string{fmt.Sprintf("Application referencing project %s which does not exist", s.app.Spec.GetProject())}, nil
	}
	if err != nil {
		return nil, err
	}
	return r.Permissions.Application(s.app, s.project), nil
}

// validate finds what is wrong with a spec by itself.
func (r *Reconciler) validate(spec *argov1.ApplicationSpec) []string {
	violations := r.validateDestination(spec.Destination)
	sources := spec.GetSources()
	if len(sources) == 0 {
		violations = append(violations, "spec.source or spec.sources is required")
	}
	for i, source := range sources {
		where := "spec.source"
		if spec.HasMultipleSources() {
			where = "spec.sources[" + strconv.Itoa(i) + "]"
		}
		if source.RepoURL == "" || (source.Path == "" && source.Chart == "" && source.Ref == "") {
			violations = append(violations, fmt.Sprintf("%[1]s.repoURL and either %[1]s.path or %[1]s.chart are required", where))
		}
		if source.Plugin != nil {
			violations = append(violations, where+".plugin: "+render.PluginProblem)
		}
	}
	return violations
}

func (r *Reconciler) validateDestination(destination argov1.ApplicationDestination) []string {
	switch {
	case destination.Server != "" && destination.Name != "":
		return []string{fmt.Sprintf("application destination can't have both name and server defined: %s %s", destination.Name, destination.Server)}
	case destination.Server == "" && destination.Name == "":
		return []string{"Destination server missing from app spec"}
	case destination.Server != "" && destination.Server != r.Conn.Server:
		return []string{fmt.Sprintf("error getting cluster by server %q: cluster %[1]q not found", destination.Server)}
	case destination.Name != "" && destination.Name != r.Conn.Name:
		return []string{fmt.Sprintf("there are no clusters with this name: %s", destination.Name)}
	}
	return nil
}

// normalize removes what says nothing and writes what is implied (contract 1.7).
func normalize(spec *argov1.ApplicationSpec) {
	spec.Project = spec.GetProject()
	if spec.SyncPolicy != nil && reflect.DeepEqual(*spec.SyncPolicy, argov1.SyncPolicy{}) {
		spec.SyncPolicy = nil
	}
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

// hash spreads values; it is no secret.
func hash(text string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(text))
	return h.Sum64()
}
