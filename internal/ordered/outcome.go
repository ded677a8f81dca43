package ordered

import "time"

// Kind is what the outcome of a request means.
type Kind int

// The kinds of outcomes. "Others are served" means that batches of other devices were
// accepted since the previous outcome of this device.
const (
	// Accepted: the items are reported with nil.
	Accepted Kind = iota
	// Unavailable: the service is unavailable. The batch is kept, the device waits, and the
	// [Sender] sends fewer requests. If several devices fail, the next accepted batch ends
	// their waits. A device that fails again although others are served waits for its own
	// time. If RetryAfter is set, the device waits at least for that time, at most an hour.
	Unavailable
	// Lost: there was no response. This is [Unavailable], but the request may have been too
	// large, or an item may be at fault: a request above 64 KiB that is lost again is split,
	// and any request that is lost repeatedly while others are served and do not fail. A
	// single item is [Rejected] after ten such losses.
	Lost
	// Failed: the service failed, perhaps because of the items. While other devices fail
	// too, this is [Unavailable]. If it happens repeatedly while others are served, the batch
	// is split. A single item is [Rejected] after ten such failures.
	Failed
	// Throttled: the batch is kept, and the device waits for RetryAfter, at most an hour.
	Throttled
	// Refused: no request can succeed, whatever its items. The batch is kept, and the [Sender]
	// pauses: it sends nothing but probes until one is [Accepted], [TooMuch] or [Rejected]. If
	// the same device has this outcome again after the pause, only that device waits.
	Refused
	// TooMuch: a smaller batch may be accepted. The batch is split; a single item is
	// [Rejected].
	TooMuch
	// Rejected: the items are reported with Err.
	Rejected
)

// Outcome is the result of a request.
type Outcome struct {
	Kind       Kind
	RetryAfter time.Duration // of Throttled and Unavailable: the wait that the service asked for; 0 if none
	Err        error         // nil if Accepted
}

const (
	longestHold   = time.Hour // whatever the service asks for
	largeRequest  = 64 << 10  // bytes; a larger request can be lost because of its size
	lossesToSplit = 2         // of a large request
	ownToSplit    = 3         // failures of a batch while others are served
	ownToReport   = 10        // the same, of a single item
)

// finish handles the outcome of a request and continues with its device.
func (s *Sender) finish(r *request, o Outcome) {
	s.mu.Lock()
	s.brake.ended(r)
	d := r.device
	if d.request != r { // Close did not wait for it
		s.mu.Unlock()
		return
	}
	d.request, d.state, d.lastErr = nil, idle, o.Err
	paused := s.decide(r, o)
	if r.pauseProbe {
		s.pause.probed(o.Kind == Accepted || o.Kind == TooMuch || o.Kind == Rejected, s.now())
	}
	s.proceed(d)
	s.dispatch()
	report, turn := d.state == reporting, d.turn
	s.mu.Unlock()
	if paused && s.config.OnPause != nil {
		go s.config.OnPause(o.Err)
	}
	if report {
		s.report(d, turn)
	}
}

// decide does what an outcome means. It reports whether a pause begins. s.mu must be held.
func (s *Sender) decide(r *request, o Outcome) (paused bool) {
	d, now := r.device, s.now()
	served := s.brake.accepted > d.acceptedBefore
	d.acceptedBefore = s.brake.accepted
	if s.abort.err != nil && o.Kind != Accepted {
		return false // proceed reports the items
	}
	d.retry = len(r.items)
	switch o.Kind {
	case Accepted:
		s.accept(r)
	case Unavailable:
		s.fail(r, served)
		if o.RetryAfter > 0 { // no acceptance ends the wait that the service asked for
			d.outage = 0
			d.until = max(d.until, later(now, min(o.RetryAfter, longestHold)))
		}
	case Lost:
		s.lose(r, o.Err, served)
	case Failed:
		s.failAlone(r, o.Err, served)
	case Throttled:
		s.brake.throttled(now)
		s.hold(d, min(o.RetryAfter, longestHold), 0)
	case Refused:
		if d.refused && s.pause.err == nil {
			s.hold(d, pauseWait(d.failures), 0)
		} else {
			paused = s.pause.begin(o.Err, now)
		}
		d.refused = true
	case TooMuch:
		s.brake.responded(now)
		s.split(r, o.Err, true)
	default:
		s.brake.responded(now)
		s.complete(d, len(r.items), o.Err)
	}
	return paused
}

func (s *Sender) accept(r *request) {
	d := r.device
	if d.fit != nil {
		d.fit.accept(int64(len(r.items)), r.bytes, r.itemsFull, r.bytesFull)
		if d.fit.isOver(int64(s.config.BatchItems), s.config.BatchBytes) {
			d.fit = nil
		}
	}
	s.complete(d, len(r.items), nil)
	d.failures, d.refused = 0, false
	s.release(s.brake.accept())
	d.acceptedBefore = s.brake.accepted
}

// fail handles a failure of the service.
func (s *Sender) fail(r *request, served bool) {
	d := r.device
	s.brake.fail(r, s.now())
	outage := s.brake.outage
	if served && d.failures > 0 { // again: the next accepted batch of others must not end its wait
		outage = 0
	}
	s.hold(d, 0, outage)
}

// lose handles a request that had no response.
func (s *Sender) lose(r *request, err error, served bool) {
	d := r.device
	d.losses++
	s.countOwn(d, served)
	large := r.bytes > largeRequest && (d.losses >= lossesToSplit || d.fit.isAbove(r.bytes))
	switch single := len(r.items) == 1; {
	case single && d.ownFailures >= ownToReport:
		s.split(r, err, true)
		return
	case !single && (large || d.ownFailures >= ownToSplit):
		s.split(r, err, served)
	}
	s.fail(r, served)
}

// failAlone handles a failure that the service or the items of the device may have caused.
func (s *Sender) failAlone(r *request, err error, served bool) {
	d := r.device
	s.countOwn(d, served)
	if s.brake.othersFailed(d) || !served && d.failures > 0 {
		s.fail(r, served)
		return
	}
	s.brake.notice(d)
	if !served {
		s.hold(d, 0, s.brake.outage)
		return
	}
	switch single := len(r.items) == 1; {
	case single && d.ownFailures >= ownToReport:
		s.split(r, err, true)
		return
	case !single && d.ownFailures >= ownToSplit:
		s.split(r, err, true)
	}
	s.hold(d, 0, 0)
}

// countOwn counts a failure while others were served. If others failed as well, the service
// or the link is more likely the reason than the items, and the count is halved. On a link
// that loses half of all requests, about one item in a million reaches ownToReport.
func (s *Sender) countOwn(d *device, served bool) {
	switch {
	case !served:
	case s.brake.othersFailed(d):
		d.ownFailures /= 2
	default:
		d.ownFailures++
	}
}

// split makes the next batches of a device smaller. A single item is reported.
func (s *Sender) split(r *request, err error, sure bool) {
	d, n := r.device, len(r.items)
	if n == 1 {
		if d.fit != nil {
			d.fit.isolate()
		}
		s.complete(d, 1, err)
		return
	}
	if d.fit == nil {
		d.fit = &fit{}
	}
	d.fit.reject(int64(n), r.bytes, sure)
	d.retry, d.losses, d.ownFailures = 0, 0, 0
}

// hold makes a device wait for as long as it was asked to, and at least for a growing wait.
// outage is the number of the outage that is the reason, or 0.
func (s *Sender) hold(d *device, asked time.Duration, outage int64) {
	d.until = later(s.now(), max(asked, s.config.Backoff(d.failures)))
	d.failures++
	d.outage = outage
}

// release handles an accepted batch for the devices that are held because of failures of
// the service: if these were an outage, their waits end.
func (s *Sender) release(outageOver bool) {
	for d := s.outage.first; d != nil; d = s.outage.first {
		s.unschedule(d)
		d.outage = 0
		if outageOver {
			d.until = 0
		}
		s.schedule(d)
	}
	if outageOver {
		s.brake.outage++
	}
}
