package diff

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/itchyny/gojq"
)

// Limit starts the time limit of one evaluation of a jq expression: expired is closed when the time is over, and stop gives
// the timer back. This room has no clock, so the shell brings one.
type Limit func() (expired <-chan struct{}, stop func())

// errLimit stops an evaluation that takes too long or makes too much of too little.
var errLimit = errors.New("it was stopped for taking too much time or memory; select fewer fields, or build no values")

// errNoPath ends the evaluation of an expression that computes a value instead of naming fields.
var errNoPath = errors.New("it names no fields; write a path expression such as .spec.replicas")

// longestExpression is in bytes; longer ones exhaust the stack of the compiler when they are all brackets.
const longestExpression = 8 << 10

// expression is a jq path expression, ready to name the fields of objects.
type expression struct {
	limit Limit

	mu   sync.Mutex // one evaluation at a time
	code *gojq.Code
	left allowance
}

// parseExpression reads an expression and compiles it, so that what is wrong with it is known before it is needed.
func parseExpression(text string, limit Limit) (*expression, error) {
	if len(text) > longestExpression {
		return nil, fmt.Errorf("it is longer than %d bytes; write several expressions", longestExpression)
	}
	query, err := gojq.Parse(text)
	if err != nil {
		return nil, err
	}
	if err := confine(query); err != nil {
		return nil, err
	}
	path := &gojq.Query{Term: &gojq.Term{Type: gojq.TermTypeFunc, Func: &gojq.Func{Name: "path", Args: []*gojq.Query{query}}}}
	e := &expression{limit: limit}
	e.code, err = gojq.Compile(path, gojq.WithFunction(measure, 0, 0, e.left.measure))
	return e, err
}

// paths are the fields of the object that the expression names. An expression that fails on the object, say because it walks
// through a field that the object lacks, names none of it: missing is fine (contract 3.4).
func (e *expression) paths(object map[string]any) (found [][]any, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.left.bytes = maxConstructed
	expired, stop := e.limit()
	defer stop()
	results := e.code.RunWithContext(deadline(expired), plain(object))
	for {
		result, more := results.Next()
		switch result := result.(type) {
		case nil:
			if !more {
				return found, nil
			}
		case error:
			return nil, verdictOn(result)
		case []any:
			if e.left.bytes -= nodeCost * (1 + len(result)); e.left.bytes < 0 {
				return nil, errLimit
			}
			found = append(found, result)
		}
	}
}

// verdictOn tells the mistakes of an expression from an object that merely does not have its shape.
func verdictOn(err error) error {
	switch {
	case errors.Is(err, errLimit):
		return errLimit
	case strings.HasPrefix(err.Error(), "invalid path"):
		return errNoPath
	}
	return nil
}

// plain copies an object into the types that jq computes with.
func plain(value any) any {
	switch value := value.(type) {
	case map[string]any:
		out := make(map[string]any, len(value))
		for key, item := range value {
			out[key] = plain(item)
		}
		return out
	case []any:
		out := make([]any, len(value))
		for i, item := range value {
			out[i] = plain(item)
		}
		return out
	case int64:
		return int(value)
	case nil, bool, int, float64, string:
		return value
	default:
		return fmt.Sprint(value)
	}
}

// deadline is the end of an evaluation, in the form in which the interpreter asks for it: before each instruction.
type deadline <-chan struct{}

// Deadline says that the time is not known beforehand.
func (d deadline) Deadline() (at time.Time, known bool) { return time.Time{}, false }

// Done is closed when the time is over.
func (d deadline) Done() <-chan struct{} { return d }

// Err says why an evaluation ended early.
func (d deadline) Err() error {
	select {
	case <-d:
		return errLimit
	default:
		return nil
	}
}

// Value carries nothing.
func (d deadline) Value(any) any { return nil }

const (
	// measure is the function that is put behind everything in an expression that makes new values.
	measure = "_measure"
	// maxConstructed is how many bytes of new values one evaluation may make, counting what is shared as often as it occurs.
	maxConstructed = 16 << 20
	// nodeCost is what an item of a list or map costs besides its text.
	nodeCost = 32
	// maxNesting is how deep a new value may be: deeper ones exhaust the stack of whoever walks through them.
	maxNesting = 1000
)

// allowance is what an evaluation may still make.
type allowance struct{ bytes int }

func (a *allowance) measure(value any, _ []any) any {
	if !a.pay(value, 0) {
		return errLimit
	}
	return value
}

func (a *allowance) pay(value any, depth int) bool {
	a.bytes -= nodeCost
	switch value := value.(type) {
	case string:
		a.bytes -= len(value)
	case []any:
		for _, item := range value {
			if a.bytes < 0 || depth > maxNesting || !a.pay(item, depth+1) {
				return false
			}
		}
	case map[string]any:
		for key, item := range value {
			if a.bytes -= len(key); a.bytes < 0 || depth > maxNesting || !a.pay(item, depth+1) {
				return false
			}
		}
	}
	return a.bytes >= 0
}
