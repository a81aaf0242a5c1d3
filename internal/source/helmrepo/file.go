package helmrepo

import (
	"context"
	"net/url"
	"strings"

	"github.com/tiphys-io/tiphys/internal/source"
)

// File is the content of a URL that a source names, such as a file with values. It comes without credentials other than those
// in the URL, and never from an address that is guarded.
func (f *Fetcher) File(ctx context.Context, fileURL string) ([]byte, error) {
	at, err := url.Parse(fileURL)
	if err != nil {
		return nil, &source.Error{URL: "of a file", Reason: source.Invalid, Err: &invalidError{"it cannot be parsed"}}
	}
	shown := *at
	shown.User, shown.RawQuery = nil, ""
	r, err := f.repository(ctx, Chart{Repository: source.Repository{URL: (&url.URL{Scheme: at.Scheme, User: at.User, Host: at.Host}).String()}, Guarded: true})
	if err != nil {
		return nil, err
	}
	answer, err := r.get(ctx, getRequest{url: at.String(), limit: f.options.MaxFileBytes, anonymous: true})
	if err != nil {
		r.rest.Note(err)
		reason, cause := classify(err)
		return nil, &source.Error{URL: shown.String(), Reason: reason, Err: cause}
	}
	return answer.body, nil
}

// Locate is the URL that the repository of a dependency means: an alias, "@name" or "alias:name", is the name of a repository's
// Secret.
func (f *Fetcher) Locate(ctx context.Context, repository, project string) (string, error) {
	name, isAlias := strings.CutPrefix(repository, "@")
	if !isAlias {
		if name, isAlias = strings.CutPrefix(repository, "alias:"); !isAlias {
			return repository, nil
		}
	}
	if f.options.Named != nil {
		found, err := f.options.Named(ctx, name, project)
		if err != nil || found != "" {
			return found, err
		}
	}
	return "", &source.Error{URL: repository, Reason: source.NotFound, Err: &invalidError{"no Secret of a repository has this name"}}
}
