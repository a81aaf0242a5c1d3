package manifest

import (
	"bytes"
	"strings"
)

// pointerHeader is the first line of a pointer to Git LFS (its specification, docs/spec.md).
const pointerHeader = "version https://git-lfs.github.com/spec/v1"

// maxPointerBytes is how large a pointer may be, by the same document.
const maxPointerBytes = 1024

const pointerRemedy = "content of Git LFS is not fetched: commit the file itself (git lfs untrack, then git add --renormalize), or keep it out of what is rendered"

// CheckPointer refuses a file that is a pointer to Git LFS: who reads it wants the content.
func CheckPointer(file string, data []byte) error {
	if len(data) < maxPointerBytes && bytes.HasPrefix(data, []byte(pointerHeader+"\n")) {
		return &Error{File: file, Problem: "it is a pointer to Git LFS: " + pointerRemedy}
	}
	return nil
}

// CheckPointerIn refuses a text into which a pointer to Git LFS was copied.
func CheckPointerIn(file, text string) error {
	if _, behind, found := strings.Cut(text, pointerHeader); found && strings.Contains(behind[:min(len(behind), maxPointerBytes)], "oid sha256:") {
		return &Error{File: file, Problem: "it writes a pointer to Git LFS: " + pointerRemedy}
	}
	return nil
}
