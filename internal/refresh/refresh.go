// Package refresh compares: it brings the target state and the live objects of an application together into one Comparison.
package refresh

import (
	"context"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/diff"
	"github.com/tiphys-io/tiphys/internal/live"
	"github.com/tiphys-io/tiphys/internal/resource"
	"github.com/tiphys-io/tiphys/internal/target"
	"github.com/tiphys-io/tiphys/internal/tracking"
)

// Row is one object that an application wants, has, or both.
type Row struct {
	Key    resource.Key
	Target *unstructured.Unstructured // nil when no source has it
	Live   *unstructured.Unstructured // nil when the cluster lacks it
	// Status is empty for what does not count: hooks, skipped objects, and copies of somebody else's mark (contract 3.5).
	Status argov1.SyncStatusCode
	// Modified tells that an apply of the target would change the live object, or that one side is missing. Ignored
	// differences count here: they say what is shown as OutOfSync, while a sync applies the whole target (contract 3.4).
	Modified bool
	// Hook and Skipped objects are not compared.
	Hook    bool
	Skipped bool
	// SelfReferenced tells that the mark of Live names Live itself.
	SelfReferenced bool
	// Extraneous tells that the row does not make the application OutOfSync though the object has no target.
	Extraneous bool
	// UnknownKind tells that the cluster does not serve the kind.
	UnknownKind bool
	// SharedWith is the other application whose mark the live object carries.
	SharedWith string
}

// RequiresPruning tells whether the live object has left the sources (contract 3.5). A live hook never counts as wanted, so
// it shows this too; one made by generateName does not, because its mark names no object (contract B16).
func (r Row) RequiresPruning() bool {
	return (r.Target == nil || r.Hook) && r.Live != nil && r.SelfReferenced && !r.Skipped
}

// Comparison is what an application wants against what it has.
type Comparison struct {
	// Rows are sorted by key.
	Rows []Row
	// Status is that of the whole application.
	Status argov1.SyncStatusCode
	// Err is why a comparison could not be finished; the status is then Unknown.
	Err error
}

// Predict asks the server what an apply of a target would make of the live object.
type Predict func(ctx context.Context, target *unstructured.Unstructured) (*unstructured.Unstructured, error)

// Memory keeps the verdicts of the server for one application, so that no question is asked twice. It is not safe for
// concurrent use.
type Memory struct {
	verdicts map[resource.Key]verdict
}

// verdict is the server's word on one pair.
type verdict struct {
	hash, resourceVersion string
	modified              bool
}

// Request is one comparison.
type Request struct {
	State    *target.State
	Snapshot live.Snapshot
	Tracker  tracking.Tracker
	// Instance is the name under which the application marks its objects.
	Instance string
	Predict  Predict
}

// Compare compares each pair; only pairs that changed since the last call, and that seem to differ, cost a question to the
// server.
func (m *Memory) Compare(ctx context.Context, req Request) *Comparison {
	comparison := &Comparison{Status: argov1.SyncStatusSynced}
	previous := m.verdicts
	m.verdicts = make(map[resource.Key]verdict, len(req.State.Objects))
	seen := make(map[resource.Key]struct{}, len(req.State.Objects))
	for _, object := range req.State.Objects {
		seen[object.Key] = struct{}{}
		row := Row{Key: object.Key, Target: object.Target, Live: req.Snapshot[object.Key], UnknownKind: object.Unknown}
		row.Hook, row.Skipped, row.Modified = resource.IsHook(object.Target), resource.IsSkipped(object.Target), true
		if row.Live != nil {
			row.own(req)
		}
		if !row.Hook && !row.Skipped {
			if err := m.judge(ctx, req, &row, object.Hash, previous); err != nil && comparison.Err == nil {
				comparison.Err = err
			}
		}
		comparison.add(row)
	}
	for key, obj := range req.Snapshot {
		if _, ok := seen[key]; ok {
			continue
		}
		row := Row{Key: key, Live: obj, Hook: resource.IsHook(obj), Skipped: resource.IsSkipped(obj), Modified: true}
		row.own(req)
		row.Extraneous = slices.Contains(resource.Values(obj, argov1.AnnotationCompareOptions), "IgnoreExtraneous")
		if row.SelfReferenced && !row.Hook && !row.Skipped {
			row.Status = argov1.SyncStatusOutOfSync
		}
		comparison.add(row)
	}
	slices.SortStableFunc(comparison.Rows, func(a, b Row) int { return a.Key.Compare(b.Key) })
	if comparison.Err != nil {
		comparison.Status = argov1.SyncStatusUnknown
	}
	return comparison
}

// own fills in whose the live object is.
func (r *Row) own(req Request) {
	owner, tracked := req.Tracker.Owner(r.Live)
	r.SelfReferenced = tracked && owner == req.Instance && req.Tracker.SelfReferenced(r.Live, r.Target)
	if tracked && owner != req.Instance {
		r.SharedWith = owner
	}
}

func (c *Comparison) add(row Row) {
	if row.Status == argov1.SyncStatusOutOfSync && !row.Extraneous {
		c.Status = argov1.SyncStatusOutOfSync
	}
	c.Rows = append(c.Rows, row)
}

// judge sets the status of a pair. A dry run that fails for a reason that an apply would meet too is a difference that only
// a sync can report; one that could not be asked is Unknown.
func (m *Memory) judge(ctx context.Context, req Request, row *Row, hash string, previous map[resource.Key]verdict) error {
	row.Status = argov1.SyncStatusOutOfSync
	if row.Live == nil {
		return nil
	}
	version := row.Live.GetResourceVersion()
	if known, ok := previous[row.Key]; ok && known.hash == hash && known.resourceVersion == version {
		m.verdicts[row.Key] = known
		row.set(known.modified)
		return nil
	}
	modified := diff.Local(row.Target, row.Live)
	if modified {
		predicted, err := req.Predict(ctx, row.Target)
		switch {
		case err == nil:
			modified = diff.Changed(row.Live, predicted)
		case !refused(err):
			row.Status = argov1.SyncStatusUnknown
			return fmt.Errorf("comparing %s: %w", row.Key, err)
		}
	}
	m.verdicts[row.Key] = verdict{hash: hash, resourceVersion: version, modified: modified}
	row.set(modified)
	return nil
}

func (r *Row) set(modified bool) {
	r.Modified = modified
	r.Status = argov1.SyncStatusSynced
	if modified {
		r.Status = argov1.SyncStatusOutOfSync
	}
}

// refused tells whether the server understood the question and would not apply the object.
func refused(err error) bool {
	return apierrors.IsInvalid(err) || apierrors.IsBadRequest(err) || apierrors.IsForbidden(err) || apierrors.IsConflict(err) ||
		apierrors.IsNotFound(err) || apierrors.IsRequestEntityTooLargeError(err)
}
