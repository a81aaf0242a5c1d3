// Package directory renders a directory of plain YAML and JSON manifests, and of Jsonnet, which it hands on.
package directory

import (
	"context"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/tiphys-io/tiphys/internal/render"
	"github.com/tiphys-io/tiphys/internal/render/manifest"
)

// skipMarker in a file's text leaves the file out (contract 1.2).
const skipMarker = "+argocd:skip-file-rendering"

// Options limits what is read.
type Options struct {
	// MaxBytes is the largest sum of the sizes of a source's manifests, as files and once YAML aliases are written out; 0
	// means 10 MiB.
	MaxBytes int64
	// MaxEntries is how many files and folders a source may have, manifests or not; 0 means 100,000.
	MaxEntries int
	// Jsonnet renders the files of Jsonnet; without it they are an error.
	Jsonnet Jsonnet
}

// Jsonnet renders a single file.
type Jsonnet interface {
	// RenderFile is the objects of a file, whose name is relative to the source's path, and their size in bytes, which may
	// be left at most.
	RenderFile(ctx context.Context, req render.Request, file string, left int64) (objects []*unstructured.Unstructured, size int64, err error)
}

// Renderer renders directories. Make one with New.
type Renderer struct {
	options Options
}

// New makes a renderer.
func New(options Options) *Renderer {
	if options.MaxBytes == 0 {
		options.MaxBytes = 10 << 20
	}
	if options.MaxEntries == 0 {
		options.MaxEntries = 100_000
	}
	return &Renderer{options: options}
}

// Render reads the manifests of a directory in the order of their paths. What is wrong with a file is a *[manifest.Error].
func (r *Renderer) Render(ctx context.Context, req render.Request) ([]*unstructured.Unstructured, error) {
	files, err := r.list(ctx, req)
	if err != nil {
		return nil, err
	}
	if files, err = r.measure(req, files); err != nil {
		return nil, err
	}
	var objects []*unstructured.Unstructured
	left := r.options.MaxBytes
	for _, name := range files {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		found, size, err := r.read(ctx, req, name, left)
		if err != nil {
			return nil, err
		}
		objects = append(objects, found...)
		left -= size
	}
	return objects, nil
}

// read reads the objects of one file, whose name is relative to the source's path. Left is how large they may be.
func (r *Renderer) read(ctx context.Context, req render.Request, name string, left int64) (objects []*unstructured.Unstructured, size int64, err error) {
	full := path.Join(render.Root(req.Source), name)
	data, err := fs.ReadFile(req.Tree, full)
	if err != nil {
		return nil, 0, fmt.Errorf("%s: %w", full, err)
	}
	if strings.Contains(string(data), skipMarker) {
		return nil, 0, nil
	}
	if err := manifest.CheckPointer(full, data); err != nil {
		return nil, 0, err
	}
	if path.Ext(name) == ".jsonnet" {
		if req.Settings.WithoutJsonnet {
			return nil, 0, nil
		}
		if r.options.Jsonnet == nil {
			return nil, 0, &manifest.Error{File: full, Problem: "Jsonnet is not rendered here: commit the generated manifests, or exclude the file"}
		}
		return r.options.Jsonnet.RenderFile(ctx, req, name, left)
	}
	return manifest.Parse(full, data, left)
}
