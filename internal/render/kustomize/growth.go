package kustomize

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/yaml"
)

const (
	// maxReplacements and maxWritten are how many replacements there may be, and how many paths of fields in their targets,
	// each as often as it is used.
	maxReplacements, maxWritten = 1000, 10_000
	// maxFed is how many replacements may copy from a field that a replacement writes. Each can double what it copies.
	maxFed = 6
	// maxGrowth is how many bytes variables, and replacements with a delimiter, may make of the texts that are read, at worst.
	maxGrowth = 1 << 30
)

// growth bounds what a build can make of little: replacements and variables copy texts from one place to many, and the
// library does not count what they copy.
type growth struct {
	vars    bool
	marks   int64 // places where a variable may be put
	largest int64 // text that may be copied

	replacements []types.Replacement
	fed          []bool // for each, whether it copies from a field that a replacement, be it the same, writes
	written      int    // paths in all targets
	one, any     int    // paths that a text is added to, in one object and in any number of objects
}

// addReplacements takes the replacements of a kustomization into account.
func (v *view) addReplacements(rel, root string, fields []types.ReplacementField) error {
	for i, field := range fields {
		list := []types.Replacement{field.Replacement}
		if field.Path != "" {
			_, data, err := v.content(root, field.Path)
			if err != nil {
				return err
			}
			if list, err = parseReplacements(data); err != nil {
				continue // the library says it better
			}
		}
		for _, r := range list {
			if err := v.growth.add(r); err != nil {
				return fmt.Errorf("%s: replacements[%d]: %w", rel, i, err)
			}
		}
	}
	return nil
}

// parseReplacements reads a file with one replacement or a list of them.
func parseReplacements(data []byte) ([]types.Replacement, error) {
	var list []types.Replacement
	if err := yaml.Unmarshal(data, &list); err == nil {
		return list, nil
	}
	var one types.Replacement
	if err := yaml.Unmarshal(data, &one); err != nil {
		return nil, err
	}
	return []types.Replacement{one}, nil
}

// add takes a replacement into account.
func (g *growth) add(r types.Replacement) error {
	for _, target := range r.Targets {
		if target == nil || target.Select == nil {
			continue // the library refuses it
		}
		paths := max(1, len(target.FieldPaths))
		g.written += paths
		switch {
		case target.Options == nil || target.Options.Delimiter == "":
		case literal.MatchString(target.Select.Name):
			g.one += paths
		default:
			g.any += paths
		}
	}
	g.replacements = append(g.replacements, r)
	if len(g.replacements) > maxReplacements || g.written > maxWritten {
		return fmt.Errorf("the kustomization has more than %d replacements, or more than %d fields that they write, each as often as it is used", maxReplacements, maxWritten)
	}
	g.fed = append(g.fed, false)
	last, count := len(g.fed)-1, 0
	for i, other := range g.replacements {
		g.fed[i] = g.fed[i] || feeds(r, other.Source)
		g.fed[last] = g.fed[last] || feeds(other, r.Source)
	}
	for _, fed := range g.fed {
		if fed {
			count++
		}
	}
	if count > maxFed {
		return fmt.Errorf("more than %d replacements copy from a field that a replacement writes: each could double what it copies", maxFed)
	}
	return nil
}

// check tells whether what is read so far may become too much.
func (g *growth) check(objects int) error {
	copies := float64(g.one) + float64(g.any)*float64(objects)
	if g.vars {
		copies += float64(g.marks)
	}
	if copies*float64(g.largest) > maxGrowth {
		return fmt.Errorf("its variables and replacements may make more than %d bytes of the texts that are read: name the targets of replacements, and keep large texts elsewhere", int64(maxGrowth))
	}
	return nil
}

// feeds tells whether a replacement may write what a source reads. It knows no objects, and is right to suspect.
func feeds(r types.Replacement, source *types.SourceSelector) bool {
	return source != nil && slices.ContainsFunc(r.Targets, func(target *types.TargetSelector) bool {
		if target == nil || target.Select == nil || !mayBe(target.Select.Kind, source.Kind) || !mayBe(target.Select.Name, source.Name) {
			return false
		}
		fieldPaths := target.FieldPaths
		if len(fieldPaths) == 0 {
			fieldPaths = []string{types.DefaultReplacementFieldPath}
		}
		sourcePath := source.FieldPath
		if sourcePath == "" {
			sourcePath = types.DefaultReplacementFieldPath
		}
		return slices.ContainsFunc(fieldPaths, func(field string) bool { return overlap(field, sourcePath) })
	})
}

// literal is a name that is no pattern.
var literal = regexp.MustCompile(`^[A-Za-z0-9-]+$`)

// mayBe tells whether a pattern of a target may match the kind or name of a source; both may be left out.
func mayBe(pattern, value string) bool {
	return value == "" || !literal.MatchString(pattern) || pattern == value
}

// overlap tells whether two paths of fields may be the same, or one be part of the other. An item of a list may be any.
func overlap(a, b string) bool {
	as, bs := strings.Split(a, "."), strings.Split(b, ".")
	for i := range min(len(as), len(bs)) {
		if as[i] != bs[i] && literal.MatchString(as[i]) && literal.MatchString(bs[i]) {
			return false
		}
	}
	return true
}
