package deliver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/memfault-go/memfault"

	"github.com/memfault-go/memfault/examples/relay/internal/inspect"
	"github.com/memfault-go/memfault/examples/relay/internal/store"
)

// chunk is a chunk in the stream. There can be as many of them as the stream has room for, so
// it contains only what its acknowledgement and its reading back need.
type chunk struct {
	sequence uint64 // in the stream
	consumer uint64 // sequence of the consumer
	time     int64  // when it was stored, in nanoseconds
	size     uint32 // in the stream
}

// reply builds the subjects for acknowledgements, which differ only in what chunk contains.
type reply struct{ before, after string }

// newReply returns the reply that builds a subject. The forms of the server are
// $JS.ACK.STREAM.CONSUMER.DELIVERIES.SEQUENCE.CONSUMER-SEQUENCE.TIME.PENDING, and one with a
// domain and a hash after ACK, and more at the end.
func newReply(subject string) (reply, error) {
	tokens, at := strings.Split(subject, "."), 4
	if len(tokens) >= 11 {
		at = 6
	}
	if len(tokens) < at+5 || tokens[at] != "1" {
		return reply{}, fmt.Errorf("unknown form of acknowledgement %q", subject)
	}
	r := reply{before: strings.Join(tokens[:at+1], ".")}
	for _, token := range tokens[at+4:] {
		r.after += "." + token
	}
	return r, nil
}

func (r reply) subject(c chunk) string {
	return fmt.Sprintf("%s.%d.%d.%d%s", r.before, c.sequence, c.consumer, c.time, r.after)
}

// storedSize is about what a chunk needs in the stream.
func storedSize(subject string, content []byte) uint32 {
	return uint32(30 + len(subject) + len(content)) //nolint:gosec // a message is at most some MiB
}

// health is what is known of the uploads of a device.
type health int

const (
	untried health = iota
	healthy        // the last one was accepted
	sick           // the last one failed, or its tenant is paused
)

// device is a device that has chunks here.
type device struct {
	tenant, serial string

	pending  int     // chunks in the sender
	parked   []chunk // the next ones, which are only in the stream
	resumeAt int     // the parked ones can be read back when so few are pending
	queued   bool    // whether it is in run.ready or run.starved
	orphan   bool    // whether its tenant is unknown
	health   health

	receiving bool // whether a chunk from the consumer is neither sent nor parked yet
}

// deviceKey identifies a device.
type deviceKey struct{ tenant, serial string }

func (d *device) key() deviceKey { return deviceKey{d.tenant, d.serial} }

// result is the outcome for a chunk that should be sent.
type result int

const (
	sent       result = iota
	deviceFull        // the device has enough chunks in memory
	memoryFull        // all devices together have
	noTenant          // its tenant is not configured
	notNow            // the run ends
)

// device returns the device of a subject. If the device has parked chunks, it parks the chunk
// behind them.
func (r *run) device(subject string, c chunk) (d *device, parked bool) {
	tenant, serial := store.DeviceOf(subject)
	r.mu.Lock()
	defer r.mu.Unlock()
	if d = r.devices[deviceKey{tenant, serial}]; d == nil {
		d = &device{tenant: tenant, serial: serial}
		r.devices[deviceKey{tenant, serial}] = d
	}
	if len(d.parked) == 0 {
		d.receiving = true
		return d, false
	}
	d.parked = append(d.parked, c)
	return d, true
}

// wait decides when the parked chunks of a device are tried again. r.mu must be held.
func (r *run) wait(d *device, why result) {
	switch why {
	case noTenant:
		d.orphan = true
		r.orphans = true
		return
	case deviceFull:
		d.resumeAt = d.pending / 2
	case memoryFull, notNow:
		d.resumeAt = d.pending
		if !d.queued {
			d.queued = true
			r.starved = append(r.starved, d)
		}
		return
	}
	r.makeReady(d)
}

// makeReady queues a device if its parked chunks can be read back. r.mu must be held.
func (r *run) makeReady(d *device) {
	if len(d.parked) == 0 || d.pending > d.resumeAt || d.queued || d.orphan {
		return
	}
	d.queued = true
	r.ready = append(r.ready, d)
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// forget removes a device that has no chunks. r.mu must be held.
func (r *run) forget(d *device) {
	if d.pending == 0 && len(d.parked) == 0 && !d.queued && !d.receiving && r.devices[d.key()] == d {
		delete(r.devices, d.key())
	}
}

// send passes a chunk to the sender. It reads the content after there is memory for it.
func (r *run) send(d *device, c chunk, read func() ([]byte, error)) result {
	sender, err := r.sender(d.tenant)
	if err != nil {
		return noTenant
	}
	if sender == nil {
		return notNow
	}
	if health, first := r.healthOf(d); !r.config.Memory.acquire(c.size, health, first) {
		return memoryFull
	}
	content, err := read()
	if err == nil {
		r.count(d, 1)
		if err = sender.Send(r.lease.Context(), d.serial, content, func(err error) {
			r.config.Memory.release(c.size)
			if err == nil {
				r.inspect(d, content)
			}
			r.done(d, c, err)
		}); err == nil {
			return sent
		}
		r.count(d, -1)
	}
	r.config.Memory.release(c.size)
	switch {
	case errors.Is(err, jetstream.ErrMsgNotFound): // somebody removed it from the stream
		r.acks.add(job{chunk: c, device: d})
		return sent
	case errors.Is(err, memfault.ErrDeviceFull):
		return deviceFull
	case errors.Is(err, memfault.ErrInvalidArgument): // no upload of it can succeed
		r.reject(d, c, err)
		return sent
	}
	return notNow
}

// healthOf returns the health of a device, and whether it has no chunk in the sender. In a
// tenant whose uploads are paused, all are sick.
func (r *run) healthOf(d *device) (health health, first bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.paused[d.tenant] {
		return sick, d.pending == 0
	}
	return d.health, d.pending == 0
}

// attempted notes the outcome of an upload.
func (r *run) attempted(tenant, serial string, accepted bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if d := r.devices[deviceKey{tenant, serial}]; d != nil {
		d.health = sick
		if accepted {
			d.health = healthy
		}
	}
}

func (r *run) count(d *device, n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	d.pending += n
	r.pending += n
}

// done is called by the sender, in the order of the device.
func (r *run) done(d *device, c chunk, err error) {
	r.mu.Lock()
	d.pending--
	r.makeReady(d)
	r.forget(d)
	if err == nil {
		r.acks.add(job{chunk: c, device: d})
		delete(r.paused, d.tenant)
	}
	r.pending--
	r.mu.Unlock()
	switch {
	case err == nil:
		r.step(StepDone)
	case !errors.Is(err, memfault.ErrNotDelivered) && r.lease.Valid():
		r.reject(d, c, err)
	}
}

// inspect counts the messages in the accepted chunks. The chunks of a device are accepted in
// order, and by the relay that has its partition; an earlier owner may have had the beginning
// of a message.
func (r *run) inspect(d *device, content []byte) {
	if r.config.Messages == nil {
		return
	}
	r.inspecting.Lock()
	result := r.inspector.Add(inspect.Device{Tenant: d.tenant, Serial: d.serial}, content, time.Now())
	r.inspecting.Unlock()
	if result.Damage != nil {
		r.logger.Warn("message damaged", "tenant", d.tenant, "device", d.serial, "damage", result.Damage)
	}
	r.config.Messages(d.tenant, result.Complete, result.Damaged)
}

// reject keeps a chunk that Memfault rejected in another stream.
func (r *run) reject(d *device, c chunk, err error) {
	r.logger.Warn("chunk rejected", "tenant", d.tenant, "device", d.serial, "error", err)
	if r.config.Rejected != nil {
		r.config.Rejected(d.tenant)
	}
	r.acks.add(job{chunk: c, device: d, rejected: err})
}

// sender returns the sender of a tenant. It is nil if the run ends.
func (r *run) sender(tenant string) (*memfault.ChunkSender, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if sender := r.senders[tenant]; sender != nil || r.closing {
		return sender, nil
	}
	if !r.config.Tenants.Has(tenant) {
		return nil, errors.New("unknown tenant")
	}
	client, err := r.config.Client(tenant, func(next http.RoundTripper) http.RoundTripper {
		return r.gate.through(next, func(serial string, accepted bool) { r.attempted(tenant, serial, accepted) })
	})
	if err != nil { // the tenants were checked when they were loaded
		r.logger.Error("no client for the tenant", "tenant", tenant, "error", err)
		return nil, err
	}
	sender := client.Chunks.NewSender(memfault.ChunkSenderOptions{
		Concurrency: r.config.Concurrency, MaxPendingPerDevice: r.config.MemoryPerDevice,
		MaxPendingBytes: 1 << 40, // Config.Memory limits it without blocking other tenants
		OnPause: func(err error) {
			r.mu.Lock()
			r.paused[tenant] = true
			r.mu.Unlock()
			r.logPause(tenant, err)
			if r.config.Paused != nil {
				r.config.Paused(tenant)
			}
		},
	})
	r.senders[tenant] = sender
	return sender, nil
}

// starvedWait is how often devices are tried again that found no memory.
const starvedWait = 100 * time.Millisecond

// readBack reads parked chunks of devices that have room for them.
func (r *run) readBack() {
	ctx, cancel := context.WithCancel(r.lease.Context())
	defer cancel()
	ticker := time.NewTicker(starvedWait)
	defer ticker.Stop()
	changed := r.config.Tenants.Changed()
	for {
		select {
		case <-r.leaving:
			return
		case <-changed:
			changed = r.config.Tenants.Changed()
			r.adopt()
		case <-ticker.C:
			r.feed()
		case <-r.wake:
		}
		for d := r.nextReady(); d != nil && !isClosed(r.leaving); d = r.nextReady() {
			r.readDevice(ctx, d)
		}
	}
}

// feed queues the devices that found no memory, those first that are not sick.
func (r *run) feed() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.orphans { // the tenants may have changed right before
		r.orphans = false
		r.adoptLocked()
	}
	slices.SortStableFunc(r.starved, func(a, b *device) int {
		return cmp.Compare(number(a.health == sick || r.paused[a.tenant]), number(b.health == sick || r.paused[b.tenant]))
	})
	r.ready = append(r.ready, r.starved...)
	r.starved = nil
}

func number(b bool) int {
	if b {
		return 1
	}
	return 0
}

// adopt queues the devices of tenants that were unknown.
func (r *run) adopt() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.adoptLocked()
}

func (r *run) adoptLocked() {
	for _, d := range r.devices {
		if d.orphan && r.config.Tenants.Has(d.tenant) {
			d.orphan = false
			r.makeReady(d)
		}
	}
}
