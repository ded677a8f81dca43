package memfault

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"net"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"time"

	"github.com/memfault-go/memfault/internal/operation"
)

// Option configures a [Client] when it is created.
type Option func(*config)

// BaseURLs contains the address of each of Memfault's hosts. An empty field has the
// default, unless an earlier option has set it.
//
// The firmware SDK for nRF devices has its own addresses, https://chunks-nrf.memfault.com and
// https://device-nrf.memfault.com, with the same paths. The package uses them as any other address
// if they are set here. Memfault deprecates them, and a public program observed that they end
// every TLS handshake since 2026-07-10. UNCERTAIN(nrf-hosts): whether they still work. Firmware
// SDKs of 2026-08 still send to them; see [ParseChunksURL].
type BaseURLs struct {
	API      string // console API; https://api.memfault.com by default
	Chunks   string // chunks of the firmware SDK; https://chunks.memfault.com
	Ingress  string // events, raw coredumps; https://ingress.memfault.com
	Files    string // uploads; https://files.memfault.com
	Device   string // requests of devices; https://device.memfault.com
	NRFCloud string // nRF Cloud; https://api.nrfcloud.com
}

// Host is the role of one of Memfault's hosts.
type Host int

// Hosts for a [Request]. The zero value is HostAPI.
const (
	HostAPI     Host = iota // https://api.memfault.com
	HostChunks              // https://chunks.memfault.com
	HostIngress             // https://ingress.memfault.com
	HostFiles               // https://files.memfault.com
	HostDevice              // https://device.memfault.com
	// HostNRFCloud is the host of nRF Cloud, which accepts the same organization token and the
	// same slugs, below /v1/organizations/{organization}/projects/{project}/. The package has no
	// methods for it. Requests to it fail with [ErrWrongCredential] if the client uses another
	// built-in credential than an [OrganizationToken], so a [ProjectKey] is never sent there.
	//
	// Lists of nRF Cloud are not read by [NewPager]: a response contains items, the total of the
	// page, and, if there is a next page, pageNextToken, which the next request repeats in its
	// query. The parameter pageLimit limits a page. See the example of [Client.Do]. The older paths of nRF Cloud, directly below /v1/, respond with 401 to an
	// organization token.
	//
	// UNCERTAIN(nrf-cloud-lists): whether lists below an organization have this form too, which was
	// observed below /v1/. Some programs send the header x-nrfcloud-tenantid, which is optional where
	// it was observed; see [WithHeader].
	HostNRFCloud
)

// RateLimiter delays requests. The Limiter of golang.org/x/time/rate is one. If a wait would
// exceed the deadline of the context, that Limiter fails immediately, before the context ends.
type RateLimiter = interface {
	Wait(ctx context.Context) error
}

// Attempt describes one HTTP request and its response to an observer; see [WithObserver].
type Attempt struct {
	Operation  string // the API's short name, such as devices.list
	Method     string
	Host       string        // the host of the request
	Number     int           // 1 for the first attempt of a call
	StatusCode int           // 0 if no response was received
	Duration   time.Duration // until the response header, or the failure
	RetryAfter time.Duration // the wait that the response asks for; 0 if it asks for none
	RequestID  string
	Err        error // why no response was received; without secrets
}

type config struct {
	urls       [operation.Presigned]baseURL
	insecure   bool
	httpClient *http.Client
	retry      RetryPolicy
	timeout    time.Duration
	logger     *slog.Logger
	observe    func(context.Context, Attempt)
	limiter    RateLimiter
	userAgent  string
	err        error
}

// baseURL is the address of a host and the option that set it.
type baseURL struct{ text, option string }

func (c *config) fail(format string, args ...any) {
	c.err = errors.Join(c.err, invalid(format, args...))
}

// WithBaseURL sends the requests of all hosts to one address: a proxy, or a fake cloud in
// tests.
func WithBaseURL(url string) Option {
	return func(c *config) {
		if url == "" {
			c.fail("WithBaseURL: the URL must not be empty")
		}
		for role := range c.urls {
			c.urls[role] = baseURL{url, "WithBaseURL"}
		}
	}
}

// WithBaseURLs sets the address of each host. An empty field keeps what an earlier option
// has set, or the default.
func WithBaseURLs(urls BaseURLs) Option {
	return func(c *config) {
		for role, url := range urls.byRole() {
			if url.text != "" {
				c.urls[role] = url
			}
		}
	}
}

func (u BaseURLs) byRole() (urls [operation.Presigned]baseURL) {
	urls[operation.API] = baseURL{u.API, "WithBaseURLs: API"}
	urls[operation.Chunks] = baseURL{u.Chunks, "WithBaseURLs: Chunks"}
	urls[operation.Ingress] = baseURL{u.Ingress, "WithBaseURLs: Ingress"}
	urls[operation.Files] = baseURL{u.Files, "WithBaseURLs: Files"}
	urls[operation.Device] = baseURL{u.Device, "WithBaseURLs: Device"}
	urls[operation.NRFCloud] = baseURL{u.NRFCloud, "WithBaseURLs: NRFCloud"}
	return urls
}

// WithHTTPClient sends requests with the given client: its transport, cookie jar, timeout and
// redirect policy. The client is copied and never modified. Two rules take precedence over its
// redirect policy: only GET and HEAD requests follow a redirect, and a redirect to plain http
// fails unless a base URL could have that address.
//
// A transport of one's own should do what the package's own transport does beyond that of
// net/http. It keeps up to 128 idle connections to a host. It sends a ping on an HTTP/2
// connection that was silent for 15 seconds, and closes the connection if no response arrives
// within 15 seconds ([net/http.HTTP2Config.SendPingTimeout] and PingTimeout). Without pings, a
// connection that a NAT or a load balancer has forgotten fails every call, for about 15 minutes.
// If a proxy refuses a connection, the package's own transport names the proxy in the error, and
// the call is not retried after a 4xx other than 408 and 429
// ([net/http.Transport.OnProxyConnectResponse]). It waits up to 1 second for the storage to accept a
// large upload before it sends the file ([net/http.Transport.ExpectContinueTimeout]); without
// that, a response that rejects the file can be lost. It opens another connection instead of
// waiting for one: if a transport has MaxConnsPerHost or StrictMaxConcurrentRequests set, its
// waits count towards the time limit of an attempt.
func WithHTTPClient(client *http.Client) Option {
	return func(c *config) {
		if client == nil || isNil(client.Transport) && client.Transport != nil {
			c.fail("WithHTTPClient: the client and its Transport must not be nil pointers")
			return
		}
		c.httpClient = client
	}
}

// isNil reports whether an interface value is nil or contains a nil pointer or function.
func isNil(value any) bool {
	switch v := reflect.ValueOf(value); v.Kind() {
	case reflect.Invalid:
		return true
	case reflect.Pointer, reflect.Func:
		return v.IsNil()
	default:
		return false
	}
}

// WithRetry sets how often, and after which delays, failed requests are retried. A zero field
// has its default.
func WithRetry(policy RetryPolicy) Option { return func(c *config) { c.retry = policy } }

// WithTimeout limits how long each attempt waits for the response header. The limit starts
// with the attempt and restarts whenever a part of a large request body is sent. It is 60
// seconds by default; 0 sets no limit. Reading the response body may take longer, but fails
// if the body makes no progress for 1 minute. A deadline for the whole call belongs in its
// context.
func WithTimeout(timeout time.Duration) Option {
	return func(c *config) {
		if timeout < 0 {
			c.fail("WithTimeout: %v must not be negative", timeout)
		}
		if timeout == 0 {
			timeout = math.MaxInt64
		}
		c.timeout = timeout
	}
}

// WithLogger logs each attempt at debug level. Attempts without a response, rate-limited
// attempts and server errors are logged at warn level instead. No line contains a query or
// a credential.
func WithLogger(logger *slog.Logger) Option { return func(c *config) { c.logger = logger } }

// WithObserver calls observe after each attempt, for metrics and traces, with the context of
// the call. It must be safe for concurrent use, because calls can be concurrent.
func WithObserver(observe func(ctx context.Context, attempt Attempt)) Option {
	return func(c *config) { c.observe = observe }
}

// WithRateLimiter waits for limiter before each attempt, including retries. If limiter returns
// an error, the call fails with it. All calls of the client, and of the clients that
// [Client.WithAuth] returns, wait for the same limiter.
//
// UNCERTAIN(console-rate-limit): which request rate Memfault accepts. It publishes no limit of the
// console API; limits are known only for what each device sends and asks for. Without a limiter,
// the client makes as many requests as the program makes calls. A program that reads whole fleets
// beside others is polite with about 10 requests a second, and with a Prefetch of at most 8; that
// is a guess of this package. A 429 delays all calls of the credential, whatever the limiter.
func WithRateLimiter(limiter RateLimiter) Option {
	return func(c *config) {
		if limiter != nil && isNil(limiter) {
			c.fail("WithRateLimiter: the limiter must not be a nil %T", limiter)
		}
		c.limiter = limiter
	}
}

// WithUserAgent puts product, such as "acme-relay/1.2", before the package's own name in
// the User-Agent header.
func WithUserAgent(product string) Option {
	return func(c *config) {
		if strings.ContainsFunc(product, isControl) {
			c.fail("WithUserAgent: the product must not contain control characters")
		}
		c.userAgent = strings.TrimSpace(product + " " + defaultUserAgent())
	}
}

// WithInsecureHTTP allows plain http to addresses other than loopback. Credentials and data
// then cross the network unencrypted.
func WithInsecureHTTP() Option { return func(c *config) { c.insecure = true } }

func defaultConfig() config {
	return config{
		urls: BaseURLs{
			API:     "https://api.memfault.com",
			Chunks:  "https://chunks.memfault.com",
			Ingress: "https://ingress.memfault.com",
			Files:   "https://files.memfault.com",
			Device:  "https://device.memfault.com",

			NRFCloud: "https://api.nrfcloud.com",
		}.byRole(),
		timeout:   60 * time.Second,
		userAgent: defaultUserAgent(),
	}
}

// hosts contains the address of each host, by its role.
type hosts [operation.Presigned]*url.URL

func (c *config) hosts() (hosts, error) {
	var parsed hosts
	for role, base := range c.urls {
		u, err := parseBaseURL(base.text, c.insecure)
		if err != nil {
			return hosts{}, invalid("%s: %w", base.option, err)
		}
		parsed[role] = u
	}
	return parsed, nil
}

// parseBaseURL does not quote a URL that it rejects, because it may contain a password.
func parseBaseURL(text string, insecure bool) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return nil, errors.New("the text does not parse as a URL")
	case u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "":
		return nil, errors.New("the URL must be an absolute http or https URL")
	case u.User != nil:
		return nil, errors.New("the URL must not contain a user name; credentials belong in the Authenticator")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return nil, errors.New("the URL must not contain a query or a fragment")
	case u.Scheme == "http" && !insecure && !isLoopback(u.Hostname()):
		return nil, errors.New("plain http requires WithInsecureHTTP or a loopback address")
	}
	path := strings.TrimRight(u.EscapedPath(), "/") // an escaped slash at the end remains
	if u.Path, err = url.PathUnescape(path); u.RawPath != "" {
		u.RawPath = path
	}
	return u, err
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

// own reports whether u leads to one of the hosts. Credentials are sent nowhere else.
func (h *hosts) own(u *url.URL) bool {
	for _, base := range h {
		if u.Scheme == base.Scheme && (u.Host == base.Host || canonicalHost(u) == canonicalHost(base)) {
			return true
		}
	}
	return false
}

// onlyNRFCloud reports whether u leads to nRF Cloud and to no other of the hosts.
func (h *hosts) onlyNRFCloud(u *url.URL) bool {
	others := *h
	others[operation.NRFCloud] = h[operation.API]
	return h.own(u) && !others.own(u)
}

func canonicalHost(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return net.JoinHostPort(strings.ToLower(u.Hostname()), port)
}
