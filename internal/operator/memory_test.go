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

// keeping starts a keeper and gives what it writes to when it empties caches and when it gives memory back.
func keeping(t *testing.T, limit int64, calm time.Duration) (emptied, given chan struct{}) {
	t.Helper()
	emptied, given = make(chan struct{}, 10), make(chan struct{}, 10)
	k := &keeper{
		limit: limit, caches: []func(){func() { emptied <- struct{}{} }}, giveBack: func() { runtime.GC(); given <- struct{}{} }, calm: calm,
		log: logr.Discard(),
	}
	done := make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { done <- k.Start(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return emptied, given
}

// collectUntil has garbage collected until something is said.
func collectUntil(t *testing.T, said <-chan struct{}, what string) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	for {
		runtime.GC()
		select {
		case <-said:
			return
		case <-deadline:
			t.Fatal(what)
		case <-time.After(time.Millisecond):
		}
	}
}

func TestCachesAreEmptied(t *testing.T) {
	emptied, given := keeping(t, 1<<20, time.Hour) // the test itself needs more
	<-given
	collectUntil(t, emptied, "the caches are not emptied although more memory is in use than the limit allows")
	select {
	case <-given:
	case <-time.After(10 * time.Second):
		t.Error("what was in the caches is not given back")
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

func TestCachesAreKept(t *testing.T) {
	for _, tc := range []struct {
		reason string
		limit  int64
	}{{"there is memory enough", 1 << 40}, {"there is no limit", 0}} {
		collected := make(chan struct{}, 1)
		afterCollections(t.Context(), collected)
		emptied, _ := keeping(t, tc.limit, time.Hour)
		for range 3 { // the word comes after every collection, not only after the first
			collectUntil(t, collected, "nobody tells of a garbage collection")
		}
		select {
		case <-emptied:
			t.Errorf("%s, and the caches are emptied", tc.reason)
		default:
		}
	}
}

func TestMemoryIsGivenBack(t *testing.T) {
	_, given := keeping(t, 0, 20*time.Millisecond)
	for range 3 { // at the start, after it, and after what is done next
		select {
		case <-given:
		case <-time.After(10 * time.Second):
			t.Fatal("a burst is over, and its memory is kept")
		}
		runtime.GC()
	}
}

func TestMemoryForManifests(t *testing.T) {
	for _, tc := range []struct {
		reason            string
		heap, asked, want int64
	}{
		{"no limit", 0, 64 << 20, 64 << 20},
		{"an eighth is more than what is asked for", 1 << 30, 64 << 20, 64 << 20},
		{"an eighth is less", 128 << 20, 64 << 20, 16 << 20},
		{"none is none", 128 << 20, 0, 0},
	} {
		if got := (memoryBudget{heap: tc.heap}).manifests(tc.asked); got != tc.want {
			t.Errorf("%s: %d bytes, want %d", tc.reason, got, tc.want)
		}
	}
}
