//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/url"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/memfault-go/memfault"

	"github.com/memfault-go/memfault/examples/relay/internal/auth"
	"github.com/memfault-go/memfault/examples/relay/internal/service"
	"github.com/memfault-go/memfault/examples/relay/internal/tenants"
)

// childVariable contains the role and the configuration of a child process.
const childVariable = "RELAY_LEDGER_CHILD"

// role is what a child process is.
type role struct {
	Address string // of its network namespace; empty without one

	Ledger *ledgerRole
	NATS   *natsRole
	Relay  *relayRole
}

type ledgerRole struct {
	Config config
	Dir    string
}

type natsRole struct {
	Name, Dir     string
	Client, Route string // URLs
	Routes        string // of all servers
}

type relayRole struct {
	NATS, Cloud, Key string
	Dir              string // of the embedded store, if NATS is empty
	Fsync            time.Duration
	HTTP, MQTT       string
	Admin            string
	Partitions       int
	Replicas         int
	Lease            time.Duration
	KillAt           string // step of a takeover at which the process kills itself
	Verbose          bool
}

func isChild() bool { return os.Getenv(childVariable) != "" }

// child runs a child process until SIGTERM.
func child() error {
	var r role
	if err := json.Unmarshal([]byte(os.Getenv(childVariable)), &r); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if err := join(ctx, r.Address); err != nil {
		return err
	}
	switch {
	case r.Ledger != nil:
		return runInNamespaces(ctx, *r.Ledger)
	case r.NATS != nil:
		return runNATS(ctx, *r.NATS)
	}
	return runRelay(ctx, *r.Relay)
}

func runNATS(ctx context.Context, r natsRole) error {
	clientHost, clientPort, err := hostPort(r.Client)
	if err != nil {
		return err
	}
	routeHost, routePort, err := hostPort(r.Route)
	if err != nil {
		return err
	}
	options := &server.Options{
		ServerName: r.Name, Host: clientHost, Port: clientPort, JetStream: true, StoreDir: r.Dir,
		JetStreamMaxStore: 8 << 30, JetStreamMaxMemory: 256 << 20, NoSigs: true, NoLog: true,
		Cluster: server.ClusterOpts{Name: "ledger", Host: routeHost, Port: routePort},
		Routes:  server.RoutesFromStr(r.Routes),
	}
	s, err := server.NewServer(options)
	if err != nil {
		return err
	}
	s.Start()
	if !s.ReadyForConnections(time.Minute) {
		return errors.New("the NATS server did not start")
	}
	<-ctx.Done()
	s.Shutdown()
	return nil
}

func runRelay(ctx context.Context, r relayRole) error {
	c := service.Defaults()
	c.HTTP, c.MQTT, c.Admin, c.Auth = r.HTTP, r.MQTT, r.Admin, auth.Off
	c.ConnectionsOfAddress = 0 // all devices have the same
	c.Store.URL, c.Store.Replicas, c.Store.Partitions = r.NATS, r.Replicas, r.Partitions
	c.LeaseTTL = r.Lease
	c.ClientOptions = []memfault.Option{memfault.WithBaseURL(r.Cloud), memfault.WithInsecureHTTP()}
	if r.NATS == "" {
		c.Store.Dir, c.Store.FsyncEvery, c.Store.Reserve = r.Dir, r.Fsync, diskSize/8
	}
	c.Logger = slog.New(slog.DiscardHandler)
	if r.Verbose {
		c.Logger = slog.New(slog.NewTextHandler(os.Stderr, nil)).With("relay", r.MQTT)
	}
	if r.KillAt != "" {
		c.Step = func(step string) {
			if step == r.KillAt {
				_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
				select {}
			}
		}
	}
	var err error
	c.Tenants, err = tenants.New([]tenants.Tenant{{Name: "acme", Prefix: "memfault", ProjectKey: r.Key}})
	if err != nil {
		return err
	}
	return service.Run(ctx, c)
}

func hostPort(address string) (host string, port int, err error) {
	parsed, err := url.Parse(address)
	if err != nil {
		return "", 0, err
	}
	port, err = strconv.Atoi(parsed.Port())
	return parsed.Hostname(), port, err
}
