package memfault

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/memfault-go/memfault/internal/operation"
	"github.com/memfault-go/memfault/internal/ordered"
)

// ChunkSenderOptions configures a ChunkSender. Fields that are zero have defaults.
type ChunkSenderOptions struct {
	BatchSize       int   // most chunks in one request; 100 by default, as Memfault's phone SDKs have it
	Concurrency     int   // most requests at the same time; 64 by default
	MaxPendingBytes int64 // most bytes of chunks that wait or are on their way; 64 MiB by default
}

func (o ChunkSenderOptions) withDefaults() (ChunkSenderOptions, error) {
	if o.BatchSize < 0 || o.Concurrency < 0 || o.MaxPendingBytes < 0 {
		return o, invalid("ChunkSenderOptions: a negative value")
	}
	if o.BatchSize == 0 {
		o.BatchSize = 100
	}
	if o.Concurrency == 0 {
		o.Concurrency = 64
	}
	if o.MaxPendingBytes == 0 {
		o.MaxPendingBytes = 64 << 20
	}
	return o, nil
}

// ErrSenderClosed is returned by Send after Close.
var ErrSenderClosed = errors.New("memfault: the chunk sender is closed")

// ChunkSender relays the chunks of many devices. Those of one device go out in the
// order in which they were given, one request at a time; devices do not wait for each
// other. What comes for a device while a request of it is out goes in its next batch.
//
// A batch that is answered with 429, 502, 503, 504 or 529, or not at all, is sent
// again, after what Retry-After asks for or after a growing random wait, which holds
// this device alone; it fails when the client's RetryPolicy allows no more attempts in
// a row. One that is refused with 400 or 413 is sent again in halves, until the chunk
// that is at fault is alone. Any other refusal fails the batch. The chunks of a failed
// batch are reported, and those behind them go on.
//
// A ChunkSender is safe for concurrent use. It has no goroutine while nothing waits.
type ChunkSender struct {
	engine  *ordered.Sender
	options ChunkSenderOptions
	invalid error
}

// NewSender returns a ChunkSender. Bad options, or a credential that is not a project
// key, make its Send fail.
//
// Memfault: https://docs.memfault.com/api/upload-chunk
func (s *ChunksService) NewSender(options ChunkSenderOptions) *ChunkSender {
	options, err := options.withDefaults()
	client := clientOf(s)
	if err = errors.Join(err, client.checkInitialized(), client.invalid, authorize(client.auth, operation.Get(operation.ChunksUpload))); err != nil {
		return &ChunkSender{engine: ordered.New(ordered.Config{}), invalid: err}
	}
	return &ChunkSender{engine: ordered.New(options.engine(s)), options: options}
}

func (o ChunkSenderOptions) engine(service *ChunksService) ordered.Config {
	retry := clientOf(service).core.config.retry
	return ordered.Config{
		Send: func(ctx context.Context, serial string, chunks [][]byte) ordered.Outcome {
			return chunkOutcome(service.Upload(ctx, serial, chunks, WithoutRetry()))
		},
		Backoff: func(failures int) time.Duration { return retry.backoff(0, 0, failures, nil) },
		NotSent: func(cause error) error {
			return fmt.Errorf("memfault: the chunk sender was closed before the chunk was accepted: %w", cause)
		},
		BatchSize:   o.BatchSize,
		Concurrency: o.Concurrency,
		MaxPending:  o.MaxPendingBytes,
		MaxAttempts: retry.MaxAttempts,
	}
}

// chunkOutcome decides what the error of an upload means for its chunks.
func chunkOutcome(err error) ordered.Outcome {
	outcome := ordered.Outcome{Kind: ordered.Rejected, Err: err}
	var answer *Error
	var lost *noResponseError
	switch {
	case err == nil:
		outcome.Kind = ordered.Accepted
	case errors.As(err, &answer):
		outcome.RetryAfter = answer.RetryAfter
		switch status := answer.StatusCode; {
		case status == http.StatusBadRequest || status == http.StatusRequestEntityTooLarge:
			outcome.Kind = ordered.TooMuch
		case status == http.StatusTooManyRequests || unavailable(status):
			outcome.Kind = ordered.Temporary
		}
	case errors.As(err, &lost) && !isPermanent(err):
		outcome.Kind = ordered.Temporary
	}
	return outcome
}

// Send takes a chunk to be sent. While there is no room for it, Send waits; ctx ends
// that wait and nothing else. The chunk is copied.
//
// If Send returns nil, done is called exactly once: with nil after Memfault accepted
// the chunk, or with why it did not. The calls for one device come in the order of its
// chunks. done may be nil. It must return, and soon: while it runs, its device waits, and
// a Send in it may wait for ever.
func (s *ChunkSender) Send(ctx context.Context, deviceSerial string, chunk []byte, done func(error)) error {
	switch {
	case ctx == nil:
		return invalid("nil context")
	case s.invalid != nil:
		return s.invalid
	case len(chunk) == 0:
		return invalid("the chunk is empty")
	case int64(len(chunk)) > s.options.MaxPendingBytes:
		return invalid("a chunk of %d bytes is above MaxPendingBytes: %w", len(chunk), ErrTooLarge)
	}
	if err := checkSegment(deviceSerial); err != nil {
		return invalid("device_serial %w", err)
	}
	switch err := s.engine.Send(ctx, deviceSerial, chunk, done); {
	case err == nil:
		return nil
	case errors.Is(err, ordered.ErrClosed):
		return ErrSenderClosed
	default:
		return fmt.Errorf("memfault: waiting for room for a chunk: %w", contextError(ctx))
	}
}

// Flush waits until every chunk that Send took before is accepted or reported. It
// returns only why the wait ended early.
func (s *ChunkSender) Flush(ctx context.Context) error {
	if ctx == nil {
		return invalid("nil context")
	}
	if s.engine.Flush(ctx) != nil {
		return fmt.Errorf("memfault: flushing chunks: %w", contextError(ctx))
	}
	return nil
}

// Close takes no more chunks and waits until those it took are accepted or reported.
// When ctx ends before, it stops, reports every chunk that was not accepted, and
// returns an error that counts them. A chunk whose request was on its way then may
// have arrived all the same.
func (s *ChunkSender) Close(ctx context.Context) error {
	if ctx == nil {
		return invalid("nil context")
	}
	if lost, cause := s.engine.Close(ctx, contextError); lost > 0 {
		return fmt.Errorf("memfault: closing the chunk sender: %d chunks were not accepted: %w", lost, cause)
	}
	return nil
}
