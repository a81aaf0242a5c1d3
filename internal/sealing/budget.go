package sealing

import (
	"fmt"
	"math"
	"reflect"
	"strings"
	"text/template"

	"github.com/Masterminds/sprig/v3"
)

// Who may write a SealedSecret must not be able to keep the operator busy or fill its memory with a template. These bounds are
// far above what configuration files need; a template that runs into one fails, and says so.
const (
	// maxSteps bounds the iterations and calls of all templates of one object.
	maxSteps = 20_000
	// costly is what a call takes that makes a key or hashes a password: a second, or so, on one core.
	costly = maxSteps / 5
	// maxNumber bounds the numbers among the arguments of functions that make something of that size.
	maxNumber = 10_000
	// maxWeight bounds what a function gives back, in bytes and elements.
	maxWeight = 1 << 20
	// maxProduct bounds the size of what a function makes that multiplies its arguments.
	maxProduct = 16 << 20
	// maxDepth bounds how deep lists and dictionaries nest.
	maxDepth = 100
	// stepFunction takes one step and prints nothing.
	stepFunction = "takeOneStep"
)

// known are the functions of templates: sprig's for text, without those that tell of the operator's surroundings (contract
// A1), and those of the language that make text.
var known = func() map[string]any {
	functions := sprig.GenericFuncMap()
	for _, name := range []string{"env", "expandenv", "getHostByName"} {
		delete(functions, name)
	}
	functions["print"], functions["printf"], functions["println"] = fmt.Sprint, fmt.Sprintf, fmt.Sprintln
	functions["html"], functions["js"], functions["urlquery"] = template.HTMLEscaper, template.JSEscaper, template.URLQueryEscaper
	return functions
}()

var expensive = map[string]bool{
	"genPrivateKey": true, "genCA": true, "genCAWithKey": true, "genSelfSignedCert": true, "genSelfSignedCertWithKey": true,
	"genSignedCert": true, "genSignedCertWithKey": true, "bcrypt": true, "htpasswd": true, "derivePassword": true,
}

// multiplying make something as large as the product of two of their arguments, or take as long.
var multiplying = map[string]bool{
	"repeat": true, "until": true, "untilStep": true, "seq": true, "indent": true, "nindent": true, "wrap": true, "wrapWith": true,
	"randAlpha": true, "randAlphaNum": true, "randAscii": true, "randNumeric": true, "randBytes": true,
	"replace": true, "join": true, "printf": true, "chunk": true, "mustChunk": true,
}

func multiplies(name string) bool {
	return multiplying[name] || strings.HasPrefix(name, "regex") || strings.HasPrefix(name, "mustRegex")
}

// spentError says that a template asks for too much. It holds no value.
type spentError struct{ message string }

// Error is the message.
func (e *spentError) Error() string { return e.message }

func spent(format string, args ...any) error { return &spentError{fmt.Sprintf(format, args...)} }

// budget is what is left for the templates of one object.
type budget struct{ left int }

func (b *budget) take(steps int) error {
	if b.left -= steps; b.left < 0 {
		return spent("the templates take more than %d steps", maxSteps)
	}
	return nil
}

// functions are the known functions, each of which takes from the budget, and the one that takes a step.
func (b *budget) functions() template.FuncMap {
	functions := make(template.FuncMap, len(known))
	for name, function := range known {
		functions[name] = b.bounded(name, reflect.ValueOf(function))
	}
	return functions
}

// bounded wraps a function: it ends in an error when the budget is spent, or when it is asked for something too large.
func (b *budget) bounded(name string, function reflect.Value) any {
	signature := function.Type()
	cost := 1
	if expensive[name] {
		cost = costly
	}
	in := make([]reflect.Type, signature.NumIn())
	for i := range in {
		in[i] = signature.In(i)
	}
	call := function.Call
	if signature.IsVariadic() {
		call = function.CallSlice
	}
	out := []reflect.Type{signature.Out(0), reflect.TypeFor[error]()}
	return reflect.MakeFunc(reflect.FuncOf(in, out, signature.IsVariadic()), func(args []reflect.Value) []reflect.Value {
		err := b.take(cost)
		if err == nil && multiplies(name) {
			err = fits(name, args)
		}
		if err != nil {
			return []reflect.Value{reflect.Zero(out[0]), reflect.ValueOf(&err).Elem()}
		}
		results := call(args)
		if len(results) > 1 && !results[1].IsNil() {
			return results
		}
		if err := b.weigh(name, results[0]); err != nil {
			return []reflect.Value{reflect.Zero(out[0]), reflect.ValueOf(&err).Elem()}
		}
		return []reflect.Value{results[0], reflect.Zero(out[1])}
	}).Interface()
}

// weigh takes for the size of a result, since making it was work.
func (b *budget) weigh(name string, result reflect.Value) error {
	size := weight(result, maxWeight, 0)
	if size > maxWeight {
		return spent("%s makes more than %d bytes or elements", name, maxWeight)
	}
	return b.take(size / 1024)
}

// fits refuses arguments out of which something too large would come.
func fits(name string, args []reflect.Value) error {
	product := 1
	for _, arg := range flat(args) {
		size := max(weight(arg, maxWeight, 0), 1)
		switch {
		case arg.CanInt():
			size = int(min(max(arg.Int(), -arg.Int()), math.MaxInt32))
		case arg.Kind() == reflect.String && name == "printf" && strings.Contains(arg.String(), "%"):
			size *= 16 // a verb of two bytes may be as wide as a line
		}
		if arg.CanInt() && (size > maxNumber || arg.Int() == math.MinInt64) {
			return spent("%s is asked for more than %d", name, maxNumber)
		}
		if product *= max(size, 1); product > maxProduct {
			return spent("%s is asked for more than %d bytes", name, maxProduct)
		}
	}
	return nil
}

// flat looks through interfaces and the list of a variadic call.
func flat(args []reflect.Value) []reflect.Value {
	var values []reflect.Value
	for i, arg := range args {
		if arg.Kind() == reflect.Slice && i == len(args)-1 && arg.Type().Elem().Kind() == reflect.Interface {
			for j := range arg.Len() {
				values = append(values, through(arg.Index(j)))
			}
			continue
		}
		values = append(values, through(arg))
	}
	return values
}

func through(value reflect.Value) reflect.Value {
	for (value.Kind() == reflect.Interface || value.Kind() == reflect.Pointer) && !value.IsNil() {
		value = value.Elem()
	}
	return value
}

// weight counts the bytes and elements of a value and of all in it, and stops counting above a limit. A value that holds
// itself, or nests too deep, is above any.
func weight(value reflect.Value, limit, depth int) int {
	if depth > maxDepth {
		return limit + 1
	}
	value = through(value)
	switch value.Kind() {
	case reflect.String:
		return value.Len()
	case reflect.Slice, reflect.Array:
		if value.Type().Elem().Kind() == reflect.Uint8 {
			return value.Len()
		}
		total := value.Len()
		for i := 0; i < value.Len() && total <= limit; i++ {
			total += weight(value.Index(i), limit-total, depth+1)
		}
		return total
	case reflect.Map:
		total := value.Len()
		for entries := value.MapRange(); total <= limit && entries.Next(); {
			total += weight(entries.Key(), limit-total, depth+1) + weight(entries.Value(), limit-total, depth+1)
		}
		return total
	}
	return 1
}
