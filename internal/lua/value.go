package lua

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	glua "github.com/yuin/gopher-lua"
)

// toLua makes the Lua value of a decoded JSON value; null is nil, as in a field that is absent. A script that walks a table
// finds its fields in the order of their names, so that what it says of them does not change from run to run.
func toLua(state *glua.LState, value any) glua.LValue {
	switch v := value.(type) {
	case bool:
		return glua.LBool(v)
	case string:
		return glua.LString(v)
	case float64:
		return glua.LNumber(v)
	case int64:
		return glua.LNumber(v)
	case int:
		return glua.LNumber(v)
	case []any:
		table := state.CreateTable(len(v), 0)
		for _, item := range v {
			table.Append(toLua(state, item))
		}
		return table
	case map[string]any:
		table := state.CreateTable(0, len(v))
		for _, name := range slices.Sorted(maps.Keys(v)) {
			table.RawSetString(name, toLua(state, v[name]))
		}
		return table
	default:
		return glua.LNil
	}
}

// maxNesting bounds the depth of a result; a table may contain itself.
const maxNesting = 32

var errNesting = errors.New("the script returns a table that nests too deep")

// fromLua makes the Go value of a result. A table whose keys are 1, 2, 3 and so on is a list; an empty one is a map.
func fromLua(value glua.LValue, budget *budget, depth int) (any, error) {
	if depth > maxNesting {
		return nil, errNesting
	}
	if budget.spend(1); budget.err != nil {
		return nil, budget.err
	}
	switch v := value.(type) {
	case *glua.LNilType:
		return nil, nil
	case glua.LBool:
		return bool(v), nil
	case glua.LNumber:
		return float64(v), nil
	case glua.LString:
		return string(v), nil
	case *glua.LTable:
		return fromTable(v, budget, depth)
	default:
		return nil, fmt.Errorf("the script returns a %s, which is no data", value.Type())
	}
}

func fromTable(table *glua.LTable, budget *budget, depth int) (result any, err error) {
	list, object := []any{}, map[string]any{}
	isList := table.Len() > 0
	table.ForEach(func(key, value glua.LValue) {
		if err != nil {
			return
		}
		var converted any
		if converted, err = fromLua(value, budget, depth+1); err != nil {
			return
		}
		if number, ok := key.(glua.LNumber); isList && ok && int(number) == len(list)+1 {
			list = append(list, converted)
			return
		}
		isList = false
		object[key.String()] = converted
	})
	switch {
	case err != nil:
		return nil, err
	case isList:
		return list, nil
	}
	for i, item := range list { // what looked like a list has other keys as well
		object[fmt.Sprint(i+1)] = item
	}
	return object, nil
}
