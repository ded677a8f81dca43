package memfault

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	"github.com/memfault-go/memfault/internal/operation"
)

// rateLimits contains the waits that the API host asks for with a 429 and Retry-After, by
// credential. They hold for all calls of a client and of the clients that share its
// connections, because each call that would find out by itself is one more rejected request.
type rateLimits struct {
	policy RetryPolicy

	count atomic.Int32 // of byKey, so that a call takes no lock while there is no wait
	mu    sync.Mutex
	byKey map[any]rateLimit
}

// rateLimit is the wait for one credential. It is kept until a call succeeds after it.
type rateLimit struct {
	until  time.Time
	rounds int // how often a call was rejected again after the wait had passed
}

// limitError is why a call does not wait until a wait has passed that an earlier response of the
// API asked for. No request was sent.
type limitError struct {
	left time.Duration
	late bool // the wait ends after the deadline of the call
}

func (e *limitError) Error() string {
	if e.late {
		return fmt.Sprintf("%v before the end of the wait of %v that the API asks this client for with 429", context.DeadlineExceeded, e.left)
	}
	return fmt.Sprintf("the API rejects calls of this client with 429 again and again; it asks for another wait of %v", e.left)
}

func (e *limitError) Is(target error) bool {
	return target == ErrRateLimited || e.late && target == context.DeadlineExceeded
}

// sharesLimit reports whether an operation counts against a limit of the API host for all calls of a
// credential. Operations that devices use have a limit for each device: they have another host,
// or accept only a project key.
func (c *call) sharesLimit() bool {
	return c.op.Host == operation.API && c.op.Credentials != operation.ProjectKey
}

// wait delays an attempt until the wait of its credential has passed. Calls that waited for the
// same response continue at random times within a window, which doubles each time that one of
// them is rejected again. A call that must wait more often than it could be retried fails.
func (l *rateLimits) wait(ctx context.Context, c *call) error {
	if l.count.Load() == 0 || !c.sharesLimit() {
		return nil
	}
	key, rounds := limitKey(c.client), l.policy.MaxAttempts
	if c.options.withoutRetry {
		rounds = 1
	}
	for round := 0; ; round++ {
		l.mu.Lock()
		limit := l.byKey[key]
		l.mu.Unlock()
		left := time.Until(limit.until)
		deadline, ok := ctx.Deadline()
		switch {
		case left <= 0:
			return nil
		case ok && deadline.Before(limit.until):
			return &limitError{left, true}
		case round == rounds:
			return &limitError{left, false}
		}
		timer := time.NewTimer(l.policy.randomAfter(left, limit.rounds))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return contextError(ctx)
		}
	}
}

// note keeps the wait that a response asks for, and forgets it after a success.
func (l *rateLimits) note(c *call, resp *http.Response) {
	if !c.sharesLimit() {
		return
	}
	after := time.Duration(0)
	if resp.StatusCode == http.StatusTooManyRequests {
		after, _ = retryAfter(resp)
	} else if l.count.Load() == 0 || !succeeded(resp) {
		return
	}
	key, now := limitKey(c.client), time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	limit, known := l.byKey[key]
	passed := !limit.until.After(now)
	switch {
	case after > 0:
		if known && passed {
			limit.rounds++
		}
		if until := now.Add(min(after, l.policy.MaxRetryAfter)); until.After(limit.until) {
			limit.until = until
		}
		l.forgetPassed(now)
		if l.byKey == nil {
			l.byKey = map[any]rateLimit{}
		}
		l.byKey[key] = limit
	case passed && succeeded(resp):
		delete(l.byKey, key)
	}
	l.count.Store(int32(len(l.byKey))) //nolint:gosec // a credential each
}

// forgetPassed removes the waits of credentials that are no longer used.
func (l *rateLimits) forgetPassed(now time.Time) {
	for key, limit := range l.byKey {
		if now.Sub(limit.until) > l.policy.MaxWait {
			delete(l.byKey, key)
		}
	}
}

// limitKey identifies the credential of a client. Equal secrets have equal keys; an Authenticator
// of another type is equal only to itself.
func limitKey(client *Client) any {
	if held, ok := client.auth.(credential); ok {
		return sha256.Sum256([]byte(held.hidden.header + held.hidden.text))
	}
	if reflect.ValueOf(client.auth).Comparable() {
		return client.auth
	}
	return client
}
