package application

import (
	"context"
	"fmt"
	"hash/fnv"
	"reflect"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/controller/outcome"
	"github.com/tiphys-io/tiphys/internal/target"
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

// validate finds what is wrong with a spec, by itself and in this cluster.
func (r *Reconciler) validate(spec *argov1.ApplicationSpec) []string {
	violations := target.SpecProblems(spec)
	switch destination := spec.Destination; {
	case destination.Server != "" && destination.Name == "" && destination.Server != r.Conn.Server:
		return append([]string{fmt.Sprintf("error getting cluster by server %q: cluster %[1]q not found", destination.Server)}, violations...)
	case destination.Name != "" && destination.Server == "" && destination.Name != r.Conn.Name:
		return append([]string{fmt.Sprintf("there are no clusters with this name: %s", destination.Name)}, violations...)
	}
	return violations
}

// normalize removes what says nothing and writes what is implied (contract 1.7).
func normalize(spec *argov1.ApplicationSpec) {
	spec.Project = spec.GetProject()
	if spec.SyncPolicy != nil && reflect.DeepEqual(*spec.SyncPolicy, argov1.SyncPolicy{}) {
		spec.SyncPolicy = nil
	}
	target.NormalizeSources(spec)
}

// hash spreads values; it is no secret.
func hash(text string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(text))
	return h.Sum64()
}
