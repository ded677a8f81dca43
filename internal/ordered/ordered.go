// Package ordered sends items of many devices to a service: the items of one device in
// their order, one request at a time, and the requests of different devices concurrently.
// Items that arrive while a request of their device is in flight form that device's next
// batch.
//
// The package promises that an item is kept until the service accepts it, or until its done
// function was called with the reason. Nothing but an [Outcome] that concerns the item itself,
// [Config.GiveUpAfter] and [Sender.Close] end the wait. Memory is bounded. The number of
// requests is bounded while the service is unavailable.
//
// No device waits for another, although a failure shows the state of the service as well as
// that of its device. While a batch was accepted in the last 20 seconds, and not followed by
// failures of three times as many devices as requests are allowed in flight, failures are those
// of devices. Otherwise they are failures of the service: each halves the requests in flight,
// and at one the Sender only probes, every 0.5 to 4.4 seconds. An accepted batch doubles them,
// and ends the waits of two devices that failed while none was accepted. Devices whose last batch
// was accepted are first, also for probes; then those of which nothing is known; then those that
// failed, with at most a quarter of the requests. In each fourth turn this order is reversed, so
// that no device waits forever. A device that failed shares three quarters of the memory with the
// others that did.
//
// The package does not know how a request is made: [Config.Send] sends a batch and returns
// an Outcome, which decides what happens to the batch, to its device and to the Sender.
package ordered

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Config configures a [Sender]. Fields without a note are required.
type Config struct {
	// Send sends a batch. Its ctx ends when Close stops waiting. The items must not be
	// changed, and may be read for as long as they are referenced.
	Send func(ctx context.Context, device string, items [][]byte) Outcome
	// Panicked returns the error of a Send that panicked with a value, or, if the value is
	// nil, ended its goroutine. Its outcome is of the kind [Refused].
	Panicked func(value any, stack []byte) error
	// Backoff returns the wait of a device after a number of consecutive failures,
	// starting at 0. It should be random: failures of devices that always fail at the same
	// moment look like failures of the service, so that their items are not isolated.
	Backoff func(failures int) time.Duration
	// NotSent returns the error that is reported with items that were not accepted in time.
	// Its cause is the error of the device's last outcome, and nil if there was none; for
	// [Closed] it is the error that was passed to Close.
	NotSent func(reason Reason, cause error) error
	// OnPause is called once for each pause, by a goroutine of its own. It may be nil.
	OnPause func(err error)
	// Changed reports whether what a request was [Refused] for has changed. It is called about
	// once a second during a pause, by a goroutine of its own, while items are pending. If it
	// returns true, the next probe is sent immediately, or after the probe in flight. Its ctx
	// ends when Close stops waiting. It must not panic. It may be nil.
	Changed func(ctx context.Context) bool

	BatchItems          int           // most items in a request
	BatchBytes          int64         // most bytes of a request; a larger item is sent alone
	ItemOverhead        int64         // bytes that a request needs for each item besides its content
	Concurrency         int           // most requests in flight
	MaxPending          int64         // most bytes of pending items, bookkeeping included
	MaxPendingPerDevice int64         // the same for one device
	GiveUpAfter         time.Duration // longest time that an item is kept; 0 is unlimited
}

// Reason is why items are reported although the service did not reject them.
type Reason int

// The reasons.
const (
	Closed  Reason = iota // Close stopped waiting
	Expired               // GiveUpAfter passed
)

var (
	// ErrClosed is returned by Send after Close, and by Flush if Close stops waiting first.
	ErrClosed = errors.New("the sender is closed")
	// ErrDeviceFull is returned by Send if the pending items of the device leave no room.
	ErrDeviceFull = errors.New("too many pending bytes of this device")
	// ErrInsideDone is returned by Flush and Close if a done function calls them.
	ErrInsideDone = errors.New("called by a done function")
	// ErrStuck is returned by Flush and Close if they wait only for done functions that have
	// not returned for a long time.
	ErrStuck = errors.New("a done function has not returned")
)

// Sender sends items. It is safe for concurrent use by multiple goroutines. While it has no
// pending items it runs no goroutine and no timer. Create it with [New].
type Sender struct {
	config Config
	start  time.Time // times in the Sender are durations since then

	ctx    context.Context // of all requests; ends when the Sender is closed
	cancel context.CancelCauseFunc

	mu         sync.Mutex
	devices    devices      // that have pending items or running done functions
	memory     memory       // of devices without pending items
	ready      readyDevices // whose next batch can be sent
	outage     deviceList   // that are held until the outage ends or their wait does
	held       int          // devices that wait until a time
	unreported deviceList   // after an abort: whose items no goroutine reports yet
	timed      timedQueue   // that wait for a time
	timer      *time.Timer
	timerAt    time.Duration // 0 if the timer is not set
	room       room
	brake      brake
	pause      pause
	asking     bool // Config.Changed has not returned
	epochs     epochs
	stats      Stats
	closed     bool
	abort      abort
	running    int // done functions that have not returned
}

// New returns a [Sender].
func New(config Config) *Sender {
	s := &Sender{config: config, start: time.Now()}
	s.ctx, s.cancel = context.WithCancelCause(context.Background())
	s.brake = newBrake(config.Concurrency)
	return s
}

func (s *Sender) now() time.Duration { return time.Since(s.start) }

// Send queues a copy of item. While there is no room for it, Send blocks, first come first
// served; ctx has no other effect. If ctx ends first, Send returns its error. If the device
// has no room, Send returns [ErrDeviceFull] immediately.
//
// If Send returns nil, done is called exactly once: with nil if the service accepted the item,
// otherwise with the reason. For one device, done is called in the order of the items, and the
// device waits until it returns. A done that ends its goroutine counts as returned. done may
// be nil.
func (s *Sender) Send(ctx context.Context, device string, item []byte, done func(error)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	w := waiter{device: device, content: item, done: done}
	s.mu.Lock()
	switch {
	case s.closed:
		s.mu.Unlock()
		return ErrClosed
	case !s.deviceHasRoom(&w):
		s.mu.Unlock()
		return ErrDeviceFull
	case s.room.waiting.Len() == 0 && s.hasRoom(&w):
		s.queue(&w)
		s.dispatch()
		s.mu.Unlock()
		return nil
	}
	waiting := &waiter{device: device, content: item, done: done, result: make(chan error, 1)}
	waiting.place = s.room.waiting.PushBack(waiting)
	s.mu.Unlock()
	return s.waitForRoom(ctx, waiting)
}

// queue adds an item that there is room for. s.mu must be held.
func (s *Sender) queue(w *waiter) {
	d := s.devices.get(w.device)
	if d == nil {
		d = s.devices.add(w.device, s.brake.accepted)
		if at, ok := s.memory.accepted(w.device); ok {
			d.standing, d.accepted = proven, at
		}
		s.charge(d, deviceCost(w.device))
	}
	s.charge(d, itemCost(w.content, w.done))
	epoch := s.epochs.current()
	epoch.open++
	d.items.push(&item{content: append([]byte(nil), w.content...), done: w.done, epoch: epoch, at: s.now()})
	s.stats.PendingItems++
	if d.state == idle {
		s.schedule(d)
	}
}

// Resume sends the next probe of a paused Sender immediately, or after the probe in flight.
func (s *Sender) Resume() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pause.resume()
	s.dispatch()
}

// Stats are counts of a [Sender].
type Stats struct {
	PendingItems       int   // neither accepted nor reported
	PendingBytes       int64 // of pending items, bookkeeping included
	Devices            int   // with pending items or running done functions
	Held               int   // devices that wait after a failure, or for a probe
	Paused             error // why no requests are sent; nil if they are
	Accepted, Reported int64 // items
	Requests           int64
	Repeated           int64 // requests that contained an item of an earlier request
}

// Stats returns the current counts.
func (s *Sender) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	stats := s.stats
	stats.PendingBytes, stats.Devices, stats.Paused = s.room.used, s.devices.len(), s.pause.err
	stats.Held = s.held + s.ready[failing].n
	if s.probes() {
		stats.Held = s.held + s.ready.len()
	}
	return stats
}
