package kustomize

import (
	"context"
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/yaml"

	"github.com/tiphys-io/tiphys/internal/render"
	"github.com/tiphys-io/tiphys/internal/render/manifest"
)

const (
	// fetchedFolder is where a build finds the repositories that were fetched for it: a name that no commit can hold.
	fetchedFolder = ".git/fetched"
	// fetchedPrefix begins the name of a file that was fetched, in the folder of the kustomization that names it.
	fetchedPrefix = ".git-fetched-"
	// maxFetched is how many repositories and files a source may name elsewhere.
	maxFetched = 64
)

// use says what an entry of a kustomization may stand for.
type use int

const (
	useNothing use = iota // remote
	useFile
	useFolder
	useEither
)

// fetched is what the kustomizations of one render name elsewhere, as far as it was fetched. A build that needs more of it
// stops; the rest is fetched while nobody waits for the build, and then it is built again.
type fetched struct {
	req     render.Request
	options Options
	until   time.Time // when fetching must be done; zero before the first time

	found  map[wanted]found
	wanted []wanted
	where  map[wanted]string // file and field, for errors
	tree   *fetchedTree
	bytes  int64
}

// wanted is an entry and what it may stand for.
type wanted struct {
	entry string
	use   use
}

// found is where what was fetched for an entry is: a folder, or the content of a file with a number.
type found struct {
	folder string // in the tree; empty for a file
	data   []byte
	number int
}

func newFetched(req render.Request, options Options) *fetched {
	return &fetched{
		req: req, options: options, found: map[wanted]found{}, where: map[wanted]string{},
		tree: &fetchedTree{FS: req.Tree, files: map[string][]byte{}},
	}
}

// errWanted stops a build for what has to be fetched first.
var errWanted = errors.New("something has to be fetched first")

// localize gives a kustomization with the place of what was fetched instead of each remote entry. Root is the folder that its
// entries are relative to.
func (v *view) localize(rel, root string, data []byte) ([]byte, error) {
	f := v.fetched
	if f == nil || (f.req.Remote == nil && f.req.Repositories == nil) {
		return data, nil
	}
	if _, err := manifest.Measure(rel, data, v.options.MaxBytes); err != nil {
		return nil, err
	}
	var k types.Kustomization
	if err := k.Unmarshal(data); err != nil {
		return data, nil //nolint:nilerr // the library says it better
	}
	k.FixKustomization()
	for _, p := range paths(&k) {
		if err := checkInside(root, p.path); err != nil && !isRemote(p.path) {
			return nil, refusal(rel, p.field, err)
		}
	}
	changed := false
	visit(&k, func(field string, use use, entry string) string {
		if use == useNothing || !isRemote(entry) {
			return entry
		}
		changed = true
		return f.place(wanted{entry, use}, rel+": "+field, root)
	})
	switch {
	case len(f.wanted) > 0:
		return nil, errWanted
	case !changed:
		return data, nil
	}
	return yaml.Marshal(k)
}

// place is how a kustomization in a folder names what was fetched for an entry; what was not is put on the list.
func (f *fetched) place(w wanted, where, root string) string {
	got, ok := f.found[w]
	if !ok {
		if _, listed := f.where[w]; !listed {
			f.wanted = append(f.wanted, w)
			f.where[w] = where
		}
		return w.entry
	}
	if got.folder == "" {
		name := fetchedPrefix + strconv.Itoa(got.number)
		f.tree.files[path.Join(root, name)] = got.data
		return name
	}
	relative, err := filepath.Rel("/"+root, "/"+got.folder)
	if err != nil {
		return w.entry // cannot be: both are absolute
	}
	return relative
}

// fetch fetches what the last build wanted.
func (f *fetched) fetch(ctx context.Context) error {
	if f.until.IsZero() {
		f.until = time.Now().Add(f.options.FetchTimeout)
	}
	limited, cancel := context.WithDeadline(ctx, f.until)
	defer cancel()
	for _, w := range f.wanted {
		got, err := f.get(limited, w)
		switch {
		case err != nil && ctx.Err() == nil && limited.Err() != nil:
			return fmt.Errorf("%s: what the kustomization names elsewhere is not fetched within %s: %w", f.where[w], f.options.FetchTimeout, err)
		case err != nil:
			return fmt.Errorf("%s: %w", f.where[w], err)
		case len(f.found) >= maxFetched:
			return fmt.Errorf("%s: with it the kustomization names more than %d files and repositories elsewhere: copy what is needed into the repository", f.where[w], maxFetched)
		}
		f.found[w] = got
	}
	f.wanted = nil
	return nil
}

// get fetches one entry.
func (f *fetched) get(ctx context.Context, w wanted) (found, error) {
	at, err := parseAddress(w.entry)
	if err != nil {
		return found{}, err
	}
	var fileErr error
	if w.use == useFile || (w.use == useEither && at.isFileFirst()) {
		var got found
		if got, fileErr = f.getFile(ctx, at, w.use == useEither); fileErr == nil || w.use == useFile {
			return got, fileErr
		}
	}
	if at.repository == "" || f.req.Repositories == nil {
		return found{}, errors.Join(fileErr, errAddressOf(at))
	}
	tree, commit, err := f.req.Repositories.Repository(ctx, at.repository, at.revision)
	if err != nil && fileErr != nil {
		return found{}, fmt.Errorf("it is neither a file: %w; nor a repository: %w", fileErr, err)
	}
	if err != nil {
		return found{}, err
	}
	return found{folder: path.Join(f.tree.mount(at.repository, commit, tree), at.folder)}, nil
}

// errAddressOf says that an address is no repository, if that is why.
func errAddressOf(at address) error {
	if at.repository == "" {
		return nil
	}
	return errRemote
}

var errNoObjects = errors.New("there are no manifests in what its server sends")

// getFile fetches a single file; manifests tells that it must be one with objects, and no page for people.
func (f *fetched) getFile(ctx context.Context, at address, manifests bool) (found, error) {
	if at.file == "" || f.req.Remote == nil {
		return found{}, errAddress
	}
	data, err := f.req.Remote.File(ctx, at.file, render.RemoteOptions{})
	if err != nil {
		return found{}, err
	}
	if f.bytes += int64(len(data)); f.bytes > f.options.MaxBytes {
		return found{}, fmt.Errorf("with it the files that the kustomization names elsewhere have more than %d bytes: copy what is needed into the repository", f.options.MaxBytes)
	}
	if manifests {
		objects, _, err := manifest.Parse(shown(at.file), data, f.options.MaxBytes)
		if err == nil && len(objects) == 0 {
			err = errNoObjects
		}
		if err != nil {
			return found{}, err
		}
	}
	return found{data: data, number: len(f.found)}, nil
}

// checkInside refuses what a kustomization of a fetched repository names outside of that. Root is the kustomization's folder.
func checkInside(root, name string) error {
	mount := mountOf(root)
	if mount == "" || strings.Contains(name, "\n") { // a text, and no name
		return nil
	}
	if path.IsAbs(name) || mountOf(path.Join(root, name)) != mount {
		return errEscapes
	}
	return nil
}

var errEscapes = errors.New("a kustomization of another repository may only use what lies in that repository")

var mountName = regexp.MustCompile(`^` + regexp.QuoteMeta(fetchedFolder) + `/[0-9]+`)

// mountOf is the folder of the fetched repository that a name lies in; empty for the source's own.
func mountOf(name string) string { return mountName.FindString(path.Clean(name)) }

var (
	mountedText = regexp.MustCompile(`(?:\.\./)*(?:` + regexp.QuoteMeta(repository) + `/)?` + regexp.QuoteMeta(fetchedFolder) + `/([0-9]+)`)
	fetchedText = regexp.MustCompile(regexp.QuoteMeta(fetchedPrefix) + `([0-9]+)`)
)

// explain names in an error the addresses of what was fetched, and not where it was put.
func (f *fetched) explain(err error) error {
	if err == nil || len(f.found) == 0 {
		return err
	}
	return &cleanError{text: f.name(err.Error()), err: err}
}

func (f *fetched) name(text string) string {
	text = mountedText.ReplaceAllStringFunc(text, func(match string) string {
		n, err := strconv.Atoi(match[strings.LastIndexByte(match, '/')+1:])
		if err != nil || n >= len(f.tree.mounts) {
			return match
		}
		return shown(f.tree.mounts[n].repository)
	})
	return fetchedText.ReplaceAllStringFunc(text, func(match string) string {
		for w, got := range f.found {
			if got.folder == "" && fetchedPrefix+strconv.Itoa(got.number) == match {
				return shown(w.entry)
			}
		}
		return match
	})
}
