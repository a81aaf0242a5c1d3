package kustomize

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/api/types"
)

// labels adds labels to commonLabels, or to labels if selectors are to be left alone.
func (e *editor) labels() error {
	if len(e.options.CommonLabels) == 0 {
		return nil
	}
	labels := map[string]string{}
	for key, value := range e.options.CommonLabels {
		labels[key] = e.environment.Substitute(value)
	}
	command := []string{"add label"}
	for _, flag := range []struct {
		set  bool
		name string
	}{{e.options.ForceCommonLabels, "--force"}, {e.options.LabelWithoutSelector, "--without-selector"}, {e.options.LabelIncludeTemplates, "--include-templates"}} {
		if flag.set {
			command = append(command, flag.name)
		}
	}
	return e.change(strings.Join(append(command, arguments(labels)...), " "), func(k *types.Kustomization) error {
		if e.options.LabelIncludeTemplates && !e.options.LabelWithoutSelector {
			return errors.New("--without-selector flag must be specified for --include-templates to work")
		}
		if e.options.LabelWithoutSelector {
			return merge("label", labelsWithoutSelector(k, e.options.LabelIncludeTemplates), labels, e.options.ForceCommonLabels)
		}
		old := commonLabels(k)
		if *old == nil {
			*old = map[string]string{}
		}
		return merge("label", *old, labels, e.options.ForceCommonLabels)
	})
}

// commonLabels is the field that the command edits.
func commonLabels(k *types.Kustomization) *map[string]string {
	return &k.CommonLabels //nolint:staticcheck // old, but kustomizations have it
}

// labelsWithoutSelector are the labels of the first entry with the wanted settings, which is added if there is none.
func labelsWithoutSelector(k *types.Kustomization, templates bool) map[string]string {
	at := slices.IndexFunc(k.Labels, func(l types.Label) bool { return !l.IncludeSelectors && l.IncludeTemplates == templates })
	if at < 0 {
		at = len(k.Labels)
		k.Labels = append(k.Labels, types.Label{IncludeTemplates: templates})
	}
	if k.Labels[at].Pairs == nil {
		k.Labels[at].Pairs = map[string]string{}
	}
	return k.Labels[at].Pairs
}

func (e *editor) annotations() error {
	if len(e.options.CommonAnnotations) == 0 {
		return nil
	}
	annotations := maps.Clone(e.options.CommonAnnotations)
	if e.options.CommonAnnotationsEnvsubst {
		for key, value := range annotations {
			annotations[key] = e.environment.Substitute(value)
		}
	}
	command := []string{"add annotation"}
	if e.options.ForceCommonAnnotations {
		command = append(command, "--force")
	}
	return e.change(strings.Join(append(command, arguments(annotations)...), " "), func(k *types.Kustomization) error {
		if k.CommonAnnotations == nil {
			k.CommonAnnotations = map[string]string{}
		}
		return merge("annotation", k.CommonAnnotations, annotations, e.options.ForceCommonAnnotations)
	})
}

// arguments are labels or annotations as the command takes them.
func arguments(pairs map[string]string) []string {
	var list []string
	for _, key := range slices.Sorted(maps.Keys(pairs)) {
		list = append(list, key+":"+pairs[key])
	}
	return list
}

// merge adds pairs as the command reads them: it takes what stands before the first colon for the key, and quotes off.
func merge(kind string, into, pairs map[string]string, force bool) error {
	for _, pair := range slices.Sorted(maps.Keys(pairs)) {
		key, value, _ := strings.Cut(pair+":"+pairs[pair], ":")
		if key == "" {
			return fmt.Errorf("invalid %s: '%s' (need k:v pair where v may be quoted)", kind, pair+":"+pairs[pair])
		}
		if _, there := into[key]; there && !force {
			return fmt.Errorf("%s %s already in kustomization file. Use --force to override.", kind, key) //nolint:revive,staticcheck // as recorded
		}
		if len(value) >= 2 && value[0] == '"' && value[len(value)-1] == '"' {
			value = value[1 : len(value)-1]
		}
		into[key] = value
	}
	return nil
}
