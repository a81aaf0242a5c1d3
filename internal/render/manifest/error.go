package manifest

import (
	"fmt"
	"strings"
)

// Error says what is wrong with a manifest file, where, and what to do.
type Error struct {
	// File is its path in the repository.
	File string
	// Document counts the documents of the file from 1; 0 means that it is not known, or that there is no need to count.
	Document int
	// Line counts the lines of the file from 1; 0 means that it is not known.
	Line int
	// Problem says what is wrong and the remedy.
	Problem string
}

// Error gives what is known of the place, then the problem.
func (e *Error) Error() string {
	var place []string
	if e.Document > 0 {
		place = append(place, fmt.Sprintf("document %d", e.Document))
	}
	if e.Line > 0 {
		place = append(place, fmt.Sprintf("line %d", e.Line))
	}
	parts := []string{strings.Join(place, ", "), e.Problem}
	if len(place) == 0 {
		parts = parts[1:]
	}
	if e.File != "" {
		parts = append([]string{e.File}, parts...)
	}
	return strings.Join(parts, ": ")
}
