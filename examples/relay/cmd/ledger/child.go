package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/memfault-go/memfault"

	"github.com/memfault-go/memfault/examples/relay/internal/service"
	"github.com/memfault-go/memfault/examples/relay/internal/tenants"
)

// childVariable contains the role and the configuration of a child process.
const childVariable = "RELAY_LEDGER_CHILD"

// role is what a child process is.
type role struct {
	NATS  *natsRole
	Relay *relayRole
}

type natsRole struct {
	Name, Dir string
	Port      int // for clients
	Route     int
	Routes    string // of all servers
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
	if r.NATS != nil {
		return runNATS(ctx, *r.NATS)
	}
	return runRelay(ctx, *r.Relay)
}

func runNATS(ctx context.Context, r natsRole) error {
	options := &server.Options{
		ServerName: r.Name, Host: "127.0.0.1", Port: r.Port, JetStream: true, StoreDir: r.Dir,
		JetStreamMaxStore: 8 << 30, JetStreamMaxMemory: 256 << 20, NoSigs: true, NoLog: true,
		Cluster: server.ClusterOpts{Name: "ledger", Host: "127.0.0.1", Port: r.Route},
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
	c.HTTP, c.MQTT, c.Admin = r.HTTP, r.MQTT, r.Admin
	c.Store.URL, c.Store.Replicas, c.Store.Partitions = r.NATS, r.Replicas, r.Partitions
	c.LeaseTTL = r.Lease
	c.ClientOptions = []memfault.Option{memfault.WithBaseURL(r.Cloud)}
	if r.NATS == "" {
		c.Store.Dir, c.Store.FsyncEvery = r.Dir, r.Fsync
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

// routes returns the routes of a cluster.
func routes(ports []int) string {
	var all []string
	for _, port := range ports {
		all = append(all, fmt.Sprintf("nats://127.0.0.1:%d", port))
	}
	return strings.Join(all, ",")
}
