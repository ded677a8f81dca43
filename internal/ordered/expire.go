package ordered

import "time"

// expiry returns when GiveUpAfter has passed for the first item of a device.
func (s *Sender) expiry(d *device) time.Duration {
	if s.config.GiveUpAfter == 0 {
		return never
	}
	return later(d.items.first.at, s.config.GiveUpAfter)
}

// expire completes the items for which GiveUpAfter has passed, and reports whether there
// are any.
func (s *Sender) expire(d *device) bool {
	n := 0
	if s.config.GiveUpAfter > 0 {
		oldest := s.now() - s.config.GiveUpAfter
		for it := d.items.first; it != nil && it.at <= oldest; it = it.next {
			n++
		}
	}
	if n == 0 {
		return false
	}
	cause := d.lastErr
	if cause == nil {
		cause = s.pause.err
	}
	s.complete(d, n, s.config.NotSent(Expired, cause))
	return true
}
