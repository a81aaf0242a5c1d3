package render

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	"sigs.k8s.io/yaml"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/render/manifest"
)

// overrideName is a file in the source's path that changes how the source is rendered: for all applications, or with
// "-<instance>" before the dot for one.
const (
	overrideName   = ".argocd-source"
	overrideSuffix = ".yaml"
)

// largestOverride is how large such a file may be, in bytes, also once its aliases are written out.
const largestOverride = 1 << 20

// override gives the source as the files in its path change it (contract 1.2). They can change neither what is fetched nor
// how the source is called.
func override(req Request) (argov1.ApplicationSource, error) {
	source := req.Source
	for _, name := range []string{overrideName + overrideSuffix, overrideName + "-" + req.Instance.Name + overrideSuffix} {
		patch, err := readOverride(req.Tree, path.Join(Root(req.Source), name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = mergeInto(&source, patch)
		}
		if err != nil {
			return source, fmt.Errorf("error while parsing source parameters: %s: %w", name, err)
		}
	}
	source.RepoURL, source.Path, source.TargetRevision, source.Chart = req.Source.RepoURL, req.Source.Path, req.Source.TargetRevision, req.Source.Chart
	source.TagPrefix, source.Ref, source.Name = req.Source.TagPrefix, req.Source.Ref, req.Source.Name
	return source, nil
}

// readOverride gives the patch in a file as JSON. A folder of that name is none.
func readOverride(tree fs.FS, name string) ([]byte, error) {
	info, err := fs.Stat(tree, name)
	switch {
	case err != nil:
		return nil, err
	case info.IsDir():
		return nil, fs.ErrNotExist
	case info.Size() > largestOverride:
		return nil, fmt.Errorf("it has %d bytes, more than the limit of %d", info.Size(), largestOverride)
	}
	data, err := fs.ReadFile(tree, name)
	if err != nil {
		return nil, err
	}
	if err := manifest.CheckPointer(name, data); err != nil {
		return nil, err
	}
	if _, err := manifest.Measure(name, data, largestOverride); err != nil {
		return nil, err
	}
	return yaml.YAMLToJSON(data)
}

// mergeInto merges a patch into a source (RFC 7386).
func mergeInto(source *argov1.ApplicationSource, patch []byte) error {
	original, err := json.Marshal(source)
	if err != nil {
		return err
	}
	merged, err := jsonpatch.MergePatch(original, patch)
	if err != nil {
		return err
	}
	changed := argov1.ApplicationSource{}
	if err := json.Unmarshal(merged, &changed); err != nil {
		return err
	}
	*source = changed
	return nil
}
