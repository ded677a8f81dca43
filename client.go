package memfault

import (
	"net/http"
	"net/url"

	"github.com/hashicorp/go-retryablehttp"
)

// Version is the version of this package, as its User-Agent header names it.
const Version = "0.1.0"

// Client talks to the Memfault cloud through its services. It is safe for
// concurrent use and never changes; NewClient makes one.
type Client struct {
	core    *core
	auth    Authenticator
	invalid error // why auth cannot be used; WithAuth has no other way to tell

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
	Tasks            *TasksService
	Uploads          *UploadsService
}

// core is what clients of different credentials share.
type core struct {
	config  config
	hosts   hosts
	retrier *retryablehttp.Client
	buffers bufferPool

	userAgent []string // the header's value
}

// NewClient returns a Client that authenticates with auth. It opens no connection.
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
	shared := &core{config: cfg, hosts: base, userAgent: []string{cfg.userAgent}}
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

// WithAuth returns a Client that differs only in its credential and shares all
// else with c, connections included. A nil or unusable auth makes every call fail.
func (c *Client) WithAuth(auth Authenticator) *Client {
	if c == nil {
		return newClient(nil, auth)
	}
	return newClient(c.core, auth)
}

// usable refuses a client that is nil or was not made by NewClient.
func (c *Client) usable() error {
	if c == nil || c.core == nil {
		return invalid("the client is nil, or was not made by NewClient")
	}
	return nil
}

// String names the client's credential by its kind and its API host.
func (c *Client) String() string {
	if c.usable() != nil {
		return "memfault.Client (not made by NewClient)"
	}
	kind := "custom authenticator"
	if held, ok := c.auth.(credential); ok {
		kind = held.String()
	}
	return "memfault.Client (" + c.core.hosts[HostAPI].Redacted() + ", " + kind + ")"
}

// GoString is String.
func (c *Client) GoString() string { return c.String() }

// clientOf returns the client of a service. For a service without one, such as those of a
// zero Client, it returns a zero Client, which every operation rejects.
func clientOf[S ~struct{ client *Client }](service *S) *Client {
	if service == nil || (struct{ client *Client })(*service).client == nil {
		return new(Client)
	}
	return (struct{ client *Client })(*service).client
}

// ProjectRef names a project by the slugs of its organization and its own.
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
	given := c.config.httpClient
	if given == nil {
		given = &http.Client{Transport: newTransport()}
	}
	client := *given
	if client.Transport == nil {
		client.Transport = http.DefaultTransport
	}
	client.Transport = &signer{core: c, next: client.Transport}
	client.CheckRedirect = c.redirectPolicy(given.CheckRedirect)
	return &client
}

// newTransport keeps enough idle connections to one host for the parallel
// requests of a prefetching Pager and of a chunk sender: with net/http's two,
// nearly each of them would open a new one.
func newTransport() *http.Transport {
	transport, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		transport = &http.Transport{Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true}
	}
	transport = transport.Clone()
	transport.MaxIdleConns = 512
	transport.MaxIdleConnsPerHost = 128
	return transport
}

// redirectPolicy follows redirects of GET and HEAD only: another method would
// either be turned into a GET or send its body to a host that nobody named. The
// credential is added below this level, to the client's own hosts alone.
func (c *core) redirectPolicy(next func(*http.Request, []*http.Request) error) func(*http.Request, []*http.Request) error {
	return func(req *http.Request, via []*http.Request) error {
		first := via[0]
		switch {
		case first.Method != http.MethodGet && first.Method != http.MethodHead:
			return http.ErrUseLastResponse
		case len(via) >= 10:
			return permanent("stopped after 10 redirects")
		case !c.allowedScheme(req.URL):
			return permanent("a redirect to plain http was refused")
		case next == nil:
			return nil
		}
		err := next(req, via)
		if err == nil || err == http.ErrUseLastResponse { //nolint:errorlint // net/http looks for the very value
			return err
		}
		return &permanentError{err}
	}
}

func (c *core) allowedScheme(u *url.URL) bool {
	return u.Scheme == "https" || u.Scheme == "http" && (c.config.insecure || isLoopback(u.Hostname()))
}
