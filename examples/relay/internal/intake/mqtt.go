package intake

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/listeners"
	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/memfault-go/memfault/examples/relay/internal/auth"
)

// Broker is an MQTT broker that only accepts chunks: PREFIX/SERIAL/chunk. It sends a PUBACK
// only after the chunk is stored. A connection stores one chunk at a time, which keeps the
// order of the device.
//
// If a chunk cannot be stored now, the broker closes the connection without a PUBACK, so that
// the device sends the chunk again. If it can never be stored, a client of MQTT 5 receives a
// PUBACK with the reason; MQTT 3.1.1 has no way to say so, and the broker closes the
// connection as well. It also closes the connection of a client that publishes with QoS 2.
//
// A device authenticates with a client certificate, or with its token as password and its
// serial as user name, or as client ID without a user name. The broker keeps no session
// without a connection. A device that connects again replaces its own connection, and not one
// of another device.
type Broker struct {
	server *mqtt.Server
}

// longestKeepAlive is the interval in seconds after which a client must send something, if it
// wants no or a longer one.
const longestKeepAlive = 1200

// ServeMQTT starts a broker.
func (i *Intake) ServeMQTT(listener net.Listener, logger *slog.Logger) (*Broker, error) {
	capabilities := mqtt.NewDefaultServerCapabilities()
	capabilities.MaximumQos = 1
	capabilities.RetainAvailable = 0
	capabilities.WildcardSubAvailable, capabilities.SubIDAvailable, capabilities.SharedSubAvailable = 0, 0, 0
	capabilities.MaximumSessionExpiryInterval = 0
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

// Sessions returns the number of sessions, which are the connections.
func (b *Broker) Sessions() int { return b.server.Clients.Len() }

// Close disconnects all devices. Chunks without a PUBACK are sent again by their devices.
func (b *Broker) Close() { _ = b.server.Close() } // it returns no error

// hook stores what devices publish.
type hook struct {
	mqtt.HookBase
	intake  *Intake
	server  *mqtt.Server
	logger  *slog.Logger
	clients sync.Map // *mqtt.Client to auth.Credentials
}

// ID implements mqtt.Hook.
func (h *hook) ID() string { return "relay" }

// Provides implements mqtt.Hook.
func (h *hook) Provides(method byte) bool {
	return bytes.Contains([]byte{
		mqtt.OnConnect, mqtt.OnConnectAuthenticate, mqtt.OnDisconnect, mqtt.OnACLCheck, mqtt.OnPacketRead, mqtt.OnPacketEncode, mqtt.OnPublish,
	}, []byte{method})
}

// OnConnect implements mqtt.Hook. It makes all sessions end with their connection.
func (h *hook) OnConnect(client *mqtt.Client, _ packets.Packet) error {
	client.Properties.Clean = true
	client.Properties.Will = mqtt.Will{} // nobody could receive it
	if client.State.Keepalive == 0 || client.State.Keepalive > longestKeepAlive {
		client.State.Keepalive, client.State.ServerKeepalive = longestKeepAlive, true
	}
	return nil
}

// OnConnectAuthenticate implements mqtt.Hook.
func (h *hook) OnConnectAuthenticate(client *mqtt.Client, packet packets.Packet) bool {
	c := auth.Credentials{Token: string(packet.Connect.Password)}
	if secure, ok := client.Net.Conn.(*tls.Conn); ok {
		state := secure.ConnectionState()
		c.Certificate = auth.Certificate(&state)
	}
	serial := string(packet.Connect.Username)
	if serial == "" {
		serial = packet.Connect.ClientIdentifier
	}
	if h.intake.config.Auth.Mode != auth.Off && c.Certificate == nil && !h.tokenOfAny(c, serial) {
		h.intake.refused("mqtt", "", Unauthorized)
		return false
	}
	h.clients.Store(client, c)
	switch {
	case h.intake.config.Auth.Mode == auth.Off:
	case c.Certificate != nil:
		client.ID = fmt.Sprintf("certificate %x", sha256.Sum256(c.Certificate.RawSubjectPublicKeyInfo))
	default:
		client.ID = fmt.Sprintf("token %x", sha256.Sum256([]byte(serial+" "+c.Token)))
	}
	return true
}

// tokenOfAny reports whether a token is valid for the serial at any tenant. The tenant is known
// when the device publishes.
func (h *hook) tokenOfAny(c auth.Credentials, serial string) bool {
	for tenant := range h.intake.config.Tenants.Prefixes() {
		if h.intake.config.Auth.Check(c, tenant, serial) == nil {
			return true
		}
	}
	return false
}

// OnDisconnect implements mqtt.Hook.
func (h *hook) OnDisconnect(client *mqtt.Client, _ error, _ bool) { h.clients.Delete(client) }

// OnACLCheck implements mqtt.Hook. Devices only publish.
func (h *hook) OnACLCheck(_ *mqtt.Client, _ string, write bool) bool { return write }

// OnPacketRead implements mqtt.Hook. The broker offers no QoS 2.
func (h *hook) OnPacketRead(client *mqtt.Client, packet packets.Packet) (packets.Packet, error) {
	if packet.FixedHeader.Type != packets.Publish || packet.FixedHeader.Qos < 2 {
		return packet, nil
	}
	h.intake.refused("mqtt", "", QoS2)
	h.disconnect(client, packets.ErrQosNotSupported)
	return packet, packets.ErrRejectPacket
}

// OnPacketEncode implements mqtt.Hook. It announces what the broker does not offer.
func (h *hook) OnPacketEncode(client *mqtt.Client, packet packets.Packet) packets.Packet {
	if packet.FixedHeader.Type != packets.Connack || client.Properties.ProtocolVersion < 5 || packet.ReasonCode >= packets.ErrUnspecifiedError.Code {
		return packet
	}
	p := &packet.Properties
	p.MaximumPacketSize = h.server.Options.Capabilities.MaximumPacketSize
	p.RetainAvailableFlag, p.WildcardSubAvailableFlag, p.SubIDAvailableFlag, p.SharedSubAvailableFlag = true, true, true, true
	return packet
}

// OnPublish implements mqtt.Hook.
func (h *hook) OnPublish(client *mqtt.Client, packet packets.Packet) (packets.Packet, error) {
	tenant, serial, known := h.intake.config.Tenants.ByTopic(packet.TopicName)
	var refusal *Refusal
	if known {
		c, _ := h.clients.Load(client)
		credentials, _ := c.(auth.Credentials)
		refusal = h.intake.check("mqtt", credentials, tenant, serial)
		if refusal == nil {
			refusal = h.intake.accept(h.intake.closing, "mqtt", tenant, serial, packet.Payload)
		}
	} else {
		refusal = &Refusal{Reason: UnknownTopic}
		h.intake.refused("mqtt", "", UnknownTopic)
	}
	if refusal == nil {
		return packet, packets.CodeSuccessIgnore // PUBACK, and no subscriber
	}
	h.logger.Debug("chunk refused", "client", client.ID, "topic", packet.TopicName, "error", refusal)
	if client.Properties.ProtocolVersion == 5 && !refusal.Temporary() && packet.FixedHeader.Qos > 0 {
		return packet, pubackCode(refusal.Reason)
	}
	if refusal.Temporary() { // so that the devices do not all reconnect in the same moment
		h.wait(time.Second/2 + rand.N(time.Second)) //nolint:gosec // jitter needs no secret randomness
	}
	h.disconnect(client, disconnectCode(refusal.Reason))
	return packet, packets.ErrRejectPacket // no PUBACK
}

// disconnect closes a connection. A client of MQTT 5 receives the reason.
func (h *hook) disconnect(client *mqtt.Client, code packets.Code) {
	if client.Properties.ProtocolVersion == 5 {
		_ = h.server.DisconnectClient(client, code) // the device may be gone
	}
	client.Stop(code)
}

func (h *hook) wait(d time.Duration) {
	ctx, cancel := context.WithTimeout(h.intake.closing, d)
	defer cancel()
	<-ctx.Done()
}

// pubackCode returns the code for a chunk that can never be stored. MQTT 5 allows few codes in
// a PUBACK, and clients fail at others.
func pubackCode(reason Reason) packets.Code {
	switch reason {
	case UnknownTopic, BadSerial:
		return packets.ErrTopicNameInvalid
	case Empty, Malformed:
		return packets.ErrPayloadFormatInvalid
	case Unauthorized, OtherDevice:
		return packets.ErrNotAuthorized
	}
	return packets.ErrImplementationSpecificError
}

// disconnectCode returns the code for a connection that is closed because of a chunk.
func disconnectCode(reason Reason) packets.Code {
	switch reason {
	case TooLarge:
		return packets.ErrPacketTooLarge
	case Full, DeviceFull, TenantFull:
		return packets.ErrQuotaExceeded
	case Unavailable, Busy:
		return packets.ErrServerBusy
	case Closing:
		return packets.ErrServerShuttingDown
	}
	return pubackCode(reason)
}
