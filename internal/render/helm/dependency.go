package helm

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path"
	"strings"

	chart "helm.sh/helm/v4/pkg/chart/v2"
	chartutil "helm.sh/helm/v4/pkg/chart/v2/util"

	"github.com/tiphys-io/tiphys/internal/render"
)

var (
	errNoRepository = errors.New("no repository is given for it: commit it to charts/")
	errVersion      = errors.New("the chart there has another name or version")
)

// dependency finds a chart that is not in the charts folder.
func (rel *release) dependency(ctx context.Context, wanted *chart.Dependency, lock *chart.Lock, left *budget) (*chart.Chart, error) {
	if wanted.Repository == "" {
		return nil, errNoRepository
	}
	var found *chart.Chart
	var err error
	if folder, isFolder := strings.CutPrefix(wanted.Repository, "file://"); isFolder {
		found, err = rel.localDependency(ctx, folder, left)
	} else {
		found, err = rel.remoteDependency(ctx, wanted, lock, left)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", sanitize(wanted.Repository), err)
	}
	if found.Name() != wanted.Name || (wanted.Version != "" && !chartutil.IsCompatibleRange(wanted.Version, found.Metadata.Version)) {
		return nil, fmt.Errorf("%s: %w", sanitize(wanted.Repository), errVersion)
	}
	return found, nil
}

// localDependency reads a chart of the same repository.
func (rel *release) localDependency(ctx context.Context, folder string, left *budget) (*chart.Chart, error) {
	name := path.Join(render.Root(rel.req.Source), folder)
	if path.IsAbs(folder) || !fs.ValidPath(name) {
		return nil, errors.New("it leads out of the repository")
	}
	return loadFolder(ctx, rel.req.Tree, name, left)
}

// remoteDependency fetches a chart, in the version of the lock file if there is one for it.
func (rel *release) remoteDependency(ctx context.Context, wanted *chart.Dependency, lock *chart.Lock, left *budget) (*chart.Chart, error) {
	reference := render.ChartReference{
		Repository: wanted.Repository, Name: wanted.Name, Version: wanted.Version,
		RemoteOptions: render.RemoteOptions{PassCredentials: rel.options.PassCredentials},
	}
	if lock != nil {
		for _, locked := range lock.Dependencies {
			if locked != nil && locked.Name == wanted.Name && locked.Repository == wanted.Repository {
				reference.Version = locked.Version
			}
		}
	}
	if rel.req.Remote == nil {
		return nil, fmt.Errorf("charts of repositories are not fetched by this version: commit %s %s to charts/", reference.Name, reference.Version)
	}
	archive, err := rel.req.Remote.Chart(ctx, reference)
	if err != nil {
		return nil, err
	}
	files, err := readArchive(archive, left)
	if err != nil {
		return nil, err
	}
	return loadFiles(files, left)
}

// sanitize gives a URL without what may be a password.
func sanitize(repository string) string {
	u, err := url.Parse(repository)
	if err != nil {
		return "its repository"
	}
	u.User, u.RawQuery = nil, ""
	return u.String()
}
