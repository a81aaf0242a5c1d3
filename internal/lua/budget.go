package lua

import (
	"errors"
	"fmt"
	"time"
)

// budget is what is left of the limits of one run. The virtual machine takes it for a context and asks before each step
// whether it is done; that question is the step counter.
type budget struct {
	steps, text int
	now         func() time.Time
	end         time.Time
	err         error // why the script must stop
}

func newBudget(now func() time.Time) *budget {
	return &budget{steps: maxSteps, text: maxText, now: now, end: now().Add(maxTime)}
}

// stopped is what a script that must stop finds done.
var stopped = func() chan struct{} {
	closed := make(chan struct{})
	close(closed)
	return closed
}()

// Done counts a step.
func (b *budget) Done() <-chan struct{} {
	b.spend(1)
	if b.err != nil {
		return stopped
	}
	return nil
}

// spend takes steps for work that the virtual machine does in one.
func (b *budget) spend(steps int) {
	before := b.steps
	b.steps -= steps
	switch {
	case b.err != nil:
	case b.steps < 0:
		b.err = fmt.Errorf("the script was stopped after %d steps; look for a loop that does not end", maxSteps)
	case before/clockSteps != b.steps/clockSteps && b.now().After(b.end):
		b.err = fmt.Errorf("the script was stopped after %s; look for a loop that does not end", maxTime)
	}
}

var errText = errors.New("the script was stopped because it makes too much text; look for a string that grows in a loop")

// take takes room for text that is about to be made; it tells whether there is enough.
func (b *budget) take(bytes int) bool {
	if bytes < 0 || bytes > b.text {
		b.text = 0
		if b.err == nil {
			b.err = errText
		}
		return false
	}
	b.text -= bytes
	return b.err == nil
}

// Err says why the script must stop.
func (b *budget) Err() error { return b.err }

// Deadline is part of the interface that the virtual machine wants; it asks only Done and Err.
func (b *budget) Deadline() (time.Time, bool) { return b.end, true }

// Value is part of the interface that the virtual machine wants.
func (b *budget) Value(any) any { return nil }
