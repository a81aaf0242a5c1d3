package operator

import (
	"testing"
	"time"

	"github.com/spf13/pflag"

	"github.com/tiphys-io/tiphys/internal/controller/application"
)

// What nobody sets is as in the contract (2.4 step 10, 2.9, 2.10).
func TestDefaults(t *testing.T) {
	var options Options
	options.register(pflag.NewFlagSet("", pflag.ContinueOnError))
	if options.WaveDelay != 2*time.Second {
		t.Errorf("pause between waves %s, want 2 s", options.WaveDelay)
	}
	if want := (application.Backoff{Base: 2 * time.Second, Factor: 3, Cap: 300 * time.Second}); options.SelfHeal != want {
		t.Errorf("self-heal back-off %+v, want %+v", options.SelfHeal, want)
	}
	if options.Timeout != 120*time.Second || options.Jitter != 60*time.Second {
		t.Errorf("polling every %s + %s, want 120 s + 60 s", options.Timeout, options.Jitter)
	}
	if options.SyncTimeout != 0 {
		t.Errorf("deadline of a sync %s, want none", options.SyncTimeout)
	}
}
