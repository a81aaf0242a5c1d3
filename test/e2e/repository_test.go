package e2e

import (
	"maps"
	"path/filepath"
	"time"

	"github.com/go-git/go-billy/v5/memfs"
	"github.com/go-git/go-billy/v5/util"
	gogit "github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing/object"
	. "github.com/onsi/gomega"
)

// repository is a bare repository on disk that tests commit to.
type repository struct {
	path  string
	files map[string]string
}

func newRepository(folder string) *repository {
	r := &repository{path: filepath.Join(folder, "repo.git"), files: map[string]string{}}
	_, err := gogit.PlainInit(r.path, true)
	Expect(err).NotTo(HaveOccurred())
	return r
}

func (r *repository) url() string { return "file://" + r.path }

// commit writes a commit on master whose tree is what it was, with the changes; an empty content removes a file.
func (r *repository) commit(changes map[string]string) string {
	maps.Copy(r.files, changes)
	bare, err := gogit.PlainOpen(r.path)
	Expect(err).NotTo(HaveOccurred())
	files := memfs.New()
	for name, content := range r.files {
		if content != "" {
			Expect(util.WriteFile(files, name, []byte(content), 0o644)).To(Succeed())
		}
	}
	repo, err := gogit.Open(bare.Storer, files)
	Expect(err).NotTo(HaveOccurred())
	tree, err := repo.Worktree()
	Expect(err).NotTo(HaveOccurred())
	Expect(tree.AddWithOptions(&gogit.AddOptions{All: true})).To(Succeed())
	sha, err := tree.Commit("change", &gogit.CommitOptions{
		AllowEmptyCommits: true,
		Author:            &object.Signature{Name: "test", Email: "test@example.com", When: time.Unix(1700000000, 0)},
	})
	Expect(err).NotTo(HaveOccurred())
	return sha.String()
}
