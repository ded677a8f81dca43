package memfault

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/memfault-go/memfault/internal/operation"
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
	service *ChunksService
	options ChunkSenderOptions
	retry   RetryPolicy
	invalid error

	ctx    context.Context // of all requests; ends when Close gives up
	cancel context.CancelCauseFunc

	mu      sync.Mutex
	queues  map[string]*chunkQueue // of the devices that have chunks
	ready   []*chunkQueue          // those whose next batch may go out
	workers int
	bytes   int64         // pending
	freed   chan struct{} // closed when bytes become less
	epochs  []*chunkEpoch // the last takes what Send accepts; the others are waited for
	closed  bool
	drained *chunkEpoch // what Close waits for
	gaveUp  error       // why Close ended without draining
	lost    int         // chunks that it reported
}

// NewSender returns a ChunkSender. Bad options, or a credential that is not a project
// key, make its Send fail.
//
// Memfault: https://docs.memfault.com/api/upload-chunk
func (s *ChunksService) NewSender(options ChunkSenderOptions) *ChunkSender {
	options, err := options.withDefaults()
	policy, checkErr := clientOf(s).senderPolicy()
	ctx, cancel := context.WithCancelCause(context.Background())
	return &ChunkSender{
		service: s, options: options, retry: policy, invalid: errors.Join(err, checkErr),
		ctx: ctx, cancel: cancel,
		queues: map[string]*chunkQueue{}, freed: make(chan struct{}), epochs: []*chunkEpoch{newChunkEpoch()},
	}
}

// senderPolicy returns the retry policy of a ChunkSender, or why the client cannot have one.
func (c *Client) senderPolicy() (RetryPolicy, error) {
	if err := c.checkInitialized(); err != nil {
		return RetryPolicy{}, err
	}
	return c.core.config.retry, errors.Join(c.invalid, authorize(c.auth, operation.Get(operation.ChunksUpload)))
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
		return invalid("the context is nil")
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
	if err := s.waitForRoom(ctx, int64(len(chunk))); err != nil {
		return err
	}
	defer s.mu.Unlock()
	epoch := s.epochs[len(s.epochs)-1]
	epoch.open++
	s.bytes += int64(len(chunk))
	q := s.queues[deviceSerial]
	if q == nil {
		q = &chunkQueue{serial: deviceSerial}
		s.queues[deviceSerial] = q
	}
	q.waiting = append(q.waiting, pendingChunk{bytes.Clone(chunk), done, epoch})
	if !q.busy {
		s.makeReady(q)
	}
	return nil
}

// waitForRoom returns with the sender locked, or with an error.
func (s *ChunkSender) waitForRoom(ctx context.Context, size int64) error {
	s.mu.Lock()
	for !s.closed && ctx.Err() == nil && s.bytes+size > s.options.MaxPendingBytes {
		freed := s.freed
		s.mu.Unlock()
		select {
		case <-freed:
		case <-ctx.Done():
		}
		s.mu.Lock()
	}
	var err error
	switch {
	case s.closed:
		err = ErrSenderClosed
	case ctx.Err() != nil:
		err = fmt.Errorf("memfault: waiting for room for a chunk: %w", contextError(ctx))
	default:
		return nil
	}
	s.mu.Unlock()
	return err
}

// Flush waits until every chunk that Send took before is accepted or reported. It
// returns only why the wait ended early.
func (s *ChunkSender) Flush(ctx context.Context) error {
	if ctx == nil {
		return invalid("the context is nil")
	}
	s.mu.Lock()
	epoch := s.seal()
	s.mu.Unlock()
	select {
	case <-epoch.settled:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("memfault: flushing chunks: %w", contextError(ctx))
	}
}

// Close takes no more chunks and waits until those it took are accepted or reported.
// When ctx ends before, it stops, reports every chunk that was not accepted, and
// returns an error that counts them. A chunk whose request was on its way then may
// have arrived all the same.
func (s *ChunkSender) Close(ctx context.Context) error {
	if ctx == nil {
		return invalid("the context is nil")
	}
	s.mu.Lock()
	if !s.closed {
		s.closed = true
		s.drained = s.seal()
		s.free(0) // wakes the Sends that wait for room
	}
	drained := s.drained
	s.mu.Unlock()
	select {
	case <-drained.settled:
	case <-ctx.Done():
		s.giveUp(contextError(ctx))
		<-drained.settled
	}
	s.cancel(nil)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lost > 0 {
		return fmt.Errorf("memfault: closing the chunk sender: %d chunks were not accepted: %w", s.lost, s.gaveUp)
	}
	return nil
}
