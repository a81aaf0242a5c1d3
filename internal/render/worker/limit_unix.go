//go:build unix

package worker

import (
	"os"
	"strconv"
	"syscall"
)

// niceness has the operator go first where both want the processor: what hostile charts burn is what nobody else needs.
const niceness = 10

// limit makes the kernel refuse the process more memory than so many bytes, has it chosen first should the machine run out of
// memory, and has it stand back when the processor is busy.
func limit(bytes int64) error {
	_ = os.WriteFile("/proc/self/oom_score_adj", []byte("1000"), 0) // only Linux has it, and it is a wish
	threads, _ := os.ReadDir("/proc/self/task")                     // so is this; threads that come later do as those that made them
	for _, thread := range threads {
		if id, err := strconv.Atoi(thread.Name()); err == nil {
			_ = syscall.Setpriority(syscall.PRIO_PROCESS, id, niceness)
		}
	}
	return syscall.Setrlimit(syscall.RLIMIT_DATA, &syscall.Rlimit{Cur: uint64(bytes), Max: uint64(bytes)})
}
