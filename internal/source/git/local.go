package git

import (
	"compress/zlib"
	"context"
	"crypto/sha1" //nolint:gosec // the trailer of a pack is a SHA-1 by definition
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/go-git/go-billy/v5/osfs"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/plumbing/storer"
	"github.com/go-git/go-git/v5/plumbing/transport"
	"github.com/go-git/go-git/v5/storage/filesystem"

	"github.com/tiphys-io/tiphys/internal/source"
)

// local is a repository in a folder of this machine. It is opened anew for every call, because others write to it.
type local struct {
	path     string
	maxBytes int64
}

func isLocal(repoURL string) bool { return strings.HasPrefix(strings.TrimSpace(repoURL), "file://") }

// newLocal refuses the folder with the stores: there everybody could read what others have fetched.
func newLocal(repoURL string, o Options) (*local, error) {
	u, err := url.Parse(strings.TrimSpace(repoURL))
	if err != nil || (u.Host != "" && u.Host != "localhost") || !filepath.IsAbs(u.Path) {
		return nil, &invalidError{"a file URL is written file:///absolute/path"}
	}
	path, err := filepath.EvalSymlinks(u.Path)
	if err != nil {
		return nil, transport.ErrRepositoryNotFound
	}
	stores, err := filepath.EvalSymlinks(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("folder for Git repositories: %w", err)
	}
	if rel, err := filepath.Rel(stores, path); err == nil && rel != ".." && !strings.HasPrefix(rel, "../") {
		return nil, transport.ErrRepositoryNotFound
	}
	return &local{path: path, maxBytes: o.MaxPackBytes}, nil
}

func (l *local) open() (*filesystem.Storage, error) {
	for _, dir := range []string{filepath.Join(l.path, ".git"), l.path} {
		if _, err := os.Stat(filepath.Join(dir, "HEAD")); err == nil {
			return filesystem.NewStorage(osfs.New(dir), cache.NewObjectLRU(8*cache.MiByte)), nil
		}
	}
	return nil, transport.ErrRepositoryNotFound
}

// list implements upstream.
func (l *local) list(ctx context.Context) ([]ref, error) {
	storage, err := l.open()
	if err != nil {
		return nil, err
	}
	names, err := storage.IterReferences()
	if err != nil {
		return nil, err
	}
	var refs []ref
	err = names.ForEach(func(r *plumbing.Reference) error {
		found, err := storer.ResolveReference(storage, r.Name())
		if errors.Is(err, plumbing.ErrReferenceNotFound) {
			return nil // HEAD before the first commit
		}
		if err != nil {
			return err
		}
		refs = append(refs, ref{name: r.Name().String(), commit: peel(storage, found.Hash()), object: found.Hash()})
		return ctx.Err()
	})
	if err != nil {
		return nil, err
	}
	if len(refs) == 0 {
		return nil, transport.ErrEmptyRemoteRepository
	}
	slices.SortFunc(refs, func(a, b ref) int { return strings.Compare(a.name, b.name) }) // "HEAD" sorts before "refs/"
	return refs, nil
}

// peel follows annotated tags to what they name.
func peel(storage storer.EncodedObjectStorer, hash plumbing.Hash) plumbing.Hash {
	for range 10 {
		tag, err := object.GetTag(storage, hash)
		if err != nil {
			break
		}
		hash = tag.Target
	}
	return hash
}

// receive implements upstream.
func (l *local) receive(ctx context.Context, ask request, into *store) error {
	storage, err := l.open()
	if err != nil {
		return err
	}
	tips := []tip{{hash: ask.want, shallow: true}}
	if ask.everything {
		refs, err := l.list(ctx)
		if err != nil {
			return err
		}
		tips = nil
		for _, r := range refs {
			tips = append(tips, tip{hash: r.commit})
		}
	}
	c := &collector{ctx: ctx, storage: storage, into: into, history: ask.everything, seen: map[plumbing.Hash]bool{}}
	for _, t := range tips {
		if err := c.commit(t.hash); err != nil {
			return err
		}
	}
	reader, writer := io.Pipe()
	go func() { writer.CloseWithError(writePack(writer, storage, c.found)) }()
	err = into.add(ctx, reader, l.maxBytes)
	_ = reader.CloseWithError(err) // Ends the writer if it has not ended yet.
	if err != nil {
		return err
	}
	return into.keep(tips...)
}

// collector lists the objects of commits that a store does not have yet.
type collector struct {
	ctx     context.Context
	storage *filesystem.Storage
	into    *store
	history bool
	seen    map[plumbing.Hash]bool
	found   []plumbing.Hash
}

// take says whether an object is new here, and puts it on the list if so.
func (c *collector) take(hash plumbing.Hash) bool {
	if c.seen[hash] || c.into.has(hash) {
		return false
	}
	c.seen[hash] = true
	c.found = append(c.found, hash)
	return true
}

func (c *collector) commit(hash plumbing.Hash) error {
	pending := []plumbing.Hash{hash}
	for len(pending) > 0 {
		hash, pending = pending[0], pending[1:]
		if !c.take(hash) {
			continue
		}
		if tag, err := object.GetTag(c.storage, hash); err == nil {
			pending = append(pending, tag.Target)
			continue
		}
		commit, err := object.GetCommit(c.storage, hash)
		if err != nil {
			return &source.RevisionError{Revision: hash.String(), Detail: "the repository has no such commit"}
		}
		if err := c.tree(commit.TreeHash); err != nil {
			return err
		}
		if c.history {
			pending = append(pending, commit.ParentHashes...)
		}
	}
	return nil
}

func (c *collector) tree(hash plumbing.Hash) error {
	if err := c.ctx.Err(); err != nil || !c.take(hash) {
		return err
	}
	tree, err := object.GetTree(c.storage, hash)
	if err != nil {
		return fmt.Errorf("tree %s: %w", hash, err)
	}
	for _, e := range tree.Entries {
		switch e.Mode {
		case filemode.Submodule:
		case filemode.Dir:
			if err := c.tree(e.Hash); err != nil {
				return err
			}
		default:
			c.take(e.Hash)
		}
	}
	return nil
}

// writePack writes objects as a pack without deltas, one after the other.
func writePack(w io.Writer, storage storer.EncodedObjectStorer, hashes []plumbing.Hash) error {
	sum := sha1.New() //nolint:gosec // see the import
	out := io.MultiWriter(w, sum)
	header := binary.BigEndian.AppendUint32([]byte("PACK\x00\x00\x00\x02"), uint32(len(hashes)))
	if _, err := out.Write(header); err != nil {
		return err
	}
	for _, hash := range hashes {
		if err := writePackObject(out, storage, hash); err != nil {
			return fmt.Errorf("object %s: %w", hash, err)
		}
	}
	_, err := w.Write(sum.Sum(nil))
	return err
}

func writePackObject(w io.Writer, storage storer.EncodedObjectStorer, hash plumbing.Hash) error {
	encoded, err := storage.EncodedObject(plumbing.AnyObject, hash)
	if err != nil {
		return err
	}
	// Type and size: four bits of the size in the first byte, seven in each further one.
	size := uint64(encoded.Size())
	head := byte(encoded.Type())<<4 | byte(size&15)
	var bytes []byte
	for size >>= 4; size > 0; size >>= 7 {
		bytes, head = append(bytes, head|0x80), byte(size&0x7f)
	}
	if _, err := w.Write(append(bytes, head)); err != nil {
		return err
	}
	reader, err := encoded.Reader()
	if err != nil {
		return err
	}
	deflate := zlib.NewWriter(w)
	_, err = io.Copy(deflate, reader)
	return errors.Join(err, reader.Close(), deflate.Close())
}
