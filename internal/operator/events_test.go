package operator

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	eventsv1 "k8s.io/api/events/v1"
)

// slowSink answers when it is told to, and knows how many wait for it.
type slowSink struct {
	entered, answer chan struct{}
}

func (s *slowSink) take() (*eventsv1.Event, error) {
	s.entered <- struct{}{}
	<-s.answer
	return &eventsv1.Event{}, nil
}

func (s *slowSink) Create(context.Context, *eventsv1.Event) (*eventsv1.Event, error) { return s.take() }

func (s *slowSink) Update(context.Context, *eventsv1.Event) (*eventsv1.Event, error) { return s.take() }

func (s *slowSink) Patch(context.Context, *eventsv1.Event, []byte) (*eventsv1.Event, error) {
	return s.take()
}

func TestEventsAreSentAFewAtATime(t *testing.T) {
	slow := &slowSink{entered: make(chan struct{}, 10), answer: make(chan struct{})}
	narrow := &narrowSink{next: slow, slots: make(chan struct{}, 2)}
	var all sync.WaitGroup
	for _, send := range []func() (*eventsv1.Event, error){
		func() (*eventsv1.Event, error) { return narrow.Create(t.Context(), nil) },
		func() (*eventsv1.Event, error) { return narrow.Update(t.Context(), nil) },
		func() (*eventsv1.Event, error) { return narrow.Patch(t.Context(), nil, nil) },
	} {
		all.Go(func() {
			if _, err := send(); err != nil {
				t.Error(err)
			}
		})
	}
	for range 2 {
		<-slow.entered
	}
	select {
	case <-slow.entered:
		t.Error("a third event is sent while two are under way")
	case <-time.After(20 * time.Millisecond):
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := narrow.Create(ended, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("an event that waits when all ends: %v", err)
	}
	for range 3 {
		slow.answer <- struct{}{}
	}
	all.Wait()
}
