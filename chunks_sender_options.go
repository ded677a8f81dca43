package memfault

import (
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"time"

	"github.com/memfault-go/memfault/internal/ordered"
)

// ChunkSenderOptions configures a [ChunkSender]. A field with the zero value has its default.
type ChunkSenderOptions struct {
	// BatchSize is the largest number of chunks in one request. The default is 100, as in
	// Memfault's phone SDKs. More than 500 counts as 500; see [ChunksService.Upload].
	BatchSize int
	// MaxBatchBytes is the largest size of a request body that has several chunks. A larger
	// chunk is sent alone. The default is 1 MiB.
	MaxBatchBytes int64
	// Concurrency is the largest number of requests in flight. The default is 64.
	Concurrency int

	// MaxPendingBytes limits the memory of pending chunks, their bookkeeping included: a
	// chunk counts for its size and about 140 bytes, a device with pending chunks for about
	// 370 bytes. The default is 64 MiB. While the limit is reached, Send blocks. A single
	// chunk is always accepted if its content alone is not larger. The bodies of requests in
	// flight take at most Concurrency times MaxBatchBytes in addition.
	MaxPendingBytes int64
	// MaxPendingPerDevice is the same limit for one device, so that a device that must wait
	// does not use up the memory of all. Send fails with [ErrDeviceFull] beyond it. It always
	// accepts a chunk of a device that has no pending ones. The default is an eighth of
	// MaxPendingBytes. In addition, the devices that wait after a failure share three quarters
	// of MaxPendingBytes: beyond it, Send fails for them in the same way. In an outage and
	// in a pause, this applies to all devices but those whose last chunks were accepted.
	MaxPendingPerDevice int64

	// GiveUpAfter is how long a chunk is kept before it is reported with the last error of
	// its device, which then also matches [ErrNotDelivered]. A request in flight is not
	// interrupted. By default, chunks are kept until Memfault accepts or rejects them.
	GiveUpAfter time.Duration

	// OnPause is called when the sender pauses because no request can succeed: after a 401 or
	// 403, an error of the [Authenticator] or the [RateLimiter], or several devices in a row
	// with a status such as 404, which does not concern their chunks. It is called once for
	// each pause, with that error, and may take its time. It must not panic. A pause ends
	// when a probe shows that the credential is valid. If a device that was rejected with 401
	// or 403 is rejected again after the pause, only that device waits, and OnPause is not
	// called again.
	OnPause func(error)
}

func (o ChunkSenderOptions) withDefaults() (ChunkSenderOptions, error) {
	if min(int64(o.BatchSize), o.MaxBatchBytes, int64(o.Concurrency), o.MaxPendingBytes, o.MaxPendingPerDevice, int64(o.GiveUpAfter)) < 0 {
		return o, invalid("ChunkSenderOptions: no field must be negative")
	}
	if o.BatchSize == 0 {
		o.BatchSize = 100
	}
	o.BatchSize = min(o.BatchSize, chunksPerRequest)
	if o.MaxBatchBytes == 0 {
		o.MaxBatchBytes = 1 << 20
	}
	if o.Concurrency == 0 {
		o.Concurrency = 64
	}
	if o.MaxPendingBytes == 0 {
		o.MaxPendingBytes = 64 << 20
	}
	if o.MaxPendingPerDevice == 0 {
		o.MaxPendingPerDevice = o.MaxPendingBytes / 8
	}
	return o, nil
}

// chunkFraming is at least what the body of an upload has for each chunk besides its
// content, and for its end.
const chunkFraming = 128

// engine returns the configuration of the engine.
func (o ChunkSenderOptions) engine(service *ChunksService) ordered.Config {
	config := service.client.core.config
	send, changed := service.sendChunks()
	return ordered.Config{
		Send: send,
		Panicked: func(value any, stack []byte) error {
			err := &sendPanic{value}
			if config.logger != nil {
				config.logger.Error(err.Error(), slog.String("stack", string(stack)))
			}
			return err
		},
		Backoff:             func(failures int) time.Duration { return config.retry.backoff(0, 0, failures, nil) },
		NotSent:             o.notSent,
		OnPause:             o.OnPause,
		Changed:             changed,
		BatchItems:          o.BatchSize,
		BatchBytes:          o.MaxBatchBytes,
		ItemOverhead:        chunkFraming,
		Concurrency:         o.Concurrency,
		MaxPending:          o.MaxPendingBytes,
		MaxPendingPerDevice: o.MaxPendingPerDevice,
		GiveUpAfter:         o.GiveUpAfter,
	}
}

// notSent returns the error of chunks that were not accepted in time.
func (o ChunkSenderOptions) notSent(reason ordered.Reason, cause error) error {
	if cause == nil {
		cause = ErrNoAnswer
	}
	if reason == ordered.Expired {
		return &notSentError{fmt.Sprintf("chunk not accepted within %v", o.GiveUpAfter), cause, false}
	}
	return &notSentError{"the chunk sender was closed before the chunk was accepted", cause, true}
}

// notSentError is the error of a chunk that was neither accepted nor rejected.
type notSentError struct {
	text   string
	cause  error
	closed bool
}

// Is reports whether target is [ErrNotDelivered], or [ErrSenderClosed] after Close.
func (e *notSentError) Is(target error) bool {
	return target == ErrNotDelivered || e.closed && target == ErrSenderClosed
}

func (e *notSentError) Error() string {
	return "memfault: " + e.text + ": " + strings.TrimPrefix(e.cause.Error(), "memfault: ")
}

func (e *notSentError) Unwrap() error { return e.cause }

// sendPanic is the error of a request during which code of the user panicked or ended the
// goroutine. Its text does not contain the value, which may contain a credential.
type sendPanic struct{ value any }

func (e *sendPanic) Error() string {
	const where = "an Authenticator, a RateLimiter, an observer or an http.RoundTripper"
	switch value := e.value.(type) {
	case nil:
		return "memfault: chunks.upload: " + where + " ended the goroutine"
	case runtime.Error:
		return "memfault: chunks.upload: " + where + " panicked: " + value.Error()
	default:
		return fmt.Sprintf("memfault: chunks.upload: %s panicked with a value of type %T", where, value)
	}
}

// Is reports whether target is [ErrNoAnswer].
func (e *sendPanic) Is(target error) bool { return target == ErrNoAnswer }

// ChunkSenderStats are counts of a [ChunkSender].
type ChunkSenderStats struct {
	PendingChunks int   // neither accepted nor reported
	PendingBytes  int64 // memory of pending chunks, bookkeeping included
	Devices       int   // with pending chunks or running done functions
	HeldDevices   int   // waiting after a failure, or for the probe of an outage or a pause
	Paused        error // why the sender is paused; nil if not

	Accepted int64 // chunks that Memfault accepted
	Reported int64 // chunks that were given up or refused: done was called with an error
	Requests int64 // requests
	Repeated int64 // requests with chunks sent before
}

// Stats returns the current counts of the sender.
func (s *ChunkSender) Stats() ChunkSenderStats {
	if s == nil || s.engine == nil {
		return ChunkSenderStats{}
	}
	stats := s.engine.Stats()
	return ChunkSenderStats{
		PendingChunks: stats.PendingItems, PendingBytes: stats.PendingBytes,
		Devices: stats.Devices, HeldDevices: stats.Held, Paused: stats.Paused,
		Accepted: stats.Accepted, Reported: stats.Reported, Requests: stats.Requests, Repeated: stats.Repeated,
	}
}
