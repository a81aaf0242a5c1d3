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
	maps, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		return
	}
	for _, a := range fileBacked(string(maps), program) {
		_, _, _ = syscall.Syscall(syscall.SYS_MADVISE, a.from, a.to-a.from, syscall.MADV_DONTNEED)
	}
}

// area is a range of addresses.
type area struct{ from, to uintptr }

// fileBacked are the areas of the program's file that nobody can write to and of which every page is as in the file: what else is
// in them would be lost. A linker that relocates constants writes to them before it takes the permission away; the kernel then
// counts their pages as anonymous. The text is that of proc_pid_smaps(5): for each area a line with address, permissions, offset,
// device, inode and path, and then its counts.
func fileBacked(smaps, program string) (areas []area) {
	var current area
	for line := range strings.Lines(smaps) {
		fields := strings.Fields(line)
		switch {
		case len(fields) == 0:
		case !strings.HasSuffix(fields[0], ":"):
			current = area{}
			if len(fields) != 6 || fields[5] != program || (fields[1] != "r--p" && fields[1] != "r-xp") {
				continue
			}
			if _, err := fmt.Sscanf(fields[0], "%x-%x", &current.from, &current.to); err != nil || current.from >= current.to {
				current = area{}
			}
		case fields[0] == "Anonymous:" && current != (area{}):
			if len(fields) > 1 && fields[1] == "0" {
				areas = append(areas, current)
			}
			current = area{}
		}
	}
	return areas
}
