package replay

import (
	"context"
	"fmt"
	"reflect"
	"regexp"
	"time"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
)

// The times of the recorded cases' README.
const (
	quietBefore    = 600 * time.Millisecond
	quietAfter     = 1500 * time.Millisecond
	quietRefreshed = time.Second
	// progressing is how many times as long everything must be quiet while the Application is Progressing. The recorder of
	// the golden records has that only after an operation; on a slower machine workloads take longer to settle.
	progressing = 3

	limitBefore    = 5 * time.Second
	limitAfter     = 14 * time.Second
	limitRefreshed = 10 * time.Second
	limitUntil     = 40 * time.Second
	limitRefresh   = 30 * time.Second
	limitFirst     = 40 * time.Second
	limitCompared  = 10 * time.Second
)

// step does one step and records it.
func (s *session) step(ctx context.Context, step Step, first bool) (*stepRecord, error) {
	rec := &stepRecord{}
	start, err := s.audit().size()
	if err != nil {
		return nil, err
	}
	if err := s.prepare(ctx, step, first); err != nil {
		return nil, err
	}
	changes, err := s.begin(ctx, step, rec)
	if err != nil {
		return nil, err
	}
	for _, wanted := range step.Until {
		met, err := s.until(ctx, step, wanted)
		if err != nil {
			return nil, err
		}
		rec.Until = append(rec.Until, met)
	}
	if err := s.act(ctx, step.After); err != nil {
		return nil, err
	}
	after := s.settled(ctx, step.Target, step.Quiet.or(quietAfter), limitAfter)
	// Times are known to the second. A comparison in the second in which the operation ended may be of before it ended.
	if changes && after != nil && sinceOperation(after) < time.Second {
		if err := s.refresh(ctx, step.Target, ""); err != nil {
			return nil, err
		}
		after = s.settled(ctx, step.Target, quietRefreshed, limitRefreshed)
	}
	rec.After = statusOf(after)
	if err := s.recordOthers(ctx, step.Target, rec); err != nil {
		return nil, err
	}
	return rec, s.recordObjects(ctx, start, rec)
}

// begin records the status before the operation and, when the step has one, sees it to its end. It says whether the
// operation has ended and was one that changes things, so that a comparison must follow.
func (s *session) begin(ctx context.Context, step Step, rec *stepRecord) (changes bool, err error) {
	before := s.settled(ctx, step.Target, quietBefore, limitBefore)
	if before == nil {
		return false, fmt.Errorf("application %s is not there", s.names[step.Target])
	}
	rec.Before = statusOf(before).comparison()
	switch {
	case step.Op != nil:
		return s.operate(ctx, step, step.Op, before, rec)
	case step.Sync != nil:
		return s.operate(ctx, step, map[string]any{"sync": step.Sync}, before, rec)
	}
	return false, nil
}

// prepare does everything before the operation: commits, actions, the Applications, the refresh.
func (s *session) prepare(ctx context.Context, step Step, first bool) error {
	commits := step.Commits
	if step.given() {
		commits = append([]Commit{step.Commit}, commits...)
	}
	for _, c := range commits {
		if err := s.commit(c); err != nil {
			return err
		}
	}
	if err := s.act(ctx, step.Do); err != nil {
		return err
	}
	if first {
		for _, manifest := range s.manifests() {
			if err := s.cluster.apply(ctx, manifest, ""); err != nil {
				return err
			}
		}
		for _, suffix := range s.suffixes {
			s.applications.until(ctx, s.names[suffix], limitFirst, func(a *argov1.Application) bool {
				return a != nil && (a.Status.ReconciledAt != nil || len(a.Status.Conditions) > 0)
			})
		}
	}
	if step.App != nil {
		if err := s.patch(ctx, step.Target, step.App); err != nil {
			return err
		}
	}
	if first || step.Refresh == "none" {
		return nil
	}
	return s.refresh(ctx, step.Target, step.Refresh)
}

// refresh asks for a comparison and waits until it is answered; normal is the default.
func (s *session) refresh(ctx context.Context, suffix, kind string) error {
	if kind == "" {
		kind = "normal"
	}
	err := s.patch(ctx, suffix, map[string]any{"metadata": map[string]any{"annotations": map[string]any{argov1.AnnotationRefresh: kind}}})
	if err != nil {
		return err
	}
	s.applications.until(ctx, s.names[suffix], limitRefresh, func(a *argov1.Application) bool {
		return a == nil || a.Annotations[argov1.AnnotationRefresh] == ""
	})
	return nil
}

// settled waits until what is recorded of the status has not changed for a while, longer while the Application is
// Progressing, or the limit is over.
func (s *session) settled(ctx context.Context, suffix string, quiet, limit time.Duration) *argov1.Application {
	patience := time.Duration(max(s.options.Patience, 1))
	quiet, limit = quiet*patience, limit*patience
	deadline := time.Now().Add(limit)
	last, changed := s.applications.get(s.names[suffix])
	kept, since := statusOf(last), time.Now()
	for {
		need := quiet
		if last != nil && last.Status.Health.Status == argov1.HealthProgressing {
			need *= progressing
		}
		end := since.Add(need)
		if end.After(deadline) {
			end = deadline
		}
		timer := time.NewTimer(time.Until(end))
		select {
		case <-timer.C:
			return last
		case <-ctx.Done():
			timer.Stop()
			return last
		case <-changed:
			timer.Stop()
		}
		last, changed = s.applications.get(s.names[suffix])
		if now := statusOf(last); !reflect.DeepEqual(now, kept) {
			kept, since = now, time.Now()
		}
	}
}

// until waits until the recorded fields match regular expressions, and says whether they did in time.
func (s *session) until(ctx context.Context, step Step, wanted map[string]any) (bool, error) {
	patterns := map[string]*regexp.Regexp{}
	for field, pattern := range wanted {
		compiled, err := regexp.Compile(fmt.Sprint(pattern))
		if err != nil {
			return false, fmt.Errorf("until %s: %w", field, err)
		}
		patterns[field] = compiled
	}
	var failure error
	met := s.applications.until(ctx, s.names[step.Target], step.Cap.or(limitUntil), func(a *argov1.Application) bool {
		status := statusOf(a)
		for field, pattern := range patterns {
			text, err := status.field(field)
			if failure = err; err != nil || !pattern.MatchString(text) {
				return err != nil
			}
		}
		return true
	})
	return met, failure
}

// sinceOperation is how long after the end of the last operation the last comparison was made; negative when there was
// none since.
func sinceOperation(a *argov1.Application) time.Duration {
	state := a.Status.OperationState
	if state == nil || state.FinishedAt == nil || a.Status.ReconciledAt == nil {
		return -1
	}
	return a.Status.ReconciledAt.Sub(state.FinishedAt.Time)
}

// recordOthers records the Applications that the step is not about, after a refresh.
func (s *session) recordOthers(ctx context.Context, target string, rec *stepRecord) error {
	for _, suffix := range s.suffixes {
		if suffix == target {
			continue
		}
		if err := s.refresh(ctx, suffix, ""); err != nil {
			return err
		}
		if rec.Others == nil {
			rec.Others = map[string]*statusRecord{}
		}
		rec.Others[suffix] = statusOf(s.settled(ctx, suffix, quietBefore, limitBefore)).asOther()
	}
	return nil
}

// recordObjects records what is there, and what was written since.
func (s *session) recordObjects(ctx context.Context, start int64, rec *stepRecord) error {
	if err := s.learn(); err != nil {
		return err
	}
	objects, err := s.live(ctx, s.inventory.rows())
	if err != nil {
		return err
	}
	rec.Live = []map[string]any{}
	for _, key := range sortedObjects(objects) {
		o := objects[key]
		if key.kind == "Namespace" && s.isOwnNamespace(key.name) && !s.interesting(o) {
			continue
		}
		rec.Live = append(rec.Live, cleaned(o))
	}
	rec.Writes, rec.ApplicationWrites, err = s.audit().writes(start, s.scope())
	rec.Order = s.inventory.order(rec.Writes, false)
	return err
}

// learn remembers the objects that the Applications name.
func (s *session) learn() error {
	for _, suffix := range s.suffixes {
		if application := s.app(suffix); application != nil {
			if err := s.inventory.learn(application, s.cluster); err != nil {
				return err
			}
		}
	}
	return nil
}

// operate starts an operation and waits until it ends, or hangs as it is meant to.
func (s *session) operate(ctx context.Context, step Step, operation map[string]any, before *argov1.Application, rec *stepRecord) (bool, error) {
	var earlier time.Time
	if state := before.Status.OperationState; state != nil {
		earlier = state.StartedAt.Time
		// The start is known to the second: another one must be in another second to be told apart.
		pause(ctx, time.Until(earlier.Add(1050*time.Millisecond)))
	}
	if err := s.patch(ctx, step.Target, map[string]any{"operation": operation}); err != nil {
		return false, err
	}
	o := observation{session: s, step: step, earlier: earlier, then: step.Then, rec: rec}
	last, err := o.watch(ctx)
	if err != nil {
		return false, err
	}
	rec.Finished = new(o.ended(last))
	sync, _ := operation["sync"].(map[string]any)
	if dryRun, _ := sync["dryRun"].(bool); dryRun || !*rec.Finished {
		return false, nil
	}
	s.applications.until(ctx, s.names[step.Target], limitCompared, func(a *argov1.Application) bool {
		return a == nil || sinceOperation(a) >= 0
	})
	return true, nil
}
