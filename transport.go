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
	"sync/atomic"
	"time"

	"github.com/memfault-go/memfault/internal/operation"
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
	out, err := s.prepare(c, req)
	if err != nil {
		closeBody(req)
		return nil, &permanentError{err}
	}
	start := time.Now()
	resp, err := s.attempt(out)
	s.tell(c, req, resp, err, time.Since(start))
	return resp, err
}

func (s *signer) prepare(c *call, req *http.Request) (*http.Request, error) {
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	if limiter := s.core.config.limiter; limiter != nil {
		if err := limiter.Wait(req.Context()); err != nil {
			return nil, fmt.Errorf("rate limiter: %w", err)
		}
	}
	if req.Response == nil { // not the next hop of a redirect
		c.attempts++
	}
	out := req.Clone(req.Context())
	if c.op.Credentials == operation.NoCredential || !s.core.hosts.own(req.URL) {
		out.Header.Del("Referer") // it would tell the query of the URL before
		return out, nil
	}
	for _, header := range c.options.headers {
		out.Header.Set(header[0], header[1])
	}
	c.unsigned = out.Header.Clone()
	if err := c.client.auth.Authenticate(out); err != nil {
		return nil, fmt.Errorf("authenticator: %w", err)
	}
	c.signed = out.Header
	return out, nil
}

// timeoutError is a limit of the client's own that passed.
type timeoutError string

func (e timeoutError) Error() string { return string(e) }

// Timeout marks the error for os.IsTimeout and net.Error.
func (e timeoutError) Timeout() bool { return true }

const (
	errNoAnswer = timeoutError("no answer within the time limit of one attempt")
	errStalled  = timeoutError("the body of the answer stood still for a minute")
	stallLimit  = time.Minute
)

// attempt sends the request once, within the time limit until the header. While a
// body goes out, the limit starts anew with each part of it.
func (s *signer) attempt(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(req.Context())
	limit := s.core.config.timeout
	watch := &watch{limit: limit, timer: time.AfterFunc(limit, func() { cancel(errNoAnswer) })}
	out := req.WithContext(ctx)
	if out.Body != nil {
		out.Body = &watchedBody{out.Body, watch}
	}
	resp, err := s.next.RoundTrip(out)
	watch.end()
	if err == nil {
		resp.Body = &guardedBody{ReadCloser: resp.Body, cancel: cancel}
		return resp, nil
	}
	if cause := context.Cause(ctx); cause == errNoAnswer { //nolint:errorlint // the very cause given above
		err = errNoAnswer
	}
	cancel(nil)
	return nil, err
}

// watch is the time limit of an attempt. It can be extended until it has ended.
type watch struct {
	limit time.Duration
	mu    sync.Mutex
	timer *time.Timer
	ended bool
}

func (w *watch) extend() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.ended {
		w.timer.Reset(w.limit)
	}
}

func (w *watch) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = true
	w.timer.Stop()
}

// watchedBody is a request's body that extends the time limit while it goes out.
type watchedBody struct {
	io.ReadCloser
	watch *watch
}

func (b *watchedBody) Read(p []byte) (int, error) {
	b.watch.extend()
	return b.ReadCloser.Read(p)
}

func closeBody(req *http.Request) {
	if req.Body != nil {
		_ = req.Body.Close()
	}
}

// guardedBody is an answer's body that does not stand still for ever.
type guardedBody struct {
	io.ReadCloser
	cancel context.CancelCauseFunc
	watch  *time.Timer
	stood  atomic.Bool
}

func (b *guardedBody) Read(p []byte) (int, error) {
	if b.watch == nil {
		b.watch = time.AfterFunc(stallLimit, func() {
			b.stood.Store(true)
			b.cancel(errStalled)
		})
	} else {
		b.watch.Reset(stallLimit)
	}
	n, err := b.ReadCloser.Read(p)
	b.watch.Stop()
	if err != nil && b.stood.Load() {
		err = errStalled
	}
	return n, err
}

func (b *guardedBody) Close() error {
	err := b.ReadCloser.Close()
	b.cancel(nil)
	return err
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
