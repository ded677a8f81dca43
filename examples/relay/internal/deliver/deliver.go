// Package deliver uploads the chunks of one partition to Memfault, in order for each device,
// for as long as this process has the lease of the partition.
//
// Each lease creates a consumer of its own. It first receives all chunks that were not
// acknowledged, in the order in which they were stored, and then new chunks. Therefore,
// whatever the previous owner was doing when it lost the partition, the chunks of a device are
// sent again from the first chunk that may be missing, without a gap.
package deliver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/memfault-go/memfault"

	"github.com/memfault-go/memfault/examples/relay/internal/lease"
	"github.com/memfault-go/memfault/examples/relay/internal/store"
	"github.com/memfault-go/memfault/examples/relay/internal/tenants"
)

// Steps of a takeover, for [Config.Step].
const (
	StepLeased  = "leased"  // the lease is acquired
	StepDeleted = "deleted" // older consumers are deleted
	StepCreated = "created" // the own consumer exists
	StepFirst   = "first"   // the first chunk was received
	StepDone    = "done"    // a chunk was accepted and is not acknowledged
)

// Config configures a [Deliverer]. All fields are required, unless their comments allow the
// zero value.
type Config struct {
	Store   *store.Store
	Tenants *tenants.Set
	Logger  *slog.Logger
	// Client returns a client for a tenant. Its transport must be one that through returned.
	Client func(tenant string, through func(next http.RoundTripper) http.RoundTripper) (*memfault.Client, error)
	// Unacknowledged is how many chunks a partition may have received and not acknowledged; 0
	// is as many as the store has. Beyond it, chunks that wait stop the whole partition.
	Unacknowledged int
	// Memory limits the chunks in memory of all partitions.
	Memory *Budget
	// MemoryPerDevice limits the chunks in memory of one device.
	MemoryPerDevice int64
	Concurrency     int           // requests in flight of a partition and tenant
	HandOver        time.Duration // how long a partition that is released waits for its requests
	// Paused, Rejected and Restarted count; they may be nil.
	Paused, Rejected func(tenant string)
	Restarted        func(reason string)
	// Messages counts the messages in accepted chunks; it may be nil.
	Messages func(tenant string, complete bool, damaged int)
	// Step is called in the course of a takeover, for tests; it may be nil.
	Step func(step string)
}

// Deliverer delivers partitions. Create it with [New].
type Deliverer struct {
	config      Config
	running     registry
	reconnected atomic.Pointer[chan struct{}]
}

// New returns a [Deliverer].
func New(config Config) *Deliverer {
	d := &Deliverer{config: config}
	d.running.runs, d.running.logged = map[*run]bool{}, map[string]time.Time{}
	d.reconnected.Store(new(make(chan struct{})))
	return d
}

// Reconnected must be called after the connection to NATS was lost and is back: chunks that
// were lost with the connection count as delivered, so each partition needs a new consumer.
func (d *Deliverer) Reconnected() { close(*d.reconnected.Swap(new(make(chan struct{})))) }

// Run delivers the partition of a lease until the lease is lost or ctx ends, or until
// something happens that makes a new consumer necessary.
func (d *Deliverer) Run(ctx context.Context, l *lease.Lease) {
	partition, err := PartitionOf(l.Name)
	if err != nil {
		d.config.Logger.Error("unknown lease", "error", err)
		return
	}
	logger := d.config.Logger.With("partition", partition, "lease", l.Revision)
	reconnected := *d.reconnected.Load()
	d.step(StepLeased)
	consumer, err := d.takeOver(ctx, l, partition)
	if err != nil {
		if ctx.Err() == nil && l.Valid() {
			logger.Warn("cannot take the partition over", "error", err)
			pause(ctx, l, time.Second)
		}
		return
	}
	r := newRun(d, l, partition, logger)
	d.running.add(r)
	defer d.running.remove(r)
	consuming, err := r.consume(consumer)
	if err != nil {
		logger.Warn("cannot consume", "error", err)
		r.end()
		pause(ctx, l, time.Second)
		return
	}
	go r.readBack()
	select {
	case <-ctx.Done():
		consuming.Stop()
		r.handOver()
	case <-l.Lost():
		consuming.Stop()
	case <-reconnected:
		consuming.Stop()
		r.restart("reconnected to NATS")
	case <-r.broken:
		consuming.Stop()
		r.restart(r.reason)
	}
	r.end()
}

// LeaseName returns the name of the lease of a partition.
func LeaseName(partitions, partition int) string { return fmt.Sprintf("%d.%d", partitions, partition) }

// PartitionOf returns the partition of a lease.
func PartitionOf(name string) (int, error) {
	_, partition, _ := strings.Cut(name, ".")
	return strconv.Atoi(partition)
}

// takeOver deletes the consumers of older leases and creates one for this lease. Deleting
// also voids the acknowledgements of their owners. A consumer of a newer lease is never
// deleted, even if this process was stopped between its check and the request.
func (d *Deliverer) takeOver(ctx context.Context, l *lease.Lease, partition int) (jetstream.Consumer, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	defer context.AfterFunc(l.Context(), cancel)()
	prefix := fmt.Sprintf("p%d-", partition)
	names := d.config.Store.Chunks.ConsumerNames(ctx)
	for name := range names.Name() {
		text, ok := strings.CutPrefix(name, prefix)
		revision, err := strconv.ParseUint(text, 10, 64)
		if !ok || err != nil || revision >= l.Revision {
			continue
		}
		if !l.Valid() {
			return nil, errLost
		}
		err = d.config.Store.Chunks.DeleteConsumer(ctx, name)
		if err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) {
			return nil, fmt.Errorf("deleting the consumer %s: %w", name, err)
		}
	}
	if err := names.Err(); err != nil {
		return nil, fmt.Errorf("listing consumers: %w", err)
	}
	d.step(StepDeleted)
	if !l.Valid() {
		return nil, errLost
	}
	limit := d.config.Unacknowledged
	if limit == 0 {
		limit = -1
	}
	consumer, err := d.config.Store.Chunks.CreateConsumer(ctx, jetstream.ConsumerConfig{
		Durable: fmt.Sprintf("%s%d", prefix, l.Revision), FilterSubject: d.config.Store.Filter(partition),
		DeliverPolicy: jetstream.DeliverAllPolicy, AckPolicy: jetstream.AckExplicitPolicy,
		// Nothing relies on redelivery: a new lease starts with a new consumer.
		AckWait: time.Hour, MaxDeliver: -1, MaxAckPending: limit,
	})
	if err != nil {
		return nil, fmt.Errorf("creating the consumer: %w", err)
	}
	d.step(StepCreated)
	return consumer, nil
}

func (d *Deliverer) step(step string) {
	if d.config.Step != nil {
		d.config.Step(step)
	}
}

var errLost = errors.New("relay: the lease is lost")

// pause waits, but not longer than there is something to wait for.
func pause(ctx context.Context, l *lease.Lease, wait time.Duration) {
	select {
	case <-ctx.Done():
	case <-l.Lost():
	case <-time.After(wait):
	}
}
