package service_test

import (
	"net"
	"strings"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/packets"
	v5 "github.com/eclipse/paho.golang/paho"
	paho "github.com/eclipse/paho.mqtt.golang"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault/memfaulttest"

	"github.com/memfault-go/memfault/examples/relay/internal/auth"
)

// dialV5 connects by MQTT 5, once.
func dialV5(t *testing.T, address string, connect *v5.Connect) (*v5.Client, *v5.Connack, error) {
	t.Helper()
	connection, err := net.Dial("tcp", address)
	require.NoError(t, err)
	client := v5.NewClient(v5.ClientConfig{Conn: connection, PacketTimeout: 20 * time.Second})
	t.Cleanup(func() { _ = connection.Close() })
	connack, err := client.Connect(t.Context(), connect)
	return client, connack, err
}

func TestRun_ConnackV5(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	c := config(t, cloud)
	c.MaxChunk = 1000
	r := start(t, c)
	expiry := uint32(3600)
	_, connack, err := dialV5(t, r.MQTT, &v5.Connect{ClientID: "A", KeepAlive: 0, CleanStart: false, Properties: &v5.ConnectProperties{SessionExpiryInterval: &expiry}})
	require.NoError(t, err)
	p := connack.Properties
	require.NotNil(t, p.MaximumPacketSize)
	assert.EqualValues(t, 1000+64<<10, *p.MaximumPacketSize)
	assert.False(t, p.RetainAvailable)
	assert.False(t, p.WildcardSubAvailable)
	assert.False(t, p.SubIDAvailable)
	assert.False(t, p.SharedSubAvailable)
	require.NotNil(t, p.MaximumQoS)
	assert.EqualValues(t, 1, *p.MaximumQoS)
	require.NotNil(t, p.SessionExpiryInterval)
	assert.Zero(t, *p.SessionExpiryInterval)
	require.NotNil(t, p.ServerKeepAlive, "a connection without an end would be kept")
}

// Sessions end with their connection: nothing is sent to devices.
func TestRun_NoSessions(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	r := start(t, config(t, cloud))
	for range 2 {
		client := paho.NewClient(paho.NewClientOptions().AddBroker("tcp://" + r.MQTT).SetClientID("A").SetCleanSession(false).SetAutoReconnect(false))
		token := client.Connect()
		require.True(t, token.WaitTimeout(20*time.Second))
		require.NoError(t, token.Error())
		assert.False(t, token.(*paho.ConnectToken).SessionPresent())
		client.Disconnect(100)
		eventually(t, func() bool { return strings.Contains(r.only(t, "relay_mqtt_sessions"), " 0\n") }, "nothing is kept")
	}
}

func TestRun_QoS2(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	r := start(t, config(t, cloud))
	client := connect(t, r.MQTT)
	token := client.Publish("memfault/A/chunk", 2, false, "x")
	require.True(t, token.WaitTimeout(20*time.Second))
	eventually(t, func() bool { return !client.IsConnectionOpen() }, "the connection is closed")

	// A client library does not send what CONNACK excludes.
	connection, err := net.Dial("tcp", r.MQTT)
	require.NoError(t, err)
	defer connection.Close()
	require.NoError(t, connection.SetDeadline(time.Now().Add(time.Minute)))
	hello := packets.NewControlPacket(packets.CONNECT)
	hello.Content.(*packets.Connect).ClientID = "A"
	_, err = hello.WriteTo(connection)
	require.NoError(t, err)
	message := packets.NewControlPacket(packets.PUBLISH)
	*message.Content.(*packets.Publish) = packets.Publish{Topic: "memfault/A/chunk", QoS: 2, PacketID: 1, Payload: []byte("x"), Properties: &packets.Properties{}}
	_, err = message.WriteTo(connection)
	require.NoError(t, err)
	var kinds []string
	for {
		packet, err := packets.ReadPacket(connection)
		if err != nil {
			break
		}
		kinds = append(kinds, packet.PacketType())
		if disconnect, ok := packet.Content.(*packets.Disconnect); ok {
			assert.EqualValues(t, 0x9b, disconnect.ReasonCode)
		}
	}
	assert.Equal(t, []string{"CONNACK", "DISCONNECT"}, kinds)
	assert.Contains(t, r.only(t, "relay_chunks_refused"), `reason="qos_2",tenant="",transport="mqtt"`)
	assert.Empty(t, cloud.Chunks("A"), "nothing was stored")
	assert.Equal(t, "relay_store_chunks 0\n", r.only(t, "relay_store_chunks"))
}

// MQTT 5 allows a password without a user name. The client ID is then the serial.
func TestRun_TokenV5(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	c := config(t, cloud)
	c.Tenants = authTenants(t, cloud)
	r := start(t, c)
	device := func(id string) *v5.Connect {
		return &v5.Connect{ClientID: id, KeepAlive: 30, CleanStart: true, Password: []byte(auth.Token(secret, "A")), PasswordFlag: true}
	}
	_, connack, err := dialV5(t, r.MQTT, device("B"))
	require.Error(t, err)
	require.NotNil(t, connack)
	assert.EqualValues(t, 0x86, connack.ReasonCode)
	client, _, err := dialV5(t, r.MQTT, device("A"))
	require.NoError(t, err)
	response, err := client.Publish(t.Context(), &v5.Publish{Topic: "memfault/B/chunk", QoS: 1, Payload: []byte("x")})
	require.Error(t, err)
	require.NotNil(t, response)
	assert.EqualValues(t, 0x87, response.ReasonCode)
	_, err = client.Publish(t.Context(), &v5.Publish{Topic: "memfault/A/chunk", QoS: 1, Payload: []byte("one")})
	require.NoError(t, err)
	eventually(t, func() bool { return len(cloud.Chunks("A")) == 1 }, "the chunk arrives")
}
