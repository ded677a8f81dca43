package ordered

import (
	"math/rand/v2"
	"time"
)

// The waits between the requests that find out whether the service is back.
const (
	firstProbeWait = 500 * time.Millisecond
	lastProbeWait  = 3500 * time.Millisecond
	probeJitter    = 500 * time.Millisecond
	longestProbe   = 4 * time.Second // the next probe is sent after it even if this one has no outcome
)

// brake limits the requests in flight. An accepted batch doubles the limit, a failure of
// the service halves it. At one, the Sender only probes: it sends one request after a
// growing wait, until a batch is accepted.
type brake struct {
	limit      int // of requests in flight
	most       int // the largest limit
	live       int // requests in flight that the limit counts
	stale      int // requests in flight that were sent before the last recovery
	recoveries int // how often a batch was accepted while braked

	braked bool
	probes int           // consecutive failures of a probe
	next   time.Duration // when the next probe can be sent

	accepted int64   // batches
	failed   *device // the first device that failed since a batch was accepted
	several  bool    // other devices failed since then as well: this is an outage
	outage   int64   // number of the current or next outage, from 1
}

func newBrake(most int) brake { return brake{limit: most, most: most, outage: 1} }

// allows reports whether a request can be sent.
func (b *brake) allows(now time.Duration) bool {
	if b.braked {
		return now >= b.next && b.hasSlot()
	}
	return b.live < b.limit && b.hasSlot()
}

func (b *brake) hasSlot() bool { return b.live+b.stale < b.most }

// sent counts a request.
func (b *brake) sent(r *request, now time.Duration) {
	b.live++
	r.recovery, r.probe = b.recoveries, b.braked
	b.next = now + longestProbe
}

// ended counts a request whose outcome is known.
func (b *brake) ended(r *request) {
	if r.recovery == b.recoveries {
		b.live--
	} else {
		b.stale--
	}
}

// accept counts an accepted batch. It reports whether that ends an outage, which is a series
// of failures of several devices.
func (b *brake) accept() (outageOver bool) {
	outageOver = b.several
	b.accepted++
	b.failed, b.several = nil, false
	b.limit += min(b.limit, b.most-b.limit)
	if b.braked {
		b.braked, b.probes = false, 0
		b.stale, b.live = b.stale+b.live, 0
		b.recoveries++
	}
	return outageOver
}

// notice counts a failure that the service may have caused.
func (b *brake) notice(d *device) {
	if b.failed == nil {
		b.failed = d
	}
	b.several = b.several || b.failed != d
}

// othersFailed reports whether other devices failed since a batch was accepted.
func (b *brake) othersFailed(d *device) bool {
	return b.several || b.failed != nil && b.failed != d
}

// fail counts a failure of the service.
func (b *brake) fail(r *request, now time.Duration) {
	b.notice(r.device)
	b.limit = max(b.limit/2, 1)
	switch {
	case b.limit > 1:
	case !b.braked:
		b.braked, b.probes = true, 0
		b.next = now + probeWait(0)
	case r.probe:
		b.probes++
		b.next = min(b.next, now+probeWait(b.probes)) // a later probe may have been sent
	}
}

// responded counts a response that shows that the service is at work, although it did not
// accept the batch.
func (b *brake) responded(now time.Duration) {
	if b.braked {
		b.probes, b.next = 0, now
	}
}

// throttled counts a response that is about one device, not the service as a whole.
func (b *brake) throttled(now time.Duration) {
	if b.braked {
		b.next = min(b.next, now+probeWait(0))
	}
}

func probeWait(failures int) time.Duration {
	wait := lastProbeWait
	if failures < 10 {
		wait = min(firstProbeWait<<failures, lastProbeWait)
	}
	return wait + rand.N(probeJitter) //nolint:gosec // jitter needs no secret randomness
}
