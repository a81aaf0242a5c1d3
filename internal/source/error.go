package source

import (
	"cmp"
	"context"
	"errors"
	"fmt"
)

// Reason says why a repository could not be read.
type Reason string

// The reasons of an [Error]. Only Unavailable is worth trying again unchanged.
const (
	// Unavailable: the network, a time-out, a server that is overloaded or failing, or an answer that broke off.
	Unavailable Reason = "Unavailable"
	// Unauthorized: credentials are missing, wrong or insufficient.
	Unauthorized Reason = "Unauthorized"
	// NotFound: there is no such repository, or it is hidden from us.
	NotFound Reason = "NotFound"
	// Empty: the repository has no commit.
	Empty Reason = "Empty"
	// TooLarge: the repository sent more than the configured limit.
	TooLarge Reason = "TooLarge"
	// Invalid: the URL cannot be used, or what answers there does not speak the protocol.
	Invalid Reason = "Invalid"
)

// Error tells that a repository could not be read, and why.
type Error struct {
	// URL of the repository without user information.
	URL string
	// Reason to branch on.
	Reason Reason
	// Err is the cause.
	Err error
}

// Error names the repository and the cause.
func (e *Error) Error() string { return fmt.Sprintf("repository %s: %v", e.URL, e.Err) }

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// RevisionError tells that a repository was read but has no such revision.
type RevisionError struct {
	// Revision as the application asks for it.
	Revision string
	// Detail says more than "not found" where there is more to say; often empty.
	Detail string
}

// Error has the wording of the contract (1.2), as recorded.
func (e *RevisionError) Error() string {
	return fmt.Sprintf("unable to resolve '%s' to a commit SHA: %s", e.Revision, cmp.Or(e.Detail, "revision not found"))
}

// ErrLinkEscapes is wrapped by the error for a symbolic link that is absolute or leads out of the repository.
var ErrLinkEscapes = errors.New("symbolic link leads out of the repository")

// ErrLinkLoop is wrapped by the error for symbolic links that lead to one another without an end.
var ErrLinkLoop = errors.New("too many symbolic links, probably a loop")

// ErrName is wrapped by the error for a name that is no UTF-8: neither a status nor a manifest could hold it.
var ErrName = errors.New("the name is no UTF-8: rename the file")

// FileSizeError tells that a file is too large to be read.
type FileSizeError struct {
	// Name of the file in the tree, or the id of an object that is not a file.
	Name string
	// Size of the file and Limit, both in bytes.
	Size, Limit int64
}

// Error names the file, its size and the limit.
func (e *FileSizeError) Error() string {
	return fmt.Sprintf("%s has %d bytes, more than the limit of %d bytes", e.Name, e.Size, e.Limit)
}

// Transient says whether the same request may succeed later without anybody changing anything: network failures, time-outs
// and failing servers are transient; wrong credentials, unknown repositories and unknown revisions are not.
func Transient(err error) bool {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Reason == Unavailable
	}
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}
