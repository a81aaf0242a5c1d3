package git

import (
	"errors"
	"regexp"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/tiphys-io/tiphys/internal/source"
)

// ref is one line of what a repository advertises.
type ref struct {
	// name is the full name ("refs/heads/main") or "HEAD".
	name string
	// commit is the id after peeling annotated tags.
	commit plumbing.Hash
	// object is the id before peeling; it differs from commit for annotated tags only.
	object plumbing.Hash
}

const tagsPrefix = "refs/tags/"

var (
	fullSHA      = regexp.MustCompile(`^[0-9A-Fa-f]{40}$`)
	truncatedSHA = regexp.MustCompile(`^[0-9A-Fa-f]{7,}$`)
)

func isFullSHA(revision string) bool      { return fullSHA.MatchString(revision) }
func isTruncatedSHA(revision string) bool { return truncatedSHA.MatchString(revision) }

// isShortRef says whether the revision may mean something else than one fully named reference.
func isShortRef(revision string) bool { return !strings.HasPrefix(revision, "refs/") }

// resolve finds the commit that a revision means among the advertised references, which are in the order of their names
// (contract 1.2, "Git revision resolution"). The answer may be an abbreviated commit id, which the references cannot complete.
func resolve(refs []ref, revision, tagPrefix string) (string, error) {
	if isFullSHA(revision) {
		return revision, nil
	}
	name := revision
	if name == "" {
		name = "HEAD"
	}
	if tagPrefix != "" || (isShortRef(name) && (source.IsVersion(name) || source.IsConstraint(name))) {
		tag, err := source.MaxVersion(name, tagsOf(refs), tagPrefix)
		if _, ok := errors.AsType[*source.PrefixError](err); ok {
			return "", &source.RevisionError{Revision: revision, Detail: err.Error()}
		}
		if found, ok := find(refs, func(r ref) bool { return err == nil && r.name == tagsPrefix+tag }); ok {
			return found, nil
		}
	}
	if tagPrefix == "" {
		if found, ok := find(refs, func(r ref) bool {
			return r.name == name || plumbing.ReferenceName(r.name).Short() == name
		}); ok {
			return found, nil
		}
		if isTruncatedSHA(name) {
			return name, nil
		}
	}
	return "", &source.RevisionError{Revision: revision}
}

func find(refs []ref, match func(ref) bool) (string, bool) {
	for _, r := range refs {
		if match(r) {
			return r.commit.String(), true
		}
	}
	return "", false
}

func tagsOf(refs []ref) []string {
	var tags []string
	for _, r := range refs {
		if tag, ok := strings.CutPrefix(r.name, tagsPrefix); ok {
			tags = append(tags, tag)
		}
	}
	return tags
}
