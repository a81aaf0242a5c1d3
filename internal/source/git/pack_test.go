package git

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
	"github.com/go-git/go-git/v5/storage/memory"
)

// similar makes blobs that differ a little, and a pack in which most of them are deltas.
func similar(t testing.TB, refDeltas bool) (pack []byte, blobs map[plumbing.Hash]string) {
	t.Helper()
	storage := memory.NewStorage()
	blobs = map[plumbing.Hash]string{}
	var hashes []plumbing.Hash
	var lines strings.Builder
	for i := range 60 {
		fmt.Fprintf(&lines, "line %d is %s\n", i, hashOf(fmt.Sprint(i)))
		blob := &plumbing.MemoryObject{}
		blob.SetType(plumbing.BlobObject)
		if _, err := blob.Write([]byte(lines.String())); err != nil {
			t.Fatal(err)
		}
		hash, err := storage.SetEncodedObject(blob)
		if err != nil {
			t.Fatal(err)
		}
		blobs[hash] = lines.String()
		hashes = append(hashes, hash)
	}
	var buffer bytes.Buffer
	if _, err := packfile.NewEncoder(&buffer, storage, refDeltas).Encode(hashes, 10); err != nil {
		t.Fatal(err)
	}
	if buffer.Len() > lines.Len()*2 {
		t.Fatalf("%d bytes for 60 versions of at most %d bytes: there are no deltas in the pack", buffer.Len(), lines.Len())
	}
	return buffer.Bytes(), blobs
}

func TestDeltasAreIndexed(t *testing.T) {
	for _, refDeltas := range []bool{false, true} {
		pack, blobs := similar(t, refDeltas)
		s, err := openStore(t.TempDir(), cache.NewObjectLRU(1))
		must(t, err)
		must(t, s.add(t.Context(), bytes.NewReader(pack), 1<<20))
		for hash, want := range blobs {
			kind, data, err := s.object(hash, 1<<20)
			if err != nil || kind != plumbing.BlobObject || string(data) != want {
				t.Errorf("named by id %t: %s is %s of %d bytes, %v; want a blob of %d bytes", refDeltas, hash, kind, len(data), err, len(want))
			}
			if size, err := s.size(hash); err != nil || size != int64(len(want)) {
				t.Errorf("named by id %t: the size of %s is %d, %v; want %d", refDeltas, hash, size, err, len(want))
			}
		}
	}
}

func TestPackLimits(t *testing.T) {
	pack, _ := similar(t, false)
	dir := t.TempDir()
	if _, err := receivePack(t.Context(), dir, bytes.NewReader(pack), int64(len(pack)-1)); !errors.Is(err, errTooLarge) {
		t.Errorf("a pack above the limit gives %v", err)
	}
	if _, err := receivePack(t.Context(), dir, bytes.NewReader(pack), int64(len(pack))); err != nil {
		t.Errorf("a pack of just the limit gives %v", err)
	}
	// 80 MiB of zeros are 80 KiB packed.
	storage := memory.NewStorage()
	blob := &plumbing.MemoryObject{}
	blob.SetType(plumbing.BlobObject)
	_, err := blob.Write(make([]byte, 80<<20))
	must(t, err)
	hash, err := storage.SetEncodedObject(blob)
	must(t, err)
	var bomb bytes.Buffer
	must(t, writePack(&bomb, storage, []plumbing.Hash{hash}))
	if _, err := receivePack(t.Context(), dir, &bomb, 100<<10); !errors.Is(err, errTooLarge) {
		t.Errorf("a pack that grows a thousandfold gives %v", err)
	}
	if left, err := filepath.Glob(filepath.Join(dir, "incoming-*")); len(left) > 0 || err != nil {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestBadPacks(t *testing.T) {
	pack, _ := similar(t, true)
	thin := append([]byte{}, pack...)
	for reason, data := range map[string][]byte{
		"nothing": nil, "no pack": []byte("hello, this is no pack at all"), "cut off": pack[:len(pack)-1], "something behind it": append(thin, 'x'),
		"only a header": []byte("PACK\x00\x00\x00\x02\xff\xff\xff\xff"),
	} {
		if _, err := receivePack(t.Context(), t.TempDir(), bytes.NewReader(data), 1<<20); !errors.Is(err, errBadPack) {
			t.Errorf("%s: %v, want a bad pack", reason, err)
		}
	}
}

func FuzzReceivePack(f *testing.F) {
	for _, refDeltas := range []bool{false, true} {
		pack, _ := similar(f, refDeltas)
		f.Add(pack)
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte) {
		_, err := receivePack(t.Context(), dir, bytes.NewReader(data), 1<<20)
		files, errGlob := filepath.Glob(filepath.Join(dir, "*"))
		if errGlob != nil || (err != nil && len(files) > 0) {
			t.Errorf("left behind by %v: %v, %v", err, files, errGlob)
		}
		for _, name := range files {
			must(t, os.Remove(name))
		}
	})
}

func TestPackOfALargeObjectNeedsLittleMemory(t *testing.T) {
	storage := memory.NewStorage()
	blob := &plumbing.MemoryObject{}
	blob.SetType(plumbing.BlobObject)
	_, err := blob.Write(make([]byte, 64<<20))
	must(t, err)
	hash, err := storage.SetEncodedObject(blob)
	must(t, err)
	var pack bytes.Buffer
	must(t, writePack(&pack, storage, []plumbing.Hash{hash}))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err = receivePack(t.Context(), t.TempDir(), &pack, 1<<30)
	must(t, err)
	runtime.ReadMemStats(&after)
	if allocated := after.TotalAlloc - before.TotalAlloc; allocated > 16<<20 {
		t.Errorf("indexing an object of 64 MiB allocated %d MiB", allocated>>20)
	}
}
