package lease

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Keys of the bucket.
const (
	leaseKey  = "lease."
	memberKey = "member."
)

// Config configures a [Manager]. All fields are required, unless their comments allow the zero
// value.
type Config struct {
	KV      jetstream.KeyValue
	Members string        // group of the processes that share Names
	ID      string        // of this process; different for each start
	Names   []string      // what there is to lease
	TTL     time.Duration // of a lease without a renewal
	Clock   Clock
	Logger  *slog.Logger
	// Ended reports whether the process with an ID is known to have ended, so that its leases
	// are free before they expire; nil is not known.
	Ended func(id string) bool
	// Run acts for a name until the lease is lost or ctx ends. If it returns while the lease
	// is valid and ctx has not ended, the lease is acquired again, with a new revision.
	Run func(ctx context.Context, lease *Lease)
	// Acquired and Expired count leases; they may be nil.
	Acquired, Expired func()
}

// Manager acquires the leases that this process should have. It is used once: create it with
// [NewManager], and call Run.
//
// A lease is a key with its owner. The owner writes the key again and again; a process that
// has not seen the key change for longer than the TTL may write its own name into it. All
// writes name the revision that they replace, so that only one of several processes succeeds.
// A process that stops writes an empty value.
//
// Each process also writes a key about itself. From these keys all processes decide which
// names belong to whom. This decision need not be the same everywhere: it can only delay.
type Manager struct {
	config Config
	wg     sync.WaitGroup

	mu   sync.Mutex
	held map[string]context.CancelFunc // names that this process acts for, and how to stop it
}

// NewManager returns a [Manager].
func NewManager(config Config) *Manager {
	return &Manager{config: config, held: map[string]context.CancelFunc{}}
}

// Held returns the number of names that this process has.
func (m *Manager) Held() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.held)
}

// Run acquires and releases leases until ctx ends. It then releases all, and returns after
// the last Run of the configuration has returned.
func (m *Manager) Run(ctx context.Context) {
	defer m.wg.Wait()
	view := newView(m.config)
	ticker := time.NewTicker(max(m.config.TTL/10, 50*time.Millisecond))
	defer ticker.Stop()
	for ctx.Err() == nil {
		if err := m.tick(ctx, view); err != nil && ctx.Err() == nil {
			m.config.Logger.Warn("cannot read the leases", "error", err)
		}
		select {
		case <-ctx.Done():
		case <-ticker.C:
		}
	}
	m.mu.Lock()
	for _, stop := range m.held {
		stop()
	}
	m.mu.Unlock()
	m.wg.Wait()
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	_ = m.config.KV.Delete(last, view.memberKey(m.config.ID)) // otherwise others notice after the TTL
}

// tick announces this process, reads the bucket, and acquires and releases leases.
func (m *Manager) tick(ctx context.Context, view *view) error {
	ctx, cancel := context.WithTimeout(ctx, m.config.TTL/2)
	defer cancel()
	if _, err := m.config.KV.PutString(ctx, view.memberKey(m.config.ID), "alive"); err != nil {
		return err
	}
	if err := view.read(ctx); err != nil {
		return err
	}
	view.forgetDead(ctx)
	owners := assign(m.config.Names, view.members())
	var wg sync.WaitGroup
	for _, name := range m.config.Names {
		mine := owners[name] == m.config.ID
		m.mu.Lock()
		stop, held := m.held[name]
		m.mu.Unlock()
		switch {
		case held && !mine:
			stop()
		case !held && mine && view.free(name):
			wg.Go(func() { m.acquire(ctx, name, view.revision(name)) })
		}
	}
	wg.Wait()
	return nil
}

// acquire tries to replace a revision of the key of a name, and acts for it on success.
func (m *Manager) acquire(ctx context.Context, name string, revision uint64) {
	lease := m.write(ctx, name, revision)
	if lease == nil {
		return
	}
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	m.mu.Lock()
	m.held[name] = stop
	m.mu.Unlock()
	m.wg.Go(func() {
		defer stop()
		m.act(run, lease)
		m.mu.Lock()
		delete(m.held, name)
		m.mu.Unlock()
	})
}

// write writes this process into the key of a name, and returns the lease, or nil.
func (m *Manager) write(ctx context.Context, name string, replaces uint64) *Lease {
	monotonic, wall := m.config.Clock()
	revision, err := m.update(ctx, name, m.config.ID, replaces)
	if err != nil {
		return nil // another process was faster, or NATS is away; the next tick decides again
	}
	count(m.config.Acquired)
	return New(name, revision, m.config.Clock, m.config.TTL, monotonic, wall)
}

// act runs a lease, and leases that follow it without a gap, until ctx ends or one is lost.
func (m *Manager) act(ctx context.Context, lease *Lease) {
	for lease != nil {
		var renewing sync.WaitGroup
		stopped, stop := context.WithCancel(lease.Context())
		renewing.Go(func() { m.renew(stopped, lease) })
		m.config.Run(ctx, lease)
		stop()
		renewing.Wait()
		if !lease.Valid() && ctx.Err() == nil {
			count(m.config.Expired)
			m.config.Logger.Warn("lease lost", "name", lease.Name)
			return
		}
		lease.Lose()
		replaces := lease.revision()
		next, cancel := context.WithTimeout(context.WithoutCancel(ctx), max(m.config.TTL/2, time.Second))
		if lease = m.next(ctx, next, lease.Name, replaces); lease == nil {
			cancel()
			return
		}
		cancel()
	}
}

// next releases the name if ctx has ended; otherwise it acquires it again.
func (m *Manager) next(ctx, request context.Context, name string, replaces uint64) *Lease {
	if ctx.Err() == nil {
		return m.write(request, name, replaces)
	}
	_, _ = m.update(request, name, "", replaces) // otherwise the lease expires
	return nil
}

// renew renews a lease until ctx ends.
func (m *Manager) renew(ctx context.Context, lease *Lease) {
	ticker := time.NewTicker(m.config.TTL / 5)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if !lease.Valid() {
			return
		}
		monotonic, wall := m.config.Clock()
		request, cancel := context.WithTimeout(ctx, lease.left())
		revision, err := m.update(request, lease.Name, m.config.ID, lease.revision())
		cancel()
		switch {
		case err == nil:
			lease.renewed(revision, monotonic, wall)
		case isConflict(err) && !m.wroteLast(ctx, lease):
			lease.Lose()
			return
		}
		lease.Valid()
	}
}

// wroteLast reports whether this process wrote the key last. It is so if the response to a
// renewal was lost. It then continues with the revision of that renewal, but not its time.
func (m *Manager) wroteLast(ctx context.Context, lease *Lease) bool {
	ctx, cancel := context.WithTimeout(ctx, max(lease.left(), time.Millisecond))
	defer cancel()
	entry, err := m.config.KV.Get(ctx, leaseKey+lease.Name)
	if err != nil {
		return !errors.Is(err, jetstream.ErrKeyNotFound) // the next renewal decides
	}
	if string(entry.Value()) != m.config.ID {
		return false
	}
	lease.mu.Lock()
	lease.latest = max(lease.latest, entry.Revision())
	lease.mu.Unlock()
	return true
}

func (m *Manager) update(ctx context.Context, name, value string, replaces uint64) (uint64, error) {
	return m.config.KV.Update(ctx, leaseKey+name, []byte(value), replaces)
}

// isConflict reports whether the key had another revision than the one to be replaced.
func isConflict(err error) bool {
	var api *jetstream.APIError
	return errors.As(err, &api) && api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence ||
		err != nil && strings.Contains(err.Error(), "wrong last sequence")
}

func count(f func()) {
	if f != nil {
		f()
	}
}
