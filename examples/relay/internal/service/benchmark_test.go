package service_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault/memfaulttest"

	"github.com/memfault-go/memfault/examples/relay/internal/auth"
)

// BenchmarkMQTT measures how fast chunks of 64 connected devices are stored, with and without
// TLS and tokens.
func BenchmarkMQTT(b *testing.B) {
	for _, secure := range []bool{false, true} {
		b.Run(fmt.Sprintf("secure=%t", secure), func(b *testing.B) {
			cloud, err := memfaulttest.Start()
			require.NoError(b, err)
			defer cloud.Close()
			benchmarkMQTT(b, cloud, secure)
		})
	}
}

func benchmarkMQTT(b *testing.B, cloud *memfaulttest.Server, secure bool) {
	const devices = 64
	c := config(b, cloud)
	c.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	options := func() *paho.ClientOptions { return paho.NewClientOptions() }
	scheme := "tcp://"
	if secure {
		c.Tenants = authTenants(b, cloud)
		a := newAuthority(b)
		files := a.files(b, b.TempDir())
		var err error
		c.TLS, err = auth.LoadTLS(files)
		require.NoError(b, err)
		options = func() *paho.ClientOptions {
			return paho.NewClientOptions().SetTLSConfig(&tls.Config{RootCAs: a.pool(), MinVersion: tls.VersionTLS12})
		}
		scheme = "mqtts://"
	}
	r := start(b, c)
	var clients []paho.Client
	for n := range devices {
		serial := fmt.Sprint("D-", n)
		client, err := login(b, options().AddBroker(scheme+r.MQTT).SetClientID(serial), serial, auth.Token(secret, serial))
		require.NoError(b, err)
		clients = append(clients, client)
	}
	b.ResetTimer()
	began := time.Now()
	var wg sync.WaitGroup
	each := (b.N + devices - 1) / devices
	for n, client := range clients {
		wg.Go(func() {
			for range each {
				publish(client, fmt.Sprintf("memfault/D-%d/chunk", n), "a chunk of some bytes, which Memfault does not need to understand")
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(each*devices)/time.Since(began).Seconds(), "chunks/s")
}
