package source

import (
	"errors"
	"strings"

	"github.com/Masterminds/semver/v3"
)

// IsVersion tells whether a revision is a version, such as "1.0".
func IsVersion(revision string) bool {
	_, err := semver.NewVersion(revision)
	return err == nil
}

// IsConstraint tells whether a revision means the highest of several versions, such as "1.*".
func IsConstraint(revision string) bool {
	_, err := semver.NewConstraint(revision)
	return err == nil && !IsVersion(revision)
}

// PrefixError tells that a tag prefix stands beside a revision it cannot apply to.
type PrefixError struct{ revision string }

// Error names the revision.
func (e *PrefixError) Error() string {
	return "tagPrefix requires targetRevision to be a semver constraint or version, and '" + e.revision + "' is neither"
}

// ErrNoVersion is that a constraint permits none of the versions that there are.
var ErrNoVersion = errors.New("no tag matches the version constraint")

// MaxVersion finds the tag with the highest version that satisfies the revision. Only tags that begin with prefix count; it is
// taken off for the comparison and put back on the result. A plain version names its tag exactly: "v1.1" does not mean "v1.1.0".
func MaxVersion(revision string, tags []string, prefix string) (string, error) {
	if !IsConstraint(revision) {
		if prefix != "" && !IsVersion(revision) {
			return "", &PrefixError{revision: revision}
		}
		return prefix + revision, nil
	}
	constraint, err := semver.NewConstraint(revision)
	if err != nil {
		return "", err
	}
	var best *semver.Version
	for _, tag := range tags {
		bare, ok := strings.CutPrefix(tag, prefix)
		if !ok {
			continue
		}
		v, err := semver.NewVersion(bare)
		if err == nil && constraint.Check(v) && (best == nil || v.GreaterThan(best)) {
			best = v
		}
	}
	if best == nil {
		return "", ErrNoVersion
	}
	return prefix + best.Original(), nil
}
