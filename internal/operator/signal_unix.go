//go:build unix

package operator

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// renewalSignal tells of SIGUSR1, which asks for a new sealing key (contract A4).
func renewalSignal(ctx context.Context) <-chan struct{} {
	asked := make(chan struct{})
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGUSR1)
	go func() {
		defer signal.Stop(signals)
		for {
			select {
			case <-ctx.Done():
				return
			case <-signals:
			}
			select {
			case <-ctx.Done():
				return
			case asked <- struct{}{}:
			}
		}
	}()
	return asked
}
