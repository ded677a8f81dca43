// Command relay receives the chunks of a fleet by MQTT and HTTP, keeps them in NATS JetStream,
// and uploads them to Memfault in the order of each device. See the README.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/exporters/stdout/stdouttrace"
	"go.opentelemetry.io/otel/sdk/trace"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/memfaulttest"

	"github.com/memfault-go/memfault/examples/relay/internal/intake"
	"github.com/memfault-go/memfault/examples/relay/internal/service"
	"github.com/memfault-go/memfault/examples/relay/internal/tenants"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// flags are the flags that are not fields of the configuration.
type flags struct {
	tenants, url, trace, level string
	fake                       bool
}

func parse(args []string, errs io.Writer) (service.Config, flags, error) {
	c, f := service.Defaults(), flags{}
	set := flag.NewFlagSet("relay", flag.ContinueOnError)
	set.SetOutput(errs)
	set.BoolVar(&f.fake, "fake", false, "upload to a fake Memfault in this process")
	set.StringVar(&f.tenants, "tenants", "", "`file` with the project keys by topic prefix; without it, MEMFAULT_PROJECT_KEY is used for memfault/SERIAL/chunk")
	set.StringVar(&f.url, "url", os.Getenv("MEMFAULT_BASE_URL"), "base `URL` of Memfault, if it is not the usual one")
	set.StringVar(&f.trace, "trace", "", "export spans: stdout, or otlp (configured by OTEL_EXPORTER_OTLP_ENDPOINT and others)")
	set.StringVar(&f.level, "log-level", "info", "debug, info, warn or error")
	set.StringVar(&c.HTTP, "http", c.HTTP, "`address` for chunks by HTTP, /metrics, /healthz and /readyz")
	set.StringVar(&c.MQTT, "mqtt-listen", c.MQTT, "`address` for chunks by MQTT")
	set.StringVar(&c.Bridge, "mqtt", "", "subscribe to the existing broker at this `URL` (tcp://) instead of listening")
	set.StringVar(&c.ClientID, "mqtt-client-id", c.ClientID, "client ID at the existing broker; the same for all relays")
	set.StringVar(&c.Store.URL, "nats", "", "`URL` (nats://) of an existing cluster with JetStream instead of the embedded server")
	set.StringVar(&c.Store.Dir, "store", c.Store.Dir, "`directory` of the embedded server")
	set.StringVar(&c.Store.Listen, "store-listen", "", "`address` of the embedded server, for -nats of other relays")
	set.DurationVar(&c.Store.FsyncEvery, "fsync", 0, "interval of fsync of the embedded server; 0 is before each acknowledgement")
	set.IntVar(&c.Store.Replicas, "replicas", c.Store.Replicas, "replicas of each chunk in the cluster")
	set.IntVar(&c.Store.Partitions, "partitions", c.Store.Partitions, "partitions of the fleet; cannot be changed while chunks are stored")
	set.Int64Var(&c.Store.MaxBytes, "store-bytes", c.Store.MaxBytes, "size of the store")
	set.Int64Var(&c.Store.MaxPerDevice, "device-chunks", c.Store.MaxPerDevice, "chunks of one device in the store")
	set.IntVar(&c.MaxChunk, "max-chunk", c.MaxChunk, "bytes of the largest chunk")
	set.DurationVar(&c.LeaseTTL, "lease", c.LeaseTTL, "how long a partition waits for a relay that died")
	set.Int64Var(&c.Memory, "memory", c.Memory, "bytes of chunks in memory")
	set.Int64Var(&c.MemoryPerDevice, "device-memory", c.MemoryPerDevice, "bytes of chunks of one device in memory")
	set.IntVar(&c.Unacknowledged, "unacknowledged", c.Unacknowledged, "chunks of a partition on their way")
	set.IntVar(&c.Concurrency, "concurrency", c.Concurrency, "uploads of a partition and tenant at a time")
	set.DurationVar(&c.UploadTimeout, "upload-timeout", c.UploadTimeout, "time limit of an upload")
	set.DurationVar(&c.Shutdown, "shutdown", c.Shutdown, "time limit of a shutdown")
	if err := set.Parse(args); err != nil {
		return c, f, err
	}
	if set.NArg() > 0 {
		return c, f, fmt.Errorf("relay: unexpected argument %q", set.Arg(0))
	}
	if c.Bridge != "" {
		c.MQTT = ""
	}
	return c, f, nil
}

func run(ctx context.Context, args []string, out, errs io.Writer) error {
	config, f, err := parse(args, errs)
	if err != nil {
		return err
	}
	var level slog.Level
	if err = level.UnmarshalText([]byte(f.level)); err != nil {
		return fmt.Errorf("relay: invalid -log-level %q", f.level)
	}
	config.Logger = slog.New(slog.NewJSONHandler(errs, &slog.HandlerOptions{Level: level}))
	stopTracing, err := startTracing(ctx, &config, f.trace, out)
	if err != nil {
		return err
	}
	defer stopTracing()
	key := os.Getenv("MEMFAULT_PROJECT_KEY")
	if f.url != "" {
		config.ClientOptions = append(config.ClientOptions, memfault.WithBaseURL(f.url))
	}
	if f.fake {
		cloud, err := memfaulttest.Start()
		if err != nil {
			return err
		}
		defer cloud.Close()
		key = cloud.ProjectKey()
		config.ClientOptions = append(config.ClientOptions, memfault.WithBaseURL(cloud.URL))
	}
	if f.tenants != "" {
		config.Tenants, err = tenants.Load(f.tenants)
	} else {
		config.Tenants, err = tenants.New([]tenants.Tenant{{Name: "default", Prefix: intake.DefaultTenant, ProjectKey: key}})
		if err != nil && key == "" {
			err = errors.New("relay: set MEMFAULT_PROJECT_KEY, or use -tenants or -fake")
		}
	}
	if err != nil {
		return err
	}
	config.Started = func(started *service.Started) {
		printHelp(out, started, f.fake)
		reloadOnHangup(ctx, &config, f.tenants, started.Reloaded)
	}
	return service.Run(ctx, config)
}

// startTracing sets the tracer of the configuration.
func startTracing(ctx context.Context, config *service.Config, kind string, out io.Writer) (stop func(), err error) {
	var exporter trace.SpanExporter
	switch kind {
	case "":
		return func() {}, nil
	case "stdout":
		exporter, err = stdouttrace.New(stdouttrace.WithWriter(out))
	case "otlp":
		exporter, err = otlptracehttp.New(ctx)
	default:
		err = fmt.Errorf("unknown kind %q", kind)
	}
	if err != nil {
		return nil, fmt.Errorf("relay: -trace: %w", err)
	}
	provider := trace.NewTracerProvider(trace.WithBatcher(exporter))
	config.Tracer = provider.Tracer("github.com/memfault-go/memfault/examples/relay")
	return func() {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer cancel()
		_ = provider.Shutdown(last) // the last spans are lost
	}, nil
}

// reloadOnHangup reloads the tenants after each SIGHUP.
func reloadOnHangup(ctx context.Context, config *service.Config, path string, reloaded func()) {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	go func() {
		defer signal.Stop(hangup)
		for {
			select {
			case <-ctx.Done():
				return
			case <-hangup:
			}
			if path == "" {
				config.Logger.Warn("SIGHUP has no effect without -tenants")
			} else if err := config.Tenants.Reload(path); err != nil {
				config.Logger.Error("tenants not reloaded", "error", err)
			} else {
				config.Logger.Info("tenants reloaded")
				reloaded()
			}
		}
	}()
}

func printHelp(out io.Writer, started *service.Started, fake bool) {
	fmt.Fprintf(out, "The relay takes chunks. Press Ctrl-C to stop it.\n\n")
	if started.MQTT != "" {
		fmt.Fprintf(out, "  mosquitto_pub -p %s -q 1 -t memfault/ABCD1234/chunk -m hello\n", port(started.MQTT))
	}
	fmt.Fprintf(out, "  curl -d hello -H 'Content-Type: application/octet-stream' http://%s/chunks/ABCD1234\n", started.HTTP)
	fmt.Fprintf(out, "  curl http://%s/metrics\n", started.HTTP)
	if started.StoreURL != "" {
		fmt.Fprintf(out, "  another relay: -nats %s\n", started.StoreURL)
	}
	if fake {
		fmt.Fprintf(out, "\nIt uploads to a fake Memfault in this process.\n")
	}
}

func port(address string) string {
	_, port, _ := net.SplitHostPort(address) // the address of a listener
	return port
}
