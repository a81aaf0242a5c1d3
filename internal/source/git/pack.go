package git

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/idxfile"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
)

const (
	// maxDeltaDepth is Git's own limit for chains of deltas.
	maxDeltaDepth = 4095
	// maxDeltaBytes bounds an object that deltas are applied to; Git makes none for files above 512 MiB.
	maxDeltaBytes = 512 << 20
	// maxHeldBytes bounds what a chain of deltas holds in memory at once.
	maxHeldBytes = 1 << 30
	// inflation is by how much a pack may grow when it is unpacked, as a multiple of the size limit of packs.
	inflation = 20
	// minInflated is how far every pack may grow, also under a low limit: deltas make short packs of long files.
	minInflated = 64 << 20
)

var (
	errTooLarge = errors.New("more data than the limit")
	errBadPack  = errors.New("the pack is incomplete or damaged")
)

// receivePack writes a pack and its index into a folder; both appear under their names only when they are complete. It
// returns the number of objects, which may be 0: then there is no file.
func receivePack(ctx context.Context, dir string, r io.Reader, limit int64) (count int, err error) {
	file, err := os.CreateTemp(dir, "incoming-")
	if err != nil {
		return 0, fmt.Errorf("receive a pack: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close(), removeIfExists(file.Name())) }()
	size, err := io.Copy(file, io.LimitReader(r, limit+1))
	if err != nil {
		return 0, fmt.Errorf("%w: %w", errBadPack, err)
	}
	if size > limit {
		return 0, fmt.Errorf("pack of more than %d bytes: %w", limit, errTooLarge)
	}
	x := &indexer{ctx: ctx, budget: max(inflation*limit, minInflated), at: map[int64]int{}, waiting: map[plumbing.Hash][]int{}}
	checksum, err := x.index(file, size)
	if err != nil || len(x.entries) == 0 {
		return 0, err
	}
	base := filepath.Join(dir, "pack-"+checksum.String())
	if err := x.writeIndex(base + ".idx"); err != nil {
		return 0, fmt.Errorf("index a pack: %w", err)
	}
	if err := os.Rename(file.Name(), base+".pack"); err != nil {
		return 0, fmt.Errorf("keep a pack: %w", err)
	}
	return len(x.entries), nil
}

func removeIfExists(name string) error {
	if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// indexer finds the ids of the objects in a pack. It holds an object in memory only while deltas are applied to it.
type indexer struct {
	ctx     context.Context
	scanner *packfile.Scanner
	entries []packEntry
	at      map[int64]int           // entry by offset
	waiting map[plumbing.Hash][]int // deltas whose base is named by its id, by that id
	writer  idxfile.Writer
	done    int
	held    int64
	budget  int64 // bytes that may still be inflated
}

type packEntry struct {
	offset   int64
	crc      uint32
	kind     plumbing.ObjectType
	hash     plumbing.Hash
	children []int // deltas against this entry
}

// index reads the whole pack twice at most: once in order, and once more for what deltas are made from.
func (x *indexer) index(file io.ReadSeeker, size int64) (checksum plumbing.Hash, err error) {
	defer func() {
		// Foreign bytes go through parsers here; one that panics must not end the process.
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %v", errBadPack, r)
		}
	}()
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return plumbing.ZeroHash, err
	}
	x.scanner = packfile.NewScanner(file)
	_, count, err := x.scanner.Header()
	if err != nil {
		return plumbing.ZeroHash, fmt.Errorf("%w: %w", errBadPack, err)
	}
	for range count {
		if err := x.scan(); err != nil {
			return plumbing.ZeroHash, err
		}
	}
	if checksum, err = x.scanner.Checksum(); err != nil {
		return plumbing.ZeroHash, fmt.Errorf("%w: %w", errBadPack, err)
	}
	if err := checkTrailer(file, size, checksum); err != nil {
		return plumbing.ZeroHash, err
	}
	if err := x.resolve(); err != nil {
		return plumbing.ZeroHash, err
	}
	if x.done != len(x.entries) {
		return plumbing.ZeroHash, fmt.Errorf("%w: %d of %d objects are deltas against objects that are not in it", errBadPack, len(x.entries)-x.done, len(x.entries))
	}
	return checksum, x.writer.OnFooter(checksum)
}

// checkTrailer sees that a pack ends with its checksum and with nothing behind it.
func checkTrailer(file io.ReadSeeker, size int64, checksum plumbing.Hash) error {
	var last plumbing.Hash
	if _, err := file.Seek(size-int64(len(last)), io.SeekStart); err != nil {
		return fmt.Errorf("%w: %w", errBadPack, err)
	}
	if _, err := io.ReadFull(file, last[:]); err != nil || last != checksum {
		return fmt.Errorf("%w: it does not end with its checksum", errBadPack)
	}
	return nil
}

// scan takes the next object: whole ones get their id, deltas are put down with what they are made from.
func (x *indexer) scan() error {
	if err := x.ctx.Err(); err != nil {
		return err
	}
	header, err := x.scanner.NextObjectHeader()
	if err != nil {
		return fmt.Errorf("%w: %w", errBadPack, err)
	}
	if err := x.spend(header.Length); err != nil {
		return err
	}
	number := len(x.entries)
	entry := packEntry{offset: header.Offset, kind: header.Type}
	into := io.Discard
	hasher := plumbing.NewHasher(header.Type, header.Length)
	switch header.Type {
	case plumbing.OFSDeltaObject:
		parent, ok := x.at[header.OffsetReference]
		if !ok {
			return fmt.Errorf("%w: the object at %d is a delta against nothing", errBadPack, header.Offset)
		}
		x.entries[parent].children = append(x.entries[parent].children, number)
	case plumbing.REFDeltaObject:
		x.waiting[header.Reference] = append(x.waiting[header.Reference], number)
	default:
		into = hasher
	}
	written, crc, err := x.scanner.NextObject(into)
	if err != nil || written != header.Length {
		return fmt.Errorf("%w: the object at %d has %d bytes instead of %d: %w", errBadPack, header.Offset, written, header.Length, err)
	}
	entry.crc = crc
	x.at[header.Offset] = number
	x.entries = append(x.entries, entry)
	if !header.Type.IsDelta() {
		x.settle(number, hasher.Sum())
	}
	return nil
}

func (x *indexer) spend(bytes int64) error {
	if x.budget -= bytes; x.budget < 0 || bytes < 0 {
		return fmt.Errorf("the pack grows too much when unpacked: %w", errTooLarge)
	}
	return nil
}

func (x *indexer) settle(number int, hash plumbing.Hash) {
	entry := &x.entries[number]
	entry.hash = hash
	x.writer.Add(hash, uint64(entry.offset), entry.crc)
	x.done++
}

// resolve applies the deltas, starting at each object that is stored whole.
func (x *indexer) resolve() error {
	for number := range x.entries {
		if x.entries[number].kind.IsDelta() || !x.isBase(number) {
			continue
		}
		content, err := x.read(x.entries[number].offset)
		if err != nil {
			return err
		}
		if err := x.descend(number, content, x.entries[number].kind, 0); err != nil {
			return err
		}
	}
	return nil
}

func (x *indexer) isBase(number int) bool {
	return len(x.entries[number].children) > 0 || len(x.waiting[x.entries[number].hash]) > 0
}

// descend applies the deltas against one object, and those against the results.
func (x *indexer) descend(number int, content []byte, kind plumbing.ObjectType, depth int) error {
	if err := x.ctx.Err(); err != nil {
		return err
	}
	x.held += int64(len(content))
	defer func() { x.held -= int64(len(content)) }()
	if depth > maxDeltaDepth || x.held > maxHeldBytes {
		return fmt.Errorf("chain of deltas: %w", errTooLarge)
	}
	hash := x.entries[number].hash
	children := append(x.entries[number].children, x.waiting[hash]...)
	x.entries[number].children = nil
	delete(x.waiting, hash)
	for _, child := range children {
		delta, err := x.read(x.entries[child].offset)
		if err != nil {
			return err
		}
		result, err := packfile.PatchDelta(content, delta)
		if err != nil {
			return fmt.Errorf("%w: the delta at %d: %w", errBadPack, x.entries[child].offset, err)
		}
		if err := x.spend(int64(len(result))); err != nil {
			return err
		}
		x.settle(child, plumbing.ComputeHash(kind, result))
		if x.isBase(child) {
			if err := x.descend(child, result, kind, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

// read inflates the object or delta at an offset.
func (x *indexer) read(offset int64) ([]byte, error) {
	header, err := x.scanner.SeekObjectHeader(offset)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errBadPack, err)
	}
	if header.Length > maxDeltaBytes {
		return nil, fmt.Errorf("delta of %d bytes: %w", header.Length, errTooLarge)
	}
	var content bytes.Buffer
	if _, _, err := x.scanner.NextObject(&content); err != nil {
		return nil, fmt.Errorf("%w: %w", errBadPack, err)
	}
	return content.Bytes(), nil
}

// writeIndex writes the index beside its name first: a process that dies in between leaves no half of one.
func (x *indexer) writeIndex(name string) (err error) {
	index, err := x.writer.Index()
	if err != nil {
		return err
	}
	file, err := os.CreateTemp(filepath.Dir(name), "incoming-")
	if err != nil {
		return err
	}
	_, err = idxfile.NewEncoder(file).Encode(index)
	if err = errors.Join(err, file.Close()); err == nil {
		err = os.Rename(file.Name(), name)
	}
	return errors.Join(err, removeIfExists(file.Name()))
}
