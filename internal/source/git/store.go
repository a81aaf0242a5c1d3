package git

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/go-git/go-billy/v5/osfs"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/storage/filesystem"
	"github.com/go-git/go-git/v5/storage/filesystem/dotgit"

	"github.com/tiphys-io/tiphys/internal/source"
)

const (
	// maxPacks is how many fetches a store takes before a fresh one begins: many small shallow packs share little.
	maxPacks = 50
	// maxHaves is how many of the commits in a store a server is told about.
	maxHaves = 32
	// openPacks is how many packs of one store are kept open.
	openPacks = 4
	// tipsFile lists the commits that were fetched, oldest first: "<id> shallow" or "<id> full".
	tipsFile = "tips"
)

// damageError tells that the store, which is a cache, cannot give what it should have, and that a fresh one is needed.
type damageError struct{ err error }

func (e *damageError) Error() string {
	return "the local copy of the repository is damaged: " + e.err.Error()
}
func (e *damageError) Unwrap() error { return e.err }

var errStoreClosed = errors.New("a newer store has replaced it")

// tip is a commit whose whole tree is in the store; with its history unless it is shallow.
type tip struct {
	hash    plumbing.Hash
	shallow bool
}

// store holds the objects of one repository, as packs in a folder. An object is there with everything it refers to, except
// for the parents of commits: packs are made complete with regard to the tips.
type store struct {
	dir   string
	cache cache.Object

	mu      sync.Mutex // go-git's storage is for one goroutine at a time
	objects *filesystem.ObjectStorage
	tips    []tip
	packs   int
	bytes   int64
	closed  bool
}

// openStore opens the store in a folder, making an empty one if there is none. Every failure is damage.
func openStore(dir string, objects cache.Object) (*store, error) {
	s := &store{dir: dir, cache: objects}
	if err := os.MkdirAll(s.packDir(), 0o700); err != nil {
		return nil, fmt.Errorf("folder for a Git repository: %w", err)
	}
	if err := s.sweep(); err != nil {
		return nil, &damageError{err}
	}
	if err := s.readTips(); err != nil {
		return nil, &damageError{err}
	}
	if err := s.reopen(); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *store) packDir() string { return filepath.Join(s.dir, "objects", "pack") }

// sweep removes what an ended process left unfinished, and sees that every pack is whole.
func (s *store) sweep() error {
	files, err := os.ReadDir(s.packDir())
	if err != nil {
		return err
	}
	for _, f := range files {
		name := filepath.Join(s.packDir(), f.Name())
		if strings.HasPrefix(f.Name(), "incoming-") {
			if err := os.Remove(name); err != nil {
				return err
			}
		}
		if sum, ok := strings.CutSuffix(strings.TrimPrefix(f.Name(), "pack-"), ".pack"); ok {
			if err := checkPackFile(name, plumbing.NewHash(sum)); err != nil {
				return fmt.Errorf("%s: %w", f.Name(), err)
			}
		}
	}
	return nil
}

// checkPackFile is a cheap check: a pack that was cut off does not end with the checksum that is its name.
func checkPackFile(name string, checksum plumbing.Hash) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	return checkTrailer(file, info.Size(), checksum)
}

func (s *store) readTips() error {
	data, err := os.ReadFile(filepath.Join(s.dir, tipsFile))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	for line := range strings.Lines(string(data)) {
		sha, how, _ := strings.Cut(strings.TrimSpace(line), " ")
		if !isFullSHA(sha) {
			return fmt.Errorf("%s holds the line %q", tipsFile, line)
		}
		s.tips = append(s.tips, tip{hash: plumbing.NewHash(sha), shallow: how == "shallow"})
	}
	return nil
}

// reopen reads the indexes of all packs, which go-git does only once in the life of a storage.
func (s *store) reopen() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	packs, err := filepath.Glob(filepath.Join(s.packDir(), "pack-*.pack"))
	if err != nil {
		return err
	}
	s.packs, s.bytes = len(packs), 0
	for _, name := range packs {
		info, err := os.Stat(name)
		if err != nil {
			return &damageError{err}
		}
		s.bytes += info.Size()
	}
	objects := filesystem.NewObjectStorageWithOptions(
		dotgit.New(osfs.New(s.dir)), s.cache, filesystem.Options{MaxOpenDescriptors: openPacks})
	err = guard(func() error { return objects.HasEncodedObject(plumbing.ZeroHash) })
	if err != nil && !errors.Is(err, plumbing.ErrObjectNotFound) {
		return &damageError{err}
	}
	if s.objects != nil {
		_ = s.objects.Close() // Files that were only read lose nothing when closing fails.
	}
	s.objects = objects
	return nil
}

// guard turns a panic over damaged data into an error.
func guard(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("unreadable: %v", r)
		}
	}()
	return f()
}

// add receives a pack and makes its objects readable.
func (s *store) add(ctx context.Context, r io.Reader, limit int64) error {
	count, err := receivePack(ctx, s.packDir(), r, limit)
	if err != nil || count == 0 {
		return err
	}
	return s.reopen()
}

// keep remembers a commit as complete, so that the next fetch can build on it.
func (s *store) keep(tips ...tip) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tips = append(s.tips, tips...)
	var text bytes.Buffer
	for _, t := range s.tips {
		how := "full"
		if t.shallow {
			how = "shallow"
		}
		fmt.Fprintf(&text, "%s %s\n", t.hash, how)
	}
	name := filepath.Join(s.dir, tipsFile)
	if err := os.WriteFile(name+".new", text.Bytes(), 0o600); err != nil {
		return err
	}
	return os.Rename(name+".new", name)
}

// known gives the newest commits that a server may build a pack on, and all whose history is cut off.
func (s *store) known() (haves, shallows []plumbing.Hash) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, t := range s.tips {
		if i >= len(s.tips)-maxHaves {
			haves = append(haves, t.hash)
		}
		if t.shallow {
			shallows = append(shallows, t.hash)
		}
	}
	return haves, shallows
}

// worn says that a fresh store would be better than adding to this one.
func (s *store) worn(maxBytes int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.packs >= maxPacks || s.bytes > maxBytes
}

// do runs f on the objects, one goroutine at a time. Every error but the size of an object is damage.
func (s *store) do(f func(*filesystem.ObjectStorage) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return &damageError{errStoreClosed}
	}
	err := guard(func() error { return f(s.objects) })
	if _, large := errors.AsType[*source.FileSizeError](err); err == nil || large {
		return err
	}
	return &damageError{err}
}

// has says whether an object is there, and with it all that it refers to. What was fetched last is known without a look at the
// disk.
func (s *store) has(hash plumbing.Hash) bool {
	s.mu.Lock()
	fetched := !s.closed && slices.ContainsFunc(s.tips, func(t tip) bool { return t.hash == hash })
	s.mu.Unlock()
	if fetched {
		return true
	}
	return s.do(func(o *filesystem.ObjectStorage) error { return o.HasEncodedObject(hash) }) == nil
}

// size of an object in bytes; its content is not read.
func (s *store) size(hash plumbing.Hash) (size int64, err error) {
	err = s.do(func(o *filesystem.ObjectStorage) error {
		size, err = o.EncodedObjectSize(hash)
		return err
	})
	return size, err
}

// object reads a whole object of at most limit bytes.
func (s *store) object(hash plumbing.Hash, limit int64) (kind plumbing.ObjectType, data []byte, err error) {
	err = s.do(func(o *filesystem.ObjectStorage) error {
		size, err := o.EncodedObjectSize(hash)
		if err != nil {
			return err
		}
		if size > limit {
			return &source.FileSizeError{Name: "object " + hash.String(), Size: size, Limit: limit}
		}
		encoded, err := o.EncodedObject(plumbing.AnyObject, hash)
		if err != nil {
			return err
		}
		reader, err := encoded.Reader()
		if err != nil {
			return err
		}
		kind = encoded.Type()
		data = make([]byte, size)
		_, err = io.ReadFull(reader, data)
		return errors.Join(err, reader.Close())
	})
	return kind, data, err
}

// root finds the tree of a commit; an annotated tag stands for its commit.
func (s *store) root(hash plumbing.Hash, limit int64) (plumbing.Hash, error) {
	for range 10 { // tags of tags of tags
		kind, data, err := s.object(hash, limit)
		if err != nil {
			return plumbing.ZeroHash, err
		}
		first, _, _ := strings.Cut(string(data), "\n")
		word, sha, _ := strings.Cut(first, " ")
		switch {
		case !isFullSHA(sha):
		case kind == plumbing.CommitObject && word == "tree":
			return plumbing.NewHash(sha), nil
		case kind == plumbing.TagObject && word == "object":
			hash = plumbing.NewHash(sha)
			continue
		}
		break
	}
	return plumbing.ZeroHash, &source.RevisionError{Revision: hash.String(), Detail: "this object is not a commit"}
}

// commits lists the commits whose id begins with some hexadecimal digits.
func (s *store) commits(prefix string) (found []plumbing.Hash, err error) {
	err = s.do(func(o *filesystem.ObjectStorage) error {
		raw := plumbing.NewHash(prefix + strings.Repeat("0", 40-len(prefix)))
		hashes, err := o.HashesWithPrefix(raw[:len(prefix)/2])
		for _, h := range hashes {
			if !strings.HasPrefix(h.String(), strings.ToLower(prefix)) {
				continue
			}
			if _, err := o.EncodedObject(plumbing.CommitObject, h); err == nil {
				found = append(found, h)
			}
		}
		return err
	})
	return found, err
}

// remove ends the store. Trees that still read from it move to another one.
func (s *store) remove() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.closed = true
		_ = s.objects.Close() // Its files are about to be removed.
	}
	return os.RemoveAll(s.dir)
}
