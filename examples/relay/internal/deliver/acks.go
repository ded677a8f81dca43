package deliver

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// ackWorkers is how many acknowledgements of a partition are in flight.
const ackWorkers = 16

// job is an acknowledgement to be made.
type job struct {
	chunk    chunk
	device   *device // of a rejected chunk
	rejected error   // why Memfault rejected the chunk, if it did
}

// acks acknowledges chunks to JetStream. An acknowledgement that gets no response is repeated
// for as long as the lease is valid: a chunk that stays unacknowledged stays in the stream.
type acks struct {
	run *run

	mu      sync.Mutex
	queue   []job
	workers int
	closed  bool
	wg      sync.WaitGroup
}

func newAcks(r *run) *acks { return &acks{run: r} }

func (a *acks) add(j job) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return
	}
	a.queue = append(a.queue, j)
	if a.workers < ackWorkers {
		a.workers++
		a.wg.Go(a.work)
	}
}

func (a *acks) work() {
	for {
		a.mu.Lock()
		if len(a.queue) == 0 || a.closed {
			a.workers--
			a.mu.Unlock()
			return
		}
		j := a.queue[0]
		a.queue = a.queue[1:]
		a.mu.Unlock()
		a.acknowledge(j)
	}
}

// acknowledge retries until JetStream confirms, the lease is lost or the run ends.
func (a *acks) acknowledge(j job) {
	ctx := a.run.lease.Context()
	for a.run.lease.Valid() && !isClosed(a.run.ended) {
		err := a.keep(ctx, j)
		if err == nil {
			attempt, cancel := context.WithTimeout(ctx, 2*time.Second)
			_, err = a.run.config.Store.Conn.RequestWithContext(attempt, j.chunk.reply, []byte("+ACK"))
			cancel()
			if err == nil {
				return
			}
		}
		select {
		case <-a.run.ended:
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// keep stores a rejected chunk before it is acknowledged.
func (a *acks) keep(ctx context.Context, j job) error {
	if j.rejected == nil {
		return nil
	}
	content, err := a.run.read(ctx, j.chunk.sequence)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return a.run.config.Store.PutRejected(ctx, j.device.tenant, j.device.serial, content, j.rejected)
}

func (a *acks) isIdle() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.queue) == 0 && a.workers == 0
}

// close waits for the acknowledgements in flight, and makes no more.
func (a *acks) close() {
	a.mu.Lock()
	a.closed = true
	a.mu.Unlock()
	a.wg.Wait()
}
