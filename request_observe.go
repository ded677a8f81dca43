package memfault

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"
)

func (t *attemptTransport) observe(c *call, req *http.Request, resp *http.Response, err error, took time.Duration) {
	cfg := &t.core.config
	if cfg.observe == nil && cfg.logger == nil {
		return
	}
	attempt := Attempt{Operation: c.op.Name, Method: req.Method, Host: req.URL.Host, Number: c.attempts, Duration: took}
	if err != nil {
		attempt.Err = &attemptError{oneLine(c.redactor().text(err.Error()), maxErrorField), err}
	} else {
		attempt.StatusCode = resp.StatusCode
		attempt.RequestID = c.requestID(resp)
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
	logger.LogAttrs(ctx, level, "memfault attempt", attrs...)
}
