// Package shared calls a slow function on behalf of many callers: callers that wait at the
// same time share one call and its result.
//
// The package promises that a result is never older than the call of a caller that did not
// join, that a caller waits no longer than its own context allows, and that a function that
// panics, ends its goroutine or never returns is an error for those who wait. It keeps no
// result for later callers, apart from [Func.Latest].
package shared

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"
)

var (
	// ErrLimit is returned if the function did not return in time.
	ErrLimit = errors.New("the function did not return in time")
	// ErrExited is returned if the function ended its goroutine.
	ErrExited = errors.New("the function ended its goroutine")
	// ErrInside is returned if the function calls itself, with the context that it was given.
	ErrInside = errors.New("the function waits for its own result")
)

// PanicError is returned if the function panicked. Its text does not contain the value,
// which can contain a secret, unless it is an error of the runtime.
type PanicError struct{ Value any }

func (e *PanicError) Error() string {
	if err, ok := e.Value.(runtime.Error); ok {
		return "the function panicked: " + err.Error()
	}
	return fmt.Sprintf("the function panicked with a value of type %T", e.Value)
}

// Func is a function with shared calls. It is safe for concurrent use by multiple
// goroutines. Create it with [New].
type Func struct {
	call  func(context.Context) (string, error)
	limit time.Duration

	mu      sync.Mutex
	current *pending
	latest  string
}

// pending is a call that has not returned.
type pending struct {
	ctx    context.Context
	cancel context.CancelFunc
	done   chan struct{} // closed before ctx is canceled
	value  string        // set before done is closed
	err    error

	waiting int // Func.mu must be held
}

// New returns a [Func]. Each call gets a context that has no values of a caller's context and
// ends when the limit has passed or no caller waits any more. A call that ignores the end of
// its context is abandoned: the next one can then run beside it.
func New(limit time.Duration, call func(context.Context) (string, error)) *Func {
	return &Func{call: call, limit: limit}
}

// Ask returns the result of the call in flight, or of a new one if there is none. joined
// reports whether the call was in flight already, so that it can have begun long ago.
func (f *Func) Ask(ctx context.Context) (value string, joined bool, err error) {
	if ctx.Value(insideKey{}) == f {
		return "", false, ErrInside
	}
	if err := ctx.Err(); err != nil {
		return "", false, err
	}
	p, joined := f.join()
	defer f.leave(p)
	select {
	case <-p.done:
	case <-ctx.Done():
		return "", joined, ctx.Err()
	case <-p.ctx.Done():
		select {
		case <-p.done:
		default:
			return "", joined, ErrLimit
		}
	}
	return p.value, joined, p.err
}

// Latest returns the last value that a call has returned without an error. It is empty if
// there was none.
func (f *Func) Latest() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.latest
}

type insideKey struct{}

// join returns the call in flight, and starts one if there is none.
func (f *Func) join() (p *pending, joined bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if p = f.current; p != nil && p.ctx.Err() == nil {
		p.waiting++
		return p, true
	}
	ctx, cancel := context.WithTimeout(context.WithValue(context.Background(), insideKey{}, f), f.limit)
	p = &pending{ctx: ctx, cancel: cancel, done: make(chan struct{}), waiting: 1}
	f.current = p
	go f.run(p)
	return p, false
}

// leave abandons a call for which no caller waits.
func (f *Func) leave(p *pending) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if p.waiting--; p.waiting > 0 {
		return
	}
	if f.current == p {
		f.current = nil
	}
	p.cancel()
}

// run calls the function.
func (f *Func) run(p *pending) {
	var value string
	err := ErrExited
	defer func() {
		if reason := recover(); reason != nil {
			err = &PanicError{reason}
		}
		f.finish(p, value, err)
	}()
	runtime.Gosched() // callers that are ready to run can join; a fast function would return first
	value, err = f.call(p.ctx)
}

// finish hands out the result of a call.
func (f *Func) finish(p *pending, value string, err error) {
	f.mu.Lock()
	if p.err = err; err == nil {
		p.value = value
	}
	if f.current == p {
		f.current = nil
		if err == nil {
			f.latest = value
		}
	}
	f.mu.Unlock()
	close(p.done)
	p.cancel()
}
