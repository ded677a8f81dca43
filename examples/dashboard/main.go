// Command dashboard serves a web page with the state of a fleet: devices by version and cohort,
// rollouts, reboots, issues, deployments, and devices that were not seen.
//
// The README describes the flags and the cost of a refresh.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/time/rate"

	"github.com/memfault-go/memfault"

	"github.com/memfault-go/memfault/examples/dashboard/internal/reader"
	"github.com/memfault-go/memfault/examples/dashboard/internal/store"
	"github.com/memfault-go/memfault/examples/dashboard/internal/web"
	"github.com/memfault-go/memfault/memfaulttest"
)

// config contains the flags.
type config struct {
	addr        string
	store       string
	interval    time.Duration
	listAll     time.Duration
	unseenAfter time.Duration
	rate        float64
	fake        bool
	devices     int
	secrets     []string // of the webhook
	log         *slog.Logger
}

func main() {
	c, err := parse(os.Args[1:], os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err == nil {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		err = run(ctx, c, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "dashboard:", err)
		os.Exit(1)
	}
}

func parse(args []string, out io.Writer) (config, error) {
	c := config{log: slog.New(slog.NewTextHandler(out, nil))}
	flags := flag.NewFlagSet("dashboard", flag.ContinueOnError)
	flags.SetOutput(out)
	flags.StringVar(&c.addr, "addr", "127.0.0.1:8070", "`address` to listen on; with port 0, a free port is chosen")
	flags.StringVar(&c.store, "store", "", "`file` that keeps what was read; dashboard.db by default, a temporary file with -fake")
	flags.DurationVar(&c.interval, "interval", time.Minute, "time between two reads of devices, deployments and issues")
	flags.DurationVar(&c.listAll, "list-all", time.Hour, "time between two listings of all devices, and of their reboots")
	flags.DurationVar(&c.unseenAfter, "unseen", 7*24*time.Hour, "time after which a device counts as not seen")
	flags.Float64Var(&c.rate, "rate", 20, "limit of the requests to Memfault in a second")
	flags.BoolVar(&c.fake, "fake", false, "show a fake fleet, without an account")
	flags.IntVar(&c.devices, "devices", 500, "`number` of devices of the fake fleet")
	if err := flags.Parse(args); err != nil {
		return c, err
	}
	c.secrets = strings.Fields(strings.ReplaceAll(os.Getenv("MEMFAULT_WEBHOOK_SECRET"), ",", " "))
	return c, c.check(flags)
}

func (c *config) check(flags *flag.FlagSet) error {
	switch {
	case flags.NArg() > 0:
		return fmt.Errorf("unexpected argument %q", flags.Arg(0))
	case c.interval < time.Second, c.listAll < time.Second, c.unseenAfter < time.Second:
		return errors.New("-interval, -list-all and -unseen must be at least 1s")
	case !(c.rate >= 0.1 && c.rate <= 1000):
		return errors.New("-rate must be between 0.1 and 1000")
	case c.devices < 0 || c.devices > 200_000:
		return errors.New("-devices must be between 0 and 200000")
	}
	return nil
}

// source is the project whose fleet is shown.
type source struct {
	newClient func(...memfault.Option) (*memfault.Client, memfault.ProjectRef, error)
	note      string
}

// fakeSource returns the source of a project in a fake Memfault.
func fakeSource(cloud *memfaulttest.Server, project memfault.ProjectRef, auth memfault.Authenticator) source {
	return source{newClient: func(options ...memfault.Option) (*memfault.Client, memfault.ProjectRef, error) {
		client, err := memfault.NewClient(auth, append(cloud.Options(), options...)...)
		return client, project, err
	}}
}

// run serves the page until ctx ends.
func run(ctx context.Context, c config, out io.Writer) error {
	if !c.fake {
		if _, _, err := memfault.NewClientFromEnv(); err != nil {
			return fmt.Errorf("%w; -fake shows a fake fleet", err)
		}
		if c.store == "" {
			c.store = "dashboard.db"
		}
		return serve(ctx, c, source{newClient: memfault.NewClientFromEnv}, nil, out)
	}
	if c.store == "" {
		dir, err := os.MkdirTemp("", "dashboard")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir) //nolint:errcheck // a temporary directory
		c.store = filepath.Join(dir, "fake.db")
	}
	f, err := newFake(c.devices)
	if err != nil {
		return err
	}
	defer f.cloud.Close()
	if err := f.replay(ctx, c.store); err != nil {
		return err
	}
	c.secrets = []string{fakeSecret}
	return serve(ctx, c, f.source(), f, out)
}

// parts are the parts of the program.
type parts struct {
	project memfault.ProjectRef
	store   *store.Store
	reader  *reader.Reader
	site    *web.Server
}

// newParts opens the store. It sends nothing.
func newParts(ctx context.Context, c config, from source) (*parts, error) {
	limiter := rate.NewLimiter(rate.Limit(c.rate), max(1, int(c.rate)))
	client, project, err := from.newClient(
		memfault.WithRateLimiter(limiter), memfault.WithObserver(reader.CountRequest), memfault.WithUserAgent("memfault-dashboard"),
	)
	if err != nil {
		return nil, err
	}
	p := &parts{project: project}
	if p.store, err = store.Open(ctx, c.store, project); err != nil {
		return nil, err
	}
	p.reader, err = reader.New(ctx, reader.Options{
		Client: client, Project: project, Store: p.store, Interval: c.interval, ListAllEvery: c.listAll, SampleEvery: c.sampleEvery(),
		Changed: func(part string) { p.site.Changed(part) },
	})
	if err == nil {
		p.site, err = web.New(web.Options{
			Client: client, Project: project, Store: p.store, Reader: p.reader, UnseenAfter: c.unseenAfter, RequestsPerSecond: c.rate,
			WebhookSecrets: c.secrets, Note: from.note, Log: c.log,
		})
	}
	if err != nil {
		return nil, errors.Join(err, p.store.Close())
	}
	return p, nil
}

// serve reads from a Memfault and serves the page. f is nil unless that is a fake.
func serve(ctx context.Context, c config, from source, f *fake, out io.Writer) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", c.addr)
	if err != nil {
		return err
	}
	defer listener.Close() //nolint:errcheck // the server closes it too
	p, err := newParts(ctx, c, from)
	if err != nil {
		return err
	}
	url := "http://" + listener.Addr().String()
	fmt.Fprintf(out, "The dashboard of %s/%s is at %s\n", p.project.Organization, p.project.Project, url)
	err = serveUntilDone(ctx, listener, p.site, c.log, p.reader.Run, func(ctx context.Context) {
		if f != nil {
			f.live(ctx, url+"/webhook")
		}
	})
	return errors.Join(err, p.store.Close())
}

// sampleEvery is short for a fake fleet, whose rollout takes minutes.
func (c *config) sampleEvery() time.Duration {
	if c.fake {
		return 10 * time.Second
	}
	return 10 * time.Minute
}

// serveUntilDone serves site, and runs the functions beside it, until ctx ends.
func serveUntilDone(ctx context.Context, listener net.Listener, site *web.Server, log *slog.Logger, beside ...func(context.Context)) error {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	for _, do := range beside {
		running.Go(func() { do(ctx) })
	}
	server := &http.Server{Handler: site.Handler(), ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn)}
	stop := context.AfterFunc(ctx, func() {
		site.Close()
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		_ = server.Shutdown(last)
	})
	defer stop()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
