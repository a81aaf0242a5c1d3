package helm

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	chart "helm.sh/helm/v4/pkg/chart/v2"
	chartutil "helm.sh/helm/v4/pkg/chart/v2/util"

	"github.com/tiphys-io/tiphys/internal/render"
)

var (
	errNoRepository = errors.New("no repository is given for it: commit it to charts/")
	errVersion      = errors.New("the chart there has another version")
)

// dependency finds a chart that is not in the charts folder.
func (rel *release) dependency(ctx context.Context, wanted *chart.Dependency, left *budget) (*chart.Chart, error) {
	if wanted.Repository == "" {
		return nil, errNoRepository
	}
	folder, isFolder := strings.CutPrefix(wanted.Repository, "file://")
	if !isFolder {
		return nil, fmt.Errorf("charts of repositories are not fetched by this version: commit %s %s to charts/", wanted.Name, wanted.Version)
	}
	name := path.Join(render.Root(rel.req.Source), folder)
	if path.IsAbs(folder) || !fs.ValidPath(name) {
		return nil, fmt.Errorf("%s leads out of the repository", wanted.Repository)
	}
	found, err := loadFolder(ctx, rel.req.Tree, name, left)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", wanted.Repository, err)
	}
	if found.Name() != wanted.Name || !chartutil.IsCompatibleRange(wanted.Version, found.Metadata.Version) {
		return nil, fmt.Errorf("%s: %w", wanted.Repository, errVersion)
	}
	return found, nil
}
