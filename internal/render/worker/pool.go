package worker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strconv"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/render"
)

// Options says how many processes there may be and what each may use.
type Options struct {
	// Command starts a process that calls [Main] with the argument that follows, which says how much memory it may have;
	// empty means this binary with the argument that [CommandName] is.
	Command []string
	// MemoryBytes is how much memory a process may have; 0 means 512 MiB.
	MemoryBytes int64
	// Processes is how many there may be at a time; 0 means 2.
	Processes int
	// Timeout is the longest time for a job; 0 means 90 seconds, as for Argo CD's commands.
	Timeout time.Duration
	// Idle is how long a process waits for another job before it is ended; 0 means a minute.
	Idle time.Duration
	// MaxResultBytes is the largest size of what comes of a job; 0 means 64 MiB.
	MaxResultBytes int64
}

// CommandName is the command of the binary that calls [Main].
const CommandName = "render-worker"

// Pool renders in processes. Make one with New.
type Pool struct {
	options Options
	slots   chan struct{} // one for each process that works

	mutex   sync.Mutex
	waiting []*process
	closed  bool
}

// New makes a pool; processes are started when there is something to do.
func New(options Options) (*Pool, error) {
	options.Processes = cmp.Or(options.Processes, 2)
	options.MemoryBytes = cmp.Or(options.MemoryBytes, 512<<20)
	options.Timeout = cmp.Or(options.Timeout, 90*time.Second)
	options.Idle = cmp.Or(options.Idle, time.Minute)
	options.MaxResultBytes = cmp.Or(options.MaxResultBytes, 64<<20)
	if len(options.Command) == 0 {
		self, err := os.Executable()
		if err != nil {
			return nil, fmt.Errorf("finding the binary for worker processes: %w", err)
		}
		options.Command = []string{self, CommandName}
	}
	options.Command = append(slices.Clone(options.Command), strconv.FormatInt(options.MemoryBytes, 10))
	return &Pool{options: options, slots: make(chan struct{}, options.Processes)}, nil
}

// Close ends the processes that wait; those that work are ended when they are done. Nothing is rendered afterwards.
func (p *Pool) Close() {
	p.mutex.Lock()
	waiting := p.waiting
	p.waiting, p.closed = nil, true
	p.mutex.Unlock()
	for _, process := range waiting {
		process.end()
	}
}

// Renderer renders sources of a type in the pool.
func (p *Pool) Renderer(sourceType argov1.ApplicationSourceType) render.Renderer {
	return renderer{pool: p, sourceType: sourceType}
}

type renderer struct {
	pool       *Pool
	sourceType argov1.ApplicationSourceType
}

func (r renderer) Render(ctx context.Context, req render.Request) ([]*unstructured.Unstructured, error) {
	objects, _, err := r.pool.do(ctx, newJob(r.sourceType, req), req)
	return objects, err
}

// RenderFile renders a single file of a source; see [Files].
func (p *Pool) RenderFile(ctx context.Context, req render.Request, file string, left int64) (objects []*unstructured.Unstructured, size int64, err error) {
	j := newJob("", req)
	j.File, j.Left = file, left
	return p.do(ctx, j, req)
}

// do has a job done by a process that waits, or by a new one.
func (p *Pool) do(ctx context.Context, j *job, req render.Request) ([]*unstructured.Unstructured, int64, error) {
	what := path.Join(render.Root(req.Source), j.File)
	select {
	case p.slots <- struct{}{}:
		defer func() { <-p.slots }()
	case <-ctx.Done():
		return nil, 0, fmt.Errorf("%s: waiting for other sources to be rendered: %w", what, ctx.Err())
	}
	process, fresh, err := p.take()
	if err != nil {
		return nil, 0, err
	}
	objects, size, broke, err := p.try(ctx, process, j, req)
	if !broke || fresh {
		return objects, size, err
	}
	// What other sources left in the process may have been too much: that is not the doing of this one.
	if process, err = start(p.options.Command); err != nil {
		return nil, 0, err
	}
	objects, size, _, err = p.try(ctx, process, j, req)
	return objects, size, err
}

// try has a job done by a process; broke tells that the process ended by itself.
func (p *Pool) try(ctx context.Context, process *process, j *job, req render.Request) (objects []*unstructured.Unstructured, size int64, broke bool, err error) {
	limited, cancel := context.WithTimeout(ctx, p.options.Timeout)
	defer cancel()
	stop := context.AfterFunc(limited, process.end)
	objects, size, last, err := process.do(limited, j, req, p.options.MaxResultBytes)
	if !stop() || last {
		process.end()
	} else {
		p.put(process)
	}
	if _, failed := errors.AsType[*Failed](err); err != nil && !failed {
		return nil, 0, limited.Err() == nil, p.explain(ctx, limited, process, path.Join(render.Root(req.Source), j.File))
	}
	return objects, size, false, err
}

// explain says why a process broke.
func (p *Pool) explain(ctx, limited context.Context, process *process, what string) error {
	process.end()
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("%s: rendering it: %w", what, ctx.Err())
	case limited.Err() != nil:
		return fmt.Errorf("%s: it is not rendered within %s: a template or file may never come to its end", what, p.options.Timeout)
	case process.said.says(outOfMemory...):
		return fmt.Errorf("%s: rendering it needs more than %d MiB of memory: a template or file may make too much", what, p.options.MemoryBytes>>20)
	case process.said.says("stack exceeds", "stack overflow"):
		return fmt.Errorf("%s: its templates or functions call each other without an end", what)
	default:
		return fmt.Errorf("%s: the process that renders it ended: its result may be too large, or the renderer fails on it", what)
	}
}

// outOfMemory are the words of the Go runtime for memory that it does not get, also for a thread.
var outOfMemory = []string{"out of memory", "cannot allocate", "failed to reserve", "failed to create new OS thread", "pthread_create failed", "cannot map"}

var errClosed = errors.New("the operator stops")

// take gives a process that waits, or a new one, which is fresh.
func (p *Pool) take() (taken *process, fresh bool, err error) {
	p.mutex.Lock()
	if p.closed {
		p.mutex.Unlock()
		return nil, false, errClosed
	}
	if n := len(p.waiting); n > 0 {
		taken = p.waiting[n-1]
		p.waiting = p.waiting[:n-1]
		p.mutex.Unlock()
		taken.idle.Stop()
		return taken, false, nil
	}
	p.mutex.Unlock()
	taken, err = start(p.options.Command)
	return taken, true, err
}

// put keeps a process for the next job, for a while.
func (p *Pool) put(process *process) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if p.closed {
		process.end()
		return
	}
	process.idle = time.AfterFunc(p.options.Idle, func() { p.retire(process) })
	p.waiting = append(p.waiting, process)
}

// retire ends a process if it still waits.
func (p *Pool) retire(process *process) {
	p.mutex.Lock()
	for i, other := range p.waiting {
		if other == process {
			p.waiting = append(p.waiting[:i], p.waiting[i+1:]...)
			p.mutex.Unlock()
			process.end()
			return
		}
	}
	p.mutex.Unlock()
}

// Waiting is how many processes wait for a job.
func (p *Pool) Waiting() int {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return len(p.waiting)
}
