package memfault

import (
	"context"
	"io"
	"net/http"
	"sync"
	"time"
)

// timeoutError is a limit of the client's own that passed.
type timeoutError string

func (e timeoutError) Error() string { return string(e) }

// Timeout marks the error for os.IsTimeout and net.Error.
func (e timeoutError) Timeout() bool { return true }

const (
	errNoAnswer = timeoutError("no answer within the time limit of one attempt")
	errStalled  = timeoutError("the body of the answer stood still for a minute")
	stallLimit  = time.Minute
)

// watch cancels an attempt that makes no progress: until the answer's header within
// the time limit of an attempt, and then while its body is read.
type watch struct {
	cancel context.CancelCauseFunc
	timer  *time.Timer

	mu       sync.Mutex
	limit    time.Duration
	deadline time.Time // zero while nothing is waited for
	look     time.Time // when the timer fires
	why      timeoutError
	fired    bool
	ended    bool
}

func newWatch(limit time.Duration, cancel context.CancelCauseFunc) *watch {
	deadline := time.Now().Add(limit)
	w := &watch{cancel: cancel, limit: limit, deadline: deadline, look: deadline, why: errNoAnswer}
	w.mu.Lock() // a short limit may fire before timer is set
	defer w.mu.Unlock()
	w.timer = time.AfterFunc(limit, w.fire)
	return w
}

// fire ends the attempt if the deadline has passed, and else looks again then. To set
// the timer for each part of a body would cost more than to read the part.
func (w *watch) fire() {
	w.mu.Lock()
	defer w.mu.Unlock()
	left := w.limit
	if !w.deadline.IsZero() {
		left = time.Until(w.deadline)
	}
	switch {
	case w.ended:
	case left > 0:
		w.lookIn(left)
	default:
		w.fired = true
		w.cancel(w.why)
	}
}

// extend starts the limit anew, unless what it was for is over.
func (w *watch) extend(why timeoutError) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.why != why {
		return
	}
	if w.deadline = time.Now().Add(w.limit); w.deadline.Before(w.look) {
		w.lookIn(w.limit)
	}
}

// lookIn sets the timer. The watch is locked.
func (w *watch) lookIn(wait time.Duration) {
	w.look = time.Now().Add(wait)
	w.timer.Reset(wait)
}

// pause ends what was waited for. When the watch is extended again it is for why.
func (w *watch) pause(limit time.Duration, why timeoutError) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.limit, w.why, w.deadline = limit, why, time.Time{}
}

// end ends the watch, and what it watched.
func (w *watch) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = true
	w.timer.Stop()
	w.cancel(nil)
}

// stalled reports whether the watch ended the attempt.
func (w *watch) stalled() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.fired && w.why == errStalled
}

// follow makes a request's body extend the limit, also where net/http opens it anew
// because a kept connection turned out to be closed.
func (w *watch) follow(req *http.Request) {
	if req.Body == nil {
		return
	}
	req.Body = &watchedBody{req.Body, w}
	if open := req.GetBody; open != nil {
		req.GetBody = func() (io.ReadCloser, error) {
			body, err := open()
			return &watchedBody{body, w}, err
		}
	}
}

// watchedBody is a request's body that extends the time limit while it goes out.
type watchedBody struct {
	io.ReadCloser
	watch *watch
}

func (b *watchedBody) Read(p []byte) (int, error) {
	b.watch.extend(errNoAnswer)
	return b.ReadCloser.Read(p)
}

// guardedBody is an answer's body that does not stand still for ever.
type guardedBody struct {
	io.ReadCloser
	watch *watch
}

func (b *guardedBody) Read(p []byte) (int, error) {
	b.watch.extend(errStalled)
	n, err := b.ReadCloser.Read(p)
	b.watch.pause(stallLimit, errStalled)
	if err != nil && b.watch.stalled() {
		err = errStalled
	}
	return n, err
}

func (b *guardedBody) Close() error {
	err := b.ReadCloser.Close()
	b.watch.end()
	return err
}
