package lua

import (
	"math"
	"runtime"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
)

func noon() time.Time { return time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC) }

func run(t *testing.T, source string, open bool, object map[string]any) (any, error) {
	t.Helper()
	script, err := Compile(source, open, noon)
	if err != nil {
		t.Fatalf("compile %q: %v", source, err)
	}
	return script.Run(object)
}

var ship = map[string]any{
	"metadata": map[string]any{"name": "argo", "generation": int64(3)},
	"status": map[string]any{
		"ready": true, "speed": 4.5, "captain": nil,
		"conditions": []any{map[string]any{"type": "Afloat", "status": "True"}, map[string]any{"type": "Manned", "status": "False"}},
	},
}

func TestRun(t *testing.T) {
	for _, tc := range []struct {
		reason, source string
		open           bool
		want           any
	}{
		{"A script may return nothing.", "", false, nil},
		{"Fields of the object are read by name.", "return obj.metadata.name", false, "argo"},
		{"Numbers are numbers, whatever JSON made of them.", "return obj.metadata.generation + obj.status.speed", false, 7.5},
		{"Null is nil.", "return obj.status.captain == nil", false, true},
		{"Lists are walked in their order.", "s = '' for i, c in ipairs(obj.status.conditions) do s = s .. i .. c.type end return s", false, "1Afloat2Manned"},
		{"Fields are walked in the order of their names, so that messages do not flap.", "s = '' for k in pairs(obj.status) do s = s .. k .. ' ' end return s", false, "conditions ready speed "},
		{"A table is a map.", "hs = {} hs.status = 'Healthy' hs.message = 'm' return hs", false, map[string]any{"status": "Healthy", "message": "m"}},
		{"A table with keys 1, 2 and so on is a list.", "return {'a', {b = 1}}", false, []any{"a", map[string]any{"b": 1.0}}},
		{"A table that is both is a map.", "return {'a', b = 1}", false, map[string]any{"1": "a", "b": 1.0}},
		{"Of several results the last counts.", "return 1, 2", false, 2.0},
		{"Joined text binds to the right, and takes numbers.", "return 1 .. '/' .. 2.5 .. '/' .. -3", false, "1/2.5/-3"},
		{"Only the first result of a call is joined.", "function f() return 'a', 'b' end return 'x' .. f()", false, "xa"},
		{"A metamethod joins what is no text.", "t = setmetatable({}, {__concat = function(a, b) return 'joined' end}) return 'x' .. t .. 'y'", false, "xjoined"},
		{"Base, table and the time are there by default.", "t = {'b', 'a'} table.sort(t) return table.concat(t, ',') .. os.date('!%Y', 0) .. tostring(string) .. tostring(math)", false, "a,b1970nilnil"},
		{"The clock is the one that was handed in.", "return os.time() .. os.date(' !%H')", false, "1767355200 !12"},
		{"A time of the day is computed as always.", "return os.time({year=2026, month=1, day=2, hour=12}) - os.time({year=2026, month=1, day=1, hour=12})", false, 86400.0},
		{"Other libraries come with useOpenLibs.", "return string.format('%s %d', ('ab'):upper():rep(2), math.max(1, 2))", true, "ABAB 2"},
		{"Patterns match, replace and repeat.", "n = 0 for w in string.gmatch('a bc d', '%a+') do n = n + 1 end return n .. string.gsub('k=v', '(%w)=(%w)', '%2:%1') .. string.match('2026-01-02', '^(%d+)-%d+-%d+$') .. string.find('abc', 'c')", true, "3v:k20263"},
		{"Replacements may be tables and functions.", "return string.gsub('$a $b', '%$(%w)', {a = 1}) .. string.gsub('ab', '%w', function(c) return c .. c end)", true, "1 $baabb"},
		{"Text that is compiled at run time is bounded as the script is.", "return loadstring('return 1 .. 2')()", false, "12"},
		{"What a script prints is nobody's.", "print('x') return collectgarbage('count')", false, 0.0},
		{"An error that is caught is none.", "return pcall(error, 'x', 0)", false, "x"},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			got, err := run(t, tc.source, tc.open, ship)
			if err != nil {
				t.Fatal(err)
			}
			if diff := gocmp.Diff(tc.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestErrors(t *testing.T) {
	for _, tc := range []struct{ reason, source, want string }{
		{"An error names its line.", "\nreturn obj.spec.replicas", "<string>:2: attempt to index a non-table object(nil) with key 'replicas'"},
		{"So does one that the script raises.", "error('no wind')", "<string>:1: no wind"},
		{"Text cannot be joined with nothing.", "\n\nreturn 'a' .. obj.none", "<string>:3: cannot perform concat operation between string and nil"},
		{"An error may be a table, which says nothing.", "error({})", "table: "},
		{"Functions are no data.", "return {f = print}", "the script returns a function, which is no data"},
		{"A table in itself is no data.", "t = {} t.t = t return t", "the script returns a table that nests too deep"},
		{"Nor is one that grows without bound.", "t = {} for i = 1, 30 do t = {t, t} end return t", "the script was stopped after 2000000 steps"},
		{"Files are out of reach.", "dofile('/etc/passwd')", "<string>:1: dofile cannot be used here: a script sees its object and nothing else"},
		{"So are modules.", "require('os')", "<string>:1: require cannot be used here"},
		{"So is the environment.", "return os.getenv('HOME')", "<string>:1: os.getenv cannot be used here"},
		{"So is the process.", "os.exit(1)", "<string>:1: os.exit cannot be used here"},
		{"There is no io.", "io.open('/etc/passwd')", "<string>:1: attempt to index a non-table object(nil) with key 'open'"},
		{"Functions of the libraries are shared, so their environment is out of reach.", "getfenv(print).x = 1", "<string>:1: the environment of a library function cannot be used"},
		{"Their upvalues are, too.", "debug.setupvalue(ipairs, 1, print)", "<string>:1: debug.setupvalue cannot be used here"},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			if got, err := run(t, tc.source, true, ship); err == nil || !strings.HasPrefix(err.Error(), tc.want) {
				t.Errorf("returned %v, %v; want an error that begins with %q", got, err, tc.want)
			}
		})
	}
}

func TestCompileErrors(t *testing.T) {
	for _, tc := range []struct{ reason, source, want string }{
		{"Syntax errors name their line.", "return 1\nif", "<string> line:2(column:2) near 'if': syntax error"},
		{"So does what is left over.", "x = = 1", "<string> line:1(column:5) near '=': syntax error"},
		{"A script has a size.", strings.Repeat(" ", maxSource+1), "the script has 131073 bytes; 131072 are permitted"},
		{"And a depth.", "return " + strings.Repeat("- ", 3000) + "x", "the script nests too deep"},
		{"Also one of blocks.", strings.Repeat("do ", 3000) + strings.Repeat("end ", 3000), "the script nests too deep"},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			if _, err := Compile(tc.source, true, noon); err == nil || err.Error() != tc.want {
				t.Errorf("got %v, want %s", err, tc.want)
			}
		})
	}
}

// hostile are scripts that would hang, fill the memory or end the process.
var hostile = []struct{ reason, source, want string }{
	{"a loop without end", "while true do end", "steps"},
	{"one that catches its errors", "while true do pcall(function() while true do end end) end", "steps"},
	{"a recursion without end", "function f() return 1 + f() end return f()", "stack overflow"},
	{"a tail call without end", "function f() return f() end return f()", "steps"},
	{"text that doubles", "s = 'x' while true do s = s .. s end", "text"},
	{"text that doubles in a caught error", "s = 'x' while true do pcall(function() s = s .. s end) end", ""},
	{"text that doubles through a metamethod", "s = 'x' t = setmetatable({}, {__concat = function(a) s = s .. s return s end}) while true do x = s .. t end", "text"},
	{"repeated text", "return string.rep('x', 1e18)", "text"},
	{"much repeated text", "t = {} for i = 1, 1e6 do t[i] = string.rep('x', 1e6) end", "text"},
	{"joined tables", "s = string.rep('x', 1e5) t = {} for i = 1, 1e5 do t[i] = s end return table.concat(t)", "text"},
	{"wide numbers", "return string.format('%999999999d', 1)", "invalid format"},
	{"wide fractions", "return string.format('%.999999999f', 1)", "invalid format"},
	{"many wide fields", "f = string.rep('%99d', 200) t = {} for i = 1, 200 do t[i] = i end while true do s = string.format(f, unpack(t)) end", "text"},
	{"a table without end", "t = {} i = 0 while true do i = i + 1 t[i] = i end", "steps"},
	{"tables in tables", "t = {} while true do t = {t, a = t} end", "stopped after"},
	{"insertions at the beginning", "t = {} while true do table.insert(t, 1, 1) end", "steps"},
	{"sorting for ever", "t = {} for i = 1, 1e4 do t[i] = -i end while true do table.sort(t) end", "steps"},
	{"a pattern that backtracks", "return string.find(string.rep('a', 60), string.rep('a-', 60) .. 'b')", "too costly"},
	{"a pattern that backtracks in a loop", "while true do pcall(string.find, string.rep('a', 60), string.rep('a-', 60) .. 'b') end", ""},
	{"a pattern on a long text", "return string.match(string.rep('a', 1e6), '.*')", "too costly"},
	{"a replacement that grows", "return string.gsub(string.rep('a', 1e4), '', string.rep('b', 1e5))", "text"},
	{"a replacing function that grows", "return string.gsub(string.rep('a', 1e4), 'a', function() return string.rep('b', 1e4) end)", "text"},
	{"a replacement that quotes", "return string.gsub(string.rep('a', 6e4), '^.*$', string.rep('%0', 1e3))", ""},
	{"unpacking everything", "t = {} return unpack(t, 1, 1e9)", ""},
	{"a date that is long", "f = string.rep('%c', 1e5) while true do s = os.date(f) end", "text"},
	{"an error handler without end", "return xpcall(function() error('x') end, function() while true do end end)", "steps"},
	{"globals that are gone", "for k in pairs(_G) do _G[k] = nil end return 'a' .. 'b'", ""},
	{"another environment", "setfenv(1, {}) return 'a' .. 'b'", ""},
	{"a metatable of strings that loops", "getmetatable('').__index = function(s, k) return s[k] end return ('x').y", ""},
	{"an index that loops", "t = {} setmetatable(t, {__index = t}) return t.x", ""},
}

func TestHostileScripts(t *testing.T) {
	for _, tc := range hostile {
		t.Run(tc.reason, func(t *testing.T) {
			script, err := Compile(tc.source, true, time.Now)
			if err != nil {
				t.Fatal(err)
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			began := time.Now()
			got, err := script.Run(ship)
			took := time.Since(began)
			runtime.ReadMemStats(&after)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("returned %.40v, %v; want an error with %q", got, err, tc.want)
			}
			if took > 10*time.Second {
				t.Errorf("took %s", took)
			}
			if made := after.TotalAlloc - before.TotalAlloc; made > 1<<30 {
				t.Errorf("made %d MiB", made>>20)
			}
			t.Logf("%s, %d MiB: %v", took.Round(time.Millisecond), (after.TotalAlloc-before.TotalAlloc)>>20, err)
		})
	}
}

// The steps end most runs before the clock does; what is slow in each step is ended by the clock.
func TestTimeLimit(t *testing.T) {
	now := noon()
	script, err := Compile("while true do end", false, func() time.Time { now = now.Add(time.Millisecond); return now })
	if err != nil {
		t.Fatal(err)
	}
	if _, err = script.Run(nil); err == nil || !strings.Contains(err.Error(), "steps") {
		t.Errorf("got %v", err)
	}
	now = noon()
	script, _ = Compile("while true do end", false, func() time.Time { now = now.Add(time.Second); return now })
	if _, err = script.Run(nil); err == nil || err.Error() != "the script was stopped after 1s; look for a loop that does not end" {
		t.Errorf("got %v", err)
	}
}

// Runs share nothing: what one does to its libraries and globals, the next does not see.
func TestRunsShareNothing(t *testing.T) {
	script, err := Compile("seen = (seen or 0) + 1 local was = table.mark table.mark = true obj.metadata.name = 'other' return {seen, was == nil}", false, noon)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		got, err := script.Run(ship)
		if diff := gocmp.Diff([]any{1.0, true}, got); diff != "" || err != nil {
			t.Fatalf("%v, -want +got:\n%s", err, diff)
		}
	}
	if name := ship["metadata"].(map[string]any)["name"]; name != "argo" {
		t.Errorf("the object was changed: %v", name)
	}
}

func TestWays(t *testing.T) {
	for _, tc := range []struct{ n, k, want int }{{20, 6, 230230}, {0, 3, 1}, {5, 1, 6}, {1000, 50, maxTries + 1}, {math.MaxInt32, 3, maxTries + 1}} {
		if got := ways(tc.n, tc.k); got != tc.want {
			t.Errorf("ways(%d, %d) = %d, want %d", tc.n, tc.k, got, tc.want)
		}
	}
}

func FuzzRun(f *testing.F) {
	for _, tc := range hostile {
		f.Add(tc.source, true)
	}
	f.Add("hs = {} for i, c in ipairs(obj.status.conditions) do hs.message = c.type end return hs", false)
	f.Fuzz(func(t *testing.T, source string, open bool) {
		script, err := Compile(source, open, time.Now)
		if err != nil {
			return
		}
		began := time.Now()
		if _, err := script.Run(ship); err != nil && strings.Contains(err.Error(), "internal error") {
			t.Error(err)
		}
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("took %s", took)
		}
	})
}

const script = `
hs = {}
if obj.status ~= nil and obj.status.conditions ~= nil then
  for i, condition in ipairs(obj.status.conditions) do
    if condition.type == "Manned" and condition.status == "False" then
      hs.status = "Degraded"
      hs.message = "not manned: " .. condition.type
      return hs
    end
  end
end
hs.status = "Progressing"
return hs
`

func BenchmarkRun(b *testing.B) {
	for name, open := range map[string]bool{"default": false, "open": true} {
		b.Run(name, func(b *testing.B) {
			s, err := Compile(script, open, time.Now)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Run(ship); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkCompile(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Compile(script, false, time.Now); err != nil {
			b.Fatal(err)
		}
	}
}

// A script runs for many objects at the same time; with -race this finds what runs share.
func TestRunsAtTheSameTime(t *testing.T) {
	s, err := Compile("t = {} table.insert(t, 'x') string.mark = (string.mark or '') .. ('a'):upper() return string.mark .. table.concat(t)", true, noon)
	if err != nil {
		t.Fatal(err)
	}
	results := make(chan any)
	for range 16 {
		go func() {
			got, err := s.Run(ship)
			if err != nil {
				got = err
			}
			results <- got
		}()
	}
	for range 16 {
		if got := <-results; got != "Ax" {
			t.Errorf("got %v", got)
		}
	}
}
