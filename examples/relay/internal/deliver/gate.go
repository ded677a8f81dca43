package deliver

import (
	"context"
	"net/http"
	"path"
	"sync"

	"github.com/memfault-go/memfault/examples/relay/internal/lease"
)

// gate asks right before each request whether the lease is valid. After the lease is lost, and
// after close, it sends nothing.
type gate struct {
	lease *lease.Lease

	mu       sync.Mutex
	closed   bool
	inFlight int
	idle     chan struct{} // closed when there is no request in flight, after Close
}

func newGate(l *lease.Lease) *gate { return &gate{lease: l, idle: make(chan struct{})} }

// through returns an http.RoundTripper that sends through the gate and then through next, and
// reports the outcome of each upload.
func (g *gate) through(next http.RoundTripper, report func(serial string, accepted bool)) http.RoundTripper {
	return roundTripper(func(request *http.Request) (*http.Response, error) {
		if !g.enter() {
			return nil, errLost
		}
		defer g.leave()
		response, err := next.RoundTrip(request)
		report(path.Base(request.URL.Path), err == nil && response.StatusCode/100 == 2)
		return response, err
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (r roundTripper) RoundTrip(request *http.Request) (*http.Response, error) { return r(request) }

func (g *gate) enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed || !g.lease.Valid() {
		return false
	}
	g.inFlight++
	return true
}

func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inFlight--
	if g.closed && g.inFlight == 0 {
		close(g.idle)
	}
}

// close makes the gate send nothing more, and waits until the requests in flight have ended,
// the lease is lost, or ctx ends.
func (g *gate) close(ctx context.Context) {
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
	mu          sync.Mutex
	limit, used int64
}

// NewBudget returns a [Budget].
func NewBudget(bytes int64) *Budget { return &Budget{limit: bytes} }

// Overhead is about what a chunk in memory costs besides its content, in bytes.
const Overhead = 1024

// acquire takes memory for a chunk. Chunks that wait must not keep out those that could be
// uploaded immediately. So a device that is not known to be healthy has more than one chunk in
// memory only while half of it is free, and a device that is sick has one while a quarter is.
func (b *Budget) acquire(chunk uint32, of health, first bool) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	limit := b.limit
	switch {
	case of != healthy && !first:
		limit = limit / 2
	case of == sick:
		limit = limit / 4 * 3
	}
	if b.used+int64(chunk)+Overhead > limit {
		return false
	}
	b.used += int64(chunk) + Overhead
	return true
}

func (b *Budget) release(chunk uint32) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.used -= int64(chunk) + Overhead
}
