package manifest

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"
)

// maxDepth is how deep values may be nested. The deepest schemas of known CustomResourceDefinitions stay below 100.
const maxDepth = 500

var (
	errDepth  = fmt.Errorf("it is nested deeper than %d levels: no Kubernetes object is", maxDepth)
	errSize   = errors.New("with each alias (*name) written out it is larger than the limit leaves room for: repeat less, or raise reposerver.max.combined.directory.manifests.size")
	errBinary = errors.New("binary data (!!binary) has no place in an object: write its base64 text without the tag")
	errNumber = errors.New("a number is not finite or too large: write it in quotes if it is a text")
	errKey    = errors.New("the key of a map is not a text: write it in quotes")
	errSame   = errors.New("two keys of a map are the same once they are texts: remove one")
)

// converter gives values the form they have in an object from an API server, and counts their size.
type converter struct {
	left int64 // bytes that may still come
}

// convert turns a value from the YAML or JSON decoder into nil, bool, int64, float64, string, []any or map[string]any.
func (c *converter) convert(value any, depth int) (any, error) {
	if depth > maxDepth {
		return nil, errDepth
	}
	if c.left--; c.left < 0 {
		return nil, errSize
	}
	switch v := value.(type) {
	case nil, bool:
		return v, nil
	case string:
		return v, c.count(v)
	case json.Number:
		return fromJSON(v)
	case int:
		return int64(v), nil
	case int64:
		return v, nil
	case uint64:
		return float64(v), nil // it is above the largest int64
	case float64:
		return fromFloat(v)
	case []any:
		for i := range v {
			var err error
			if v[i], err = c.convert(v[i], depth+1); err != nil {
				return nil, err
			}
		}
		return v, nil
	case map[string]any:
		return c.convertJSON(v, depth)
	case map[any]any:
		return c.convertYAML(v, depth)
	default:
		return nil, fmt.Errorf("a value of type %T has no place in an object", value)
	}
}

func (c *converter) convertJSON(object map[string]any, depth int) (any, error) {
	for key, value := range object {
		if err := c.count(key); err != nil {
			return nil, err
		}
		converted, err := c.convert(value, depth+1)
		if err != nil {
			return nil, err
		}
		object[key] = converted
	}
	return object, nil
}

func (c *converter) convertYAML(mapping map[any]any, depth int) (any, error) {
	object := make(map[string]any, len(mapping))
	for key, value := range mapping {
		text, err := keyText(key)
		if err != nil {
			return nil, err
		}
		if err := c.count(text); err != nil {
			return nil, err
		}
		if _, twice := object[text]; twice {
			return nil, errSame
		}
		if object[text], err = c.convert(value, depth+1); err != nil {
			return nil, err
		}
	}
	return object, nil
}

// count takes a text into account.
func (c *converter) count(text string) error {
	if c.left -= int64(len(text)); c.left < 0 {
		return errSize
	}
	if !utf8.ValidString(text) {
		return errBinary
	}
	return nil
}

// keyText is the key of an object for a key in YAML, as sigs.k8s.io/yaml has it.
func keyText(key any) (string, error) {
	switch k := key.(type) {
	case string:
		return k, nil
	case int:
		return strconv.Itoa(k), nil
	case int64:
		return strconv.FormatInt(k, 10), nil
	case bool:
		return strconv.FormatBool(k), nil
	case float64:
		switch {
		case math.IsNaN(k):
			return ".nan", nil
		case math.IsInf(k, 1):
			return ".inf", nil
		case math.IsInf(k, -1):
			return "-.inf", nil
		default:
			return strconv.FormatFloat(k, 'g', -1, 32), nil
		}
	default:
		return "", errKey
	}
}

// fromJSON gives integers as int64 and other numbers as float64, as Kubernetes reads JSON.
func fromJSON(number json.Number) (any, error) {
	if n, err := number.Int64(); err == nil {
		return n, nil
	}
	f, err := number.Float64()
	if err != nil {
		return nil, errNumber
	}
	return f, nil
}

// fromFloat gives whole numbers as int64: on the way through JSON, which sigs.k8s.io/yaml takes, 1.0 becomes 1.
func fromFloat(f float64) (any, error) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return nil, errNumber
	}
	if math.Abs(f) < 1e21 { // from here on JSON has an exponent
		if n, err := strconv.ParseInt(strconv.FormatFloat(f, 'f', -1, 64), 10, 64); err == nil {
			return n, nil
		}
	}
	return f, nil
}
