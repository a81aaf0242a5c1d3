package replay

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// event is a state of the Application x that is seen some time after the one before.
type event struct {
	after time.Duration
	state string // Its JSON without metadata; empty means that it is gone.
}

// following is a session whose only Application goes through the events, the first of them at once.
func following(t *testing.T, events ...event) *session {
	t.Helper()
	a := &applications{seen: map[string]sighting{}, changed: make(chan struct{})}
	see := func(i int, e event) {
		o := &unstructured.Unstructured{}
		content := fmt.Sprintf(`{"apiVersion":"argoproj.io/v1alpha1","kind":"Application","metadata":{"name":"x","resourceVersion":"%d"},`, i+1) + e.state[min(len(e.state), 1):]
		if e.state == "" {
			content = `{"apiVersion":"argoproj.io/v1alpha1","kind":"Application","metadata":{"name":"x","resourceVersion":"1"}}`
		}
		if err := o.UnmarshalJSON([]byte(content)); err != nil {
			t.Errorf("%s: %v", content, err)
		}
		a.note(o, e.state == "")
	}
	see(0, events[0])
	go func() {
		for i, e := range events[1:] {
			pause(t.Context(), e.after)
			see(i+1, e)
		}
	}()
	return &session{Runner: &Runner{applications: a}, suffixes: []string{""}, names: map[string]string{"": "x"}}
}

// running is the state of an operation that began in a second of the fake clock's first minute.
func running(second int, message string) string {
	return fmt.Sprintf(`{"operation":{"sync":{}},"status":{"operationState":{"phase":"Running","message":%q,"startedAt":"2000-01-01T00:00:%02dZ","operation":{}}}}`, message, second)
}

func ended(second int, message string) string {
	return fmt.Sprintf(`{"status":{"operationState":{"phase":"Succeeded","message":%q,"startedAt":"2000-01-01T00:00:%02dZ","finishedAt":"2000-01-01T00:00:%02dZ","operation":{}}}}`, message, second, second)
}

func TestObservation(t *testing.T) {
	const ms = time.Millisecond
	earlier := time.Date(2000, 1, 1, 0, 0, 1, 0, time.UTC)
	wait := []Reaction{{When: "^waiting"}, {When: "^more"}}
	for _, test := range []struct {
		reason string
		step   Step
		events []event
		took   time.Duration
		during []string
		ended  bool
	}{
		{
			"the operation before is not this one",
			Step{},
			[]event{{0, ended(1, "before")}, {100 * ms, running(5, "go")}, {2000 * ms, ended(5, "done")}},
			2100 * ms, nil, true,
		},
		{
			"an attempt that ended while another follows is not the end",
			Step{},
			[]event{{0, `{"operation":{"sync":{}},"status":{"operationState":{"phase":"Running","startedAt":"2000-01-01T00:00:05Z","finishedAt":"2000-01-01T00:00:06Z","operation":{}}}}`}, {500 * ms, ended(5, "done")}},
			500 * ms, nil, true,
		},
		{
			"a reaction comes once its message has stood, each once and in order",
			Step{Then: wait},
			[]event{{0, running(5, "more")}, {time.Second, running(5, "waiting for a")}, {time.Second, running(5, "more")}, {time.Second, running(5, "waiting again")}, {time.Second, ended(5, "done")}},
			4 * time.Second,
			[]string{"waiting for a", "more"},
			true,
		},
		{
			"a message that flashes by is nobody's",
			Step{Then: wait},
			[]event{{0, running(5, "waiting for a")}, {100 * ms, running(5, "go")}, {100 * ms, running(5, "waiting for b")}, {900 * ms, ended(5, "done")}},
			1100 * ms,
			[]string{"waiting for b"},
			true,
		},
		{
			"what changes in the message while it matches does not matter",
			Step{Then: wait},
			[]event{{0, running(5, "waiting for a")}, {200 * ms, running(5, "waiting for b")}, {900 * ms, ended(5, "done")}},
			1100 * ms,
			[]string{"waiting for b"},
			true,
		},
		{
			"an operation hangs when its message has stood for a second",
			Step{Running: "blocked"},
			[]event{{0, running(5, "go")}, {300 * ms, running(5, "blocked by a window")}, {time.Minute, ended(5, "done")}},
			1300 * ms, nil, false,
		},
		{
			"it hangs only after all reactions",
			Step{Running: "waiting", Then: wait[:1]},
			[]event{{0, running(5, "waiting")}, {time.Minute, ended(5, "done")}},
			1250 * ms,
			[]string{"waiting"},
			false,
		},
		{
			"the step's time is over",
			Step{Cap: seconds(3 * time.Second)},
			[]event{{0, running(5, "go")}, {time.Minute, ended(5, "done")}},
			3 * time.Second, nil, false,
		},
	} {
		t.Run(test.reason, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := following(t, test.events...)
				rec := &stepRecord{}
				o := observation{session: s, step: test.step, earlier: earlier, then: test.step.Then, rec: rec}
				began := time.Now()
				last, err := o.watch(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if took := time.Since(began).Truncate(ms); took != test.took {
					t.Errorf("took %s; want %s", took, test.took)
				}
				if diff := cmp.Diff(test.during, rec.During); diff != "" {
					t.Errorf("reactions (-want +got):\n%s", diff)
				}
				if got := o.ended(last); got != test.ended {
					t.Errorf("ended: %v; want %v", got, test.ended)
				}
			})
		})
	}
}

func TestSettled(t *testing.T) {
	state := func(sync, health string, second int) string {
		return fmt.Sprintf(`{"status":{"sync":{"status":%q,"comparedTo":{"destination":{}}},"health":{"status":%q},"reconciledAt":"2000-01-01T00:00:%02dZ"}}`, sync, health, second)
	}
	for _, test := range []struct {
		reason string
		events []event
		took   time.Duration
		sync   string
	}{
		{"nothing happens", []event{{0, state("Synced", "Healthy", 0)}}, time.Second, "Synced"},
		{
			"every change begins anew",
			[]event{{0, state("A", "Healthy", 0)}, {900 * time.Millisecond, state("B", "Healthy", 0)}, {900 * time.Millisecond, state("C", "Healthy", 0)}},
			2800 * time.Millisecond, "C",
		},
		{"what is not recorded may change", []event{{0, state("A", "Healthy", 0)}, {900 * time.Millisecond, state("A", "Healthy", 7)}}, time.Second, "A"},
		{"progress is waited for three times as long", []event{{0, state("A", "Progressing", 0)}, {2500 * time.Millisecond, state("A", "Healthy", 0)}}, 3500 * time.Millisecond, "A"},
		{
			"what never comes to rest is recorded as it is at the limit",
			[]event{{0, state("A", "Healthy", 0)}, {900 * time.Millisecond, state("B", "Healthy", 0)}, {900 * time.Millisecond, state("C", "Healthy", 0)}, {900 * time.Millisecond, state("D", "Healthy", 0)}, {900 * time.Millisecond, state("E", "Healthy", 0)}, {900 * time.Millisecond, state("F", "Healthy", 0)}},
			4 * time.Second, "E",
		},
	} {
		t.Run(test.reason, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := following(t, test.events...)
				began := time.Now()
				last := s.settled(t.Context(), "", time.Second, 4*time.Second)
				if took := time.Since(began); took != test.took {
					t.Errorf("took %s; want %s", took, test.took)
				}
				if got := string(last.Status.Sync.Status); got != test.sync {
					t.Errorf("settled at %s; want %s", got, test.sync)
				}
			})
		})
	}
}

func TestNote(t *testing.T) {
	a := &applications{seen: map[string]sighting{}, changed: make(chan struct{})}
	see := func(version, sync string, deleted bool) {
		o := &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "argoproj.io/v1alpha1", "kind": "Application",
			"metadata": map[string]any{"name": "x", "resourceVersion": version},
			"status":   map[string]any{"sync": map[string]any{"status": sync}},
		}}
		a.note(o, deleted)
	}
	want := func(reason, sync string) {
		t.Helper()
		got := "gone"
		if application, _ := a.get("x"); application != nil {
			got = string(application.Status.Sync.Status)
		}
		if got != sync {
			t.Errorf("%s: %s; want %s", reason, got, sync)
		}
	}
	want("nothing was seen", "gone")
	see("9", "A", false)
	want("the first state", "A")
	see("10", "B", false)
	want("10 is later than 9", "B")
	see("9", "A", false)
	want("a watch that lags behind the answer to a write", "B")
	see("12", "C", true)
	want("deleted", "gone")
	see("11", "C", false)
	want("the answer to a write before the deletion", "gone")
	_, changed := a.get("x")
	see("13", "D", false)
	select {
	case <-changed:
	default:
		t.Error("a change wakes nobody")
	}
	want("created anew", "D")
}
