package intake

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"time"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/listeners"
	"github.com/mochi-mqtt/server/v2/packets"
)

// Broker is an MQTT broker that only accepts chunks: PREFIX/SERIAL/chunk. It sends a PUBACK
// only after the chunk is stored. A connection stores one chunk at a time, which keeps the
// order of the device.
//
// If a chunk cannot be stored now, the broker closes the connection without a PUBACK, so that
// the device sends the chunk again. If it can never be stored, a client of MQTT 5 receives a
// PUBACK with the reason; MQTT 3.1.1 has no way to say so, and the broker closes the
// connection as well.
//
// The broker does not authenticate devices. Something in front of it must do so.
type Broker struct {
	server *mqtt.Server
}

// ServeMQTT starts a broker.
func (i *Intake) ServeMQTT(listener net.Listener, logger *slog.Logger) (*Broker, error) {
	capabilities := mqtt.NewDefaultServerCapabilities()
	capabilities.MaximumQos = 1
	capabilities.RetainAvailable = 0
	capabilities.MaximumClientWritesPending = 64                        // the default costs 64 KiB for each connection
	capabilities.MaximumPacketSize = uint32(i.config.MaxChunk) + 64<<10 //nolint:gosec // the service limits it
	server := mqtt.New(&mqtt.Options{Capabilities: capabilities, Logger: slog.New(slog.DiscardHandler)})
	if err := server.AddHook(&hook{intake: i, server: server, logger: logger}, nil); err != nil {
		return nil, fmt.Errorf("relay: MQTT: %w", err)
	}
	if err := server.AddListener(listeners.NewNet("devices", listener)); err != nil {
		return nil, fmt.Errorf("relay: MQTT: %w", err)
	}
	if err := server.Serve(); err != nil {
		return nil, fmt.Errorf("relay: MQTT: %w", err)
	}
	return &Broker{server: server}, nil
}

// Close disconnects all devices. Chunks without a PUBACK are sent again by their devices.
func (b *Broker) Close() { _ = b.server.Close() } // it returns no error

// hook stores what devices publish.
type hook struct {
	mqtt.HookBase
	intake *Intake
	server *mqtt.Server
	logger *slog.Logger
}

// ID implements mqtt.Hook.
func (h *hook) ID() string { return "relay" }

// Provides implements mqtt.Hook.
func (h *hook) Provides(method byte) bool {
	return bytes.Contains([]byte{mqtt.OnConnectAuthenticate, mqtt.OnACLCheck, mqtt.OnPublish}, []byte{method})
}

// OnConnectAuthenticate implements mqtt.Hook.
func (h *hook) OnConnectAuthenticate(*mqtt.Client, packets.Packet) bool { return true }

// OnACLCheck implements mqtt.Hook. Devices only publish.
func (h *hook) OnACLCheck(_ *mqtt.Client, _ string, write bool) bool { return write }

// OnPublish implements mqtt.Hook.
func (h *hook) OnPublish(client *mqtt.Client, packet packets.Packet) (packets.Packet, error) {
	tenant, serial, known := h.intake.config.Tenants.ByTopic(packet.TopicName)
	var refusal *Refusal
	if known {
		refusal = h.intake.accept(h.intake.closing, "mqtt", tenant, serial, packet.Payload)
	} else {
		refusal = &Refusal{Reason: UnknownTopic}
		h.intake.refused("mqtt", "", UnknownTopic)
	}
	if refusal == nil {
		return packet, packets.CodeSuccessIgnore // PUBACK, and no subscriber
	}
	h.logger.Debug("chunk refused", "client", client.ID, "topic", packet.TopicName, "error", refusal)
	five := client.Properties.ProtocolVersion == 5
	code := reasonCode(refusal.Reason)
	if five && !refusal.Temporary() && packet.FixedHeader.Qos > 0 {
		return packet, code // PUBACK with the reason
	}
	if refusal.Temporary() { // so that the devices do not all reconnect in the same moment
		h.wait(time.Second/2 + rand.N(time.Second)) //nolint:gosec // jitter needs no secret randomness
	}
	if five {
		_ = h.server.DisconnectClient(client, code) // the device may be gone
	}
	client.Stop(refusal)
	return packet, packets.ErrRejectPacket // no PUBACK
}

func (h *hook) wait(d time.Duration) {
	ctx, cancel := context.WithTimeout(h.intake.closing, d)
	defer cancel()
	<-ctx.Done()
}

func reasonCode(reason Reason) packets.Code {
	switch reason {
	case UnknownTopic, BadSerial:
		return packets.ErrTopicNameInvalid
	case Empty, Malformed:
		return packets.ErrPayloadFormatInvalid
	case TooLarge:
		return packets.ErrPacketTooLarge
	case Full, DeviceFull, TenantFull:
		return packets.ErrQuotaExceeded
	}
	return packets.ErrServerBusy
}
