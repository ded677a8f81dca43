package main

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault/memfaulttest"

	"github.com/memfault-go/memfault/examples/relay/internal/relaytest"
	"github.com/memfault-go/memfault/examples/relay/internal/service"
)

func eventually(t *testing.T, condition func() bool, what string) {
	t.Helper()
	require.Eventually(t, condition, time.Minute, 10*time.Millisecond, what)
}

func TestRun_Fake(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tenants.json")
	require.NoError(t, os.WriteFile(path, []byte(`{"tenants": [{"name": "acme", "prefix": "memfault", "project_key": "wrong"}]}`), 0o600))
	var out, errs relaytest.Output
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- run(ctx, []string{
			"-fake", "-tenants", path, "-http", "127.0.0.1:0", "-mqtt-listen", "127.0.0.1:0", "-admin-listen", "127.0.0.1:0", "-store", t.TempDir(), "-partitions", "2", "-trace", "stdout",
		}, &out, &errs)
	}()
	eventually(t, func() bool { return strings.Contains(out.String(), "/metrics") }, "the relay starts")
	assert.Contains(t, out.String(), "-t memfault/ABCD1234/chunk")
	base := "http://" + regexp.MustCompile(`http://([^/]+)/chunks`).FindStringSubmatch(out.String())[1]
	admin := "http://" + regexp.MustCompile(`http://([^/]+)/metrics`).FindStringSubmatch(out.String())[1]
	metrics := func() string {
		response, err := http.Get(admin + "/metrics")
		require.NoError(t, err)
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		return string(text)
	}
	response, err := http.Post(base+"/chunks/ABCD1234", "application/octet-stream", strings.NewReader("hello"))
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusAccepted, response.StatusCode)
	eventually(t, func() bool { return strings.Contains(metrics(), `relay_pauses_total{tenant="acme"} 1`) }, "the key is rejected")

	// The fake cloud has the same key each time.
	require.NoError(t, os.WriteFile(path, []byte(`{"tenants": [{"name": "acme", "prefix": "memfault", "project_key": "`+fakeKey(t)+`"}]}`), 0o600))
	process, err := os.FindProcess(os.Getpid())
	require.NoError(t, err)
	require.NoError(t, process.Signal(syscall.SIGHUP))
	eventually(t, func() bool {
		return strings.Contains(metrics(), `relay_memfault_request_seconds_count{operation="chunks.upload",status="202",tenant="acme"} 1`)
	}, "the new key is used")
	stop()
	require.NoError(t, <-done)
	assert.Contains(t, errs.String(), `"msg":"reloaded"`)
	assert.Contains(t, out.String(), `"Name":"chunks.upload"`, "spans")
	for _, text := range []string{out.String(), errs.String()} {
		assert.NotContains(t, text, fakeKey(t))
	}
}

func TestRun_InvalidFlags(t *testing.T) {
	t.Setenv("MEMFAULT_PROJECT_KEY", "")
	for want, args := range map[string][]string{
		"set MEMFAULT_PROJECT_KEY":       {},
		"unexpected argument":            {"-fake", "x"},
		"invalid -log-level":             {"-fake", "-log-level", "loud"},
		"-trace: unknown kind":           {"-fake", "-trace", "x"},
		"must be a positive number":      {"-fake", "-partitions", "0"},
		"partitions must be":             {"-fake", "-partitions", "5000"},
		"limits must be positive":        {"-fake", "-memory", "0"},
		"the largest chunk must fit":     {"-fake", "-memory", "100000"},
		"the largest chunk must be":      {"-fake", "-max-chunk", "10000000"},
		"a lease must last at least":     {"-fake", "-lease", "1ms"},
		"relay: tenants: open":           {"-tenants", "/nonexistent"},
		"flag provided but not defined":  {"-nonsense"},
		"relay: address of the store":    {"-fake", "-store", t.TempDir(), "-store-listen", "nonsense"},
		"replicas must be between 1 and": {"-fake", "-replicas", "6"},
		"more need -nats":                {"-fake", "-replicas", "3"},
	} {
		require.ErrorContains(t, run(t.Context(), args, io.Discard, io.Discard), want)
	}
}

// Arguments can be read by every process of the machine, and URLs get into logs.
func TestRun_PasswordsAreNoArguments(t *testing.T) {
	for _, args := range [][]string{
		{"-fake", "-nats", "nats://user:hunter2@127.0.0.1:4222"},
		{"-fake", "-nats", "nats://127.0.0.1:4222,nats://user:hunter2@127.0.0.1:4223"},
		{"-fake", "-mqtt", "tcp://user:hunter2@127.0.0.1:1883"},
		{"-fake", "-mqtt", "tcp://user:hunter2@127.0.0.1:1883/%zz"},
	} {
		err := run(t.Context(), args, io.Discard, io.Discard)
		require.ErrorContains(t, err, "without a user and a password")
		assert.NotContains(t, err.Error(), "hunter2")
	}
	path := filepath.Join(t.TempDir(), "password")
	require.NoError(t, os.WriteFile(path, []byte("from the file\n"), 0o600))
	t.Setenv("RELAY_NATS_PASSWORD", "from the environment")
	c, _, err := parse([]string{"-mqtt", "tcp://broker:1883", "-mqtt-user", "relay", "-mqtt-password-file", path, "-nats", "nats://n:4222", "-nats-user", "relay"}, io.Discard)
	require.NoError(t, err)
	assert.Equal(t, []string{"from the file", "from the environment"}, []string{c.Bridge.Password, c.Store.Password})
	assert.Empty(t, c.MQTT)
	_, _, err = parse([]string{"-mqtt", "tcp://broker:1883", "-mqtt-ca", path}, io.Discard)
	require.ErrorContains(t, err, "contains no certificate")
}

// The errors of the exporter are in the log like all others.
func TestStartTracing_Errors(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
	t.Setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "2000")
	var logs relaytest.Output
	config := service.Config{Logger: slog.New(slog.NewJSONHandler(&logs, nil))}
	stop, err := startTracing(t.Context(), &config, "otlp", io.Discard)
	require.NoError(t, err)
	_, span := config.Tracer.Start(t.Context(), "span")
	span.End()
	stop()
	eventually(t, func() bool { return strings.Contains(logs.String(), `"msg":"spans not exported"`) }, "the error is logged")
}

func TestToken(t *testing.T) {
	t.Setenv("RELAY_TOKEN_SECRETS", "0123456789abcdef the-one-before-that")
	var out relaytest.Output
	require.NoError(t, command(t.Context(), []string{"token", "ABCD1234"}, &out, io.Discard))
	// printf ABCD1234 | openssl dgst -sha256 -hmac 0123456789abcdef
	assert.Equal(t, "0b2940ffc02a1910562171b42f196a2fdedc22d8f864f0e2a00a4a88b370e2af\n", out.String())
	require.ErrorContains(t, command(t.Context(), []string{"token", "A.B"}, &out, io.Discard), `invalid serial "A.B"`)
	path := filepath.Join(t.TempDir(), "tenants.json")
	require.NoError(t, os.WriteFile(path, []byte(`{"tenants": [{"name": "acme", "prefix": "memfault", "project_key": "k"}]}`), 0o600))
	require.ErrorContains(t, command(t.Context(), []string{"token", "-tenants", path, "-tenant", "acme", "A"}, &out, io.Discard), "no token_secrets")
}

func TestRejected(t *testing.T) {
	var asked string
	relay := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r.Method + " " + r.URL.String() + " " + r.Header.Get("Relay-Confirm")
		_, _ = io.WriteString(w, `{"chunks": 3, "left": 1, "problem": "no room"}`)
	}))
	defer relay.Close()
	var out relaytest.Output
	err := command(t.Context(), []string{"replay-rejected", "-admin", relay.URL, "-tenant", "acme"}, &out, io.Discard)
	require.EqualError(t, err, "no room")
	assert.Equal(t, "3 chunks stored again, 1 left\n", out.String())
	assert.Equal(t, "POST /rejected/replay?tenant=acme yes", asked)
	require.Error(t, command(t.Context(), []string{"discard-rejected", "-admin", relay.URL}, &out, io.Discard))
	assert.Equal(t, "POST /rejected/discard?tenant= yes", asked)
	relay.Close()
	require.ErrorContains(t, command(t.Context(), []string{"replay-rejected", "-admin", relay.URL}, &out, io.Discard), "is the relay running?")
}

func fakeKey(t *testing.T) string {
	cloud, err := memfaulttest.Start()
	require.NoError(t, err)
	defer cloud.Close()
	return cloud.ProjectKey()
}
