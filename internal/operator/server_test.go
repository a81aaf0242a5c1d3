package operator

import (
	"context"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestServerSaysWhatItCannotServe(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	server := newHTTPServer("webhooks", taken.Addr().String(), http.NotFoundHandler(), time.Second)
	if err := server.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "webhooks") || !strings.Contains(err.Error(), taken.Addr().String()) {
		t.Errorf("error %v names neither what is served nor where", err)
	}
}

func TestServerEndsWithItsContext(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	server := newHTTPServer("webhooks", "127.0.0.1:0", http.NotFoundHandler(), time.Second)
	ended := make(chan error, 1)
	go func() { ended <- server.Start(ctx) }()
	stop()
	if err := <-ended; err != nil && !strings.Contains(err.Error(), "canceled") {
		t.Error(err)
	}
	if server.NeedLeaderElection() {
		t.Error("a replica that does not lead would not serve")
	}
}
