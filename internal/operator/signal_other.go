//go:build !unix

package operator

import "context"

// renewalSignal never tells anything: there is no such signal here.
func renewalSignal(context.Context) <-chan struct{} { return nil }
