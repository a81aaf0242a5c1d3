package refresh

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/diff"
	"github.com/tiphys-io/tiphys/internal/resource"
)

// judge compares a pair and sets its row. Known tells that the result holds until one of the objects changes; a server that
// could not be asked is asked again.
//
// A dry run that fails for a reason that an apply would meet too is a difference that only a sync can report; one that could
// not be asked is an error.
func (m *Memory) judge(ctx context.Context, req Request, row *Row) (known bool, err error) {
	row.Status, row.Modified = argov1.SyncStatusOutOfSync, true
	found, err := liveAs(ctx, req, row)
	if err != nil {
		return false, err
	}
	if found == nil {
		return row.Live == nil, nil
	}
	abandoned := diff.Abandoned(row.Target, found)
	if !abandoned && !diff.Local(row.Target, found) {
		row.Status, row.Modified = argov1.SyncStatusSynced, false
		return true, nil
	}
	predicted, err := req.Predict(ctx, row.Target)
	switch {
	case err == nil:
		row.Modified = abandoned || diff.Changed(found, predicted)
	case refused(err):
		predicted = nil
	default:
		return false, err
	}
	if !row.Modified {
		row.Status = argov1.SyncStatusSynced
		return true, nil
	}
	sides, err := sidesOf(req, m.rules.For(row.Key), row.Target, found, predicted)
	if err != nil {
		return true, err
	}
	if !sides.Differ() {
		row.Status = argov1.SyncStatusSynced
	}
	return true, nil
}

// liveAs is the live object in the version of the target; nil when there is none. A watch serves one version of a kind, and
// objects in different versions cannot be compared.
func liveAs(ctx context.Context, req Request, row *Row) (*unstructured.Unstructured, error) {
	if row.Live == nil || row.Target == nil || row.Live.GetAPIVersion() == row.Target.GetAPIVersion() || req.Read == nil {
		return row.Live, nil
	}
	found, err := req.Read(ctx, row.Target)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	return found, err
}

// sidesOf takes those differences away that do not count: ignored fields, and a mark that is expected of objects from before
// the tracking method changed (contract 3.3, B18). Predicted is nil when the server would not say.
func sidesOf(req Request, view *diff.View, wanted, found, predicted *unstructured.Unstructured) (diff.Sides, error) {
	target, live, err := view.Align(wanted, found)
	if err != nil {
		return diff.Sides{}, err
	}
	req.Tracker.Migrate(live, wanted)
	sides := diff.Sides{Target: target, Live: live}
	if predicted == nil {
		return sides, nil
	}
	if sides.Predicted, _, err = view.Align(predicted, found); err != nil {
		return diff.Sides{}, err
	}
	req.Tracker.Migrate(sides.Predicted, wanted)
	return sides, nil
}

// refused tells whether the server understood the question and would not apply the object.
func refused(err error) bool {
	return apierrors.IsInvalid(err) || apierrors.IsBadRequest(err) || apierrors.IsForbidden(err) || apierrors.IsConflict(err) ||
		apierrors.IsNotFound(err) || apierrors.IsRequestEntityTooLargeError(err) || resource.IsUntypable(err)
}
