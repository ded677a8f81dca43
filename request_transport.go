package memfault

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/memfault-go/memfault/internal/operation"
	"github.com/memfault-go/memfault/internal/stall"
)

// attemptTransport sends one attempt: it waits for the rate limiter, signs a copy of the
// request, limits the wait for the response header, and reports to logger and observer. If a
// rotating credential is rejected and has changed since, it sends the request again. It is
// below http.Client, so that the request that a redirect copies has no credential. It must not
// have a CloseIdleConnections method: go-retryablehttp would then close every idle connection
// after each failure.
type attemptTransport struct {
	core *core
	next http.RoundTripper
}

func (t *attemptTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	c := callFrom(req.Context())
	resp, err := t.send(c, req, "")
	if err != nil || !c.rejected(resp) {
		return resp, err
	}
	credential := c.renew(req.Context(), resp)
	if credential == "" {
		return resp, nil
	}
	again, err := reopened(req)
	if err != nil {
		return nil, &permanentError{err}
	}
	return t.send(c, again, credential)
}

// send sends the request once, with the given credential if there is one.
func (t *attemptTransport) send(c *call, req *http.Request, credential string) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(req.Context())
	out, err := t.prepare(ctx, c, req, credential)
	if err != nil {
		cancel(nil)
		closeBody(req)
		return nil, &permanentError{err}
	}
	start := time.Now()
	resp, err := t.attempt(c, out, cancel)
	if err == nil && req.Response == nil {
		t.core.limits.note(c, resp)
	}
	t.observe(c, req, resp, err, time.Since(start))
	return resp, err
}

// prepare returns a signed copy of the request.
func (t *attemptTransport) prepare(ctx context.Context, c *call, req *http.Request, credential string) (*http.Request, error) {
	c.credential = ""
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if limiter := t.core.config.limiter; limiter != nil {
		if err := limiter.Wait(ctx); err != nil {
			return nil, &hookError{"rate limiter", err}
		}
	}
	if req.Response == nil { // not the next hop of a redirect
		if err := t.core.limits.wait(ctx, c); err != nil {
			return nil, err
		}
		c.attempts++
	}
	out := req.WithContext(ctx)
	address := *req.URL
	out.URL, out.Header = &address, req.Header.Clone()
	if c.op.Credentials == operation.NoCredential || !t.core.hosts.own(req.URL) {
		out.Header.Del("Referer") // it would reveal the query of the previous URL
		return out, nil
	}
	plain := req.Header
	if len(c.options.headers) > 0 {
		for _, header := range c.options.headers {
			out.Header.Set(header[0], header[1])
		}
		plain = out.Header.Clone()
	}
	if err := c.sign(out, credential); err != nil {
		return nil, &hookError{authenticatorHook, err}
	}
	c.noteSecrets()
	c.plainHeader, c.signedHeader = plain, out.Header
	return out, nil
}

const authenticatorHook = "authenticator"

// hookError is the failure of an Authenticator or a RateLimiter. The request was not sent.
type hookError struct {
	hook  string
	cause error
}

func (e *hookError) Error() string { return e.hook + ": " + e.cause.Error() }
func (e *hookError) Unwrap() error { return e.cause }

// attempt sends the request once, within the time limit until the response header.
func (t *attemptTransport) attempt(c *call, req *http.Request, cancel context.CancelCauseFunc) (*http.Response, error) {
	if req.Method != http.MethodGet && req.Method != http.MethodHead {
		req = c.traceWrites(req)
	}
	timer := stall.Start(t.core.config.timeout, errHeaderTimeout, cancel)
	if !c.small {
		watchBody(req, timer)
	}
	resp, err := t.next.RoundTrip(req)
	switch {
	case err != nil:
		if fired := timer.Fired(); fired != nil {
			err = fired
		} else if quotesURL(err) {
			err = permanent("the transport cannot parse a URL, such as the address of a proxy; it is not shown because it may contain a password")
		}
	case resp == nil:
		err = permanent("the http.RoundTripper returned neither a response nor an error")
	default:
		if resp.Body == nil {
			resp.Body = http.NoBody
		}
		resp.Body = timer.ResponseBody(resp.Body, bodyStallTimeout, errBodyStalled)
		c.timer = timer
		if !succeeded(resp) {
			timer.Finish(lateBodyLimit, errLateBody)
		}
		return resp, nil
	}
	timer.Stop()
	return nil, err
}

// timeoutError is a time limit of the package that passed. It is a net.Error.
type timeoutError string

func (e timeoutError) Error() string { return string(e) }

// Timeout marks the error as a time limit.
func (e timeoutError) Timeout() bool { return true }

// Temporary completes net.Error.
func (e timeoutError) Temporary() bool { return true }

const (
	errHeaderTimeout = timeoutError("no response header within the time limit of an attempt")
	errBodyStalled   = timeoutError("response body stalled for 1 minute")
	bodyStallTimeout = time.Minute
)

// maxReopened is how often net/http may open the body of one attempt again. On HTTP/2 it opens
// the body for each connection that the server closes with GOAWAY, without a wait and without
// an end of its own. The body would restart the time limit each time.
const maxReopened = 10

var errReopened = errors.New("the server closed too many connections before it read the request")

// watchBody restarts the time limit for each part of the request body that is sent. net/http
// may open the body again, if a kept connection is closed. A small body in memory is not
// wrapped, because net/http writes only the types that it knows together with the header.
func watchBody(req *http.Request, timer *stall.Timer) {
	if req.Body == nil {
		return
	}
	ctx := req.Context()
	watch := func(body io.ReadCloser) io.ReadCloser {
		if file, ok := body.(*fileReader); ok {
			file.endWith(ctx)
		}
		return timer.RequestBody(body, errHeaderTimeout)
	}
	req.Body = watch(req.Body)
	if open := req.GetBody; open != nil {
		opened := 0
		req.GetBody = func() (io.ReadCloser, error) {
			if opened++; opened > maxReopened {
				return nil, errReopened
			}
			body, err := open()
			if err != nil {
				return nil, err
			}
			return watch(body), nil
		}
	}
}

func closeBody(req *http.Request) {
	if req.Body != nil {
		_ = req.Body.Close()
	}
}

// bufferPool lends the buffers that responses are read into.
type bufferPool struct{ pool sync.Pool }

func (p *bufferPool) get() *bytes.Buffer {
	if b, ok := p.pool.Get().(*bytes.Buffer); ok {
		return b
	}
	return new(bytes.Buffer)
}

func (p *bufferPool) put(b *bytes.Buffer) {
	if b.Cap() <= 1<<20 { // a rare large response is not kept
		b.Reset()
		p.pool.Put(b)
	}
}

// writes describes how much of an attempt was written, as far as the transport reports it.
type writes struct{ known, header, whole, http2 atomic.Bool }

// unsent reports whether nothing of the last attempt was written.
func (c *call) unsent() bool {
	return c.writes != nil && c.writes.known.Load() && !c.writes.header.Load()
}

var errSentWhole = errors.New("the connection broke after the whole request was sent")

// traceWrites records what is written of an attempt. If a retry is not safe, it also prevents
// that net/http repeats the attempt by itself. On HTTP/2, net/http repeats a request of any
// method after some errors of its stream, if it can open the body again. On HTTP/1 it does so
// only if nothing was written, which its trace does not report: there, whole means written to
// a buffer.
func (c *call) traceWrites(req *http.Request) *http.Request {
	wrote := new(writes)
	c.writes = wrote
	trace := &httptrace.ClientTrace{
		GetConn:      func(string) { wrote.known.Store(true) },
		WroteHeaders: func() { wrote.header.Store(true) },
	}
	if open := req.GetBody; open != nil && !c.idempotent() {
		trace.WroteHeaderField = func(name string, _ []string) {
			if strings.HasPrefix(name, ":") { // a pseudo-header
				wrote.http2.Store(true)
			}
		}
		trace.WroteRequest = func(info httptrace.WroteRequestInfo) { wrote.whole.Store(info.Err == nil) }
		req.GetBody = func() (io.ReadCloser, error) {
			if wrote.http2.Load() && wrote.whole.Load() {
				return nil, errSentWhole
			}
			return open()
		}
	}
	return req.WithContext(httptrace.WithClientTrace(req.Context(), trace))
}

func (t *attemptTransport) observe(c *call, req *http.Request, resp *http.Response, err error, took time.Duration) {
	cfg := &t.core.config
	if cfg.observe == nil && cfg.logger == nil {
		return
	}
	attempt := Attempt{Operation: c.op.Name, Method: req.Method, Host: req.URL.Host, Number: c.attempts, Duration: took}
	if err != nil {
		attempt.Err = &attemptError{oneLine(c.redactor().Text(err.Error()), maxErrorField), err}
	} else {
		attempt.StatusCode = resp.StatusCode
		attempt.RequestID = c.requestID(resp)
		attempt.RetryAfter, _ = retryAfter(resp)
	}
	if cfg.observe != nil {
		cfg.observe(req.Context(), attempt)
	}
	if cfg.logger != nil {
		attempt.log(req.Context(), cfg.logger)
	}
}

// attemptError is why an attempt got no response, with a text that contains no secret. It has
// no Unwrap method, because the text of the cause could contain one; only errors.Is finds the
// cause.
type attemptError struct {
	text  string
	cause error
}

func (e *attemptError) Error() string { return e.text }

// Format writes the same line for every verb.
func (e *attemptError) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, e.text) }

func (e *attemptError) Is(target error) bool {
	return target == ErrNoAnswer || errors.Is(e.cause, target)
}

func (a *Attempt) log(ctx context.Context, logger *slog.Logger) {
	level := slog.LevelDebug
	if a.Err != nil || a.StatusCode == http.StatusTooManyRequests || a.StatusCode >= 500 {
		level = slog.LevelWarn
	}
	attrs := []slog.Attr{
		slog.String("operation", a.Operation),
		slog.String("method", a.Method),
		slog.String("host", a.Host),
		slog.Int("attempt", a.Number),
		slog.Duration("duration", a.Duration),
	}
	if a.Err != nil {
		attrs = append(attrs, slog.String("error", a.Err.Error()))
	} else {
		attrs = append(attrs, slog.Int("status", a.StatusCode), slog.String("request_id", a.RequestID))
	}
	if a.RetryAfter > 0 {
		attrs = append(attrs, slog.Duration("retry_after", a.RetryAfter))
	}
	logger.LogAttrs(ctx, level, "memfault attempt", attrs...)
}
