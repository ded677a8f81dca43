package deliver

import (
	"context"
	"errors"

	"github.com/memfault-go/memfault"

	"github.com/memfault-go/memfault/examples/relay/internal/store"
)

// chunk is a chunk in the stream.
type chunk struct {
	sequence uint64 // in the stream
	reply    string // the subject for its acknowledgement
}

// device is a device that has chunks here.
type device struct {
	tenant, serial string

	pending  int     // chunks in the sender
	parked   []chunk // the next ones, which are only in the stream
	resumeAt int     // the parked ones can be read back when so few are pending
	queued   bool    // whether it is in run.ready
	orphan   bool    // whether its tenant is unknown

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
		return
	case deviceFull:
		d.resumeAt = d.pending / 2
	case memoryFull:
		d.resumeAt = max(d.pending, 0)
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

// send passes a chunk to the sender.
func (r *run) send(d *device, c chunk, content []byte) result {
	sender, err := r.sender(d.tenant)
	if err != nil {
		return noTenant
	}
	if sender == nil {
		return notNow
	}
	if !r.config.Memory.acquire(len(content)) {
		return memoryFull
	}
	r.count(d, 1)
	size := len(content)
	err = sender.Send(r.lease.Context(), d.serial, content, func(err error) {
		r.config.Memory.release(size)
		r.done(d, c, err)
	})
	if err == nil {
		return sent
	}
	r.config.Memory.release(size)
	r.count(d, -1)
	switch {
	case errors.Is(err, memfault.ErrDeviceFull):
		return deviceFull
	case errors.Is(err, memfault.ErrInvalidArgument): // no upload of it can succeed
		r.reject(d, c, err)
		return sent
	}
	return notNow
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
		r.acks.add(job{chunk: c})
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
	client, err := r.config.Client(tenant, r.gate)
	if err != nil { // the tenants were checked when they were loaded
		r.logger.Error("no client for the tenant", "tenant", tenant, "error", err)
		return nil, err
	}
	sender := client.Chunks.NewSender(memfault.ChunkSenderOptions{
		Concurrency: r.config.Concurrency, MaxPendingPerDevice: r.config.MemoryPerDevice,
		MaxPendingBytes: 1 << 40, // Config.Memory limits it without blocking other tenants
		OnPause: func(err error) {
			r.logPause(tenant, err)
			if r.config.Paused != nil {
				r.config.Paused(tenant)
			}
		},
	})
	r.senders[tenant] = sender
	return sender, nil
}

// readBack reads parked chunks of devices that have room for them.
func (r *run) readBack() {
	ctx, cancel := context.WithCancel(r.lease.Context())
	defer cancel()
	for {
		changed := r.config.Tenants.Changed()
		r.adopt()
		select {
		case <-r.leaving:
			return
		case <-changed:
			continue
		case <-r.wake:
		}
		for d := r.nextReady(); d != nil && !isClosed(r.leaving); d = r.nextReady() {
			r.readDevice(ctx, d)
		}
	}
}

// adopt queues the devices of tenants that were unknown.
func (r *run) adopt() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, d := range r.devices {
		if d.orphan && r.config.Tenants.Has(d.tenant) {
			d.orphan = false
			r.makeReady(d)
		}
	}
}
