package receiver

import "strings"

// Push is what a Git server tells of a branch or tag that has moved.
type Push struct {
	// URLs of the repository, as it is seen in a browser or cloned.
	URLs []string
	// Revision is the name of the branch or tag, without "refs/heads/" or "refs/tags/".
	Revision string
	// Default tells that it is the default branch, or that nobody knows.
	Default bool
	// Files are the paths that have changed, as far as the event tells; empty when it does not.
	Files []string
	// Partial tells that others may have changed as well: the branch was moved elsewhere by force, or there were too many commits.
	Partial bool
	// Before and After are the ids of the commits; empty when the event does not tell.
	Before, After string

	bitbucket string // owner and name, if Bitbucket Cloud can be asked for more
}

// Artifact is what a registry tells of an image, chart or other artifact that was pushed.
type Artifact struct {
	// Registry is its host, with a port if there is one; Repository the path there.
	Registry, Repository string
	Tag                  string
}

// Events are what one request tells; none when it is about something else.
type Events struct {
	Pushes    []Push
	Artifacts []Artifact
}

// parseRef gives the name of a branch or tag: what stands behind the first two parts of the reference.
func parseRef(ref string) string {
	parts := strings.SplitN(ref, "/", 3)
	return parts[len(parts)-1]
}

// commit is the part of a commit that GitHub, GitLab and Gogs have in common.
type commit struct {
	Added    []string `json:"added"`
	Modified []string `json:"modified"`
	Removed  []string `json:"removed"`
}

// filesOf lists what the commits of a push have changed, each file once.
func filesOf(commits []commit) []string {
	var files []string
	seen := map[string]bool{}
	for _, c := range commits {
		for _, list := range [][]string{c.Added, c.Modified, c.Removed} {
			for _, file := range list {
				if !seen[file] {
					seen[file] = true
					files = append(files, file)
				}
			}
		}
	}
	return files
}
