package helmrepo

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"sync"
)

// archiveOverhead is how much an archive may hold besides the content of its files, in bytes: a tar can be headers alone.
const archiveOverhead = 16 << 20

var (
	errOutside = errors.New("the archive has a file outside of the chart's folder")
	errNoFiles = errors.New("the archive has no files")
)

// unpack makes a tree of an archive. That of a chart has one folder, which becomes the root. What is no plain file, such as a
// link, is left out. An archive of the other kind that the standard library has is a file system already, so the files are
// put into one of those, in memory.
func unpack(data []byte, inFolder bool, maxBytes int64, maxFiles int) (fs.FS, error) {
	var stream io.Reader = bytes.NewReader(data)
	if bytes.HasPrefix(data, []byte{0x1f, 0x8b}) {
		unzipped, err := gzip.NewReader(stream)
		if err != nil {
			return nil, err
		}
		stream = unzipped
	}
	in := tar.NewReader(io.LimitReader(stream, maxBytes+archiveOverhead))
	var files bytes.Buffer
	out := zip.NewWriter(&files)
	left, seen := maxBytes, map[string]bool{}
	for entries := 0; ; entries++ {
		header, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		if entries >= maxFiles {
			return nil, fmt.Errorf("the archive has more than %d entries", maxFiles)
		}
		if header.Typeflag != tar.TypeReg {
			continue
		}
		name, err := entryName(header.Name, inFolder)
		if err != nil {
			return nil, err
		}
		if left -= header.Size; left < 0 {
			return nil, fmt.Errorf("unpacked it is larger than the limit of %d bytes", maxBytes)
		}
		if seen[name] {
			return nil, fmt.Errorf("the archive has %q twice", name)
		}
		seen[name] = true
		w, err := out.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store})
		if err != nil {
			return nil, err
		}
		if _, err := io.Copy(w, in); err != nil {
			return nil, err
		}
	}
	if len(seen) == 0 {
		return nil, errNoFiles
	}
	if err := out.Close(); err != nil {
		return nil, err
	}
	return zip.NewReader(bytes.NewReader(files.Bytes()), int64(files.Len()))
}

// entryName is where a file is in the tree.
func entryName(name string, inFolder bool) (string, error) {
	name = strings.TrimPrefix(strings.ReplaceAll(name, `\`, "/"), "./")
	if inFolder {
		var found bool
		if _, name, found = strings.Cut(name, "/"); !found {
			return "", errOutside
		}
	}
	if name = path.Clean(name); !fs.ValidPath(name) || name == "." {
		return "", errOutside
	}
	return name, nil
}

// archives keeps packed charts within a limit; the oldest go first.
type archives struct {
	limit int64

	mu    sync.Mutex
	byKey map[archiveKey][]byte
	order []archiveKey
	bytes int64
}

type archiveKey struct {
	repositoryKey
	name, version string
}

func (a *archives) get(key archiveKey) []byte {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.byKey[key]
}

// clear forgets all of them.
func (a *archives) clear() {
	a.mu.Lock()
	defer a.mu.Unlock()
	clear(a.byKey)
	a.order, a.bytes = nil, 0
}

func (a *archives) put(key archiveKey, data []byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if int64(len(data)) > a.limit || a.byKey[key] != nil {
		return
	}
	a.byKey[key] = data
	a.order = append(a.order, key)
	for a.bytes += int64(len(data)); a.bytes > a.limit; a.order = a.order[1:] {
		a.bytes -= int64(len(a.byKey[a.order[0]]))
		delete(a.byKey, a.order[0])
	}
}
