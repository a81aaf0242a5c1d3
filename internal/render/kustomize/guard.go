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
	errRemote      = fmt.Errorf("remote files and bases are not fetched by this version: copy what is needed into the repository")
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
	add := func(field string, paths ...string) {
		for i, p := range paths {
			list = append(list, fieldPath{fmt.Sprintf("%s[%d]", field, i), p})
		}
	}
	add("resources", k.Resources...)
	add("components", k.Components...)
	add("crds", k.Crds...)
	add("configurations", k.Configurations...)
	add("generators", k.Generators...)
	add("transformers", k.Transformers...)
	add("validators", k.Validators...)
	add("openapi.path", k.OpenAPI["path"])
	for i, patch := range k.PatchesStrategicMerge { //nolint:staticcheck // old, but kustomizations have it
		add(fmt.Sprintf("patchesStrategicMerge[%d]", i), string(patch))
	}
	for i, patch := range k.PatchesJson6902 { //nolint:staticcheck // old, but kustomizations have it
		add(fmt.Sprintf("patchesJson6902[%d].path", i), patch.Path)
	}
	for i, patch := range k.Patches {
		add(fmt.Sprintf("patches[%d].path", i), patch.Path)
	}
	for i, replacement := range k.Replacements {
		add(fmt.Sprintf("replacements[%d].path", i), replacement.Path)
	}
	for i, generator := range k.ConfigMapGenerator {
		add(fmt.Sprintf("configMapGenerator[%d]", i), sources(generator.KvPairSources)...)
	}
	for i, generator := range k.SecretGenerator {
		add(fmt.Sprintf("secretGenerator[%d]", i), sources(generator.KvPairSources)...)
	}
	return list
}

// sources are the paths of a generator; a file may have the key of its content before it.
func sources(pairs types.KvPairSources) []string {
	list := append(slices.Clone(pairs.EnvSources), pairs.EnvSource)
	for _, file := range pairs.FileSources {
		list = append(list, file)
		list = append(list, strings.Split(file, "=")[1:]...)
	}
	return list
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
		if err := checkConfiguration(documents); err != nil {
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
	return checkConfiguration(documents)
}

// configurationPaths are the keys in the configurations of built-in generators and transformers under which files stand.
var configurationPaths = []string{"files", "envs", "env", "path", "paths", "targetFilePath", "valuesFile", "additionalValuesFiles"}

var remoteText = regexp.MustCompile(`(?i)https?:`)

func checkConfiguration(documents []*yaml.Node) error {
	for _, document := range documents {
		if err := checkConfigurationNode(document); err != nil {
			return err
		}
	}
	return nil
}

// checkConfigurationNode looks at each node where it is written; an alias adds nothing to what it stands for.
func checkConfigurationNode(node *yaml.Node) error {
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
			if isPath && holdsRemote(resolve(child)) {
				return errRemote
			}
		}
		if err := checkConfigurationNode(child); err != nil {
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

func holdsRemote(node *yaml.Node) bool {
	return remoteText.MatchString(node.Value) ||
		slices.ContainsFunc(node.Content, func(child *yaml.Node) bool { return holdsRemote(resolve(child)) })
}
