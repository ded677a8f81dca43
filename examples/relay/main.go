// Command relay receives the chunks of a fleet by MQTT and HTTP, keeps them in NATS JetStream,
// and uploads them to Memfault in the order of each device. See the README.
package main

import (
	"context"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/exporters/stdout/stdouttrace"
	"go.opentelemetry.io/otel/sdk/trace"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/memfaulttest"

	"github.com/memfault-go/memfault/examples/relay/internal/auth"
	"github.com/memfault-go/memfault/examples/relay/internal/intake"
	"github.com/memfault-go/memfault/examples/relay/internal/service"
	"github.com/memfault-go/memfault/examples/relay/internal/tenants"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := command(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// command runs a command of the program: a relay, or what its first argument says.
func command(ctx context.Context, args []string, out, errs io.Writer) error {
	if len(args) > 0 {
		switch args[0] {
		case "replay-rejected", "discard-rejected":
			return rejected(ctx, args[0], args[1:], out, errs)
		case "token":
			return token(args[1:], out, errs)
		}
	}
	return run(ctx, args, out, errs)
}

// token prints the tokens of devices, by the first secret of their tenant.
func token(args []string, out, errs io.Writer) error {
	set := flag.NewFlagSet("relay token", flag.ContinueOnError)
	set.SetOutput(errs)
	path := set.String("tenants", "", "`file` with the tenants; without it, the secret is in RELAY_TOKEN_SECRETS")
	name := set.String("tenant", "default", "name of the tenant")
	if err := set.Parse(args); err != nil {
		return err
	}
	secrets := strings.Fields(os.Getenv("RELAY_TOKEN_SECRETS"))
	if *path != "" {
		all, err := tenants.Load(*path)
		if err != nil {
			return err
		}
		secrets = all.TokenSecrets(*name)
	}
	if len(secrets) == 0 {
		return fmt.Errorf("relay token: the tenant %q has no token_secrets", *name)
	}
	for _, serial := range set.Args() {
		if !tenants.ValidSerial(serial) {
			return fmt.Errorf("relay token: invalid serial %q", serial)
		}
		fmt.Fprintln(out, auth.Token(secrets[0], serial))
	}
	return nil
}

// flags are the flags that are not fields of the configuration.
type flags struct {
	tenants, url, trace, level string
	bridge                     service.Bridge
	bridgeCA, bridgePassword   string
	natsPassword               string
	tls                        auth.Files
	fake                       bool
}

func parse(args []string, errs io.Writer) (service.Config, flags, error) {
	c, f := service.Defaults(), flags{}
	set := flag.NewFlagSet("relay", flag.ContinueOnError)
	set.SetOutput(errs)
	set.BoolVar(&f.fake, "fake", false, "upload to a fake Memfault in this process")
	set.StringVar(&f.tenants, "tenants", "", "`file` with the tenants; without it, MEMFAULT_PROJECT_KEY is used for memfault/SERIAL/chunk")
	set.StringVar(&f.url, "url", os.Getenv("MEMFAULT_BASE_URL"), "base `URL` of Memfault, if it is not the usual one")
	set.StringVar(&f.trace, "trace", "", "export spans: stdout, or otlp (configured by OTEL_EXPORTER_OTLP_ENDPOINT and others)")
	set.StringVar(&f.level, "log-level", "info", "debug, info, warn or error")
	set.StringVar(&c.HTTP, "http", c.HTTP, "`address` for chunks by HTTP")
	set.StringVar(&c.MQTT, "mqtt-listen", c.MQTT, "`address` for chunks by MQTT")
	set.StringVar(&c.Admin, "admin-listen", c.Admin, "`address` of /metrics, /healthz, /readyz and replay-rejected, for operators")
	set.StringVar(&f.tls.Certificate, "tls-cert", "", "`file` with the certificate for devices, by HTTP and MQTT; read again on SIGHUP")
	set.StringVar(&f.tls.Key, "tls-key", "", "`file` with its key")
	set.StringVar(&f.tls.ClientCA, "tls-client-ca", "", "`file` with the authorities of client certificates, which name TENANT/SERIAL")
	set.Func("auth", "what a device must present: device (its token or certificate), key (the project key is enough), or off; by default device if it is configured, and off on loopback", func(text string) error {
		c.Auth = auth.Mode(text)
		return nil
	})
	set.IntVar(&c.Connections, "max-connections", c.Connections, "connections of devices, by HTTP and by MQTT each; 0 is no limit")
	set.IntVar(&c.ConnectionsOfAddress, "max-connections-per-address", c.ConnectionsOfAddress, "likewise, of an address; 0 is no limit")
	set.IntVar(&c.Requests, "max-requests", c.Requests, "requests by HTTP at a time")
	set.Int64Var(&c.RequestBytes, "request-memory", c.RequestBytes, "bytes of the bodies of all requests")
	set.StringVar(&f.bridge.URL, "mqtt", "", "subscribe to the existing broker at this `URL` (tcp:// or mqtts://) instead of listening")
	set.StringVar(&f.bridge.ClientID, "mqtt-client-id", "memfault-relay", "client ID at the existing broker, without the name of the tenant; the same for all relays")
	set.StringVar(&f.bridge.User, "mqtt-user", "", "`name` at the existing broker; the password is in RELAY_MQTT_PASSWORD or -mqtt-password-file")
	set.StringVar(&f.bridgePassword, "mqtt-password-file", "", "`file` with the password at the existing broker")
	set.StringVar(&f.bridgeCA, "mqtt-ca", "", "`file` with the certificate authorities of the existing broker, if not those of the system")
	set.StringVar(&c.Store.URL, "nats", "", "`URL` (nats:// or tls://) of an existing cluster with JetStream instead of the embedded server")
	set.StringVar(&c.Store.User, "nats-user", "", "`name` at the cluster; the password is in RELAY_NATS_PASSWORD or -nats-password-file")
	set.StringVar(&f.natsPassword, "nats-password-file", "", "`file` with the password at the cluster")
	set.StringVar(&c.Store.Credentials, "nats-creds", "", "`file` with the credentials at the cluster")
	set.StringVar(&c.Store.CA, "nats-ca", "", "`file` with the certificate authorities of the cluster, if not those of the system")
	set.StringVar(&c.Store.Dir, "store", c.Store.Dir, "`directory` of the embedded server")
	set.StringVar(&c.Store.Listen, "store-listen", "", "`address` of the embedded server, for -nats of other relays")
	set.DurationVar(&c.Store.FsyncEvery, "fsync", 0, "interval of fsync of the embedded server; 0 is before each acknowledgement")
	set.Int64Var(&c.Store.Reserve, "disk-reserve", c.Store.Reserve, "bytes of the disk of the embedded server that no chunk may take, so that deliveries can go on")
	set.BoolVar(&c.Store.Update, "update-store", false, "change an existing store, for all relays, to the settings that are given")
	set.Func("replicas", "on how many servers of the cluster each chunk is stored; required to create a store there", positive(&c.Store.Replicas))
	set.Func("partitions", "partitions of the fleet (64 for a new store); cannot be changed while chunks are stored", positive(&c.Store.Partitions))
	set.Func("store-bytes", "size of the store (1 GiB for a new one)", positive(&c.Store.MaxBytes))
	set.Func("device-chunks", "chunks of one device in the store (10000 for a new one)", positive(&c.Store.MaxPerDevice))
	set.IntVar(&c.MaxChunk, "max-chunk", c.MaxChunk, "bytes of the largest chunk")
	set.DurationVar(&c.LeaseTTL, "lease", c.LeaseTTL, "how long a partition waits for a relay that died")
	set.Int64Var(&c.Memory, "memory", c.Memory, "bytes of chunks in memory")
	set.Int64Var(&c.MemoryPerDevice, "device-memory", c.MemoryPerDevice, "bytes of chunks of one device in memory")
	set.IntVar(&c.Unacknowledged, "unacknowledged", c.Unacknowledged, "chunks of a partition that may wait without stopping the others; 0 is no limit")
	set.IntVar(&c.Concurrency, "concurrency", c.Concurrency, "uploads of a partition and tenant at a time")
	set.DurationVar(&c.UploadTimeout, "upload-timeout", c.UploadTimeout, "time limit of an upload")
	set.DurationVar(&c.Shutdown, "shutdown", c.Shutdown, "time limit of a shutdown")
	if err := set.Parse(args); err != nil {
		return c, f, err
	}
	if set.NArg() > 0 {
		return c, f, fmt.Errorf("relay: unexpected argument %q", set.Arg(0))
	}
	return c, f, secrets(&c, &f)
}

// positive returns the setter of a flag whose zero value is that it was not given.
func positive[T int | int64](value *T) func(string) error {
	return func(text string) error {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < 1 || int64(T(n)) != n {
			return errors.New("must be a positive number")
		}
		*value = T(n)
		return nil
	}
}

// secrets completes the configuration with what must not be an argument, because every process
// of the machine can read the arguments.
func secrets(c *service.Config, f *flags) (err error) {
	for _, address := range append(strings.Split(c.Store.URL, ","), f.bridge.URL) {
		// A text that is no URL is refused where it is used. It may still contain a password.
		if u, err := url.Parse(address); err != nil || u.User != nil {
			return errors.New("relay: -nats and -mqtt must be URLs without a user and a password: use -nats-user or -mqtt-user, and the password from the environment or a file")
		}
	}
	if c.Store.Password, err = secret("RELAY_NATS_PASSWORD", f.natsPassword); err != nil {
		return err
	}
	if f.tls != (auth.Files{}) {
		if c.TLS, err = auth.LoadTLS(f.tls); err != nil {
			return err
		}
	}
	if f.bridge.URL == "" {
		return nil
	}
	c.MQTT, c.Bridge = "", &f.bridge
	if f.bridge.Password, err = secret("RELAY_MQTT_PASSWORD", f.bridgePassword); err != nil {
		return err
	}
	if f.bridgeCA != "" {
		f.bridge.CAs, err = certificates(f.bridgeCA)
	}
	return err
}

// secret reads a secret from a file, if there is one, or from the environment.
func secret(variable, path string) (string, error) {
	if path == "" {
		return os.Getenv(variable), nil
	}
	text, err := os.ReadFile(path) //nolint:gosec // the operator chooses the file
	if err != nil {
		return "", fmt.Errorf("relay: %w", err)
	}
	return strings.TrimRight(string(text), "\r\n"), nil
}

func certificates(path string) (*x509.CertPool, error) {
	text, err := os.ReadFile(path) //nolint:gosec // the operator chooses the file
	if err != nil {
		return nil, fmt.Errorf("relay: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("relay: %s contains no certificate", path)
	}
	return pool, nil
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
		config.Reload = func() error { return config.Tenants.Reload(f.tenants) }
	} else {
		config.Tenants, err = tenants.New([]tenants.Tenant{{
			Name: "default", Prefix: intake.DefaultTenant, ProjectKey: key, TokenSecrets: strings.Fields(os.Getenv("RELAY_TOKEN_SECRETS")),
		}})
		if err != nil && key == "" {
			err = errors.New("relay: set MEMFAULT_PROJECT_KEY, or use -tenants or -fake")
		}
	}
	if err != nil {
		return err
	}
	config.Started = func(started *service.Started) {
		printHelp(out, started, f.fake)
		reloadOnHangup(ctx, config.Logger, started.Reload)
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
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { config.Logger.Error("spans not exported", "error", err) }))
	provider := trace.NewTracerProvider(trace.WithBatcher(exporter))
	config.Tracer = provider.Tracer("github.com/memfault-go/memfault/examples/relay")
	return func() {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer cancel()
		_ = provider.Shutdown(last) // the last spans are lost
	}, nil
}

// reloadOnHangup reloads after each SIGHUP.
func reloadOnHangup(ctx context.Context, logger *slog.Logger, reload func() error) {
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
			if err := reload(); err != nil {
				logger.Error("not reloaded; the relay continues with what it had", "error", err)
			} else {
				logger.Info("reloaded")
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
	fmt.Fprintf(out, "  curl http://%s/metrics\n", started.Admin)
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
