package source

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
)

// Aspect is what was looked at of a name in a tree.
type Aspect byte

const (
	// Content is what a name stands for, links followed: a file with its content, a directory, or nothing.
	Content Aspect = 'c'
	// Entry is what stands under a name itself: for a link, where it leads.
	Entry Aspect = 'e'
	// Listing is the names and kinds of a directory's entries, not what is in them.
	Listing Aspect = 'l'
	// Everything is a directory with all that is below it, links as such.
	Everything Aspect = 'a'
)

// look is one aspect of one name.
type look struct {
	name   string
	aspect Aspect
}

// maxLooks bounds what a trace remembers. Who reads more depends on the whole tree.
const maxLooks = 20_000

// Trace collects what is read of a tree: the names, also those that were looked for in vain, and what stood there. It tells
// later whether another tree would have given the same. It is safe for concurrent use.
type Trace struct {
	mu     sync.Mutex
	looks  map[look]string // fingerprints
	failed bool            // something was read that has no fingerprint
}

// Of is the tree, with everything that is read of it noted down.
func (t *Trace) Of(tree Tree) Tree { return &traced{Tree: tree, trace: t} }

// Untraced is the tree below all that notes what is read of it.
func Untraced(tree Tree) Tree {
	for {
		above, ok := tree.(*traced)
		if !ok {
			return tree
		}
		tree = above.Tree
	}
}

// note remembers an aspect. A tree does not change, so that it does not matter when it is asked for.
func (t *Trace) note(tree Tree, name string, aspect Aspect) {
	seen := look{name, aspect}
	t.mu.Lock()
	_, known := t.looks[seen]
	full := t.failed || len(t.looks) >= maxLooks
	t.mu.Unlock()
	if known {
		return
	}
	if full {
		seen = look{".", Everything}
	}
	fingerprint, err := tree.Fingerprint(seen.name, seen.aspect)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.looks == nil {
		t.looks = map[look]string{}
	}
	t.looks[seen], t.failed = fingerprint, t.failed || err != nil
}

// Reading is what was noted down until now.
func (t *Trace) Reading() Reading {
	t.mu.Lock()
	defer t.mu.Unlock()
	looks := t.looks
	if _, whole := looks[look{".", Everything}]; whole {
		looks = map[look]string{{".", Everything}: looks[look{".", Everything}]}
	}
	r := Reading{unknown: t.failed}
	for _, l := range slices.SortedFunc(maps.Keys(looks), look.compare) {
		if !covered(l, looks) {
			r.looks = append(r.looks, l)
		}
	}
	r.sum, _ = digest(r.looks, func(l look) (string, error) { return looks[l], nil })
	return r
}

// digest is one identity of the fingerprints of several looks.
func digest(looks []look, fingerprint func(look) (string, error)) (sum [sha256.Size]byte, err error) {
	all := sha256.New()
	for _, l := range looks {
		one, err := fingerprint(l)
		if err != nil {
			return sum, err
		}
		_, _ = fmt.Fprintf(all, "%d:%s", len(one), one)
	}
	return [sha256.Size]byte(all.Sum(nil)), nil
}

func (l look) compare(other look) int {
	if c := strings.Compare(l.name, other.name); c != 0 {
		return c
	}
	return int(l.aspect) - int(other.aspect)
}

// covered tells whether a directory was read with everything below it, this name among it. What is reached through a link is
// not below it, and its fingerprint says so.
func covered(l look, looks map[look]string) bool {
	if !stands(looks[l], l.name) {
		return false
	}
	for above := path.Dir(l.name); ; above = path.Dir(above) {
		if fingerprint, whole := looks[look{above, Everything}]; whole && stands(fingerprint, above) {
			return true
		}
		if above == "." {
			return false
		}
	}
}

// stands tells whether what a fingerprint identifies stands in its tree under that very name: a fingerprint ends in a zero byte
// and the name without links.
func stands(fingerprint, name string) bool { return strings.HasSuffix(fingerprint, "\x00"+name) }

// Reading is what somebody has read of a tree: a value that never changes. Of the zero value nothing is known.
type Reading struct {
	looks   []look
	sum     [sha256.Size]byte
	unknown bool
}

// Holds tells whether another tree gives the same for everything that was read. When that cannot be told, it does not.
func (r Reading) Holds(tree Tree) bool {
	if !r.Known() {
		return false
	}
	sum, err := digest(r.looks, func(l look) (string, error) { return tree.Fingerprint(l.name, l.aspect) })
	return err == nil && sum == r.sum
}

// Known tells whether it can ever be told that another tree gives the same.
func (r Reading) Known() bool { return !r.unknown && r.sum != [sha256.Size]byte{} }

// Read tells whether anything was read at all.
func (r Reading) Read() bool { return r.unknown || len(r.looks) > 0 }

// Size is about how many bytes of memory it takes.
func (r Reading) Size() int {
	const each = 64 // of a look, and of the header of its name
	size := each
	for _, l := range r.looks {
		size += each + len(l.name)
	}
	return size
}

// traced is a tree that notes what is read of it.
type traced struct {
	Tree

	trace *Trace
}

// Open implements [fs.FS].
func (t *traced) Open(name string) (fs.File, error) {
	t.trace.note(t.Tree, name, Content)
	file, err := t.Tree.Open(name)
	if folder, ok := file.(fs.ReadDirFile); ok && err == nil {
		return &tracedFolder{ReadDirFile: folder, tree: t, name: name}, nil
	}
	return file, err
}

// Stat implements [fs.StatFS].
func (t *traced) Stat(name string) (fs.FileInfo, error) {
	t.trace.note(t.Tree, name, Content)
	return t.Tree.Stat(name)
}

// ReadFile implements [fs.ReadFileFS].
func (t *traced) ReadFile(name string) ([]byte, error) {
	t.trace.note(t.Tree, name, Content)
	return t.Tree.ReadFile(name)
}

// Lstat implements [fs.ReadLinkFS].
func (t *traced) Lstat(name string) (fs.FileInfo, error) {
	t.trace.note(t.Tree, name, Entry)
	return t.Tree.Lstat(name)
}

// ReadLink implements [fs.ReadLinkFS].
func (t *traced) ReadLink(name string) (string, error) {
	t.trace.note(t.Tree, name, Entry)
	return t.Tree.ReadLink(name)
}

// ReadDir implements [fs.ReadDirFS].
func (t *traced) ReadDir(name string) ([]fs.DirEntry, error) {
	t.trace.note(t.Tree, name, Listing)
	entries, err := t.Tree.ReadDir(name)
	return t.entries(name, entries), err
}

// Hash implements [Tree].
func (t *traced) Hash(name string) (string, error) {
	t.trace.note(t.Tree, name, Everything)
	return t.Tree.Hash(name)
}

// Fingerprint implements [Tree].
func (t *traced) Fingerprint(name string, aspect Aspect) (string, error) {
	t.trace.note(t.Tree, name, aspect)
	return t.Tree.Fingerprint(name, aspect)
}

func (t *traced) entries(folder string, entries []fs.DirEntry) []fs.DirEntry {
	noting := make([]fs.DirEntry, len(entries))
	for i, entry := range entries {
		noting[i] = &tracedEntry{DirEntry: entry, tree: t, name: path.Join(folder, entry.Name())}
	}
	return noting
}

// tracedFolder is an open file, which may be a directory.
type tracedFolder struct {
	fs.ReadDirFile

	tree *traced
	name string
}

// ReadDir implements [fs.ReadDirFile].
func (f *tracedFolder) ReadDir(n int) ([]fs.DirEntry, error) {
	f.tree.trace.note(f.tree.Tree, f.name, Listing)
	entries, err := f.ReadDirFile.ReadDir(n)
	return f.tree.entries(f.name, entries), err
}

// tracedEntry is an entry of a directory. Its name and kind are in the listing; more is a look at the entry itself.
type tracedEntry struct {
	fs.DirEntry

	tree *traced
	name string
}

// Info implements [fs.DirEntry].
func (e *tracedEntry) Info() (fs.FileInfo, error) {
	e.tree.trace.note(e.tree.Tree, e.name, Entry)
	return e.DirEntry.Info()
}
