package memfault

import (
	"bytes"
	"context"
	"io"
	"maps"
	"net/http"
	"net/url"

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
	body  any      // what is sent as JSON, a *payload, or nil
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

// call sends a row of the table.
func (c *Client) call(ctx context.Context, op *operation.Operation, in input, opts callOptions) (*reply, error) {
	target, err := c.fill(op, in)
	if err != nil {
		return nil, err
	}
	return c.send(ctx, op, target, in.body, opts)
}

// fill returns the URL of a row of the table.
func (c *Client) fill(op *operation.Operation, in input) (*url.URL, error) {
	if err := c.usable(); err != nil {
		return nil, err
	}
	path, err := expand(op, in.path)
	if err != nil {
		return nil, err
	}
	values, err := queryValues(in.query)
	if err != nil {
		return nil, invalid("%s: %w", op.Name, err)
	}
	return c.core.target(op, path, values)
}

// send calls an operation and reads the body of its answer.
func (c *Client) send(ctx context.Context, op *operation.Operation, target *url.URL, body any, opts callOptions) (*reply, error) {
	r := &reply{call: &call{client: c, op: op, options: opts}, body: c.core.buffers.get()}
	var err error
	if r.response, err = r.call.exchange(ctx, target, body, r.read); err != nil { //nolint:bodyclose // read and keepAnswer close it
		r.release()
		return nil, err
	}
	return r, nil
}

// exchange is the one way of a request: build, sign, attempt, repeat, check. take
// reads the body of a success as a part of the attempt; without it, the body is left
// to the caller, to be read and closed.
func (c *call) exchange(ctx context.Context, target *url.URL, body any, take retryablehttp.ResponseHandlerFunc) (*http.Response, error) {
	if err := c.validate(ctx); err != nil {
		return nil, err
	}
	req, err := c.newRequest(ctx, target, body)
	if err != nil {
		return nil, invalid("%s: %w", c.op.Name, err)
	}
	if take != nil {
		req.SetResponseHandler(take)
	}
	resp, err := c.client.core.retrier.Do(req)
	c.options.report(c)
	return resp, c.failure(ctx, resp, err)
}

func (c *call) newRequest(ctx context.Context, target *url.URL, body any) (*retryablehttp.Request, error) {
	header := http.Header{"User-Agent": c.client.core.userAgent}
	if c.op.Reply != operation.Stream {
		header["Accept"] = []string{"application/json"}
	}
	maps.Copy(header, c.header)
	plain := http.Request{
		Method: c.op.Method, URL: target, Host: target.Host, Header: header,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
	req := &retryablehttp.Request{Request: plain.WithContext(context.WithValue(ctx, callKey{}, c))}
	if body == nil {
		return req, nil
	}
	content, err := payloadOf(body)
	if err != nil {
		return nil, err
	}
	return req, content.into(req)
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

// read takes in the body of a success. An error here counts as a lost connection:
// the request is repeated where that does no harm.
func (r *reply) read(resp *http.Response) error {
	if !succeeded(resp) {
		return nil
	}
	defer resp.Body.Close() //nolint:errcheck // the body was read to its end
	if r.call.op.Reply == operation.Empty {
		// What was asked for is done; the body says nothing and only keeps the
		// connection from being used again.
		_, _ = io.CopyN(io.Discard, resp.Body, maxErrorBody)
		return nil
	}
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
