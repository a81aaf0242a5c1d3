package application

import (
	"context"
	"fmt"
	"slices"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/live"
	"github.com/tiphys-io/tiphys/internal/policy"
	"github.com/tiphys-io/tiphys/internal/refresh"
	"github.com/tiphys-io/tiphys/internal/resource"
)

// orphanInterval is how often a destination namespace is searched for orphaned objects at most, unless somebody asks for a
// refresh. Kinds that no application uses are not watched (design decision 3), so that this is a search and no event.
const orphanInterval = 5 * time.Minute

// orphans warns of the objects in the destination namespace that belong to no application, if the project asks for it
// (contract 3.5). Where they cannot be listed, what was said before stays, and the next refresh asks again.
func (r *Reconciler) orphans(ctx context.Context, s *scope) {
	namespace := s.app.Spec.Destination.Namespace
	if s.project == nil || !s.project.Spec.OrphanedResources.Warns() || namespace == "" {
		s.evaluated = append(s.evaluated, argov1.ConditionOrphanedResourceWarning)
		return
	}
	ask := live.Orphans{Namespace: namespace, MaxAge: orphanInterval, Excluded: s.settings.Excluded, ExcludedVersion: s.settings.ExcludedVersion}
	if s.requested {
		ask.MaxAge = 0
	}
	found, err := r.Watcher.Orphans(ctx, ask)
	if err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "the warning about orphaned resources stays as it was; kinds that may not be listed can be excluded by resource.exclusions")
		return
	}
	s.evaluated = append(s.evaluated, argov1.ConditionOrphanedResourceWarning)
	if count := s.countOrphans(found); count > 0 {
		s.raise(argov1.ConditionOrphanedResourceWarning, fmt.Sprintf("Application has %d orphaned resources", count))
	}
}

// countOrphans counts what the project does not ignore, and what has not become the application's since it was listed.
func (s *scope) countOrphans(found []resource.Key) int {
	count := 0
	for _, key := range found {
		_, own := slices.BinarySearchFunc(s.comparison.Rows, key, func(row refresh.Row, key resource.Key) int { return row.Key.Compare(key) })
		object := policy.Object{GroupKind: key.GroupKind(), Namespace: key.Namespace, Name: key.Name, Namespaced: true}
		if !own && policy.CountsAsOrphaned(s.project, object) {
			count++
		}
	}
	return count
}
