package operator

import "testing"

func TestReadOnly(t *testing.T) {
	for _, tc := range []struct {
		reason, line string
		want         bool
	}{
		{"code", "00400000-02a8b000 r-xp 00000000 08:01 42   /tiphys\n", true},
		{"constants", "02a8b000-03f9d000 r--p 0268b000 08:01 42   /tiphys\n", true},
		{"variables", "03f9d000-045ca000 rw-p 03b9d000 08:01 42   /tiphys\n", false},
		{"another file", "7f00000000-7f00001000 r-xp 00000000 08:01 43   /lib/libc.so\n", false},
		{"no file", "c000000000-c004000000 rw-p 00000000 00:00 0\n", false},
		{"a name that goes on", "00400000-02a8b000 r-xp 00000000 08:01 42   /tiphys (deleted)\n", false},
		{"no addresses", "x-y r-xp 00000000 08:01 42   /tiphys\n", false},
		{"nothing", "00400000-00400000 r-xp 00000000 08:01 42   /tiphys\n", false},
	} {
		from, to, ok := readOnly(tc.line, "/tiphys")
		if ok != tc.want || (ok && (from < 0x400000 || to <= from)) {
			t.Errorf("%s: %x to %x, %v; want %v", tc.reason, from, to, ok, tc.want)
		}
	}
}

// The program goes on as if nothing had happened, whatever it does next.
func TestReleaseProgram(t *testing.T) {
	releaseProgram()
	TestReadOnly(t)
}
