package service_test

import (
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/memfault-go/memfault/memfaulttest"

	"github.com/memfault-go/memfault/examples/relay/internal/relaytest"
	"github.com/memfault-go/memfault/examples/relay/internal/service"
	"github.com/memfault-go/memfault/examples/relay/internal/tenants"
)

func TestRun_DeliversMQTTAndHTTP(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	cloud.Fail(memfaulttest.Fault{Operation: "chunks.upload", Status: 503, Every: 4})
	c := config(t, cloud)
	spans := tracetest.NewInMemoryExporter()
	c.Tracer = trace.NewTracerProvider(trace.WithSyncer(spans)).Tracer("test")
	r := start(t, c)
	device := connect(t, r.MQTT)
	for _, text := range numbered("m", 30) {
		require.True(t, publish(device, "memfault/MQTT-1/chunk", text))
		response, body := r.post(t, "/chunks/HTTP-1", "application/octet-stream", "h"+text)
		require.Equal(t, http.StatusAccepted, response.StatusCode, body)
	}
	response, body := r.post(t, "/chunks/HTTP-2", "multipart/mixed; boundary=b",
		"--b\r\nContent-Length: 3\r\n\r\none\r\n--b\r\n\r\ntwo\r\n--b--\r\n")
	require.Equal(t, http.StatusAccepted, response.StatusCode, body)
	eventually(t, func() bool {
		return len(cloud.Chunks("MQTT-1")) == 30 && len(cloud.Chunks("HTTP-1")) == 30 && len(cloud.Chunks("HTTP-2")) == 2
	}, "all chunks arrive")
	assert.Equal(t, numbered("m", 30), texts(cloud.Chunks("MQTT-1")))
	assert.Equal(t, numbered("hm", 30), texts(cloud.Chunks("HTTP-1")))
	assert.Equal(t, []string{"one", "two"}, texts(cloud.Chunks("HTTP-2")))

	status, _ := r.get(t, "/healthz")
	assert.Equal(t, http.StatusOK, status)
	status, body = r.get(t, "/readyz")
	assert.Equal(t, http.StatusOK, status, body)
	eventually(t, func() bool {
		_, body = r.get(t, "/metrics")
		return strings.Contains(body, "\nrelay_store_chunks 0\n")
	}, "the store is empty")
	for _, line := range []string{
		`relay_chunks_stored_total{tenant="acme",transport="mqtt"} 30`,
		`relay_chunks_stored_total{tenant="acme",transport="http"} 32`,
		`relay_memfault_request_seconds_count{operation="chunks.upload",status="202",tenant="acme"}`,
		`relay_memfault_request_seconds_count{operation="chunks.upload",status="503",tenant="acme"}`,
		`relay_store_oldest_seconds 0`, `relay_partitions 4`, `relay_store_up 1`,
		`relay_devices_held{tenant="acme"} 0`,
	} {
		assert.Contains(t, body, line)
	}
	require.NoError(t, r.stop())
	assert.Len(t, spans.GetSpans(), cloud.RequestCount("chunks.upload"), "a span is one attempt")
	for _, span := range spans.GetSpans() {
		assert.Equal(t, "chunks.upload", span.Name)
	}
}

func TestRun_BadInputHTTP(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	c := config(t, cloud)
	c.MaxChunk = 1000
	r := start(t, c)
	const binary, mixed = "application/octet-stream", "multipart/mixed; boundary=b"
	for name, test := range map[string]struct {
		path, contentType, body string
		status                  int
		want                    string
	}{
		"serial":           {"/chunks/A.B", binary, "x", 400, "bad_serial"},
		"escaped serial":   {"/chunks/A%2FB", binary, "x", 400, "bad_serial"},
		"wildcard serial":  {"/chunks/%3E", binary, "x", 400, "bad_serial"},
		"long serial":      {"/chunks/" + strings.Repeat("A", 129), binary, "x", 400, "bad_serial"},
		"empty":            {"/chunks/A", binary, "", 400, "empty_chunk"},
		"huge":             {"/chunks/A", binary, strings.Repeat("x", 1001), 413, "chunk_too_large"},
		"unknown tenant":   {"/tenants/nobody/chunks/A", binary, "x", 404, "unknown_tenant"},
		"broken multipart": {"/chunks/A", mixed, "--b\r\n\r\none", 400, "malformed"},
		"no boundary":      {"/chunks/A", "multipart/mixed", "--b\r\n\r\none", 400, "malformed"},
		"no parts":         {"/chunks/A", mixed, "--b--\r\n", 400, "empty_chunk"},
		"empty part":       {"/chunks/A", mixed, "--b\r\n\r\none\r\n--b\r\n\r\n\r\n--b--\r\n", 400, "empty_chunk"},
		"huge part":        {"/chunks/A", mixed, "--b\r\n\r\n" + strings.Repeat("x", 1001) + "\r\n--b--\r\n", 413, "chunk_too_large"},
	} {
		response, body := r.post(t, test.path, test.contentType, test.body)
		assert.Equal(t, test.status, response.StatusCode, name)
		assert.Contains(t, body, test.want, name)
		assert.Empty(t, response.Header.Get("Retry-After"), name)
	}
	response, _ := r.post(t, "/chunks/A", binary, strings.Repeat("x", 1000))
	assert.Equal(t, http.StatusAccepted, response.StatusCode)
	eventually(t, func() bool { return len(cloud.Chunks("A")) > 0 }, "the good chunk arrives")
	assert.Len(t, cloud.Chunks("A"), 1, "nothing of a refused request was stored")
}

func TestRun_Tenants(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	c := config(t, cloud)
	path := filepath.Join(t.TempDir(), "tenants.json")
	write := func(text string) {
		require.NoError(t, os.WriteFile(path, []byte(strings.ReplaceAll(text, "KEY", cloud.ProjectKey())), 0o600))
	}
	write(`{"tenants": [{"name": "acme", "prefix": "memfault", "project_key": "KEY"}, {"name": "globex", "prefix": "globex/eu", "project_key": "revoked"}]}`)
	var err error
	c.Tenants, err = tenants.Load(path)
	require.NoError(t, err)
	c.Store.Partitions = 1 // a tenant whose key is rejected must not stop another tenant
	r := start(t, c)
	device := connect(t, r.MQTT)
	require.True(t, publish(device, "globex/eu/G-1/chunk", "first"))
	eventually(t, func() bool {
		_, body := r.get(t, "/metrics")
		return strings.Contains(body, `relay_senders_paused{tenant="globex"} 1`) && strings.Contains(body, `relay_pauses_total{tenant="globex"} 1`)
	}, "the uploads of globex pause")
	require.True(t, publish(device, "memfault/A-1/chunk", "one"))
	response, _ := r.post(t, "/tenants/globex/chunks/G-1", "application/octet-stream", "second")
	require.Equal(t, http.StatusAccepted, response.StatusCode)
	eventually(t, func() bool { return len(cloud.Chunks("A-1")) == 1 }, "acme is served")
	assert.Empty(t, cloud.Chunks("G-1"))

	write(`{"tenants": [`)
	require.ErrorContains(t, c.Tenants.Reload(path), "not valid JSON")
	write(`{"tenants": [{"name": "acme", "prefix": "memfault", "project_key": "KEY"}]}`)
	require.NoError(t, c.Tenants.Reload(path))
	assert.False(t, publish(device, "globex/eu/G-1/chunk", "third"), "the topic belongs to no tenant now")
	write(`{"tenants": [{"name": "acme", "prefix": "memfault", "project_key": "KEY"}, {"name": "globex", "prefix": "globex/eu", "project_key": "KEY"}]}`)
	require.NoError(t, c.Tenants.Reload(path))
	require.NoError(t, r.Reload())
	eventually(t, func() bool { return len(cloud.Chunks("G-1")) == 2 }, "the new key is used")
	assert.Equal(t, []string{"first", "second"}, texts(cloud.Chunks("G-1")))
}

func TestRun_UnknownTenantOfStoredChunks(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	cloud.Fail(memfaulttest.Fault{Status: 503})
	c := config(t, cloud)
	r := start(t, c)
	for _, text := range numbered("c", 5) {
		response, _ := r.post(t, "/chunks/A", "", text)
		require.Equal(t, http.StatusAccepted, response.StatusCode)
	}
	require.NoError(t, r.stop())
	cloud.Heal()
	path := filepath.Join(t.TempDir(), "tenants.json")
	require.NoError(t, os.WriteFile(path, []byte(`{"tenants": [{"name": "acme", "prefix": "memfault", "project_key": "`+cloud.ProjectKey()+`"}]}`), 0o600))
	var err error
	c.Tenants, err = tenants.New([]tenants.Tenant{{Name: "other", Prefix: "other", ProjectKey: cloud.ProjectKey()}})
	require.NoError(t, err)
	r = start(t, c)
	eventually(t, func() bool {
		_, body := r.get(t, "/metrics")
		return strings.Contains(body, `relay_chunks_parked{tenant="acme"} 5`)
	}, "the chunks wait for their tenant")
	require.NoError(t, c.Tenants.Reload(path))
	eventually(t, func() bool { return len(cloud.Chunks("A")) == 5 }, "the chunks arrive")
	assert.Equal(t, numbered("c", 5), texts(cloud.Chunks("A")))
}

func TestRun_RejectedChunksAreKept(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	cloud.RejectChunks(func(chunk []byte) int {
		if string(chunk) == "bad" {
			return http.StatusBadRequest
		}
		return 0
	})
	r := start(t, config(t, cloud))
	for _, text := range []string{"one", "bad", "two"} {
		response, _ := r.post(t, "/chunks/A", "", text)
		require.Equal(t, http.StatusAccepted, response.StatusCode)
	}
	eventually(t, func() bool {
		_, body := r.get(t, "/metrics")
		return strings.Contains(body, "\nrelay_store_chunks 0\n") && strings.Contains(body, "\nrelay_rejected_chunks 1\n")
	}, "the rejected chunk is kept")
	assert.Equal(t, []string{"one", "two"}, texts(cloud.Chunks("A")))
}

// Memfault accepts damaged messages, and drops them.
func TestRun_CountsDamagedMessages(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	c := config(t, cloud)
	var logs relaytest.Output
	c.Logger = slog.New(slog.NewJSONHandler(&logs, nil))
	r := start(t, c)
	whole := "\x08\x03x\xcc\xaa" // a log with the content x
	for _, text := range []string{whole, "this is no chunk", whole} {
		response, _ := r.post(t, "/chunks/A", "", text)
		require.Equal(t, http.StatusAccepted, response.StatusCode)
	}
	eventually(t, func() bool { return len(cloud.Chunks("A")) == 3 }, "all chunks arrive")
	eventually(t, func() bool {
		return r.only(t, "relay_messages") == `relay_messages_total{result="complete",tenant="acme"} 2`+"\n"+`relay_messages_total{result="damaged",tenant="acme"} 1`+"\n"
	}, "they are counted")
	assert.Contains(t, logs.String(), `"msg":"message damaged"`)
	assert.Contains(t, logs.String(), `"device":"A"`)
}

func TestRun_ShutdownWithinDeadline(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	cloud.Fail(memfaulttest.Fault{Operation: "chunks.upload", Delay: time.Hour})
	c := config(t, cloud)
	c.Shutdown = 3 * time.Second
	r := start(t, c)
	response, _ := r.post(t, "/chunks/A", "", "one")
	require.Equal(t, http.StatusAccepted, response.StatusCode)
	eventually(t, func() bool { return cloud.RequestCount("chunks.upload") == 1 }, "the upload hangs")
	began := time.Now()
	require.ErrorIs(t, r.stop(), service.ErrShutdown)
	assert.Less(t, time.Since(began), 10*time.Second)
}
