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
	lastProvenWait = 10 * time.Second // before a probe of a device whose last batch was accepted
	askWait        = time.Second
	mostChanges    = 5 // without success; then only the waits decide
)

// pause is the state in which no request can succeed, whatever its items: one probe after
// the other is sent after growing waits.
type pause struct {
	err     error         // nil while requests are sent
	probes  int           // consecutive
	probing bool          // a probe is in flight
	resumed bool          // Resume was called meanwhile
	changes int           // how often Config.Changed returned true
	since   time.Duration // the last probe, or the start
	wait    time.Duration
	nextAsk time.Duration
}

// begin starts a pause, unless the Sender is paused. It reports whether it did.
func (p *pause) begin(err error, now time.Duration) bool {
	if p.err != nil {
		return false
	}
	*p = pause{err: err, since: now, wait: pauseWait(0), nextAsk: now + askWait}
	return true
}

// resume makes the next probe due immediately, or after the probe in flight.
func (p *pause) resume() { p.probes, p.wait, p.resumed = 0, 0, p.probing }

// allows reports whether a probe of a device can be sent.
func (p *pause) allows(of standing, now time.Duration) bool { return !p.probing && now >= p.due(of) }

// due returns when the next probe can be sent, if it is of a device. The waits for a device
// that was accepted before stay short: it shows whether the pause concerns others only.
func (p *pause) due(of standing) time.Duration {
	if of == proven {
		return p.since + min(p.wait, lastProvenWait)
	}
	return p.since + p.wait
}

// probed ends a probe, and the pause if the probe passed.
func (p *pause) probed(passed bool, now time.Duration) {
	if passed {
		*p = pause{}
		return
	}
	p.probing, p.since = false, now
	if p.resumed {
		p.resumed, p.wait = false, 0
		return
	}
	p.probes++
	p.wait = pauseWait(p.probes)
}

// mayAsk reports whether Config.Changed decides when the pause ends. s.mu must be held.
func (s *Sender) mayAsk() bool {
	return s.pause.err != nil && s.config.Changed != nil && s.pause.changes < mostChanges && !s.asking && s.stats.PendingItems > 0 && s.abort.err == nil
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
		s.pause.changes++
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
