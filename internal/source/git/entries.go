package git

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
)

// Modes of tree entries, as Git writes them.
const (
	modeDir        = 0o040000
	modeExecutable = 0o100755
	modeSymlink    = 0o120000
	modeSubmodule  = 0o160000
)

// entry is one line of a directory.
type entry struct {
	name string
	mode uint32
	hash plumbing.Hash
}

// fileMode gives the permissions of a checkout without the write bits, because nothing can be written.
func (e entry) fileMode() fs.FileMode {
	switch e.mode {
	case modeDir, modeSubmodule:
		return fs.ModeDir | 0o555
	case modeSymlink:
		return fs.ModeSymlink | 0o777
	case modeExecutable:
		return 0o555
	}
	return 0o444
}

func (e entry) isDir() bool { return e.mode == modeDir || e.mode == modeSubmodule }

// dir is a directory in the order of its names, which is not the order that Git stores.
type dir []entry

func (d dir) find(name string) (entry, bool) {
	i, ok := slices.BinarySearchFunc(d, name, func(e entry, name string) int { return strings.Compare(e.name, name) })
	if !ok {
		return entry{}, false
	}
	return d[i], true
}

var errBadTree = errors.New("malformed tree")

// parseDir reads a Git tree object: for each entry the mode in octal, a space, the name, a zero byte and the id. Names that
// would mean another place in a file system are errors and are not skipped: who put them there meant no good.
func parseDir(data []byte) (dir, error) {
	var d dir
	for len(data) > 0 {
		header, rest, ok := bytes.Cut(data, []byte{0})
		mode, name, spaced := strings.Cut(string(header), " ")
		if !ok || !spaced || len(rest) < len(plumbing.ZeroHash) {
			return nil, fmt.Errorf("%w: entry %d is cut off", errBadTree, len(d)+1)
		}
		bits, err := strconv.ParseUint(mode, 8, 32)
		if err != nil {
			return nil, fmt.Errorf("%w: entry %d has the mode %q", errBadTree, len(d)+1, mode)
		}
		e := entry{name: name, mode: uint32(bits)}
		if err := e.check(); err != nil {
			return nil, err
		}
		data = rest[copy(e.hash[:], rest):]
		d = append(d, e)
	}
	slices.SortFunc(d, func(a, b entry) int { return strings.Compare(a.name, b.name) })
	for i := 1; i < len(d); i++ {
		if d[i].name == d[i-1].name {
			return nil, fmt.Errorf("%w: two entries are named %q", errBadTree, d[i].name)
		}
	}
	return d, nil
}

func (e entry) check() error {
	if e.name == "" || e.name == "." || e.name == ".." || strings.Contains(e.name, "/") || strings.EqualFold(e.name, ".git") {
		return fmt.Errorf("%w: the name %q is forbidden", errBadTree, e.name)
	}
	switch e.mode &^ 0o777 {
	case modeDir, modeSymlink, modeSubmodule, 0o100000:
		return nil
	}
	return fmt.Errorf("%w: %q has the mode %o", errBadTree, e.name, e.mode)
}
