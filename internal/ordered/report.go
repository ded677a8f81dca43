package ordered

// complete moves the first items of a device to its reports, and frees their room. s.mu
// must be held.
func (s *Sender) complete(d *device, n int, err error) {
	for range n {
		it := d.items.pop()
		s.charge(d, -itemCost(it.content, it.done))
		it.content = nil
		d.reports.push(it)
	}
	d.reportErr, d.state = err, reporting
	d.sent = max(d.sent-n, 0)
	d.retry, d.losses, d.ownFailures = 0, 0, 0
	s.stats.PendingItems -= n
	if err == nil {
		s.stats.Accepted += int64(n)
	} else {
		s.stats.Reported += int64(n)
	}
	s.admit()
}

// proceed continues with a device that is idle. s.mu must be held.
func (s *Sender) proceed(d *device) {
	switch {
	case d.state != idle:
	case d.items.n == 0:
		s.charge(d, -d.used)
		s.devices.remove(d)
		s.admit() // into the room of the device itself
		s.abort.check(s.devices.len())
	case s.abort.err != nil:
		s.abort.lost += d.items.n
		s.complete(d, d.items.n, s.config.NotSent(Closed, s.abort.err))
	case s.expire(d):
	default:
		s.schedule(d)
	}
}

// report calls the done functions of a device that is reporting, one after the other, and
// continues with the device. It stops if another goroutine has the turn.
func (s *Sender) report(d *device, turn int) {
	s.mu.Lock()
	s.reportLocked(d, turn)
	s.mu.Unlock()
}

// reportLocked is report. s.mu must be held; it is released while done functions run.
func (s *Sender) reportLocked(d *device, turn int) {
	for d != nil {
		for d.state == reporting && d.turn == turn {
			s.reportNext(d)
		}
		if d = s.unreported.first; d != nil {
			turn = d.turn
			s.unreported.remove(d)
		}
	}
}

// reportNext calls one done function. s.mu must be held; it is released during the call.
func (s *Sender) reportNext(d *device) {
	if d.reports.n == 0 {
		d.state = idle
		s.proceed(d)
		s.dispatch()
		return
	}
	it, err, turn := d.reports.pop(), d.reportErr, d.turn
	if it.done == nil {
		s.epochs.settle(it.epoch)
		return
	}
	d.calling, d.since, d.ticks = it, s.now(), 0
	s.running++
	s.mu.Unlock()
	returned := false
	defer func() {
		if returned {
			s.mu.Lock()
			s.doneReturned(d, it)
			return
		}
		go func() { // done ends this goroutine, or the process
			s.mu.Lock()
			s.doneReturned(d, it)
			s.reportLocked(d, turn)
			s.mu.Unlock()
		}()
	}()
	call(it.done, err)
	returned = true
}

// doneReturned counts a done function that has returned. s.mu must be held.
func (s *Sender) doneReturned(d *device, it *item) {
	s.running--
	if d.calling == it {
		d.calling = nil
		s.epochs.settle(it.epoch)
	}
}

// call calls a done function. Its name on the stack identifies a goroutine that does.
//
//go:noinline
func call(done func(error), err error) { done(err) }
