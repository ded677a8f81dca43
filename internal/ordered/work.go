package ordered

import (
	"container/heap"
	"runtime/debug"
	"time"
)

// request is one call of Config.Send.
type request struct {
	device    *device
	items     [][]byte
	bytes     int64 // with the overhead of each item
	itemsFull bool  // device.fit kept the request from having more items
	bytesFull bool

	recovery   int  // brake.recoveries when it was sent
	probe      bool // of the brake
	sick       bool // the device was failing
	pauseProbe bool
}

// schedule makes an idle device with pending items wait for its next request. s.mu must be
// held.
func (s *Sender) schedule(d *device) {
	d.wake = s.expiry(d)
	if d.standing == affected && d.acceptedBefore < s.brake.accepted { // while done functions were called
		s.forgive(d)
	}
	if d.until > s.now() {
		d.state = held
		s.held++
		d.wake = min(d.wake, d.until)
		if d.standing == affected && !d.asked {
			s.outage.push(d)
		}
	} else {
		d.state = ready
		s.ready.push(d)
	}
	if d.wake < never {
		heap.Push(&s.timed, d)
	}
}

// unschedule makes a device that is ready or held idle. s.mu must be held.
func (s *Sender) unschedule(d *device) {
	switch d.state {
	case ready:
		s.ready.remove(d)
	case held:
		s.held--
		if d.standing == affected && !d.asked {
			s.outage.remove(d)
		}
	default:
		return
	}
	d.state = idle
	if d.index >= 0 {
		heap.Remove(&s.timed, d.index)
	}
}

// dispatch starts all requests that can be sent, and sets the timer. s.mu must be held.
func (s *Sender) dispatch() {
	for r := s.next(); r != nil; r = s.next() {
		go s.run(r)
	}
	s.startAsking()
	s.setTimer()
}

// probes reports whether nothing but probes is sent. s.mu must be held.
func (s *Sender) probes() bool { return s.brake.braked || s.pause.err != nil }

// next returns the next request, or nil if none can be sent now. s.mu must be held.
func (s *Sender) next() *request {
	if s.ready.len() == 0 && !s.brake.braked {
		return nil
	}
	now, paused, probe := s.now(), s.pause.err != nil, s.probes()
	turn := s.ready.turn(&s.brake, now, probe)
	switch {
	case s.abort.err != nil || !s.brake.hasSlot():
		return nil
	case paused && (turn == standings || !s.pause.allows(turn, now)):
		return nil
	case !paused && !s.brake.allows(now):
		return nil
	}
	var d *device
	switch {
	case turn == standings && s.brake.braked:
		d = s.outage.first // the wait between probes is enough
	case turn < standings && probe:
		d = s.ready[turn].latest()
	case turn < standings:
		d = s.ready[turn].first
	}
	if d == nil {
		return nil
	}
	s.unschedule(d)
	d.state = sending
	r := s.batch(d)
	s.brake.sent(r, now)
	r.pauseProbe, s.pause.probing = paused, paused
	return r
}

// batch returns a request with the next batch of a device. s.mu must be held.
func (s *Sender) batch(d *device) *request {
	items, bytes := int64(s.config.BatchItems), s.config.BatchBytes
	if d.retry > 0 {
		items = int64(d.retry)
	}
	r := &request{device: d, items: make([][]byte, 0, min(items, int64(d.items.n)))}
	for it := d.items.first; it != nil; it = it.next {
		n, size := int64(len(r.items)), r.bytes+int64(len(it.content))+s.config.ItemOverhead
		if d.fit != nil && n > 0 {
			r.itemsFull, r.bytesFull = !d.fit.items.allows(n+1), !d.fit.bytes.allows(size)
		}
		if n > 0 && (n >= items || size > bytes || r.itemsFull || r.bytesFull) {
			break
		}
		r.items = append(r.items, it.content)
		r.bytes = size
	}
	d.request = r
	s.stats.Requests++
	if d.sent > 0 {
		s.stats.Repeated++
	}
	d.sent = max(d.sent, len(r.items))
	return r
}

// run sends a request and handles its outcome.
func (s *Sender) run(r *request) { s.finish(r, s.send(r)) }

// send calls Config.Send. The goroutine ends if Config.Send ends it.
func (s *Sender) send(r *request) (outcome Outcome) {
	returned := false
	defer func() {
		if returned {
			return
		}
		if value := recover(); value != nil {
			outcome = Outcome{Kind: Refused, Err: s.config.Panicked(value, debug.Stack())}
			return
		}
		go s.finish(r, Outcome{Kind: Refused, Err: s.config.Panicked(nil, debug.Stack())})
	}()
	outcome = s.config.Send(s.ctx, r.device.name, r.items)
	returned = true
	return outcome
}

// never is later than all times.
const never = time.Duration(1<<63 - 1)

// later returns the time after a wait, at most never.
func later(at, wait time.Duration) time.Duration { return at + min(wait, never-at) }

// setTimer sets the timer for the next time at which there is something to do. s.mu must
// be held.
func (s *Sender) setTimer() {
	at := never
	if s.abort.err == nil {
		at = s.nextTime()
	}
	switch {
	case at == s.timerAt || at == never && s.timerAt == 0:
	case at == never:
		s.timer.Stop()
		s.timerAt = 0
	case s.timer == nil:
		s.timer = time.AfterFunc(at-s.now(), s.onTimer)
		s.timerAt = at
	default:
		s.timer.Reset(at - s.now())
		s.timerAt = at
	}
}

func (s *Sender) nextTime() time.Duration {
	at := never
	if len(s.timed) > 0 {
		at = s.timed[0].wake
	}
	if s.mayAsk() {
		at = min(at, s.pause.nextAsk)
	}
	turn := s.ready.turn(&s.brake, 0, true)
	switch {
	case !s.brake.hasSlot():
	case s.pause.err != nil:
		if !s.pause.probing && turn < standings {
			at = min(at, s.pause.due(turn))
		}
	case (s.brake.braked || s.brake.next > s.now()) && (turn < standings || s.outage.first != nil):
		at = min(at, s.brake.next)
	}
	return at
}

// onTimer handles the devices whose time has come.
func (s *Sender) onTimer() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.timerAt = 0
	for now := s.now(); s.abort.err == nil && len(s.timed) > 0 && s.timed[0].wake <= now; {
		d := s.timed[0]
		s.unschedule(d)
		if s.expire(d) {
			go s.report(d, d.turn)
		} else {
			s.schedule(d)
		}
	}
	s.dispatch()
}
