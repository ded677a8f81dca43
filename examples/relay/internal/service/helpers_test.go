package service_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/memfaulttest"

	"github.com/memfault-go/memfault/examples/relay/internal/service"
	"github.com/memfault-go/memfault/examples/relay/internal/tenants"
)

// relay is a relay in the process of the test.
type relay struct {
	*service.Started
	stop func() error // returns the error of Run
}

// config returns the configuration of a relay that uploads to cloud. The tests send numbered texts
// as chunks.
func config(t testing.TB, cloud *memfaulttest.Server) service.Config {
	cloud.AcceptDamagedChunks()
	c := service.Defaults()
	c.HTTP, c.MQTT, c.Admin = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
	c.Store.Dir = t.TempDir()
	c.Store.FsyncEvery = time.Minute // the machine of a test does not lose power
	c.Store.Partitions = 4
	c.LeaseTTL = 5 * time.Second
	c.Shutdown = 30 * time.Second
	c.ClientOptions = append(cloud.Options(), memfault.WithRetry(memfault.RetryPolicy{MinWait: 20 * time.Millisecond, MaxWait: 200 * time.Millisecond}))
	c.Logger = slog.New(slog.NewTextHandler(testWriter{t}, &slog.HandlerOptions{Level: slog.LevelWarn}))
	var err error
	c.Tenants, err = tenants.New([]tenants.Tenant{{Name: "acme", Prefix: "memfault", ProjectKey: cloud.ProjectKey()}})
	require.NoError(t, err)
	return c
}

type testWriter struct{ t testing.TB }

func (w testWriter) Write(text []byte) (int, error) {
	if w.t.Context().Err() == nil {
		w.t.Log(strings.TrimSpace(string(text)))
	}
	return len(text), nil
}

func start(t testing.TB, c service.Config) *relay {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r, started, result := &relay{}, make(chan *service.Started, 1), make(chan error, 1)
	c.Started = func(s *service.Started) { started <- s }
	go func() { result <- service.Run(ctx, c) }()
	var stopped atomic.Bool
	r.stop = func() error {
		if stopped.Swap(true) {
			return nil
		}
		cancel()
		return <-result
	}
	t.Cleanup(func() { _ = r.stop() })
	select {
	case r.Started = <-started:
	case err := <-result:
		stopped.Store(true)
		require.NoError(t, err)
		t.FailNow()
	}
	return r
}

// eventually waits for a condition that another goroutine brings about.
func eventually(t testing.TB, condition func() bool, what string, args ...any) {
	t.Helper()
	require.Eventually(t, condition, time.Minute, 10*time.Millisecond, append([]any{what}, args...)...)
}

// post posts a chunk and returns the response with its body read.
func (r *relay) post(t *testing.T, path, contentType, body string) (*http.Response, string) {
	t.Helper()
	response, err := http.Post("http://"+r.HTTP+path, contentType, strings.NewReader(body))
	require.NoError(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response, string(text)
}

func (r *relay) get(t *testing.T, path string) (int, string) {
	t.Helper()
	response, err := http.Get("http://" + r.Admin + path)
	require.NoError(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, string(text)
}

// connect connects a client of MQTT 3.1.1.
func connect(t *testing.T, address string) paho.Client {
	t.Helper()
	client := paho.NewClient(paho.NewClientOptions().AddBroker("tcp://" + address).SetClientID(fmt.Sprint("device-", time.Now().UnixNano())).SetAutoReconnect(false))
	token := client.Connect()
	require.True(t, token.WaitTimeout(20*time.Second))
	require.NoError(t, token.Error())
	t.Cleanup(func() { client.Disconnect(0) })
	return client
}

// publish publishes a chunk and reports whether a PUBACK was received.
func publish(client paho.Client, topic string, payload any) bool {
	token := client.Publish(topic, 1, false, payload)
	return token.WaitTimeout(20*time.Second) && token.Error() == nil
}

func texts(chunks [][]byte) []string {
	var all []string
	for _, chunk := range chunks {
		all = append(all, string(chunk))
	}
	return all
}

func numbered(prefix string, n int) []string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf("%s%03d", prefix, i))
	}
	return all
}

// distinct returns the chunks without those that arrived before.
func distinct(chunks [][]byte) []string {
	seen, all := map[string]bool{}, []string(nil)
	for _, text := range texts(chunks) {
		if !seen[text] {
			all = append(all, text)
		}
		seen[text] = true
	}
	return all
}
