package lua

import (
	"strings"

	glua "github.com/yuin/gopher-lua"
)

// maxTries and maxSubject bound what one pattern may cost: matching backtracks, so that its time grows with the number of ways
// to divide the text among the repetitions.
const (
	maxTries   = 1 << 26
	maxSubject = 64 << 10
)

// patterns bounds the functions that match patterns.
func (l library) patterns(table *glua.LTable) {
	matches := func(state *glua.LState) { match(state, state.CheckString(1), state.CheckString(2)) }
	l.guard(table, "match", matches)
	l.guard(table, "gmatch", matches)
	l.guard(table, "find", func(state *glua.LState) {
		if !glua.LVAsBool(state.Get(4)) {
			matches(state)
		}
	})
	l.guard(table, "gsub", func(state *glua.LState) {
		text := state.CheckString(1)
		match(state, text, state.CheckString(2))
		take(state, len(text)*len(text)/1024+len(text)) // the text is copied for each match
		switch replacement := state.Get(3).(type) {
		case glua.LNumber:
			state.Replace(3, glua.LString(replacement.String()))
		case glua.LString:
			takeReplacement(state, (len(text)+1)*len(replacement), 0)
			if strings.Contains(string(replacement), "%") { // it may quote the text
				takeReplacement(state, (len(text)+1)*len(replacement)/2, len(text))
			}
		case *glua.LFunction, *glua.LTable:
			state.Replace(3, measured(state, replacement, len(text)))
		}
	})
}

// takeReplacement takes room for replacements of so many bytes in a text.
func takeReplacement(state *glua.LState, bytes, text int) {
	take(state, bytes*(1+text/1024))
}

// measured is a replacement whose results are measured.
func measured(state *glua.LState, replacement glua.LValue, text int) *glua.LFunction {
	return state.NewFunction(func(state *glua.LState) int {
		var result glua.LValue
		if table, ok := replacement.(*glua.LTable); ok {
			result = state.GetTable(table, state.Get(1))
		} else {
			arguments := state.GetTop()
			state.Insert(replacement, 1)
			state.Call(arguments, 1)
			result = state.Get(-1)
		}
		takeReplacement(state, len(result.String()), text)
		state.Push(result)
		return 1
	})
}

// match refuses a pattern that could take too long on a text.
func match(state *glua.LState, text, pattern string) {
	budgetOf(state).spend((len(text) + len(pattern)) / 64)
	repetitions := strings.Count(pattern, "*") + strings.Count(pattern, "+") + strings.Count(pattern, "-") + strings.Count(pattern, "?")
	if repetitions == 0 {
		return
	}
	if !strings.HasPrefix(pattern, "^") {
		repetitions++ // any place may be the beginning
	}
	if len(text) > maxSubject || ways(len(text), repetitions) > maxTries {
		state.RaiseError("pattern %q is too costly for a text of %d bytes; begin it with ^, or repeat less", pattern, len(text))
	}
}

// ways is the number of ways to divide n bytes among k repetitions and a rest, at most a little more than maxTries.
func ways(n, k int) int {
	count := 1
	for i := 1; i <= k; i++ {
		if count = count * (n + i) / i; count > maxTries {
			return maxTries + 1
		}
	}
	return count
}
