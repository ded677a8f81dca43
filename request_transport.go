package memfault

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/memfault-go/memfault/internal/operation"
	"github.com/memfault-go/memfault/internal/stall"
)

// signer sends one attempt: it waits for the rate limiter, signs a copy of the
// request, limits the time until the answer's header, and tells logger and
// observer. It stands below http.Client, so the request that a redirect copies
// carries no credential. It has no CloseIdleConnections on purpose: go-retryablehttp
// would close every idle connection after each failure.
type signer struct {
	core *core
	next http.RoundTripper
}

func (s *signer) RoundTrip(req *http.Request) (*http.Response, error) {
	c := callFrom(req.Context())
	ctx, cancel := context.WithCancelCause(req.Context())
	out, err := s.prepare(ctx, c, req)
	if err != nil {
		cancel(nil)
		closeBody(req)
		return nil, &permanentError{err}
	}
	start := time.Now()
	resp, err := s.attempt(out, cancel)
	s.tell(c, req, resp, err, time.Since(start))
	return resp, err
}

// prepare returns a signed copy of the request.
func (s *signer) prepare(ctx context.Context, c *call, req *http.Request) (*http.Request, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if limiter := s.core.config.limiter; limiter != nil {
		if err := limiter.Wait(ctx); err != nil {
			return nil, fmt.Errorf("rate limiter: %w", err)
		}
	}
	if req.Response == nil { // not the next hop of a redirect
		c.attempts++
	}
	out := req.WithContext(ctx)
	address := *req.URL
	out.URL, out.Header = &address, req.Header.Clone()
	if c.op.Credentials == operation.NoCredential || !s.core.hosts.own(req.URL) {
		out.Header.Del("Referer") // it would tell the query of the URL before
		return out, nil
	}
	unsigned := req.Header
	if len(c.options.headers) > 0 {
		for _, header := range c.options.headers {
			out.Header.Set(header[0], header[1])
		}
		unsigned = out.Header.Clone()
	}
	if err := c.client.auth.Authenticate(out); err != nil {
		return nil, fmt.Errorf("authenticator: %w", err)
	}
	c.unsigned, c.signed = unsigned, out.Header
	return out, nil
}

// attempt sends the request once, within the time limit until the header. While a
// body goes out, the limit starts anew with each part of it.
func (s *signer) attempt(req *http.Request, cancel context.CancelCauseFunc) (*http.Response, error) {
	timer := stall.Start(s.core.config.timeout, errHeaderTimeout, cancel)
	watchBody(req, timer)
	resp, err := s.next.RoundTrip(req)
	if err == nil {
		resp.Body = timer.ResponseBody(resp.Body, bodyStallTimeout, errBodyStalled)
		return resp, nil
	}
	if fired := timer.Fired(); fired != nil {
		err = fired
	}
	timer.Stop()
	return nil, err
}

// watchBody lets each part of the request body that is sent restart the time limit. The
// body may be opened again, when a kept connection turns out to be closed.
func watchBody(req *http.Request, timer *stall.Timer) {
	if req.Body == nil {
		return
	}
	req.Body = timer.RequestBody(req.Body, errHeaderTimeout)
	if open := req.GetBody; open != nil {
		req.GetBody = func() (io.ReadCloser, error) {
			body, err := open()
			if err != nil {
				return nil, err
			}
			return timer.RequestBody(body, errHeaderTimeout), nil
		}
	}
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

func closeBody(req *http.Request) {
	if req.Body != nil {
		_ = req.Body.Close()
	}
}

func (s *signer) tell(c *call, req *http.Request, resp *http.Response, err error, took time.Duration) {
	cfg := &s.core.config
	if cfg.observe == nil && cfg.logger == nil {
		return
	}
	attempt := Attempt{Operation: c.op.Name, Method: req.Method, Host: req.URL.Host, Number: c.attempts, Duration: took}
	if err != nil {
		attempt.Err = errors.New(c.redact(withoutQueries(err.Error())))
	} else {
		attempt.StatusCode = resp.StatusCode
		attempt.RequestID = resp.Header.Get(requestIDHeader)
	}
	if cfg.observe != nil {
		cfg.observe(attempt)
	}
	if cfg.logger != nil {
		attempt.log(req.Context(), cfg.logger)
	}
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
	logger.LogAttrs(ctx, level, "memfault attempt", attrs...)
}

// bufferPool lends the buffers that answers are read into.
type bufferPool struct{ pool sync.Pool }

func (p *bufferPool) get() *bytes.Buffer {
	if b, ok := p.pool.Get().(*bytes.Buffer); ok {
		return b
	}
	return new(bytes.Buffer)
}

func (p *bufferPool) put(b *bytes.Buffer) {
	if b.Cap() <= 1<<20 { // a rare large answer is not kept
		b.Reset()
		p.pool.Put(b)
	}
}
