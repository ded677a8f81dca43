package service_test

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/memfaulttest"

	"github.com/memfault-go/memfault/examples/relay/internal/service"
	"github.com/memfault-go/memfault/examples/relay/internal/store"
	"github.com/memfault-go/memfault/examples/relay/internal/tenants"
)

func TestRun_OneRelayOnADirectory(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	c := config(t, cloud)
	start(t, c)
	require.ErrorIs(t, service.Run(t.Context(), c), store.ErrInUse)
}

// A relay that cannot listen does not open the store.
func TestRun_ListensFirst(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	for name, set := range map[string]func(c *service.Config){
		"HTTP":      func(c *service.Config) { c.HTTP = taken.Addr().String() },
		"MQTT":      func(c *service.Config) { c.MQTT = taken.Addr().String() },
		"operators": func(c *service.Config) { c.Admin = taken.Addr().String() },
	} {
		c := config(t, cloud)
		c.Store.Dir = filepath.Join(t.TempDir(), "store")
		set(&c)
		require.ErrorContains(t, service.Run(t.Context(), c), "relay: address for "+name)
		assert.NoDirExists(t, c.Store.Dir)
	}
}

// Without a client, a relay would accept chunks and upload none.
func TestRun_NoClientForTheURL(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	for _, address := range []string{"http://chunks.example.com", "chunks.example.com", "://"} {
		c := config(t, cloud)
		c.ClientOptions = append(c.ClientOptions, memfault.WithBaseURL(address))
		require.ErrorContains(t, service.Run(t.Context(), c), "acme: memfault: ", address)
	}
}

func TestRun_ReloadChecksTheKeys(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	c := config(t, cloud)
	path := filepath.Join(t.TempDir(), "tenants.json")
	c.Reload = func() error { return c.Tenants.Reload(path) }
	r := start(t, c)
	require.NoError(t, os.WriteFile(path, []byte(`{"tenants": [{"name": "acme", "prefix": "memfault", "project_key": "a\nb"}]}`), 0o600))
	err := r.Reload()
	require.ErrorContains(t, err, "relay: tenants: acme: memfault: ")
	assert.NotContains(t, err.Error(), "a\nb")
	response, _ := r.post(t, "/chunks/A", "", "one")
	require.Equal(t, http.StatusAccepted, response.StatusCode)
	eventually(t, func() bool { return len(cloud.Chunks("A")) == 1 }, "the old key is used")
}

// A wrong address responds with a status that says nothing of the chunks.
func TestRun_WrongAddressRejectsNothing(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	cloud.Fail(memfaulttest.Fault{Operation: "chunks.upload", Status: 404})
	r := start(t, config(t, cloud))
	for n := range 40 {
		response, _ := r.post(t, fmt.Sprint("/chunks/D-", n), "", "one")
		require.Equal(t, http.StatusAccepted, response.StatusCode)
	}
	eventually(t, func() bool { return strings.Contains(r.metrics(t), `relay_senders_paused{tenant="acme"} 4`) }, "all partitions pause")
	cloud.Heal()
	require.NoError(t, r.Reload())
	for n := range 40 {
		eventually(t, func() bool {
			if strings.Contains(r.metrics(t), "relay_rejected_chunks 0") {
				return len(cloud.Chunks(fmt.Sprint("D-", n))) == 1
			}
			// A few devices may have had their rejection before it was clear that all have it.
			r.rejected(t, "replay")
			return false
		}, "a chunk arrives")
	}
}

func (r *relay) metrics(t *testing.T) string {
	t.Helper()
	_, body := r.get(t, "/metrics")
	return body
}

// only returns the metrics with a prefix.
func (r *relay) only(t *testing.T, prefix string) string {
	t.Helper()
	var lines strings.Builder
	for line := range strings.Lines(r.metrics(t)) {
		if strings.HasPrefix(line, prefix) {
			lines.WriteString(line)
		}
	}
	return lines.String()
}

// rejected replays or discards the rejected chunks.
func (r *relay) rejected(t *testing.T, what string) service.Replayed {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+r.Admin+"/rejected/"+what, nil)
	require.NoError(t, err)
	request.Header.Set(service.ConfirmHeader, "yes")
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	var result service.Replayed
	require.NoError(t, json.NewDecoder(response.Body).Decode(&result))
	return result
}

// While there is no room for rejected chunks, they stay in the store, and others are delivered.
func TestRun_RejectedChunksWaitForRoom(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	var healed atomic.Bool
	cloud.RejectChunks(func(chunk []byte) int {
		if len(chunk) > 100_000 && !healed.Load() {
			return http.StatusBadRequest
		}
		return 0
	})
	c := config(t, cloud)
	c.Store.MaxBytes, c.Store.Partitions = 8<<20, 1 // and 1 MiB of rejected chunks
	r := start(t, c)
	const bad = 12
	for n := range bad {
		response, _ := r.post(t, "/chunks/BAD", "", fmt.Sprintf("%02d", n)+strings.Repeat("x", 120_000))
		require.Equal(t, http.StatusAccepted, response.StatusCode)
	}
	eventually(t, func() bool {
		metrics := r.metrics(t)
		return strings.Contains(metrics, `relay_chunks_rejected_total{tenant="acme"} 12`) && !strings.Contains(metrics, `relay_chunks_rejected_waiting{tenant="acme"} 0`)
	}, "chunks wait for room")
	response, _ := r.post(t, "/chunks/GOOD", "", "good")
	require.Equal(t, http.StatusAccepted, response.StatusCode)
	eventually(t, func() bool { return len(cloud.Chunks("GOOD")) == 1 }, "another device is served")
	assert.Equal(t, "relay_rejected_limit_bytes 1.048576e+06\n", r.only(t, "relay_rejected_limit"))

	healed.Store(true)
	total := 0
	eventually(t, func() bool {
		result := r.rejected(t, "replay")
		assert.Empty(t, result.Problem)
		total += result.Chunks
		metrics := r.metrics(t)
		return strings.Contains(metrics, "\nrelay_store_chunks 0\n") && strings.Contains(metrics, "\nrelay_rejected_chunks 0\n")
	}, "all are uploaded again")
	assert.Equal(t, bad, total)
	assert.Len(t, distinct(cloud.Chunks("BAD")), bad)
}

func TestRun_Rejected(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	cloud.RejectChunks(func([]byte) int { return http.StatusBadRequest })
	r := start(t, config(t, cloud))
	response, _ := r.post(t, "/chunks/A", "", "one")
	require.Equal(t, http.StatusAccepted, response.StatusCode)
	eventually(t, func() bool { return strings.Contains(r.metrics(t), "\nrelay_rejected_chunks 1\n") }, "it is rejected")
	response, err := http.Post("http://"+r.Admin+"/rejected/discard", "", nil)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	assert.Equal(t, http.StatusForbidden, response.StatusCode, "a page in a browser can send this request")
	assert.Equal(t, service.Replayed{}, r.rejected(t, "discard?tenant=other"))
	assert.Equal(t, service.Replayed{Chunks: 1}, r.rejected(t, "discard?tenant=acme"))
	assert.Equal(t, "relay_rejected_chunks 0\n", r.only(t, "relay_rejected_chunks"))
}

// A tenant with the name that messages without a tenant had.
func TestRun_ReplayOfTopics(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	broker := newBroker(t)
	c := config(t, cloud)
	c.MQTT, c.Bridge = "", &service.Bridge{URL: "tcp://" + broker.address, ClientID: "relay"}
	path := filepath.Join(t.TempDir(), "tenants.json")
	c.Reload = func() error { return c.Tenants.Reload(path) }
	r := start(t, c)
	broker.awaitSubscription(t, "memfault/A/chunk")
	require.True(t, publish(connect(t, broker.address), "memfault/A/chunk", ""))
	eventually(t, func() bool { return strings.Contains(r.metrics(t), "\nrelay_rejected_chunks 1\n") }, "an empty message is kept")
	result := r.rejected(t, "replay")
	assert.Equal(t, 1, result.Left)
	assert.Contains(t, result.Problem, "empty_chunk")
	assert.Equal(t, 1, r.rejected(t, "discard").Chunks)
}

func TestSet_RequireKeepsTheOldTenants(t *testing.T) {
	set, err := tenants.New([]tenants.Tenant{{Name: "a", Prefix: "a", ProjectKey: "k"}})
	require.NoError(t, err)
	require.ErrorContains(t, set.Require(func(tenants.Tenant) error { return os.ErrInvalid }), "relay: tenants: a: ")
}
