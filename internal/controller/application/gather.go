package application

import (
	"context"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/diff"
	"github.com/tiphys-io/tiphys/internal/plan"
	"github.com/tiphys-io/tiphys/internal/refresh"
	"github.com/tiphys-io/tiphys/internal/resource"
)

// planInput gathers what the planner looks at.
func (r *Reconciler) planInput(ctx context.Context, s *scope) (plan.Input, error) {
	state := s.app.Status.OperationState
	op := effective(state)
	in := plan.Input{
		Options: s.planOptions(op),
		Results: state.SyncResult.Resources, Phase: state.Phase, Message: state.Message, Health: s.gate,
	}
	for _, row := range s.comparison.Rows {
		object := plan.Object{Target: row.Target, Live: row.Live, Modified: row.Modified, SelfReferenced: row.SelfReferenced}
		var err error
		if row.Target != nil && row.Live != nil && op.SyncOptions.Has("RespectIgnoreDifferences=true") {
			if object.Target, err = diff.RespectIgnored(row.Target, row.Live, s.comparison.Rules); err != nil {
				return plan.Input{}, fmt.Errorf("%s: %w", row.Key, err)
			}
		}
		if object.Rejected, err = r.rejected(s, row, op); err != nil {
			return plan.Input{}, err
		}
		if r.Invalid != nil && row.Target != nil && len(in.Results) == 0 { // only the dry run, before the first result, asks
			object.Invalid = r.Invalid(row.Target)
		}
		if asksForOccupants(state, op, row) {
			object.Occupants = r.occupants(ctx, s, row.Key.Name)
		}
		in.Objects = append(in.Objects, object)
	}
	if op.SyncOptions.Has("CreateNamespace=true") {
		var err error
		if in.Namespace.Live, err = r.namespace(ctx, in.Options.Namespace); err != nil {
			return plan.Input{}, err
		}
		if policy := s.app.Spec.SyncPolicy; policy != nil {
			in.Namespace.Metadata = policy.ManagedNamespaceMetadata
		}
	}
	return in, nil
}

func (s *scope) planOptions(op *argov1.SyncOperation) plan.Options {
	state := s.app.Status.OperationState
	return plan.Options{
		Prune: op.Prune, DryRun: op.DryRun, Force: forced(op.SyncStrategy), SyncOptions: op.SyncOptions, Resources: op.Resources,
		WithoutHooks: op.SyncStrategy != nil && op.SyncStrategy.Apply != nil,
		StartedAt:    state.StartedAt.Time, Approved: s.approval(), Namespace: s.app.Spec.Destination.Namespace,
		MigrationManager: s.app.Annotations[argov1.AnnotationMigrationManager],
		Revision:         s.firstRevision(),
	}
}

// firstRevision is the resolved revision of the first source, empty without sources.
func (s *scope) firstRevision() string {
	if revisions := s.memory.state.Revisions; len(revisions) > 0 {
		return revisions[0]
	}
	return ""
}

func forced(strategy *argov1.SyncStrategy) bool {
	return strategy != nil && ((strategy.Apply != nil && strategy.Apply.Force) || (strategy.Hook != nil && strategy.Hook.Force))
}

// gate is the health that a wave waits for.
func (s *scope) gate(obj *unstructured.Unstructured) (argov1.HealthStatusCode, string, bool) {
	status := s.settings.Health.Gate(obj)
	if status == nil {
		return "", "", false
	}
	return status.Status, status.Message, true
}

// rejected says why an object may not be synced (contract 2.4 step 2); zero when it may. A kind that a definition of the same
// sync makes known is not unknown.
func (r *Reconciler) rejected(s *scope, row refresh.Row, op *argov1.SyncOperation) (plan.Rejection, error) {
	if row.UnknownKind {
		tolerated := op.SyncOptions.Has("SkipDryRunOnMissingResource=true") || resource.HasOption(row.Target, "SkipDryRunOnMissingResource=true")
		if tolerated || s.definesKind(row.Key) {
			return plan.Rejection{}, nil
		}
		return r.unknownKind(row), nil
	}
	namespaced, ok := s.namespaced[row.Key]
	if !ok {
		obj := row.Target
		if obj == nil {
			obj = row.Live
		}
		var err error
		if namespaced, err = r.Conn.Namespaced(obj.GroupVersionKind()); err != nil {
			return plan.Rejection{}, fmt.Errorf("looking up kind %s: %w", row.Key.GroupKind(), err)
		}
		s.namespaced[row.Key] = namespaced
	}
	if row.Hook && row.SharedWith != "" {
		message := fmt.Sprintf("hook %s/%s would take the place of an object of application %s: give it another name", row.Key.Kind, row.Key.Name, row.SharedWith)
		return plan.Rejection{Reason: message, Message: message}, nil
	}
	message := r.Permissions.Object(s.project, row.Key, namespaced)
	return plan.Rejection{Reason: message, Message: message}, nil
}

// unknownKind tells that a kind is not served, with a hint at the version that is (contract 2.5, B 7).
func (r *Reconciler) unknownKind(row refresh.Row) plan.Rejection {
	gvk := row.Target.GroupVersionKind()
	kind := gvk.Group + "/" + gvk.Kind
	where := row.Key.Namespace + "/" + row.Key.Name
	if _, err := r.Conn.Discovery.ServerResourcesForGroupVersion(gvk.GroupVersion().String()); err == nil {
		message := fmt.Sprintf("%s.%s %q not found", gvk.Kind, gvk.Group, "")
		return plan.Rejection{Reason: message, Message: message}
	}
	rejection := plan.Rejection{
		Reason: fmt.Sprintf("failed to discover server resources for group version %s: the server could not find the requested resource", gvk.GroupVersion()),
		Message: fmt.Sprintf("The Kubernetes API could not find %s for requested resource %s. Make sure the %q CRD is installed on the destination cluster.",
			kind, where, gvk.Kind),
	}
	if other, err := r.Conn.Mapper.RESTMapping(gvk.GroupKind()); err == nil {
		rejection.Message = fmt.Sprintf("The Kubernetes API could not find version %q of %s for requested resource %s. Version %q of %s is installed on the destination cluster.",
			gvk.Version, kind, where, other.GroupVersionKind.Version, kind)
	}
	return rejection
}

func (s *scope) definesKind(key resource.Key) bool {
	return slices.ContainsFunc(s.comparison.Rows, func(row refresh.Row) bool {
		if row.Target == nil || row.Key.Kind != "CustomResourceDefinition" {
			return false
		}
		group, _, _ := unstructured.NestedString(row.Target.Object, "spec", "group")
		kind, _, _ := unstructured.NestedString(row.Target.Object, "spec", "names", "kind")
		return group == key.Group && kind == key.Kind
	})
}

// namespace reads a namespace; nil when it is missing.
func (r *Reconciler) namespace(ctx context.Context, name string) (*unstructured.Unstructured, error) {
	namespace, err := r.Conn.Dynamic.Resource(schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil //nolint:nilnil // a missing namespace is an answer
	}
	if err != nil {
		return nil, fmt.Errorf("reading namespace %s: %w", name, err)
	}
	return namespace, nil
}

// approval is the time of the user's consent to deletions, zero when there is none (contract 1.10).
func (s *scope) approval() time.Time {
	approved, err := time.Parse(time.RFC3339, s.app.Annotations[argov1.AnnotationDeletionApproved])
	if err != nil {
		return time.Time{}
	}
	return approved
}

// asksForOccupants tells whether it matters what lives in a namespace: it is about to be pruned, and nobody has said that it
// may be or must not be.
func asksForOccupants(state *argov1.OperationState, op *argov1.SyncOperation, row refresh.Row) bool {
	if state.Phase != argov1.OperationRunning || !op.Prune || row.Target != nil || !row.SelfReferenced || row.Key.Kind != "Namespace" || row.Key.Group != "" {
		return false
	}
	return !slices.ContainsFunc([]string{"Prune=true", "Prune=false", "Prune=confirm"}, func(option string) bool {
		return resource.HasOption(row.Live, option) || op.SyncOptions.Has(option)
	})
}

// occupants names what of others a deletion of a namespace would take along; empty when there is nothing. A namespace whose
// content cannot be listed counts as one in which others live.
func (r *Reconciler) occupants(ctx context.Context, s *scope, namespace string) string {
	keys, err := r.Watcher.Occupants(ctx, namespace, s.instance)
	if err != nil {
		return "what cannot be listed (" + err.Error() + ")"
	}
	if len(keys) == 0 {
		return ""
	}
	text := keys[0].Kind + "/" + keys[0].Name
	if more := len(keys) - 1; more > 0 {
		text += fmt.Sprintf(" and %d more objects", more)
	}
	return text + " of others"
}
