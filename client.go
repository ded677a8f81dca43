package memfault

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-retryablehttp"

	"github.com/memfault-go/memfault/internal/operation"
)

// Client calls the Memfault API through its services. Create it with [NewClient]; the methods
// of a zero Client return an error. A Client is not modified by its methods and is safe for
// concurrent use by multiple goroutines. Create one Client and reuse it, because it keeps
// connections open.
//
// Methods return models. If a model is decoded and encoded again, every known field keeps the
// form in which Memfault sent it, with these exceptions:
//
//   - null in a string, a number, a bool or a nested struct becomes the zero value. In a
//     pointer, a slice, a map, raw JSON or a time it stays null.
//   - A [Timestamp] is encoded in UTC with a Z, in microseconds.
//   - A [Task] encodes its status alone; Task.Reply contains the rest.
//   - A [DeviceAttribute] keeps one of the forms in which Memfault sends its metric.
//
// Fields that Memfault did not send are encoded as null, empty or 0. Unknown fields are
// dropped; use [Client.Do] to read them.
type Client struct {
	core    *core
	auth    Authenticator
	invalid error // why auth cannot be used; WithAuth returns no error

	Account          *AccountService
	Organizations    *OrganizationsService
	Projects         *ProjectsService
	Releases         *ReleasesService
	Artifacts        *ArtifactsService
	Cohorts          *CohortsService
	Deployments      *DeploymentsService
	Devices          *DevicesService
	Installs         *InstallsService
	Software         *SoftwareService
	HardwareVersions *HardwareVersionsService
	Chunks           *ChunksService
	Events           *EventsService
	Issues           *IssuesService
	Traces           *TracesService
	Coredumps        *CoredumpsService
	Recordings       *RecordingsService
	Metrics          *MetricsService
	Alerts           *AlertsService
	DeviceConfig     *DeviceConfigService
	ProcessingLog    *ProcessingLogService
	MCP              *MCPService
	Tasks            *TasksService
	Uploads          *UploadsService
}

// core is shared by the clients that WithAuth returns.
type core struct {
	config  config
	hosts   hosts
	retrier *retryablehttp.Client
	limits  rateLimits
	buffers bufferPool
	rpcID   atomic.Int64 // of the last JSON-RPC request

	closeIdle func()
	userAgent []string // values of headers; each attempt has a copy
	accept    []string
}

// NewClient returns a [Client] that authenticates with auth. It opens no connection. If auth
// or an option cannot be used, NewClient fails with [ErrInvalidArgument].
func NewClient(auth Authenticator, opts ...Option) (*Client, error) {
	if err := validateAuth(auth); err != nil {
		return nil, err
	}
	cfg := defaultConfig()
	for _, opt := range opts {
		if opt != nil {
			opt(&cfg)
		}
	}
	if cfg.err != nil {
		return nil, cfg.err
	}
	base, err := cfg.hosts()
	if err != nil {
		return nil, err
	}
	if cfg.retry, err = cfg.retry.withDefaults(); err != nil {
		return nil, err
	}
	if cfg.httpClient == nil {
		cfg.httpClient = &http.Client{Transport: newTransport()}
	}
	given := *cfg.httpClient
	shared := &core{config: cfg, hosts: base, closeIdle: given.CloseIdleConnections, userAgent: []string{cfg.userAgent}, accept: []string{"application/json"}}
	shared.limits.policy = cfg.retry
	shared.retrier = cfg.retry.newRetrier(shared.newHTTPClient())
	return newClient(shared, auth), nil
}

func newClient(shared *core, auth Authenticator) *Client {
	c := &Client{core: shared, auth: auth, invalid: validateAuth(auth)}
	c.Account = &AccountService{c}
	c.Organizations = &OrganizationsService{c}
	c.Projects = &ProjectsService{c}
	c.Releases = &ReleasesService{c}
	c.Artifacts = &ArtifactsService{c}
	c.Cohorts = &CohortsService{c}
	c.Deployments = &DeploymentsService{c}
	c.Devices = &DevicesService{c}
	c.Installs = &InstallsService{c}
	c.Software = &SoftwareService{c}
	c.HardwareVersions = &HardwareVersionsService{c}
	c.DeviceConfig = &DeviceConfigService{c}
	c.ProcessingLog = &ProcessingLogService{c}
	c.MCP = &MCPService{c}
	c.Chunks = &ChunksService{c}
	c.Events = &EventsService{c}
	c.Issues = &IssuesService{c}
	c.Traces = &TracesService{c}
	c.Coredumps = &CoredumpsService{c}
	c.Recordings = &RecordingsService{c}
	c.Metrics = &MetricsService{c}
	c.Alerts = &AlertsService{c}
	c.Tasks = &TasksService{c}
	c.Uploads = &UploadsService{c}
	return c
}

// WithAuth returns a Client that differs from c only in its credential and shares
// everything else with c, including connections. If auth is nil or cannot be used, every
// call of the returned Client fails with [ErrInvalidArgument].
func (c *Client) WithAuth(auth Authenticator) *Client {
	if c == nil {
		return newClient(nil, auth)
	}
	return newClient(c.core, auth)
}

// CloseIdleConnections closes the connections that are idle, as the method of
// [net/http.Client] does. Requests in flight are not affected. Clients that [Client.WithAuth]
// returned share their connections.
func (c *Client) CloseIdleConnections() {
	if c.checkInitialized() == nil {
		c.core.closeIdle()
	}
}

// checkInitialized returns an error for a client that NewClient did not create.
func (c *Client) checkInitialized() error {
	if c == nil || c.core == nil {
		return invalid("the Client is nil or was not created by NewClient")
	}
	return nil
}

// String returns the API host and the kind of the client's credential.
func (c *Client) String() string {
	if c.checkInitialized() != nil {
		return "memfault.Client (not created by NewClient)"
	}
	kind := "custom authenticator"
	if _, ok := kindOf(c.auth); ok {
		kind = fmt.Sprint(c.auth)
	}
	return "memfault.Client (" + c.core.hosts[HostAPI].Redacted() + ", " + kind + ")"
}

// GoString returns the same as String.
func (c *Client) GoString() string { return c.String() }

// clientOf returns the client of a service. For a service without one, such as those of a
// zero Client, it returns a zero Client, which every operation rejects.
func clientOf[S ~struct{ client *Client }](service *S) *Client {
	if service == nil || (struct{ client *Client })(*service).client == nil {
		return new(Client)
	}
	return (struct{ client *Client })(*service).client
}

// ProjectRef identifies a project by its slug and the slug of its organization.
type ProjectRef struct {
	Organization string
	Project      string
}

// path returns the values for the placeholders of a path below the project.
func (p ProjectRef) path(more ...string) []string {
	path := make([]string, 0, 2+len(more))
	return append(append(path, p.Organization, p.Project), more...)
}

// newHTTPClient returns the http.Client that sends the attempts.
func (c *core) newHTTPClient() *http.Client {
	client := *c.config.httpClient
	next := client.Transport
	if next == nil {
		next = http.DefaultTransport
	}
	client.Transport = &attemptTransport{core: c, next: next}
	client.CheckRedirect = c.redirectPolicy(client.CheckRedirect)
	return &client
}

// Times of the pings with which a transport finds out that an HTTP/2 connection is dead.
const (
	sendPingAfter = 15 * time.Second // without a frame from the server
	pingTimeout   = 15 * time.Second
)

// newTransport keeps enough idle connections to one host for the concurrent requests of a
// prefetching Pager and of a chunk sender. The default of net/http is two, so that nearly
// every request would open a new connection.
//
// It also sends pings on HTTP/2 connections. A NAT or a load balancer can forget a connection
// without closing it. By default, net/http uses such a connection for every request until the
// system gives up, after about 15 minutes.
func newTransport() *http.Transport {
	transport, ok := http.DefaultTransport.(*http.Transport)
	if ok {
		transport = transport.Clone()
	} else { // a program replaced the default; these are the values of net/http
		dialer := &net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second}
		transport = &http.Transport{
			Proxy: http.ProxyFromEnvironment, DialContext: dialer.DialContext, ForceAttemptHTTP2: true,
			IdleConnTimeout: 90 * time.Second, TLSHandshakeTimeout: 10 * time.Second, ExpectContinueTimeout: time.Second,
		}
	}
	if transport.HTTP2 == nil {
		transport.HTTP2 = &http.HTTP2Config{}
	}
	transport.HTTP2.SendPingTimeout = cmp.Or(transport.HTTP2.SendPingTimeout, sendPingAfter)
	transport.HTTP2.PingTimeout = cmp.Or(transport.HTTP2.PingTimeout, pingTimeout)
	transport.OnProxyConnectResponse = refusalOfProxy(transport.OnProxyConnectResponse) //nolint:bodyclose // net/http closes it
	transport.MaxIdleConns = 512
	transport.MaxIdleConnsPerHost = 128
	return transport
}

// refusalOfProxy returns a hook that names the proxy that refuses a connection; net/http returns
// only the text of the status. A status that asks for another request or another credential is final.
func refusalOfProxy(next func(context.Context, *url.URL, *http.Request, *http.Response) error) func(context.Context, *url.URL, *http.Request, *http.Response) error {
	return func(ctx context.Context, proxy *url.URL, req *http.Request, resp *http.Response) error {
		if next != nil {
			if err := next(ctx, proxy, req, resp); err != nil {
				return err
			}
		}
		if resp.StatusCode == http.StatusOK {
			return nil
		}
		err := proxyError(fmt.Sprintf("the proxy %s refused the connection: %d %s", proxy.Host, resp.StatusCode, statusText(resp.StatusCode)))
		switch {
		case resp.StatusCode == http.StatusRequestTimeout, resp.StatusCode == http.StatusTooManyRequests, resp.StatusCode/100 != 4:
			return err
		default:
			return &permanentError{err}
		}
	}
}

// proxyError is why a proxy did not connect to the host. Nothing of the request was sent.
type proxyError string

func (e proxyError) Error() string { return string(e) }

// redirectPolicy follows redirects of GET and HEAD only: net/http would turn another method
// into a GET, or send its body to a host that the caller did not choose. attemptTransport adds
// the credential to requests to the client's own hosts alone.
func (c *core) redirectPolicy(next func(*http.Request, []*http.Request) error) func(*http.Request, []*http.Request) error {
	return func(req *http.Request, via []*http.Request) error {
		first := via[0]
		switch {
		case first.Method != http.MethodGet && first.Method != http.MethodHead:
			return http.ErrUseLastResponse
		case len(via) >= 10:
			return permanent("stopped after 10 redirects")
		case !c.allowedScheme(req.URL):
			return permanent("redirect to plain http")
		case c.hosts.onlyNRFCloud(req.URL) && callFrom(req.Context()).op.Host != operation.NRFCloud:
			// Its credentials are those of the client's hosts, and may be a project key.
			return permanent("redirect to nRF Cloud")
		case next == nil:
			return nil
		}
		err := next(req, via)
		if err == nil || err == http.ErrUseLastResponse { //nolint:errorlint // net/http compares it in this way
			return err
		}
		return &permanentError{err}
	}
}

func (c *core) allowedScheme(u *url.URL) bool {
	return u.Scheme == "https" || u.Scheme == "http" && (c.config.insecure || isLoopback(u.Hostname()))
}
