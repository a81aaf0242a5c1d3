package replay

import (
	"context"
	"slices"
	"time"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
)

const (
	limitDeletion = 25 * time.Second
	// aftermath is how long the garbage collector may take to begin, and limitAftermath to finish.
	aftermath      = 500 * time.Millisecond
	limitAftermath = 8 * time.Second
)

// deletion deletes the Applications and records what that does.
func (s *session) deletion(ctx context.Context) (*deletionRecord, error) {
	for _, suffix := range s.suffixes {
		if err := s.stop(ctx, suffix); err != nil {
			return nil, err
		}
	}
	before, err := s.live(ctx, s.inventory.rows())
	if err != nil {
		return nil, err
	}
	start, err := s.audit().size()
	if err != nil {
		return nil, err
	}
	rec := &deletionRecord{Survivors: []string{}}
	order := s.c.Deletion.Order
	if order == nil {
		order = s.suffixes
	}
	for _, suffix := range order {
		if err := s.applications.remove(ctx, s.names[suffix]); err != nil {
			return nil, err
		}
		gone := s.applications.until(ctx, s.names[suffix], s.c.Deletion.Cap.or(limitDeletion), func(a *argov1.Application) bool { return a == nil })
		if suffix == "" {
			rec.Gone = new(gone)
			if left := statusOf(s.app(suffix)); left != nil {
				rec.Conditions = left.Conditions
			}
		}
	}
	pause(ctx, aftermath)
	poll(ctx, surveyPause, limitAftermath, func() bool { return s.quiet(ctx) })
	if err := s.learn(); err != nil {
		return nil, err
	}
	after, err := s.live(ctx, s.inventory.rows())
	if err != nil {
		return nil, err
	}
	rec.Survivors = s.survivors(before, after)
	rec.Writes, _, err = s.audit().writes(start, s.scope())
	rec.Order = s.inventory.order(rec.Writes, true)
	return rec, err
}

// quiet says that nothing is on its way out that nobody holds.
func (s *session) quiet(ctx context.Context) bool {
	objects, err := s.live(ctx, nil)
	if err != nil {
		return false
	}
	for _, o := range objects {
		if o.GetDeletionTimestamp() != nil && len(o.GetFinalizers()) == 0 {
			return false
		}
	}
	return true
}

// survivors are the objects that are still there: not the namespaces of the case, nor what orphans turned up.
func (s *session) survivors(before, after objects) []string {
	left := []string{}
	for key := range after {
		if key.kind == "Namespace" && s.isOwnNamespace(key.name) && !s.c.CreateNamespace {
			continue
		}
		if _, known := before[key]; !known && (key.kind == "ReplicaSet" || key.kind == "Pod") {
			continue
		}
		name := key.name
		if key.namespace != "" && key.namespace != s.c.namespace() {
			name = key.namespace + "/" + name
		}
		left = append(left, key.kind+"/"+name)
	}
	slices.Sort(left)
	return left
}

func (s *session) isOwnNamespace(name string) bool { return slices.Contains(s.namespaces, name) }
