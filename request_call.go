package memfault

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/memfault-go/memfault/internal/operation"
)

// call is one call of an operation, from building it to its answer.
type call struct {
	client  *Client
	op      *operation.Operation
	options callOptions
	header  http.Header // what the request says besides the usual

	attempts int
	signed   http.Header // of the last attempt, as it was sent
	unsigned http.Header
	last     *http.Response // the last answer, whatever it was
	answer   *Error         // the last failed one
	unread   *Error         // a success whose body could not be read
}

type callKey struct{}

func callFrom(ctx context.Context) *call {
	c, _ := ctx.Value(callKey{}).(*call)
	return c
}

func (c *call) validate(ctx context.Context) error {
	if ctx == nil {
		return invalid("%s: the context is nil", c.op.Name)
	}
	if c.options.err != nil {
		return invalid("%s: %w", c.op.Name, c.options.err)
	}
	if c.client.invalid != nil {
		return c.client.invalid
	}
	return authorize(c.client.auth, c.op)
}

// keepAnswer reads the start of a failed answer's body into the call.
func (c *call) keepAnswer(resp *http.Response) {
	// What could not be read is missing from the error, which the status makes.
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody))
	_ = resp.Body.Close()
	resp.Body = http.NoBody
	c.answer = newError(c, resp, body)
}

// failure turns what the attempts came to into the error of the call, or nil.
func (c *call) failure(ctx context.Context, resp *http.Response, err error) error {
	switch {
	case ctx.Err() != nil && (err != nil || !succeeded(resp)):
		err = ended(ctx)
	case err != nil && c.unread != nil && errors.Is(err, c.unread):
		return c.unread
	case err == nil && !succeeded(resp):
		return c.answer
	case err == nil:
		return nil
	}
	return &lostError{call: c, cause: withoutURL(err)}
}

// ended returns why a context ended: its error, and its cause if that tells more.
func ended(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if errors.Is(cause, err) {
		return err
	}
	return fmt.Errorf("%w: %w", err, cause)
}

// withoutURL takes the *url.Error away from an error: its text holds the query.
func withoutURL(err error) error {
	var outer *url.Error
	if errors.As(err, &outer) {
		return outer.Err
	}
	return err
}

// lostError is a call that ended without a final answer. It unwraps to its cause
// and to the last answer that was not final, if there was one.
type lostError struct {
	call  *call
	cause error
}

func (e *lostError) Error() string {
	text := fmt.Sprintf("memfault: %s: %v", e.call.op.Name, e.cause)
	if e.call.attempts > 1 {
		text += fmt.Sprintf(" (attempt %d)", e.call.attempts)
	}
	if e.call.answer != nil {
		text += "; last answer: " + strings.TrimPrefix(e.call.answer.Error(), "memfault: ")
	}
	return e.call.redact(withoutQueries(text))
}

// Format writes the same line for every verb.
func (e *lostError) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, e.Error()) }

func (e *lostError) Unwrap() []error {
	if e.call.answer == nil {
		return []error{e.cause}
	}
	return []error{e.cause, e.call.answer}
}
