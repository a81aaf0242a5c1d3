// Package jsonnet renders files of Jsonnet with the go-jsonnet library.
//
// A file may import what lies in the repository and nothing else. A program that never ends cannot be stopped here; package
// worker runs it where it can be.
package jsonnet

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/google/go-jsonnet"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/render"
	"github.com/tiphys-io/tiphys/internal/render/manifest"
)

// Options limits what a file reads.
type Options struct {
	// MaxBytes is the largest sum of the sizes of the files that one file imports; 0 means 32 MiB.
	MaxBytes int64
}

// Renderer renders files. Make one with New.
type Renderer struct {
	options Options
}

// New makes a renderer.
func New(options Options) *Renderer {
	if options.MaxBytes == 0 {
		options.MaxBytes = 32 << 20
	}
	return &Renderer{options: options}
}

// repository is how the recorded texts call the root of a repository.
const repository = "<path to cached source>"

// RenderFile evaluates a file, whose name is relative to the source's path, with the variables of the source. It may give
// one object or a list of them (contract 1.2), which may have left bytes. What is wrong with the file is a *[manifest.Error].
func (r *Renderer) RenderFile(_ context.Context, req render.Request, file string, left int64) (objects []*unstructured.Unstructured, size int64, err error) {
	vm, err := r.machine(req)
	if err != nil {
		return nil, 0, err
	}
	full := path.Join(render.Root(req.Source), file)
	text, err := vm.EvaluateFile(full)
	if err != nil {
		return nil, 0, evaluationError(file, err, vm.importer)
	}
	objects, size, err = parse(full, []byte(text), left)
	if found, ok := errors.AsType[*manifest.Error](err); ok {
		// A line of the generated text means nothing to the author.
		return nil, 0, &manifest.Error{File: full, Problem: found.Problem}
	}
	return objects, size, err
}

// machine is a virtual machine and what it imports with.
type machine struct {
	*jsonnet.VM

	importer *importer
}

// machine makes a virtual machine with the variables and libraries of a source.
func (r *Renderer) machine(req render.Request) (*machine, error) {
	options := argov1.ApplicationSourceJsonnet{}
	if req.Source.Directory != nil {
		options = req.Source.Directory.Jsonnet
	}
	imports := &importer{tree: req.Tree, folders: []string{render.Root(req.Source)}, left: r.options.MaxBytes, known: map[string]jsonnet.Contents{}}
	for _, lib := range options.Libs { // relative to the repository; the last is looked into first
		folder := path.Clean(strings.TrimLeft(lib, "/"))
		if !fs.ValidPath(folder) {
			return nil, fmt.Errorf("file '%s' resolved to outside repository root", lib) // as recorded
		}
		imports.folders = append(imports.folders, folder)
	}
	vm := jsonnet.MakeVM()
	vm.Importer(imports)
	set := func(variables []argov1.JsonnetVar, text, code func(name, value string)) {
		for _, variable := range variables {
			if value := req.Environment.Substitute(variable.Value); variable.Code {
				code(variable.Name, value)
			} else {
				text(variable.Name, value)
			}
		}
	}
	set(options.ExtVars, vm.ExtVar, vm.ExtCode)
	set(options.TLAs, vm.TLAVar, vm.TLACode)
	return &machine{VM: vm, importer: imports}, nil
}

// evaluationError has the recorded words, with the library's text below them. An error of the tree keeps what it is.
func evaluationError(file string, err error, imports *importer) error {
	text := strings.TrimSpace(err.Error())
	if len(text) > longestError {
		text = strings.ToValidUTF8(text[:longestError]+" ...", "")
	}
	problem := &manifest.Error{Problem: fmt.Sprintf("Failed to evaluate jsonnet %q: %s", path.Base(file), text)}
	if imports.failure != nil {
		return fmt.Errorf("%w: %w", problem, imports.failure)
	}
	return problem
}

// longestError is how long an error of the library may be, in bytes.
const longestError = 4 << 10

// parse takes an object, a list of objects, or null for none.
func parse(full string, text []byte, left int64) (objects []*unstructured.Unstructured, size int64, err error) {
	text = bytes.TrimSpace(text)
	if bytes.Equal(text, []byte("null")) {
		return nil, 0, nil
	}
	if int64(len(text)) > left {
		return nil, 0, &manifest.Error{File: full, Problem: fmt.Sprintf("it makes %d bytes, more than the %d that are left: make less, or raise "+
			"reposerver.max.combined.directory.manifests.size", len(text), left)}
	}
	items := []json.RawMessage{text}
	if bytes.HasPrefix(text, []byte("[")) {
		if err := json.Unmarshal(text, &items); err != nil {
			return nil, 0, &manifest.Error{File: full, Problem: "it makes no valid JSON"}
		}
	}
	for _, item := range items {
		found, used, err := manifest.Parse(full+".json", item, left-size)
		if err != nil {
			return nil, 0, err
		}
		size += used
		objects = append(objects, found...)
	}
	return objects, size, nil
}

// importer finds what a file imports: beside the importing file, then in the libraries, the last first, then in the source's
// path.
type importer struct {
	tree    fs.FS
	folders []string
	left    int64

	known   map[string]jsonnet.Contents
	failure error // of the tree
}

var errAbsolute = errors.New("absolute paths are not imported: name the file relative to this one, or to one of spec.source.directory.jsonnet.libs")

// Import implements [jsonnet.Importer].
func (i *importer) Import(importedFrom, importedPath string) (jsonnet.Contents, string, error) {
	if importedFrom == "" { // the file itself
		return i.read(importedPath)
	}
	if path.IsAbs(importedPath) {
		return jsonnet.Contents{}, "", fmt.Errorf("couldn't open import %q: %w", importedPath, errAbsolute)
	}
	candidates := []string{path.Dir(strings.TrimPrefix(importedFrom, repository+"/"))}
	for _, folder := range slices.Backward(i.folders) {
		candidates = append(candidates, folder)
	}
	outside := false
	for _, folder := range candidates {
		name := path.Join(folder, importedPath)
		if !fs.ValidPath(name) {
			outside = true
			continue
		}
		contents, at, err := i.read(name)
		if !errors.Is(err, fs.ErrNotExist) {
			return contents, at, err
		}
	}
	if outside {
		return jsonnet.Contents{}, "", fmt.Errorf("couldn't open import %q: it leads out of the repository", importedPath)
	}
	return jsonnet.Contents{}, "", fmt.Errorf("couldn't open import %q: no match locally or in the Jsonnet library paths", importedPath)
}

// read reads a file of the tree, once.
func (i *importer) read(name string) (jsonnet.Contents, string, error) {
	at := repository + "/" + name
	if contents, ok := i.known[name]; ok {
		return contents, at, nil
	}
	info, err := fs.Stat(i.tree, name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return jsonnet.Contents{}, "", err
	case err != nil:
		i.failure = err
		return jsonnet.Contents{}, "", err
	case info.IsDir():
		return jsonnet.Contents{}, "", fmt.Errorf("%s is a folder", name)
	}
	if i.left -= info.Size(); i.left < 0 {
		return jsonnet.Contents{}, "", fmt.Errorf("with the %d bytes of %s the imports are larger than what is read at most", info.Size(), name)
	}
	data, err := fs.ReadFile(i.tree, name)
	if err == nil {
		err = manifest.CheckPointer(name, data)
	}
	if err != nil {
		i.failure = err
		return jsonnet.Contents{}, "", err
	}
	contents := jsonnet.MakeContentsRaw(data)
	i.known[name] = contents
	return contents, at, nil
}
