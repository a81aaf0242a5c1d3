package worker

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"io/fs"
	"path"
	"slices"

	"github.com/tiphys-io/tiphys/internal/render"
)

// asker sends a question to the operator and gives the answer.
type asker interface {
	ask(q question) (kind byte, payload []byte, err error)
}

// remoteTree is a tree of the operator, seen from the process. What a folder holds is remembered for the job.
type remoteTree struct {
	asker  asker
	number int

	folders map[string]folder
	files   map[string][]byte // those that were sent along with the job
}

// folder is what a folder holds.
type folder struct {
	entries []fs.DirEntry
	byName  map[string]*info
}

func (t *remoteTree) ask(op operation, name string) (*answer, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: string(op), Path: name, Err: fs.ErrInvalid}
	}
	_, payload, err := t.asker.ask(question{Operation: op, Tree: t.number, Name: name})
	if err != nil {
		return nil, err
	}
	a := &answer{}
	return a, json.Unmarshal(payload, a)
}

// Open implements [fs.FS].
func (t *remoteTree) Open(name string) (fs.File, error) {
	found, err := t.Stat(name)
	if err != nil {
		return nil, err
	}
	if found.IsDir() {
		entries, err := t.ReadDir(name)
		return &remoteFolder{info: found, entries: entries}, err
	}
	data, err := t.ReadFile(name)
	return &remoteFile{Reader: bytes.NewReader(data), info: found}, err
}

// Stat implements [fs.StatFS].
func (t *remoteTree) Stat(name string) (fs.FileInfo, error) {
	if folder, known := t.folders[path.Dir(name)]; known && name != "." {
		found, there := folder.byName[path.Base(name)]
		if !there {
			return nil, &fs.PathError{Op: string(opStat), Path: name, Err: fs.ErrNotExist}
		}
		if found.Bits&fs.ModeSymlink == 0 {
			return found, nil
		}
	}
	a, err := t.ask(opStat, name)
	if err != nil {
		return nil, err
	}
	return a.Info, nil
}

// Lstat implements [fs.ReadLinkFS].
func (t *remoteTree) Lstat(name string) (fs.FileInfo, error) {
	a, err := t.ask(opLstat, name)
	if err != nil {
		return nil, err
	}
	return a.Info, nil
}

// ReadLink implements [fs.ReadLinkFS].
func (t *remoteTree) ReadLink(name string) (string, error) {
	a, err := t.ask(opReadLink, name)
	if err != nil {
		return "", err
	}
	return a.Link, nil
}

// ReadDir implements [fs.ReadDirFS].
func (t *remoteTree) ReadDir(name string) ([]fs.DirEntry, error) {
	if known, ok := t.folders[name]; ok {
		return slices.Clone(known.entries), nil
	}
	a, err := t.ask(opReadDir, name)
	if err != nil {
		return nil, err
	}
	return slices.Clone(t.remember(name, a.Entries).entries), nil
}

// remember keeps what a folder holds.
func (t *remoteTree) remember(name string, entries []info) folder {
	made := folder{entries: make([]fs.DirEntry, len(entries)), byName: make(map[string]*info, len(entries))}
	for i := range entries {
		made.entries[i], made.byName[entries[i].Base] = &entries[i], &entries[i]
	}
	if t.folders == nil {
		t.folders = map[string]folder{}
	}
	t.folders[name] = made
	return made
}

// ReadFile implements [fs.ReadFileFS]. Nobody may change what it gives.
func (t *remoteTree) ReadFile(name string) ([]byte, error) {
	if data, ok := t.files[name]; ok {
		return data, nil
	}
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: string(opReadFile), Path: name, Err: fs.ErrInvalid}
	}
	kind, payload, err := t.asker.ask(question{Operation: opReadFile, Tree: t.number, Name: name})
	if err == nil && kind != kindData {
		err = errProtocol
	}
	return payload, err
}

// remoteFile is an open file.
type remoteFile struct {
	*bytes.Reader

	info fs.FileInfo
}

func (f *remoteFile) Stat() (fs.FileInfo, error) { return f.info, nil }
func (*remoteFile) Close() error                 { return nil }

// remoteFolder is an open folder.
type remoteFolder struct {
	info    fs.FileInfo
	entries []fs.DirEntry
}

func (f *remoteFolder) Stat() (fs.FileInfo, error) { return f.info, nil }
func (*remoteFolder) Close() error                 { return nil }

func (f *remoteFolder) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: f.info.Name(), Err: fs.ErrInvalid}
}

// ReadDir implements [fs.ReadDirFile].
func (f *remoteFolder) ReadDir(n int) ([]fs.DirEntry, error) {
	if n <= 0 {
		entries := f.entries
		f.entries = nil
		return entries, nil
	}
	if len(f.entries) == 0 {
		return nil, io.EOF
	}
	n = min(n, len(f.entries))
	entries := f.entries[:n]
	f.entries = f.entries[n:]
	return entries, nil
}

// remote gets charts and files through the operator.
type remote struct{ asker asker }

// Chart implements [render.Remote].
func (r remote) Chart(_ context.Context, reference render.ChartReference) ([]byte, error) {
	return r.data(question{Operation: opChart, Chart: &reference})
}

// File implements [render.Remote].
func (r remote) File(_ context.Context, url string, options render.RemoteOptions) ([]byte, error) {
	return r.data(question{Operation: opFile, Name: url, Remote: options})
}

func (r remote) data(q question) ([]byte, error) {
	kind, payload, err := r.asker.ask(q)
	if err == nil && kind != kindData {
		err = errProtocol
	}
	return payload, err
}
