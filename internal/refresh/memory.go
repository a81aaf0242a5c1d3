package refresh

import (
	"context"
	"maps"
	"reflect"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/diff"
	"github.com/tiphys-io/tiphys/internal/resource"
	"github.com/tiphys-io/tiphys/internal/target"
	"github.com/tiphys-io/tiphys/internal/tracking"
)

// defaultJQTimeout bounds one evaluation of a jq expression (contract 3.4).
const defaultJQTimeout = time.Second

// Memory keeps what the last comparison of an application found, so that no question is asked twice. The zero value knows
// nothing. It is not safe for concurrent use.
type Memory struct {
	rules    *diff.Rules
	rulesErr error
	ignore   diff.Ignore // what rules were made of

	terms terms
	state *target.State
	order []int                     // the objects of state by key
	keys  map[resource.Key]struct{} // of state
	pairs []pair                    // one for each of order
	extra map[resource.Key]*Row     // objects without a target
}

// terms are what a row depends on besides its two objects.
type terms struct {
	instance  string
	tracker   tracking.Tracker
	forbidden string
	namespace *ManagedNamespace
}

// pair is a target, the live object of its key, and what became of their comparison.
type pair struct {
	row   Row
	hash  string // of the target; empty when nothing was compared yet
	known bool   // whether row.Status and err hold as long as neither side changes
	err   error
}

// prepare brings the memory in line with what is asked for; it tells whether the rows of the last comparison still hold.
func (m *Memory) prepare(req Request) (rowsHold bool) {
	now := terms{instance: req.Instance, tracker: req.Tracker, forbidden: req.ForbiddenVersion, namespace: req.Namespace}
	rowsHold = reflect.DeepEqual(m.terms, now)
	if m.terms.tracker != now.tracker || !m.compile(req) {
		for i := range m.pairs {
			m.pairs[i].known = false
		}
		rowsHold = false
	}
	m.terms = now
	if m.state != req.State {
		m.arrange(req.State)
	}
	return rowsHold
}

// compile makes the rules, if they are others than before; it tells whether they are the same.
func (m *Memory) compile(req Request) (same bool) {
	ignore := req.Ignore
	ignore.Limit = nil
	if (m.rules != nil || m.rulesErr != nil) && reflect.DeepEqual(m.ignore, ignore) {
		return true
	}
	m.ignore = ignore
	ignore.Limit = Limit(req.JQTimeout)
	m.rules, m.rulesErr = diff.Compile(ignore)
	return false
}

// Limit starts a timer for each evaluation of a jq expression; 0 means one second (contract 3.4).
func Limit(timeout time.Duration) diff.Limit {
	if timeout <= 0 {
		timeout = defaultJQTimeout
	}
	return func() (<-chan struct{}, func()) {
		expired := make(chan struct{})
		timer := time.AfterFunc(timeout, func() { close(expired) })
		return expired, func() { timer.Stop() }
	}
}

// arrange takes over another target state; pairs of the same key are kept.
func (m *Memory) arrange(state *target.State) {
	before := make(map[resource.Key]pair, len(m.pairs))
	for _, p := range m.pairs {
		before[p.row.Key] = p
	}
	m.state, m.order, m.keys = state, make([]int, len(state.Objects)), make(map[resource.Key]struct{}, len(state.Objects))
	for i, object := range state.Objects {
		m.order[i] = i
		m.keys[object.Key] = struct{}{}
	}
	slices.SortStableFunc(m.order, func(a, b int) int { return state.Objects[a].Key.Compare(state.Objects[b].Key) })
	m.pairs = make([]pair, len(m.order))
	for i, at := range m.order {
		if key := state.Objects[at].Key; key.Name != "" {
			m.pairs[i] = before[key]
		}
	}
}

// holds tells whether the row needs no work: both sides are those of the last comparison, and so is all else.
func (p *pair) holds(rowsHold bool, object target.Object, found *unstructured.Unstructured) bool {
	if !rowsHold || !p.verdictHolds(object, found) || p.row.Target != object.Target || p.row.UnknownKind != object.Unknown {
		return false
	}
	p.row.Live = found
	return true
}

// verdictHolds tells whether the same contents were compared before. An object that was read again has the same version.
func (p *pair) verdictHolds(object target.Object, found *unstructured.Unstructured) bool {
	return p.known && p.hash != "" && p.hash == object.Hash && sameVersion(p.row.Live, found)
}

func sameVersion(a, b *unstructured.Unstructured) bool {
	return a == b || (a != nil && b != nil && a.GetResourceVersion() != "" &&
		a.GetResourceVersion() == b.GetResourceVersion() && a.GetUID() == b.GetUID())
}

// renew makes the row of a pair anew, and tells whether it had to be judged for that: only if one of the objects is another.
func (m *Memory) renew(ctx context.Context, req Request, p *pair, object target.Object, found *unstructured.Unstructured) (judged bool) {
	verdictHolds, last := p.verdictHolds(object, found), p.row
	row := Row{
		Key: object.Key, Target: object.Target, Live: found, UnknownKind: object.Unknown, Modified: true,
		Hook: resource.IsHook(object.Target), Skipped: resource.IsSkipped(object.Target),
	}
	row.own(req)
	switch {
	case row.Hook || row.Skipped:
		p.known, p.err = true, nil
	case verdictHolds:
		row.Status, row.Modified = last.Status, last.Modified
	case m.rulesErr != nil:
		p.known = false
	default:
		judged = true
		p.known, p.err = m.judge(ctx, req, &row)
	}
	p.row, p.hash = row, object.Hash
	return judged
}

// own fills in whose the live object is, and whether the project permits it.
func (r *Row) own(req Request) {
	r.Forbidden = req.Forbidden != nil && req.Forbidden(r.Key)
	if r.Live == nil {
		return
	}
	owner, tracked := req.Tracker.Owner(r.Live)
	r.SelfReferenced = tracked && owner == req.Instance && req.Tracker.SelfReferenced(r.Live, r.Target)
	if tracked && owner != req.Instance {
		r.SharedWith = owner
	}
}

// extraneous are the rows of the live objects without a target, sorted.
func (m *Memory) extraneous(req Request, rowsHold bool, matched int) []Row {
	if matched == len(req.Snapshot) && len(m.extra) == 0 {
		return nil
	}
	before := m.extra
	m.extra = make(map[resource.Key]*Row, len(before))
	for key, obj := range req.Snapshot {
		if _, ok := m.keys[key]; ok {
			continue
		}
		row := before[key]
		if row == nil || !rowsHold || !sameVersion(row.Live, obj) {
			row = lone(req, key, obj)
		}
		row.Live = obj
		m.extra[key] = row
	}
	rows := make([]Row, 0, len(m.extra))
	for _, key := range slices.SortedFunc(maps.Keys(m.extra), resource.Key.Compare) {
		rows = append(rows, *m.extra[key])
	}
	return rows
}

// lone is the row of a live object without a target.
func lone(req Request, key resource.Key, obj *unstructured.Unstructured) *Row {
	row := &Row{Key: key, Live: obj, Hook: resource.IsHook(obj), Skipped: resource.IsSkipped(obj), Modified: true}
	row.own(req)
	row.Extraneous = slices.Contains(resource.Values(obj, argov1.AnnotationCompareOptions), "IgnoreExtraneous")
	row.ManagedNamespace = req.Namespace.is(key)
	switch {
	case !row.SelfReferenced || row.Hook || row.Skipped:
	case row.ManagedNamespace && req.Namespace.covered(obj):
		row.Status, row.Modified = argov1.SyncStatusSynced, false
	default:
		row.Status = argov1.SyncStatusOutOfSync
	}
	return row
}

// merge joins two sorted lists of rows.
func merge(targets, others []Row) []Row {
	if len(others) == 0 {
		return targets
	}
	rows := make([]Row, 0, len(targets)+len(others))
	for len(targets) > 0 && len(others) > 0 {
		if others[0].Key.Compare(targets[0].Key) < 0 {
			rows, others = append(rows, others[0]), others[1:]
		} else {
			rows, targets = append(rows, targets[0]), targets[1:]
		}
	}
	return append(append(rows, targets...), others...)
}
