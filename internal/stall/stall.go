// Package stall cancels an exchange over a network that makes no progress.
//
// A [Timer] limits one wait after the other: first for the response header, which every
// part of a request body that is sent postpones, then for each part of a response body.
// The last limit can be one for all that is still to come. A Timer costs one timer of
// package time, whatever the number of parts.
package stall

import (
	"context"
	"io"
	"sync"
	"time"
)

// Timer cancels an exchange as soon as a wait of it exceeds its limit. It is safe for
// concurrent use by multiple goroutines. Stop must be called when the exchange has ended.
type Timer struct {
	cancel context.CancelCauseFunc
	timer  *time.Timer

	mu        sync.Mutex
	limit     time.Duration
	cause     error     // of the cancellation; also identifies the wait
	deadline  time.Time // zero while nothing is awaited
	nextCheck time.Time
	final     bool // the deadline does not change any more
	fired     error
	stopped   bool

	response responseBody
}

// Start returns a [Timer] that calls cancel with cause if the limit passes.
func Start(limit time.Duration, cause error, cancel context.CancelCauseFunc) *Timer {
	deadline := time.Now().Add(limit)
	t := &Timer{cancel: cancel, limit: limit, deadline: deadline, nextCheck: deadline, cause: cause}
	t.mu.Lock() // a short limit may fire before timer is set
	defer t.mu.Unlock()
	t.timer = time.AfterFunc(limit, t.check)
	return t
}

// check cancels the exchange if the deadline has passed; otherwise it rearms the timer.
// Resetting the timer for every part would cost more than sending the part.
func (t *Timer) check() {
	t.mu.Lock()
	defer t.mu.Unlock()
	left := t.limit
	if !t.deadline.IsZero() {
		left = time.Until(t.deadline)
	}
	switch {
	case t.stopped:
	case left > 0:
		t.checkIn(left)
	default:
		t.fired = t.cause
		t.cancel(t.cause)
	}
}

// checkIn sets the timer. t.mu must be held.
func (t *Timer) checkIn(wait time.Duration) {
	t.nextCheck = time.Now().Add(wait)
	t.timer.Reset(wait)
}

// Restart starts the limit of the current wait again. It has no effect if the current wait has
// another cause.
func (t *Timer) Restart(cause error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.cause != cause || t.final { //nolint:errorlint // the identity of the cause identifies the wait
		return
	}
	if t.deadline = time.Now().Add(t.limit); t.deadline.Before(t.nextCheck) {
		t.checkIn(t.limit)
	}
}

// Suspend ends the current wait. The next one has the given limit and cause, and begins with
// Restart.
func (t *Timer) Suspend(limit time.Duration, cause error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.final {
		t.limit, t.cause, t.deadline = limit, cause, time.Time{}
	}
}

// Finish limits all that is still to come, whatever progress it makes.
func (t *Timer) Finish(limit time.Duration, cause error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.final || t.stopped {
		return
	}
	t.final, t.limit, t.cause, t.deadline = true, limit, cause, time.Now().Add(limit)
	if t.deadline.Before(t.nextCheck) {
		t.checkIn(limit)
	}
}

// Stop ends the exchange: it stops the timer, and calls cancel, which frees what belongs to
// the exchange.
func (t *Timer) Stop() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stopped = true
	t.timer.Stop()
	t.cancel(nil)
}

// Fired returns the cause with which the Timer canceled the exchange, or nil.
func (t *Timer) Fired() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.fired
}

// RequestBody returns body so that reading it restarts the wait with the given cause.
func (t *Timer) RequestBody(body io.ReadCloser, cause error) io.ReadCloser {
	return &requestBody{body, t, cause}
}

type requestBody struct {
	io.ReadCloser
	timer *Timer
	cause error
}

func (b *requestBody) Read(p []byte) (int, error) {
	b.timer.Restart(b.cause)
	return b.ReadCloser.Read(p)
}

// ResponseBody returns body so that each Read of it is limited, and Close stops the Timer. It
// must be called at most once.
func (t *Timer) ResponseBody(body io.ReadCloser, limit time.Duration, cause error) io.ReadCloser {
	t.Suspend(limit, cause)
	t.response = responseBody{body, t, limit, cause}
	return &t.response
}

type responseBody struct {
	io.ReadCloser
	timer *Timer
	limit time.Duration
	cause error
}

func (b *responseBody) Read(p []byte) (int, error) {
	b.timer.Restart(b.cause)
	n, err := b.ReadCloser.Read(p)
	b.timer.Suspend(b.limit, b.cause)
	if err != nil && err != io.EOF { //nolint:errorlint // io.Reader returns it as it is
		if fired := b.timer.Fired(); fired != nil {
			err = fired
		}
	}
	return n, err
}

func (b *responseBody) Close() error {
	err := b.ReadCloser.Close()
	b.timer.Stop()
	return err
}
