// Package service runs a relay: the store, the intake, the delivery, and what operators need.
package service

import (
	"errors"
	"log/slog"
	"net/http"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/memfault-go/memfault"

	"github.com/memfault-go/memfault/examples/relay/internal/store"
	"github.com/memfault-go/memfault/examples/relay/internal/tenants"
)

// Config configures a relay. [Defaults] returns one with the defaults of the flags.
type Config struct {
	Store   store.Config
	Tenants *tenants.Set

	HTTP     string // address of the HTTP server
	MQTT     string // address of the MQTT broker; none if empty
	Bridge   string // URL of an existing MQTT broker; none if empty
	ClientID string // at the existing broker; the same for all relays
	MaxChunk int    // bytes

	LeaseTTL        time.Duration
	Memory          int64 // bytes of chunks in memory
	MemoryPerDevice int64
	Unacknowledged  int // chunks of a partition
	Concurrency     int // uploads in flight of a partition and tenant
	UploadTimeout   time.Duration
	Shutdown        time.Duration // how long a shutdown may take

	ClientOptions []memfault.Option // of the Memfault client, such as its address
	Transport     http.RoundTripper // of the uploads
	Tracer        trace.Tracer
	Logger        *slog.Logger
	Step          func(step string)      // for tests: called in the course of a takeover; may be nil
	Started       func(started *Started) // called when the relay accepts chunks; may be nil
}

// Started describes a relay that accepts chunks.
type Started struct {
	HTTP, MQTT string // addresses
	StoreURL   string // of the embedded store; empty if it does not listen
	// Reloaded must be called after the tenants were replaced.
	Reloaded func()
}

// Defaults returns the default configuration. Tenants must be set.
func Defaults() Config {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConns, transport.MaxIdleConnsPerHost = 1024, 1024
	transport.HTTP2 = &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 15 * time.Second}
	return Config{
		Store: store.Config{
			Dir: "relay-data", Replicas: 1, Partitions: 64, MaxBytes: 1 << 30, MaxPerDevice: 10_000,
		},
		HTTP: "127.0.0.1:8090", MQTT: "127.0.0.1:1883", ClientID: "memfault-relay", MaxChunk: 256 << 10,
		LeaseTTL: 10 * time.Second, Memory: 128 << 20, MemoryPerDevice: 256 << 10, Unacknowledged: 50_000,
		Concurrency: 16, UploadTimeout: 15 * time.Second, Shutdown: 20 * time.Second,
		Transport: transport, Logger: slog.Default(),
	}
}

// limits of Config.MaxChunk and of the names in a bucket.
const (
	mostChunk      = 900 << 10 // a message of NATS is at most 1 MiB by default
	mostPartitions = 4096
)

func (c *Config) validate() error {
	switch {
	case c.Tenants == nil:
		return errors.New("relay: no tenants")
	case c.MaxChunk < 1 || c.MaxChunk > mostChunk:
		return errors.New("relay: the largest chunk must be between 1 byte and 900 KiB")
	case c.Store.Partitions < 1 || c.Store.Partitions > mostPartitions:
		return errors.New("relay: partitions must be between 1 and 4096")
	case c.Store.Replicas < 1 || c.Store.Replicas > 5:
		return errors.New("relay: replicas must be between 1 and 5")
	case c.LeaseTTL < 500*time.Millisecond:
		return errors.New("relay: a lease must last at least 500 ms")
	case min(c.Store.MaxBytes, c.Store.MaxPerDevice, c.Memory, c.MemoryPerDevice, int64(c.Unacknowledged), int64(c.Concurrency)) < 1:
		return errors.New("relay: limits must be positive")
	case c.MQTT != "" && c.Bridge != "":
		return errors.New("relay: either listen for MQTT or subscribe to an existing broker")
	}
	return nil
}
