package deliver

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// turn is the number of parked chunks of a device that are read before those of another
// device.
const turn = 50

func (r *run) nextReady() *device {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.ready) == 0 {
		return nil
	}
	d := r.ready[0]
	r.ready = r.ready[1:]
	return d
}

// readDevice reads parked chunks of a device and sends them, until the device has no room.
// Chunks that arrive meanwhile are parked behind them.
func (r *run) readDevice(ctx context.Context, d *device) {
	why := sent
	for range turn {
		r.mu.Lock()
		if len(d.parked) == 0 {
			r.mu.Unlock()
			break
		}
		next := d.parked[0]
		r.mu.Unlock()
		why = r.send(d, next, func() ([]byte, error) { return r.read(ctx, next.sequence) })
		if why != sent {
			break
		}
		r.mu.Lock()
		if d.parked = d.parked[1:]; len(d.parked) == 0 {
			d.parked = nil
		}
		r.mu.Unlock()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	d.queued = false
	if why == sent {
		d.resumeAt = max(d.resumeAt, d.pending)
	}
	r.wait(d, why)
	r.forget(d)
}

// read reads a chunk from the stream, from the leader.
func (r *run) read(ctx context.Context, sequence uint64) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	msg, err := r.config.Store.Chunks.GetMsg(ctx, sequence)
	if err != nil {
		return nil, err
	}
	return msg.Data, nil
}

// registry contains the runs of a process.
type registry struct {
	mu     sync.Mutex
	runs   map[*run]bool
	logged map[string]time.Time // when the pause of a tenant was logged last
}

func (g *registry) add(r *run) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.runs[r] = true
}

func (g *registry) remove(r *run) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.runs, r)
}

func (g *registry) all() []*run {
	g.mu.Lock()
	defer g.mu.Unlock()
	runs := make([]*run, 0, len(g.runs))
	for r := range g.runs {
		runs = append(runs, r)
	}
	return runs
}

// pauseLog is how often the pause of a tenant is logged as an error: each partition of it
// pauses by itself.
const pauseLog = time.Minute

func (r *run) logPause(tenant string, err error) {
	level := slog.LevelDebug
	r.running.mu.Lock()
	if now := time.Now(); now.Sub(r.running.logged[tenant]) > pauseLog {
		level = slog.LevelError
		r.running.logged[tenant] = now
	}
	r.running.mu.Unlock()
	r.logger.Log(context.Background(), level, "uploads paused", "tenant", tenant, "error", err)
}

// Resume makes paused senders retry immediately, because keys may have changed.
func (d *Deliverer) Resume() {
	for _, r := range d.running.all() {
		r.mu.Lock()
		for _, sender := range r.senders {
			sender.Resume()
		}
		r.mu.Unlock()
	}
}

// Bytes returns how many bytes the chunks of each tenant need in the store, in the partitions
// of this process.
func (d *Deliverer) Bytes() map[string]int64 {
	all := map[string]int64{}
	for _, r := range d.running.all() {
		r.mu.Lock()
		for tenant, bytes := range r.bytes {
			all[tenant] += bytes
		}
		r.mu.Unlock()
	}
	return all
}

// Stats are sums over the partitions of a process.
type Stats struct {
	InMemory, Parked           int // chunks
	Unkept                     int // rejected chunks that the stream of rejected chunks has not taken
	Held, ParkedDevices        int // devices
	PausedSenders              int
	Accepted, Requests, Repeat int64
}

// Stats returns the current counts of each tenant. Accepted, Requests and Repeat start at 0
// with each lease.
func (d *Deliverer) Stats() map[string]Stats {
	all := map[string]Stats{}
	for _, r := range d.running.all() {
		r.mu.Lock()
		for tenant, sender := range r.senders {
			sum, stats := all[tenant], sender.Stats()
			sum.InMemory += stats.PendingChunks
			sum.Held += stats.HeldDevices
			if stats.Paused != nil {
				sum.PausedSenders++
			}
			sum.Accepted += stats.Accepted
			sum.Requests += stats.Requests
			sum.Repeat += stats.Repeated
			all[tenant] = sum
		}
		r.acks.waiting(func(tenant string) {
			sum := all[tenant]
			sum.Unkept++
			all[tenant] = sum
		})
		for _, dev := range r.devices {
			if len(dev.parked) > 0 {
				sum := all[dev.tenant]
				sum.Parked += len(dev.parked)
				sum.ParkedDevices++
				all[dev.tenant] = sum
			}
		}
		r.mu.Unlock()
	}
	return all
}
