package kustomize

import (
	"fmt"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/types"

	"github.com/tiphys-io/tiphys/internal/render"
)

// Version is the version of the command that the library belongs to. It builds every kustomization.
const Version = "v5.8.1"

// buildOptionsOf is the options of the version that a source chooses. Another version than ours is built with ours too, if
// argocd-cm knows it: what it chooses is its options (contract 1.2 and 5.1).
func buildOptionsOf(req render.Request) (string, error) {
	if req.Source.Kustomize == nil || req.Source.Kustomize.Version == "" {
		return req.Settings.KustomizeBuildOptions, nil
	}
	chosen := req.Source.Kustomize.Version
	options, registered := req.Settings.KustomizeVersions[chosen]
	switch {
	case registered:
		return options, nil
	case strings.TrimPrefix(chosen, "v") == strings.TrimPrefix(Version, "v"):
		return req.Settings.KustomizeBuildOptions, nil
	}
	return "", fmt.Errorf("kustomize version %s is not registered: remove spec.source.kustomize.version, since all are built with %s, or add %s to argocd-cm",
		chosen, Version, "kustomize.path."+chosen)
}

// buildOptions are the options of "kustomize build" that argocd-cm gives for all kustomizations (contract 5.1).
type buildOptions struct {
	reorder      krusty.ReorderOption
	restrictions types.LoadRestrictions
	helm         bool // --enable-helm
	managedBy    bool // --enable-managedby-label
}

// without a value, these options of the command are about running programs or about standard error; nothing is run here.
var ignoredOptions = []string{"--enable-alpha-plugins", "--enable-exec", "--enable-star", "--network", "--mount", "--as-current-user", "--helm-debug"}

// parseBuildOptions reads options as they stand on a command line.
func parseBuildOptions(text string) (buildOptions, error) {
	options := buildOptions{reorder: krusty.ReorderOptionUnspecified, restrictions: types.LoadRestrictionsRootOnly}
	words := strings.Fields(text)
	for len(words) > 0 {
		name, value, hasValue := strings.Cut(words[0], "=")
		name = strings.ReplaceAll(name, "_", "-") // Argo CD's reference writes it so
		words = words[1:]
		switch name {
		case "--load-restrictor", "--reorder", "--helm-command":
			if !hasValue {
				if len(words) == 0 {
					return options, optionError(name, "write a value behind it")
				}
				value, words = words[0], words[1:]
			}
			if err := options.set(name, value); err != nil {
				return options, err
			}
		case "--enable-helm":
			options.helm = value != "false"
		case "--enable-managedby-label":
			options.managedBy = value != "false"
		default:
			if name == "--enable-kyaml" { // of old versions, with its value behind it
				words = slices.DeleteFunc(words, func(word string) bool { return word == "true" || word == "false" })
				continue
			}
			if !slices.Contains(ignoredOptions, name) {
				return options, optionError(name, "remove it; --enable-helm, --load-restrictor, --reorder and --enable-managedby-label are known")
			}
		}
	}
	return options, nil
}

// set sets an option that has a value. The command for Helm does not matter: none is run.
func (o *buildOptions) set(name, value string) error {
	switch {
	case name == "--load-restrictor" && (strings.EqualFold(value, types.LoadRestrictionsNone.String()) || value == "none"):
		o.restrictions = types.LoadRestrictionsNone // still within the repository
	case name == "--load-restrictor" && (strings.EqualFold(value, types.LoadRestrictionsRootOnly.String()) || value == "rootOnly"):
		o.restrictions = types.LoadRestrictionsRootOnly
	case name == "--load-restrictor":
		return optionError(name, "write LoadRestrictionsRootOnly or LoadRestrictionsNone")
	case name == "--reorder" && (value == "legacy" || value == "none"):
		o.reorder = krusty.ReorderOption(value)
	case name == "--reorder":
		return optionError(name, "write legacy or none")
	}
	return nil
}

func optionError(name, remedy string) error {
	return fmt.Errorf("kustomize.buildOptions in argocd-cm: %s: %s", name, remedy)
}
