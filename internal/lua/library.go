package lua

import (
	"regexp"
	"slices"
	"strings"

	glua "github.com/yuin/gopher-lua"
)

// libraries are the globals of scripts, made once: a state gets tables of its own with the functions that all share.
type libraries struct {
	globals []entry
	modules []module
}

type entry struct {
	name  string
	value glua.LValue
}

type module struct {
	name    string
	entries []entry
}

// standard is for scripts that ask for nothing, complete for those with useOpenLibs (contract 4.5).
var standard, complete = newLibraries(false), newLibraries(true)

func newLibraries(open bool) libraries {
	state := glua.NewState(glua.Options{SkipOpenLibs: true})
	defer state.Close()
	load(state, glua.BaseLibName, glua.OpenBase)
	load(state, glua.TabLibName, glua.OpenTable)
	load(state, glua.OsLibName, glua.OpenOs)
	l := library{state}
	l.base()
	l.tables()
	l.clock()
	if open {
		load(state, glua.StringLibName, glua.OpenString)
		load(state, glua.MathLibName, glua.OpenMath)
		load(state, glua.DebugLibName, glua.OpenDebug)
		l.strings()
		l.debug()
	}
	var made libraries
	for _, global := range entries(state.G.Global) {
		switch table, isTable := global.value.(*glua.LTable); {
		case global.name == "_G":
		case isTable:
			made.modules = append(made.modules, module{global.name, entries(table)})
		default:
			made.globals = append(made.globals, global)
		}
	}
	return made
}

func entries(table *glua.LTable) []entry {
	var list []entry
	table.ForEach(func(key, value glua.LValue) { list = append(list, entry{key.String(), value}) })
	slices.SortFunc(list, func(a, b entry) int { return strings.Compare(a.name, b.name) })
	return list
}

func load(state *glua.LState, name string, open glua.LGFunction) {
	state.Push(state.NewFunction(open))
	state.Push(glua.LString(name))
	state.Call(1, 0)
}

// open makes the globals of a state.
func (l libraries) open(state *glua.LState) {
	globals := state.G.Global
	globals.RawSetString("_G", globals)
	for _, e := range l.globals {
		globals.RawSetString(e.name, e.value)
	}
	for _, m := range l.modules {
		table := state.CreateTable(0, len(m.entries))
		for _, e := range m.entries {
			table.RawSetString(e.name, e.value)
		}
		globals.RawSetString(m.name, table)
		if m.name == glua.StringLibName {
			table.RawSetString("__index", table) // so that text has methods
			state.SetMetatable(glua.LString(""), table)
		}
	}
}

// budgetOf is the budget of a run.
func budgetOf(state *glua.LState) *budget {
	if b, ok := state.Context().(*budget); ok {
		return b
	}
	return &budget{err: errText}
}

// library fits the functions of the standard to the sandbox, in the state in which they are made.
type library struct {
	state *glua.LState
}

// check looks at the arguments of a function of the standard before it runs; it may raise an error.
type check func(*glua.LState)

// guard puts a check before a function.
func (l library) guard(table *glua.LTable, name string, check check) {
	original, ok := table.RawGetString(name).(*glua.LFunction)
	if !ok || !original.IsG {
		return
	}
	function := original.GFunction
	upvalues := make([]glua.LValue, len(original.Upvalues))
	for i, upvalue := range original.Upvalues {
		upvalues[i] = upvalue.Value()
	}
	table.RawSetString(name, l.state.NewClosure(func(state *glua.LState) int {
		check(state)
		return function(state)
	}, upvalues...))
}

// take raises an error when there is no room for so much text.
func take(state *glua.LState, bytes int) {
	if b := budgetOf(state); !b.take(bytes) {
		state.RaiseError("%s", b.err.Error())
	}
}

// forbid replaces functions that reach out of the script by one that says so.
func (l library) forbid(table *glua.LTable, prefix string, names ...string) {
	for _, name := range names {
		table.RawSetString(name, l.state.NewFunction(func(state *glua.LState) int {
			state.RaiseError("%s cannot be used here: a script sees its object and nothing else", prefix+name)
			return 0
		}))
	}
}

func (l library) base() {
	globals := l.state.G.Global
	l.forbid(globals, "", "dofile", "loadfile", "load", "require", "module")
	nothing := l.state.NewFunction(func(*glua.LState) int { return 0 })
	for _, name := range []string{"print", "_printregs"} {
		globals.RawSetString(name, nothing) // standard output is not the script's
	}
	globals.RawSetString("collectgarbage", l.state.NewFunction(func(state *glua.LState) int {
		state.Push(glua.LNumber(0))
		return 1
	}))
	for _, name := range []string{"getfenv", "setfenv"} {
		l.guard(globals, name, ofScript)
	}
	globals.RawSetString("loadstring", l.state.NewFunction(loadString))
	globals.RawSetString(concatenation, l.state.NewFunction(concatenate))
}

// ofScript refuses functions that are not the script's own: those are shared by all scripts.
func ofScript(state *glua.LState) {
	if function, ok := state.Get(1).(*glua.LFunction); ok && function.IsG {
		state.RaiseError("the environment of a library function cannot be used")
	}
}

func (l library) debug() {
	if table, ok := l.state.GetGlobal(glua.DebugLibName).(*glua.LTable); ok {
		l.forbid(table, "debug.", "getfenv", "setfenv", "getupvalue", "setupvalue")
	}
}

// loadString compiles in the same way as the script itself was compiled.
func loadString(state *glua.LState) int {
	proto, err := compile(state.CheckString(1))
	if err != nil {
		state.Push(glua.LNil)
		state.Push(glua.LString(err.Error()))
		return 2
	}
	state.Push(state.NewFunctionFromProto(proto))
	return 1
}

// concatenate is the operator "..".
func concatenate(state *glua.LState) int {
	var pieces []string
	size, top := 0, state.GetTop()
	right := state.Get(top)
	for i := top - 1; i >= 1; i-- {
		left := state.Get(i)
		if glua.LVCanConvToString(left) && glua.LVCanConvToString(right) {
			if pieces == nil {
				pieces = make([]string, top)
				pieces[i] = glua.LVAsString(right)
				size = len(pieces[i])
			}
			pieces[i-1] = glua.LVAsString(left)
			size += len(pieces[i-1])
			continue
		}
		if pieces != nil {
			take(state, size)
			right = glua.LString(strings.Join(pieces, ""))
			pieces = nil
		}
		right = byMetamethod(state, left, right)
	}
	if pieces != nil {
		take(state, size)
		right = glua.LString(strings.Join(pieces, ""))
	}
	state.Push(right)
	return 1
}

// byMetamethod joins values of which one is no text.
func byMetamethod(state *glua.LState, left, right glua.LValue) glua.LValue {
	method := state.GetMetaField(left, "__concat")
	if method == glua.LNil {
		method = state.GetMetaField(right, "__concat")
	}
	if method.Type() != glua.LTFunction {
		state.RaiseError("cannot perform concat operation between %s and %s", left.Type(), right.Type())
	}
	state.Push(method)
	state.Push(left)
	state.Push(right)
	state.Call(2, 1)
	result := state.Get(-1)
	state.Pop(1)
	return result
}

func (l library) tables() {
	table, ok := l.state.GetGlobal(glua.TabLibName).(*glua.LTable)
	if !ok {
		return
	}
	l.guard(table, "concat", func(state *glua.LState) {
		list, separator := state.CheckTable(1), state.OptString(2, "")
		size := 0
		for i := max(state.OptInt(3, 1), 1); i <= min(state.OptInt(4, list.Len()), list.Len()); i++ {
			size += len(separator)
			if text, ok := list.RawGetInt(i).(glua.LString); ok {
				size += len(text)
			}
		}
		budgetOf(state).spend(list.Len())
		take(state, size)
	})
	moves := func(state *glua.LState) { budgetOf(state).spend(state.CheckTable(1).Len() / 64) }
	l.guard(table, "insert", moves)
	l.guard(table, "remove", moves)
	l.guard(table, "sort", func(state *glua.LState) { budgetOf(state).spend(8 * state.CheckTable(1).Len()) })
}

// clock leaves of the library os what tells the time, by the clock of the script.
func (l library) clock() {
	os, ok := l.state.GetGlobal(glua.OsLibName).(*glua.LTable)
	if !ok {
		return
	}
	l.forbid(os, "os.", "execute", "exit", "getenv", "remove", "rename", "setenv", "setlocale", "tmpname")
	now := func(state *glua.LState) glua.LValue { return glua.LNumber(budgetOf(state).now().Unix()) }
	if original, ok := os.RawGetString("time").(*glua.LFunction); ok {
		os.RawSetString("time", l.state.NewFunction(func(state *glua.LState) int {
			if state.Get(1) != glua.LNil {
				return original.GFunction(state)
			}
			state.Push(now(state))
			return 1
		}))
	}
	l.guard(os, "date", func(state *glua.LState) {
		format := state.OptString(1, "%c")
		take(state, 32*len(format))
		if state.Get(2) == glua.LNil {
			state.SetTop(0)
			state.Push(glua.LString(format))
			state.Push(now(state))
		}
	})
	os.RawSetString("clock", l.state.NewFunction(func(state *glua.LState) int {
		b := budgetOf(state)
		state.Push(glua.LNumber(b.now().Sub(b.end.Add(-maxTime)).Seconds()))
		return 1
	}))
}

// wide finds a width or precision of more than two digits, which the standard refuses as well.
var wide = regexp.MustCompile(`%[-+ #0]*(\d{3,}|\d*\.\d{3,})`)

func (l library) strings() {
	table, ok := l.state.GetGlobal(glua.StringLibName).(*glua.LTable)
	if !ok {
		return
	}
	ofText := func(state *glua.LState) { take(state, len(state.CheckString(1))) }
	for _, name := range []string{"upper", "lower", "reverse"} {
		l.guard(table, name, ofText)
	}
	l.guard(table, "rep", func(state *glua.LState) {
		text, times := state.CheckString(1), max(state.CheckInt(2), 0)
		if len(text) > 0 && times > maxText {
			times = maxText + 1
		}
		take(state, len(text)*times)
	})
	l.guard(table, "format", func(state *glua.LState) {
		format := state.CheckString(1)
		if wide.MatchString(format) {
			state.RaiseError("invalid format (width or precision too long)")
		}
		size := len(format) * 100
		for i := 2; i <= state.GetTop(); i++ {
			size += 4 * len(state.Get(i).String()) // %q writes up to four bytes for one
		}
		take(state, size)
	})
	l.patterns(table)
}
