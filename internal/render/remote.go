package render

import (
	"context"
	"io/fs"
)

// Remote gets what a source names outside of its repository: with the same credentials, limits and cache as sources
// themselves. An implementation refuses what an application may not reach.
type Remote interface {
	// Chart is the packed chart (.tgz) that a reference means.
	Chart(ctx context.Context, reference ChartReference) (archive []byte, err error)
	// File is the content of a URL.
	File(ctx context.Context, url string, options RemoteOptions) ([]byte, error)
}

// ChartReference says which chart of a repository of charts is meant.
type ChartReference struct {
	// Repository is its URL, or an alias that begins with "@" or "alias:".
	Repository string
	Name       string
	// Version is a version or a constraint such as "~1.2"; the newest that it permits is meant.
	Version string

	RemoteOptions
}

// RemoteOptions are what a source says about all that is fetched for it.
type RemoteOptions struct {
	// PassCredentials sends the credentials of a repository to every host that its charts come from (contract 1.2).
	PassCredentials bool
}

// Repositories reads repositories of Git that a source names, as [Remote] does charts and files.
type Repositories interface {
	// Repository is the tree of a repository at a revision: a branch, tag or commit, or the default branch if it is empty. The
	// commit is its full id.
	Repository(ctx context.Context, url, revision string) (tree fs.FS, commit string, err error)
}
