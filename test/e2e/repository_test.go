package e2e

import (
	"maps"

	. "github.com/onsi/gomega"

	"github.com/tiphys-io/tiphys/test/fixture"
)

// repository is a repository on the suite's Git server, with the files of its last commit.
type repository struct {
	git   *fixture.Repository
	files map[string]string
}

func newRepository(name string) *repository {
	return &repository{git: server.Repository(name), files: map[string]string{}}
}

// commit makes a commit whose tree is what it was, with the changes; an empty content removes a file.
func (r *repository) commit(changes map[string]string) string {
	maps.Copy(r.files, changes)
	maps.DeleteFunc(r.files, func(_, content string) bool { return content == "" })
	sha, err := r.git.Commit(r.files)
	Expect(err).NotTo(HaveOccurred())
	return sha
}
