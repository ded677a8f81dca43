// Package lease distributes names, such as partitions, among processes. A name has at most
// one valid lease at a time. The leases are keys of a bucket of NATS; see [Manager].
package lease

import (
	"context"
	"sync"
	"time"
)

// Clock returns the time since some fixed moment on a clock that is never set, and the time
// of day.
type Clock func() (monotonic time.Duration, wall time.Time)

// SystemClock returns a [Clock] that reads the clocks of the machine.
func SystemClock() Clock {
	start := time.Now()
	return func() (time.Duration, time.Time) {
		now := time.Now()
		return now.Sub(start), now.Round(0)
	}
}

// Lease is the right to act for a name. A lease that was found expired is never valid again,
// even if it is renewed late. It is safe for concurrent use by multiple goroutines.
type Lease struct {
	Name     string
	Revision uint64 // of the bucket when the lease was acquired; each lease has a higher one

	clock Clock
	ttl   time.Duration
	ctx   context.Context
	lose  context.CancelFunc

	mu        sync.Mutex
	monotonic time.Duration // when the last successful renewal began
	wall      time.Time
	latest    uint64 // revision of the last renewal
}

// New returns a lease that was acquired by a call that began at the given times.
func New(name string, revision uint64, clock Clock, ttl, monotonic time.Duration, wall time.Time) *Lease {
	l := &Lease{
		Name: name, Revision: revision, clock: clock, ttl: ttl,
		monotonic: monotonic, wall: wall, latest: revision,
	}
	l.ctx, l.lose = context.WithCancel(context.Background())
	return l
}

// Valid reports whether the lease is still valid.
//
// Valid reads both clocks. The monotonic clock stops while the machine is suspended, and the
// time of day can be set. If the lease has expired by either clock, it is not valid: a clock
// that is set forward costs a takeover, and a clock that is set back changes nothing.
func (l *Lease) Valid() bool {
	monotonic, wall := l.clock()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ctx.Err() != nil {
		return false
	}
	if monotonic-l.monotonic >= l.ttl || wall.Sub(l.wall) >= l.ttl {
		l.lose()
		return false
	}
	return true
}

// Lose ends the lease for this process.
func (l *Lease) Lose() { l.lose() }

// Lost returns a channel that is closed when the lease was found expired or was ended.
func (l *Lease) Lost() <-chan struct{} { return l.ctx.Done() }

// Context returns a context that ends with the lease.
func (l *Lease) Context() context.Context { return l.ctx }

// left returns how long the lease is valid without a renewal.
func (l *Lease) left() time.Duration {
	monotonic, _ := l.clock()
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.monotonic + l.ttl - monotonic
}

// renewed counts a renewal that began at the given times.
func (l *Lease) renewed(revision uint64, monotonic time.Duration, wall time.Time) {
	if !l.Valid() {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.latest, l.monotonic, l.wall = revision, monotonic, wall
}

func (l *Lease) revision() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.latest
}
