package intake

import (
	"context"
	"fmt"
	"hash/fnv"
	"log/slog"
	"net/url"
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
// acknowledges a message only after its chunk is stored. While the store is full, it
// acknowledges nothing, and the broker keeps the messages.
//
// The broker has acknowledged the messages to the devices. A message that can never be stored
// as a chunk is therefore kept with the rejected chunks.
type Bridge struct {
	Intake *Intake
	URL    string // tcp://host:port, with user and password if necessary
	// ClientID must be the same for all relays: the broker keeps the messages that a relay has
	// not acknowledged, and sends them to the next one.
	ClientID string
	Logger   *slog.Logger
}

// Run bridges until the lease is lost or ctx ends.
func (b *Bridge) Run(ctx context.Context, l *lease.Lease) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(l.Context(), cancel)()
	if err := b.run(ctx); err != nil && ctx.Err() == nil {
		b.Logger.Error("MQTT bridge", "error", err)
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

func (b *Bridge) run(ctx context.Context) error {
	address, err := url.Parse(b.URL)
	if err != nil {
		return fmt.Errorf("relay: invalid address of the broker") // the error would contain the password
	}
	queues := b.work(ctx)
	var subscriptions []paho.SubscribeOptions
	for _, prefix := range b.Intake.config.Tenants.Prefixes() {
		subscriptions = append(subscriptions, paho.SubscribeOptions{Topic: prefix + "/+/chunk", QoS: 1})
	}
	config := autopaho.ClientConfig{
		ServerUrls: []*url.URL{address}, KeepAlive: 20, SessionExpiryInterval: bridgeSession,
		ReconnectBackoff: autopaho.NewConstantBackoff(time.Second),
		OnConnectionUp: func(manager *autopaho.ConnectionManager, _ *paho.Connack) {
			go func() {
				if _, err := manager.Subscribe(ctx, &paho.Subscribe{Subscriptions: subscriptions}); err != nil && ctx.Err() == nil {
					b.Logger.Error("MQTT bridge cannot subscribe", "error", err)
				}
			}()
		},
		OnConnectError: func(err error) { b.Logger.Warn("MQTT bridge cannot connect", "error", err) },
		ClientConfig: paho.ClientConfig{
			ClientID: b.ClientID, EnableManualAcknowledgment: true,
			OnPublishReceived: []func(paho.PublishReceived) (bool, error){func(received paho.PublishReceived) (bool, error) {
				select { // a full queue stops the reading, and so the broker
				case queues[queueOf(received.Packet.Topic)] <- received:
				case <-ctx.Done():
				}
				return true, nil
			}},
		},
	}
	if address.User != nil {
		config.ConnectUsername = address.User.Username()
		password, _ := address.User.Password()
		config.ConnectPassword = []byte(password)
	}
	manager, err := autopaho.NewConnection(ctx, config)
	if err != nil {
		return fmt.Errorf("relay: MQTT bridge: %w", err)
	}
	select {
	case <-ctx.Done():
	case <-b.Intake.config.Tenants.Changed(): // subscribe again
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	_ = manager.Disconnect(last) // what is not acknowledged comes again
	<-manager.Done()
	return nil
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

// store stores the chunk of a message. It returns false only if ctx ended first.
func (b *Bridge) store(ctx context.Context, message *paho.Publish) bool {
	tenant, serial, known := b.Intake.config.Tenants.ByTopic(message.Topic)
	for ctx.Err() == nil {
		var refusal *Refusal
		if known {
			refusal = b.Intake.accept(ctx, "bridge", tenant, serial, message.Payload)
		} else {
			refusal = &Refusal{Reason: UnknownTopic}
		}
		if refusal == nil {
			return true
		}
		if !refusal.Temporary() {
			b.Logger.Warn("message is not a chunk", "topic", message.Topic, "error", refusal)
			err := b.Intake.config.Store.PutRejected(ctx, "bridge", message.Topic, message.Payload, refusal)
			if err == nil {
				return true
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(500 * time.Millisecond):
		}
	}
	return false
}
