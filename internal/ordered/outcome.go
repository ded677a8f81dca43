package ordered

import "time"

// Kind is what the outcome of a request means.
type Kind int

// The kinds of outcomes. "Others are served" means that batches of other devices were
// accepted since the previous outcome of this device.
const (
	// Accepted: the items are reported with nil.
	Accepted Kind = iota
	// Unavailable: the service is unavailable. The batch is kept, and the device waits. Unless
	// batches were accepted lately, the [Sender] sends fewer requests. If no others are served,
	// the batches that are accepted later end the wait. If RetryAfter is set, the device waits
	// at least for that time, at most an hour.
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
	// Throttled: the batch is kept, and the device waits for RetryAfter, at most an hour. If
	// several devices have this outcome in a row, it is [Unavailable].
	Throttled
	// Refused: no request can succeed, whatever its items. The batch is kept, and the [Sender]
	// pauses: it sends nothing but probes until one is [Accepted], [TooMuch] or [Rejected]. If
	// the same device has this outcome again after the pause, only that device waits.
	Refused
	// Misdirected: the response does not concern the items; perhaps the address is wrong, or a
	// proxy responded. The batch is kept, and the device waits. If it happens repeatedly while
	// others are served, this is [Rejected]. If it happens to several devices and none is
	// served, the [Sender] pauses.
	Misdirected
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
	largeRequest  = 64 << 10 // bytes; a larger request can be lost because of its size
	lossesToSplit = 2        // of a large request
	ownToSplit    = 3        // failures of a batch while others are served
	ownToReport   = 10       // the same, of a single item
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
	s.setWaits(d, d.failures > 0 || d.refused)
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
		s.fail(r, served, o.RetryAfter)
	case Lost:
		s.lose(r, o.Err, served)
	case Failed:
		s.failAlone(r, o.Err, served)
	case Throttled:
		to := failing
		if s.brake.throttle(r, now) && !served {
			to = affected
		}
		s.hold(d, o.RetryAfter, to)
	case Refused:
		if d.refused && s.pause.err == nil {
			s.hold(d, pauseWait(d.failures), failing)
		} else {
			paused = s.pause.begin(o.Err, now)
		}
		d.refused = true
		s.stand(d, failing)
	case Misdirected:
		paused = s.misdirect(r, o.Err, served)
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
	s.stand(d, proven)
	s.brake.accept(s.now())
	d.acceptedBefore = s.brake.accepted
	s.release()
}

// misdirect handles a response that does not concern the items. It reports whether a pause
// begins.
func (s *Sender) misdirect(r *request, err error, served bool) (paused bool) {
	d, row := r.device, &s.brake.misdirected
	others := row.hasOthers(d)
	row.add(d)
	s.countOwn(d, served)
	if d.ownFailures >= ownToSplit {
		s.brake.responded(s.now())
		s.complete(d, len(r.items), err)
		return false
	}
	s.hold(d, 0, failing)
	return others && s.pause.begin(err, s.now())
}

// fail handles a failure of the service.
func (s *Sender) fail(r *request, served bool, asked time.Duration) {
	d, standing := r.device, affected
	if served { // the accepted batches of others must not end its wait
		standing = failing
	}
	s.brake.fail(r, s.now())
	s.hold(d, asked, standing)
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
	s.fail(r, served, 0)
}

// failAlone handles a failure that the service or the items of the device may have caused.
func (s *Sender) failAlone(r *request, err error, served bool) {
	d := r.device
	s.countOwn(d, served)
	if s.brake.failed.hasOthers(d) || !served && d.failures > 0 {
		s.fail(r, served, 0)
		return
	}
	s.brake.failed.add(d)
	if !served {
		s.hold(d, 0, affected)
		return
	}
	switch single := len(r.items) == 1; {
	case single && d.ownFailures >= ownToReport:
		s.split(r, err, true)
		return
	case !single && d.ownFailures >= ownToSplit:
		s.split(r, err, true)
	}
	s.hold(d, 0, failing)
}

// countOwn counts a failure while others were served. If others failed as well, the service
// or the link is more likely the reason than the items, and the count is halved. On a link
// that loses half of all requests, about one item in a million reaches ownToReport.
func (s *Sender) countOwn(d *device, served bool) {
	switch {
	case !served:
	case s.brake.failed.hasOthers(d):
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
