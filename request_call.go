package memfault

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/memfault-go/memfault/internal/operation"
	"github.com/memfault-go/memfault/internal/stall"
)

// call is one call of an operation, with all its attempts.
type call struct {
	client      *Client
	op          *operation.Operation
	options     callOptions
	header      http.Header // of the request, in addition to the usual header
	contentType string
	small       bool // the request body is in memory and not large
	once        bool // not retried, even if the row of the operation is idempotent

	attempts     int
	timer        *stall.Timer // of the last attempt
	writes       *writes      // of the last attempt
	signedHeader http.Header  // of the last attempt, as it was sent
	plainHeader  http.Header  // the same before the Authenticator
	earlier      []string     // values that the Authenticator added to earlier attempts
	credential   string       // of the last attempt, if it rotates; empty if it was not sent
	renewed      bool         // a rejected credential was asked for again
	lastResponse *http.Response
	lastError    *Error        // the last response that failed
	decodeError  *Error        // a success whose body could not be read
	tooLate      time.Duration // the last response asked for a wait beyond the deadline of the call
	maybeDone    bool          // an attempt without a response may have been carried out
}

type callKey struct{}

func callFrom(ctx context.Context) *call {
	c, _ := ctx.Value(callKey{}).(*call)
	return c
}

// OperationName returns the name of the operation, such as devices.list, to which a request of
// the package belongs. ctx is the context of the request; for any other context, OperationName
// returns "". A [net/http.RoundTripper] of [WithHTTPClient] can use it for span names and
// metrics. For requests of [Client.Do] and [NewPager], the name is their method and path.
func OperationName(ctx context.Context) string {
	if ctx == nil {
		return ""
	}
	if c := callFrom(ctx); c != nil {
		return c.op.Name
	}
	return ""
}

func (c *call) validate(ctx context.Context) error {
	if ctx == nil {
		return invalid("%s: nil context", c.op.Name)
	}
	if c.options.err != nil {
		return invalid("%s: %w", c.op.Name, c.options.err)
	}
	if c.client.invalid != nil {
		return c.client.invalid
	}
	return authorize(c.client.auth, c.op)
}

// idempotent reports whether it is safe to repeat the request.
func (c *call) idempotent() bool { return !c.once && c.op.Idempotent() }

// requestHeader returns the header that each attempt starts from.
func (c *call) requestHeader() http.Header {
	header := http.Header{"User-Agent": c.client.core.userAgent}
	if c.op.Reply != operation.Stream {
		header["Accept"] = c.client.core.accept
	}
	if c.contentType != "" {
		header["Content-Type"] = []string{c.contentType}
	}
	for name, values := range c.header {
		header[name] = values
	}
	return header
}

// restoreHeader removes what earlier attempts left in the header of a request: net/http adds
// the cookies of a jar.
func restoreHeader(req *http.Request) error {
	req.Header = callFrom(req.Context()).requestHeader()
	return nil
}

// lateBodyLimit is how long the client waits for the rest of a response whose status already
// decides the call.
const lateBodyLimit = 5 * time.Second

const errLateBody = timeoutError("response body not complete within 5 s")

// keepError reads the start of a failed response's body into the call.
func (c *call) keepError(resp *http.Response) {
	c.timer.Finish(lateBodyLimit, errLateBody)
	// A body that cannot be read does not matter: the status alone is an error.
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxErrorRead))
	_ = resp.Body.Close()
	resp.Body = http.NoBody
	c.lastError = newStatusError(c, resp, body)
}

// failure turns the outcome of the attempts into the error of the call, or nil.
func (c *call) failure(ctx context.Context, resp *http.Response, err error) error {
	ended := ctx.Err() != nil || isLate(err)
	switch {
	case ctx.Err() != nil && (err != nil || !succeeded(resp)):
		err = contextError(ctx)
	case err != nil && c.decodeError != nil && errors.Is(err, c.decodeError):
		return c.decodeError
	case err == nil && !succeeded(resp):
		switch {
		case c.deletedBefore(resp):
			return nil
		case c.tooLate > 0:
			return &noResponseError{call: c, cause: fmt.Errorf("%w before the end of the wait of %v that the response asks for", context.DeadlineExceeded, c.tooLate), ended: true}
		default:
			return c.lastError
		}
	case err == nil:
		return nil
	}
	err = withoutURL(err)
	if quotesURL(err) {
		err = errors.New("the response contains an invalid URL")
	}
	return &noResponseError{call: c, cause: c.hideCause(err), ended: ended}
}

// isLate reports whether a call was not sent because it would have to wait beyond its deadline.
func isLate(err error) bool {
	if err == nil {
		return false // without the variable below, which is on the heap
	}
	var limited *limitError
	return errors.As(err, &limited) && limited.late
}

// deletedBefore reports whether a 404 is due to an earlier attempt of the same call, whose
// response was lost.
func (c *call) deletedBefore(resp *http.Response) bool {
	return c.maybeDone && resp.StatusCode == http.StatusNotFound &&
		c.op.Method == http.MethodDelete && c.op.Reply == operation.Empty
}

// contextError returns why a context ended: its error, and its cause if that differs.
func contextError(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if errors.Is(cause, err) {
		return err
	}
	return fmt.Errorf("%w: %w", err, cause)
}

// withoutURL removes the *url.Error from an error: its text contains the query.
func withoutURL(err error) error {
	var outer *url.Error
	if errors.As(err, &outer) {
		return outer.Err
	}
	return err
}

// noResponseError is a call that ended without a final response. It unwraps to its cause
// and to the last response that was not final, if there was one.
type noResponseError struct {
	call  *call
	cause error
	ended bool // the context of the call ended, or will before another attempt can be made
}

func (e *noResponseError) Error() string {
	text := fmt.Sprintf("memfault: %s: %s", e.call.op.Name, oneLine(e.call.redactor().Text(e.cause.Error()), maxErrorField))
	if e.call.attempts > 1 {
		text += fmt.Sprintf(" (attempt %d)", e.call.attempts)
	}
	if e.call.lastError != nil {
		text += "; last response: " + strings.TrimPrefix(e.call.lastError.Error(), "memfault: ")
	}
	return e.call.redactor().Text(text)
}

// Format writes the same line for every verb.
func (e *noResponseError) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, e.Error()) }

func (e *noResponseError) Is(target error) bool {
	return (target == ErrNoAnswer || target == ErrTemporary && !e.ended) && !errors.Is(e.cause, ErrInvalidArgument)
}

func (e *noResponseError) Unwrap() []error {
	if e.call.lastError == nil {
		return []error{e.cause}
	}
	return []error{e.cause, &earlierError{e.call.lastError}}
}
