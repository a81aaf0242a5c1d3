package receiver

import (
	"path"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
)

// verdict is what an event means for an application.
type verdict struct {
	// refresh tells that it is to be refreshed.
	refresh bool
	// hydrate tells that what its manifests are made of has changed.
	hydrate bool
	// advanced tells that its revision moves on, but none of the files that it names has changed.
	advanced bool
	// urgent tells that one of the changed files lies in the path of a source, or that nobody knows which have changed.
	urgent bool
}

// concerns judges a push. An application without the annotation for paths is refreshed whatever files have changed: whether it
// has to be rendered is found out by what it read (contract 5.6).
func (p Push) concerns(app *argov1.Application, keys []string) verdict {
	v := verdict{}
	hydrator := app.Spec.SourceHydrator
	annotation := app.Annotations[argov1.AnnotationManifestGeneratePaths]
	for _, source := range app.Spec.GetSources() {
		if !p.moves(source, keys) {
			continue
		}
		paths := refreshPaths(annotation, source.Path)
		if hydrator != nil && len(paths) == 0 {
			paths = []string{clean(source.Path)}
		}
		if !p.changes(paths) {
			v.advanced = true
			continue
		}
		v.refresh = true
		v.urgent = v.urgent || source.Ref != "" || len(paths) > 0 || p.changes([]string{clean(source.Path)})
	}
	if hydrator == nil || v.refresh {
		return v
	}
	dry := drySource(hydrator)
	if !p.moves(dry, keys) {
		return v
	}
	changed := p.changes(refreshPaths(annotation, dry.Path))
	return verdict{refresh: changed, hydrate: changed, urgent: changed, advanced: !changed}
}

// moves tells whether the target revision of a source is what has moved in its repository.
func (p Push) moves(source argov1.ApplicationSource, keys []string) bool {
	return isMeant(source, p.Revision, p.Default) && slices.ContainsFunc(sourceKeys(source), func(key string) bool { return slices.Contains(keys, key) })
}

// keys are those of its URLs. A URL that cannot be read has none.
func (p Push) keys() []string {
	var keys []string
	for _, u := range p.URLs {
		if key, err := webKey(u); err == nil && key != "" && !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	return keys
}

// isMeant tells whether a branch or tag is what a source asks for (contract 5.6).
func isMeant(source argov1.ApplicationSource, revision string, isDefault bool) bool {
	target := source.TargetRevision
	for _, prefix := range []string{"refs/heads/", "refs/tags/"} {
		if name, ok := strings.CutPrefix(target, prefix); ok {
			return fits(name, revision)
		}
	}
	if target == "" || target == "HEAD" {
		return isDefault
	}
	bare, hasPrefix := strings.CutPrefix(revision, source.TagPrefix)
	return hasPrefix && fits(target, bare)
}

// fits tells whether a revision is the target itself, or a version that it permits.
func fits(target, revision string) bool {
	if target == revision {
		return true
	}
	constraint, err := semver.NewConstraint(target)
	if err != nil {
		return false
	}
	version, err := semver.NewVersion(revision)
	return err == nil && constraint.Check(version)
}

// concerns judges what was pushed to a registry.
func (a Artifact) concerns(app *argov1.Application) verdict {
	meant := slices.ContainsFunc(app.Spec.GetSources(), func(source argov1.ApplicationSource) bool {
		return slices.Contains(sourceKeys(source), a.key()) && isTagMeant(source, a.Tag)
	})
	return verdict{refresh: meant, urgent: meant}
}

// isTagMeant tells whether a tag is what a source asks for: without a target revision the newest version of a chart, and the tag
// "latest" of an artifact. Tags have an underscore for the plus sign of versions.
func isTagMeant(source argov1.ApplicationSource, tag string) bool {
	target := source.TargetRevision
	if target == "" {
		return source.Chart != "" || tag == "latest"
	}
	return fits(target, tag) || fits(target, strings.ReplaceAll(tag, "_", "+"))
}

// refreshPaths are the paths that an annotation names, from the root of the repository; none without one.
func refreshPaths(annotation, sourcePath string) []string {
	var paths []string
	for item := range strings.SplitSeq(annotation, ";") {
		if item = strings.TrimSpace(item); item == "" {
			continue
		}
		if !path.IsAbs(item) {
			item = path.Join(sourcePath, item)
		}
		paths = append(paths, clean(item))
	}
	return paths
}

// clean gives one form to paths: from the root of the repository, where a slash stands for the root itself.
func clean(name string) string { return path.Clean("/" + name) }

// changes tells whether one of the changed files lies at or below one of the paths, or matches one as a glob. It does when it is
// not known which files have changed, or no paths are named.
func (p Push) changes(paths []string) bool {
	if len(p.Files) == 0 || p.Partial || len(paths) == 0 {
		return true
	}
	return slices.ContainsFunc(p.Files, func(file string) bool {
		file = clean(file)
		return slices.ContainsFunc(paths, func(below string) bool {
			if file == below || strings.HasPrefix(file, strings.TrimSuffix(below, "/")+"/") {
				return true
			}
			matched, err := path.Match(below, file)
			return err == nil && matched
		})
	})
}
