package settings

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"sigs.k8s.io/yaml"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
)

// Customizations are what argocd-cm says about kinds, in keys resource.customizations.<field>.<group>_<Kind>, and in the older
// form, one key resource.customizations with a map from <group>/<Kind> to fields (contract 4.5).

// field is a field of a customization: its name in a key of its own, and in the older form.
type field struct{ name, legacy string }

// Fields of a customization that are read here.
var (
	fieldIgnoreDifferences = field{"ignoreDifferences", "ignoreDifferences"}
	fieldIgnoreUpdates     = field{"ignoreResourceUpdates", "ignoreResourceUpdates"}
	fieldKnownTypes        = field{"knownTypeFields", "knownTypeFields"}
	fieldHealth            = field{"health", "health.lua"}
	fieldOpenLibs          = field{"useOpenLibs", "health.lua.useOpenLibs"}
)

// HealthScript says how well objects of a kind are (contract 4.5).
type HealthScript struct {
	// Group and Kind are globs.
	Group, Kind string
	// Lua is the script; OpenLibs gives it all libraries of the standard.
	Lua      string
	OpenLibs bool
}

// KnownType says that a field of a kind holds a value of a built-in type, which has more than one spelling (contract 3.3).
type KnownType struct {
	// Group and Kind are globs.
	Group, Kind string
	// Field is a path with dots; it leads through lists. Type is <group>/<version>/<Name>, as in core/v1/PodSpec.
	Field, Type string
}

// customization is the value of one field for the kinds that two globs match.
type customization struct {
	key         string // of argocd-cm
	where       string // in that key: empty, or the entry of the older form
	group, kind string
	text        string
}

// customizations lists the values of a field, in the order of their kinds; a key of its own wins over the older form.
func (p *parser) customizations(field field) []customization {
	found := map[string]customization{}
	legacy := p.legacyCustomizations()
	for _, kind := range slices.Sorted(maps.Keys(legacy)) {
		value, ok := legacy[kind][field.legacy]
		if !ok {
			continue
		}
		group, name, isPair := strings.Cut(kind, "/")
		if !isPair {
			group, name = "", kind
		}
		if name == "" || strings.Contains(name, "/") {
			p.reject(KeyCustomizations, fmt.Errorf("entry %q", kind), legacyKindRemedy)
			continue
		}
		found[group+"/"+name] = customization{key: KeyCustomizations, where: kind + ": ", group: group, kind: name, text: text(value)}
	}
	prefix := KeyCustomizations + "." + field.name + "."
	for _, key := range slices.Sorted(maps.Keys(p.data)) {
		suffix, ok := strings.CutPrefix(key, prefix)
		if !ok {
			continue
		}
		group, kind, isPair := strings.Cut(suffix, "_")
		switch {
		case suffix == "all":
			group, kind = "*", "*"
		case !isPair:
			group, kind = "", suffix
		}
		if kind == "" || strings.Contains(kind, "_") {
			p.reject(key, nil, kindRemedy)
			continue
		}
		found[group+"/"+kind] = customization{key: key, group: group, kind: kind, text: p.data[key]}
	}
	list := make([]customization, 0, len(found))
	for _, name := range slices.Sorted(maps.Keys(found)) {
		list = append(list, found[name])
	}
	return list
}

// text is a value of the older form; there it is YAML in a string, or written out.
func text(value json.RawMessage) string {
	var quoted string
	if json.Unmarshal(value, &quoted) == nil {
		return quoted
	}
	return string(value)
}

func (p *parser) legacyCustomizations() map[string]map[string]json.RawMessage {
	if p.legacy == nil {
		p.legacy = map[string]map[string]json.RawMessage{}
		if err := yaml.Unmarshal([]byte(p.data[KeyCustomizations]), &p.legacy); err != nil {
			p.reject(KeyCustomizations, err, customizationsRemedy)
			p.legacyErr = p.errs[len(p.errs)-1]
		}
	}
	return p.legacy
}

// ignored reads the entries of a field that names fields. An error in it is told twice: as that of a setting, and to whoever
// compares, because a comparison without the entry would find differences that are meant to stay.
func (p *parser) ignored(field field) (entries argov1.IgnoreDifferences, broken error) {
	p.legacyCustomizations()
	before := len(p.errs)
	for _, c := range p.customizations(field) {
		var values struct {
			JSONPointers          []string `json:"jsonPointers"`
			JQPathExpressions     []string `json:"jqPathExpressions"`
			ManagedFieldsManagers []string `json:"managedFieldsManagers"`
		}
		if err := yaml.UnmarshalStrict([]byte(c.text), &values); err != nil {
			p.reject(c.key, fmt.Errorf("%s%w", c.where, err), ignoredRemedy)
			continue
		}
		entries = append(entries, argov1.ResourceIgnoreDifferences{
			Group: c.group, Kind: c.kind, JSONPointers: values.JSONPointers,
			JQPathExpressions: values.JQPathExpressions, ManagedFieldsManagers: values.ManagedFieldsManagers,
		})
	}
	return entries, errors.Join(append([]error{p.legacyErr}, p.errs[before:]...)...)
}

func (p *parser) healthScripts() []HealthScript {
	open := map[[2]string]bool{}
	for _, c := range p.customizations(fieldOpenLibs) {
		on, err := strconv.ParseBool(strings.TrimSpace(c.text))
		if err != nil {
			p.reject(c.key, fmt.Errorf("%s%s", c.where, fieldOpenLibs.name), booleanRemedy)
		}
		open[[2]string{c.group, c.kind}] = on
	}
	var scripts []HealthScript
	for _, c := range p.customizations(fieldHealth) {
		if strings.TrimSpace(c.text) != "" {
			scripts = append(scripts, HealthScript{Group: c.group, Kind: c.kind, Lua: c.text, OpenLibs: open[[2]string{c.group, c.kind}]})
		}
	}
	return scripts
}

func (p *parser) knownTypes() []KnownType {
	var list []KnownType
	for _, c := range p.customizations(fieldKnownTypes) {
		var fields []struct {
			Field string `json:"field"`
			Type  string `json:"type"`
		}
		if err := yaml.UnmarshalStrict([]byte(c.text), &fields); err != nil {
			p.reject(c.key, fmt.Errorf("%s%w", c.where, err), knownTypesRemedy)
			continue
		}
		for _, f := range fields {
			list = append(list, KnownType{Group: c.group, Kind: c.kind, Field: f.Field, Type: f.Type})
		}
	}
	return list
}
