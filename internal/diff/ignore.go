package diff

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gobwas/glob"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/resource"
)

// Ignore is all that is said about differences that do not count (contract 3.4).
type Ignore struct {
	// Application are the entries of spec.ignoreDifferences.
	Application argov1.IgnoreDifferences
	// System are the entries of argocd-cm; an entry for all kinds has the globs "*" for group and kind.
	System argov1.IgnoreDifferences
	// Known are fields of custom resources that are compared by their meaning.
	Known []KnownType
	// Broken says which entries of argocd-cm could not even be read; nil when all could.
	Broken error
	// AggregatedRoles leaves the rules of aggregated ClusterRoles out.
	AggregatedRoles bool
	// Limit bounds the evaluation of a jq expression.
	Limit Limit
}

// Rules are the entries that hold for an application, ready to use. They never change; nil has no entry.
type Rules struct {
	entries         []entry
	aggregatedRoles bool
}

type entry struct {
	group, kind     glob.Glob
	name, namespace string
	pointers        []pointer
	expressions     []*named
	managers        []string
	known           []knownField
}

// pointer and named remember what was written, to tell it in an error and to find repetitions.
type pointer struct {
	text   string
	tokens []string
}

type named struct {
	*expression
	where string
	text  string
}

// Compile reads the entries. Its error names all that cannot be read: a rule that is not understood must not be passed over,
// because a sync would then undo what it protects.
func Compile(ignore Ignore) (*Rules, error) {
	rules := &Rules{aggregatedRoles: ignore.AggregatedRoles}
	c := compiler{limit: ignore.Limit}
	if ignore.Broken != nil {
		c.problems = append(c.problems, ignore.Broken.Error())
	}
	for _, written := range append([]KnownType{rollout}, ignore.Known...) {
		rules.entries = append(rules.entries, c.known(written))
	}
	for _, written := range ignore.System {
		c.where = fmt.Sprintf("argocd-cm, ignoreDifferences of %s", kindText(written))
		rules.entries = append(rules.entries, c.entry(written))
	}
	for i, written := range ignore.Application {
		c.where = fmt.Sprintf("spec.ignoreDifferences[%d] of %s", i, kindText(written))
		rules.entries = append(rules.entries, c.entry(written))
	}
	if len(c.problems) > 0 {
		return nil, fmt.Errorf("%s", strings.Join(c.problems, "; "))
	}
	return rules, nil
}

func kindText(written argov1.ResourceIgnoreDifferences) string {
	return strings.TrimPrefix(written.Group+"/"+written.Kind, "/")
}

// compiler collects what cannot be read, so that all of it is told at once.
type compiler struct {
	limit    Limit
	where    string
	problems []string
}

func (c *compiler) reject(field, text string, err error) {
	c.problems = append(c.problems, fmt.Sprintf("%s: %s %q: %v", c.where, field, text, err))
}

func (c *compiler) glob(field, text string) glob.Glob {
	compiled, err := glob.Compile(text)
	if err != nil {
		c.reject(field, text, err)
	}
	return compiled
}

func (c *compiler) entry(written argov1.ResourceIgnoreDifferences) entry {
	e := entry{
		group: c.glob("group", written.Group), kind: c.glob("kind", written.Kind),
		name: written.Name, namespace: written.Namespace, managers: written.ManagedFieldsManagers,
	}
	for _, text := range written.JSONPointers {
		tokens, err := parsePointer(text)
		if err != nil {
			c.reject("jsonPointers", text, err)
			continue
		}
		e.pointers = append(e.pointers, pointer{text: text, tokens: tokens})
	}
	for _, text := range written.JQPathExpressions {
		parsed, err := parseExpression(text, c.limit)
		if err != nil {
			c.reject("jqPathExpressions", text, err)
			continue
		}
		e.expressions = append(e.expressions, &named{expression: parsed, where: c.where, text: text})
	}
	return e
}

// View is how one object is looked at when differences are ignored; nil changes nothing.
type View struct {
	pointers    []pointer
	expressions []*named
	managers    []string
	known       []knownField
	rules       bool // leave out the rules of a role that is put together from others
}

// For is the view of the object of that key: what all entries that match say together (contract 3.4). Groups and kinds are
// globs; a name and a namespace match exactly, and absent they match everything.
func (r *Rules) For(key resource.Key) *View {
	if r == nil {
		return nil
	}
	view := &View{
		rules: r.aggregatedRoles && key.Group == "rbac.authorization.k8s.io" && key.Kind == "ClusterRole",
	}
	for _, e := range r.entries {
		if e.matches(key) {
			view.add(e)
		}
	}
	if !view.Hides() && len(view.known) == 0 {
		return nil
	}
	return view
}

func (e entry) matches(key resource.Key) bool {
	return e.group.Match(key.Group) && e.kind.Match(key.Kind) && (e.name == "" || e.name == key.Name) &&
		(e.namespace == "" || e.namespace == key.Namespace)
}

// add takes in what an entry says, once.
func (v *View) add(e entry) {
	v.known = append(v.known, e.known...)
	for _, p := range e.pointers {
		if !slices.ContainsFunc(v.pointers, func(q pointer) bool { return p.text == q.text }) {
			v.pointers = append(v.pointers, p)
		}
	}
	for _, x := range e.expressions {
		if !slices.ContainsFunc(v.expressions, func(y *named) bool { return x.text == y.text }) {
			v.expressions = append(v.expressions, x)
		}
	}
	for _, manager := range e.managers {
		if !slices.Contains(v.managers, manager) {
			v.managers = append(v.managers, manager)
		}
	}
}

// Hides tells whether the view leaves anything out.
func (v *View) Hides() bool {
	return v != nil && (len(v.pointers) > 0 || len(v.expressions) > 0 || len(v.managers) > 0 || v.rules)
}

// Align makes copies of two objects in which only differences that count are left. The first is a target, or what a server
// made of it, the second the live object. Fields of trusted managers have the live value on both sides; fields that are named
// are gone from both.
func (v *View) Align(obj, live *unstructured.Unstructured) (*unstructured.Unstructured, *unstructured.Unstructured, error) {
	obj, live = obj.DeepCopy(), live.DeepCopy()
	if v == nil {
		return obj, live, nil
	}
	v.takeManaged(obj, live)
	for _, side := range []*unstructured.Unstructured{obj, live} {
		for _, field := range v.known {
			field.canonical(side.Object)
		}
		paths, err := v.named(side)
		if err != nil {
			return nil, nil, err
		}
		for _, path := range paths {
			mark(side.Object, path)
		}
		sweep(side.Object)
	}
	return obj, live, nil
}

// named are the fields of an object that pointers and expressions name.
func (v *View) named(obj *unstructured.Unstructured) ([][]any, error) {
	var paths [][]any
	for _, p := range v.pointers {
		if path, found := follow(obj.Object, p.tokens); found {
			paths = append(paths, path)
		}
	}
	for _, x := range v.expressions {
		found, err := x.paths(obj.Object)
		if err != nil {
			return nil, fmt.Errorf("%s: jqPathExpressions %q: %w", x.where, x.text, err)
		}
		for _, path := range found {
			if len(path) == 0 {
				return nil, fmt.Errorf("%s: jqPathExpressions %q: it names the whole object; write a path expression such as .spec.replicas", x.where, x.text)
			}
			paths = append(paths, resolve(obj.Object, path)...)
		}
	}
	if _, aggregated := obj.Object["aggregationRule"]; v.rules && aggregated {
		paths = append(paths, []any{"rules"})
	}
	return paths, nil
}
