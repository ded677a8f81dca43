// Command dashboard serves a web page with the state of a fleet: devices by version and cohort,
// rollouts, reboots, issues, deployments, and devices that were not seen.
//
// docs/dashboard.md describes the rules of its verdict, who can read it, and what it costs.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
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
	also        []string // slugs of further projects
	interval    time.Duration
	listAll     time.Duration
	unseenAfter time.Duration
	rate        float64
	fake        bool
	devices     int
	rules       web.Rules
	pollEvery   time.Duration // of a page without events; 0 for the default
	access      access
	secrets     []string         // of the webhook
	now         func() time.Time // time.Now by default
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
	c := config{log: slog.New(slog.NewTextHandler(out, nil)), rules: web.DefaultRules()}
	flags := flag.NewFlagSet("dashboard", flag.ContinueOnError)
	flags.SetOutput(out)
	flags.StringVar(&c.addr, "addr", "127.0.0.1:8070", "`address` to listen on; with port 0, a free port is chosen")
	flags.StringVar(&c.store, "store", "", "`file` that keeps what was read; dashboard.db by default, a temporary file with -fake")
	flags.Var((*list)(&c.also), "also", "slugs of further `projects` of the organization, separated by commas")
	flags.DurationVar(&c.interval, "interval", time.Minute, "time between two reads of devices, deployments, issues and traces")
	flags.DurationVar(&c.listAll, "list-all", time.Hour, "time between two listings of all devices, and of their reboots")
	flags.DurationVar(&c.unseenAfter, "unseen", 7*24*time.Hour, "time after which a device counts as not seen")
	flags.Float64Var(&c.rate, "rate", 20, "limit of the requests to Memfault in a second")
	flags.BoolVar(&c.fake, "fake", false, "show a fake fleet, without an account")
	flags.IntVar(&c.devices, "devices", 500, "`number` of devices of the fake fleet")
	c.access.flags(flags)
	flags.Float64Var(&c.rules.RedRatio, "red-ratio", c.rules.RedRatio, "ratio of the rates of unexpected reboots from which a version is red")
	flags.IntVar(&c.rules.MinDevices, "min-devices", c.rules.MinDevices, "`number` of devices of each version below which versions are not compared")
	flags.Float64Var(&c.rules.MinDeviceDays, "min-device-days", c.rules.MinDeviceDays, "`number` of device-days of each version below which versions are not compared")
	flags.Float64Var(&c.rules.AmberCrashFree, "amber-crash-free", c.rules.AmberCrashFree, "`percentage` of crash-free devices below which they are amber")
	flags.Float64Var(&c.rules.RedCrashFree, "red-crash-free", c.rules.RedCrashFree, "`percentage` of crash-free devices below which they are red")
	flags.Float64Var(&c.rules.AmberMissing, "amber-missing", c.rules.AmberMissing, "`percentage` of missing devices above which they are amber")
	flags.Float64Var(&c.rules.RedMissing, "red-missing", c.rules.RedMissing, "`percentage` of missing devices above which they are red")
	flags.Float64Var(&c.rules.RedIssue, "red-issue", c.rules.RedIssue, "`percentage` of devices from which an issue that only the new version has is red")
	if err := flags.Parse(args); err != nil {
		return c, err
	}
	c.secrets = strings.Fields(strings.ReplaceAll(os.Getenv("MEMFAULT_WEBHOOK_SECRET"), ",", " "))
	return c, c.check(flags)
}

// list is a flag with a list of texts, separated by commas.
type list []string

// String returns the value as it is written.
func (l *list) String() string { return strings.Join(*l, ",") }

// Set adds values.
func (l *list) Set(text string) error {
	for value := range strings.SplitSeq(text, ",") {
		if value = strings.TrimSpace(value); value == "" {
			return errors.New("a value is empty")
		}
		*l = append(*l, value)
	}
	return nil
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
	case c.fake && len(c.also) > 0:
		return errors.New("-fake has one project; -also does not go with it")
	}
	return errors.Join(c.rules.Check(), c.access.check(c.addr))
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

// envSources returns the sources of the project of the environment, and of further ones.
func envSources(also []string) (sources []source) {
	for _, slug := range append([]string{""}, also...) {
		sources = append(sources, source{newClient: func(options ...memfault.Option) (*memfault.Client, memfault.ProjectRef, error) {
			client, project, err := memfault.NewClientFromEnv(options...)
			project.Project = cmp.Or(slug, project.Project)
			return client, project, err
		}})
	}
	return sources
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
		return serve(ctx, c, envSources(c.also), nil, out)
	}
	if c.store == "" {
		dir, err := os.MkdirTemp("", "dashboard")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir) //nolint:errcheck // a temporary directory
		c.store = filepath.Join(dir, "fake.db")
	}
	now := time.Now()
	f, err := newFake(ctx, c.devices, now.Add(-fakeStory))
	if err != nil {
		return err
	}
	defer f.cloud.Close()
	if err := f.replay(ctx, c.store, now); err != nil {
		return err
	}
	c.secrets = []string{fakeSecret}
	return serve(ctx, c, []source{f.source()}, f, out)
}

// parts are the parts of the program that a project has of its own.
type parts struct {
	project memfault.ProjectRef
	store   *store.Store
	reader  *reader.Reader
	site    *web.Server
}

// shared is what the projects share.
type shared struct {
	limiter *rate.Limiter
	metrics *metrics
}

func newShared(c config) shared {
	return shared{rate.NewLimiter(rate.Limit(c.rate), max(1, int(c.rate))), newMetrics()}
}

// newParts opens the store. It sends nothing.
func newParts(ctx context.Context, c config, from source, with shared, several bool) (*parts, error) {
	client, project, err := from.newClient(
		memfault.WithRateLimiter(with.limiter), memfault.WithObserver(with.metrics.observe), memfault.WithUserAgent("memfault-dashboard"),
	)
	if err != nil {
		return nil, err
	}
	p := &parts{project: project}
	path, base := c.store, ""
	if several {
		base = web.BaseOf(project)
		path = strings.TrimSuffix(path, filepath.Ext(path)) + "-" + url.PathEscape(project.Project) + filepath.Ext(path)
	}
	if p.store, err = store.Open(ctx, path, project); err != nil {
		return nil, err
	}
	p.reader, err = reader.New(ctx, reader.Options{
		Client: client, Project: project, Store: p.store, Interval: c.interval, ListAllEvery: c.listAll, SampleEvery: c.sampleEvery(), Now: c.now,
		Changed: func(part string) { p.site.Changed(part) },
	})
	if err == nil {
		p.site, err = web.New(web.Options{
			Client: client, Project: project, Store: p.store, Reader: p.reader, UnseenAfter: c.unseenAfter, RequestsPerSecond: c.rate,
			WebhookSecrets: c.secrets, Rules: c.rules, Note: from.note, Base: base, PollEvery: c.pollEvery, Log: c.log, Now: c.now,
		})
	}
	if err != nil {
		return nil, errors.Join(err, p.store.Close())
	}
	return p, nil
}

// serve reads from Memfault and serves the pages. f is nil unless the source is a fake.
func serve(ctx context.Context, c config, from []source, f *fake, out io.Writer) (err error) {
	access, err := c.access.load()
	if err != nil {
		return err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", c.addr)
	if err != nil {
		return err
	}
	defer listener.Close() //nolint:errcheck // the server closes it too
	with := newShared(c)
	site := &web.Site{Access: access, Metrics: with.metrics.handler()}
	var beside []func(context.Context)
	var names []string
	for _, from := range from {
		p, err := newParts(ctx, c, from, with, len(c.also) > 0)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, p.store.Close()) }()
		with.metrics.add(p)
		site.Servers, beside, names = append(site.Servers, p.site), append(beside, p.reader.Run), append(names, p.project.Organization+"/"+p.project.Project)
	}
	url := "http://" + listener.Addr().String()
	fmt.Fprintf(out, "The dashboard of %s is at %s\n", strings.Join(names, ", "), url)
	return serveUntilDone(ctx, listener, site, c.log, append(beside, func(ctx context.Context) {
		if f != nil {
			f.live(ctx, url+"/webhook")
		}
	})...)
}

// sampleEvery is short for a fake fleet, whose rollout takes minutes.
func (c *config) sampleEvery() time.Duration {
	if c.fake {
		return 10 * time.Second
	}
	return 10 * time.Minute
}

// serveUntilDone serves site, and runs the functions beside it, until ctx ends.
func serveUntilDone(ctx context.Context, listener net.Listener, site *web.Site, log *slog.Logger, beside ...func(context.Context)) error {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	for _, do := range beside {
		running.Go(func() { do(ctx) })
	}
	server := &http.Server{Handler: site.Handler(), ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn)}
	stop := context.AfterFunc(ctx, func() {
		for _, s := range site.Servers {
			s.Close()
		}
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
