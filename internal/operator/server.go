package operator

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"
)

// stopTimeout is how long requests may take to end when the process does.
const stopTimeout = 5 * time.Second

// httpServer serves a handler on an address until its context ends.
type httpServer struct {
	what, address string
	handler       http.Handler
	patience      time.Duration
}

// newHTTPServer serves something; patience bounds reading a request and writing an answer.
func newHTTPServer(what, address string, handler http.Handler, patience time.Duration) *httpServer {
	return &httpServer{what: what, address: address, handler: handler, patience: patience}
}

// NeedLeaderElection tells that every replica serves.
func (s *httpServer) NeedLeaderElection() bool { return false }

// Start serves until ctx ends.
func (s *httpServer) Start(ctx context.Context) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", s.address)
	if err != nil {
		return fmt.Errorf("listening for %s: %w", s.what, err)
	}
	server := &http.Server{
		Handler: s.handler, ReadTimeout: s.patience, ReadHeaderTimeout: s.patience, WriteTimeout: s.patience,
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		return fmt.Errorf("serving %s on %s: %w", s.what, s.address, err)
	case <-ctx.Done():
	}
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	return server.Shutdown(stopping)
}
