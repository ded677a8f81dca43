package intake

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"net/url"
	"sync"
	"time"

	"github.com/eclipse/paho.golang/autopaho"
	"github.com/eclipse/paho.golang/paho"

	"github.com/memfault-go/memfault/examples/relay/internal/lease"
)

// BridgeLease is the name of the lease of the subscription: with several concurrent
// subscribers, the chunks of a device would be stored in any order.
const BridgeLease = "bridge"

const (
	bridgeWorkers = 64
	bridgeQueue   = 64    // messages that wait for a worker
	bridgeSession = 86400 // seconds that the broker keeps the session without a connection
)

// Bridge subscribes to the topics of all tenants at an existing broker (MQTT 5), and
// acknowledges a message only after its chunk is stored. Each tenant has a connection of its
// own: acknowledgements of a connection are made in order, so that a tenant whose chunks cannot
// be stored now stops only itself, and the broker keeps its messages.
//
// The broker has acknowledged the messages to the devices. A message that can never be stored
// as a chunk is therefore kept with the rejected chunks, and so is one of a device that has
// used up all that a device may have in the store.
type Bridge struct {
	Intake *Intake
	URL    *url.URL // tcp://host:port or mqtts://host:port, without a password
	TLS    *tls.Config
	User   string
	// Password is not in URL, because URLs get into errors and logs.
	Password string
	// ClientID must be the same for all relays: the broker keeps the messages that a relay has
	// not acknowledged, and sends them to the next one. The name of the tenant is appended.
	ClientID string
	Logger   *slog.Logger

	mu     sync.Mutex
	states map[string]error // of the tenants, while this relay has the lease; nil is connected
}

// errNotConnected is the state of a tenant before the first attempt ended.
var errNotConnected = errors.New("not connected to the broker yet")

// Status describes the connections to the broker.
type Status struct {
	Active    bool  // whether this relay has the lease of the subscription
	Connected bool  // whether all tenants are subscribed
	Problem   error // why not
}

// Status returns the state of the connections.
func (b *Bridge) Status() Status {
	b.mu.Lock()
	defer b.mu.Unlock()
	status := Status{Active: b.states != nil, Connected: b.states != nil}
	for tenant, err := range b.states {
		if err != nil {
			status.Connected, status.Problem = false, fmt.Errorf("tenant %s: %w", tenant, err)
		}
	}
	return status
}

// set notes the state of a tenant, and reports whether it was connected before.
func (b *Bridge) set(tenant string, state error) (changed bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	old, known := b.states[tenant]
	if b.states != nil {
		b.states[tenant] = state
	}
	return known && (old == nil) != (state == nil)
}

// Run bridges until the lease is lost or ctx ends.
func (b *Bridge) Run(ctx context.Context, l *lease.Lease) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(l.Context(), cancel)()
	defer func() {
		b.mu.Lock()
		b.states = nil
		b.mu.Unlock()
	}()
	for ctx.Err() == nil {
		b.bridge(ctx)
	}
}

// bridge connects all tenants, until ctx ends or the tenants change.
func (b *Bridge) bridge(ctx context.Context) {
	changed := b.Intake.config.Tenants.Changed()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	prefixes := b.Intake.config.Tenants.Prefixes()
	b.mu.Lock()
	b.states = map[string]error{}
	for tenant := range prefixes {
		b.states[tenant] = errNotConnected
	}
	b.mu.Unlock()
	var wg sync.WaitGroup
	for tenant, prefix := range prefixes {
		wg.Go(func() {
			for ctx.Err() == nil {
				if err := b.connect(ctx, tenant, prefix); err != nil && ctx.Err() == nil {
					b.set(tenant, err)
					b.Logger.Error("MQTT bridge", "tenant", tenant, "error", err)
					wait(ctx, time.Second)
				}
			}
		})
	}
	select {
	case <-ctx.Done():
	case <-changed:
	}
	cancel()
	wg.Wait()
}

// connect serves a tenant until ctx ends, or until the broker refuses the subscription.
func (b *Bridge) connect(ctx context.Context, tenant, prefix string) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	queues := b.work(ctx)
	subscription := []paho.SubscribeOptions{{Topic: prefix + "/+/chunk", QoS: 1}}
	config := autopaho.ClientConfig{
		ServerUrls: []*url.URL{b.URL}, TlsCfg: b.TLS, KeepAlive: 20, SessionExpiryInterval: bridgeSession,
		ReconnectBackoff: autopaho.NewConstantBackoff(time.Second),
		ConnectUsername:  b.User, ConnectPassword: []byte(b.Password),
		OnConnectionUp: func(manager *autopaho.ConnectionManager, _ *paho.Connack) {
			go func() {
				if _, err := manager.Subscribe(ctx, &paho.Subscribe{Subscriptions: subscription}); err != nil {
					cancel(fmt.Errorf("the broker refused the subscription: %w", err))
				} else if b.set(tenant, nil) {
					b.Logger.Info("MQTT bridge connected", "tenant", tenant)
				}
			}()
		},
		OnConnectionDown: func() bool {
			b.set(tenant, errors.New("the connection to the broker was lost"))
			return true
		},
		OnConnectError: func(err error) {
			b.set(tenant, fmt.Errorf("cannot connect to the broker: %w", err))
			b.Logger.Warn("MQTT bridge cannot connect", "tenant", tenant, "error", err)
		},
		ClientConfig: paho.ClientConfig{
			ClientID: b.ClientID + "-" + tenant, EnableManualAcknowledgment: true,
			OnPublishReceived: []func(paho.PublishReceived) (bool, error){func(received paho.PublishReceived) (bool, error) {
				select { // a full queue stops the reading, and so the broker
				case queues[queueOf(received.Packet.Topic)] <- received:
				case <-ctx.Done():
				}
				return true, nil
			}},
		},
	}
	manager, err := autopaho.NewConnection(ctx, config)
	if err != nil {
		return fmt.Errorf("relay: MQTT bridge: %w", err)
	}
	<-ctx.Done()
	last, cancelLast := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancelLast()
	_ = manager.Disconnect(last) // what is not acknowledged comes again
	<-manager.Done()
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

func wait(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// work starts the workers. All messages of a topic have the same worker.
func (b *Bridge) work(ctx context.Context) [bridgeWorkers]chan paho.PublishReceived {
	var queues [bridgeWorkers]chan paho.PublishReceived
	for n := range queues {
		queue := make(chan paho.PublishReceived, bridgeQueue)
		queues[n] = queue
		go func() {
			for {
				select {
				case <-ctx.Done():
					return
				case received := <-queue:
					if b.store(ctx, received.Packet) {
						_ = received.Client.Ack(received.Packet) // the connection may be gone
					}
				}
			}
		}()
	}
	return queues
}

func queueOf(topic string) uint32 {
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(topic)) // a hash returns no error
	return hash.Sum32() % bridgeWorkers
}

// store stores the chunk of a message. It returns false only if ctx ended first. A message
// waits only while the store is full or away: then no other could be stored either.
func (b *Bridge) store(ctx context.Context, message *paho.Publish) bool {
	tenant, serial, known := b.Intake.config.Tenants.ByTopic(message.Topic)
	for ctx.Err() == nil {
		var refusal *Refusal
		if known {
			refusal = b.Intake.accept(ctx, bridgeTransport, tenant, serial, message.Payload)
		} else {
			refusal = &Refusal{Reason: UnknownTopic}
		}
		if refusal == nil {
			return true
		}
		if refusal.Reason == DeviceFull || !refusal.Temporary() {
			b.Logger.Warn("message is kept with the rejected chunks", "topic", message.Topic, "error", refusal)
			name, of := serial, tenant
			if refusal.Reason != DeviceFull {
				name, of = message.Topic, ""
			}
			if err := b.Intake.config.Store.PutRejected(ctx, of, name, message.Payload, refusal); err == nil {
				return true
			}
		}
		wait(ctx, 500*time.Millisecond)
	}
	return false
}
