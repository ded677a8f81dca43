// Package service runs a relay: the store, the intake, the delivery, and what operators need.
package service

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/memfault-go/memfault"

	"github.com/memfault-go/memfault/examples/relay/internal/auth"
	"github.com/memfault-go/memfault/examples/relay/internal/deliver"
	"github.com/memfault-go/memfault/examples/relay/internal/intake"
	"github.com/memfault-go/memfault/examples/relay/internal/store"
	"github.com/memfault-go/memfault/examples/relay/internal/tenants"
)

// Config configures a relay. [Defaults] returns one with the defaults of the flags.
type Config struct {
	Store   store.Config
	Tenants *tenants.Set

	HTTP     string  // address of the HTTP server for devices
	MQTT     string  // address of the MQTT broker; none if empty
	Admin    string  // address of the HTTP server for operators
	Bridge   *Bridge // an existing MQTT broker; nil if none
	MaxChunk int     // bytes

	TLS  *auth.TLS // of the servers for devices; nil is none
	Auth auth.Mode // what a device must present

	Connections          int   // of devices, for HTTP and for MQTT each; 0 is no limit
	ConnectionsOfAddress int   // likewise, of an address
	Requests             int   // by HTTP, in flight
	RequestBytes         int64 // in memory, of all requests in flight

	LeaseTTL        time.Duration
	Memory          int64 // bytes of chunks in memory
	MemoryPerDevice int64
	Unacknowledged  int // chunks of a partition; 0 is no limit
	Concurrency     int // uploads in flight of a partition and tenant
	UploadTimeout   time.Duration
	Shutdown        time.Duration // how long a shutdown may take

	ClientOptions []memfault.Option // of the Memfault client, such as its address
	Transport     http.RoundTripper // of the uploads
	Tracer        trace.Tracer
	Logger        *slog.Logger
	Step          func(step string)      // for tests: called in the course of a takeover; may be nil
	Started       func(started *Started) // called when the relay accepts chunks; may be nil
	Reload        func() error           // replaces what was read from files; may be nil
}

// Bridge configures the subscription to an existing broker.
type Bridge struct {
	URL            string // tcp://host:port or mqtts://host:port
	User, Password string
	CAs            *x509.CertPool // nil is those of the system
	ClientID       string         // the same for all relays
}

// Started describes a relay that accepts chunks.
type Started struct {
	HTTP, MQTT, Admin string // addresses
	StoreURL          string // of the embedded store; empty if it does not listen
	// Reload reads again what can change while the relay runs.
	Reload func() error
}

// Defaults returns the default configuration. Tenants must be set.
func Defaults() Config {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConns, transport.MaxIdleConnsPerHost = 1024, 1024
	transport.HTTP2 = &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 15 * time.Second}
	return Config{
		Store: store.Config{Dir: "relay-data", Reserve: 64 << 20},
		HTTP:  "127.0.0.1:8090", MQTT: "127.0.0.1:1883", Admin: "127.0.0.1:8091", MaxChunk: 256 << 10,
		Connections: 20_000, ConnectionsOfAddress: 2_000, Requests: 256, RequestBytes: 64 << 20,
		LeaseTTL: 10 * time.Second, Memory: 128 << 20, MemoryPerDevice: 256 << 10,
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
	s := c.Store.Settings
	switch {
	case c.Tenants == nil:
		return errors.New("relay: no tenants")
	case c.HTTP == "" || c.Admin == "":
		return errors.New("relay: the addresses for HTTP and for operators are required")
	case c.MaxChunk < 1 || c.MaxChunk > mostChunk:
		return errors.New("relay: the largest chunk must be between 1 byte and 900 KiB")
	case s.Partitions < 0 || s.Partitions > mostPartitions:
		return errors.New("relay: partitions must be between 1 and 4096")
	case s.Replicas < 0 || s.Replicas > 5:
		return errors.New("relay: replicas must be between 1 and 5")
	case c.Store.URL == "" && s.Replicas > 1:
		return errors.New("relay: the embedded store has one replica of each chunk; more need -nats")
	case c.LeaseTTL < 500*time.Millisecond:
		return errors.New("relay: a lease must last at least 500 ms")
	case min(s.MaxBytes, s.MaxPerDevice, c.Store.Reserve) < 0, min(c.Memory, c.MemoryPerDevice, int64(c.Concurrency), int64(c.Requests), c.RequestBytes) < 1,
		min(c.Unacknowledged, c.Connections, c.ConnectionsOfAddress) < 0:
		return errors.New("relay: limits must be positive")
	case min(c.Memory/4*3, c.RequestBytes) < int64(c.MaxChunk)+deliver.Overhead:
		return errors.New("relay: the largest chunk must fit into three quarters of the memory, and into the memory of requests")
	case c.MQTT != "" && c.Bridge != nil:
		return errors.New("relay: either listen for MQTT or subscribe to an existing broker")
	}
	return c.Bridge.validate()
}

func (b *Bridge) validate() error {
	if b == nil {
		return nil
	}
	address, err := url.Parse(b.URL)
	switch {
	case err != nil || address.Host == "" || !bridgeSchemes[address.Scheme]:
		return errors.New("relay: the URL of the broker must be tcp://HOST:PORT or mqtts://HOST:PORT") // it may contain a password
	case address.User != nil:
		return errors.New("relay: the URL of the broker must not contain a user")
	}
	return nil
}

var bridgeSchemes = map[string]bool{"tcp": true, "mqtt": true, "mqtts": true, "ssl": true, "tls": true}

func (b *Bridge) bridge(i *intake.Intake, logger *slog.Logger) *intake.Bridge {
	address, _ := url.Parse(b.URL) // validate has parsed it
	return &intake.Bridge{
		Intake: i, URL: address, User: b.User, Password: b.Password, ClientID: b.ClientID, Logger: logger,
		TLS: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: b.CAs},
	}
}
