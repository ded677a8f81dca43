package service

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/memfault-go/memfault/examples/relay/internal/deliver"
	"github.com/memfault-go/memfault/examples/relay/internal/intake"
	"github.com/memfault-go/memfault/examples/relay/internal/lease"
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
	bridge    *lease.Manager // nil without a bridge
	closing   atomic.Bool
}

// ErrShutdown is returned by [Run] if the shutdown took too long. Nothing is lost: the chunks
// are in the store.
var ErrShutdown = errors.New("relay: the shutdown took too long")

// Run runs a relay until ctx ends, and then shuts it down: it accepts no more chunks, waits
// for the uploads in flight, hands its partitions over, and closes the store.
func Run(ctx context.Context, config Config) error {
	if err := config.validate(); err != nil {
		return err
	}
	r := &relay{config: config}
	// The connection of the store exists before the deliverer.
	var deliverer atomic.Pointer[deliver.Deliverer]
	config.Store.OnReconnect = func() {
		config.Logger.Warn("reconnected to NATS")
		if d := deliverer.Load(); d != nil {
			d.Reconnected()
		}
	}
	var err error
	if r.store, err = store.Open(ctx, config.Store); err != nil {
		return err
	}
	var closeStore sync.Once
	defer closeStore.Do(r.store.Close)
	r.metrics = newMetrics(r)
	r.deliverer = deliver.New(r.deliverConfig())
	deliverer.Store(r.deliverer)
	r.newManagers()
	err = r.serve(ctx, func() { closeStore.Do(r.store.Close) })
	return err
}

func (r *relay) newManagers() {
	id := rand.Text()
	config := lease.Config{
		KV: r.store.KV, ID: id, TTL: r.config.LeaseTTL, Clock: lease.SystemClock(), Logger: r.config.Logger,
		Members: fmt.Sprint(r.config.Store.Partitions), Run: r.deliverer.Run,
		Acquired: r.metrics.acquired.Inc, Expired: r.metrics.lost.Inc,
	}
	for partition := range r.config.Store.Partitions {
		config.Names = append(config.Names, deliver.LeaseName(r.config.Store.Partitions, partition))
	}
	r.leases = lease.NewManager(config)
}

// newBridge prepares the subscription to an existing broker, with a lease of its own.
func (r *relay) newBridge() {
	bridge := &intake.Bridge{Intake: r.intake, URL: r.config.Bridge, ClientID: r.config.ClientID, Logger: r.config.Logger}
	r.bridge = lease.NewManager(lease.Config{
		KV: r.store.KV, ID: rand.Text(), TTL: r.config.LeaseTTL, Clock: lease.SystemClock(), Logger: r.config.Logger,
		Members: intake.BridgeLease, Names: []string{intake.BridgeLease}, Run: bridge.Run,
	})
}

// serve runs all parts until ctx ends, and shuts them down.
func (r *relay) serve(ctx context.Context, closeStore func()) error {
	taking, stopTaking := context.WithCancel(ctx)
	defer stopTaking()
	r.intake = intake.New(taking, intake.Config{
		Store: r.store, Tenants: r.config.Tenants, MaxChunk: r.config.MaxChunk,
		Stored: r.metrics.countStored, Refused: r.metrics.countRefused,
	})
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", r.config.HTTP)
	if err != nil {
		return fmt.Errorf("relay: HTTP: %w", err)
	}
	server := &http.Server{Handler: r.handler(), ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute, IdleTimeout: 2 * time.Minute}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	defer server.Close() //nolint:errcheck // Shutdown was called if all went well
	started := &Started{HTTP: listener.Addr().String(), StoreURL: r.store.ListenURL(), Reloaded: r.deliverer.Resume}
	closeBroker := func() {}
	if r.config.MQTT != "" {
		broker, err := r.intake.ListenMQTT(r.config.MQTT, r.config.Logger)
		if err != nil {
			return err
		}
		started.MQTT, closeBroker = broker.Address(), sync.OnceFunc(broker.Close)
	}
	defer closeBroker()
	acting, stopActing := context.WithCancel(context.WithoutCancel(ctx))
	defer stopActing()
	var managers sync.WaitGroup
	managers.Go(func() { r.leases.Run(acting) })
	if r.config.Bridge != "" {
		r.newBridge()
		managers.Go(func() { r.bridge.Run(taking) })
	}
	r.config.Logger.Info("relay started", "http", started.HTTP, "mqtt", started.MQTT, "bridge", r.config.Bridge != "", "partitions", r.config.Store.Partitions)
	if r.config.Started != nil {
		r.config.Started(started)
	}
	select {
	case <-ctx.Done():
		err = nil
	case err = <-failed:
		err = fmt.Errorf("relay: HTTP: %w", err)
	}
	return errors.Join(err, r.shutdown(server, func() {
		stopTaking()
		closeBroker()
		stopActing()
		managers.Wait()
		closeStore()
	}))
}

// shutdown ends within the time that the configuration allows.
func (r *relay) shutdown(server *http.Server, stop func()) error {
	r.config.Logger.Info("relay is shutting down")
	r.closing.Store(true)
	deadline, cancel := context.WithTimeout(context.Background(), r.config.Shutdown)
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		stop()
		_ = server.Shutdown(deadline) // last, so that /healthz and /metrics respond until then
	}()
	select {
	case <-done:
		r.config.Logger.Info("relay stopped")
		return nil
	case <-deadline.Done():
		return ErrShutdown
	}
}
