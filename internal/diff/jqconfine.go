package diff

import (
	"fmt"
	"strings"

	"github.com/itchyny/gojq"
)

// Expressions come with Applications, from people who may not be trusted, and the interpreter bounds neither the size nor the
// depth of the values that it makes: "reduce range(40) as $i (.; [., .])" is enough to take the process down. So an expression
// may use what selects fields and compares them, everything in it that makes a new value is measured, and what could make too
// much in a single step is refused.

// selecting are the functions whose results are no larger than what they are given.
var selecting = names(`abs all any arrays ascii_downcase ascii_upcase booleans bsearch ceil contains empty endswith error fabs
	false finites first floor getpath has implode in index indices infinite inside isempty isfinite isinfinite isnan isnormal
	iterables IN last length limit log log10 log2 ltrim ltrimstr max max_by min min_by nan not nth null nulls numbers objects
	path pow range recurse repeat rindex round rtrim rtrimstr scalars select skip sqrt startswith strings test toboolean tonumber
	trim trimstr true trunc type until utf8bytelength values while`)

// making are the functions that make new values, which are measured.
var making = names(`add explode flatten from_entries fromjson group_by keys map map_values paths reverse sort sort_by split
	to_entries tojson tostring transpose unique unique_by with_entries ascii_downcase ascii_upcase implode indices`)

func names(text string) map[string]bool {
	set := map[string]bool{}
	for name := range strings.FieldsSeq(text) {
		set[name] = true
	}
	return set
}

// confine refuses what an expression must not use, and puts a measure behind everything that makes values.
func confine(q *gojq.Query) error {
	if q == nil {
		return nil
	}
	if q.Meta != nil || len(q.Imports) > 0 || len(q.FuncDefs) > 0 {
		return fmt.Errorf("modules and definitions cannot be used here; write a path expression such as .spec.replicas")
	}
	for _, pattern := range q.Patterns {
		if err := confinePattern(pattern); err != nil {
			return err
		}
	}
	if err := first(confine(q.Left), confine(q.Right), confineTerm(q.Term)); err != nil {
		return err
	}
	switch q.Op {
	case gojq.OpMul, gojq.OpAssign, gojq.OpModify, gojq.OpUpdateAdd, gojq.OpUpdateSub, gojq.OpUpdateMul, gojq.OpUpdateDiv,
		gojq.OpUpdateMod, gojq.OpUpdateAlt:
		if q.Right != nil {
			return fmt.Errorf("operator %s cannot be used here; write a path expression such as .spec.replicas", q.Op)
		}
	case gojq.OpAdd, gojq.OpDiv:
		if q.Right != nil {
			sum := *q
			*q = gojq.Query{Term: measured(&gojq.Term{Type: gojq.TermTypeQuery, Query: &sum})}
		}
	}
	return nil
}

// measured is the term with its size taken; what follows the term follows the measure.
func measured(t *gojq.Term) *gojq.Term {
	made := *t
	made.SuffixList = nil
	return &gojq.Term{Type: gojq.TermTypeQuery, SuffixList: t.SuffixList, Query: &gojq.Query{
		Left: &gojq.Query{Term: &made}, Op: gojq.OpPipe,
		Right: &gojq.Query{Term: &gojq.Term{Type: gojq.TermTypeFunc, Func: &gojq.Func{Name: measure}}},
	}}
}

func confineTerm(t *gojq.Term) error {
	if t == nil {
		return nil
	}
	for _, suffix := range t.SuffixList {
		if err := confineIndex(suffix.Index); err != nil {
			return err
		}
	}
	makes, err := confineContent(t)
	if err == nil && makes {
		*t = *measured(t)
	}
	return err
}

// confineContent looks into a term and tells whether it makes a value.
func confineContent(t *gojq.Term) (makes bool, err error) {
	switch t.Type {
	case gojq.TermTypeIndex:
		return false, confineIndex(t.Index)
	case gojq.TermTypeFunc:
		return confineFunc(t.Func)
	case gojq.TermTypeObject:
		for _, pair := range t.Object.KeyVals {
			if err := first(confineString(pair.KeyString), confine(pair.KeyQuery), confine(pair.Val)); err != nil {
				return false, err
			}
		}
		return true, nil
	case gojq.TermTypeArray:
		return true, confine(t.Array.Query)
	case gojq.TermTypeUnary:
		return false, confineTerm(t.Unary.Term)
	case gojq.TermTypeFormat:
		return true, confineString(t.Str)
	case gojq.TermTypeString:
		return len(t.Str.Queries) > 0, confineString(t.Str)
	case gojq.TermTypeQuery:
		return false, confine(t.Query)
	default:
		return false, confineControl(t)
	}
}

// confineControl looks into conditions and loops.
func confineControl(t *gojq.Term) error {
	var patterns []*gojq.Pattern
	var parts []*gojq.Query
	switch t.Type {
	case gojq.TermTypeIf:
		parts = []*gojq.Query{t.If.Cond, t.If.Then, t.If.Else}
		for _, branch := range t.If.Elif {
			parts = append(parts, branch.Cond, branch.Then)
		}
	case gojq.TermTypeTry:
		parts = []*gojq.Query{t.Try.Body, t.Try.Catch}
	case gojq.TermTypeReduce:
		patterns, parts = t.Reduce.Patterns, []*gojq.Query{t.Reduce.Query, t.Reduce.Start, t.Reduce.Update}
	case gojq.TermTypeForeach:
		patterns, parts = t.Foreach.Patterns, []*gojq.Query{t.Foreach.Query, t.Foreach.Start, t.Foreach.Update, t.Foreach.Extract}
	case gojq.TermTypeLabel:
		parts = []*gojq.Query{t.Label.Body}
	}
	for _, pattern := range patterns {
		if err := confinePattern(pattern); err != nil {
			return err
		}
	}
	for _, part := range parts {
		if err := confine(part); err != nil {
			return err
		}
	}
	return nil
}

func confineFunc(f *gojq.Func) (makes bool, err error) {
	if !strings.HasPrefix(f.Name, "$") && !selecting[f.Name] && !making[f.Name] {
		return false, fmt.Errorf("function %s is not known here; write a path expression such as .spec.replicas", f.Name)
	}
	for _, argument := range f.Args {
		if err := confine(argument); err != nil {
			return false, err
		}
	}
	return making[f.Name], nil
}

func confineIndex(i *gojq.Index) error {
	if i == nil {
		return nil
	}
	return first(confineString(i.Str), confine(i.Start), confine(i.End))
}

func confineString(s *gojq.String) error {
	if s == nil {
		return nil
	}
	for _, query := range s.Queries {
		if err := confine(query); err != nil {
			return err
		}
	}
	return nil
}

func confinePattern(p *gojq.Pattern) error {
	if p == nil {
		return nil
	}
	for _, item := range p.Array {
		if err := confinePattern(item); err != nil {
			return err
		}
	}
	for _, pair := range p.Object {
		if err := first(confineString(pair.KeyString), confine(pair.KeyQuery), confinePattern(pair.Val)); err != nil {
			return err
		}
	}
	return nil
}

func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
