package operator

import (
	"fmt"
	"os"
	"strings"
	"syscall"
)

// releaseProgram gives back the memory that holds the program's code and constants. The start of a program touches nearly all of
// them, and a burst of work many; what is needed again is mapped again from the file when it is. What cannot be done changes
// nothing, so that nobody has to know.
func releaseProgram() {
	program, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return
	}
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return
	}
	for line := range strings.Lines(string(maps)) {
		if from, to, ok := readOnly(line, program); ok {
			_, _, _ = syscall.Syscall(syscall.SYS_MADVISE, from, to-from, syscall.MADV_DONTNEED)
		}
	}
}

// readOnly tells whether a line of a process's maps (proc_pid_maps(5): address, permissions, offset, device, inode, path) is
// about memory of the program's file that nobody can have written: what was written there would be lost.
func readOnly(line, program string) (from, to uintptr, ok bool) {
	fields := strings.Fields(line)
	if len(fields) != 6 || fields[5] != program || (fields[1] != "r--p" && fields[1] != "r-xp") {
		return 0, 0, false
	}
	if _, err := fmt.Sscanf(fields[0], "%x-%x", &from, &to); err != nil || from >= to {
		return 0, 0, false
	}
	return from, to, true
}
