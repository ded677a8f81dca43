package memfaulttest_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/memfaulttest"
)

// recordingTB is a test whose failures are recorded.
type recordingTB struct {
	testing.TB
	cleanups []func()
	failures []string
}

func (r *recordingTB) Helper()          {}
func (r *recordingTB) Cleanup(f func()) { r.cleanups = append(r.cleanups, f) }
func (r *recordingTB) Errorf(format string, args ...any) {
	r.failures = append(r.failures, fmt.Sprintf(format, args...))
}
func (r *recordingTB) Fatal(args ...any) { r.failures = append(r.failures, fmt.Sprint(args...)) }

func (r *recordingTB) end() {
	for len(r.cleanups) > 0 {
		last := len(r.cleanups) - 1
		r.cleanups[last]()
		r.cleanups = r.cleanups[:last]
	}
}

func get(t *testing.T, client *http.Client, url string, header http.Header) *http.Response {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	request.Header = header
	response, err := client.Do(request)
	require.NoError(t, err)
	defer func() { require.NoError(t, response.Body.Close()) }()
	_, err = io.Copy(io.Discard, response.Body)
	require.NoError(t, err)
	return response
}

func TestNewServer_Credentials(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	for name, auth := range map[string]memfault.Authenticator{
		"organization token": memfault.OrganizationToken(cloud.OrganizationToken()),
		"password":           memfault.BasicPassword(cloud.Email(), cloud.Password()),
		"API key":            memfault.BasicAPIKey(cloud.Email(), cloud.APIKey()),
	} {
		_, err := cloud.Client(t, auth).Projects.Get(t.Context(), cloud.Project())
		require.NoError(t, err, name)
	}
	_, err := cloud.Client(t).Projects.Get(t.Context(), cloud.Project())
	require.NoError(t, err, "default")
	gateway := cloud.Client(t, memfault.OrganizationToken("ignored"), memfault.ProjectKey(cloud.ProjectKey()))
	chunks := memfaulttest.LogChunks("started", 0)
	require.NoError(t, gateway.Chunks.Upload(t.Context(), "ABCD1234", chunks))
	assert.Equal(t, chunks, cloud.Chunks("ABCD1234"))
}

// A test that misspells an operation must not pass for that reason.
func TestServer_UnknownOperationIsViolation(t *testing.T) {
	tb := &recordingTB{TB: t}
	cloud := memfaulttest.NewServer(tb)
	cloud.Fail(memfaulttest.Fault{Operation: "devices.updated", Status: 503})
	assert.Zero(t, cloud.RequestCount("uploads.symbols"))
	assert.Empty(t, cloud.Requests("device.list"))
	cloud.Fail(memfaulttest.Fault{Operation: "devices.update"})
	assert.Zero(t, cloud.RequestCount(""))
	violations := cloud.Violations()
	require.Len(t, violations, 3)
	for i, name := range []string{"devices.updated", "uploads.symbols", "device.list"} {
		assert.Contains(t, violations[i], strconv.Quote(name))
	}
	tb.end()
	assert.Len(t, tb.failures, 3)
}

func TestNewServer_ViolationsFailTheTest(t *testing.T) {
	tb := &recordingTB{TB: t}
	cloud := memfaulttest.NewServer(tb)
	token := http.Header{"Authorization": {"Bearer " + cloud.OrganizationToken()}}
	get(t, http.DefaultClient, cloud.BaseURLs().Chunks+"/auth/me", token)
	require.Len(t, cloud.Violations(), 1)
	require.Empty(t, tb.failures, "the test has not ended")
	tb.end()
	assert.Equal(t, []string{"memfaulttest: " + cloud.Violations()[0]}, tb.failures)
	assert.NotContains(t, tb.failures[0], cloud.OrganizationToken())
}

func TestNewServer_ClosedWhenTheTestEnds(t *testing.T) {
	tb := &recordingTB{TB: t}
	cloud := memfaulttest.NewServer(tb)
	client := cloud.Client(t)
	tb.end()
	require.Empty(t, tb.failures)
	_, err := client.Projects.Get(t.Context(), cloud.Project())
	require.ErrorIs(t, err, memfault.ErrNoAnswer)
}

func TestClient_InvalidAuthenticator(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	tb := &recordingTB{TB: t}
	assert.Nil(t, cloud.Client(tb, memfault.OrganizationToken("")))
	assert.Len(t, tb.failures, 1)
	assert.Panics(t, func() { cloud.Client(nil, memfault.OrganizationToken("")) })
}

func TestStart_URLServesAllHosts(t *testing.T) {
	cloud, err := memfaulttest.Start()
	require.NoError(t, err)
	defer cloud.Close()
	client, err := memfault.NewClient(memfault.ProjectKey(cloud.ProjectKey()), memfault.WithBaseURL(cloud.URL))
	require.NoError(t, err)
	require.NoError(t, client.Chunks.Upload(t.Context(), "ABCD1234", [][]byte{{1}}))
	_, err = client.WithAuth(memfault.OrganizationToken(cloud.OrganizationToken())).Devices.Get(t.Context(), cloud.Project(), "ABCD1234")
	require.NoError(t, err, "a chunk creates its device")
}

func TestStart_HostsServeTheirOperations(t *testing.T) {
	cloud, err := memfaulttest.Start()
	require.NoError(t, err)
	defer cloud.Close()
	urls := cloud.BaseURLs()
	seen := map[string]bool{cloud.URL: true}
	for _, url := range []string{urls.API, urls.Chunks, urls.Ingress, urls.Files, urls.Device} {
		assert.False(t, seen[url], "one address for two hosts")
		seen[url] = true
		status := get(t, http.DefaultClient, url+"/auth/me", nil).StatusCode
		if url == urls.API {
			assert.Equal(t, http.StatusUnauthorized, status)
		} else {
			assert.Equal(t, http.StatusNotFound, status)
		}
	}
	assert.Empty(t, cloud.Violations(), "no credential was sent")
}

func TestClose_EndsDelayedRequests(t *testing.T) {
	cloud, err := memfaulttest.Start()
	require.NoError(t, err)
	arrived := make(chan struct{})
	cloud.Fail(memfaulttest.Fault{Before: func() { close(arrived) }, Delay: time.Hour, Times: 1})
	go func() {
		<-arrived
		cloud.Close()
	}()
	client, err := memfault.NewClient(memfault.OrganizationToken(cloud.OrganizationToken()), memfault.WithBaseURL(cloud.URL))
	require.NoError(t, err)
	_, err = client.Projects.Get(t.Context(), cloud.Project(), memfault.WithoutRetry())
	require.ErrorIs(t, err, memfault.ErrNoAnswer)
}

func TestNewInMemoryServer_Bubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		cloud := memfaulttest.NewInMemoryServer(t)
		cloud.AddDevices(memfaulttest.Device{Serial: "ABCD1234"})
		cloud.Fail(memfaulttest.Fault{Operation: "devices.retrieve", Times: 1, Status: 503, RetryAfter: "20"})
		cloud.Fail(memfaulttest.Fault{Operation: "devices.retrieve", Skip: 1, Times: 1, Delay: 10 * time.Second})
		client := cloud.Client(t)
		device, err := client.Devices.Get(t.Context(), cloud.Project(), "ABCD1234")
		require.NoError(t, err)
		assert.Equal(t, "ABCD1234", device.DeviceSerial)
		assert.Equal(t, 20*time.Second, time.Since(start).Round(time.Second))
		assert.Equal(t, start.Year(), device.CreatedDate.Year(), "the server has the clock of the bubble")
	})
}

func TestNewInMemoryServer_BrokenConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cloud := memfaulttest.NewInMemoryServer(t)
		cloud.SeedFleet(300)
		cloud.Fail(memfaulttest.Fault{Operation: "devices.list", Times: 2, Drop: true})
		cloud.Fail(memfaulttest.Fault{Operation: "devices.list", Skip: 1, Times: 1, CutBodyAfter: 1000})
		var count int
		for _, err := range cloud.Client(t).Devices.List(cloud.Project(), memfault.DeviceListOptions{}).Prefetch(8).All(t.Context()) {
			require.NoError(t, err)
			count++
		}
		assert.Equal(t, 300, count)
	})
}

func TestNewInMemoryServer_UnknownHost(t *testing.T) {
	cloud := memfaulttest.NewInMemoryServer(t)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://example.test", nil)
	require.NoError(t, err)
	_, err = cloud.HTTPClient().Do(request)
	require.Error(t, err)
	response := get(t, cloud.HTTPClient(), cloud.URL+"/auth/me", nil)
	assert.Equal(t, http.StatusUnauthorized, response.StatusCode)
}

func TestServer_ConcurrentUse(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	client := cloud.Client(t)
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			serial := fmt.Sprintf("DEVICE-%d", i)
			cloud.AddDevices(memfaulttest.Device{Serial: serial})
			cloud.Report(serial, "1.0.0")
			device, err := client.Devices.Get(t.Context(), cloud.Project(), serial)
			if assert.NoErrorf(t, err, serial) {
				assert.Equal(t, "1.0.0", device.LastSeenSoftwareVersion.Version)
			}
			cloud.Requests("")
		})
	}
	wg.Wait()
	assert.Equal(t, 20, cloud.RequestCount("devices.retrieve"))
}

func BenchmarkNewServer(b *testing.B) {
	for b.Loop() {
		cloud, err := memfaulttest.Start()
		if err != nil {
			b.Fatal(err)
		}
		cloud.Close()
	}
}

// A test can serve an endpoint that the server does not have.
func TestHandler_BesideAnotherEndpoint(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	cloud.AddDevices(memfaulttest.Device{Serial: "ABCD1234"})
	mux := http.NewServeMux()
	mux.Handle("/", cloud.Handler())
	mux.HandleFunc("GET /api/v0/organizations/{organization}/sites/{site}", func(w http.ResponseWriter, r *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]any{"data": map[string]string{"name": r.PathValue("site")}})
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	client, err := memfault.NewClient(memfault.OrganizationToken(cloud.OrganizationToken()), append(cloud.Options(), memfault.WithBaseURL(server.URL))...)
	require.NoError(t, err)
	var site struct{ Name string }
	require.NoError(t, client.Do(t.Context(), memfault.Request{Path: "/api/v0/organizations/acme/sites/K%C3%B6ln%2FWest"}, &site))
	assert.Equal(t, "Köln/West", site.Name)
	_, err = client.Devices.Get(t.Context(), cloud.Project(), "ABCD1234")
	require.NoError(t, err)
}

// Addresses in responses must lead to the server in the way in which the request came.
func TestHandler_AddressesBehindTLS(t *testing.T) {
	for name, test := range map[string]struct {
		tls       bool
		forwarded string
		want      string
	}{
		"TLS": {true, "", "https"}, "TLS behind a proxy": {true, "http", "https"}, "http": {false, "", "http"},
		"proxy": {false, "https", "https"}, "proxies": {false, "HTTPS, http", "https"}, "proxy without TLS": {false, "http", "http"},
		"other scheme": {false, "javascript", "http"},
	} {
		t.Run(name, func(t *testing.T) {
			cloud := memfaulttest.NewServer(t)
			cloud.AddReleases(memfaulttest.Release{Version: "1.0.0", Artifacts: []memfaulttest.Artifact{{Content: []byte("firmware")}}})
			handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if test.forwarded != "" {
					r.Header.Set("X-Forwarded-Proto", test.forwarded)
				}
				cloud.Handler().ServeHTTP(w, r)
			})
			server := httptest.NewUnstartedServer(handler)
			start := server.Start
			if test.tls {
				start = server.StartTLS
			}
			start()
			defer server.Close()
			client, err := memfault.NewClient(memfault.OrganizationToken(cloud.OrganizationToken()), memfault.WithBaseURL(server.URL), memfault.WithHTTPClient(server.Client()))
			require.NoError(t, err)
			release, err := client.Releases.Get(t.Context(), cloud.Project(), "1.0.0")
			require.NoError(t, err)
			require.NotEmpty(t, release.Artifacts)
			assert.True(t, strings.HasPrefix(release.Artifacts[0].URL, test.want+"://"), release.Artifacts[0].URL)
			var prepared struct {
				UploadURL string `json:"upload_url"`
			}
			require.NoError(t, client.Do(t.Context(), memfault.Request{Method: http.MethodPost, Path: "/api/v0/organizations/" + cloud.Project().Organization + "/projects/" + cloud.Project().Project + "/upload", Body: map[string]int{"size": 1}}, &prepared))
			assert.True(t, strings.HasPrefix(prepared.UploadURL, test.want+"://"), prepared.UploadURL)
		})
	}
}
