package application

import (
	"time"

	"k8s.io/apimachinery/pkg/api/equality"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
)

const (
	// wordsRest is how long health messages must stand still before they are written, when nothing else has changed.
	wordsRest = 2 * time.Second
	// wordsPause is how much time must lie between two such writes of one application.
	wordsPause = time.Minute
)

// words are health messages that wait to be written: a rollout has another one for each pod, and none of them decides anything.
type words struct {
	pending argov1.ApplicationStatus // with these messages
	since   time.Time                // when they were new
	written time.Time                // when messages alone were written last
}

// holdWords tells how long the status can wait because it differs in health messages only; 0 when it must be written, or says
// nothing new.
func (s *scope) holdWords() time.Duration {
	if s.app.Operation != nil || !s.onlyWords() {
		return 0
	}
	w := &s.memory.worded
	if w.since.IsZero() || !equality.Semantic.DeepEqual(w.pending, s.app.Status) {
		w.pending, w.since = *s.app.Status.DeepCopy(), s.now
	}
	due := w.since.Add(wordsRest)
	if next := w.written.Add(wordsPause); next.After(due) {
		due = next
	}
	if wait := due.Sub(s.now); wait > 0 {
		return wait
	}
	w.written = s.now
	return 0
}

// onlyWords tells whether the application differs from what the API server has in health messages, and in nothing else.
func (s *scope) onlyWords() bool {
	old, now := s.base.Status, s.app.Status
	if len(old.Resources) != len(now.Resources) || !equality.Semantic.DeepEqual(s.base.Annotations, s.app.Annotations) {
		return false
	}
	reworded := old.Health.Message != now.Health.Message
	for i := range now.Resources {
		if a, b := old.Resources[i].Health, now.Resources[i].Health; a != nil && b != nil && a.Message != b.Message {
			reworded = true
			break
		}
	}
	return reworded && equality.Semantic.DeepEqual(withoutWords(old), withoutWords(now))
}

// withoutWords is a status without health messages.
func withoutWords(status argov1.ApplicationStatus) argov1.ApplicationStatus {
	status = *status.DeepCopy()
	status.Health.Message = ""
	for i := range status.Resources {
		if status.Resources[i].Health != nil {
			status.Resources[i].Health.Message = ""
		}
	}
	return status
}
