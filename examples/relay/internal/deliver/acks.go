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
	device   *device
	rejected error // why Memfault rejected the chunk, if it did
}

// acks acknowledges chunks to JetStream. An acknowledgement that gets no response is repeated
// for as long as the lease is valid: a chunk that stays unacknowledged stays in the stream.
//
// A rejected chunk is first kept in another stream. While that stream takes no chunk, rejected
// chunks wait, and no others.
type acks struct {
	run *run

	mu       sync.Mutex
	queue    []job
	workers  int
	rejected []job // to be kept, one after the other
	keeping  bool  // whether there is a goroutine for them
	stuck    bool  // whether the first of them could not be kept
	closed   bool
	wg       sync.WaitGroup
}

// keepWait is how long rejected chunks wait after one could not be kept.
const keepWait = time.Second

func newAcks(r *run) *acks { return &acks{run: r} }

func (a *acks) add(j job) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return
	}
	if j.rejected != nil {
		a.rejected = append(a.rejected, j)
		if !a.keeping {
			a.keeping = true
			a.wg.Go(a.keepRejected)
		}
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
		attempt, cancel := context.WithTimeout(ctx, 2*time.Second)
		_, err := a.run.config.Store.Conn.RequestWithContext(attempt, a.run.reply.subject(j.chunk), []byte("+ACK"))
		cancel()
		if err == nil {
			a.run.stored(j.device.tenant, -int64(j.chunk.size))
			return
		}
		a.sleep(100 * time.Millisecond)
	}
}

func (a *acks) sleep(wait time.Duration) {
	select {
	case <-a.run.ended:
	case <-a.run.lease.Lost():
	case <-time.After(wait):
	}
}

// keepRejected keeps rejected chunks until there are none or the run ends.
func (a *acks) keepRejected() {
	for {
		a.mu.Lock()
		if len(a.rejected) == 0 || a.closed || isClosed(a.run.ended) || !a.run.lease.Valid() {
			a.keeping = false
			a.mu.Unlock()
			return
		}
		j := a.rejected[0]
		a.mu.Unlock()
		err := a.keep(a.run.lease.Context(), j)
		a.mu.Lock()
		was := a.stuck
		a.stuck = err != nil
		if err == nil {
			a.rejected = a.rejected[1:]
		}
		a.mu.Unlock()
		if err == nil {
			a.add(job{chunk: j.chunk, device: j.device})
			continue
		}
		if !was && a.run.lease.Valid() {
			a.run.logger.Error("rejected chunks cannot be kept, and stay in the store", "tenant", j.device.tenant, "error", err)
		}
		a.sleep(keepWait)
	}
}

// keep stores a rejected chunk in the other stream.
func (a *acks) keep(ctx context.Context, j job) error {
	content, err := a.run.read(ctx, j.chunk.sequence)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return a.run.config.Store.PutRejected(ctx, j.device.tenant, j.device.serial, content, j.rejected)
}

// isIdle reports whether there is nothing to wait for: chunks that cannot be kept may wait for
// days.
func (a *acks) isIdle() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.queue) == 0 && a.workers == 0 && (len(a.rejected) == 0 || a.stuck)
}

// waiting counts the rejected chunks that are not kept yet, by tenant.
func (a *acks) waiting(count func(tenant string)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, j := range a.rejected {
		count(j.device.tenant)
	}
}

// close waits for the acknowledgements in flight, and makes no more.
func (a *acks) close() {
	a.mu.Lock()
	a.closed = true
	a.mu.Unlock()
	a.wg.Wait()
}
