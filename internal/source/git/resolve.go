package git

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"
	"github.com/go-git/go-git/v5/plumbing"

	"github.com/tiphys-io/tiphys/internal/source"
)

// Ref is one reference of a repository.
type Ref struct {
	// Name is the full name, such as refs/heads/main, or HEAD.
	Name string
	// Commit is the id that it leads to; tags are peeled.
	Commit string
	// Target is the name that a symbolic reference stands for, else empty.
	Target string
}

var (
	commitID      = regexp.MustCompile(`^[0-9a-fA-F]{40}$`)
	shortCommitID = regexp.MustCompile(`^[0-9a-f]{7,40}$`)
)

// IsCommitID tells whether a revision is a full commit id.
func IsCommitID(revision string) bool { return commitID.MatchString(revision) }

// collect makes references of what a server lists; a peeled tag replaces the tag object.
func collect(found []*plumbing.Reference) []Ref {
	at := map[string]int{}
	var refs []Ref
	for _, ref := range found {
		name, peeled := strings.CutSuffix(ref.Name().String(), "^{}")
		if i, ok := at[name]; ok {
			if peeled {
				refs[i].Commit = ref.Hash().String()
			}
			continue
		}
		r := Ref{Name: name}
		if ref.Type() == plumbing.SymbolicReference {
			r.Target = ref.Target().String()
		} else {
			r.Commit = ref.Hash().String()
		}
		at[name] = len(refs)
		refs = append(refs, r)
	}
	return refs
}

// Resolve finds the commit of a revision among the references of a repository, in the order of contract 1.2.
func Resolve(refs []Ref, revision, tagPrefix string) (string, error) {
	if IsCommitID(revision) {
		return revision, nil
	}
	wanted := cmp.Or(revision, "HEAD")
	if tag := bestTag(refs, wanted, tagPrefix); tag != "" {
		wanted = tag
	}
	for range 5 { // symbolic references that lead to one another end somewhere
		at := slices.IndexFunc(refs, func(r Ref) bool { return r.Name == wanted || short(r.Name) == wanted })
		if at < 0 {
			break
		}
		if refs[at].Target == "" {
			return refs[at].Commit, nil
		}
		wanted = refs[at].Target
	}
	if shortCommitID.MatchString(revision) {
		return revision, nil
	}
	detail := ""
	if len(refs) == 0 {
		detail = "the repository is empty"
	}
	return "", &source.RevisionError{Revision: revision, Detail: detail}
}

// short is a name without refs/heads/ and the like.
func short(name string) string {
	for _, prefix := range []string{"refs/heads/", "refs/tags/", "refs/remotes/", "refs/"} {
		if rest, ok := strings.CutPrefix(name, prefix); ok {
			return rest
		}
	}
	return name
}

// bestTag is the highest tag that satisfies a version constraint; empty when the revision is none or nothing matches.
func bestTag(refs []Ref, revision, tagPrefix string) string {
	constraint, err := semver.NewConstraint(strings.TrimPrefix(revision, tagPrefix))
	if err != nil {
		return ""
	}
	var best *semver.Version
	var name string
	for _, ref := range refs {
		tag, isTag := strings.CutPrefix(ref.Name, "refs/tags/")
		bare, hasPrefix := strings.CutPrefix(tag, tagPrefix)
		if !isTag || !hasPrefix {
			continue
		}
		if tag == revision {
			return ref.Name
		}
		version, err := semver.NewVersion(bare)
		if err != nil || !constraint.Check(version) {
			continue
		}
		if best == nil || version.GreaterThan(best) {
			best, name = version, ref.Name
		}
	}
	return name
}
