package deliver

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/memfault-go/memfault"

	"github.com/memfault-go/memfault/examples/relay/internal/inspect"
	"github.com/memfault-go/memfault/examples/relay/internal/lease"
)

// run is the delivery of one partition during one lease.
type run struct {
	*Deliverer
	lease     *lease.Lease
	partition int
	logger    *slog.Logger
	gate      *gate
	acks      *acks
	last      uint64 // sequence of the consumer; only its goroutine uses it
	newest    uint64 // sequence in the stream of the newest chunk received; likewise
	reply     reply  // set before the first chunk is passed on

	broken chan struct{} // closed when a new consumer is necessary
	reason string        // why; set before broken is closed
	once   sync.Once
	wake   chan struct{} // has an element if there may be parked chunks to read back
	ended  chan struct{}

	leaving chan struct{} // closed when no more parked chunks should be read back
	leave   sync.Once

	inspecting sync.Mutex
	inspector  *inspect.Inspector

	mu      sync.Mutex
	senders map[string]*memfault.ChunkSender // by tenant
	devices map[deviceKey]*device            // those with pending or parked chunks
	ready   []*device                        // whose parked chunks can be read back
	starved []*device                        // likewise, but there was no memory
	orphans bool                             // whether devices of unknown tenants were found
	paused  map[string]bool                  // tenants whose uploads are paused
	bytes   map[string]int64                 // in the stream, by tenant, of chunks that were received and are not acknowledged
	closing bool                             // from now on an error of a chunk is not a rejection
	pending int                              // chunks in the senders
}

func newRun(d *Deliverer, l *lease.Lease, partition int, logger *slog.Logger) *run {
	r := &run{
		Deliverer: d, lease: l, partition: partition, logger: logger, gate: newGate(l),
		broken: make(chan struct{}), wake: make(chan struct{}, 1), ended: make(chan struct{}),
		leaving: make(chan struct{}), inspector: inspect.New(),
		senders: map[string]*memfault.ChunkSender{}, devices: map[deviceKey]*device{},
		paused: map[string]bool{}, bytes: map[string]int64{},
	}
	r.acks = newAcks(r)
	return r
}

// breakUp ends the run, so that a new consumer is created.
func (r *run) breakUp(reason string) {
	r.once.Do(func() {
		r.reason = reason
		close(r.broken)
	})
}

// Limits of the chunks that the NATS client holds for a partition.
const (
	pullChunks = 100
	pullBytes  = 2 << 20
)

func (r *run) consume(consumer jetstream.Consumer) (jetstream.ConsumeContext, error) {
	return consumer.Consume(r.receive,
		jetstream.PullMaxMessagesWithBytesLimit(pullChunks, pullBytes), jetstream.PullExpiry(5*time.Second),
		jetstream.ConsumeErrHandler(func(_ jetstream.ConsumeContext, err error) {
			if errors.Is(err, jetstream.ErrConsumerDeleted) || errors.Is(err, jetstream.ErrConsumerNotFound) {
				r.breakUp("the consumer was deleted")
			}
		}))
}

// receive handles a chunk from the consumer. It never blocks for long: what cannot be sent
// now stays in the stream.
func (r *run) receive(msg jetstream.Msg) {
	meta, err := msg.Metadata()
	switch {
	case err != nil:
		r.breakUp("a message without metadata")
		return
	case isClosed(r.broken) || !r.lease.Valid():
		return
	case meta.Sequence.Consumer != r.last+1:
		r.breakUp("chunks were lost on the way from NATS")
		return
	}
	r.last = meta.Sequence.Consumer
	if r.last == 1 {
		if r.reply, err = newReply(msg.Reply()); err != nil {
			r.logger.Error("the version of NATS is not supported", "error", err)
			r.breakUp("an unknown form of acknowledgement")
			return
		}
		r.step(StepFirst)
	}
	if meta.Sequence.Stream <= r.newest { // redelivered after AckWait; it is still here
		return
	}
	r.newest = meta.Sequence.Stream
	c := chunk{meta.Sequence.Stream, meta.Sequence.Consumer, meta.Timestamp.UnixNano(), storedSize(msg.Subject(), msg.Data())}
	d, parked := r.device(msg.Subject(), c)
	r.stored(d.tenant, int64(c.size))
	if parked {
		return
	}
	result := r.send(d, c, func() ([]byte, error) { return msg.Data(), nil })
	r.mu.Lock()
	defer r.mu.Unlock()
	d.receiving = false
	if result != sent {
		d.parked = append(d.parked, c)
		r.wait(d, result)
	}
	r.forget(d)
}

// stored counts bytes of a tenant.
func (r *run) stored(tenant string, bytes int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.bytes[tenant] += bytes; r.bytes[tenant] == 0 {
		delete(r.bytes, tenant)
	}
}

// handOver waits until the chunks in memory are accepted and acknowledged, but not for long: a
// device that must wait must not keep the partition from its next owner.
func (r *run) handOver() {
	r.leave.Do(func() { close(r.leaving) })
	ctx, cancel := context.WithTimeout(r.lease.Context(), r.config.HandOver)
	defer cancel()
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for !r.isIdle() {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			r.gate.close(context.WithoutCancel(ctx)) // requests in flight are limited by the timeout of the client
			return
		}
	}
	r.gate.close(ctx)
}

func (r *run) isIdle() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.pending == 0 && r.acks.isIdle()
}

// restart ends the requests in flight in good order, because the lease is still valid and the
// next consumer follows immediately.
func (r *run) restart(reason string) {
	r.logger.Info("partition starts over", "reason", reason)
	if r.config.Restarted != nil {
		r.config.Restarted(reason)
	}
	ctx, cancel := context.WithTimeout(r.lease.Context(), r.config.HandOver)
	defer cancel()
	r.leave.Do(func() { close(r.leaving) })
	r.gate.close(ctx)
	for !r.acks.isIdle() && ctx.Err() == nil {
		time.Sleep(10 * time.Millisecond)
	}
}

// end closes the senders. Chunks that were not accepted stay in the stream.
func (r *run) end() {
	now, cancel := context.WithCancel(context.Background())
	cancel()
	r.leave.Do(func() { close(r.leaving) })
	r.gate.close(now)
	r.mu.Lock()
	r.closing = true
	senders := r.senders
	r.senders = nil
	r.mu.Unlock()
	close(r.ended)
	var wg sync.WaitGroup
	for _, sender := range senders {
		wg.Go(func() { _ = sender.Close(now) }) // the chunks are in the stream
	}
	wg.Wait()
	r.acks.close()
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
