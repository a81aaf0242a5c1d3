package sealedsecret

import (
	"math"
	"net/http"
	"strconv"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	// maxClients bounds how many clients are told apart; the header that names them is theirs to write.
	maxClients = 65536
	// maxAtWork bounds how many requests are decrypted at the same time, whoever sends them.
	maxAtWork = 4
)

// Limit lets a number of requests a second through for each path and client, and a burst on top (contract A5).
type Limit struct {
	perSecond, burst int
	now              func() time.Time
	atWork           chan struct{}

	mu      sync.Mutex
	clients map[string]*rate.Limiter
}

// NewLimit makes a limit; burst is how many requests may come beyond the first at once.
func NewLimit(perSecond, burst int, now func() time.Time) *Limit {
	return &Limit{perSecond: perSecond, burst: burst, now: now, atWork: make(chan struct{}, maxAtWork), clients: map[string]*rate.Limiter{}}
}

// Handler answers 429 to what is beyond the limit, and says when to come again.
func (l *Limit) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		wait, remaining := l.take(r.URL.Path + "\x00" + r.Header.Get("X-Forwarded-For"))
		header := w.Header()
		header.Set("X-Ratelimit-Limit", strconv.Itoa(l.burst+1))
		header.Set("X-Ratelimit-Remaining", strconv.Itoa(remaining))
		if wait > 0 {
			header.Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
			say(w, http.StatusTooManyRequests, "too many requests\n")
			return
		}
		select {
		case l.atWork <- struct{}{}:
			defer func() { <-l.atWork }()
		case <-r.Context().Done():
			return
		}
		next.ServeHTTP(w, r)
	})
}

// take takes one request of a client; a wait means that it is refused until then.
func (l *Limit) take(client string) (wait time.Duration, remaining int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	limiter := l.clients[client]
	if limiter == nil {
		if len(l.clients) >= maxClients {
			l.forget(now)
		}
		limiter = rate.NewLimiter(rate.Limit(l.perSecond), l.burst+1)
		l.clients[client] = limiter
	}
	reservation := limiter.ReserveN(now, 1)
	if !reservation.OK() {
		return time.Second, 0
	}
	if wait = reservation.DelayFrom(now); wait > 0 {
		reservation.CancelAt(now)
	}
	return wait, max(int(limiter.TokensAt(now)), 0)
}

// forget drops the clients that have been quiet, or all when none has.
func (l *Limit) forget(now time.Time) {
	for client, limiter := range l.clients {
		if limiter.TokensAt(now) >= float64(l.burst+1) {
			delete(l.clients, client)
		}
	}
	if len(l.clients) >= maxClients {
		clear(l.clients)
	}
}
