package operator

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
	"strings"
	"time"

	"github.com/go-logr/logr"
)

// memoryBudget is how the memory that the operator may have is shared out, in bytes; the zero value sets no bounds.
type memoryBudget struct {
	// heap is the limit of the Go runtime: it collects more often before it goes beyond.
	heap int64
	// cache is for each of the caches of what was read from repositories; 0 means that each has its own default.
	cache int64
}

// budget shares out a limit, from which processes that render may each take something. What is left to the operator is at
// least half; a tenth of that stays free, for what the Go runtime does not count. A limit of 0 is none.
func budget(limit int64, processes int, each int64) memoryBudget {
	if limit <= 0 {
		return memoryBudget{}
	}
	heap := max(limit-int64(processes)*each, limit/2) / 10 * 9
	return memoryBudget{heap: heap, cache: min(max(heap/32, 1<<20), 32<<20)}
}

// manifests is how much memory rendered manifests may take that are kept: what is asked for, but an eighth of the heap at most.
func (b memoryBudget) manifests(asked int64) int64 {
	if b.heap > 0 {
		return min(asked, b.heap/8)
	}
	return asked
}

// collectAt is how much the heap may grow, in percent of what is in use, before it is collected. Most of what is in use stays
// for long, and what is allocated besides is little: a smaller heap is worth the more frequent collections.
const collectAt = 50

// enforce tells the Go runtime; the variable GOGC of the runtime counts before collectAt.
func (b memoryBudget) enforce() {
	if b.heap > 0 {
		debug.SetMemoryLimit(b.heap)
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(collectAt)
	}
}

// memoryBudget is the budget by the flag, else by the limit of the control group that the process runs in; root is the root of
// the file system. The variable GOMEMLIMIT of the Go runtime counts when the flag says nothing.
func (o *Options) memoryBudget(root fs.FS) (memoryBudget, error) {
	limit := o.MemoryLimit
	if limit == 0 {
		var err error
		if limit, err = groupLimit(root); err != nil {
			return memoryBudget{}, err
		}
	}
	b := budget(limit, o.RenderProcesses, o.RenderMemory)
	if given := debug.SetMemoryLimit(-1); o.MemoryLimit == 0 && given != math.MaxInt64 { // a negative number only asks
		b.heap = given
	}
	return b, nil
}

// groupLimit is the memory limit of the control group that this process is in, and of those around it, the smallest one; 0
// means that there is none. It reads the files of the kernel's documentation: cgroup-v2.rst (memory.max) and
// cgroup-v1/memory.rst (memory.limit_in_bytes). A system without control groups has no limit.
func groupLimit(root fs.FS) (int64, error) {
	groups, err := fs.ReadFile(root, "proc/self/cgroup")
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("control group of this process: %w", err)
	}
	least := int64(0)
	for line := range strings.Lines(string(groups)) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 {
			continue
		}
		mount, file := "sys/fs/cgroup", "memory.max"
		switch {
		case strings.Contains(","+parts[1]+",", ",memory,"):
			mount, file = "sys/fs/cgroup/memory", "memory.limit_in_bytes"
		case parts[1] != "":
			continue // another controller of version 1
		}
		limit, err := pathLimit(root, mount, parts[2], file)
		if err != nil {
			return 0, err
		}
		if limit > 0 && (least == 0 || limit < least) {
			least = limit
		}
	}
	return least, nil
}

// pathLimit is the smallest limit on the way from a group up to the root of what is mounted. A container sees its own group as
// that root, and may not have the rest of the path.
func pathLimit(root fs.FS, mount, group, file string) (least int64, err error) {
	for at := path.Clean("/" + group); ; at = path.Dir(at) {
		data, err := fs.ReadFile(root, path.Join(mount, at, file))
		switch text := strings.TrimSpace(string(data)); {
		case errors.Is(err, fs.ErrNotExist), err == nil && text == "max":
		case err != nil:
			return 0, fmt.Errorf("memory limit of control group %s: %w", group, err)
		default:
			limit, err := strconv.ParseInt(text, 10, 64)
			if err != nil {
				return 0, fmt.Errorf("memory limit of control group %s: %q is no number of bytes", group, text)
			}
			if limit > 0 && limit < unlimitedGroup && (least == 0 || limit < least) {
				least = limit
			}
		}
		if at == "/" {
			return least, nil
		}
	}
}

// unlimitedGroup is more than any machine has: version 1 says the largest number of pages for no limit.
const unlimitedGroup = 1 << 60

// keeper keeps memory low. When what is in use after a garbage collection comes near the limit, it empties caches: what is read
// again costs time, and being killed costs more. When a burst of work is over, it gives back what that has needed. Between
// collections it costs nothing.
type keeper struct {
	limit int64 // 0 for none
	// caches empty what can be read again.
	caches []func()
	// giveBack returns memory that is not in use to the system.
	giveBack func()
	// calm is how long there must be no collection for a burst to be over.
	calm time.Duration
	log  logr.Logger
}

const (
	// shedAbove is the share of the limit in use, in percent, above which caches are emptied.
	shedAbove = 85
	// shedPause is how long it takes at least until they are emptied again: they have to be of use in between.
	shedPause = 30 * time.Second
	// burstOver is how long there is no collection after a burst of work.
	burstOver = 10 * time.Second
)

// Start implements [manager.Runnable].
func (k *keeper) Start(ctx context.Context) error {
	collected := make(chan struct{}, 1)
	afterCollections(ctx, collected)
	k.giveBack() // the start was the first burst
	calm := time.NewTimer(k.calm)
	defer calm.Stop()
	var shed time.Time
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-collected:
			calm.Reset(k.calm)
			if used := inUse(); k.limit > 0 && used > k.limit/100*shedAbove && time.Since(shed) > shedPause {
				shed = time.Now()
				k.shed(used)
			}
		case <-calm.C:
			k.giveBack()
			select {
			case <-collected: // its own collection is no burst
			case <-time.After(k.calm):
			case <-ctx.Done():
			}
		}
	}
}

// NeedLeaderElection implements [manager.LeaderElectionRunnable]: a process that waits has caches too.
func (k *keeper) NeedLeaderElection() bool { return false }

// shed empties the caches and gives the memory back.
func (k *keeper) shed(used int64) {
	for _, empty := range k.caches {
		empty()
	}
	k.giveBack()
	k.log.Info("memory is short and caches were emptied: raise the memory limit, or have another operator for some of the applications",
		"bytesInUse", used, "bytesInUseNow", inUse(), "limit", k.limit)
}

// giveBack returns what is not in use to the system: free heap, and the pages of the program's file that nothing needs now.
func giveBack() {
	debug.FreeOSMemory()
	releaseProgram()
}

// afterCollections sends a word after each garbage collection until ctx ends, unless one is still unread.
func afterCollections(ctx context.Context, collected chan<- struct{}) {
	sentinel := new([64]byte) // too large for the allocator to put it together with others
	runtime.AddCleanup(sentinel, func(struct{}) {
		select {
		case collected <- struct{}{}:
		default:
		}
		if ctx.Err() == nil {
			afterCollections(ctx, collected)
		}
	}, struct{}{})
}

// inUse is the memory that the last garbage collection has found in use, and that of stacks.
func inUse() int64 {
	samples := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/memory/classes/heap/stacks:bytes"}}
	metrics.Read(samples)
	var sum uint64
	for _, sample := range samples {
		sum += sample.Value.Uint64()
	}
	return int64(min(sum, math.MaxInt64))
}
