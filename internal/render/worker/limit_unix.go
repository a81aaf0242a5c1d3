//go:build unix

package worker

import (
	"os"
	"syscall"
)

// limit makes the kernel refuse the process more memory than so many bytes, and has it chosen first should the machine run
// out of memory.
func limit(bytes int64) error {
	_ = os.WriteFile("/proc/self/oom_score_adj", []byte("1000"), 0) // only Linux has it, and it is a wish
	return syscall.Setrlimit(syscall.RLIMIT_DATA, &syscall.Rlimit{Cur: uint64(bytes), Max: uint64(bytes)})
}
