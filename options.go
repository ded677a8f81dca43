package memfault

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/memfault-go/memfault/internal/operation"
)

// Option configures a Client when it is made.
type Option func(*config)

// BaseURLs holds the address of each of Memfault's hosts; an empty one keeps the
// default.
type BaseURLs struct {
	API     string // https://api.memfault.com: the console's API
	Chunks  string // https://chunks.memfault.com: chunks of the firmware SDK
	Ingress string // https://ingress.memfault.com: events, raw coredumps
	Files   string // https://files.memfault.com: uploads
	Device  string // https://device.memfault.com: what devices ask for
}

// Host is the role of one of Memfault's hosts.
type Host int

// The hosts that a Request can name. The zero value is the API host.
const (
	HostAPI     = Host(operation.API)
	HostChunks  = Host(operation.Chunks)
	HostIngress = Host(operation.Ingress)
	HostFiles   = Host(operation.Files)
	HostDevice  = Host(operation.Device)
)

// RateLimiter is asked before each attempt. The Limiter of golang.org/x/time/rate
// is one.
type RateLimiter = interface {
	Wait(ctx context.Context) error
}

// Attempt tells an observer about one HTTP exchange.
type Attempt struct {
	Operation  string // the API's short name, such as devices.list
	Method     string
	Host       string        // the host that was asked
	Number     int           // 1 for the first attempt of a call
	StatusCode int           // 0 when no answer came
	Duration   time.Duration // until the answer's header, or the failure
	RequestID  string
	Err        error // why no answer came; holds no secret
}

type config struct {
	urls       BaseURLs
	insecure   bool
	httpClient *http.Client
	retry      RetryPolicy
	timeout    time.Duration
	logger     *slog.Logger
	observe    func(Attempt)
	limiter    RateLimiter
	userAgent  string
	err        error
}

func (c *config) fail(format string, args ...any) {
	c.err = errors.Join(c.err, invalid(format, args...))
}

// WithBaseURL sends the requests of all hosts to one address: a proxy, or a fake
// cloud in tests.
func WithBaseURL(url string) Option {
	return func(c *config) {
		if url == "" {
			c.fail("WithBaseURL: the URL is empty")
		}
		c.urls = BaseURLs{API: url, Chunks: url, Ingress: url, Files: url, Device: url}
	}
}

// WithBaseURLs sets the address of each host; an empty one keeps what it was.
func WithBaseURLs(urls BaseURLs) Option {
	return func(c *config) {
		for _, pair := range []struct{ to, from *string }{
			{&c.urls.API, &urls.API},
			{&c.urls.Chunks, &urls.Chunks},
			{&c.urls.Ingress, &urls.Ingress},
			{&c.urls.Files, &urls.Files},
			{&c.urls.Device, &urls.Device},
		} {
			if *pair.from != "" {
				*pair.to = *pair.from
			}
		}
	}
}

// WithHTTPClient sends requests with a client of your own: its transport, cookie
// jar, timeout and redirect policy. It is copied and never changed. Two rules
// come before its redirect policy: only GET and HEAD follow a redirect, and no
// redirect leads to plain http where a base URL could not be plain http either.
func WithHTTPClient(client *http.Client) Option {
	return func(c *config) {
		if client == nil {
			c.fail("WithHTTPClient: the client is nil")
			return
		}
		c.httpClient = client
	}
}

// WithRetry sets how often and after what waits a failed request is repeated.
// Fields that are zero keep their defaults.
func WithRetry(policy RetryPolicy) Option { return func(c *config) { c.retry = policy } }

// WithTimeout limits each attempt, from its start, or from the last part of a body
// that was sent, until the header of its answer; the answer's body may take longer.
// The default is 60 seconds; 0 sets no limit.
// A deadline for the whole call belongs into its context.
func WithTimeout(timeout time.Duration) Option {
	return func(c *config) {
		if timeout < 0 {
			c.fail("WithTimeout: %v is negative", timeout)
		}
		if timeout == 0 {
			timeout = math.MaxInt64
		}
		c.timeout = timeout
	}
}

// WithLogger logs each attempt: at debug level, and at warn level those that no
// answer came to, that were rate limited or that the server failed. No line holds
// a query or a credential.
func WithLogger(logger *slog.Logger) Option { return func(c *config) { c.logger = logger } }

// WithObserver calls observe after each attempt, for metrics and traces. It may be
// called from several goroutines at once.
func WithObserver(observe func(Attempt)) Option { return func(c *config) { c.observe = observe } }

// WithRateLimiter waits for limiter before each attempt, retries included.
func WithRateLimiter(limiter RateLimiter) Option { return func(c *config) { c.limiter = limiter } }

// WithUserAgent puts product, such as "acme-relay/1.2", before the package's own
// name in the User-Agent header.
func WithUserAgent(product string) Option {
	return func(c *config) {
		if strings.ContainsFunc(product, isControl) {
			c.fail("WithUserAgent: the product holds a line break or another control character")
		}
		c.userAgent = strings.TrimSpace(product + " " + defaultUserAgent)
	}
}

// WithInsecureHTTP allows plain http to addresses other than loopback. Credentials
// and data then cross the network in clear.
func WithInsecureHTTP() Option { return func(c *config) { c.insecure = true } }

const defaultUserAgent = "memfault-go/" + Version

func defaultConfig() config {
	return config{
		urls: BaseURLs{
			API:     "https://api.memfault.com",
			Chunks:  "https://chunks.memfault.com",
			Ingress: "https://ingress.memfault.com",
			Files:   "https://files.memfault.com",
			Device:  "https://device.memfault.com",
		},
		timeout:   60 * time.Second,
		userAgent: defaultUserAgent,
	}
}

// hosts holds the address of each host, by its role.
type hosts [operation.Presigned]*url.URL

func (c *config) hosts() (hosts, error) {
	var parsed hosts
	for role, text := range map[operation.Host]string{
		operation.API:     c.urls.API,
		operation.Chunks:  c.urls.Chunks,
		operation.Ingress: c.urls.Ingress,
		operation.Files:   c.urls.Files,
		operation.Device:  c.urls.Device,
	} {
		base, err := parseBaseURL(text, c.insecure)
		if err != nil {
			return hosts{}, invalid("base URL of the %s host: %w", role, err)
		}
		parsed[role] = base
	}
	return parsed, nil
}

// parseBaseURL quotes nothing of a URL that it refuses: it may hold a password.
func parseBaseURL(text string, insecure bool) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return nil, errors.New("it does not parse as a URL")
	case u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "":
		return nil, errors.New("it is not an absolute http or https URL")
	case u.User != nil:
		return nil, errors.New("it holds a user name; credentials belong into the Authenticator")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return nil, errors.New("it holds a query or a fragment")
	case u.Scheme == "http" && !insecure && !isLoopback(u.Hostname()):
		return nil, errors.New("plain http needs WithInsecureHTTP or a loopback address")
	}
	u.Path = strings.TrimRight(u.Path, "/")
	u.RawPath = strings.TrimRight(u.RawPath, "/")
	return u, nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// own reports whether u leads to one of the hosts. Credentials go nowhere else.
func (h *hosts) own(u *url.URL) bool {
	for _, base := range h {
		if u.Scheme == base.Scheme && (u.Host == base.Host || canonicalHost(u) == canonicalHost(base)) {
			return true
		}
	}
	return false
}

func canonicalHost(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return net.JoinHostPort(strings.ToLower(u.Hostname()), port)
}
