package kustomize

import (
	"fmt"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/api/konfig"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/tiphys-io/tiphys/internal/render/manifest"
)

func isKustomization(name string) bool {
	return slices.Contains(konfig.RecognizedKustomizationFileNames(), name)
}

// checkKustomization refuses what the library would fetch, run or loop on. Root is the folder that the paths in the file
// are relative to. TestEveryPathIsChecked holds that no field of a kustomization is forgotten.
func (v *view) checkKustomization(rel, root string, data []byte) error {
	if _, err := manifest.Measure(rel, data, v.options.MaxBytes); err != nil {
		return err
	}
	var k types.Kustomization
	if err := k.Unmarshal(data); err != nil {
		return nil //nolint:nilerr // the library says it better
	}
	k.FixKustomization()
	if len(k.HelmCharts) > 0 {
		return refusal(rel, "helmCharts", errHelm)
	}
	v.schema = v.schema || len(k.OpenAPI) > 0
	for _, p := range paths(&k) {
		if isRemote(p.path) {
			return refusal(rel, p.field, errRemote)
		}
	}
	v.growth.vars = v.growth.vars || len(k.Vars) > 0 //nolint:staticcheck // old, but kustomizations have it
	if err := v.addReplacements(rel, root, k.Replacements); err != nil {
		return err
	}
	// What these are read by does not bound aliases.
	for _, file := range slices.Concat(k.Configurations, k.Crds, []string{k.OpenAPI["path"]}) {
		if err := v.checkSize(root, file); err != nil {
			return err
		}
	}
	for _, list := range []struct {
		field   string
		entries []string
	}{{"generators", k.Generators}, {"transformers", k.Transformers}, {"validators", k.Validators}} {
		for i, entry := range list.entries {
			if err := v.checkPlugin(root, entry); err != nil {
				return refusal(rel, fmt.Sprintf("%s[%d]", list.field, i), err)
			}
		}
	}
	return nil
}

var (
	errRemote      = fmt.Errorf("remote files and bases are not fetched here: copy what is needed into the repository")
	errHelm        = fmt.Errorf("Helm charts in a kustomization are rendered only with --enable-helm among kustomize.buildOptions of argocd-cm, and only from helmCharts") //nolint:staticcheck // a name
	errReplacement = fmt.Errorf("a ReplacementTransformer is not read by this version: write what it holds under replacements")
	errFolder      = fmt.Errorf("a folder of generators, transformers or validators is not read by this version: name the files in it")
)

// refusal does not show the path: a URL may hold a password.
func refusal(file, field string, err error) error {
	return fmt.Errorf("%s: %s: %w", file, field, err)
}

type fieldPath struct{ field, path string }

// paths are all texts of a kustomization that the library loads from.
func paths(k *types.Kustomization) (list []fieldPath) {
	visit(k, func(field string, _ use, p string) string {
		list = append(list, fieldPath{field, p})
		return p
	})
	for _, generator := range k.ConfigMapGenerator {
		list = append(list, keyed("configMapGenerator", generator.KvPairSources)...)
	}
	for _, generator := range k.SecretGenerator {
		list = append(list, keyed("secretGenerator", generator.KvPairSources)...)
	}
	return list
}

// keyed are the parts of the files of a generator, which may have the key of its content before it.
func keyed(field string, pairs types.KvPairSources) (list []fieldPath) {
	for _, file := range pairs.FileSources {
		for _, part := range strings.Split(file, "=")[1:] {
			list = append(list, fieldPath{field, part})
		}
	}
	return list
}

// visit calls a function for each text of a kustomization that the library loads from, and puts what it returns in its place.
func visit(k *types.Kustomization, f func(field string, use use, path string) string) {
	list := func(field string, use use, paths []string) {
		for i, p := range paths {
			paths[i] = f(fmt.Sprintf("%s[%d]", field, i), use, p)
		}
	}
	list("resources", useEither, k.Resources)
	list("components", useFolder, k.Components)
	list("crds", useFile, k.Crds)
	list("configurations", useFile, k.Configurations)
	list("generators", useNothing, k.Generators)
	list("transformers", useNothing, k.Transformers)
	list("validators", useNothing, k.Validators)
	if schema, set := k.OpenAPI["path"]; set {
		k.OpenAPI["path"] = f("openapi.path", useFile, schema)
	}
	for i, patch := range k.PatchesStrategicMerge { //nolint:staticcheck // old, but kustomizations have it
		k.PatchesStrategicMerge[i] = types.PatchStrategicMerge(f(fmt.Sprintf("patchesStrategicMerge[%d]", i), useFile, string(patch))) //nolint:staticcheck // old, but kustomizations have it
	}
	for i := range k.PatchesJson6902 { //nolint:staticcheck // old, but kustomizations have it
		patch := &k.PatchesJson6902[i] //nolint:staticcheck // old, but kustomizations have it
		patch.Path = f(fmt.Sprintf("patchesJson6902[%d].path", i), useFile, patch.Path)
	}
	for i := range k.Patches {
		k.Patches[i].Path = f(fmt.Sprintf("patches[%d].path", i), useFile, k.Patches[i].Path)
	}
	for i := range k.Replacements {
		k.Replacements[i].Path = f(fmt.Sprintf("replacements[%d].path", i), useFile, k.Replacements[i].Path)
	}
	for i := range k.ConfigMapGenerator {
		visitPairs(fmt.Sprintf("configMapGenerator[%d]", i), &k.ConfigMapGenerator[i].KvPairSources, f)
	}
	for i := range k.SecretGenerator {
		visitPairs(fmt.Sprintf("secretGenerator[%d]", i), &k.SecretGenerator[i].KvPairSources, f)
	}
}

// visitPairs does for a generator what [visit] does. A file without a key has its name as key, and keeps it.
func visitPairs(field string, pairs *types.KvPairSources, f func(field string, use use, path string) string) {
	for i, p := range pairs.EnvSources {
		pairs.EnvSources[i] = f(field, useFile, p)
	}
	pairs.EnvSource = f(field, useFile, pairs.EnvSource)
	for i, file := range pairs.FileSources {
		key, name, hasKey := strings.Cut(file, "=")
		if !hasKey {
			key, name = path.Base(file), file
		}
		if hasKey && isRemote(file) { // a URL with an equals sign: the library takes what is before that for the key
			f(field, useNothing, file)
			continue
		}
		if changed := f(field, useFile, name); changed != name {
			pairs.FileSources[i] = key + "=" + changed
		}
	}
}

// repositoryPrefixes are how a path begins that the library takes for a repository to clone, in lower case.
var repositoryPrefixes = []string{"ssh://", "https://", "http://", "file://", "github.com/", "github.com:"}

var userPrefix = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9-]*@`)

// isRemote tells whether the library may fetch or clone instead of looking into the tree; see FuzzIsRemote.
func isRemote(p string) bool {
	if u, err := url.Parse(p); err == nil && (u.Scheme == "http" || u.Scheme == "https") {
		return true
	}
	lower := strings.TrimPrefix(strings.ToLower(p), "git::")
	return userPrefix.MatchString(lower) || slices.ContainsFunc(repositoryPrefixes, func(prefix string) bool { return strings.HasPrefix(lower, prefix) })
}

// checkSize measures a file that is there.
func (v *view) checkSize(root, name string) error {
	rel, data, err := v.content(root, name)
	if err != nil || data == nil {
		return err
	}
	_, err = manifest.Measure(rel, data, v.options.MaxBytes)
	return err
}

// content is the content of a file that a kustomization names, nil if there is none.
func (v *view) content(root, name string) (rel string, data []byte, err error) {
	rel, ok := path.Join(root, name), true
	if path.IsAbs(name) {
		rel, ok = relative(name)
	}
	found, info, err := v.follow(rel)
	if !ok || err != nil || info.IsDir() {
		return "", nil, nil //nolint:nilerr // the library says it better
	}
	data, err = v.read(found)
	if err == nil {
		_, err = inspect(found, data, v.options.MaxBytes, 0)
	}
	return found, data, err
}

// checkPlugin checks the configuration of a generator, transformer or validator, which is inline or a file. Configuration
// from a folder would be made by a kustomization, and what comes out of that cannot be known before.
func (v *view) checkPlugin(root, entry string) error {
	if documents, _, err := parse([]byte(entry)); err == nil {
		if err := checkConfiguration(root, documents); err != nil {
			return err
		}
	}
	if v.IsDir(absolute(path.Join(root, entry))) {
		return errFolder
	}
	_, data, err := v.content(root, entry)
	if err != nil {
		return err
	}
	documents, _, err := parse(data)
	if err != nil {
		return nil //nolint:nilerr // the library says it better
	}
	return checkConfiguration(root, documents)
}

// configurationPaths are the keys in the configurations of built-in generators and transformers under which files stand.
var configurationPaths = []string{"files", "envs", "env", "path", "paths", "targetFilePath", "valuesFile", "additionalValuesFiles"}

var remoteText = regexp.MustCompile(`(?i)https?:`)

func checkConfiguration(root string, documents []*yaml.Node) error {
	for _, document := range documents {
		if err := checkConfigurationNode(root, document); err != nil {
			return err
		}
	}
	return nil
}

// checkConfigurationNode looks at each node where it is written; an alias adds nothing to what it stands for.
func checkConfigurationNode(root string, node *yaml.Node) error {
	for i, child := range node.Content {
		if node.Kind == yaml.MappingNode && i%2 == 1 {
			key := resolve(node.Content[i-1]).Value
			if strings.EqualFold(key, "kind") {
				switch resolve(child).Value {
				case "HelmChartInflationGenerator":
					return errHelm
				case "ReplacementTransformer":
					return errReplacement
				}
			}
			isPath := slices.ContainsFunc(configurationPaths, func(name string) bool { return strings.EqualFold(name, key) })
			if isPath {
				if err := checkConfigurationPaths(root, resolve(child)); err != nil {
					return err
				}
			}
		}
		if err := checkConfigurationNode(root, child); err != nil {
			return err
		}
	}
	return nil
}

func resolve(node *yaml.Node) *yaml.Node {
	if node.Kind == yaml.AliasNode {
		return node.Alias
	}
	return node
}

// checkConfigurationPaths checks a path or a list of them; a file may have the key of its content before it.
func checkConfigurationPaths(root string, node *yaml.Node) error {
	if remoteText.MatchString(node.Value) {
		return errRemote
	}
	for name := range strings.SplitSeq(node.Value, "=") {
		if err := checkInside(root, name); err != nil {
			return err
		}
	}
	for _, child := range node.Content {
		if err := checkConfigurationPaths(root, resolve(child)); err != nil {
			return err
		}
	}
	return nil
}
