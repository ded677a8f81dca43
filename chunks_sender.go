package memfault

import (
	"context"
	"errors"
	"fmt"

	"github.com/memfault-go/memfault/internal/operation"
	"github.com/memfault-go/memfault/internal/ordered"
)

var (
	// ErrSenderClosed is returned by [ChunkSender.Send] after [ChunkSender.Close], and by
	// [ChunkSender.Flush] if Close stops waiting first.
	ErrSenderClosed = errors.New("memfault: the chunk sender is closed")
	// ErrDeviceFull is returned by [ChunkSender.Send] if the pending chunks of the device, or
	// of all devices that wait after a failure, leave no room; see
	// [ChunkSenderOptions.MaxPendingPerDevice]. Send succeeds again after done was called for
	// enough of them.
	ErrDeviceFull = errors.New("memfault: too many pending chunks of this device")
	// ErrNotDelivered is reported for a chunk that Memfault neither accepted nor rejected,
	// because [ChunkSenderOptions.GiveUpAfter] has passed or [ChunkSender.Close] stopped
	// waiting. It may be sent again later.
	ErrNotDelivered = errors.New("memfault: the chunk was not delivered")
)

// ChunkSender uploads the chunks of many devices. It sends the chunks of one device in the
// order in which Send received them, one request at a time. Devices do not wait for each
// other. Chunks that arrive while a request of their device is in flight are sent in that
// device's next batch.
//
// A chunk is kept until Memfault accepts it. Only the following ends the wait earlier, and
// is reported to the done function of the chunk:
//   - Memfault rejects the chunk. If it rejects a batch with 400 or 413, the sender splits the
//     batch and retries, until the bad chunk is isolated. The same applies if a large request
//     is lost repeatedly, or if requests of this device repeatedly end in a 500 or without a
//     response while those of other devices succeed; then a single chunk is reported after
//     ten attempts. A 422 concerns all chunks of the batch. So does another status below
//     500, such as 404, if it stays while other devices are accepted.
//   - [ChunkSenderOptions.GiveUpAfter] passes, or [ChunkSender.Close] stops waiting.
//
// If there is no response, or a response of a proxy, or 500, 502, 503, 504 or 529, the device
// waits for a random, growing time as in the client's [RetryPolicy], whose MaxAttempts has no
// effect here. After a 429, or one of these statuses with Retry-After, the device waits at least
// for the requested time, at most one hour. Other devices do not wait: while chunks of some
// devices are accepted, those whose last request failed get at most a quarter of the requests,
// and the others get theirs first.
//
// If nothing is accepted for 20 seconds, or if three times Concurrency devices fail in a row, this
// is an outage: the sender halves the number of requests in flight with each failure, and then
// only sends a probe every 0.5 to 4.4 seconds, so that an outage costs few requests. A 429 of
// several devices in a row is such a failure. Each accepted request doubles the number.
//
// A 401 or 403, an error of the [Authenticator] or the [RateLimiter], or several devices in a
// row with another status that concerns no chunk, such as 404, pauses the sender: it sends nothing
// but a probe after 1 second, and then after growing waits of up to 5 minutes, or up to 10 seconds
// while there are chunks of a device that was accepted before. With a [ProjectKeyFunc], it also
// asks for the key about once a second, and sends a probe as soon as the key has changed, five
// times in a pause.
//
// The requests do not carry the context of a Send. An Authenticator, a RateLimiter and an
// observer see a context without values that ends only when Close stops waiting. If one of
// them panics, the sender recovers and pauses.
//
// Chunks are kept in memory, within MaxPendingBytes of [ChunkSenderOptions], and never on disk: a
// relay acknowledges a message to its broker when done is called. The module chunkqueue keeps chunks
// on disk.
//
// A ChunkSender is safe for concurrent use by multiple goroutines. It runs no goroutine while
// it has no pending chunks. Create it with [ChunksService.NewSender].
type ChunkSender struct {
	engine  *ordered.Sender
	options ChunkSenderOptions
	invalid error
}

// NewSender returns a [ChunkSender]. If the options are invalid, or the client uses another
// credential than a [ProjectKey], Send fails.
//
// Credentials: [ProjectKey].
//
// Memfault: https://docs.memfault.com/api/upload-chunk
func (s *ChunksService) NewSender(options ChunkSenderOptions) *ChunkSender {
	options, err := options.withDefaults()
	client := clientOf(s)
	if err = errors.Join(err, client.checkInitialized(), client.invalid, authorize(client.auth, operation.ChunksUpload)); err != nil {
		return &ChunkSender{engine: ordered.New(ordered.Config{}), invalid: err}
	}
	return &ChunkSender{engine: ordered.New(options.engine(s)), options: options}
}

// Send queues a copy of chunk for the device. If there is no room for it, Send blocks until
// there is, or until ctx ends. Sends that block get room in the order in which they were
// called. If ctx has already ended, Send fails even if there is room. ctx has no effect after
// Send has returned. If the device's share of the memory is used up, or if the device waits after
// a failure and there is no room, Send fails with [ErrDeviceFull] immediately. A chunk must not
// be empty.
//
// What to do in done: if err is nil, Memfault has accepted the chunk: delete it. If
// errors.Is(err, [ErrNotDelivered]), keep it and send it again later. Any other error is a
// rejection, which would occur again: log it, and delete the chunk or put it aside.
//
// If Send returns nil, done is called exactly once. A chunk that is reported with an error may
// have arrived all the same.
//
// Until done is called, the chunk exists only in the memory of this process: a caller that must
// not lose it keeps it until then, and sends it again after a restart.
//
// For one device, done is called in the order of the chunks. done may be nil. It must return
// quickly, because its device waits for it. It can call Send; because that can block until
// other devices make room, it should do so with a context that ends. It must not call Flush
// or Close: they return an error. A done that panics ends the process.
func (s *ChunkSender) Send(ctx context.Context, deviceSerial string, chunk []byte, done func(error)) error {
	switch err := s.check(ctx); {
	case err != nil:
		return err
	case s.invalid != nil:
		return s.invalid
	case len(chunk) == 0:
		return invalid("ChunkSender.Send: chunk must not be empty")
	case int64(len(chunk)) > s.options.MaxPendingBytes:
		return invalid("ChunkSender.Send: chunk of %d bytes is larger than MaxPendingBytes: %w", len(chunk), ErrTooLarge)
	}
	if err := errors.Join(checkSegment(deviceSerial), checkName(deviceSerial)); err != nil {
		return invalid("ChunkSender.Send: device_serial %w", err)
	}
	switch err := s.engine.Send(ctx, deviceSerial, chunk, done); {
	case err == nil:
		return nil
	case errors.Is(err, ordered.ErrClosed):
		return ErrSenderClosed
	case errors.Is(err, ordered.ErrDeviceFull):
		return ErrDeviceFull
	default:
		return fmt.Errorf("memfault: waiting for room for a chunk: %w", contextError(ctx))
	}
}

// Flush waits until every chunk that Send has queued so far is accepted or reported, and its
// done function has returned. It returns an error only if the wait ended early: because ctx
// ended, Close stopped waiting, or all that was left to wait for was done functions that had
// not returned for 10 seconds.
//
// A done function must not call Flush, not even of another ChunkSender.
func (s *ChunkSender) Flush(ctx context.Context) error {
	if err := s.check(ctx); err != nil {
		return err
	}
	switch err := s.engine.Flush(ctx); {
	case err == nil:
		return nil
	case errors.Is(err, ordered.ErrInsideDone):
		return invalid("ChunkSender.Flush: called by a done function")
	case errors.Is(err, ordered.ErrClosed):
		return ErrSenderClosed
	default:
		return fmt.Errorf("memfault: flushing chunks: %w", waitError(ctx, err))
	}
}

// Close stops accepting chunks and waits until every pending chunk has been accepted or
// reported, and its done function has returned.
//
// If ctx ends first, or only done functions are left that have not returned for 10 seconds,
// Close cancels the requests, reports every chunk that was not accepted, and returns an error
// with their number. A chunk whose request was in flight at that moment may have arrived.
// Close then returns within a second, even if a done function does not: after 0.25 seconds,
// the next done functions of its device are called while it still runs. Those that were not
// called when Close returns are called soon after.
//
// A done function must not call Close, not even of another ChunkSender.
func (s *ChunkSender) Close(ctx context.Context) error {
	if err := s.check(ctx); err != nil {
		return err
	}
	left, err := s.engine.Close(ctx, waitError)
	const closing = "memfault: closing the chunk sender"
	switch {
	case errors.Is(err, ordered.ErrInsideDone):
		return invalid("ChunkSender.Close: called by a done function")
	case left.Lost > 0:
		return fmt.Errorf("%s: %d chunks were not accepted: %w", closing, left.Lost, err)
	case left.Running > 0 && err != nil:
		return fmt.Errorf("%s: %d done functions have not returned: %w", closing, left.Running, err)
	default:
		return nil
	}
}

// Resume sends the next probe of a paused sender immediately, or right after a probe that is in
// flight. Call it after you have replaced the credential of a custom [Authenticator]; see
// [ChunkSenderOptions.OnPause]. With a [ProjectKeyFunc], it is not needed. If the sender is not
// paused, Resume has no effect.
func (s *ChunkSender) Resume() {
	if s != nil && s.engine != nil {
		s.engine.Resume()
	}
}

// check returns an error if s was not created by NewSender, or ctx is nil.
func (s *ChunkSender) check(ctx context.Context) error {
	if s == nil || s.engine == nil {
		return invalid("the ChunkSender is nil or was not created by NewSender")
	}
	if ctx == nil {
		return invalid("ChunkSender: nil context")
	}
	return nil
}

// waitError returns why Flush or Close stopped waiting.
func waitError(ctx context.Context, err error) error {
	if errors.Is(err, ordered.ErrStuck) {
		return fmt.Errorf("a done function has not returned for 10 s: %w", context.DeadlineExceeded)
	}
	return contextError(ctx)
}
