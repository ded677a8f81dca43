package ordered

import (
	"context"
	"time"
)

const (
	// abortLimit is how long Close takes at most after its ctx has ended.
	abortLimit = time.Second
	// abortTick and abortTicks are how long it waits for each request and done function.
	// Ticks are counted, so that a process that was stopped does not skip the wait.
	abortTick  = 50 * time.Millisecond
	abortTicks = 5
	// abortWorkers is how many goroutines report items then.
	abortWorkers = 32
)

// abort is the state of a Sender that was closed before its items were accepted.
type abort struct {
	err     error         // why; nil if Close still waits, or need not
	lost    int           // items that were not accepted
	drained chan struct{} // closed when every done function was called
}

// check ends an abort if there are no devices any more.
func (a *abort) check(devices int) {
	if a.err != nil && devices == 0 {
		close(a.drained)
	}
}

// Leftover is what Close did not wait for.
type Leftover struct {
	Lost    int // items that were not accepted; they are reported
	Running int // done functions that have not returned
}

// Close makes Send fail, and waits until every pending item is accepted or reported, and its
// done function has returned.
//
// If ctx ends first, or only done functions that are stuck are left, Close cancels the
// requests in flight and reports the items that were not accepted. It then waits for at most a
// second. A done function that has not returned by then no longer delays the reports of its
// device: the next ones are called while it runs. cause returns the error that they are
// reported with; Close returns that error if it is not [ErrInsideDone], which leaves the
// Sender as it is.
func (s *Sender) Close(ctx context.Context, cause func(ctx context.Context, err error) error) (Leftover, error) {
	if insideDone() {
		return Leftover{}, ErrInsideDone
	}
	s.mu.Lock()
	s.closed = true
	s.refuseWaiters(ErrClosed)
	epoch := s.epochs.seal()
	s.mu.Unlock()
	if err := s.await(ctx, epoch); err != nil {
		s.startAbort(cause(ctx, err))
		s.awaitAbort()
	}
	s.cancel(nil)
	s.mu.Lock()
	defer s.mu.Unlock()
	return Leftover{s.abort.lost, s.running}, s.abort.err
}

// startAbort cancels the requests in flight and reports the other items. Devices with a
// request in flight follow when it ends.
func (s *Sender) startAbort(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.abort.err != nil {
		return
	}
	s.abort.err, s.abort.drained = err, make(chan struct{})
	s.abort.check(s.devices.len())
	for _, d := range s.devices.byName {
		if d.state != ready && d.state != held {
			continue
		}
		d.state, d.prev, d.next, d.index = idle, nil, nil, -1
		s.proceed(d)
		s.unreported.push(d)
	}
	s.ready, s.outage, s.timed, s.held = readyDevices{}, deviceList{}, nil, 0
	s.setTimer()
	s.cancel(err)
	for range min(s.unreported.n, abortWorkers) {
		d := s.unreported.first
		s.unreported.remove(d)
		go s.report(d, d.turn)
	}
	go s.watchAbort()
}

// watchAbort stops waiting for requests and done functions that do not return.
func (s *Sender) watchAbort() {
	ticker := time.NewTicker(abortTick)
	defer ticker.Stop()
	for {
		select {
		case <-s.abort.drained:
			return
		case <-ticker.C:
			s.leaveStuck(abortTicks)
		}
	}
}

// leaveStuck counts a tick, and leaves what has not returned for a number of them.
func (s *Sender) leaveStuck(ticks int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.devices.byName {
		if d.state != sending && d.calling == nil {
			continue
		}
		if d.ticks++; d.ticks < ticks {
			continue
		}
		if d.state == sending {
			d.request, d.state = nil, idle
			s.proceed(d)
		} else {
			s.epochs.settle(d.calling.epoch)
			d.calling = nil
			d.turn++
		}
		go s.report(d, d.turn)
	}
}

// awaitAbort waits until every done function was called, or for abortLimit.
func (s *Sender) awaitAbort() {
	limit := time.NewTimer(abortLimit)
	defer limit.Stop()
	select {
	case <-s.abort.drained:
		return
	case <-limit.C:
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.devices.byName {
		if d.state == sending {
			d.request, d.state = nil, idle
			s.proceed(d)
			go s.report(d, d.turn)
		}
	}
}
