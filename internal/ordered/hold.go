package ordered

import "time"

const (
	longestHold = time.Hour // whatever the service asks for
	releases    = 2         // devices that continue for each accepted batch after an outage
)

// hold makes a device wait for as long as it was asked to, and at least for a growing wait.
func (s *Sender) hold(d *device, asked time.Duration, to standing) {
	d.until = later(s.now(), max(min(asked, longestHold), s.config.Backoff(d.failures)))
	d.asked = asked > 0
	d.failures++
	s.stand(d, to)
}

// stand sets what is known of a device.
func (s *Sender) stand(d *device, to standing) {
	if d.standing = to; to == proven {
		d.accepted = s.now()
		s.memory.add(d.name, d.accepted)
	} else {
		s.memory.remove(d.name)
	}
}

// release handles an accepted batch for the devices that are held because of failures of the
// service: the waits of some end. The batches that are accepted from them end the others'.
func (s *Sender) release() {
	for range releases {
		d := s.outage.first
		if d == nil {
			d = s.ready[affected].first
		}
		if d == nil {
			return
		}
		s.unschedule(d)
		s.forgive(d)
		s.schedule(d)
	}
}

// forgive ends the wait of a device that failed while the service did, unless it was asked to
// wait.
func (s *Sender) forgive(d *device) {
	if d.standing = unknown; !d.asked {
		d.until = 0
	}
}
