package helmrepo

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/tiphys-io/tiphys/internal/credentials"
	"github.com/tiphys-io/tiphys/internal/source"
	"github.com/tiphys-io/tiphys/internal/source/connection"
)

// repository is what is known of one repository of charts.
type repository struct {
	fetcher *Fetcher
	key     repositoryKey
	access  atomic.Pointer[credentials.Access]
	rest    connection.Rest

	forgotten atomic.Pointer[time.Time] // an answer that was asked for before this no longer counts

	gate  chan struct{} // for what follows, and for downloads
	index index
	tags  map[string]tags // of a registry, by chart
}

// asked is when a question was put, and when the answer was there.
type asked struct{ began, finished time.Time }

// index is what a repository behind HTTP offers.
type index struct {
	entries map[string][]entry
	etag    string
	asked   asked
}

// entry is a version of a chart.
type entry struct {
	Version string   `json:"version"`
	URLs    []string `json:"urls"`
	Digest  string   `json:"digest"`
}

type tags struct {
	names []string
	asked asked
}

func (r *repository) enter(ctx context.Context) error {
	select {
	case r.gate <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("waiting for a call to the same repository: %w", context.Cause(ctx))
	}
}

func (r *repository) leave() { <-r.gate }

// isOCI tells whether the repository is a registry.
func (r *repository) isOCI() bool {
	access := r.access.Load()
	return strings.HasPrefix(strings.ToLower(r.key.url), "oci://") || !strings.Contains(r.key.url, "://") || access.EnableOCI || access.Type == credentials.OCI
}

// versions of a chart, as the repository has them now or had them a moment ago.
func (r *repository) versions(ctx context.Context, c Chart, force bool) ([]string, error) {
	came := time.Now()
	if err := r.enter(ctx); err != nil {
		return nil, err
	}
	defer r.leave()
	if r.isOCI() {
		known := r.tags[c.Name]
		if !r.fresh(known.asked, came, force) {
			began := time.Now()
			names, err := r.listTags(ctx, c)
			if err != nil {
				return nil, err
			}
			known = tags{names: names, asked: asked{began, time.Now()}}
			r.tags[c.Name] = known
		}
		return known.names, nil
	}
	if !r.fresh(r.index.asked, came, force) {
		if err := r.readIndex(ctx); err != nil {
			return nil, err
		}
	}
	var versions []string
	for _, e := range r.index.entries[c.Name] {
		versions = append(versions, e.Version)
	}
	return versions, nil
}

// fresh tells whether an answer serves somebody who came at a time.
func (r *repository) fresh(last asked, came time.Time, force bool) bool {
	if at := r.forgotten.Load(); at != nil && last.began.Before(*at) {
		return false
	}
	return last.finished.After(came) || (!force && !last.finished.IsZero() && time.Since(last.finished) < r.fetcher.options.ResolveTTL)
}

// readIndex reads the index if it is another one than before.
func (r *repository) readIndex(ctx context.Context) error {
	began := time.Now()
	answer, err := r.get(ctx, getRequest{url: r.key.url + "/index.yaml", limit: r.fetcher.options.MaxIndexBytes, etag: r.index.etag})
	if err != nil {
		return err
	}
	if !answer.unchanged {
		var parsed struct {
			Entries map[string][]entry `json:"entries"`
		}
		if err := yaml.Unmarshal(answer.body, &parsed); err != nil || parsed.Entries == nil {
			return &invalidError{"its index.yaml is no index of charts: check the URL"}
		}
		r.index.entries, r.index.etag = parsed.Entries, answer.etag
	}
	r.index.asked = asked{began, time.Now()}
	return nil
}

// download gets the packed chart. An index that does not know the version may be old.
func (r *repository) download(ctx context.Context, c Chart, version string) ([]byte, error) {
	if r.isOCI() {
		return r.pull(ctx, c, version)
	}
	found, ok := r.find(c.Name, version)
	if !ok {
		if err := r.readIndex(ctx); err != nil {
			return nil, err
		}
		if found, ok = r.find(c.Name, version); !ok {
			return nil, r.missing(c.Name, version)
		}
	}
	base, err := url.Parse(r.key.url + "/")
	if err != nil {
		return nil, &invalidError{"its URL cannot be parsed"}
	}
	at, err := base.Parse(found.URLs[0])
	if err != nil {
		return nil, &invalidError{fmt.Sprintf("its index has no usable URL for %s %s", c.Name, version)}
	}
	answer, err := r.get(ctx, getRequest{url: at.String(), limit: r.fetcher.options.MaxArchiveBytes, pass: c.PassCredentials})
	if err != nil {
		return nil, fmt.Errorf("chart %s %s: %w", c.Name, version, err)
	}
	sum := sha256.Sum256(answer.body)
	if digest := strings.TrimPrefix(found.Digest, digestPrefix); digest != "" && !strings.EqualFold(digest, hex.EncodeToString(sum[:])) {
		return nil, &invalidError{fmt.Sprintf("chart %s %s is not what the index says: its digest differs", c.Name, version)}
	}
	return answer.body, nil
}

func (r *repository) missing(name, version string) error {
	if len(r.index.entries[name]) == 0 {
		return &invalidError{fmt.Sprintf("chart '%s' not found in index", name)}
	}
	return &source.RevisionError{Revision: version, Detail: fmt.Sprintf("%s has no such version of chart %s", source.Sanitize(r.key.url), name)}
}

func (r *repository) find(name, version string) (entry, bool) {
	for _, e := range r.index.entries[name] {
		if strings.TrimPrefix(e.Version, "v") == strings.TrimPrefix(version, "v") && len(e.URLs) > 0 {
			return e, true
		}
	}
	return entry{}, false
}

type getRequest struct {
	url   string
	limit int64
	etag  string
	pass  bool // the credentials go to every host
	// anonymous leaves out the credentials of the repository.
	anonymous bool
}

type answer struct {
	body      []byte
	etag      string
	unchanged bool
}

// get downloads something, with the credentials of the repository if it is there.
func (r *repository) get(ctx context.Context, g getRequest) (answer, error) {
	if err := r.rest.Check(); err != nil {
		return answer{}, err
	}
	access := *r.access.Load()
	if g.anonymous {
		access.Login = credentials.Login{}
	}
	base, err := url.Parse(r.key.url)
	if err != nil {
		return answer{}, &invalidError{"its URL cannot be parsed: special characters in user information must be percent-encoded"}
	}
	at, err := url.Parse(g.url)
	if err != nil {
		return answer{}, &invalidError{"its URL cannot be parsed"}
	}
	login := access.Login
	if base.User != nil && login.Username == "" && login.Password == "" && login.BearerToken == "" {
		login.Username = base.User.Username()
		login.Password, _ = base.User.Password()
	}
	if !g.pass && !sameOrigin(at, base) {
		login = credentials.Login{}
	}
	at.User = nil
	client, err := r.fetcher.client(access, r.key.guarded, g.pass)
	if err != nil {
		return answer{}, err
	}
	if r.key.guarded {
		if err := r.fetcher.options.Guard.CheckURL(at); err != nil {
			return answer{}, err
		}
	}
	return fetch(ctx, client, at, login, g, r.fetcher.options.Timeout)
}

// fetch makes one request.
func fetch(ctx context.Context, client *http.Client, at *url.URL, login credentials.Login, g getRequest, timeout time.Duration) (answer, error) {
	if at.Scheme != "http" && at.Scheme != "https" {
		return answer{}, &invalidError{fmt.Sprintf("protocol %q is not supported: use https, http or oci", at.Scheme)}
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), http.NoBody)
	if err != nil {
		return answer{}, &invalidError{"its URL cannot be used"}
	}
	connection.Authorize(request, login)
	if g.etag != "" {
		request.Header.Set("If-None-Match", g.etag)
	}
	response, err := client.Do(request)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode == http.StatusNotModified && g.etag != "" {
		return answer{unchanged: true}, nil
	}
	if response.StatusCode != http.StatusOK {
		return answer{}, &statusError{response.StatusCode}
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, g.limit+1))
	if err != nil {
		return answer{}, err
	}
	if int64(len(body)) > g.limit {
		return answer{}, &tooLargeError{g.limit}
	}
	return answer{body: body, etag: response.Header.Get("ETag")}, nil
}

func sameOrigin(a, b *url.URL) bool {
	return strings.EqualFold(a.Host, b.Host) && (a.Scheme == b.Scheme || a.Scheme == "https")
}

// invalidError marks what no retry will heal.
type invalidError struct{ text string }

func (e *invalidError) Error() string { return e.text }

type statusError struct{ code int }

func (e *statusError) Error() string {
	return fmt.Sprintf("the server answers with status %d %s", e.code, http.StatusText(e.code))
}

type tooLargeError struct{ limit int64 }

func (e *tooLargeError) Error() string {
	return fmt.Sprintf("it is larger than the limit of %d bytes", e.limit)
}

// failure names the repository and finds the reason.
func (r *repository) failure(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*source.RevisionError](err); ok {
		return err
	}
	r.rest.Note(err)
	access := r.access.Load()
	reason, cause := classify(err)
	if reason == source.Unauthorized && errors.Is(cause, errCredentials) && access.Origin != "" {
		cause = fmt.Errorf("authentication required: the server does not accept the credentials of %s", access.Origin)
	}
	return &source.Error{URL: source.Sanitize(r.key.url), Reason: reason, Err: cause}
}

var errCredentials = errors.New("authentication required: the server asks for credentials; give them in a Secret with the label " +
	credentials.SecretTypeLabel + "=" + credentials.RepositorySecret)

// classify finds the reason, and takes off what repeats a URL.
func classify(err error) (source.Reason, error) {
	if code, ok := statusOf(err); ok {
		switch {
		case code == http.StatusUnauthorized || code == http.StatusForbidden:
			return source.Unauthorized, errCredentials
		case code == http.StatusNotFound:
			return source.NotFound, errors.New("not found, or it is hidden without credentials (status 404)")
		case code >= http.StatusInternalServerError, code == http.StatusTooManyRequests, code == http.StatusRequestTimeout:
			return source.Unavailable, &statusError{code}
		}
		return source.Invalid, &statusError{code}
	}
	if inURL, ok := errors.AsType[*url.Error](err); ok {
		err = inURL.Err
	}
	for _, final := range []func(error) bool{isA[*invalidError], isA[*tls.CertificateVerificationError], isA[*connection.RefusedError], isA[*connection.GuardError]} {
		if final(err) {
			return source.Invalid, err
		}
	}
	switch {
	case isA[*tooLargeError](err):
		return source.TooLarge, err
	case isA[net.Error](err), isA[*connection.BusyError](err), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return source.Unavailable, err
	}
	return source.Invalid, err
}

func isA[T error](err error) bool {
	_, ok := errors.AsType[T](err)
	return ok
}
