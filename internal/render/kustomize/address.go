package kustomize

import (
	"errors"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
)

// address is what a remote entry of a kustomization says: a file, a folder of a repository, or either.
type address struct {
	file string // URL; empty if it is none

	repository string // URL; empty if it is none
	folder     string // in the repository
	revision   string // empty for the default branch
	marked     bool   // whether the entry says where the repository ends, and so is meant for one
}

var (
	errAddress = errors.New("it names neither a file behind http or https nor a repository: write https://host/org/repository//folder?ref=revision")
	errLocal   = errors.New("a repository of this machine is not read: use https or ssh")
	errOutside = errors.New("the folder lies outside of the repository")
)

// extensions are those of manifests, which a URL ends in that is meant for a file.
var extensions = []string{".yaml", ".yml", ".json"}

// parseAddress reads an entry as the Kustomize library does (its internal/git and its documentation of remote targets).
func parseAddress(entry string) (address, error) {
	var a address
	if u, err := url.Parse(entry); err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" {
		a.file = entry
	}
	place, query, _ := strings.Cut(entry, "?")
	if values, err := url.ParseQuery(query); err == nil {
		a.revision = values.Get("version")
		if ref := values.Get("ref"); ref != "" {
			a.revision = ref
		}
	}
	host, rest, err := cutHost(place)
	if err == nil {
		err = a.cutRepository(host, rest)
	}
	if err != nil && (a.file == "" || errors.Is(err, errOutside)) {
		return address{}, err
	}
	return a, nil
}

var userPart = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9-]*@`)

// cutHost splits an entry behind the host, whose separator stays with it.
func cutHost(entry string) (host, rest string, err error) {
	_, rest = cutPrefix(entry, "git::")
	scheme, rest := cutPrefix(rest, "ssh://", "https://", "http://", "file://")
	if scheme == "file://" {
		return "", "", errLocal
	}
	user := userPart.FindString(rest)
	rest = rest[len(user):]
	gitHub, _ := cutPrefix(rest, "github.com/", "github.com:")
	if scheme == "" && user == "" && gitHub == "" {
		return "", "", errAddress
	}
	end := strings.Index(rest, "/")
	if colon := strings.Index(rest, ":"); scheme == "" && colon > 0 && (end < 0 || colon < end) {
		end = colon
	}
	if end < 1 {
		return "", "", errAddress
	}
	name, rest := rest[:end+1], rest[end+1:]
	switch {
	case gitHub != "" && (scheme == "ssh://" || user != ""):
		return user + "github.com:", rest, nil
	case gitHub != "":
		return "https://github.com/", rest, nil
	}
	return scheme + user + name, rest, nil
}

// cutPrefix takes one of several prefixes off a text, in any case.
func cutPrefix(text string, prefixes ...string) (found, rest string) {
	for _, prefix := range prefixes {
		if len(text) >= len(prefix) && strings.EqualFold(text[:len(prefix)], prefix) {
			return prefix, text[len(prefix):]
		}
	}
	return "", text
}

// defaultSegments is how many parts of a path name a repository where nothing says where it ends, as on GitHub.
const defaultSegments = 2

// cutRepository finds where the repository ends and the folder in it begins.
func (a *address) cutRepository(host, rest string) error {
	name, folder := "", ""
	a.marked = true
	if before, behind, found := strings.Cut(rest, "_git/"); found { // Azure DevOps
		repository, inside, _ := strings.Cut(behind, "/")
		name, folder = before+"_git/"+repository, inside
	} else if before, behind, found := strings.Cut(rest, "//"); found {
		name, folder = before, behind
	} else if before, behind, found := strings.Cut(rest, ".git"); found {
		name, folder = before+".git", behind
	} else {
		a.marked = a.revision != ""
		parts := strings.Split(rest, "/")
		if len(parts) < defaultSegments {
			return errAddress
		}
		name, folder = strings.Join(parts[:defaultSegments], "/"), strings.Join(parts[defaultSegments:], "/")
	}
	if name == "" {
		return errAddress
	}
	folder = path.Clean(strings.Trim(folder, "/"))
	if folder == ".." || strings.HasPrefix(folder, "../") {
		return errOutside
	}
	a.repository, a.folder = host+name, folder
	return nil
}

// isFileFirst tells whether an entry is tried as a file before it is taken for a repository.
func (a address) isFileFirst() bool {
	if a.file == "" {
		return false
	}
	u, err := url.Parse(a.file)
	return err == nil && (!a.marked || slices.Contains(extensions, strings.ToLower(path.Ext(u.Path))))
}

// shown is an address without what may be secret in it: user information and the query.
func shown(address string) string {
	address, _, _ = strings.Cut(address, "?")
	scheme, rest, found := strings.Cut(address, "://")
	if !found {
		return address // the short form of SSH names an account, and no secret
	}
	authority, inside, _ := strings.Cut(rest, "/")
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		authority = authority[at+1:]
	}
	return strings.TrimSuffix(scheme+"://"+authority+"/"+inside, "/")
}
