package memfault

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/go-retryablehttp"

	"github.com/memfault-go/memfault/internal/operation"
)

// RetryPolicy configures how often, and after which delays, failed requests are retried. A zero
// field has its default. If only one of MinWait and MaxWait is set, the default of the other is
// adjusted: MinWait to at most MaxWait, MaxWait to at least MinWait.
//
// A failed request is retried if a retry is safe:
//
//   - any request, if the API responds with 429 or the connection, including its TLS
//     handshake, cannot be established for another reason than an invalid certificate;
//   - GET, HEAD, PUT and DELETE requests, PATCH requests with absolute values, and the few
//     POST requests that are safe to repeat, if the connection breaks or the API responds
//     with 502, 503, 504 or 529.
//
// Other POST requests, and PATCH requests that rename what their path names, are not retried once
// they may have reached Memfault. The POST requests that are safe to repeat are uploads of chunks,
// the first step of a file upload, and the request for a device's configuration. A 500 is never
// retried: Memfault advises against it. UNCERTAIN(unknown-slug-500): whether a 500 is also the
// response to a wrong organization or project slug; one author found it so. A DELETE that finds
// nothing after an attempt without a response is a success. What net/http repeats by itself is not
// a retry; see [Response.Attempts].
//
// Before the next attempt, the client waits for a random time, within a window that doubles
// from MinWait to MaxWait, and before that for the time in the Retry-After header (seconds or a
// date). If that time is longer than MaxRetryAfter, or ends after the deadline of the context, the
// call fails immediately. If the context ends during a wait, the call ends; the error also
// contains the last response.
//
// A 429 with Retry-After of the API host holds for all calls with the same credential, also of
// the clients that [Client.WithAuth] returns: none of them sends a request there until that time
// has passed, but for at most MaxRetryAfter. They then continue at random times, within a window
// that doubles each time that one of them is rejected again. A call that would wait more often
// than it could be retried fails with [ErrRateLimited] and is not sent. What is limited for each
// device does not delay other calls: chunks, events, uploads of devices and the latest release.
//
// A [ChunkSender] uses MinWait and MaxWait for the waits of a device. It ignores MaxAttempts,
// and honors a Retry-After of up to one hour, whatever MaxRetryAfter is.
type RetryPolicy struct {
	MaxAttempts int           // attempts in total; 5 by default, so 4 retries
	MinWait     time.Duration // window of the first wait; 0.5 s by default
	MaxWait     time.Duration // the widest window; 30 s by default
	// MaxRetryAfter is the longest Retry-After that a call honors; MaxWait by default.
	MaxRetryAfter time.Duration
}

func (p RetryPolicy) withDefaults() (RetryPolicy, error) {
	if p.MaxAttempts < 0 || p.MinWait < 0 || p.MaxWait < 0 || p.MaxRetryAfter < 0 {
		return p, invalid("WithRetry: MaxAttempts, MinWait, MaxWait and MaxRetryAfter must not be negative")
	}
	if p.MaxAttempts == 0 {
		p.MaxAttempts = 5
	}
	switch {
	case p.MinWait == 0 && p.MaxWait == 0:
		p.MinWait, p.MaxWait = 500*time.Millisecond, 30*time.Second
	case p.MinWait == 0:
		p.MinWait = min(500*time.Millisecond, p.MaxWait)
	case p.MaxWait == 0:
		p.MaxWait = max(30*time.Second, p.MinWait)
	}
	if p.MinWait > p.MaxWait {
		return p, invalid("WithRetry: MinWait %v is greater than MaxWait %v", p.MinWait, p.MaxWait)
	}
	p.MaxRetryAfter = cmp.Or(p.MaxRetryAfter, p.MaxWait)
	return p, nil
}

// newRetrier returns a client of go-retryablehttp that uses this policy instead of its own.
func (p RetryPolicy) newRetrier(client *http.Client) *retryablehttp.Client {
	return &retryablehttp.Client{
		HTTPClient:   client,
		RetryMax:     p.MaxAttempts - 1,
		CheckRetry:   p.check,
		Backoff:      p.backoff,
		PrepareRetry: restoreHeader,
		ErrorHandler: retryablehttp.PassthroughErrorHandler,
	}
}

// check decides whether a request is retried. It keeps each failed response in the call, so
// that the last one survives when the attempts or the context end.
func (p RetryPolicy) check(ctx context.Context, resp *http.Response, err error) (bool, error) {
	c := callFrom(ctx)
	if err == nil && resp != c.lastResponse { // go-retryablehttp calls check twice for one response
		c.lastResponse = resp
		if !succeeded(resp) {
			c.keepError(resp)
		}
	}
	c.maybeDone = c.maybeDone || c.mayBeDone(resp, err)
	switch {
	case ctx.Err() != nil || c.options.withoutRetry:
		return false, nil
	case err != nil:
		return c.retryable(err), nil
	case resp.StatusCode == http.StatusTooManyRequests:
		return p.worthWaiting(ctx, c, resp), nil
	case unavailable(resp.StatusCode) || c.storageFailed(resp):
		return c.idempotent() && p.worthWaiting(ctx, c, resp), nil
	default:
		return false, nil
	}
}

// storageFailed reports whether the storage behind presigned URLs failed temporarily. The
// storage is not Memfault: its 500 is retried, and its 400 for a connection that was too slow.
func (c *call) storageFailed(resp *http.Response) bool {
	return c.op.Host == operation.Presigned &&
		(resp.StatusCode == http.StatusInternalServerError || resp.StatusCode == http.StatusBadRequest && c.lastError.Type == "RequestTimeout")
}

func succeeded(resp *http.Response) bool { return resp.StatusCode/100 == 2 }

// mayBeDone reports whether an attempt that failed may have been carried out: its response was
// lost, or a gateway received none.
func (c *call) mayBeDone(resp *http.Response, err error) bool {
	if err != nil {
		return !isPermanent(err) && !neverLeft(err) && !c.unsent()
	}
	return resp.StatusCode == http.StatusBadGateway || resp.StatusCode == http.StatusGatewayTimeout
}

// worthWaiting reports whether the wait that a response asks for is allowed, and ends before the
// deadline of the call.
func (p RetryPolicy) worthWaiting(ctx context.Context, c *call, resp *http.Response) bool {
	after, asked := retryAfter(resp)
	if !asked || after > p.MaxRetryAfter {
		return !asked
	}
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < after {
		c.tooLate = after
		return false
	}
	return true
}

// retryable reports whether a request without a complete response may be retried: always if it
// was never sent, otherwise if it is safe to repeat.
func (c *call) retryable(err error) bool {
	return !isPermanent(err) && (neverLeft(err) || c.unsent() || c.idempotent())
}

// neverLeft reports whether no connection could be established.
func neverLeft(err error) bool {
	var network *net.OpError
	var proxy proxyError
	return errors.As(err, &network) && network.Op == "dial" || errors.As(err, &proxy)
}

func isPermanent(err error) bool {
	var permanent *permanentError
	var certificate *tls.CertificateVerificationError
	return errors.As(err, &permanent) || errors.As(err, &certificate)
}

// permanentError is a local failure that a retry cannot fix.
type permanentError struct{ cause error }

func (e *permanentError) Error() string { return e.cause.Error() }
func (e *permanentError) Unwrap() error { return e.cause }

func permanent(text string) error { return &permanentError{errors.New(text)} }

// backoff returns a random wait within a window that doubles with each attempt (full
// jitter). It begins after the wait that Retry-After asks for, so that callers that were
// rejected in the same instant do not come back in the same instant.
func (p RetryPolicy) backoff(_, _ time.Duration, attempt int, resp *http.Response) time.Duration {
	after, _ := retryAfter(resp)
	return p.randomAfter(min(after, p.MaxRetryAfter), attempt)
}

// randomAfter returns a wait at a random place of the window that follows another wait.
func (p RetryPolicy) randomAfter(wait time.Duration, attempt int) time.Duration {
	window := p.MaxWait
	if attempt < 62 && p.MinWait <= p.MaxWait>>attempt {
		window = p.MinWait << attempt
	}
	return wait + rand.N(max(min(window, math.MaxInt64-wait), 1)) //nolint:gosec // jitter needs no secret randomness
}

// retryAfter reads the Retry-After header of a response, in seconds or as a date. A date is
// relative to the response's own Date, so that the clocks do not need to agree, and to its Age,
// because a cache keeps the Date. If the date has passed, the wait is 0.
func retryAfter(resp *http.Response) (wait time.Duration, asked bool) {
	if resp == nil {
		return 0, false
	}
	text := strings.TrimSpace(resp.Header.Get("Retry-After"))
	seconds, err := strconv.ParseInt(text, 10, 64)
	// ParseInt may also return ErrRange if a text is not a number, but begins as a large one.
	isNumber := err == nil || errors.Is(err, strconv.ErrRange) && strings.Trim(text[1:], "0123456789") == ""
	switch {
	case isNumber && seconds < 0:
		return 0, false
	case isNumber:
		return time.Duration(min(seconds, math.MaxInt64/int64(time.Second))) * time.Second, true
	}
	date, err := http.ParseTime(text)
	if err != nil {
		return 0, false
	}
	now, err := http.ParseTime(resp.Header.Get("Date"))
	if err != nil {
		now = time.Now()
	} else if age, err := strconv.ParseUint(strings.TrimSpace(resp.Header.Get("Age")), 10, 31); err == nil {
		now = now.Add(time.Duration(age) * time.Second)
	}
	return max(date.Sub(now), 0), true
}
