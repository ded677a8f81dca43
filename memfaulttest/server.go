package memfaulttest

import (
	"context"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/internal/fakecloud"
	"github.com/memfault-go/memfault/internal/operation"
)

// Server is a fake Memfault. Its methods are safe for concurrent use by multiple goroutines.
// Create it with [NewServer], [NewInMemoryServer] or [Start].
//
// What chunks contain has consequences for the device that it names, or otherwise for that of the
// request:
//
//   - the device gets the software type, the software version and the hardware version;
//   - a reboot is added to the device; one with an error becomes a trace, unless a coredump was
//     saved, which becomes a trace when it arrives. A trace has the log that came along as its
//     message. There is an issue for each reason and place; the place is an address;
//   - lines of a log become a log file of the device, and a recording can be downloaded;
//   - a coredump can be downloaded as it came. Its symbols are those with its build ID, or without
//     one those of its software version, also if they are uploaded later;
//   - a heartbeat becomes a report, and sets the attributes of the device that the project has,
//     if the names of its metrics are known: from uploaded symbols or [Server.AddMetricNames].
//
// A coredump that is uploaded as a file is read in the same way. The server keeps the last 10,000
// of the events, traces, reports and recordings that came in chunks, and of each device the last
// 1,000 reboots and log files.
//
// The server does not unwind stacks and reads no variables, so it names no function. It does not
// read archives of memfaultd (MAR), compact logs and the coredumps of Linux processes, and does not
// divide metrics by their scale, which chunks do not contain.
type Server struct {
	// URL is the base URL of an address that serves all hosts of Memfault.
	URL string

	cloud   *fakecloud.Cloud
	urls    memfault.BaseURLs
	network network
	servers []*http.Server
}

// network is where a Server listens.
type network interface {
	// listen returns a listener for a host, and its base URL.
	listen(host string) (net.Listener, string, error)
	// dial connects to a listener.
	dial(ctx context.Context, network, address string) (net.Conn, error)
}

// NewServer starts a server on loopback. It is closed when the test ends. If it has recorded
// violations by then, the test fails; see [Server.Violations].
func NewServer(t testing.TB) *Server {
	t.Helper()
	return newServer(t, loopback{})
}

// NewInMemoryServer is like [NewServer], but the server opens no socket, so that it can be
// used in a bubble of testing/synctest. Only the clients that [Server.Client],
// [Server.Options] and [Server.HTTPClient] provide can connect to it. For the waits of a real
// client in a bubble, add [memfault.WithRetry] with a zero [memfault.RetryPolicy] after the
// Options.
func NewInMemoryServer(t testing.TB) *Server {
	t.Helper()
	return newServer(t, newPipes())
}

// Start starts a server on loopback. The caller must close it.
func Start() (*Server, error) { return start(loopback{}) }

func newServer(t testing.TB, on network) *Server {
	t.Helper()
	s, err := start(on)
	if err != nil {
		t.Fatalf("memfaulttest: %v", err)
	}
	t.Cleanup(func() {
		s.Close()
		s.cloud.EndChunks()
		for _, violation := range s.Violations() {
			t.Errorf("memfaulttest: %s", violation)
		}
	})
	return s
}

// start starts a server with an address for all hosts, and one for each host that serves
// only what the real host is known to serve.
func start(on network) (*Server, error) {
	s := &Server{cloud: fakecloud.New(), network: on}
	for host, to := range map[string]struct {
		url   *string
		roles []operation.Host
	}{
		"all":     {&s.URL, nil},
		"api":     {&s.urls.API, []operation.Host{operation.API}},
		"chunks":  {&s.urls.Chunks, []operation.Host{operation.Chunks}},
		"ingress": {&s.urls.Ingress, []operation.Host{operation.Ingress}},
		"files":   {&s.urls.Files, []operation.Host{operation.Files}},
		"device":  {&s.urls.Device, []operation.Host{operation.Device}},
		"nrf":     {&s.urls.NRFCloud, []operation.Host{operation.NRFCloud}},
	} {
		listener, url, err := on.listen(host)
		if err != nil {
			s.Close()
			return nil, err
		}
		*to.url = url
		server := &http.Server{Handler: s.cloud.Handler(to.roles...), ReadHeaderTimeout: time.Minute}
		s.servers = append(s.servers, server)
		go func() { _ = server.Serve(listener) }() // ends when the server is closed
	}
	return s, nil
}

// Close stops the server and closes all connections. Requests that are still being served
// fail, and webhooks that are not delivered yet are dropped.
func (s *Server) Close() {
	s.cloud.CloseWebhooks()
	for _, server := range s.servers {
		_ = server.Close()
	}
}

// Handler returns a handler that serves all hosts of Memfault, as [Server.URL] does, for a
// program that listens itself. To serve an endpoint that the server does not have, add it to an
// [http.ServeMux] beside the handler, which has the pattern "/", and use the address of the mux
// with [memfault.WithBaseURL].
func (s *Server) Handler() http.Handler { return s.cloud.Handler() }

// BaseURLs returns the address of each host. A host at such an address serves only the
// operations that the real host serves. The host of nRF Cloud serves nothing.
func (s *Server) BaseURLs() memfault.BaseURLs { return s.urls }

// Options returns the options of a client for the server: its addresses, and retries that
// wait only for milliseconds. A Retry-After is honored, up to 30 seconds.
func (s *Server) Options() []memfault.Option {
	options := []memfault.Option{
		memfault.WithBaseURLs(s.urls),
		memfault.WithRetry(memfault.RetryPolicy{MinWait: time.Millisecond, MaxWait: 30 * time.Second}),
	}
	if _, ok := s.network.(*pipes); ok {
		options = append(options, memfault.WithHTTPClient(s.HTTPClient()), memfault.WithInsecureHTTP())
	}
	return options
}

// HTTPClient returns a client that can connect to the server, for requests that package
// memfault does not make. Each call returns a new one, with connections of its own.
func (s *Server) HTTPClient() *http.Client {
	return &http.Client{Transport: &http.Transport{DialContext: s.network.dial, MaxIdleConnsPerHost: 100}}
}

// Client returns a client for the server. By default, its credential is the organization
// token. If auth contains several credentials, the last is used.
//
//	gateway := cloud.Client(t, memfault.ProjectKey(cloud.ProjectKey()))
//
// For a client with options, call [memfault.NewClient] with [Server.Options]. In a program
// without a test, t may be nil; Client then panics instead of failing the test.
func (s *Server) Client(t testing.TB, auth ...memfault.Authenticator) *memfault.Client {
	credential := memfault.OrganizationToken(s.OrganizationToken())
	for _, a := range auth {
		credential = a
	}
	client, err := memfault.NewClient(credential, s.Options()...)
	switch {
	case err == nil:
		return client
	case t == nil:
		panic(err)
	}
	t.Helper()
	t.Fatal(err)
	return nil
}

// Project returns the project that the server was started with. It and the credentials are
// the same for every server.
func (s *Server) Project() memfault.ProjectRef {
	return memfault.ProjectRef{Organization: fakecloud.Organization, Project: fakecloud.Project}
}

// OrganizationToken returns the token of the organization, for [memfault.OrganizationToken].
func (s *Server) OrganizationToken() string { return fakecloud.OrgToken }

// ProjectKey returns the key of the project, for [memfault.ProjectKey].
func (s *Server) ProjectKey() string { return fakecloud.ProjectKey }

// Email returns the email address of the user, for [memfault.BasicPassword] and
// [memfault.BasicAPIKey].
func (s *Server) Email() string { return fakecloud.Email }

// Password returns the password of the user, for [memfault.BasicPassword].
func (s *Server) Password() string { return fakecloud.Password }

// APIKey returns the API key of the user, for [memfault.BasicAPIKey].
func (s *Server) APIKey() string { return fakecloud.APIKey }

// SetClock sets the function from which the server takes the time. It is time.Now by
// default.
func (s *Server) SetClock(now func() time.Time) { s.cloud.SetClock(now) }
