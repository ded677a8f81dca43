package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault/memfaulttest"
)

// output collects what the program prints.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(text []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(text)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

func eventually(t *testing.T, condition func() bool, what string) {
	t.Helper()
	require.Eventually(t, condition, time.Minute, 10*time.Millisecond, what)
}

func TestRun_Fake(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tenants.json")
	require.NoError(t, os.WriteFile(path, []byte(`{"tenants": [{"name": "acme", "prefix": "memfault", "project_key": "wrong"}]}`), 0o600))
	var out, errs output
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- run(ctx, []string{
			"-fake", "-tenants", path, "-http", "127.0.0.1:0", "-mqtt-listen", "127.0.0.1:0", "-store", t.TempDir(), "-partitions", "2", "-trace", "stdout",
		}, &out, &errs)
	}()
	eventually(t, func() bool { return strings.Contains(out.String(), "/metrics") }, "the relay starts")
	assert.Contains(t, out.String(), "-t memfault/ABCD1234/chunk")
	base := "http://" + regexp.MustCompile(`http://([^/]+)/metrics`).FindStringSubmatch(out.String())[1]
	metrics := func() string {
		response, err := http.Get(base + "/metrics")
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
	require.NoError(t, syscall.Kill(os.Getpid(), syscall.SIGHUP))
	eventually(t, func() bool {
		return strings.Contains(metrics(), `relay_memfault_request_seconds_count{operation="chunks.upload",status="202",tenant="acme"} 1`)
	}, "the new key is used")
	stop()
	require.NoError(t, <-done)
	assert.Contains(t, errs.String(), `"msg":"tenants reloaded"`)
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
		"partitions must be":             {"-fake", "-partitions", "0"},
		"limits must be positive":        {"-fake", "-memory", "0"},
		"the largest chunk must be":      {"-fake", "-max-chunk", "10000000"},
		"a lease must last at least":     {"-fake", "-lease", "1ms"},
		"relay: tenants: open":           {"-tenants", "/nonexistent"},
		"flag provided but not defined":  {"-nonsense"},
		"relay: address of the store":    {"-fake", "-store", t.TempDir(), "-store-listen", "nonsense"},
		"replicas must be between 1 and": {"-fake", "-replicas", "0"},
	} {
		require.ErrorContains(t, run(t.Context(), args, io.Discard, io.Discard), want)
	}
}

func fakeKey(t *testing.T) string {
	cloud, err := memfaulttest.Start()
	require.NoError(t, err)
	defer cloud.Close()
	return cloud.ProjectKey()
}
