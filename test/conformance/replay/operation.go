package replay

import (
	"context"
	"fmt"
	"regexp"
	"time"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
)

const (
	limitOperation = time.Minute
	// stood is how long a message must stand before a step reacts to it: one that flashes by is not one that people see.
	stood = 250 * time.Millisecond
	// whenever is longer than any case: there is nothing to look at until something changes.
	whenever = time.Hour
	// hung is how long a message must stand before the operation is taken to hang.
	hung = time.Second
)

// observation follows one operation.
type observation struct {
	*session
	step    Step
	earlier time.Time // Start of the operation before.
	then    []Reaction
	rec     *stepRecord

	matched time.Time // Since when the message is the one that is waited for; zero while it is not.
}

// watch follows the operation until it ends, hangs as it is meant to, or the step's time is over.
func (o *observation) watch(ctx context.Context) (*argov1.Application, error) {
	hangs, err := optional(o.step.Running)
	if err != nil {
		return nil, err
	}
	deadline := time.NewTimer(o.step.Cap.or(limitOperation))
	defer deadline.Stop()
	for {
		a, changed := o.applications.get(o.names[o.step.Target])
		if a == nil {
			return nil, fmt.Errorf("application %s went away while its operation ran", o.names[o.step.Target])
		}
		if o.ended(a) {
			return a, nil
		}
		wait, err := o.react(ctx, a, hangs)
		if err != nil || wait == 0 {
			return a, err
		}
		timer := time.NewTimer(wait)
		select {
		case <-changed:
		case <-timer.C:
		case <-deadline.C:
			timer.Stop()
			return a, nil
		case <-ctx.Done():
			timer.Stop()
			return nil, context.Cause(ctx)
		}
		timer.Stop()
	}
}

// fresh says whether the status is about this operation.
func (o *observation) fresh(a *argov1.Application) bool {
	state := a.Status.OperationState
	return state != nil && !state.StartedAt.IsZero() && !state.StartedAt.Time.Equal(o.earlier)
}

func (o *observation) ended(a *argov1.Application) bool {
	return o.fresh(a) && a.Operation == nil && a.Status.OperationState.FinishedAt != nil
}

// react does the next reaction once its message has stood, and says when to look again even without a change; 0 means that
// the operation hangs.
func (o *observation) react(ctx context.Context, a *argov1.Application, hangs *regexp.Regexp) (time.Duration, error) {
	if !o.fresh(a) {
		return whenever, nil
	}
	message := a.Status.OperationState.Message
	if len(o.then) == 0 {
		return o.rest(hangs, message, hung), nil
	}
	pattern, err := regexp.Compile(o.then[0].When)
	if err != nil {
		return 0, fmt.Errorf("then: %w", err)
	}
	if rest := o.rest(pattern, message, stood); rest > 0 {
		return rest, nil
	}
	reaction := o.then[0]
	o.then, o.matched = o.then[1:], time.Time{}
	o.rec.During = append(o.rec.During, message)
	return time.Nanosecond, o.act(ctx, reaction.Do)
}

// rest is how much longer the message must match until it has done so for long enough.
func (o *observation) rest(pattern *regexp.Regexp, message string, enough time.Duration) time.Duration {
	if pattern == nil || !pattern.MatchString(message) {
		o.matched = time.Time{}
		return whenever
	}
	if o.matched.IsZero() {
		o.matched = time.Now()
	}
	return max(enough-time.Since(o.matched), 0)
}

func optional(pattern string) (*regexp.Regexp, error) {
	if pattern == "" {
		return nil, nil //nolint:nilnil // No expression is asked for.
	}
	return regexp.Compile(pattern)
}

// stop ends an operation that still runs.
func (s *session) stop(ctx context.Context, suffix string) error {
	if a := s.app(suffix); a == nil || a.Operation == nil {
		return nil
	}
	if err := s.terminate(ctx, suffix); err != nil {
		return err
	}
	ended := s.applications.until(ctx, s.names[suffix], 15*time.Second, func(a *argov1.Application) bool {
		return a == nil || a.Operation == nil
	})
	if ended {
		return nil
	}
	return s.patch(ctx, suffix, map[string]any{"operation": nil})
}

func (s *session) terminate(ctx context.Context, suffix string) error {
	return s.patch(ctx, suffix, map[string]any{"status": map[string]any{"operationState": map[string]any{"phase": string(argov1.OperationTerminating)}}})
}
