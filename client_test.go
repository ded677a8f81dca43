package memfault_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/memfaulttest"
)

func TestNewClient_InvalidOptions(t *testing.T) {
	for name, option := range map[string]memfault.Option{
		"invalid URL":      memfault.WithBaseURL("https://exa mple.com"),
		"bad escape":       memfault.WithBaseURL("https://example.com/%zz"),
		"empty":            memfault.WithBaseURL(""),
		"relative":         memfault.WithBaseURL("example.com"),
		"another scheme":   memfault.WithBaseURL("ftp://example.com"),
		"no host":          memfault.WithBaseURL("https:///x"),
		"user info":        memfault.WithBaseURL("https://jane:s3cret@example.com"),
		"query":            memfault.WithBaseURL("https://example.com?x=1"),
		"fragment":         memfault.WithBaseURL("https://example.com#x"),
		"plain http":       memfault.WithBaseURL("http://example.com"),
		"one of five URLs": memfault.WithBaseURLs(memfault.BaseURLs{Chunks: "http://192.0.2.1"}),
		"nil http.Client":  memfault.WithHTTPClient(nil),
		"timeout":          memfault.WithTimeout(-time.Second),
		"user agent":       memfault.WithUserAgent("x\r\ny"),
	} {
		client, err := memfault.NewClient(memfault.OrganizationToken("oat_test"), option)
		require.ErrorIs(t, err, memfault.ErrInvalidArgument, name)
		assert.Nil(t, client)
		assert.NotContains(t, err.Error(), "s3cret")
	}
}

func TestBaseURL_PlainHTTP(t *testing.T) {
	for _, url := range []string{"http://localhost:1", "http://127.0.0.1:1", "http://127.8.9.1", "http://[::1]:1"} {
		_, err := memfault.NewClient(memfault.OrganizationToken("oat_test"), memfault.WithBaseURL(url))
		require.NoError(t, err, "loopback: %s", url)
	}
	for _, options := range [][]memfault.Option{
		{memfault.WithInsecureHTTP(), memfault.WithBaseURL("http://example.com")},
		{memfault.WithBaseURL("http://example.com"), memfault.WithInsecureHTTP()},
	} {
		_, err := memfault.NewClient(memfault.OrganizationToken("oat_test"), options...)
		require.NoError(t, err, "WithInsecureHTTP must work in any order")
	}
}

func TestWithBaseURLs_EmptyFieldKeepsDefault(t *testing.T) {
	host := ""
	transport := roundTripper(func(r *http.Request) (*http.Response, error) {
		host = r.URL.Host
		return newResponse(204, "")
	})
	client := newClient(t, memfault.OrganizationToken("oat_test"), nil,
		memfault.WithHTTPClient(&http.Client{Transport: transport}), memfault.WithBaseURLs(memfault.BaseURLs{Chunks: "https://chunks.example"}))
	require.NoError(t, client.Do(t.Context(), memfault.Request{Path: "/x"}, nil))
	assert.Equal(t, "api.memfault.com", host)
	require.NoError(t, client.Do(t.Context(), memfault.Request{Path: "/x", Host: memfault.HostChunks}, nil))
	assert.Equal(t, "chunks.example", host)
}

func TestBaseURL_WithPath(t *testing.T) {
	var uri string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		uri = r.RequestURI
		w.WriteHeader(http.StatusNoContent)
	}))
	defer server.Close()
	client := newClient(t, memfault.OrganizationToken("oat_test"), memfault.WithBaseURL(server.URL+"/mem%2Ffault/"))
	require.NoError(t, client.Do(t.Context(), memfault.Request{Path: "/a%2Fb"}, nil))
	assert.Equal(t, "/mem%2Ffault/a%2Fb", uri)
}

func TestClient_ConcurrentUse(t *testing.T) {
	cloud, client := newCloud(t, memfault.WithObserver(func(_ context.Context, _ memfault.Attempt) {}))
	cloud.SeedFleet(50)
	var running sync.WaitGroup
	for range 8 {
		running.Go(func() {
			other := client.WithAuth(memfault.BasicPassword(email, password))
			for _, c := range []*memfault.Client{client, other} {
				_, err := c.Devices.List(sink, memfault.DeviceListOptions{}).Prefetch(2).Collect(t.Context())
				if !assert.NoError(t, err) { //nolint:testifylint // require belongs to the test's own goroutine
					return
				}
				_, err = c.Devices.Update(t.Context(), sink, "SINK-0001", memfault.DeviceUpdate{Nickname: memfault.Set("x")})
				assert.NoError(t, err)
			}
		})
	}
	running.Wait()
}

func TestWithAuth_DoesNotModifyClient(t *testing.T) {
	cloud, client := newCloud(t)
	token := cloud.AddOrganization("globex")
	globex := memfault.ProjectRef{Organization: "globex", Project: "globex"}
	other := client.WithAuth(memfault.OrganizationToken(token))
	_, err := other.Projects.Get(t.Context(), globex)
	require.NoError(t, err)
	_, err = other.Projects.Get(t.Context(), sink)
	require.ErrorIs(t, err, memfault.ErrForbidden)
	_, err = client.Projects.Get(t.Context(), sink)
	require.NoError(t, err)
	_, err = client.Projects.Get(t.Context(), globex)
	require.ErrorIs(t, err, memfault.ErrForbidden)
}

func TestObserver_GetsEachAttempt(t *testing.T) {
	var seen []memfault.Attempt
	cloud, client := newCloud(t, memfault.WithObserver(func(_ context.Context, a memfault.Attempt) { seen = append(seen, a) }))
	cloud.Fail(memfaulttest.Fault{Drop: true, Times: 1})
	cloud.Fail(failOnce(503))
	require.NoError(t, get(t.Context(), client))
	require.Len(t, seen, 3)
	for i, a := range seen {
		assert.Equal(t, "projects.retrieve", a.Operation)
		assert.Equal(t, http.MethodGet, a.Method)
		assert.Equal(t, i+1, a.Number)
		assert.NotEmpty(t, a.Host)
	}
	require.Error(t, seen[0].Err)
	assert.Equal(t, []int{0, 503, 200}, []int{seen[0].StatusCode, seen[1].StatusCode, seen[2].StatusCode})
	assert.NotEmpty(t, seen[2].RequestID)
}

func TestClient_ReusesConnections(t *testing.T) {
	opened := 0
	var mu sync.Mutex
	var together sync.WaitGroup
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/missing" {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		together.Done() // all requests of a round are in flight
		together.Wait()
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		mu.Lock()
		defer mu.Unlock()
		if state == http.StateNew {
			opened++
		}
	}
	server.Start()
	defer server.Close()
	client := newClient(t, memfault.OrganizationToken("oat_test"), memfault.WithBaseURL(server.URL), quickRetries)
	for range 5 {
		var running sync.WaitGroup
		together.Add(32)
		for range 32 {
			running.Go(func() { assert.NoError(t, client.Do(t.Context(), memfault.Request{Path: "/x"}, nil)) })
		}
		running.Wait()
		require.Error(t, client.Do(t.Context(), memfault.Request{Path: "/missing"}, nil), "a failure must not close connections")
	}
	assert.LessOrEqual(t, opened, 64, "connections must be reused; 160 requests were sent, 32 concurrently")
}

func TestClient_String(t *testing.T) {
	client := newClient(t, memfault.ProjectKey("d3b0"))
	assert.Equal(t, "memfault.Client (https://api.memfault.com, memfault credential (project-key))", client.String())
	assert.Contains(t, client.WithAuth(authFunc(nil)).String(), "custom authenticator")
	assert.Contains(t, new(memfault.Client).String(), "not created by NewClient")
}

func TestBaseURL_ErrorsNameTheOption(t *testing.T) {
	for range 20 { // the first error must not depend on the order of a map
		for want, option := range map[string]memfault.Option{
			"memfault: WithBaseURL: the URL must be an absolute http or https URL": memfault.WithBaseURL("memfault.example"),
			"memfault: WithBaseURLs: Files: the URL must be an absolute http":      memfault.WithBaseURLs(memfault.BaseURLs{Files: "x", Device: "https://d.example"}),
		} {
			_, err := memfault.NewClient(memfault.OrganizationToken("oat_1"), option)
			require.ErrorContains(t, err, want)
			require.ErrorIs(t, err, memfault.ErrInvalidArgument)
		}
	}
}

func TestBaseURL_LocalhostInAnyCase(t *testing.T) {
	for _, address := range []string{"http://LOCALHOST:8080", "http://LocalHost", "http://127.0.0.9:1", "http://[::1]:8080"} {
		_, err := memfault.NewClient(memfault.OrganizationToken("oat_1"), memfault.WithBaseURL(address))
		require.NoError(t, err, address)
	}
}

func TestTransport_HasTimeLimitsWithoutDefault(t *testing.T) {
	kept := http.DefaultTransport
	t.Cleanup(func() { http.DefaultTransport = kept })
	http.DefaultTransport = roundTripper(func(*http.Request) (*http.Response, error) { return nil, errReset })
	transport := memfault.NewTransport()
	assert.NotNil(t, transport.DialContext)
	assert.Positive(t, transport.TLSHandshakeTimeout)
	assert.Positive(t, transport.IdleConnTimeout)
	assert.Positive(t, transport.ExpectContinueTimeout)
	assert.True(t, transport.ForceAttemptHTTP2)
}
