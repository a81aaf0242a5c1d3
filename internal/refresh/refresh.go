// Package refresh compares: it brings the target state and the live objects of an application together into one Comparison.
package refresh

import (
	"context"
	"fmt"
	"time"

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
	// ManagedNamespace tells that the object is the namespace whose metadata the application manages: it needs no target.
	ManagedNamespace bool
	// UnknownKind tells that the cluster does not serve the kind.
	UnknownKind bool
	// Forbidden tells that the project does not permit the kind; Status is then Unknown, whatever the comparison found.
	Forbidden bool
	// SharedWith is the other application whose mark the live object carries.
	SharedWith string
}

// RequiresPruning tells whether the live object has left the sources (contract 3.5). A live hook never counts as wanted, so
// it shows this too; one made by generateName does not, because its mark names no object (contract B16).
func (r Row) RequiresPruning() bool {
	return (r.Target == nil || r.Hook) && r.Live != nil && r.SelfReferenced && !r.Skipped && !r.ManagedNamespace
}

// Comparison is what an application wants against what it has.
type Comparison struct {
	// Rows are sorted by key; rows of one key stay in the order of the sources.
	Rows []Row
	// Status is that of the whole application.
	Status argov1.SyncStatusCode
	// Compared is how many pairs were compared for it; the others are known from before.
	Compared int
	// Rules are the differences that were ignored, see diff.RespectIgnored; nil when Err says that they cannot be read.
	Rules *diff.Rules
	// Err is why a comparison could not be finished; all statuses are then Unknown (contract 3.5).
	Err error
}

// Ask asks the server about the object that a target describes; nothing is changed.
type Ask func(ctx context.Context, target *unstructured.Unstructured) (*unstructured.Unstructured, error)

// Request is one comparison.
type Request struct {
	State    *target.State
	Snapshot live.Snapshot
	Tracker  tracking.Tracker
	// Instance is the name under which the application marks its objects.
	Instance string
	// Predict is what an apply of a target would make of the live object.
	Predict Ask
	// Read is the live object of a target, in the version of the target; it is needed where the snapshot has another one.
	Read Ask
	// Ignore says which differences do not count. Its limit is set from JQTimeout.
	Ignore diff.Ignore
	// JQTimeout bounds the evaluation of one jq expression on one object; default one second (contract 3.4).
	JQTimeout time.Duration
	// Forbidden tells whether the project does not permit an object; nil permits all. ForbiddenVersion changes when the
	// answers may have changed.
	Forbidden        func(resource.Key) bool
	ForbiddenVersion string
	// Namespace is the namespace whose metadata the application manages, nil for none.
	Namespace *ManagedNamespace
}

// Compare compares each pair. Only pairs of which one side changed since the last call are compared again, and only those that
// then seem to differ cost a question to the server.
func (m *Memory) Compare(ctx context.Context, req Request) *Comparison {
	comparison := &Comparison{Status: argov1.SyncStatusSynced}
	ready := m.prepare(req)
	comparison.Rules = m.rules
	if m.rulesErr != nil {
		comparison.fail(m.rulesErr, 1)
	}
	var failed []error
	rows, matched := make([]Row, 0, len(m.order)), 0
	for i, at := range m.order {
		object := req.State.Objects[at]
		found := req.Snapshot[object.Key]
		if found != nil {
			matched++
		}
		pair := &m.pairs[i]
		if !pair.holds(ready, object, found) && m.renew(ctx, req, pair, object, found) && found != nil {
			comparison.Compared++
		}
		if pair.err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", object.Key, pair.err))
		}
		rows = append(rows, pair.row)
	}
	comparison.Rows = merge(rows, m.extraneous(req, ready, matched))
	if len(failed) > 0 {
		comparison.fail(failed[0], len(failed))
	}
	comparison.conclude(req.Namespace)
	return comparison
}

// fail records why the comparison is not finished; the first of several reasons speaks for all.
func (c *Comparison) fail(err error, count int) {
	if count > 1 {
		err = fmt.Errorf("%w (and %d more objects)", err, count-1)
	}
	if c.Err == nil {
		c.Err = fmt.Errorf("Failed to compare desired state to live state: %w", err) //nolint:staticcheck // the text that users of this condition know
	}
}

// conclude sets the status of the whole, and that of rows that the project forbids: these count as what they are, and are
// shown as Unknown (contract 3.5).
func (c *Comparison) conclude(namespace *ManagedNamespace) {
	if namespace != nil && namespace.Changed {
		c.Status = argov1.SyncStatusOutOfSync
	}
	if c.Err != nil {
		c.Status = argov1.SyncStatusUnknown
	}
	for i := range c.Rows {
		row := &c.Rows[i]
		if row.Status == argov1.SyncStatusOutOfSync && !row.Extraneous && c.Err == nil {
			c.Status = argov1.SyncStatusOutOfSync
		}
		if row.Forbidden || c.Err != nil {
			row.Status = argov1.SyncStatusUnknown
		}
	}
}
