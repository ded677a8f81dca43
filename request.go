package memfault

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/google/go-querystring/query"
	"github.com/hashicorp/go-retryablehttp"

	"github.com/memfault-go/memfault/internal/operation"
)

// maxReply is the size above which the body of a success is refused.
const maxReply = 64 << 20

const requestIDHeader = "X-Request-Id"

// input is what fills a row of the table of operations.
type input struct {
	path  []string // the values of the path's placeholders, in order
	query any      // url.Values, a struct with url tags, or nil
	body  any      // what is sent as JSON, or nil
}

// fetch calls an operation that returns an object.
func fetch[T any](ctx context.Context, client *Client, id operation.ID, in input, opts []CallOption) (*T, error) {
	r, err := client.call(ctx, operation.Get(id), in, newCallOptions(opts))
	if err != nil {
		return nil, err
	}
	defer r.release()
	if r.call.op.Reply == operation.Bare {
		return decode[T](r)
	}
	return decodeData[T](r)
}

// exec calls an operation that returns nothing.
func exec(ctx context.Context, client *Client, id operation.ID, in input, opts []CallOption) error {
	r, err := client.call(ctx, operation.Get(id), in, newCallOptions(opts))
	if err != nil {
		return err
	}
	r.release()
	return nil
}

// call is one call of an operation, from building it to its answer.
type call struct {
	client  *Client
	op      *operation.Operation
	options callOptions

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

// reply is a success, its body read. release gives the body's buffer back.
type reply struct {
	call     *call
	response *http.Response
	body     *bytes.Buffer
}

func (r *reply) release() { r.call.client.core.buffers.put(r.body) }

func (r *reply) unreadable(why string, cause error) *Error {
	return unreadable(r.call, r.response, r.body.Bytes(), why, cause)
}

// call sends a row of the table.
func (c *Client) call(ctx context.Context, op *operation.Operation, in input, opts callOptions) (*reply, error) {
	path, err := expand(op, in.path)
	if err != nil {
		return nil, err
	}
	values, err := queryValues(in.query)
	if err != nil {
		return nil, fmt.Errorf("memfault: %s: %w", op.Name, err)
	}
	return c.send(ctx, op, path, values, in.body, opts)
}

// send is the one way of a request: build, sign, attempt, repeat, check, read.
func (c *Client) send(ctx context.Context, op *operation.Operation, path string, values url.Values, body any, opts callOptions) (*reply, error) {
	state := &call{client: c, op: op, options: opts}
	if err := state.validate(ctx); err != nil {
		return nil, err
	}
	req, err := state.newRequest(ctx, path, values, body)
	if err != nil {
		return nil, fmt.Errorf("memfault: %s: %w", op.Name, err)
	}
	r := &reply{call: state, body: c.core.buffers.get()}
	req.SetResponseHandler(r.read)
	resp, err := c.core.retrier.Do(req) //nolint:bodyclose // read and keepAnswer close it
	opts.report(state)
	if err = state.failure(ctx, resp, err); err != nil {
		r.release()
		return nil, err
	}
	r.response = resp
	return r, nil
}

func (c *call) validate(ctx context.Context) error {
	if ctx == nil {
		return fmt.Errorf("memfault: %s: the context is nil", c.op.Name)
	}
	if c.options.err != nil {
		return fmt.Errorf("memfault: %s: %w", c.op.Name, c.options.err)
	}
	if err := validateAuth(c.client.auth); err != nil {
		return err
	}
	return authorize(c.client.auth, c.op)
}

func (c *call) newRequest(ctx context.Context, path string, values url.Values, body any) (*retryablehttp.Request, error) {
	unescaped, err := url.PathUnescape(path)
	if err != nil {
		return nil, err
	}
	target := *c.client.core.hosts[c.op.Host]
	target.Path, target.RawPath = target.Path+unescaped, target.EscapedPath()+path
	target.RawQuery = values.Encode()

	ctx = context.WithValue(ctx, callKey{}, c)
	req, err := retryablehttp.NewRequestWithContext(ctx, c.op.Method, "", nil)
	if err != nil {
		return nil, err
	}
	req.URL, req.Host = &target, target.Host
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", c.client.core.config.userAgent)
	if body != nil {
		encoded, err := json.Marshal(body)
		if err != nil {
			return nil, fmt.Errorf("the body cannot be encoded: %w", err)
		}
		if err := req.SetBody(encoded); err != nil {
			return nil, err
		}
		req.Header.Set("Content-Type", "application/json")
	}
	return req, nil
}

// read takes in the body of a success. An error here counts as a lost connection:
// the request is repeated where that does no harm.
func (r *reply) read(resp *http.Response) error {
	if !succeeded(resp) {
		return nil
	}
	defer resp.Body.Close() //nolint:errcheck // the body was read to its end
	r.body.Reset()
	limit := int64(maxReply + 1)
	switch size := resp.ContentLength; {
	case size > maxReply:
		limit = maxErrorBody // enough to show
	case size > 0:
		r.body.Grow(int(size) + bytes.MinRead)
	}
	_, err := r.body.ReadFrom(io.LimitReader(resp.Body, limit))
	if err != nil {
		r.call.unread = unreadable(r.call, resp, r.body.Bytes(), "the reply was cut off", err)
		return r.call.unread
	}
	if r.body.Len() > maxReply || resp.ContentLength > maxReply {
		r.call.unread = unreadable(r.call, resp, r.body.Bytes(), "the reply is larger than 64 MiB", nil)
		return &permanentError{r.call.unread}
	}
	return nil
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
	switch ended := ctx.Err(); {
	case ended != nil && (err != nil || !succeeded(resp)):
		if cause := context.Cause(ctx); !errors.Is(cause, ended) {
			ended = fmt.Errorf("%w: %w", ended, cause)
		}
		err = ended
	case err != nil && c.unread != nil && errors.Is(err, c.unread):
		return c.unread
	case err == nil && !succeeded(resp):
		return c.answer
	case err == nil:
		return nil
	}
	return &lostError{call: c, cause: withoutURL(err)}
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

// redact blots the client's credential out of a text.
func (c *call) redact(text string) string {
	for _, secret := range secretsIn(c.signed, c.unsigned) {
		if len(secret) >= 4 { // a shorter one would blot out half of any text
			text = strings.ReplaceAll(text, secret, "[redacted]")
		}
	}
	return text
}

// expand fills the placeholders of an operation's path, each with one escaped
// segment.
func expand(op *operation.Operation, values []string) (string, error) {
	var b strings.Builder
	for segment := range strings.SplitSeq(strings.TrimPrefix(op.Path, "/"), "/") {
		b.WriteByte('/')
		if !strings.HasPrefix(segment, "{") {
			b.WriteString(segment)
			continue
		}
		value := values[0]
		values = values[1:]
		name := strings.Trim(segment, "{}")
		if value == "" && strings.HasSuffix(name, "_id") {
			return "", fmt.Errorf("memfault: %s: %s is empty or below 1", op.Name, name)
		}
		if err := checkSegment(value); err != nil {
			return "", fmt.Errorf("memfault: %s: %s %w", op.Name, name, err)
		}
		// QueryEscape leaves only unreserved characters. A plus in a version would
		// pass as it is, but not every server on the way reads it as one.
		b.WriteString(strings.ReplaceAll(url.QueryEscape(value), "+", "%20"))
	}
	return b.String(), nil
}

func checkSegment(value string) error {
	switch value {
	case "":
		return errors.New("is empty")
	case ".", "..":
		return fmt.Errorf("%q is no path segment", value)
	default:
		return nil
	}
}

func queryValues(options any) (url.Values, error) {
	switch options := options.(type) {
	case nil:
		return nil, nil
	case url.Values:
		return options, nil
	default:
		return query.Values(options)
	}
}
