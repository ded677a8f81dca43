package chunkqueue

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"go.etcd.io/bbolt"

	"github.com/memfault-go/memfault"
)

const (
	// What the sender has of one device, and of all. More than the first is read only for a
	// single chunk.
	windowBytes  = 128 << 10
	windowChunks = 256
	memoryBytes  = 16 << 20

	// A device that the sender does not take chunks of is tried again after a time.
	retryBlocked = time.Second
	maxRefused   = 16 // in one round

	closeGrace = time.Second
)

// Run delivers what is queued, until ctx ends. Then it waits a second for requests in flight, and
// returns nil. It returns an error if the queue is closed or has failed, or if the client cannot
// send chunks, for example with [memfault.ErrWrongCredential].
//
// Run uses a [memfault.ChunkSender], which decides what is delivered when, and what is rejected. It
// reads chunks from the disk when they are sent, and needs at most about 32 MiB of memory for
// them. A chunk that was sent, and of which the disk does not know it after a crash, is sent again:
// with it come all that follow it, so that the order remains.
//
// Run can be called again, also with another client. While it runs, a second call fails with
// [ErrInUse].
func (q *Queue) Run(ctx context.Context, service *memfault.ChunksService) error {
	if service == nil {
		return fmt.Errorf("chunkqueue: Run: the service is nil: %w", memfault.ErrInvalidArgument)
	}
	sender := service.NewSender(memfault.ChunkSenderOptions{
		MaxPendingBytes: memoryBytes, MaxBatchBytes: windowBytes, OnPause: q.options.OnPause,
	})
	if err := q.start(sender); err != nil {
		return err
	}
	defer q.finish()
	err := q.deliver(ctx, sender)
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeGrace)
	defer cancel()
	_ = sender.Close(closing) // its error counts the chunks that it gave back
	q.calls.Wait()
	if err == nil {
		err = q.Flush(context.WithoutCancel(ctx))
	}
	if err != nil && ctx.Err() != nil && (errors.Is(err, ErrClosed) || errors.Is(err, ErrDiskFull)) {
		return nil // what the disk does not know is delivered again
	}
	return err
}

func (q *Queue) start(sender *memfault.ChunkSender) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.failed != nil:
		return q.failed
	case q.closing:
		return ErrClosed
	case q.running:
		return fmt.Errorf("%w: Run has not returned", ErrInUse)
	}
	q.running, q.sender = true, sender
	for _, d := range q.devices {
		d.stopped = false
		q.makeReady(d)
	}
	return nil
}

func (q *Queue) finish() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.running, q.sender = false, nil
	for _, d := range q.ready {
		d.ready = false
	}
	q.ready = nil
	for _, d := range q.devices {
		d.handed, d.blocked = d.acked, false
	}
}

// makeReady makes Run feed the device if it has chunks and a window for them. q.mu is held.
func (q *Queue) makeReady(d *device) {
	if q.running && !d.ready && !d.stopped && d.public.last > d.handed && d.inflight < windowBytes/2 && d.pending < windowChunks/2 {
		d.ready = true
		q.ready = append(q.ready, d)
		wake(q.feed)
	}
}

// deliver feeds the sender until ctx ends.
func (q *Queue) deliver(ctx context.Context, sender *memfault.ChunkSender) error {
	var blocked []*device // in the order in which they are tried again
	tried := time.Now()
	try := func(d *device) (refused bool, err error) {
		err = q.feedDevice(ctx, sender, d)
		switch {
		case ctx.Err() != nil:
			return false, nil
		case !errors.Is(err, memfault.ErrDeviceFull):
			return false, err
		}
		q.mu.Lock()
		defer q.mu.Unlock()
		if !d.blocked {
			d.blocked = true
			blocked = append(blocked, d)
		}
		return true, nil
	}
	for {
		if len(blocked) > 0 && time.Since(tried) >= retryBlocked {
			tried = time.Now()
			refusals := 0
			for n := len(blocked); n > 0 && refusals < maxRefused; n-- {
				d := blocked[0]
				blocked = blocked[1:]
				q.mu.Lock()
				d.blocked = false
				q.mu.Unlock()
				refused, err := try(d)
				if err != nil {
					return err
				}
				if refused {
					refusals++
				}
			}
		}
		d, err := q.next()
		switch {
		case err != nil:
			return err
		case ctx.Err() != nil:
			return nil
		case d != nil:
			if _, err := try(d); err != nil {
				return err
			}
			continue
		}
		var again <-chan time.Time
		if len(blocked) > 0 {
			again = time.After(retryBlocked - time.Since(tried))
		}
		select {
		case <-ctx.Done():
		case <-q.broken:
		case <-q.feed:
		case <-again:
		}
	}
}

// next returns a device that can be fed, or nil.
func (q *Queue) next() (*device, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.failed != nil:
		return nil, q.failed
	case q.closing:
		return nil, ErrClosed
	case len(q.ready) == 0:
		return nil, nil
	}
	d := q.ready[0]
	q.ready = q.ready[1:]
	d.ready = false
	return d, nil
}

// feedDevice gives the sender the next chunks of a device.
func (q *Queue) feedDevice(ctx context.Context, sender *memfault.ChunkSender, d *device) error {
	records, err := q.read(d)
	for i, r := range records {
		size := int64(len(r.data))
		q.mu.Lock()
		d.pending++
		d.inflight += size
		q.mu.Unlock()
		q.calls.Add(1)
		err = sender.Send(ctx, d.serial, r.data, func(err error) { q.done(d, r.seq, size, err) })
		if err != nil {
			q.calls.Done()
			q.mu.Lock()
			d.pending--
			d.inflight -= size
			for _, unsent := range records[i:] { // the disk still has them
				d.handed = min(d.handed, unsent.seq-1)
			}
			q.mu.Unlock()
			return err
		}
	}
	if err == nil {
		q.mu.Lock()
		q.makeReady(d)
		q.mu.Unlock()
	}
	return err
}

// read reads the next chunks of a device, for its window.
func (q *Queue) read(d *device) (records []record, err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	q.feeding.Lock()
	defer q.feeding.Unlock()
	q.mu.Lock()
	handed, room, chunks := d.handed, windowBytes-d.inflight, windowChunks-d.pending
	q.mu.Unlock()
	err = guard(func() error {
		return q.db.View(func(tx *bbolt.Tx) error {
			cursor, prefix := tx.Bucket(chunksBucket).Cursor(), devicePrefix(d.serial)
			for key, value := cursor.Seek(chunkKey(d.serial, handed+1)); bytes.HasPrefix(key, prefix) && len(key) == len(prefix)+8; key, value = cursor.Next() {
				r, ok := decode(value)
				if !ok {
					return damagedRecord(key)
				}
				size := int64(len(r.data))
				if len(records) == chunks || size > room && (len(records) > 0 || room < windowBytes) {
					return nil
				}
				room -= size
				r.data = bytes.Clone(r.data)
				records = append(records, r)
			}
			return nil
		})
	})
	q.mu.Lock()
	defer q.mu.Unlock()
	if errors.Is(err, bbolt.ErrDatabaseNotOpen) { //nolint:staticcheck // its new name is in a package of its own
		return nil, ErrClosed
	}
	if err != nil {
		if !errors.Is(err, ErrFailed) {
			err = fmt.Errorf("%w: %w", ErrFailed, err)
		}
		q.fail(err)
		return nil, err
	}
	if n := len(records); n > 0 {
		d.handed = records[n-1].seq
	}
	return records, nil
}

// done notes what became of a chunk. The sender calls it for each, in the order of the device.
func (q *Queue) done(d *device, seq uint64, size int64, err error) {
	defer q.calls.Done()
	q.mu.Lock()
	defer q.mu.Unlock()
	d.pending--
	d.inflight -= size
	switch {
	case d.stopped:
	case errors.Is(err, memfault.ErrNotDelivered):
		d.stopped = true // those after it must be sent after it
	default:
		d.acked = seq
		if err != nil {
			d.reject(seq, clip(err.Error()))
		}
		q.noteAck(d)
	}
	q.makeReady(d)
}

// clip limits the text of an error.
func clip(text string) string {
	const limit = 1000
	if len(text) > limit {
		text = text[:limit] + "…"
	}
	return text
}
