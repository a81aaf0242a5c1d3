package worker

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
)

// A chart is read as a whole, so its folder is sent along with the job: to ask for each file would take longer than to
// render most charts. What lies beyond these bounds, and links, are asked for.
const (
	preloadBytes   = 4 << 20
	preloadFiles   = 1000
	preloadFolders = 200
)

// preloaded describes the part of a tree that is sent along.
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

// load takes what was sent along with a job.
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
