package ordered

import (
	"math/rand/v2"
	"time"
)

// The waits between the requests that find out whether the service is back.
const (
	firstProbeWait = 500 * time.Millisecond
	lastProbeWait  = 4 * time.Second
	probeJitter    = 400 * time.Millisecond
	longestProbe   = 4 * time.Second // the next probe is sent after it even if this one has no outcome
)

// What failures mean: while a batch was accepted in the last seconds, and fewer devices failed
// since than this many times the largest limit, they are failures of devices. Otherwise, they
// are failures of the service.
const (
	servingFor      = 20 * time.Second
	servingFailures = 3
)

// sickShare is the part of the requests in flight that devices whose last batch failed can
// have, and the part of the turns in which they are first.
const sickShare = 4

// row is the devices that had outcomes of one kind since a batch was accepted.
type row struct {
	first   *device
	several bool
}

func (r *row) add(d *device) {
	if r.first == nil {
		r.first = d
	}
	r.several = r.several || r.first != d
}

// hasOthers reports whether there are other devices.
func (r *row) hasOthers(d *device) bool { return r.several || r.first != nil && r.first != d }

// brake limits the requests in flight. An accepted batch doubles the limit, a failure of the
// service halves it. At one, the Sender only probes: it sends one request after a growing
// wait, until a batch is accepted.
type brake struct {
	limit      int // of requests in flight
	most       int // the largest limit
	live       int // requests in flight that the limit counts
	stale      int // requests in flight that it counts no longer
	sick       int // requests in flight of devices whose last batch failed
	turn       int // requests sent
	recoveries int // how often it stopped counting those in flight

	braked bool
	probes int           // consecutive failures of a probe
	next   time.Duration // when the next probe can be sent

	accepted   int64         // batches
	acceptedAt time.Duration // the last of them

	// Since a batch was accepted:
	failures    int // all
	first       int // of devices that had not failed before
	failed      row
	throttled   row
	misdirected row
}

func newBrake(most int) brake { return brake{limit: most, most: most} }

// allows reports whether a request can be sent.
func (b *brake) allows(now time.Duration) bool {
	if b.braked {
		return now >= b.next
	}
	return b.live < b.limit || now >= b.next
}

func (b *brake) hasSlot() bool { return b.live+b.stale < b.most }

// allowsSick reports whether a device whose last batch failed can have a request.
func (b *brake) allowsSick(now time.Duration) bool {
	return b.braked || b.sick < max(b.limit/sickShare, 1) && (b.failures < b.most || now >= b.next)
}

// sent counts a request.
func (b *brake) sent(r *request, now time.Duration) {
	if b.live >= b.limit { // those in flight hang
		b.forget()
	}
	b.live++
	b.turn++
	r.recovery, r.probe = b.recoveries, b.braked
	if r.sick = r.device.standing >= affected; r.sick {
		b.sick++
	}
	b.next = now + longestProbe
}

// ended counts a request whose outcome is known.
func (b *brake) ended(r *request) {
	if r.recovery == b.recoveries {
		b.live--
	} else {
		b.stale--
	}
	if r.sick {
		b.sick--
	}
}

// accept counts an accepted batch.
func (b *brake) accept(now time.Duration) {
	b.accepted++
	b.acceptedAt = now
	b.failures, b.first = 0, 0
	b.failed, b.throttled, b.misdirected = row{}, row{}, row{}
	b.limit += min(b.limit, b.most-b.limit)
	if b.braked {
		b.braked, b.probes = false, 0
		b.forget()
	}
}

// forget makes the limit count no request that is in flight.
func (b *brake) forget() {
	b.stale, b.live = b.stale+b.live, 0
	b.recoveries++
}

// serves reports whether the service accepts the batches of some devices.
func (b *brake) serves(now time.Duration) bool {
	return b.accepted > 0 && now-b.acceptedAt < servingFor && b.first/servingFailures < b.most
}

// fail counts a failure of the service, or of a device.
func (b *brake) fail(r *request, now time.Duration) {
	b.failed.add(r.device)
	b.failures++
	if r.device.failures == 0 {
		b.first++
	}
	if b.serves(now) {
		return
	}
	b.limit = max(b.limit/2, 1)
	switch {
	case b.limit > 1:
	case !b.braked:
		b.braked, b.probes = true, 0
		b.next = now + probeWait(0)
	case r.probe:
		if r.device.failures > 0 || b.first/servingFailures >= b.most {
			b.probes++
		}
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

// throttle counts a response that is about one device, unless several devices have it: then
// it is a failure of the service. It reports whether it is.
func (b *brake) throttle(r *request, now time.Duration) bool {
	several := b.throttled.hasOthers(r.device)
	b.throttled.add(r.device)
	switch {
	case several:
		b.fail(r, now)
	case b.braked:
		b.next = min(b.next, now+probeWait(0))
	}
	return several
}

func probeWait(failures int) time.Duration {
	wait := lastProbeWait
	if failures < 10 {
		wait = min(firstProbeWait<<failures, lastProbeWait)
	}
	return wait + rand.N(probeJitter) //nolint:gosec // jitter needs no secret randomness
}
