package operator

import (
	"context"
	"fmt"

	eventsv1 "k8s.io/api/events/v1"
	eventsclient "k8s.io/client-go/kubernetes/typed/events/v1"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/manager"
)

// eventsAtOnce is how many events are sent at the same time. Client-go sends each as soon as it comes: when hundreds of
// applications sync, events would crowd out the requests that do the work.
const eventsAtOnce = 2

// newEventRecorder records events of Applications until ctx ends.
func newEventRecorder(ctx context.Context, mgr manager.Manager) (events.EventRecorder, error) {
	client, err := eventsclient.NewForConfigAndClient(mgr.GetConfig(), mgr.GetHTTPClient())
	if err != nil {
		return nil, fmt.Errorf("connecting to the cluster: %w", err)
	}
	broadcaster := events.NewBroadcaster(&narrowSink{next: &events.EventSinkImpl{Interface: client}, slots: make(chan struct{}, eventsAtOnce)})
	if err := broadcaster.StartRecordingToSinkWithContext(ctx); err != nil {
		return nil, fmt.Errorf("recording events: %w", err)
	}
	context.AfterFunc(ctx, broadcaster.Shutdown)
	return broadcaster.NewRecorder(mgr.GetScheme(), "tiphys"), nil
}

// narrowSink lets a few events through at a time.
type narrowSink struct {
	next  events.EventSink
	slots chan struct{}
}

// Create implements [events.EventSink].
func (s *narrowSink) Create(ctx context.Context, event *eventsv1.Event) (*eventsv1.Event, error) {
	return s.send(ctx, func() (*eventsv1.Event, error) { return s.next.Create(ctx, event) })
}

// Update implements [events.EventSink].
func (s *narrowSink) Update(ctx context.Context, event *eventsv1.Event) (*eventsv1.Event, error) {
	return s.send(ctx, func() (*eventsv1.Event, error) { return s.next.Update(ctx, event) })
}

// Patch implements [events.EventSink].
func (s *narrowSink) Patch(ctx context.Context, event *eventsv1.Event, data []byte) (*eventsv1.Event, error) {
	return s.send(ctx, func() (*eventsv1.Event, error) { return s.next.Patch(ctx, event, data) })
}

func (s *narrowSink) send(ctx context.Context, send func() (*eventsv1.Event, error)) (*eventsv1.Event, error) {
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
		return send()
	case <-ctx.Done():
		return nil, fmt.Errorf("waiting to send an event: %w", context.Cause(ctx))
	}
}
