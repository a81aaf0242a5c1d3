// Package credentials knows how to log in to repositories: it reads the Secrets and ConfigMaps that users of Argo CD keep for
// that, and finds what applies to a URL in a project.
package credentials

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Type is what a repository holds.
type Type string

// The types of repositories (contract 5.4).
const (
	Git  Type = "git"
	Helm Type = "helm"
	OCI  Type = "oci"
)

// Login proves to a server who asks. Everything in it is secret, so that it never prints.
type Login struct {
	Username, Password string
	BearerToken        string
	// SSHPrivateKey, TLSClientCert and TLSClientKey are PEM.
	SSHPrivateKey, TLSClientCert, TLSClientKey string
	// GitHubApp logs in as an installation of an app; nil for none.
	GitHubApp *GitHubApp
	// ForceBasicAuth sends user and password although there is a token.
	ForceBasicAuth bool
}

// GitHubApp is an app that is installed in an organisation.
type GitHubApp struct {
	ID, InstallationID int64
	// PrivateKey is PEM.
	PrivateKey string
	// BaseURL is the API of a GitHub Enterprise server; empty for github.com.
	BaseURL string
}

// any tells whether there is anything to log in with.
func (l Login) any() bool { return l != (Login{ForceBasicAuth: l.ForceBasicAuth}) }

// Format prints nothing of a login, whatever the verb.
func (Login) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "(login)") }

// Format prints nothing of an app, whatever the verb.
func (GitHubApp) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "(login)") }

// Access is everything that is known of how to reach a repository. The zero value is an anonymous one.
type Access struct {
	Login
	// Type of the repository, Git unless its Secret says otherwise.
	Type Type
	// Insecure accepts every certificate and host key.
	Insecure bool
	// EnableOCI says of a Helm repository that it is an OCI registry; PlainHTTP that this registry is without TLS.
	EnableOCI, PlainHTTP bool
	// EnableLFS asks for the content of large files.
	EnableLFS bool
	// Proxy is the URL of a proxy; empty for that of the environment. NoProxy lists the hosts that need none.
	Proxy, NoProxy string
	// Authorities are the certificates, in PEM, that certificates of the host are checked against; empty for those of the
	// system.
	Authorities string
	// KnownHosts are the keys of SSH servers, in the format of OpenSSH.
	KnownHosts string
	// Origin names the Secrets that the login comes from, for messages; empty for none.
	Origin string
	// Identity is the same as long as those Secrets are unchanged: what was read with one identity is not for another. It holds
	// no secret.
	Identity string
}

// Format prints where the access comes from, and nothing else.
func (a Access) Format(s fmt.State, _ rune) {
	_, _ = fmt.Fprintf(s, "access of %s", cmp.Or(a.Origin, "everybody"))
}

// Set is all that is known of repositories. It never changes; a new edit makes a new one. The nil Set knows nothing.
type Set struct {
	repositories, templates []entry
	authorities             map[string]string // by host
	knownHosts              string
}

// entry is one Secret.
type entry struct {
	origin   string // namespace/name
	version  string // uid and version of the resource
	url      string // normalised
	plainURL string
	name     string
	project  string
	access   Access
	problem  error // why it cannot be used
}

// For is the access to a repository for the applications of a project. The error names the Secret that cannot be used.
//
// A Secret of the project is preferred to one without a project; those of other projects are not seen. Where the repository has
// no login of its own, that of the longest matching repo-creds is used (contract 5.4).
func (s *Set) For(repoURL, project string) (Access, error) {
	if s == nil {
		return Access{Type: Git}, nil
	}
	access := Access{Type: Git}
	found := s.repository(repoURL, project)
	if found != nil {
		if found.problem != nil {
			return Access{}, found.problem
		}
		access = found.access
		access.Origin, access.Identity = "Secret "+found.origin, found.version
	}
	if !access.any() {
		if template := s.template(repoURL, project); template != nil {
			if template.problem != nil {
				return Access{}, template.problem
			}
			access.inherit(template, found == nil)
		}
	}
	access.Authorities = s.authorities[Host(repoURL)]
	access.KnownHosts = s.knownHosts
	return access, nil
}

// inherit takes over what repo-creds say. How to connect (insecure, LFS) is a matter of the repository's own Secret.
func (a *Access) inherit(template *entry, unknown bool) {
	from := template.access
	a.Login = from.Login
	if a.Proxy == "" {
		a.Proxy, a.NoProxy = from.Proxy, from.NoProxy
	}
	a.PlainHTTP = a.PlainHTTP || from.PlainHTTP
	if unknown {
		a.Type, a.EnableOCI = from.Type, from.EnableOCI
	}
	a.Origin = strings.TrimPrefix(a.Origin+" and Secret "+template.origin, " and ")
	a.Identity = strings.TrimPrefix(a.Identity+" "+template.version, " ")
}

// repository finds the Secret of exactly this repository.
func (s *Set) repository(repoURL, project string) *entry {
	url := Normalize(repoURL)
	var unscoped *entry
	for i := range s.repositories {
		e := &s.repositories[i]
		switch {
		case e.url != url:
		case e.project == project:
			return e
		case e.project == "" && unscoped == nil:
			unscoped = e
		}
	}
	return unscoped
}

// template finds the repo-creds with the longest prefix; of two for the same prefix that of the project.
func (s *Set) template(repoURL, project string) *entry {
	url := Normalize(repoURL)
	var best *entry
	for i := range s.templates {
		e := &s.templates[i]
		if (e.project != "" && e.project != project) || !covers(e.url, url) {
			continue
		}
		if best == nil || len(e.url) > len(best.url) || (len(e.url) == len(best.url) && best.project == "" && e.project != "") {
			best = e
		}
	}
	return best
}

// Named is the URL of the repository that has a name, as charts refer to it by "@name"; empty if a project sees none.
func (s *Set) Named(name, project string) string {
	if s == nil {
		return ""
	}
	unscoped := ""
	for _, e := range s.repositories {
		switch {
		case e.name != name || name == "":
		case e.project == project:
			return e.plainURL
		case e.project == "" && unscoped == "":
			unscoped = e.plainURL
		}
	}
	return unscoped
}

// SameFor tells whether two sets give the applications of a project the same access to a repository.
func (s *Set) SameFor(other *Set, repoURL, project string) bool {
	one, problem := s.For(repoURL, project)
	two, otherProblem := other.For(repoURL, project)
	if (problem == nil) != (otherProblem == nil) || (problem != nil && problem.Error() != otherProblem.Error()) {
		return false
	}
	_, isSSH := ParseSSH(repoURL)
	return one.Identity == two.Identity && one.Authorities == two.Authorities && (!isSSH || one.KnownHosts == two.KnownHosts)
}

// Problems are the Secrets that cannot be used, each with the reason.
func (s *Set) Problems() []error {
	var problems []error
	for _, e := range slices.Concat(s.repositories, s.templates) {
		problems = append(problems, e.problem)
	}
	return slices.DeleteFunc(problems, func(err error) bool { return err == nil })
}

var errNoURL = errors.New("the key url is missing")
