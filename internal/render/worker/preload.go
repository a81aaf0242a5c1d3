package worker

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"path"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/render"
)

// A chart is read as a whole, so the process gets its folder at once: to ask for each file would take longer than to render
// most charts. What lies beyond these bounds, and links, are asked for.
const (
	preloadBytes   = 4 << 20
	preloadFiles   = 1000
	preloadFolders = 200
)

// preloaded describes a folder of a tree.
type preloaded struct {
	Folders map[string][]info
	Files   []preloadedFile // in the order of their content
}

type preloadedFile struct {
	Name   string
	Length int
}

// preload collects a folder of a tree. What cannot be read is left out: the process asks for it and gets the error.
func preload(tree fs.FS, root string) (found preloaded, content []byte) {
	found.Folders = map[string][]info{}
	folders := []string{root}
	for len(folders) > 0 && len(found.Folders) < preloadFolders {
		folder := folders[0]
		folders = folders[1:]
		entries, err := list(tree, folder)
		if err != nil || len(entries) > preloadFiles {
			continue
		}
		found.Folders[folder] = entries
		for _, entry := range entries {
			name := path.Join(folder, entry.Base)
			switch {
			case entry.IsDir():
				folders = append(folders, name)
			case entry.Bits.IsRegular() && len(found.Files) < preloadFiles && entry.Length <= int64(preloadBytes-len(content)):
				data, err := fs.ReadFile(tree, name)
				if err == nil && int64(len(data)) == entry.Length {
					found.Files = append(found.Files, preloadedFile{Name: name, Length: len(data)})
					content = append(content, data...)
				}
			}
		}
	}
	return found, content
}

// load takes a folder.
func (t *remoteTree) load(index, content []byte) error {
	var found preloaded
	if err := json.Unmarshal(index, &found); err != nil {
		return fmt.Errorf("%w: %w", errProtocol, err)
	}
	for folder, entries := range found.Folders {
		t.remember(folder, entries)
	}
	t.files = make(map[string][]byte, len(found.Files))
	for _, file := range found.Files {
		if file.Length < 0 || file.Length > len(content) {
			return errProtocol
		}
		t.files[file.Name] = content[:file.Length:file.Length]
		content = content[file.Length:]
	}
	return nil
}

// hasher is a tree that knows the identity of its folders. A folder's covers the text of links and not what they lead to,
// which is why links are asked for.
type hasher interface {
	Hash(name string) (string, error)
}

// hash is the identity of a chart's folder, empty if the tree does not know it.
func hash(sourceType argov1.ApplicationSourceType, req render.Request) string {
	tree, ok := req.Tree.(hasher)
	if !ok || sourceType != argov1.SourceTypeHelm {
		return ""
	}
	id, err := tree.Hash(render.Root(req.Source))
	if err != nil {
		return ""
	}
	return id + " " + render.Root(req.Source) // the folder's name is among what is kept
}

// keptBytes is how much of folders a process keeps.
const keptBytes = 16 << 20

// keeper keeps folders by their hash for later jobs: many applications render one chart with other values. When there are
// too many, it forgets all: those that are used come back at once.
type keeper struct {
	folders map[string]*remoteTree
	bytes   int
}

// fill gives a tree what is kept, if it is.
func (k *keeper) fill(hash string, tree *remoteTree) bool {
	found, ok := k.folders[hash]
	if ok {
		tree.folders, tree.files = maps.Clone(found.folders), found.files
	}
	return ok
}

// keep keeps what a tree was filled with.
func (k *keeper) keep(hash string, tree *remoteTree, size int) {
	if hash == "" || size > keptBytes/2 {
		return
	}
	if k.bytes += size; k.folders == nil || k.bytes > keptBytes {
		k.folders, k.bytes = map[string]*remoteTree{}, size
	}
	k.folders[hash] = &remoteTree{folders: maps.Clone(tree.folders), files: tree.files}
}
