package git

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/transport"
	githttp "github.com/go-git/go-git/v5/plumbing/transport/http"

	"github.com/tiphys-io/tiphys/internal/credentials"
	"github.com/tiphys-io/tiphys/internal/source"
	"github.com/tiphys-io/tiphys/internal/source/connection"
)

// invalidError marks what no retry will heal: a URL, protocol or redirect that cannot be used.
type invalidError struct{ text string }

func (e *invalidError) Error() string { return e.text }

// unauthorizedError marks credentials that are missing or unusable.
type unauthorizedError struct{ text string }

func (e *unauthorizedError) Error() string { return e.text }

// failure tells what kept a repository from being read, and whose credentials were tried.
func (r *repository) failure(err error) error {
	r.rest.Note(bare(err))
	failed, isFailure := errors.AsType[*source.Error](failure(r.url, err))
	if isFailure && failed.Err == errCredentials { //nolint:errorlint // exactly this one
		if access := r.access.Load(); access != nil && access.Origin != "" {
			return &source.Error{URL: failed.URL, Reason: failed.Reason, Err: fmt.Errorf("authentication required: the server does not accept the credentials of %s", access.Origin)}
		}
	}
	if isFailure {
		return failed
	}
	return err
}

// errCredentials is an answer to credentials that are missing or wrong.
var errCredentials = errors.New("authentication required: the server asks for credentials, or does not accept those of the URL; give them in a Secret with the label " +
	credentials.SecretTypeLabel + "=" + credentials.RepositorySecret)

// failure tells whose repository could not be read and why. Errors that say so already stay as they are.
func failure(repoURL string, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*source.Error](err); ok {
		return err
	}
	if _, ok := errors.AsType[*source.RevisionError](err); ok {
		return err
	}
	reason, cause := classify(err)
	return &source.Error{URL: source.Sanitize(repoURL), Reason: reason, Err: cause}
}

// classify finds the reason, and replaces causes that say too little or too much: bodies of error pages, or the URL again.
func classify(err error) (source.Reason, error) {
	err = bare(err)
	if status, ok := errors.AsType[*githttp.Err](err); ok {
		return classifyStatus(status.StatusCode())
	}
	if _, ok := errors.AsType[*unauthorizedError](err); ok {
		return source.Unauthorized, err
	}
	if _, ok := errors.AsType[*connection.RefusedError](err); ok {
		return source.Unauthorized, err
	}
	switch {
	case strings.Contains(err.Error(), "ssh: unable to authenticate"): // the library has no type for it
		return source.Unauthorized, errCredentials
	case errors.Is(err, transport.ErrAuthenticationRequired):
		return source.Unauthorized, errCredentials
	case errors.Is(err, transport.ErrAuthorizationFailed), errors.Is(err, transport.ErrInvalidAuthMethod):
		return source.Unauthorized, errors.New("the credentials do not permit reading it")
	case errors.Is(err, transport.ErrRepositoryNotFound), saysNotFound(err):
		return source.NotFound, errors.New("repository not found, or it is hidden without credentials")
	case errors.Is(err, transport.ErrEmptyRemoteRepository):
		return source.Empty, errors.New("the repository is empty: push a first commit")
	case errors.Is(err, errTooLarge):
		return source.TooLarge, err
	case isFull(err):
		return source.Unavailable, fmt.Errorf("no space is left for the local copy of it: give the volume of --cache-dir more: %w", err)
	case isTransient(err):
		return source.Unavailable, err
	}
	return source.Invalid, err
}

// saysNotFound reads what servers say over SSH, where there is no status.
func saysNotFound(err error) bool {
	text := strings.ToLower(err.Error())
	return strings.Contains(text, "repository not found") || strings.Contains(text, "does not appear to be a git repository")
}

func classifyStatus(code int) (source.Reason, error) {
	err := fmt.Errorf("the server answers with status %d %s", code, http.StatusText(code))
	if code >= 500 || code == http.StatusTooManyRequests || code == http.StatusRequestTimeout {
		return source.Unavailable, err
	}
	return source.Invalid, err
}

// bare takes off what the transport wraps around causes: two of its errors hide them, and net/http repeats the URL.
func bare(err error) error {
	for range 10 {
		if unexpected, ok := errors.AsType[*plumbing.UnexpectedError](err); ok {
			err = unexpected.Err
		} else if permanent, ok := errors.AsType[*plumbing.PermanentError](err); ok {
			err = permanent.Err
		} else if inURL, ok := errors.AsType[*url.Error](err); ok {
			if inURL.Op != "parse" && !isFinal(inURL.Err) {
				return &unreachableError{inURL.Err}
			}
			err = inURL.Err
		} else {
			return err
		}
	}
	return err
}

// unreachableError is a request that brought no answer.
type unreachableError struct{ err error }

func (e *unreachableError) Error() string { return e.err.Error() }
func (e *unreachableError) Unwrap() error { return e.err }

// isFinal finds failures of a request that will be the same next time: certificates, redirects, and refused addresses.
func isFinal(err error) bool {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return true
	}
	if _, ok := errors.AsType[*invalidError](err); ok {
		return true
	}
	if _, ok := errors.AsType[*connection.GuardError](err); ok {
		return true
	}
	return strings.Contains(err.Error(), "http redirect") // go-git has no type for the redirects it refuses
}

// isFull finds a disk on which nothing more can be written.
func isFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG)
}

func isTransient(err error) bool {
	if isFinal(err) {
		return false
	}
	if _, ok := errors.AsType[*unreachableError](err); ok {
		return true
	}
	if _, ok := errors.AsType[net.Error](err); ok {
		return true
	}
	if _, ok := errors.AsType[*damageError](err); ok {
		return true
	}
	if _, ok := errors.AsType[*connection.BusyError](err); ok {
		return true
	}
	if _, ok := errors.AsType[*fs.PathError](err); ok {
		return true // our own disk
	}
	for _, known := range []error{context.DeadlineExceeded, context.Canceled, io.EOF, io.ErrUnexpectedEOF, errBadPack} {
		if errors.Is(err, known) {
			return true
		}
	}
	return false
}

// isRefusal says that a server is there and answers, and does not give what was asked for: servers may hand out only what
// their references name. How they say so differs, so that everything that is not a failure to answer counts.
func isRefusal(err error) bool {
	if errors.Is(err, transport.ErrEmptyUploadPackRequest) {
		return true
	}
	if _, ok := errors.AsType[*githttp.Err](bare(err)); ok || strings.Contains(err.Error(), "EOF") {
		return false
	}
	reason, _ := classify(err)
	return reason == source.Invalid && !isFinal(err)
}
