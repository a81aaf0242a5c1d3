// Package lua runs the scripts that users write about their kinds: Lua 5.1 that sees one object and nothing else.
//
// A script gets a state of its own for each run, so that runs share nothing, at whatever pace they come. It is stopped when it
// takes too many steps, makes too much text or runs for too long; what a library function could do without bound in one step
// is measured before it is done. Files, processes, the environment and other code are out of reach, whatever the settings say.
package lua

import (
	"errors"
	"fmt"
	"strings"
	"time"

	glua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/parse"
)

// Limits of one run. They are far above what a script needs that reads an object: one step is one instruction of the virtual
// machine, and the steps bound the memory of tables as the bytes do that of text.
const (
	maxSource  = 128 << 10
	maxSteps   = 2_000_000
	maxText    = 8 << 20
	maxTime    = time.Second // contract 4.5
	maxCalls   = 200
	maxValues  = 16 << 10
	clockSteps = 1 << 12 // how often the clock is looked at
)

// chunk is what a script is called in its errors; users of Argo CD know it.
const chunk = "<string>"

// Script is a compiled script. It may run many times, and at the same time.
type Script struct {
	proto *glua.FunctionProto
	open  bool
	now   func() time.Time
}

// Compile reads a script. It may use the libraries base, table and os (only what tells the time); with open those of the whole
// standard, without what reaches out of the script. Now is the clock, for os.time and for the time limit of a second.
func Compile(source string, open bool, now func() time.Time) (script *Script, err error) {
	defer func() {
		if r := recover(); r != nil { // the parser is foreign code
			script, err = nil, fmt.Errorf("the script cannot be compiled: %v", r)
		}
	}()
	proto, err := compile(source)
	if err != nil {
		return nil, err
	}
	return &Script{proto: proto, open: open, now: now}, nil
}

func compile(source string) (*glua.FunctionProto, error) {
	if len(source) > maxSource {
		return nil, fmt.Errorf("the script has %d bytes; %d are permitted", len(source), maxSource)
	}
	statements, err := parse.Parse(strings.NewReader(source), chunk)
	if err != nil {
		return nil, errors.New(oneLine(err.Error()))
	}
	if err := measure(statements); err != nil {
		return nil, err
	}
	proto, err := glua.Compile(statements, chunk)
	if err != nil {
		return nil, errors.New(oneLine(err.Error()))
	}
	return proto, nil
}

// Run runs the script with the object as global variable obj, and gives what it returns: nil, a bool, float64 or string, a
// []any or a map[string]any. Of several results the last counts. The object is not changed.
func (s *Script) Run(object map[string]any) (result any, err error) {
	state := glua.NewState(glua.Options{
		SkipOpenLibs: true, CallStackSize: maxCalls, MinimizeStackMemory: true, RegistrySize: 256, RegistryMaxSize: maxValues, RegistryGrowStep: 1 << 10,
	})
	defer state.Close()
	defer func() {
		if r := recover(); r != nil { // a library function may be given what its author did not think of
			result, err = nil, fmt.Errorf("the script ended in an internal error: %v", r)
		}
	}()
	budget := newBudget(s.now)
	state.SetContext(budget)
	if s.open {
		complete.open(state)
	} else {
		standard.open(state)
	}
	state.SetGlobal("obj", toLua(state, object))
	state.Push(state.NewFunctionFromProto(s.proto))
	err = state.PCall(0, glua.MultRet, nil)
	if budget.err != nil {
		return nil, budget.err // whatever a pcall made of it
	}
	if err != nil {
		return nil, scriptError(err)
	}
	if state.GetTop() == 0 {
		return nil, nil
	}
	return fromLua(state.Get(-1), budget, 0)
}

// scriptError is what a script died of, on one line and without the stack.
func scriptError(err error) error {
	var failure *glua.ApiError
	if !errors.As(err, &failure) {
		return err
	}
	if failure.Object == nil || failure.Object == glua.LNil {
		return errors.New("the script ended in an error without a message")
	}
	return errors.New(oneLine(failure.Object.String()))
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
