package service_test

import (
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/hooks/auth"
	"github.com/mochi-mqtt/server/v2/listeners"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault/memfaulttest"

	"github.com/memfault-go/memfault/examples/relay/internal/relaytest"
	"github.com/memfault-go/memfault/examples/relay/internal/service"
)

// broker is an existing MQTT broker.
type broker struct {
	*mqtt.Server
	address string
}

func newBroker(t *testing.T) *broker {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	return startBroker(t, listener)
}

func startBroker(t *testing.T, listener net.Listener) *broker {
	t.Helper()
	server := mqtt.New(&mqtt.Options{Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, server.AddHook(new(auth.AllowHook), nil))
	require.NoError(t, server.AddListener(listeners.NewNet("t", listener)))
	require.NoError(t, server.Serve())
	t.Cleanup(func() { _ = server.Close() })
	return &broker{server, listener.Addr().String()}
}

func (b *broker) awaitSubscription(t *testing.T, topic string) {
	t.Helper()
	eventually(t, func() bool { return len(b.Topics.Subscribers(topic).Subscriptions) == 1 }, "the relay subscribes")
}

// An existing broker keeps what a relay has not stored, and the next relay gets it. A device
// above its share does not stop the others, and keeps its order.
func TestRun_Bridge(t *testing.T) {
	broker := newBroker(t)
	cloud := memfaulttest.NewServer(t)
	c := config(t, cloud)
	c.MQTT, c.Bridge, c.Store.MaxPerDevice = "", &service.Bridge{URL: "tcp://" + broker.address, ClientID: "relay"}, 20
	r := start(t, c)
	broker.awaitSubscription(t, "memfault/A/chunk")
	device := connect(t, broker.address)
	all := numbered("c", 300)
	for _, text := range all[:30] {
		require.True(t, publish(device, "memfault/A/chunk", text))
	}
	require.True(t, publish(device, "memfault/A.B/chunk", "bad serial"))
	eventually(t, func() bool {
		return len(cloud.Chunks("A")) == 30 && strings.Contains(r.metrics(t), "\nrelay_rejected_chunks 1\n")
	}, "the chunks arrive, and what is no chunk is kept")

	cloud.Fail(memfaulttest.Fault{Device: "A", Status: 503})
	for _, text := range all[30:130] { // more than the share of the device in the store
		require.True(t, publish(device, "memfault/A/chunk", text))
	}
	for _, text := range numbered("b", 50) {
		require.True(t, publish(device, "memfault/B/chunk", text))
	}
	eventually(t, func() bool { return len(cloud.Chunks("B")) == 50 }, "another device is served")
	eventually(t, func() bool {
		return strings.Contains(r.only(t, "relay_chunks_stored"), `relay_chunks_stored_total{tenant="acme",transport="bridge"} 180`)
	}, "all are stored")
	assert.Regexp(t, `relay_chunks_beyond_share_total{tenant="acme"} [89]\d\b`, r.only(t, "relay_chunks_beyond"))
	require.NoError(t, r.stop())
	for _, text := range all[130:160] {
		require.True(t, publish(device, "memfault/A/chunk", text))
	}
	cloud.Heal()
	start(t, c)
	eventually(t, func() bool { return len(distinct(cloud.Chunks("A"))) == 160 }, "the broker kept the chunks")
	arrived := distinct(cloud.Chunks("A"))
	assert.Equal(t, all[:130], arrived[:130])
	// The broker of this test sends what it kept sorted by seconds, so their order is lost before
	// they reach the relay.
	assert.ElementsMatch(t, all[130:160], arrived[130:])
}

// A device that has used up all that a device may have goes to the rejected chunks.
func TestRun_BridgeDeviceWithoutEnd(t *testing.T) {
	broker := newBroker(t)
	cloud := memfaulttest.NewServer(t)
	cloud.Fail(memfaulttest.Fault{Device: "A", Status: 503})
	c := config(t, cloud)
	c.MQTT, c.Bridge, c.Store.MaxPerDevice = "", &service.Bridge{URL: "tcp://" + broker.address, ClientID: "relay"}, 2
	r := start(t, c)
	broker.awaitSubscription(t, "memfault/A/chunk")
	device := connect(t, broker.address)
	for _, text := range numbered("a", 25) {
		require.True(t, publish(device, "memfault/A/chunk", text))
	}
	require.True(t, publish(device, "memfault/B/chunk", "b"))
	eventually(t, func() bool {
		return len(cloud.Chunks("B")) == 1 && strings.Contains(r.metrics(t), "\nrelay_rejected_chunks 5\n")
	}, "another device is served")
	cloud.Heal()
	eventually(t, func() bool { return len(cloud.Chunks("A")) >= 20 }, "what was stored arrives")
	eventually(t, func() bool { return strings.Contains(r.metrics(t), "\nrelay_store_chunks 0\n") }, "there is room")
	total := 0
	eventually(t, func() bool { // two at a time is the share of the device
		total += r.rejected(t, "replay").Chunks
		return total == 5
	}, "the others are stored again")
	eventually(t, func() bool { return len(distinct(cloud.Chunks("A"))) == 25 }, "they arrive")
}

func TestRun_BridgeWithoutABroker(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := listener.Addr().String()
	require.NoError(t, listener.Close())
	cloud := memfaulttest.NewServer(t)
	c := config(t, cloud)
	c.MQTT, c.Bridge = "", &service.Bridge{URL: "tcp://" + address, ClientID: "relay", User: "relay", Password: "secret-of-the-broker"}
	var logs relaytest.Output
	c.Logger = slog.New(slog.NewJSONHandler(&logs, nil))
	r := start(t, c)
	eventually(t, func() bool {
		status, body := r.get(t, "/readyz")
		return status == http.StatusServiceUnavailable && strings.Contains(body, "the MQTT bridge is not connected: tenant acme: cannot connect to the broker")
	}, "the relay says why it is not ready")
	assert.Equal(t, "relay_bridge_active 1\nrelay_bridge_connected 0\n", r.only(t, "relay_bridge"))
	listener, err = net.Listen("tcp", address)
	if err != nil {
		t.Skip("the port was taken meanwhile")
	}
	startBroker(t, listener)
	eventually(t, func() bool {
		status, _ := r.get(t, "/readyz")
		return status == http.StatusOK && strings.Contains(r.metrics(t), "\nrelay_bridge_connected 1\n")
	}, "the bridge connects")
	require.NoError(t, r.stop())
	assert.Contains(t, logs.String(), "cannot connect")
	assert.NotContains(t, logs.String(), "secret-of-the-broker")
}

func TestRun_BridgeURL(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	for _, address := range []string{"127.0.0.1:1883", "http://h:1", "tcp://", "tcp://user:password@h:1", "tcp://h:1\x00"} {
		c := config(t, cloud)
		c.MQTT, c.Bridge = "", &service.Bridge{URL: address}
		err := service.Run(t.Context(), c)
		require.ErrorContains(t, err, "URL of the broker", fmt.Sprint(address))
		assert.NotContains(t, err.Error(), "password")
	}
}
