package git

import (
	"context"
	"errors"
	"net/url"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
	"github.com/go-git/go-git/v5/plumbing/transport"
	githttp "github.com/go-git/go-git/v5/plumbing/transport/http"

	"github.com/tiphys-io/tiphys/internal/source"
)

// failure says why a repository could not be read, without the credentials that its URL may hold.
func failure(repoURL string, err error) error {
	var revision *source.RevisionError
	var known *source.Error
	if errors.As(err, &revision) || errors.As(err, &known) {
		return err
	}
	return &source.Error{URL: source.Sanitize(repoURL), Reason: reason(err), Err: sanitized(repoURL, err)}
}

func reason(err error) source.Reason {
	switch {
	case errors.Is(err, transport.ErrAuthenticationRequired), errors.Is(err, transport.ErrAuthorizationFailed), errors.Is(err, transport.ErrInvalidAuthMethod):
		return source.Unauthorized
	case errors.Is(err, transport.ErrRepositoryNotFound):
		return source.NotFound
	case errors.Is(err, transport.ErrEmptyRemoteRepository):
		return source.Empty
	case errors.Is(err, plumbing.ErrObjectNotFound):
		return source.Invalid
	}
	return source.Unavailable
}

// isRefusal tells whether the server would not give out a commit by its id, as opposed to not answering at all.
func isRefusal(err error) bool {
	var unexpected *plumbing.UnexpectedError
	var status *githttp.Err
	return !errors.Is(err, context.DeadlineExceeded) && reason(err) == source.Unavailable &&
		!errors.As(err, &unexpected) && !errors.As(err, &status) && !errors.Is(err, packfile.ErrEmptyPackfile)
}

// sanitizedError hides user information in the text of its cause.
type sanitizedError struct {
	text  string
	cause error
}

// Error is the text without user information.
func (e *sanitizedError) Error() string { return e.text }

// Unwrap gives the cause.
func (e *sanitizedError) Unwrap() error { return e.cause }

func sanitized(repoURL string, err error) error {
	parsed, parseErr := url.Parse(repoURL)
	if parseErr != nil || parsed.User == nil {
		return err
	}
	text := strings.ReplaceAll(err.Error(), parsed.User.String()+"@", "")
	if password, ok := parsed.User.Password(); ok && password != "" {
		text = strings.ReplaceAll(text, password, "******")
	}
	return &sanitizedError{text: text, cause: err}
}
