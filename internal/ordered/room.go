package ordered

import (
	"container/list"
	"context"
)

// What pending items cost besides their content, as the memory allocator counts it.
const (
	itemBytes   = 64  // an item
	doneBytes   = 64  // a closure of usual size, and a short string that it refers to
	deviceBytes = 368 // a device, and its place in the map and the heap
)

// itemCost returns the memory that a pending item takes.
func itemCost(content []byte, done func(error)) int64 {
	cost := itemBytes + allocated(len(content))
	if done != nil {
		cost += doneBytes
	}
	return cost
}

// deviceCost returns the memory that a device with pending items takes besides them.
func deviceCost(name string) int64 { return deviceBytes + allocated(len(name)) }

// allocated returns about how much memory the allocator uses for n bytes.
func allocated(n int) int64 {
	unit := 8
	for n > 16*unit {
		unit *= 2
	}
	return int64((n + unit - 1) / unit * unit)
}

// room bounds the memory of pending items.
type room struct {
	used    int64
	held    int64     // of it, by devices that wait after a failure
	waiting list.List // *waiter; Sends that wait for room, in order
}

// waiter is an item that Send was given.
type waiter struct {
	device  string
	content []byte
	done    func(error)
	result  chan error    // what Send returns; has room for it
	place   *list.Element // in room.waiting
}

// firstWaiting returns the Send that has waited longest, or nil.
func (r *room) firstWaiting() *waiter {
	if first := r.waiting.Front(); first != nil {
		w, _ := first.Value.(*waiter)
		return w
	}
	return nil
}

// hasRoom reports whether the bound of all devices leaves room for an item. One item fits
// always, whatever its bookkeeping takes. s.mu must be held.
func (s *Sender) hasRoom(w *waiter) bool {
	cost := itemCost(w.content, w.done)
	if s.devices.get(w.device) == nil {
		cost += deviceCost(w.device)
	}
	return s.stats.PendingItems == 0 || s.room.used+cost <= s.config.MaxPending
}

// heldShare is the part of the room that devices which wait after a failure can have, in
// quarters.
const heldShare = 3

// deviceHasRoom reports whether the bounds of its device leave room for an item. The first
// item of a device fits always. A Send does not wait for a device that waits after a failure,
// or for a probe, because others would wait for that Send. s.mu must be held.
func (s *Sender) deviceHasRoom(w *waiter) bool {
	d, cost := s.devices.get(w.device), itemCost(w.content, w.done)
	if d == nil || d.items.n == 0 {
		return true
	}
	waits, held := d.waits, s.room.held
	if s.probes() && d.standing != proven { // perhaps all that is pending waits
		waits, held = true, s.room.used
	}
	if waits && (s.room.waiting.Len() > 0 || !s.hasRoom(w) || held+cost > s.config.MaxPending/4*heldShare) {
		return false
	}
	return d.used+cost <= s.config.MaxPendingPerDevice
}

func (s *Sender) charge(d *device, cost int64) {
	d.used += cost
	s.room.used += cost
	if d.waits {
		s.room.held += cost
	}
}

// setWaits sets whether a device waits after a failure. s.mu must be held.
func (s *Sender) setWaits(d *device, waits bool) {
	if d.waits == waits {
		return
	}
	if d.waits = waits; !waits {
		s.room.held -= d.used
		return
	}
	s.room.held += d.used
	for place := s.room.waiting.Front(); place != nil; {
		w, _ := place.Value.(*waiter)
		place = place.Next()
		if w.device == d.name {
			s.room.waiting.Remove(w.place)
			w.result <- ErrDeviceFull
		}
	}
	s.admit() // a smaller item may fit
}

// admit queues the items of waiting Sends in order, while there is room. s.mu must be held.
func (s *Sender) admit() {
	for {
		w := s.room.firstWaiting()
		if w == nil || !s.hasRoom(w) {
			return
		}
		s.room.waiting.Remove(w.place)
		if !s.deviceHasRoom(w) {
			w.result <- ErrDeviceFull
			continue
		}
		s.queue(w)
		w.result <- nil
	}
}

// waitForRoom returns what Send returns for a waiter.
func (s *Sender) waitForRoom(ctx context.Context, w *waiter) error {
	select {
	case err := <-w.result:
		return err
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case err := <-w.result: // came first
		return err
	default:
	}
	s.room.waiting.Remove(w.place)
	s.admit() // a smaller item after this one may fit
	s.dispatch()
	return ctx.Err()
}

// refuseWaiters ends all waiting Sends. s.mu must be held.
func (s *Sender) refuseWaiters(err error) {
	for w := s.room.firstWaiting(); w != nil; w = s.room.firstWaiting() {
		s.room.waiting.Remove(w.place)
		w.result <- err
	}
}
