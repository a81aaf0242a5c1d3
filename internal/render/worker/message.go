package worker

import (
	"errors"
	"io/fs"
	"time"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/render"
	"github.com/tiphys-io/tiphys/internal/render/manifest"
)

// job is what a process is to do.
type job struct {
	Type        argov1.ApplicationSourceType // what renders it; empty for a single file
	File        string                       // that file, relative to the source's path
	Left        int64                        // how large what comes of the file may be, in bytes
	Source      argov1.ApplicationSource
	Instance    render.Instance
	Environment render.Environment
	References  []string // names; their trees are those behind the source's own, in this order
	Multiple    bool     // whether there can be references
	Cluster     bool     // whether the cluster can be asked for its versions
	Remote      bool     // whether charts and files can be had from elsewhere
	Settings    render.Settings
	Preload     bool   // whether the source's folder is had at once
	Hash        string // of that folder; empty if it is not known
}

// question is what a process asks while it works.
type question struct {
	Operation operation
	Tree      int // 0 is the source's, the others are references
	Name      string
	Chart     *render.ChartReference `json:",omitempty"`
	Remote    render.RemoteOptions
}

type operation string

const (
	opStat     operation = "stat"
	opLstat    operation = "lstat"
	opReadLink operation = "readlink"
	opReadDir  operation = "readdir"
	opReadFile operation = "readfile"
	opPreload  operation = "preload" // the answer is an index; the content follows as data
	opCluster  operation = "cluster"
	opChart    operation = "chart"
	opFile     operation = "file"
)

// answer has one field for each operation that is answered in JSON.
type answer struct {
	Info    *info           `json:",omitempty"`
	Entries []info          `json:",omitempty"`
	Link    string          `json:",omitempty"`
	Cluster *render.Cluster `json:",omitempty"`
}

// info describes a file. It implements [fs.FileInfo] and [fs.DirEntry].
type info struct {
	Base   string
	Length int64
	Bits   fs.FileMode
}

func newInfo(from fs.FileInfo) *info {
	return &info{Base: from.Name(), Length: from.Size(), Bits: from.Mode()}
}

func (i *info) Name() string               { return i.Base }
func (i *info) Size() int64                { return i.Length }
func (i *info) Mode() fs.FileMode          { return i.Bits }
func (i *info) Type() fs.FileMode          { return i.Bits.Type() }
func (i *info) ModTime() time.Time         { return time.Time{} }
func (i *info) IsDir() bool                { return i.Bits.IsDir() }
func (i *info) Sys() any                   { return nil }
func (i *info) Info() (fs.FileInfo, error) { return i, nil }

// failure is an error on its way through the pipe. Errors of trees and of the cluster keep their number among those of the
// job, so that the operator has the error itself in the end.
type failure struct {
	Text     string
	Missing  bool            `json:",omitempty"` // it is fs.ErrNotExist
	Number   int             `json:",omitempty"` // from 1; 0 for none
	Manifest *manifest.Error `json:",omitempty"`
}

// Error and Is make it an error in the process.
func (f *failure) Error() string { return f.Text }

func (f *failure) Is(target error) bool { return f.Missing && target == fs.ErrNotExist }

// newFailure describes what rendering failed with, if it did.
func newFailure(err error) *failure {
	if err == nil {
		return nil
	}
	f := &failure{Text: err.Error()}
	if origin, ok := errors.AsType[*failure](err); ok {
		f.Number, f.Missing = origin.Number, origin.Missing
	}
	f.Manifest, _ = errors.AsType[*manifest.Error](err)
	return f
}

// result is what came of a job; objects follow unless it failed.
type result struct {
	Size    int64
	Failure *failure `json:",omitempty"`
	// Last tells that the process ends: it has grown.
	Last bool `json:",omitempty"`
}

// Failed is an error of a rendering. Its causes are those that happened in the operator, such as one of a repository, and a
// [manifest.Error].
type Failed struct {
	text   string
	causes []error
}

// Error is the text of the renderer.
func (f *Failed) Error() string { return f.text }

// Unwrap gives the causes.
func (f *Failed) Unwrap() []error { return f.causes }
