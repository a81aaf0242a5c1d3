package application

import (
	"testing"
	"time"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
)

// TestHoldWords plays passes of one application: what its object says of itself, and how long after the first pass.
func TestHoldWords(t *testing.T) {
	type pass struct {
		reason  string
		after   time.Duration
		status  argov1.HealthStatusCode
		message string
		held    bool
	}
	begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	app := &argov1.Application{}
	app.Status.Resources = []argov1.ResourceStatus{{Name: "web", Health: &argov1.HealthStatus{Status: argov1.HealthProgressing, Message: "0 of 10"}}}
	mem := &memory{}
	for _, p := range []pass{
		{"nothing is new", 0, argov1.HealthProgressing, "0 of 10", false},
		{"another message may wait", time.Second, argov1.HealthProgressing, "1 of 10", true},
		{"and the next one begins to wait anew", 2500 * time.Millisecond, argov1.HealthProgressing, "2 of 10", true},
		{"it still waits", 3 * time.Second, argov1.HealthProgressing, "2 of 10", true},
		{"it has stood still for long enough", 4500 * time.Millisecond, argov1.HealthProgressing, "2 of 10", false},
		{"the next one comes too soon after that", 10 * time.Second, argov1.HealthProgressing, "3 of 10", true},
		{"also when it stands still", 20 * time.Second, argov1.HealthProgressing, "3 of 10", true},
		{"a minute has passed", 65 * time.Second, argov1.HealthProgressing, "3 of 10", false},
		{"a status never waits, and takes the message along", 66 * time.Second, argov1.HealthHealthy, "", false},
	} {
		s := &scope{base: app, app: app.DeepCopy(), memory: mem, now: begin.Add(p.after)}
		s.app.Status.Resources[0].Health = &argov1.HealthStatus{Status: p.status, Message: p.message}
		if held := s.holdWords() > 0; held != p.held {
			t.Fatalf("%s: held %t, want %t", p.reason, held, p.held)
		}
		if !p.held {
			app = s.app
		}
	}
}

func TestHoldWordsOfOthers(t *testing.T) {
	for _, c := range []struct {
		reason string
		change func(*argov1.Application)
	}{
		{"an operation is under way", func(app *argov1.Application) { app.Operation = &argov1.Operation{} }},
		{"a condition is new", func(app *argov1.Application) {
			app.Status.Conditions = []argov1.ApplicationCondition{{Type: argov1.ConditionSyncError}}
		}},
		{"an object is new", func(app *argov1.Application) {
			app.Status.Resources = append(app.Status.Resources, argov1.ResourceStatus{Name: "new"})
		}},
		{"a refresh was answered", func(app *argov1.Application) { app.Annotations = nil }},
	} {
		app := &argov1.Application{}
		app.Annotations = map[string]string{argov1.AnnotationRefresh: "normal"}
		app.Status.Health.Message = "one"
		s := &scope{base: app, app: app.DeepCopy(), memory: &memory{}, now: time.Now()}
		s.app.Status.Health.Message = "two"
		if s.holdWords() == 0 {
			t.Fatal("a message alone is not held")
		}
		c.change(s.app)
		if s.holdWords() > 0 {
			t.Errorf("held although %s", c.reason)
		}
	}
}
