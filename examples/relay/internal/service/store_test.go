package service_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/autopaho"
	v5 "github.com/eclipse/paho.golang/paho"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault/memfaulttest"

	"github.com/memfault-go/memfault/examples/relay/internal/service"
	"github.com/memfault-go/memfault/examples/relay/internal/store"
)

func TestRun_StoreFull(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	cloud.Fail(memfaulttest.Fault{Status: 503})
	c := config(t, cloud)
	c.Store.MaxBytes, c.MaxChunk = 100_000, 50_000
	r := start(t, c)
	stored := 0
	for {
		response, body := r.post(t, "/chunks/A", "", fmt.Sprintf("%03d", stored)+strings.Repeat("x", 20_000))
		if response.StatusCode != http.StatusAccepted {
			require.Equal(t, http.StatusServiceUnavailable, response.StatusCode)
			require.Equal(t, "30", response.Header.Get("Retry-After"))
			require.Contains(t, body, "store_full")
			break
		}
		stored++
		require.Less(t, stored, 100)
	}
	device := connect(t, r.MQTT)
	assert.False(t, publish(device, "memfault/B/chunk", strings.Repeat("x", 20_000)), "no PUBACK")
	status, _ := r.get(t, "/readyz")
	assert.Equal(t, http.StatusOK, status, "a full store responds")
	cloud.Heal()
	eventually(t, func() bool { return len(distinct(cloud.Chunks("A"))) == stored }, "what was stored arrives")
	eventually(t, func() bool {
		response, _ := r.post(t, "/chunks/A", "", "later")
		return response.StatusCode == http.StatusAccepted
	}, "there is room again")
}

func TestRun_DeviceAboveItsShare(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	cloud.Fail(memfaulttest.Fault{Status: 503})
	c := config(t, cloud)
	c.Store.MaxPerDevice = 5
	r := start(t, c)
	for _, text := range numbered("c", 5) {
		response, _ := r.post(t, "/chunks/A", "", text)
		require.Equal(t, http.StatusAccepted, response.StatusCode)
	}
	response, body := r.post(t, "/chunks/A", "", "c005")
	assert.Equal(t, http.StatusTooManyRequests, response.StatusCode)
	assert.Equal(t, "30", response.Header.Get("Retry-After"))
	assert.Contains(t, body, "device_full")
	device := connect(t, r.MQTT)
	assert.False(t, publish(device, "memfault/A/chunk", "c005"), "no PUBACK")
	response, _ = r.post(t, "/chunks/B", "", "another device")
	assert.Equal(t, http.StatusAccepted, response.StatusCode)
	cloud.Heal()
	eventually(t, func() bool { return len(cloud.Chunks("A")) == 5 && len(cloud.Chunks("B")) == 1 }, "the chunks arrive")
	assert.Equal(t, numbered("c", 5), texts(cloud.Chunks("A")))
}

// fill posts chunks until one is refused, and returns how many were stored.
func fill(t *testing.T, r *relay) (stored int) {
	t.Helper()
	for {
		response, body := r.post(t, "/chunks/A", "", fmt.Sprintf("%03d", stored)+strings.Repeat("x", 200_000))
		if response.StatusCode != http.StatusAccepted {
			require.Equal(t, http.StatusServiceUnavailable, response.StatusCode)
			assert.Equal(t, "30", response.Header.Get("Retry-After"))
			assert.Contains(t, body, "store_full")
			return stored
		}
		stored++
		require.Less(t, stored, 200)
	}
}

func assertNumbered(t *testing.T, chunks []string, n int) {
	t.Helper()
	require.GreaterOrEqual(t, len(chunks), n)
	for i, text := range chunks[:n] {
		assert.Equal(t, fmt.Sprintf("%03d", i), text[:3])
	}
}

// A store leaves so much of its disk that it can deliver what it has.
func TestRun_DiskReserve(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	cloud.Fail(memfaulttest.Fault{Status: 503})
	c := config(t, cloud)
	c.Store.Dir, c.Store.FsyncEvery, c.Store.Partitions, c.Store.Reserve = smallDisk(t, "7m"), 0, 1, 4<<20
	r := start(t, c)
	stored := fill(t, r)
	require.Greater(t, stored, 4)
	status, body := r.get(t, "/readyz")
	assert.Equal(t, http.StatusOK, status, body)
	cloud.Heal()
	eventually(t, func() bool { return len(distinct(cloud.Chunks("A"))) == stored }, "what was stored arrives")
	assertNumbered(t, distinct(cloud.Chunks("A")), stored)
	eventually(t, func() bool {
		response, _ := r.post(t, "/chunks/A", "", "later")
		return response.StatusCode == http.StatusAccepted
	}, "there is room again")
	assert.Equal(t, "relay_store_restarts 0\n", r.only(t, "relay_store_restarts"))
}

// Another program fills the disk: the store fails, says so, and continues in the same process
// when there is room again.
func TestRun_DiskFull(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	cloud.Fail(memfaulttest.Fault{Status: 503})
	c := config(t, cloud)
	c.Store.Dir, c.Store.FsyncEvery, c.Store.Partitions, c.Store.Reserve = smallDisk(t, "12m"), 0, 1, 1<<20
	c.LeaseTTL = time.Second
	r := start(t, c)
	stored := 0
	for ; stored < 6; stored++ {
		response, _ := r.post(t, "/chunks/A", "", fmt.Sprintf("%03d", stored)+strings.Repeat("x", 200_000))
		require.Equal(t, http.StatusAccepted, response.StatusCode)
	}
	filler := filepath.Join(c.Store.Dir, "filler")
	file, err := os.Create(filler)
	require.NoError(t, err)
	for err == nil {
		_, err = file.Write(make([]byte, 4096))
	}
	require.ErrorIs(t, err, syscall.ENOSPC)
	require.NoError(t, file.Close())
	eventually(t, func() bool { // a lease is written all the time
		status, body := r.get(t, "/readyz")
		return status == http.StatusServiceUnavailable && strings.Contains(body, "the store cannot write") && strings.Contains(body, "no space left")
	}, "the relay says why it is not ready")
	assert.Equal(t, "relay_store_up 0\n", r.only(t, "relay_store_up"))
	response, body := r.post(t, "/chunks/B", "", "refused")
	assert.Equal(t, http.StatusServiceUnavailable, response.StatusCode)
	assert.Contains(t, body, "store_full")

	require.NoError(t, os.Remove(filler))
	cloud.Heal()
	eventually(t, func() bool { return len(distinct(cloud.Chunks("A"))) == stored }, "what was acknowledged arrives")
	assertNumbered(t, distinct(cloud.Chunks("A")), stored)
	eventually(t, func() bool {
		response, _ := r.post(t, "/chunks/B", "", "later")
		status, _ := r.get(t, "/readyz")
		return response.StatusCode == http.StatusAccepted && status == http.StatusOK
	}, "the store takes chunks again")
	eventually(t, func() bool { return len(cloud.Chunks("B")) > 0 }, "and delivers them")
}

// A device with more chunks than fit into memory waits; its other chunks stay in the stream,
// and the other devices of the partition are served.
func TestRun_HeldDeviceDoesNotSilenceItsPartition(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	cloud.Fail(memfaulttest.Fault{Device: "HELD", Status: 429, RetryAfter: "4", Times: 1})
	c := config(t, cloud)
	c.Store.Partitions, c.MemoryPerDevice = 1, 4_000
	r := start(t, c)
	device := connect(t, r.MQTT)
	for _, text := range numbered("c", 100) {
		require.True(t, publish(device, "memfault/HELD/chunk", text))
	}
	eventually(t, func() bool {
		_, body := r.get(t, "/metrics")
		return strings.Contains(body, `relay_devices_parked{tenant="acme"} 1`) && strings.Contains(body, `relay_devices_held{tenant="acme"} 1`)
	}, "the device is parked")
	for _, text := range numbered("f", 50) {
		require.True(t, publish(device, "memfault/FREE/chunk", text))
	}
	eventually(t, func() bool { return len(cloud.Chunks("FREE")) == 50 }, "another device is served")
	assert.Empty(t, cloud.Chunks("HELD"), "the device is still held")
	cloud.Fail(memfaulttest.Fault{Device: "HELD", Delay: 20 * time.Millisecond})
	eventually(t, func() bool { return len(cloud.Chunks("HELD")) > 0 }, "the device continues")
	for _, text := range numbered("d", 20) {
		require.True(t, publish(device, "memfault/HELD/chunk", text))
	}
	eventually(t, func() bool { return len(cloud.Chunks("HELD")) == 120 }, "the parked chunks are read back")
	assert.Equal(t, append(numbered("c", 100), numbered("d", 20)...), texts(cloud.Chunks("HELD")))
	eventually(t, func() bool {
		_, body := r.get(t, "/metrics")
		return strings.Contains(body, "\nrelay_store_chunks 0\n")
	}, "all are acknowledged")
}

// All devices together have less memory than they have chunks.
func TestRun_MemoryOfAllDevices(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	cloud.Fail(memfaulttest.Fault{Status: 503, Times: 3})
	c := config(t, cloud)
	c.Memory, c.MaxChunk = 10_000, 1000
	r := start(t, c)
	for _, text := range numbered("c", 30) {
		for _, serial := range []string{"A", "B", "C", "D"} {
			response, _ := r.post(t, "/chunks/"+serial, "", serial+text)
			require.Equal(t, http.StatusAccepted, response.StatusCode)
		}
	}
	for _, serial := range []string{"A", "B", "C", "D"} {
		eventually(t, func() bool { return len(cloud.Chunks(serial)) == 30 }, "all chunks of %s arrive", serial)
		assert.Equal(t, numbered(serial+"c", 30), texts(cloud.Chunks(serial)))
	}
}

func TestRun_Repartitioning(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	cloud.Fail(memfaulttest.Fault{Status: 503})
	c := config(t, cloud)
	r := start(t, c)
	response, _ := r.post(t, "/chunks/A", "", "one")
	require.Equal(t, http.StatusAccepted, response.StatusCode)
	require.NoError(t, r.stop())
	c.Store.Partitions = 8
	err := service.Run(t.Context(), c)
	require.ErrorIs(t, err, store.ErrPartitions)
	require.ErrorContains(t, err, "the store contains 1 chunks in 4 partitions, want 8 partitions; start the relay with 4 partitions")

	cloud.Heal()
	c.Store.Partitions = 4
	r = start(t, c)
	eventually(t, func() bool {
		_, body := r.get(t, "/metrics")
		return strings.Contains(body, "\nrelay_store_chunks 0\n")
	}, "the store is empty")
	require.NoError(t, r.stop())
	c.Store.Partitions = 8
	require.ErrorIs(t, service.Run(t.Context(), c), store.ErrSettings)
	c.Store.Update = true
	r = start(t, c)
	response, _ = r.post(t, "/chunks/A", "", "two")
	require.Equal(t, http.StatusAccepted, response.StatusCode)
	eventually(t, func() bool { return len(cloud.Chunks("A")) == 2 }, "the chunk arrives")
}

// connectV5 connects a client of MQTT 5.
func connectV5(t *testing.T, address string) *autopaho.ConnectionManager {
	t.Helper()
	broker, err := url.Parse("tcp://" + address)
	require.NoError(t, err)
	manager, err := autopaho.NewConnection(context.Background(), autopaho.ClientConfig{
		ServerUrls: []*url.URL{broker}, KeepAlive: 20, CleanStartOnInitialConnection: true, SessionExpiryInterval: 0,
		ReconnectBackoff: autopaho.NewConstantBackoff(50 * time.Millisecond),
		ClientConfig:     v5.ClientConfig{ClientID: "v5", PacketTimeout: 20 * time.Second},
	})
	require.NoError(t, err)
	t.Cleanup(func() { _ = manager.Disconnect(context.Background()) })
	require.NoError(t, manager.AwaitConnection(t.Context()))
	return manager
}

func TestRun_BadInputMQTT(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	c := config(t, cloud)
	c.MaxChunk = 1000
	r := start(t, c)
	five := connectV5(t, r.MQTT)
	for name, test := range map[string]struct {
		topic, payload string
		reason         byte
	}{
		"serial":       {"memfault/A.B/chunk", "x", 0x90},
		"empty serial": {"memfault//chunk", "x", 0x90},
		"prefix":       {"nobody/A/chunk", "x", 0x90},
		"other topic":  {"memfault/A/log", "x", 0x90},
		"empty":        {"memfault/A/chunk", "", 0x99},
		"huge":         {"memfault/A/chunk", strings.Repeat("x", 1001), 0x83}, // 0x95 is not allowed in a PUBACK
	} {
		response, err := five.Publish(t.Context(), &v5.Publish{Topic: test.topic, QoS: 1, Payload: []byte(test.payload)})
		require.Error(t, err, name)
		require.NotNil(t, response, name)
		assert.Equal(t, test.reason, response.ReasonCode, name)
		assert.False(t, publish(connect(t, r.MQTT), test.topic, test.payload), "no PUBACK by MQTT 3.1.1: %s", name)
	}
	require.False(t, publish(connect(t, r.MQTT), "memfault/A/chunk", strings.Repeat("x", 200_000)), "a packet above all limits")
	_, err := five.Publish(t.Context(), &v5.Publish{Topic: "memfault/A/chunk", QoS: 1, Payload: []byte("good")})
	require.NoError(t, err)
	eventually(t, func() bool { return len(cloud.Chunks("A")) == 1 }, "the good chunk arrives")
	assert.Equal(t, []string{"good"}, texts(cloud.Chunks("A")))
}
