package git

import (
	"os"
	"strings"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"
	"sigs.k8s.io/yaml"

	"github.com/tiphys-io/tiphys/internal/source"
	"github.com/tiphys-io/tiphys/test/conformance"
)

// vectors is the shape of conformance/tables/revisions.yaml.
type vectors struct {
	MaxVersion []struct {
		ID, Revision, TagPrefix, Resolved, ErrorContains string
		Tags                                             []string
		Error                                            bool
	} `json:"maxVersion"`
	GitTags []struct {
		ID, Revision, TagPrefix, Tag string
		Tags                         []string
		Error                        bool
	} `json:"gitTags"`
	IsConstraint []struct {
		Revision   string
		Constraint bool
	} `json:"isConstraint"`
	IsVersion []struct {
		Revision string
		Version  bool
	} `json:"isVersion"`
	CommitSHA []struct {
		Revision     string
		FullSHA      *bool
		TruncatedSHA *bool
	} `json:"commitSHA"`
	ShortRef []struct {
		ID, Revision string
		Short        bool
	} `json:"shortRef"`
}

func loadVectors(t *testing.T) vectors {
	t.Helper()
	data, err := os.ReadFile(conformance.Path(t, "tables", "revisions.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := yaml.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	if n := len(v.MaxVersion) + len(v.GitTags) + len(v.IsConstraint) + len(v.IsVersion) + len(v.CommitSHA) + len(v.ShortRef); n < 101 {
		t.Fatalf("read %d vectors, want 101 or more", n)
	}
	return v
}

func TestMaxVersionConformance(t *testing.T) {
	for _, v := range loadVectors(t).MaxVersion {
		t.Run(v.ID+" "+v.Revision, func(t *testing.T) {
			got, err := source.MaxVersion(v.Revision, v.Tags, v.TagPrefix)
			if v.Error {
				if err == nil || !strings.Contains(err.Error(), v.ErrorContains) {
					t.Fatalf("got %q, %v; want an error with %q", got, err, v.ErrorContains)
				}
				return
			}
			if err != nil || got != v.Resolved {
				t.Errorf("got %q, %v; want %q", got, err, v.Resolved)
			}
		})
	}
}

func hashOf(name string) plumbing.Hash {
	return plumbing.ComputeHash(plumbing.BlobObject, []byte(name))
}

func refsNamed(names ...string) []ref {
	var refs []ref
	for _, n := range names {
		refs = append(refs, ref{name: n, commit: hashOf(n), object: hashOf(n)})
	}
	return refs
}

func TestGitTagsConformance(t *testing.T) {
	for _, v := range loadVectors(t).GitTags {
		t.Run(v.ID, func(t *testing.T) {
			var names []string
			for _, tag := range v.Tags {
				names = append(names, tagsPrefix+tag)
			}
			got, err := resolve(refsNamed(names...), v.Revision, v.TagPrefix)
			if v.Error {
				if err == nil || !strings.HasPrefix(err.Error(), "unable to resolve '"+v.Revision+"' to a commit SHA") {
					t.Fatalf("got %q, %v; want an error", got, err)
				}
				return
			}
			if want := hashOf(tagsPrefix + v.Tag).String(); err != nil || got != want {
				t.Errorf("got %q, %v; want the commit of %s, %s", got, err, v.Tag, want)
			}
		})
	}
}

func TestRevisionFormsConformance(t *testing.T) {
	v := loadVectors(t)
	check := func(what, revision string, got, want bool) {
		t.Helper()
		if got != want {
			t.Errorf("%s(%q) = %t, want %t", what, revision, got, want)
		}
	}
	for _, c := range v.IsConstraint {
		check("isConstraint", c.Revision, source.IsConstraint(c.Revision), c.Constraint)
	}
	for _, c := range v.IsVersion {
		check("isVersion", c.Revision, source.IsVersion(c.Revision), c.Version)
	}
	for _, c := range v.CommitSHA {
		if c.FullSHA != nil {
			check("isFullSHA", c.Revision, isFullSHA(c.Revision), *c.FullSHA)
		}
		if c.TruncatedSHA != nil {
			check("isTruncatedSHA", c.Revision, isTruncatedSHA(c.Revision), *c.TruncatedSHA)
		}
	}
	for _, c := range v.ShortRef {
		check("isShortRef", c.Revision, isShortRef(c.Revision), c.Short)
	}
}

func TestResolve(t *testing.T) {
	refs := refsNamed("HEAD", "refs/heads/deadbee", "refs/heads/main", "refs/heads/v1", "refs/pull/7/head", "refs/tags/main", "refs/tags/v1")
	sha := hashOf("x").String()
	for _, c := range []struct{ reason, revision, prefix, want, err string }{
		{"a full id is taken as it is", sha, "", sha, ""},
		{"and so is it beside a tag prefix", sha, "prod/", sha, ""},
		{"empty means HEAD", "", "", hashOf("HEAD").String(), ""},
		{"HEAD by name", "HEAD", "", hashOf("HEAD").String(), ""},
		{"of a branch and a tag with one name, the branch comes first", "main", "", hashOf("refs/heads/main").String(), ""},
		{"but a version is a tag first", "v1", "", hashOf("refs/tags/v1").String(), ""},
		{"full name of a branch", "refs/heads/v1", "", hashOf("refs/heads/v1").String(), ""},
		{"full name of a tag", "refs/tags/main", "", hashOf("refs/tags/main").String(), ""},
		{"a pull request by its full name", "refs/pull/7/head", "", hashOf("refs/pull/7/head").String(), ""},
		{"a name of hexadecimal digits is a name first", "deadbee", "", hashOf("refs/heads/deadbee").String(), ""},
		{"an abbreviated id passes through", "abcdef0", "", "abcdef0", ""},
		{"six digits are too few", "abcdef", "", "", "unable to resolve 'abcdef' to a commit SHA: revision not found"},
		{"unknown name", "nope", "", "", "unable to resolve 'nope' to a commit SHA: revision not found"},
		{"a part of a name is not the name", "heads/mai", "", "", "unable to resolve 'heads/mai' to a commit SHA: revision not found"},
	} {
		t.Run(c.reason, func(t *testing.T) {
			got, err := resolve(refs, c.revision, c.prefix)
			text := ""
			if err != nil {
				text = err.Error()
			}
			if got != c.want || text != c.err {
				t.Errorf("got %q, %q; want %q, %q", got, text, c.want, c.err)
			}
		})
	}
}
