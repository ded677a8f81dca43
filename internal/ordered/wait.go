package ordered

import (
	"context"
	"reflect"
	"runtime"
	"time"
)

// stuckAfter is how long a done function runs before Flush and Close stop waiting for it,
// if there is nothing else to wait for.
const stuckAfter = 10 * time.Second

// Flush waits until every item that was queued before is accepted or reported, and its done
// function has returned. Otherwise it returns the error of ctx, or [ErrClosed], [ErrStuck]
// or [ErrInsideDone].
func (s *Sender) Flush(ctx context.Context) error {
	if insideDone() {
		return ErrInsideDone
	}
	s.mu.Lock()
	epoch := s.epochs.seal()
	s.mu.Unlock()
	return s.await(ctx, epoch)
}

// await waits for an epoch that is sealed, or nil.
func (s *Sender) await(ctx context.Context, of *epoch) error {
	if of == nil {
		return nil
	}
	ticker := time.NewTicker(stuckAfter / 2)
	defer ticker.Stop()
	var err error
	for err == nil {
		select {
		case <-of.settled:
			return nil
		case <-ctx.Done():
			err = ctx.Err()
		case <-s.ctx.Done():
			err = ErrClosed
		case <-ticker.C:
			if s.isStuck(of) {
				err = ErrStuck
			}
		}
	}
	select {
	case <-of.settled: // as well
		return nil
	default:
		return err
	}
}

// isStuck reports whether all that an epoch waits for is done functions that have not
// returned for a long time.
func (s *Sender) isStuck(of *epoch) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	stuck := false
	for _, d := range s.devices.byName {
		switch first := d.firstOpen(); {
		case first == nil || first.epoch.id > of.id:
		case d.calling != nil && s.now()-d.since >= stuckAfter:
			stuck = true
		default:
			return false
		}
	}
	return stuck
}

// firstOpen returns the first item whose done function has not returned.
func (d *device) firstOpen() *item {
	switch {
	case d.calling != nil:
		return d.calling
	case d.reports.n > 0:
		return d.reports.first
	default:
		return d.items.first
	}
}

// insideDone reports whether a done function, of any Sender, is among the callers of this
// goroutine.
func insideDone() bool {
	name := runtime.FuncForPC(reflect.ValueOf(call).Pointer()).Name()
	counters := make([]uintptr, 64)
	for skip := 2; ; skip += len(counters) {
		n := runtime.Callers(skip, counters)
		frames := runtime.CallersFrames(counters[:n])
		for more := n > 0; more; {
			var frame runtime.Frame
			if frame, more = frames.Next(); frame.Function == name {
				return true
			}
		}
		if n < len(counters) {
			return false
		}
	}
}
