package source

import (
	"net/url"
	"path"
	"strings"
)

// Sanitize removes user information from a repository URL, so that it can be shown. The short SSH form (user@host:path)
// names an account and not a secret and stays as it is.
func Sanitize(repoURL string) string {
	scheme, rest, found := strings.Cut(repoURL, "://")
	if !found {
		return repoURL
	}
	authority, _, _ := strings.Cut(rest, "/")
	if _, err := url.Parse(repoURL); err != nil {
		// A slash or a space in a password: everything before the last "@" may belong to it.
		authority = rest
	}
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		rest = rest[at+1:]
	}
	return scheme + "://" + rest
}

// SameServer tells whether two URLs of repositories name one server: the same protocol, host and port, as they are written.
func SameServer(one, other string) bool {
	a, b := server(one), server(other)
	return a != "" && a == b
}

// server is a URL without path and user.
func server(repoURL string) string {
	repoURL = strings.TrimSpace(repoURL)
	if u, err := url.Parse(repoURL); err == nil && strings.Contains(repoURL, "://") {
		return strings.ToLower(u.Scheme + "://" + u.Host)
	}
	host, _, isShort := strings.Cut(repoURL, ":") // user@host:path
	if !isShort || strings.Contains(host, "/") {
		return ""
	}
	return "ssh://" + strings.ToLower(host[strings.LastIndexByte(host, '@')+1:])
}

// Normalize gives one spelling to the URLs of one repository: surrounding space, the case of scheme and host, a trailing
// slash and the suffix ".git" do not count. The case of the path counts, because it does on many servers, and so does user
// information: what one account may read must not be handed to another. The result is a key and not for connecting.
func Normalize(repoURL string) string {
	repoURL = strings.TrimSpace(repoURL)
	u, err := url.Parse(repoURL)
	if err != nil || u.Scheme == "" || !strings.Contains(repoURL, "://") {
		return strings.TrimSuffix(strings.TrimSuffix(repoURL, "/"), ".git")
	}
	u.Scheme, u.Host = strings.ToLower(u.Scheme), strings.ToLower(u.Host)
	if u.Scheme == "file" {
		// Two folders "x" and "x.git" are two repositories.
		u.Path, u.RawPath = path.Clean(u.Path), ""
		return u.String()
	}
	trimmed := strings.TrimSuffix(strings.TrimRight(u.EscapedPath(), "/"), ".git")
	if p, err := url.PathUnescape(trimmed); err == nil {
		u.Path, u.RawPath = p, trimmed
	}
	return u.String()
}
