package memfault

import (
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
)

// RetryPolicy says how often and after what waits a failed request is repeated.
type RetryPolicy struct {
	MaxAttempts int           // attempts in all, the first included; 5 by default
	MinWait     time.Duration // the window of the first wait; 0.5 s by default
	MaxWait     time.Duration // the widest window, and the longest Retry-After obeyed; 30 s by default
}

func (p RetryPolicy) withDefaults() (RetryPolicy, error) {
	if p.MaxAttempts < 0 || p.MinWait < 0 || p.MaxWait < 0 {
		return p, invalid("WithRetry: a negative value")
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
		return p, invalid("WithRetry: MinWait %v is above MaxWait %v", p.MinWait, p.MaxWait)
	}
	return p, nil
}

// newRetrier returns go-retryablehttp with this policy in place of all its own.
func (p RetryPolicy) newRetrier(client *http.Client) *retryablehttp.Client {
	return &retryablehttp.Client{
		HTTPClient:   client,
		RetryMax:     p.MaxAttempts - 1,
		CheckRetry:   p.check,
		Backoff:      p.backoff,
		ErrorHandler: retryablehttp.PassthroughErrorHandler,
	}
}

// check decides whether a request is repeated. It keeps each failed answer in the
// call, so that the last one survives when the attempts or the context end.
func (p RetryPolicy) check(ctx context.Context, resp *http.Response, err error) (bool, error) {
	c := callFrom(ctx)
	if err == nil && resp != c.last { // go-retryablehttp asks twice about one answer
		c.last = resp
		if !succeeded(resp) {
			c.keepAnswer(resp)
		}
	}
	switch {
	case ctx.Err() != nil || c.options.withoutRetry:
		return false, nil
	case err != nil:
		return c.repeatable(err), nil
	case resp.StatusCode == http.StatusTooManyRequests:
		return p.worthWaiting(resp), nil
	case unavailable(resp.StatusCode):
		return c.op.Idempotent() && p.worthWaiting(resp), nil
	default:
		return false, nil
	}
}

func succeeded(resp *http.Response) bool { return resp.StatusCode/100 == 2 }

func (p RetryPolicy) worthWaiting(resp *http.Response) bool {
	after, asked := retryAfter(resp)
	return !asked || after <= p.MaxWait
}

// repeatable reports whether a request that got no whole answer may be sent
// again: always when it never left, else when repeating it does no harm.
func (c *call) repeatable(err error) bool {
	if isPermanent(err) {
		return false
	}
	var network *net.OpError
	neverLeft := errors.As(err, &network) && network.Op == "dial"
	return neverLeft || c.op.Idempotent()
}

func isPermanent(err error) bool {
	var permanent *permanentError
	var certificate *tls.CertificateVerificationError
	return errors.As(err, &permanent) || errors.As(err, &certificate)
}

// permanentError is a failure on this side that no repetition mends.
type permanentError struct{ cause error }

func (e *permanentError) Error() string { return e.cause.Error() }
func (e *permanentError) Unwrap() error { return e.cause }

func permanent(text string) error { return &permanentError{errors.New(text)} }

// backoff returns what Retry-After asks for, else a random wait within a window
// that doubles with each attempt (full jitter).
func (p RetryPolicy) backoff(_, _ time.Duration, attempt int, resp *http.Response) time.Duration {
	if after, asked := retryAfter(resp); asked {
		return min(after, p.MaxWait)
	}
	window := p.MaxWait
	if attempt < 62 && p.MinWait <= p.MaxWait>>attempt {
		window = p.MinWait << attempt
	}
	return rand.N(max(window, 1)) //nolint:gosec // jitter needs no secret randomness
}

// retryAfter reads the Retry-After header of an answer, in seconds or as a date.
// A date is counted from the answer's own Date, so that clocks need not agree; one
// that has passed asks for no wait.
func retryAfter(resp *http.Response) (wait time.Duration, asked bool) {
	if resp == nil {
		return 0, false
	}
	text := strings.TrimSpace(resp.Header.Get("Retry-After"))
	seconds, err := strconv.ParseInt(text, 10, 64)
	switch {
	case err == nil && seconds < 0, errors.Is(err, strconv.ErrRange) && seconds < 0:
		return 0, false
	case err == nil || errors.Is(err, strconv.ErrRange):
		return time.Duration(min(seconds, math.MaxInt64/int64(time.Second))) * time.Second, true
	}
	date, err := http.ParseTime(text)
	if err != nil {
		return 0, false
	}
	now, err := http.ParseTime(resp.Header.Get("Date"))
	if err != nil {
		now = time.Now()
	}
	return max(date.Sub(now), 0), true
}
