package operator

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFileBacked(t *testing.T) {
	const clean, written = "Rss:  100 kB\nAnonymous:             0 kB\nVmFlags: rd ex\n", "Rss: 100 kB\nAnonymous:             4 kB\n"
	for _, tc := range []struct {
		reason, smaps string
		want          []area
	}{
		{"code", "00400000-02a8b000 r-xp 00000000 08:01 42   /tiphys\n" + clean, []area{{0x400000, 0x2a8b000}}},
		{"constants", "02a8b000-03f9d000 r--p 0268b000 08:01 42   /tiphys\n" + clean, []area{{0x2a8b000, 0x3f9d000}}},
		{"constants that a linker has written to", "02a8b000-03f9d000 r--p 0268b000 08:01 42   /tiphys\n" + written, nil},
		{"variables", "03f9d000-045ca000 rw-p 03b9d000 08:01 42   /tiphys\n" + clean, nil},
		{"another file", "7f00000000-7f00001000 r-xp 00000000 08:01 43   /lib/libc.so\n" + clean, nil},
		{"no file", "c000000000-c004000000 r--p 00000000 00:00 0\n" + clean, nil},
		{"a name that goes on", "00400000-02a8b000 r-xp 00000000 08:01 42   /tiphys (deleted)\n" + clean, nil},
		{"no addresses", "x-y r-xp 00000000 08:01 42   /tiphys\n" + clean, nil},
		{"nothing", "00400000-00400000 r-xp 00000000 08:01 42   /tiphys\n" + clean, nil},
		{"a kernel that does not tell", "00400000-02a8b000 r-xp 00000000 08:01 42   /tiphys\nRss: 100 kB\n", nil},
		{
			"one after the other",
			"00400000-02a8b000 r-xp 00000000 08:01 42   /tiphys\n" + clean + "02a8b000-03f9d000 r--p 0268b000 08:01 42   /tiphys\n" + written,
			[]area{{0x400000, 0x2a8b000}},
		},
	} {
		if diff := cmp.Diff(tc.want, fileBacked(tc.smaps, "/tiphys"), cmp.AllowUnexported(area{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
		}
	}
}

// The program goes on as if nothing had happened, whatever it does next.
func TestReleaseProgram(t *testing.T) {
	for range 3 {
		releaseProgram()
		TestFileBacked(t)
	}
}
