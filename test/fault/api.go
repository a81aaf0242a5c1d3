package main

import (
	"context"
	"fmt"
	"time"
)

// recovery is how long after the end of a fault everything must be as Git says.
const recovery = time.Minute

// firstSync bounds the first sync of a fleet.
const firstSync = 3 * time.Minute

// disturbance is the pause in which a fault meets what was set in motion.
const disturbance = 4 * time.Second

// apiFaults has each fault meet a tenth of the calls while all applications sync, prune and heal.
func apiFaults(ctx context.Context, w *world, s settings) error {
	f := w.newFleet("api", s.apps)
	if err := f.create(ctx); err != nil {
		return err
	}
	if _, err := f.converged(ctx, firstSync); err != nil {
		return err
	}
	for _, kind := range faults {
		w.proxy.set(kind)
		if err := f.trouble(ctx, s.rounds); err != nil {
			return err
		}
		w.proxy.set(none)
		took, err := f.converged(ctx, recovery)
		w.within(fmt.Sprintf("%s, met %d calls: converged", kind, w.proxy.count(kind)), took, err, recovery)
		if err != nil {
			if _, err := f.converged(ctx, firstSync); err != nil {
				return fmt.Errorf("it never recovers: %w", err)
			}
		}
	}
	return f.judge()
}

// trouble rolls out some commits and edits by hand.
func (f *fleet) trouble(ctx context.Context, rounds int) error {
	for range rounds {
		if err := f.rollOut(ctx); err != nil {
			return err
		}
		if err := pause(ctx, disturbance); err != nil {
			return err
		}
		if err := f.disturb(ctx); err != nil {
			return err
		}
		if err := pause(ctx, disturbance); err != nil {
			return err
		}
	}
	return nil
}

// pause lets time pass, which is what a fault needs to do harm.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// restarted waits until the operator has ended by itself, and starts it again, as the kubelet does.
func (o *operator) restarted(ctx context.Context) (time.Duration, error) {
	begin := time.Now()
	select {
	case <-o.process.Done():
	case <-time.After(recovery):
		return 0, fmt.Errorf("it still runs after %s", recovery)
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	return time.Since(begin), o.start()
}

// outages take the API server away, give it another certificate, and set its data back.
func outages(ctx context.Context, w *world, s settings) error {
	f := w.newFleet("outage", s.apps)
	if err := f.create(ctx); err != nil {
		return err
	}
	if _, err := f.converged(ctx, firstSync); err != nil {
		return err
	}
	if err := w.plane.RotateCertificate(); err != nil {
		return err
	}
	w.plane.StopAPIServer()
	if err := f.commit(); err != nil {
		return err
	}
	if err := pause(ctx, s.away); err != nil {
		return err
	}
	if err := w.plane.StartAPIServer(ctx); err != nil {
		return err
	}
	took, err := f.converged(ctx, recovery)
	w.within(fmt.Sprintf("API server away for %s, back with another certificate: converged", s.away), took, err, recovery)
	if err := w.plane.Save(ctx); err != nil {
		return err
	}
	if err := f.commit(); err != nil {
		return err
	}
	if _, err := f.converged(ctx, recovery); err != nil {
		return err
	}
	if err := w.plane.Restore(ctx); err != nil {
		return err
	}
	took, err = w.operator.restarted(ctx)
	w.within("API server with data and resourceVersion of a backup: the operator ends, to be started anew", took, err, recovery)
	took, err = f.converged(ctx, recovery)
	w.within("API server with data and resourceVersion of a backup: converged", took, err, recovery)
	return f.judge()
}
