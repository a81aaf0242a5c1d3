package git

import (
	"context"
	"fmt"
	"io"
	"time"
)

// totalPatience is how many time-outs a transfer may last in all, however steadily it trickles.
const totalPatience = 10

// patience ends a conversation with a server that says nothing for the time-out. A pack that keeps coming may take longer.
type patience struct {
	ctx     context.Context
	cancel  context.CancelCauseFunc
	timeout time.Duration
	silence *time.Timer
	total   *time.Timer
}

func newPatience(parent context.Context, timeout time.Duration) *patience {
	ctx, cancel := context.WithCancelCause(parent)
	p := &patience{ctx: ctx, cancel: cancel, timeout: timeout}
	p.silence = time.AfterFunc(timeout, func() {
		cancel(fmt.Errorf("no answer within %s: %w", timeout, context.DeadlineExceeded))
	})
	p.total = time.AfterFunc(totalPatience*timeout, func() {
		cancel(fmt.Errorf("no complete answer within %s: %w", totalPatience*timeout, context.DeadlineExceeded))
	})
	return p
}

// end releases the timers and closes what still runs.
func (p *patience) end() {
	p.silence.Stop()
	p.total.Stop()
	p.cancel(nil)
}

// explain replaces an error that is only the consequence of giving up by the reason for that.
func (p *patience) explain(err error) error {
	if err != nil && p.ctx.Err() != nil {
		return context.Cause(p.ctx)
	}
	return err
}

// reader starts the time-out again with every piece that arrives.
func (p *patience) reader(r io.Reader) io.Reader { return &patientReader{p: p, r: r} }

type patientReader struct {
	p *patience
	r io.Reader
}

// Read implements io.Reader.
func (r *patientReader) Read(b []byte) (int, error) {
	n, err := r.r.Read(b)
	if n > 0 {
		r.p.silence.Reset(r.p.timeout)
	}
	return n, err
}
