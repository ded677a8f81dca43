package service_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault/memfaulttest"

	"github.com/memfault-go/memfault/examples/relay/internal/service"
	"github.com/memfault-go/memfault/examples/relay/internal/store"
	"github.com/memfault-go/memfault/examples/relay/internal/tenants"
)

// Sick devices have more chunks than fit into the memory of the relay.
func TestRun_SickDevicesLeaveMemory(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	const sick, chunks = 12, 40
	for n := range sick {
		cloud.Fail(memfaulttest.Fault{Device: fmt.Sprint("SICK-", n), Status: 503})
	}
	c := config(t, cloud)
	c.Store.Partitions, c.MaxChunk, c.Memory, c.MemoryPerDevice = 1, 2000, 200_000, 50_000
	r := start(t, c)
	for range chunks {
		for n := range sick {
			response, _ := r.post(t, fmt.Sprint("/chunks/SICK-", n), "", strings.Repeat("x", 1000))
			require.Equal(t, http.StatusAccepted, response.StatusCode)
		}
	}
	eventually(t, func() bool {
		return strings.Contains(r.only(t, "relay_devices_parked"), fmt.Sprintf(`{tenant="acme"} %d`, sick))
	}, "the memory is used up")
	for _, text := range numbered("h", 30) {
		response, _ := r.post(t, "/chunks/HEALTHY", "", text)
		require.Equal(t, http.StatusAccepted, response.StatusCode)
	}
	eventually(t, func() bool { return len(cloud.Chunks("HEALTHY")) == 30 }, "another device is served")
	assert.Equal(t, numbered("h", 30), texts(cloud.Chunks("HEALTHY")))
	cloud.Heal()
	eventually(t, func() bool { return strings.Contains(r.metrics(t), "\nrelay_store_chunks 0\n") }, "all are delivered")
}

// twoTenants returns tenants of which one has a key that is rejected.
func twoTenants(t *testing.T, cloud *memfaulttest.Server) *tenants.Set {
	t.Helper()
	set, err := tenants.New([]tenants.Tenant{
		{Name: "acme", Prefix: "memfault", ProjectKey: cloud.ProjectKey()},
		{Name: "globex", Prefix: "globex", ProjectKey: "revoked", StoreShare: .3},
	})
	require.NoError(t, err)
	return set
}

// A tenant whose key is rejected fills its share of the store, and nothing else.
func TestRun_ShareOfATenant(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	c := config(t, cloud)
	c.Tenants = twoTenants(t, cloud)
	c.Store.MaxBytes, c.Store.Partitions, c.MaxChunk, c.Memory = 2_000_000, 1, 100_000, 300_000
	r := start(t, c)
	stored := 0
	for {
		response, body := r.post(t, "/tenants/globex/chunks/G", "", strings.Repeat("x", 20_000))
		if response.StatusCode != http.StatusAccepted {
			require.Equal(t, http.StatusServiceUnavailable, response.StatusCode)
			require.Equal(t, "30", response.Header.Get("Retry-After"))
			require.Contains(t, body, "tenant_full")
			break
		}
		stored++
		require.Less(t, stored, 90)
	}
	assert.Greater(t, stored, 10)
	assert.False(t, publish(connect(t, r.MQTT), "globex/G/chunk", strings.Repeat("x", 20_000)), "no PUBACK")
	for _, text := range numbered("a", 30) {
		response, _ := r.post(t, "/chunks/A", "", text+strings.Repeat("x", 20_000))
		require.Equal(t, http.StatusAccepted, response.StatusCode)
	}
	eventually(t, func() bool { return len(cloud.Chunks("A")) == 30 }, "the other tenant is served")
	assert.Contains(t, r.only(t, "relay_tenant_store_limit"), `relay_tenant_store_limit_bytes{tenant="globex"} 570000`)
	assert.NotContains(t, r.only(t, "relay_tenant_store_bytes"), `{tenant="globex"} 0`)
}

// In the bridge, a tenant that must wait stops only itself.
func TestRun_BridgeShareOfATenant(t *testing.T) {
	broker := newBroker(t)
	cloud := memfaulttest.NewServer(t)
	c := config(t, cloud)
	c.Tenants = twoTenants(t, cloud)
	c.Store.MaxBytes, c.Store.Partitions = 1_000_000, 1
	c.MQTT, c.Bridge = "", &service.Bridge{URL: "tcp://" + broker.address, ClientID: "relay"}
	r := start(t, c)
	broker.awaitSubscription(t, "memfault/A/chunk")
	broker.awaitSubscription(t, "globex/G/chunk")
	device := connect(t, broker.address)
	for range 30 {
		require.True(t, publish(device, "globex/G/chunk", strings.Repeat("x", 20_000)))
	}
	eventually(t, func() bool { return strings.Contains(r.only(t, "relay_chunks_refused"), "tenant_full") }, "the tenant has used up its share")
	for _, text := range numbered("a", 30) {
		require.True(t, publish(device, "memfault/A/chunk", text))
	}
	eventually(t, func() bool { return len(cloud.Chunks("A")) == 30 }, "the other tenant is served")
}

// An embedded store has one process, so that leases of another one are of the past.
func TestRun_OwnDeadLeases(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	c := config(t, cloud)
	c.LeaseTTL = time.Hour
	c.Store.Logger = c.Logger
	s, err := store.Open(t.Context(), store.Config{Dir: c.Store.Dir, Settings: c.Store.Settings, Logger: c.Logger})
	require.NoError(t, err)
	dead, _ := s.ProcessID()
	for n := range c.Store.Partitions {
		_, err = s.KV.PutString(t.Context(), fmt.Sprintf("lease.%d.%d", c.Store.Partitions, n), dead)
		require.NoError(t, err)
	}
	_, err = s.KV.PutString(t.Context(), fmt.Sprintf("member.%d.%s", c.Store.Partitions, dead), "alive")
	require.NoError(t, err)
	_, ended := s.ProcessID()
	assert.True(t, ended(dead))
	assert.False(t, ended("of a relay that is connected to this one"))
	s.Close()
	r := start(t, c)
	response, _ := r.post(t, "/chunks/A", "", "one")
	require.Equal(t, http.StatusAccepted, response.StatusCode)
	eventually(t, func() bool { return len(cloud.Chunks("A")) == 1 }, "the relay does not wait for itself")
}

// Chunks of relays that are connected to the store count as well.
func TestRun_SharesOfSeveralRelays(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	c := config(t, cloud)
	c.Tenants = twoTenants(t, cloud)
	c.Store.MaxBytes, c.Store.Listen = 2_000_000, "127.0.0.1:0"
	first := start(t, c)
	c.Store = store.Config{URL: first.StoreURL}
	second := start(t, c)
	eventually(t, func() bool { return strings.Contains(second.metrics(t), "\nrelay_partitions 2\n") }, "the relays share the partitions")
	for n := range 20 {
		response, _ := first.post(t, fmt.Sprint("/tenants/globex/chunks/G-", n), "", strings.Repeat("x", 20_000))
		require.Equal(t, http.StatusAccepted, response.StatusCode)
	}
	for _, r := range []*relay{first, second} {
		eventually(t, func() bool {
			response, _ := r.post(t, "/tenants/globex/chunks/H", "", strings.Repeat("x", 200_000))
			return response.StatusCode == http.StatusServiceUnavailable
		}, "each relay knows the chunks of the other")
	}
	require.NoError(t, second.stop())
	eventually(t, func() bool { return strings.Contains(first.metrics(t), "\nrelay_partitions 4\n") }, "the first relay has all partitions")
}
