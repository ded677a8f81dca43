package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/memfault-go/memfault/examples/relay/internal/auth"
	"github.com/memfault-go/memfault/examples/relay/internal/deliver"
	"github.com/memfault-go/memfault/examples/relay/internal/intake"
	"github.com/memfault-go/memfault/examples/relay/internal/lease"
	"github.com/memfault-go/memfault/examples/relay/internal/limit"
	"github.com/memfault-go/memfault/examples/relay/internal/share"
	"github.com/memfault-go/memfault/examples/relay/internal/store"
)

// relay is a running relay.
type relay struct {
	config    Config
	metrics   *metrics
	store     *store.Store
	deliverer *deliver.Deliverer
	intake    *intake.Intake
	leases    *lease.Manager
	bridge    *intake.Bridge // nil without a bridge
	shares    *share.Shares
	auth      *auth.Auth
	listeners *listeners
	broker    atomic.Pointer[intake.Broker] // nil without MQTT
	closing   atomic.Bool

	id    string // of this process, for leases
	ended func(id string) bool
}

// ErrShutdown is returned by [Run] if the shutdown took too long. Nothing is lost: the chunks
// are in the store.
var ErrShutdown = errors.New("relay: the shutdown took too long")

// Run runs a relay until ctx ends, and then shuts it down: it accepts no more chunks, waits
// for the uploads in flight, hands its partitions over, and closes the store.
//
// It listens before it opens the store, so that a relay whose addresses are in use changes
// nothing there.
func Run(ctx context.Context, config Config) error {
	if err := config.validate(); err != nil {
		return err
	}
	r := &relay{config: config}
	if err := config.Tenants.Require(r.checkTenant); err != nil {
		return err
	}
	var err error
	r.auth, err = auth.New(auth.Config{
		Mode: config.Auth, Certificates: config.TLS != nil && config.TLS.VerifiesClients(),
		Addresses: []string{config.HTTP, config.MQTT}, Tenants: config.Tenants,
	})
	if err != nil {
		return err
	}
	r.metrics = newMetrics(r)
	if r.listeners, err = listen(ctx, config, r.metrics.unconnected.Inc); err != nil {
		return err
	}
	defer r.listeners.close()
	// The connection of the store exists before the deliverer.
	var deliverer atomic.Pointer[deliver.Deliverer]
	config.Store.Logger = config.Logger
	config.Store.OnReconnect = func() {
		if d := deliverer.Load(); d != nil {
			d.Reconnected()
		}
	}
	if r.store, err = store.Open(ctx, config.Store); err != nil {
		return err
	}
	var closeStore sync.Once
	defer closeStore.Do(r.store.Close)
	r.id, r.ended = r.store.ProcessID()
	r.deliverer = deliver.New(r.deliverConfig())
	r.shares = share.New(share.Config{
		Conn: r.store.Conn, ID: r.id, Bytes: r.deliverer.Bytes, Limit: r.tenantLimit,
		Expiry: config.LeaseTTL + 2*share.Interval, Logger: config.Logger,
	})
	deliverer.Store(r.deliverer)
	r.newManagers()
	return r.serve(ctx, func() { closeStore.Do(r.store.Close) })
}

func (r *relay) newManagers() {
	partitions := r.store.Settings().Partitions
	config := lease.Config{
		KV: r.store.KV, ID: r.id, Ended: r.ended, TTL: r.config.LeaseTTL, Clock: lease.SystemClock(), Logger: r.config.Logger,
		Members: fmt.Sprint(partitions), Run: r.deliverer.Run,
		Acquired: r.metrics.acquired.Inc, Expired: r.metrics.lost.Inc,
	}
	for partition := range partitions {
		config.Names = append(config.Names, deliver.LeaseName(partitions, partition))
	}
	r.leases = lease.NewManager(config)
}

// tenantLimit returns how many bytes a tenant may have in the store. The shares of all are a
// little less than the store, because they are not exact. A single tenant needs no share.
func (r *relay) tenantLimit(tenant string) int64 {
	share := r.config.Tenants.StoreShare(tenant)
	if share == 1 {
		return 0
	}
	return int64(share * .95 * float64(r.store.Settings().MaxBytes))
}

// newBridge prepares the subscription to an existing broker, with a lease of its own.
func (r *relay) newBridge() *lease.Manager {
	r.bridge = r.config.Bridge.bridge(r.intake, r.config.Logger)
	return lease.NewManager(lease.Config{
		KV: r.store.KV, ID: r.id, Ended: r.ended, TTL: r.config.LeaseTTL, Clock: lease.SystemClock(), Logger: r.config.Logger,
		Members: intake.BridgeLease, Names: []string{intake.BridgeLease}, Run: r.bridge.Run,
	})
}

// serve runs all parts until ctx ends, and shuts them down.
func (r *relay) serve(ctx context.Context, closeStore func()) error {
	l := r.listeners
	taking, stopTaking := context.WithCancel(ctx)
	defer stopTaking()
	r.intake = intake.New(taking, intake.Config{
		Store: r.store, Tenants: r.config.Tenants, Shares: r.shares, Auth: r.auth,
		Budget: limit.NewBudget(r.config.Requests, r.config.RequestBytes), MaxChunk: r.config.MaxChunk,
		Stored: r.metrics.countStored, Refused: r.metrics.countRefused,
		Beyond: func(tenant string) { r.metrics.beyond.WithLabelValues(tenant).Inc() },
	})
	acting, stopActing := context.WithCancel(context.WithoutCancel(ctx))
	defer stopActing()
	var managers sync.WaitGroup
	if r.config.Bridge != nil {
		bridge := r.newBridge()
		managers.Go(func() { bridge.Run(taking) })
	}
	failed := make(chan error, 2)
	devices := &http.Server{Handler: r.intake.Handler(), ErrorLog: slog.NewLogLogger(r.config.Logger.Handler(), slog.LevelDebug), ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute, IdleTimeout: 2 * time.Minute}
	operators := &http.Server{Handler: r.admin(), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute}
	go func() { failed <- devices.Serve(l.http) }()
	go func() { failed <- operators.Serve(l.admin) }()
	defer devices.Close()   //nolint:errcheck // Shutdown was called if all went well
	defer operators.Close() //nolint:errcheck // likewise
	started := &Started{HTTP: l.http.Addr().String(), Admin: l.admin.Addr().String(), StoreURL: r.store.ListenURL(), Reload: r.reload}
	closeBroker := func() {}
	if l.mqtt != nil {
		broker, err := r.intake.ServeMQTT(l.mqtt, r.config.Logger)
		if err != nil {
			return err
		}
		r.broker.Store(broker)
		started.MQTT, closeBroker = l.mqtt.Addr().String(), sync.OnceFunc(broker.Close)
	}
	defer closeBroker()
	managers.Go(func() { r.leases.Run(acting) })
	managers.Go(func() { r.shares.Run(acting) })
	r.config.Logger.Info("relay started", "http", started.HTTP, "mqtt", started.MQTT, "admin", started.Admin,
		"bridge", r.config.Bridge != nil, "partitions", r.store.Settings().Partitions,
		"tls", r.config.TLS != nil, "auth", r.auth.Mode)
	if r.config.Started != nil {
		r.config.Started(started)
	}
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
		err = fmt.Errorf("relay: HTTP: %w", err)
	}
	return errors.Join(err, r.shutdown(func(deadline context.Context) {
		stopTaking()
		closeBroker()
		_ = devices.Shutdown(deadline) // devices that are still sending repeat their chunks
		stopActing()
		managers.Wait()
		closeStore()
		_ = operators.Shutdown(deadline) // last, so that /healthz and /metrics respond until then
	}))
}

// reload reads again what an operator can change while the relay runs. What cannot be used is
// an error, and the relay continues with what it has.
func (r *relay) reload() error {
	if r.config.Reload != nil {
		if err := r.config.Reload(); err != nil {
			return err
		}
	}
	if r.config.TLS != nil {
		if err := r.config.TLS.Reload(); err != nil {
			return err
		}
	}
	r.deliverer.Resume()
	return nil
}

// shutdown ends within the time that the configuration allows.
func (r *relay) shutdown(stop func(deadline context.Context)) error {
	r.config.Logger.Info("relay is shutting down")
	r.closing.Store(true)
	deadline, cancel := context.WithTimeout(context.Background(), r.config.Shutdown)
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		stop(deadline)
	}()
	select {
	case <-done:
		r.config.Logger.Info("relay stopped")
		return nil
	case <-deadline.Done():
		return ErrShutdown
	}
}
