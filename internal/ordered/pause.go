package ordered

import (
	"math/rand/v2"
	"time"
)

// The waits between the requests that find out whether a pause is over, and between the
// calls of Config.Changed.
const (
	firstPauseWait = time.Second
	lastPauseWait  = 5 * time.Minute
	askWait        = time.Second
)

// pause is the state in which no request can succeed, whatever its items: one probe after
// the other is sent after growing waits.
type pause struct {
	err     error // nil while requests are sent
	probes  int   // consecutive
	probing bool  // a probe is in flight
	resumed bool  // Resume was called meanwhile
	next    time.Duration
	nextAsk time.Duration
}

// begin starts a pause, unless the Sender is paused. It reports whether it did.
func (p *pause) begin(err error, now time.Duration) bool {
	if p.err != nil {
		return false
	}
	*p = pause{err: err, next: now + pauseWait(0), nextAsk: now + askWait}
	return true
}

// resume makes the next probe due immediately, or after the probe in flight.
func (p *pause) resume() { p.probes, p.next, p.resumed = 0, 0, p.probing }

// allows reports whether a probe can be sent.
func (p *pause) allows(now time.Duration) bool { return !p.probing && now >= p.next }

// probed ends a probe, and the pause if the probe passed.
func (p *pause) probed(passed bool, now time.Duration) {
	if passed {
		*p = pause{}
		return
	}
	p.probing = false
	if p.resumed {
		p.resumed, p.next = false, now
		return
	}
	p.probes++
	p.next = now + pauseWait(p.probes)
}

// mayAsk reports whether Config.Changed decides when the pause ends. s.mu must be held.
func (s *Sender) mayAsk() bool {
	return s.pause.err != nil && s.config.Changed != nil && !s.asking && s.stats.PendingItems > 0 && s.abort.err == nil
}

// startAsking calls Config.Changed if it is time to. s.mu must be held.
func (s *Sender) startAsking() {
	if s.mayAsk() && s.now() >= s.pause.nextAsk {
		s.asking = true
		go s.ask()
	}
}

func (s *Sender) ask() {
	changed := s.config.Changed(s.ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asking, s.pause.nextAsk = false, s.now()+askWait
	if changed {
		s.pause.resume()
	}
	s.dispatch()
}

// pauseWait returns a random wait that doubles with each probe.
func pauseWait(failures int) time.Duration {
	wait := lastPauseWait
	if failures < 20 {
		wait = min(firstPauseWait<<failures, lastPauseWait)
	}
	return wait - rand.N(wait/4) //nolint:gosec // jitter needs no secret randomness
}
