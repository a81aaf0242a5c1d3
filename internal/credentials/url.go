package credentials

import (
	"net/url"
	"regexp"
	"strings"
)

// sshForm is user@host:path and user@host/path, with or without a port. The user may hold an "@" himself.
var sshForm = regexp.MustCompile(`^([^/]+)@([^@/:]+|\[[^]/]+\])(:[0-9]+(?:/|$))?(.*)$`)

// SSHAddress is where a repository behind SSH is.
type SSHAddress struct {
	User, Host string
	// Port is empty for the usual one.
	Port string
	// Path as the server is asked for it: absolute, or relative to the home of the user.
	Path string
	// Short tells that the URL has the form user@host:path.
	Short bool
}

// ParseSSH reads the URL of a repository that is reached by SSH, in one of its forms: user@host:path, ssh://user@host:port/path,
// or ssh://user@host:path.
func ParseSSH(repoURL string) (address SSHAddress, isSSH bool) {
	rest, isURL := cutScheme(strings.TrimSpace(repoURL), "ssh")
	if !isURL && strings.Contains(rest, "://") {
		return SSHAddress{}, false
	}
	match := sshForm.FindStringSubmatch(rest)
	switch {
	case match == nil && isURL:
		match = sshForm.FindStringSubmatch("@@" + rest) // without a user
	case match == nil || (!isURL && !strings.HasPrefix(match[3]+match[4], ":")):
		return SSHAddress{}, false
	}
	if match == nil {
		return SSHAddress{}, true
	}
	user, _, _ := strings.Cut(match[1], ":") // a password has no place here
	address = SSHAddress{User: strings.Trim(user, "@"), Host: strings.Trim(match[2], "[]")}
	if colon := strings.HasPrefix(match[3]+match[4], ":"); !isURL || (colon && match[3] == "") {
		address.Path, address.Short = (match[3] + match[4])[1:], true
		return address, true
	}
	address.Port = strings.Trim(match[3], ":/")
	address.Path = "/" + strings.TrimPrefix(match[4], "/")
	if path, err := url.PathUnescape(address.Path); err == nil {
		address.Path = path
	}
	if strings.HasPrefix(address.Path, "/~") {
		address.Path = address.Path[1:] // a home
	}
	return address, true
}

// cutScheme takes off a scheme in any case.
func cutScheme(repoURL, scheme string) (rest string, found bool) {
	if prefix := scheme + "://"; len(repoURL) >= len(prefix) && strings.EqualFold(repoURL[:len(prefix)], prefix) {
		return repoURL[len(prefix):], true
	}
	return repoURL, false
}

// Normalize gives one spelling to the URLs of one repository (contract 5.4): case, surrounding space, a trailing slash and the
// suffix ".git" do not count, both forms of SSH are equal, and an OCI registry is the same with and without its scheme. The
// result is for comparing and not for connecting.
func Normalize(repoURL string) string {
	s := strings.ToLower(strings.TrimSpace(repoURL))
	s = strings.TrimRight(strings.TrimSuffix(strings.TrimRight(s, "/"), ".git"), "/")
	if rest, isOCI := strings.CutPrefix(s, "oci://"); isOCI {
		return rest
	}
	rest, isSSH := strings.CutPrefix(s, "ssh://")
	if !isSSH && strings.Contains(s, "://") {
		return s
	}
	match := sshForm.FindStringSubmatch(rest)
	if match == nil {
		return rest
	}
	port := strings.TrimSuffix(match[3], "/")
	path := strings.Trim(strings.TrimPrefix(match[4], ":"), "/")
	return strings.TrimSuffix("ssh://"+match[1]+"@"+match[2]+port+"/"+path, "/")
}

// covers tells whether normalised repo-creds are meant for a normalised URL: it begins with theirs, and has the same host. Half
// a name of a host would hand the login to whoever registers the other half.
func covers(prefix, repoURL string) bool {
	rest, isPrefix := strings.CutPrefix(repoURL, prefix)
	if !isPrefix || prefix == "" {
		return false
	}
	_, authority, found := strings.Cut(prefix, "://")
	if !found {
		authority = prefix
	}
	if strings.Contains(authority, "/") || rest == "" || rest[0] == '/' {
		return true
	}
	// The host ends here, or a port follows and nothing but a port: "host:x@other" is a login at another host.
	port, isPort := strings.CutPrefix(rest, ":")
	port, _, _ = strings.Cut(port, "/")
	return isPort && port != "" && strings.Trim(port, "0123456789") == "" && !strings.Contains(authority, ":")
}

// Host is the name that a repository's certificates are kept under; empty for URLs without one, and for the short form of SSH,
// which has no certificates.
func Host(repoURL string) string {
	repoURL = strings.TrimSpace(repoURL)
	if !strings.Contains(repoURL, "://") {
		if strings.HasPrefix(repoURL, "/") || strings.HasPrefix(repoURL, ".") || strings.HasPrefix(repoURL, "$") {
			return ""
		}
		repoURL = "oci://" + repoURL
	}
	u, err := url.Parse(repoURL)
	if err != nil {
		return ""
	}
	return strings.ToLower(u.Hostname())
}
