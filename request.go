package memfault

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/hashicorp/go-retryablehttp"

	"github.com/memfault-go/memfault/internal/operation"
)

const (
	maxResponse = 64 << 20 // bytes of a successful body; a larger one is an error
	firstGrowth = 1 << 20  // bytes that are allocated for a body before it arrives
	smallBody   = 64 << 10 // bytes of a request body that is sent without watching its progress
)

const requestIDHeader = "X-Request-Id"

// requestParams contains the values that a row of the table of operations needs to become a
// request.
type requestParams struct {
	path  []string // the values of the path's placeholders, in order
	query any      // url.Values, a struct with url tags, or nil
	body  any      // encoded as JSON; a *payload; or nil
	once  bool     // not retried, because it renames what its path identifies
}

// fetch calls an operation that returns an object.
func fetch[T any](ctx context.Context, client *Client, op *operation.Operation, params requestParams, opts []CallOption) (*T, error) {
	r, err := client.call(ctx, op, params, newCallOptions(opts))
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
func exec(ctx context.Context, client *Client, op *operation.Operation, params requestParams, opts []CallOption) error {
	r, err := client.call(ctx, op, params, newCallOptions(opts))
	if err != nil {
		return err
	}
	r.release()
	return nil
}

// call sends a row of the table.
func (c *Client) call(ctx context.Context, op *operation.Operation, params requestParams, opts callOptions) (*reply, error) {
	target, err := c.requestURL(op, params)
	if err != nil {
		return nil, err
	}
	body := params.body
	if body != nil {
		content, err := payloadOf(body)
		if err == nil {
			err = checkNamesInBody(content.content)
		}
		if err != nil {
			return nil, invalid("%s: %w", op.Name, err)
		}
		body = content
	}
	return c.send(ctx, &call{client: c, op: op, options: opts, once: params.once}, target, body)
}

// requestURL returns the URL of a row of the table.
func (c *Client) requestURL(op *operation.Operation, params requestParams) (*url.URL, error) {
	if err := c.checkInitialized(); err != nil {
		return nil, err
	}
	path, err := expand(op, params.path)
	if err != nil {
		return nil, err
	}
	values, err := queryValues(params.query)
	if err != nil {
		return nil, invalid("%s: %w", op.Name, err)
	}
	if err := checkNamesInQuery(op, values); err != nil {
		return nil, err
	}
	return c.core.target(op, path, values)
}

// send sends a call and reads the body of its response.
func (c *Client) send(ctx context.Context, call *call, target *url.URL, body any) (*reply, error) {
	r := &reply{call: call, body: c.core.buffers.get()}
	var err error
	if r.response, err = call.do(ctx, target, body, r.read); err != nil { //nolint:bodyclose // read and keepError close it
		r.release()
		return nil, err
	}
	return r, nil
}

// do is the path of every request: build, sign, attempt, retry, check. readBody reads the body
// of a success as a part of the attempt; without it, the caller reads and closes the body.
func (c *call) do(ctx context.Context, target *url.URL, body any, readBody retryablehttp.ResponseHandlerFunc) (*http.Response, error) {
	if err := c.validate(ctx); err != nil {
		return nil, err
	}
	req, err := c.newRequest(ctx, target, body)
	if err != nil {
		return nil, invalid("%s: %w", c.op.Name, err)
	}
	if readBody != nil {
		req.SetResponseHandler(readBody)
	}
	// Most waits are over here, outside of http.Client, whose Timeout includes those of an attempt.
	if err = c.client.core.limits.wait(ctx, c); err != nil {
		c.options.report(c)
		return nil, c.failure(ctx, nil, err)
	}
	resp, err := c.client.core.retrier.Do(req)
	c.options.report(c)
	return resp, c.failure(ctx, resp, err)
}

func (c *call) newRequest(ctx context.Context, target *url.URL, body any) (*retryablehttp.Request, error) {
	var content *payload
	c.small = true
	if body != nil {
		var err error
		if content, err = payloadOf(body); err != nil {
			return nil, err
		}
		c.contentType, c.small = content.contentType, content.open == nil && content.size <= smallBody
	}
	plain := http.Request{
		Method: c.op.Method, URL: target, Host: target.Host, Header: c.requestHeader(),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
	req := &retryablehttp.Request{Request: plain.WithContext(context.WithValue(ctx, callKey{}, c))}
	if content == nil {
		return req, nil
	}
	return req, content.setOn(req)
}

// reply is a success whose body was read. release returns the body's buffer to the pool.
type reply struct {
	call     *call
	response *http.Response
	body     *bytes.Buffer
	limited  io.LimitedReader // of the response's body; here because io.LimitReader allocates
}

func (r *reply) release() { r.call.client.core.buffers.put(r.body) }

func (r *reply) decodeError(problem string, cause error) *Error {
	return newDecodeError(r.call, r.response, r.body.Bytes(), problem, cause)
}

// read reads the body of a success. An error here counts as a lost connection: the request
// is retried if that is safe.
func (r *reply) read(resp *http.Response) error {
	if !succeeded(resp) {
		return nil
	}
	defer resp.Body.Close() //nolint:errcheck // the body was read to its end
	r.body.Reset()
	if r.call.op.Reply == operation.Empty {
		return r.readNothing(resp)
	}
	limit := int64(maxResponse + 1)
	switch size := resp.ContentLength; {
	case size > maxResponse:
		limit = maxErrorBody // enough for the error
	case size > 0:
		r.body.Grow(int(min(size, firstGrowth)) + bytes.MinRead)
	}
	r.limited = io.LimitedReader{R: resp.Body, N: limit}
	_, err := r.body.ReadFrom(&r.limited)
	if err != nil {
		c := r.call
		c.decodeError = newDecodeError(c, resp, r.body.Bytes(), "the response body was cut off", err)
		c.decodeError.kind = ErrNoAnswer
		return c.decodeError
	}
	if r.body.Len() > maxResponse || resp.ContentLength > maxResponse {
		return r.fail(resp, "the response body is larger than 64 MiB")
	}
	if bytes.HasPrefix(r.body.Bytes(), byteOrderMark) {
		r.body.Next(len(byteOrderMark))
	}
	return nil
}

// readNothing reads the body of an operation that returns nothing. This allows to reuse the
// connection, and detects a page of a captive portal, which did not carry out the operation.
func (r *reply) readNothing(resp *http.Response) error {
	r.call.timer.Finish(lateBodyLimit, errLateBody)
	_, _ = r.body.ReadFrom(io.LimitReader(resp.Body, maxErrorBody))
	if isHTML(r.body.Bytes()) || r.body.Len() == 0 && isEmptyPage(r.call.op, resp) {
		err := r.fail(resp, "unexpected HTML page")
		r.call.decodeError.kind = ErrNoAnswer
		return err
	}
	return nil
}

// isEmptyPage reports whether a success without a body has a status that the operation is not known
// to have, and an HTML page: Memfault's own have the known status.
func isEmptyPage(op *operation.Operation, resp *http.Response) bool {
	return !slices.Contains(op.Success, resp.StatusCode) && strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html")
}

// fail ends the call with a response that no retry can improve.
func (r *reply) fail(resp *http.Response, problem string) error {
	r.call.decodeError = newDecodeError(r.call, resp, r.body.Bytes(), problem, nil)
	return &permanentError{r.call.decodeError}
}

// payload is the body of a request. Its size is known before it is sent, and each attempt
// reads it from its start.
type payload struct {
	contentType string
	content     []byte // in memory; nil if open is set
	size        int64
	open        func() io.ReadCloser
}

// payloadOf returns body if it is a payload; otherwise its JSON.
func payloadOf(body any) (*payload, error) {
	if content, ok := body.(*payload); ok {
		return content, nil
	}
	encoded, err := json.Marshal(body)
	if err != nil {
		return nil, fmt.Errorf("encode the request body: %w", err)
	}
	return bytesPayload("application/json", encoded), nil
}

func bytesPayload(contentType string, content []byte) *payload {
	return &payload{contentType: contentType, content: content, size: int64(len(content))}
}

// setOn makes the payload the body of a request. An empty payload is sent with a
// Content-Length of 0 instead of a body of unknown size.
func (p *payload) setOn(req *retryablehttp.Request) error {
	if p.size == 0 {
		return nil
	}
	if p.open == nil {
		return req.SetBody(p.content)
	}
	err := req.SetBody(retryablehttp.ReaderFunc(func() (io.Reader, error) { return p.open(), nil }))
	req.ContentLength = p.size
	return err
}
