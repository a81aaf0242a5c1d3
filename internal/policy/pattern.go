package policy

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/dlclark/regexp2"
	"github.com/gobwas/glob"
)

// negation marks a pattern that forbids what it matches (contract 7).
const negation = "!"

// anything is the pattern that matches everything, across all separators.
const anything = "*"

// expressionTimeout bounds an expression that may backtrack; what takes longer does not match.
const expressionTimeout = 100 * time.Millisecond

// verdict is what one pattern says about a value.
type verdict int

const (
	misses verdict = iota
	matches
	// forbids is a negated pattern whose inner pattern matches, or cannot be read.
	forbids
)

// judge applies a pattern that may be negated. A negated pattern matches everything that it does not forbid.
func judge(pattern, value string, separators ...rune) verdict {
	inner, negated := strings.CutPrefix(pattern, negation)
	if !negated {
		if matchGlob(pattern, value, separators...) {
			return matches
		}
		return misses
	}
	compiled, err := glob.Compile(inner, separators...)
	if inner == anything || err != nil || compiled.Match(value) {
		return forbids
	}
	return matches
}

// matchGlob matches without negation. A pattern that cannot be read matches nothing.
func matchGlob(pattern, value string, separators ...rune) bool {
	if pattern == anything || pattern == value && !strings.ContainsAny(pattern, `*?[]{}\`) {
		return true
	}
	compiled, err := glob.Compile(pattern, separators...)
	return err == nil && compiled.Match(value)
}

func matchAnyGlob(patterns []string, value string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool { return matchGlob(pattern, value) })
}

// MatchNamespace tells whether one of the patterns, each a glob or an expression between slashes, matches the namespace
// of an application (contract 7, sourceNamespaces; 5.2, application.namespaces). What cannot be read matches nothing.
func MatchNamespace(patterns []string, namespace string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		if expression, ok := cutExpression(pattern); ok {
			return matchExpression(expression, namespace)
		}
		return matchGlob(pattern, namespace)
	})
}

// CheckNamespace says why a pattern of MatchNamespace cannot be read; nil when it can.
func CheckNamespace(pattern string) error {
	expression, ok := cutExpression(pattern)
	if !ok {
		_, err := glob.Compile(pattern)
		return err
	}
	if _, err := regexp.Compile(expression); err == nil {
		return nil
	}
	_, err := regexp2.Compile(expression, regexp2.None)
	return err
}

// cutExpression gives what stands between the slashes of a pattern that is an expression.
func cutExpression(pattern string) (string, bool) {
	if len(pattern) > 1 && strings.HasPrefix(pattern, "/") && strings.HasSuffix(pattern, "/") {
		return pattern[1 : len(pattern)-1], true
	}
	return "", false
}

// matchExpression keeps to expressions that run in linear time where it can. Lookaheads, which users need for "all but
// these", take an engine that backtracks.
func matchExpression(expression, value string) bool {
	if linear, err := regexp.Compile(expression); err == nil {
		return linear.MatchString(value)
	}
	backtracking, err := regexp2.Compile(expression, regexp2.None)
	if err != nil {
		return false
	}
	backtracking.MatchTimeout = expressionTimeout
	matched, err := backtracking.MatchString(value)
	return err == nil && matched
}
