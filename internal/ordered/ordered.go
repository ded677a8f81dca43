// Package ordered sends items of many devices to a service: the items of one device in
// their order, one request at a time, and the requests of different devices concurrently.
//
// Items that arrive while a request of their device is in flight form that device's next
// batch. The package does not know how a request is made: the caller provides a function
// that sends a batch and returns an [Outcome], which decides what happens to it.
package ordered

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"time"
)

// Kind is what the outcome of a request means for its batch.
type Kind int

// The kinds of outcomes.
const (
	Accepted  Kind = iota
	Temporary      // the batch is retried later
	TooMuch        // the batch is split in half and retried at once; a single item is Rejected
	Rejected       // the batch fails
)

// Outcome is the result of a request.
type Outcome struct {
	Kind       Kind
	RetryAfter time.Duration // of Temporary: the wait that the service asked for; 0 if it did not
	Err        error         // reported with the items if they fail
}

// Config configures a Sender. All fields are required.
type Config struct {
	// Send sends a batch. Its ctx ends if Close stops waiting.
	Send func(ctx context.Context, device string, items [][]byte) Outcome
	// Backoff returns the wait after a number of consecutive failures, starting at 0.
	Backoff func(failures int) time.Duration
	// NotSent returns the error that is reported with items that Close did not wait for.
	NotSent func(cause error) error

	BatchSize   int   // most items in a request
	Concurrency int   // most requests in flight
	MaxPending  int64 // most bytes of pending items
	MaxAttempts int   // most consecutive attempts at a batch
}

// ErrClosed is returned by Send after Close.
var ErrClosed = errors.New("the sender is closed")

// Sender sends items. It is safe for concurrent use by multiple goroutines, and runs no
// goroutine while it has no pending items.
type Sender struct {
	config Config

	ctx    context.Context // of all requests
	cancel context.CancelCauseFunc

	mu       sync.Mutex
	queues   map[string]*queue // of the devices that have items
	ready    []*queue          // those whose next batch can be sent
	workers  int
	bytes    int64         // of pending items
	freed    chan struct{} // closed when bytes decreases
	epochs   []*epoch      // the last one collects new items; the others are waited for
	closed   bool
	drained  *epoch // what Close waits for
	abortErr error  // why Close stopped waiting
	lost     int    // items that it reported
}

// New returns a Sender.
func New(config Config) *Sender {
	ctx, cancel := context.WithCancelCause(context.Background())
	return &Sender{
		config: config, ctx: ctx, cancel: cancel,
		queues: map[string]*queue{}, freed: make(chan struct{}), epochs: []*epoch{newEpoch()},
	}
}

// Send queues a copy of item. While there is no room for it, Send blocks; ctx has no other
// effect. If Send returns nil, done is called exactly once, in the order of the device's
// items. If ctx ends first, Send returns [context.Context.Err].
func (s *Sender) Send(ctx context.Context, device string, item []byte, done func(error)) error {
	if err := s.waitForRoom(ctx, int64(len(item))); err != nil {
		return err
	}
	defer s.mu.Unlock()
	epoch := s.epochs[len(s.epochs)-1]
	epoch.open++
	s.bytes += int64(len(item))
	q := s.queues[device]
	if q == nil {
		q = &queue{device: device}
		s.queues[device] = q
	}
	q.pending = append(q.pending, pendingItem{bytes.Clone(item), done, epoch})
	if !q.scheduled {
		s.enqueue(q)
	}
	return nil
}

// waitForRoom returns with s.mu held, or with an error.
func (s *Sender) waitForRoom(ctx context.Context, size int64) error {
	s.mu.Lock()
	for !s.closed && ctx.Err() == nil && s.bytes+size > s.config.MaxPending {
		freed := s.freed
		s.mu.Unlock()
		select {
		case <-freed:
		case <-ctx.Done():
		}
		s.mu.Lock()
	}
	var err error
	switch {
	case s.closed:
		err = ErrClosed
	case ctx.Err() != nil:
		err = ctx.Err()
	default:
		return nil
	}
	s.mu.Unlock()
	return err
}

// Flush waits until every item that was queued before is accepted or reported. If ctx ends
// first, Flush returns its error.
func (s *Sender) Flush(ctx context.Context) error {
	s.mu.Lock()
	epoch := s.seal()
	s.mu.Unlock()
	select {
	case <-epoch.settled:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close stops accepting items and waits until all pending ones are accepted or reported.
// If ctx ends first, Close cancels the requests, reports the items that were not accepted
// with NotSent(cause(ctx)), and returns their number and that cause.
func (s *Sender) Close(ctx context.Context, cause func(context.Context) error) (lost int, err error) {
	s.mu.Lock()
	if !s.closed {
		s.closed = true
		s.drained = s.seal()
		s.free(0) // wakes the Sends that wait for room
	}
	drained := s.drained
	s.mu.Unlock()
	select {
	case <-drained.settled:
	case <-ctx.Done():
		s.abort(cause(ctx))
		<-drained.settled
	}
	s.cancel(nil)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lost, s.abortErr
}
