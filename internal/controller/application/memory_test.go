package application

import (
	"testing"

	"k8s.io/apimachinery/pkg/types"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/target"
)

func TestShed(t *testing.T) {
	r := &Reconciler{}
	resting, working := r.remember(types.NamespacedName{Name: "resting"}), r.remember(types.NamespacedName{Name: "working"})
	for _, mem := range []*memory{resting, working} {
		mem.state, mem.stateKey = &target.State{}, "key"
	}
	working.busy.Lock()
	r.Shed()
	working.busy.Unlock()
	if resting.state != nil || resting.stateKey != "" {
		t.Error("an application at rest keeps what can be rendered again")
	}
	if working.state == nil || working.stateKey == "" {
		t.Error("an application loses its target while it is reconciled")
	}
	if r.remember(types.NamespacedName{Name: "resting"}) != resting {
		t.Error("what cannot be had again is lost")
	}
}

// What we wrote counts until the cache has it, whichever of the two is seen first.
func TestWrittenUntilCached(t *testing.T) {
	at := func(version string) *argov1.Application {
		app := &argov1.Application{}
		app.ResourceVersion = version
		return app
	}
	for _, tc := range []struct {
		reason string
		do     func(m *memory)
		keeps  bool
	}{
		{"the cache knows nothing yet", func(m *memory) { m.wrote(at("7")) }, true},
		{"the cache has an older version", func(m *memory) { m.wrote(at("7")); m.cached.Store(6); m.catchUp() }, true},
		{"the cache catches up", func(m *memory) { m.wrote(at("7")); m.cached.Store(7); m.catchUp() }, false},
		{"the cache was faster than the answer", func(m *memory) { m.cached.Store(8); m.catchUp(); m.wrote(at("7")) }, false},
		{"a second write", func(m *memory) { m.cached.Store(7); m.wrote(at("7")); m.wrote(at("9")); m.catchUp() }, true},
		{"a version that is no number cannot be waited for", func(m *memory) { m.wrote(at("seven")); m.catchUp() }, false},
	} {
		m := &memory{}
		tc.do(m)
		if kept := m.written.Load() != nil; kept != tc.keeps {
			t.Errorf("%s: kept %v", tc.reason, kept)
		}
	}
}
