// Package source reads application sources: it turns a repository and a revision into a read-only file tree.
//
// The package itself is vocabulary only: what a repository, a revision and a tree are, and which ways there are to fail.
// Its subpackages implement [Fetcher], one for each kind of repository. A revision is handed on as a [Tree] that is read
// from an object store: there is no worktree and no checkout, so a path or a symbolic link in a repository cannot lead out
// of it, and nothing has to be locked or cleaned up between two applications that use one repository at different revisions.
package source

import (
	"context"
	"io/fs"
)

// Tree is one revision of a repository as a read-only file tree, safe for concurrent use.
//
// Names are those of [io/fs]: slash-separated, relative, "." for the root. Open, Stat, ReadFile, ReadDir and Hash follow
// symbolic links; a link that leaves the repository, is absolute, or is part of a loop is an error that names the link
// (see [ErrLinkEscapes]). A directory listing reports links as such, with [fs.ModeSymlink]. Reading a file above the size
// limit fails with a [FileSizeError]; its size can still be asked for with Stat.
type Tree interface {
	fs.ReadDirFS
	fs.ReadFileFS
	fs.StatFS
	fs.ReadLinkFS
	Identifier
}

// Identifier tells by ids what is in a tree.
type Identifier interface {
	// Hash is the identity of the content at name: the id of its Git blob or tree, or of the commit for a submodule.
	// Equal ids mean equal content, whatever the revision. The id of a directory covers the text of the links in it, not
	// the content they lead to: who follows a link has to ask for the hash of the link's own name as well.
	Hash(name string) (string, error)
	// Fingerprint identifies what a look at an aspect of a name gives: equal fingerprints, in whatever revision, mean equal
	// answers. What is missing has one as well, and so has a link that is refused; that of what is there ends in a zero byte
	// and its name without links. An error says that nobody can tell.
	Fingerprint(name string, aspect Aspect) (string, error)
}

// Repository says where a repository is. User information in the URL is used to log in and never appears in an error.
type Repository struct {
	// URL in one of the forms that Git understands, for example "https://host/owner/name.git" or "file:///srv/name.git".
	URL string
	// Project whose applications ask: it decides which credentials they may use.
	Project string
	// NamedBy is the URL of the repository that names this one; empty for one that an application names itself. What a
	// repository names may be refused because of where it is.
	NamedBy string
}

// ResolveOptions refines the resolution of a revision; the zero value is right for polling.
type ResolveOptions struct {
	// TagPrefix restricts semantic version constraints to the tags that begin with it: "prod/" and "v1.*" match
	// "prod/v1.2.0" (contract 1.2). Empty means all tags.
	TagPrefix string
	// Force asks the repository even if an answer is remembered (refresh level 3, contract 2.10).
	Force bool
}

// Fetcher reads one kind of repository. Implementations are safe for concurrent use and share network calls: any number of
// applications on one repository costs one resolve and one fetch.
type Fetcher interface {
	// Resolve turns a branch, tag, version constraint, commit id or "" (the default branch) into a full commit id. An
	// unknown revision is a *[RevisionError]; a repository that cannot be read is an *[Error].
	Resolve(ctx context.Context, repo Repository, revision string, opts ResolveOptions) (sha string, err error)
	// Fetch returns the tree of a full commit id, from the local store if it is there. The tree stays readable after ctx ends.
	Fetch(ctx context.Context, repo Repository, sha string) (Tree, error)
}
