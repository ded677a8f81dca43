package faultmatrix

import (
	"slices"
	"time"

	"github.com/memfault-go/memfault"
)

// expectation is what the rules demand of a cell.
type expectation struct {
	attempts int           // requests that the package sends in the step at fault
	seen     int           // requests of this step that a server receives
	min, max time.Duration // until the call returns
	errors   []error       // the kinds of the error; none after a success
	timeout  bool          // the error is a net.Error whose Timeout is true
	code     int           // the status that is the error; 0 if it is another
}

// temporary reports whether the same call may succeed later, from the documentation of
// memfault.ErrTemporary.
func (e expectation) temporary() bool {
	temporary := []error{memfault.ErrNoAnswer, memfault.ErrRateLimited, memfault.ErrUnavailable, memfault.ErrNotReady}
	return e.errors != nil && (e.code == 500 || slices.Contains(temporary, e.errors[0]))
}

// rule returns the expectation for a fault that never passes or, if once is true, for a fault
// that occurs only once.
type rule func(k *kind, once bool) expectation

// Limits in the documentation of package memfault.
const (
	maxAttempts   = 5                      // RetryPolicy.MaxAttempts
	firstWindow   = 500 * time.Millisecond // RetryPolicy.MinWait
	lastWindow    = 30 * time.Second       // RetryPolicy.MaxWait
	headerTimeout = time.Minute            // WithTimeout
	stallTimeout  = time.Minute            // a response body without progress
	lateTimeout   = 5 * time.Second        // a response body that is not needed
	tooLong       = time.Duration(1<<63 - 1)
)

// waits returns the least and the most time of all waits before n retries. Each wait is random
// within a window that doubles, after the time in Retry-After.
func waits(n int, retryAfter time.Duration) (least, most time.Duration) {
	for i := range n {
		window := min(firstWindow<<i, lastWindow)
		least += retryAfter
		most += retryAfter + window
	}
	return least, most
}

// repeated is a call whose attempts all fail in the same way, each after the same time. If the
// call is retried and the fault occurs once, the second attempt succeeds.
func repeated(retried, once bool, attempts int, each, retryAfter time.Duration, seen int, errs ...error) expectation {
	failed := attempts
	switch {
	case !retried:
		failed, attempts = 1, 1
	case once:
		failed, attempts = 1, 2
	}
	least, most := waits(attempts-1, retryAfter)
	e := expectation{attempts: attempts, seen: failed*seen + attempts - failed, errors: errs}
	e.min, e.max = time.Duration(failed)*each+least, time.Duration(failed)*each+most
	if retried && once {
		e.errors = nil
	}
	return e
}

// noAnswer sets the error of an attempt without a complete response.
func noAnswer(e expectation, each time.Duration) expectation {
	e.timeout = e.errors != nil && each > 0
	return e
}

// unreachable is a connection that cannot be established: any request is retried.
func unreachable(each time.Duration) rule {
	return func(_ *kind, once bool) expectation {
		return noAnswer(repeated(true, once, maxAttempts, each, 0, 0, memfault.ErrNoAnswer), each)
	}
}

// permanent is a failure of the connection that no retry can fix.
func permanent(seen int) rule {
	return func(_ *kind, once bool) expectation {
		return repeated(false, once, 1, 0, 0, seen, memfault.ErrNoAnswer)
	}
}

// lost is a request without a response. The server may have carried out the request.
func lost(each time.Duration, seen int) rule {
	return func(k *kind, once bool) expectation {
		return noAnswer(repeated(k.repeatable, once, maxAttempts, each, 0, seen, memfault.ErrNoAnswer), each)
	}
}

// lostAfterRequest differs from lost if the connection was used before: net/http then repeats
// a GET by itself.
func lostAfterRequest(k *kind, once bool) expectation {
	e := lost(0, 1)(k, once)
	switch {
	case !k.later || !k.get():
	case once:
		e = expectation{attempts: 1, seen: 2}
	default:
		e.seen++
	}
	return e
}

// stale is a connection that breaks when it is used again. net/http repeats a GET by itself.
func stale(k *kind, _ bool) expectation {
	if k.get() {
		return expectation{attempts: 1, seen: 1}
	}
	return lost(0, 0)(k, true)
}

// forgotten is a connection that is dead, without a close, when it is used again. The client
// closes it after the given time.
func forgotten(after time.Duration) rule {
	return func(k *kind, _ bool) expectation { return lost(after, 0)(k, true) }
}

// refusedStream is a request that an HTTP/2 server has not processed. If the package allows
// net/http to open the body again, net/http repeats the request by itself: first immediately,
// then after 0, 1, 2, 4, 8, 16 and 32 s, each wait up to a tenth longer. The time limit ends an
// attempt after 60 s, unless reading the body of a file restarts the limit.
func refusedStream(k *kind, once bool) expectation {
	switch {
	case !k.repeatable && k.body:
		return lost(0, 1)(k, once)
	case once:
		return expectation{attempts: 1, seen: 2}
	case k.name == put:
		e := lost(63*time.Second, 8)(k, false)
		e.max += maxAttempts * 4 * time.Second
		return noTimeout(e)
	default:
		return lost(headerTimeout, 7)(k, false)
	}
}

// excluded is a request that an HTTP/2 server has not processed before it closed the
// connection. net/http repeats it on other connections, without waits, for as long as the
// attempt lasts. The body of a file restarts the time limit of the attempt. Therefore the package
// allows net/http to open such a body only 10 times; net/http opens it twice for a connection.
func excluded(k *kind, once bool) expectation {
	switch {
	case !k.repeatable && k.body:
		return noTimeout(lost(goAwayDelay, 1)(k, once))
	case once:
		return expectation{attempts: 1, seen: 2, min: goAwayDelay, max: goAwayDelay}
	case k.name == put:
		return noTimeout(lost(6*goAwayDelay, 6)(k, false))
	default:
		return lost(headerTimeout, 1+int(headerTimeout/goAwayDelay))(k, false)
	}
}

// noTimeoutOf is a rule whose error is not a time limit.
func noTimeoutOf(r rule) rule {
	return func(k *kind, once bool) expectation { return noTimeout(r(k, once)) }
}

func noTimeout(e expectation) expectation {
	e.timeout = false
	return e
}

// bodyLost is a response whose body breaks off. A download resumes, and counts its attempts from
// the last attempt with new data. This server sends new data only in the first attempt.
func bodyLost(each time.Duration) rule {
	return func(k *kind, once bool) expectation {
		switch k.response {
		case file:
			return noAnswer(repeated(true, once, maxAttempts+1, each, 0, 1, memfault.ErrNoAnswer), each)
		case nothing:
			return harmless(min(each, lateTimeout))(k, once)
		default:
			return lost(each, 1)(k, once)
		}
	}
}

// harmless is a fault that at most delays the call.
func harmless(delay time.Duration) rule {
	return func(*kind, bool) expectation {
		return expectation{attempts: 1, seen: 1, min: delay, max: delay}
	}
}

func slowBody(k *kind, once bool) expectation {
	if k.response == nothing {
		return harmless(lateTimeout)(k, once)
	}
	return harmless((dripParts-1)*dripInterval)(k, once)
}

func noContinue(k *kind, once bool) expectation {
	if !k.body {
		return harmless(0)(k, once)
	}
	return harmless(continueTimeout)(k, once)
}

// statusKinds are the kinds of the statuses, from the documentation of the Err variables. A
// status that is not here is of the kind ErrUnexpectedResponse.
var statusKinds = map[int]error{
	400: memfault.ErrBadRequest,
	401: memfault.ErrUnauthorized,
	403: memfault.ErrForbidden,
	404: memfault.ErrNotFound,
	409: memfault.ErrConflict,
	413: memfault.ErrTooLarge,
	429: memfault.ErrRateLimited,
	502: memfault.ErrUnavailable,
	503: memfault.ErrUnavailable,
	504: memfault.ErrUnavailable,
	529: memfault.ErrUnavailable,
}

func status(code int) rule { return statusAfter(code, 0) }

func statusAfter(code int, retryAfter time.Duration) rule {
	return func(k *kind, once bool) expectation {
		kindOf := statusKinds[code]
		if kindOf == nil {
			kindOf = memfault.ErrUnexpectedResponse
		}
		retried := code == 429 || slices.Contains([]int{502, 503, 504, 529}, code) && k.repeatable ||
			code == 500 && k.name == put // the storage is not Memfault
		switch {
		case code == 409 && k.name == commit: // the file is there already
			return harmless(0)(k, once)
		case code == 403 && k.name == put: // the package asks for another upload URL, once
			e := expectation{attempts: 2, seen: 2, errors: []error{kindOf}}
			if once {
				e.errors = nil
			}
			return e
		}
		e := repeated(retried && retryAfter <= lastWindow, once, maxAttempts, 0, retryAfter, 1, kindOf)
		e.code = code
		return e
	}
}

// htmlPage is the HTML page of a captive portal instead of a response of Memfault.
func htmlPage(k *kind, once bool) expectation { return permanent(1)(k, once) }

// unusable is a success whose body is not what the operation returns.
func unusable(k *kind, once bool) expectation {
	if k.response != object {
		return harmless(0)(k, once)
	}
	return repeated(false, once, 1, 0, 0, 1, memfault.ErrUnexpectedResponse)
}

// emptyBody is an empty body, with which Memfault responds while it processes a coredump.
func emptyBody(k *kind, once bool) expectation {
	if k.response == file {
		return repeated(false, once, 1, 0, 0, 1, memfault.ErrNotReady)
	}
	return unusable(k, once)
}

// notFollowed is a redirect of a request that could change something.
func notFollowed(_ *kind, once bool) expectation {
	return repeated(false, once, 1, 0, 0, 1, memfault.ErrUnexpectedResponse)
}

func redirected(k *kind, once bool) expectation {
	if !k.get() {
		return notFollowed(k, once)
	}
	return expectation{attempts: 1, seen: 2}
}

func redirectLoop(k *kind, once bool) expectation {
	switch {
	case !k.get():
		return notFollowed(k, once)
	case once:
		return expectation{attempts: 1, seen: 2}
	default:
		return permanent(10)(k, once)
	}
}

func redirectedToHTTP(k *kind, once bool) expectation {
	if !k.get() {
		return notFollowed(k, once)
	}
	return permanent(1)(k, once)
}
