package deliver

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/memfault-go/memfault/examples/relay/internal/lease"
)

// Gate is an http.RoundTripper that asks right before each request whether the lease is
// valid. After the lease is lost, and after Close, it sends nothing.
type Gate struct {
	lease *lease.Lease

	mu       sync.Mutex
	closed   bool
	inFlight int
	idle     chan struct{} // closed when there is no request in flight, after Close
}

// NewGate returns a gate for a lease.
func NewGate(l *lease.Lease) *Gate { return &Gate{lease: l, idle: make(chan struct{})} }

// Through returns an http.RoundTripper that sends through the gate and then through next.
func (g *Gate) Through(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(request *http.Request) (*http.Response, error) {
		if !g.enter() {
			return nil, errLost
		}
		defer g.leave()
		return next.RoundTrip(request)
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (r roundTripper) RoundTrip(request *http.Request) (*http.Response, error) { return r(request) }

func (g *Gate) enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed || !g.lease.Valid() {
		return false
	}
	g.inFlight++
	return true
}

func (g *Gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inFlight--
	if g.closed && g.inFlight == 0 {
		close(g.idle)
	}
}

// close makes the gate send nothing more, and waits until the requests in flight have ended,
// the lease is lost, or ctx ends.
func (g *Gate) close(ctx context.Context) {
	g.mu.Lock()
	if !g.closed {
		g.closed = true
		if g.inFlight == 0 {
			close(g.idle)
		}
	}
	g.mu.Unlock()
	select {
	case <-g.idle:
	case <-g.lease.Lost():
	case <-ctx.Done():
	}
}

// Budget limits the bytes of chunks in memory. It is safe for concurrent use by multiple
// goroutines.
type Budget struct {
	mu   sync.Mutex
	left int64
}

// NewBudget returns a [Budget].
func NewBudget(bytes int64) *Budget { return &Budget{left: bytes} }

// overhead is about what a chunk in memory costs besides its content.
const overhead = 1024

func (b *Budget) acquire(chunk int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.left < int64(chunk)+overhead {
		return false
	}
	b.left -= int64(chunk) + overhead
	return true
}

func (b *Budget) release(chunk int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.left += int64(chunk) + overhead
}

// budgetWait is how long parked chunks wait while the budget is used up.
const budgetWait = 20 * time.Millisecond
