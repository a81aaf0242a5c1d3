// Package outcome gives errors of reconcile steps a meaning and translates it for controller-runtime in one place.
package outcome

import (
	"errors"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// waiting ends a reconcile without an error; it goes on after a while, or at the next event.
type waiting struct{ after time.Duration }

// Error says that this is no failure.
func (w *waiting) Error() string { return "waiting " + w.after.String() }

// Waiting stops the steps here and comes back after d; 0 means at the next event only.
func Waiting(d time.Duration) error { return &waiting{after: d} }

// IsWaiting tells whether err ends a reconcile without a failure.
func IsWaiting(err error) bool {
	_, ok := errors.AsType[*waiting](err)
	return ok
}

// Of translates the end of a reconcile: waiting becomes a delay, anything else is retried with back-off.
func Of(err error) (reconcile.Result, error) {
	if w, ok := errors.AsType[*waiting](err); ok {
		return reconcile.Result{RequeueAfter: w.after}, nil
	}
	return reconcile.Result{}, err
}
