package operator

import (
	"context"
	"io/fs"
	"runtime"
	"testing"
	"testing/fstest"
	"time"

	"github.com/go-logr/logr"
)

func TestBudget(t *testing.T) {
	const mebi = 1 << 20
	for _, tc := range []struct {
		reason    string
		limit     int64
		processes int
		each      int64
		want      memoryBudget
	}{
		{"no limit bounds nothing", 0, 2, 512 * mebi, memoryBudget{}},
		{"what processes may take is not the operator's, and a tenth stays free", 2000 * mebi, 2, 500 * mebi, memoryBudget{heap: 900 * mebi, cache: 900 * mebi / 32}},
		{"half of it is the operator's in any case", 500 * mebi, 2, 512 * mebi, memoryBudget{heap: 225 * mebi, cache: 225 * mebi / 32}},
		{"caches do not grow for ever", 100_000 * mebi, 2, 500 * mebi, memoryBudget{heap: 99_000 * mebi / 10 * 9, cache: 32 * mebi}},
		{"nor are they too small to be of use", 20 * mebi, 0, 0, memoryBudget{heap: 18 * mebi, cache: mebi}},
	} {
		if got := budget(tc.limit, tc.processes, tc.each); got != tc.want {
			t.Errorf("%s: %+v, want %+v", tc.reason, got, tc.want)
		}
	}
}

// system is the root of a file system: pairs of name and content.
func system(pairs ...string) fs.FS {
	root := fstest.MapFS{}
	for i := 0; i < len(pairs); i += 2 {
		root[pairs[i]] = &fstest.MapFile{Data: []byte(pairs[i+1])}
	}
	return root
}

func TestGroupLimit(t *testing.T) {
	for _, tc := range []struct {
		reason string
		root   fs.FS
		want   int64
	}{
		{"no control groups", system(), 0},
		{"a container of version 2", system("proc/self/cgroup", "0::/\n", "sys/fs/cgroup/memory.max", "1048576\n"), 1 << 20},
		{"version 2 without a limit", system("proc/self/cgroup", "0::/\n", "sys/fs/cgroup/memory.max", "max\n"), 0},
		{"the root group of version 2 has no such file", system("proc/self/cgroup", "0::/\n"), 0},
		{
			"the smallest limit around a group counts",
			system("proc/self/cgroup", "0::/a/b\n", "sys/fs/cgroup/a/memory.max", "1000\n", "sys/fs/cgroup/a/b/memory.max", "2000\n"), 1000,
		},
		{
			"a container of version 1 sees its group as the root",
			system("proc/self/cgroup", "5:cpu,cpuacct:/x\n4:memory:/kubepods/x\n", "sys/fs/cgroup/memory/memory.limit_in_bytes", "2097152\n"), 2 << 20,
		},
		{
			"version 1 without a limit",
			system("proc/self/cgroup", "4:memory:/\n", "sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"), 0,
		},
		{
			"both versions mounted",
			system("proc/self/cgroup", "4:memory:/\n0::/\n", "sys/fs/cgroup/memory/memory.limit_in_bytes", "3000\n", "sys/fs/cgroup/memory.max", "max\n"), 3000,
		},
		{"a line that nobody understands", system("proc/self/cgroup", "?\n"), 0},
	} {
		if got, err := groupLimit(tc.root); err != nil || got != tc.want {
			t.Errorf("%s: %d, %v; want %d", tc.reason, got, err, tc.want)
		}
	}
	if got, err := groupLimit(system("proc/self/cgroup", "0::/\n", "sys/fs/cgroup/memory.max", "plenty\n")); err == nil {
		t.Errorf("a limit that is no number: %d, want an error", got)
	}
}

func TestMemoryBudgetOfOptions(t *testing.T) {
	limited := system("proc/self/cgroup", "0::/\n", "sys/fs/cgroup/memory.max", "1073741824\n")
	options := &Options{RenderProcesses: 1, RenderMemory: 256 << 20}
	if got, err := options.memoryBudget(limited); err != nil || got != budget(1<<30, 1, 256<<20) {
		t.Errorf("without a flag the control group counts: %+v, %v", got, err)
	}
	options.MemoryLimit = 2 << 30
	if got, err := options.memoryBudget(limited); err != nil || got != budget(2<<30, 1, 256<<20) {
		t.Errorf("the flag counts before the control group: %+v, %v", got, err)
	}
}

// shedding starts a shedder and gives what it writes to when it empties its caches.
func shedding(t *testing.T, limit int64) (emptied chan struct{}, done chan error) {
	t.Helper()
	emptied, done = make(chan struct{}, 10), make(chan error, 1)
	s := &shedder{limit: limit, caches: []func(){func() { emptied <- struct{}{} }}, log: logr.Discard()}
	go func() { done <- s.Start(t.Context()) }()
	return emptied, done
}

func TestShedder(t *testing.T) {
	emptied, _ := shedding(t, 1<<20) // the test itself needs more
	deadline := time.After(10 * time.Second)
	for waiting := true; waiting; {
		runtime.GC()
		select {
		case <-emptied:
			waiting = false
		case <-deadline:
			t.Fatal("the caches are not emptied although more memory is in use than the limit allows")
		case <-time.After(time.Millisecond):
		}
	}
	for range 3 {
		runtime.GC()
	}
	select {
	case <-emptied:
		t.Error("the caches are emptied again at once")
	default:
	}
}

func TestShedderWithEnoughMemory(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	collected := make(chan struct{}, 1)
	afterCollections(ctx, collected)
	emptied, done := shedding(t, 1<<40)
	for range 3 { // the word comes after every collection, not only after the first
		runtime.GC()
		select {
		case <-collected:
		case <-time.After(10 * time.Second):
			t.Fatal("nobody tells of a garbage collection")
		}
	}
	cancel()
	select {
	case <-emptied:
		t.Error("caches are emptied although there is memory")
	case err := <-done:
		t.Errorf("the guard has ended: %v", err)
	default:
	}
}

func TestShedderWithoutLimit(t *testing.T) {
	if err := (&shedder{}).Start(t.Context()); err != nil {
		t.Error(err)
	}
}
