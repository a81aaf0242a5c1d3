package main

import (
	"testing"
	"time"

	"github.com/tiphys-io/tiphys/test/fixture"
)

func TestWrongDelete(t *testing.T) {
	begin := time.Now()
	f := &fleet{name: "api", commits: []time.Time{begin, begin.Add(time.Minute)}}
	for _, c := range []struct {
		reason, name string
		after        time.Duration
		wrong        bool
	}{
		{"Git holds it always", "kept-api-001", 2 * time.Minute, true},
		{"hooks are deleted when they are done", "hook-api-001-abc", 0, false},
		{"Git no longer holds it", "new-api-001-0", 2 * time.Minute, false},
		{"Git still held it then", "new-api-001-0", time.Second, true},
		{"the round is not over", "new-api-001-1", 2 * time.Minute, true},
	} {
		t.Run(c.reason, func(t *testing.T) {
			r := fixture.Request{Name: c.name, Received: begin.Add(c.after)}
			if got := f.wrongDelete(r); (got != "") != c.wrong {
				t.Errorf("wrong: %q, want %t", got, c.wrong)
			}
		})
	}
}
