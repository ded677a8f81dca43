package main

import (
	"context"
	"encoding/base64"
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/memfaulttest"

	"github.com/memfault-go/memfault/examples/dashboard/internal/web"
)

// request sends a request with headers; Host is one of them.
func (d *dashboard) request(t *testing.T, method, path string, headers ...string) (status int, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, d.url+path, nil)
	require.NoError(t, err)
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			req.Host = headers[i+1]
		}
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(text)
}

// A page of another site whose name resolves to the dashboard's address cannot read the fleet.
func TestAccess_ForeignHostIsRejected(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	addFleet(cloud)
	c := newConfig(t)
	c.access.hosts = []string{"fleet.acme.example"}
	d := start(t, c, sourceOf(cloud), nil)
	for _, path := range []string{"/", "/sections/versions", "/devices", "/devices/TAP-A0", "/events", "/metrics", "/static/live.js"} {
		for _, host := range []string{"evil.example", "evil.example:8070", "127.0.0.1.evil.example", "localhost.evil.example", "fleet.acme.example.evil.example", "10.0.0.1"} {
			status, body := d.request(t, http.MethodGet, path, "Host", host)
			assert.Equal(t, http.StatusMisdirectedRequest, status, "%s %s", host, path)
			assert.NotContains(t, body, "TAP")
		}
	}
	for _, host := range []string{"fleet.acme.example", "FLEET.acme.example:443", "localhost:1", "127.0.0.1", "[::1]:8070", "localhost."} {
		status, _ := d.request(t, http.MethodGet, "/", "Host", host)
		assert.Equal(t, http.StatusOK, status, host)
	}
	status, _ := d.request(t, http.MethodPost, "/refresh", "Host", "evil.example")
	assert.Equal(t, http.StatusMisdirectedRequest, status)
	status, _ = d.request(t, http.MethodPost, "/webhook", "Host", "evil.example")
	assert.Equal(t, http.StatusMisdirectedRequest, status)
	status, _ = d.request(t, http.MethodGet, "/healthz", "Host", "10.0.0.1:8070")
	assert.Equal(t, http.StatusOK, status, "a probe has no name")
	status, _ = d.request(t, http.MethodGet, "/", "Host", "127.0.0.1", "X-Forwarded-Host", "evil.example")
	assert.Equal(t, http.StatusOK, status, "the header of an unknown proxy does not count")
}

func TestAccess_HeaderOfProxy(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	c := newConfig(t)
	c.access = access{authHeader: "X-Forwarded-User", hosts: []string{"fleet.acme.example"}}
	d := start(t, c, sourceOf(cloud), nil)
	for _, path := range []string{"/", "/sections/versions", "/devices", "/events", "/metrics", "/static/live.js"} {
		status, _ := d.request(t, http.MethodGet, path)
		assert.Equal(t, http.StatusUnauthorized, status, path)
	}
	status, page := d.request(t, http.MethodGet, "/", "X-Forwarded-User", "ada<b>")
	assert.Equal(t, http.StatusOK, status)
	assert.Contains(t, page, "Logged in as <bdi>ada&lt;b&gt;</bdi>")
	status, _ = d.request(t, http.MethodGet, "/", "X-Forwarded-User", "ada", "X-Forwarded-Host", "evil.example")
	assert.Equal(t, http.StatusMisdirectedRequest, status)
	status, _ = d.request(t, http.MethodGet, "/", "X-Forwarded-User", "ada", "Host", "10.0.0.1", "X-Forwarded-Host", "fleet.acme.example")
	assert.Equal(t, http.StatusOK, status)

	require.NoError(t, cloud.SendWebhook(t.Context(), d.url+"/webhook", secret, memfault.WebhookEvent{Type: memfault.WebhookTypeIssueCreated}), "webhooks are signed instead")

	c = newConfig(t)
	c.access = access{authHeader: "X-Forwarded-User", trustProxy: []string{"10.0.0.0/8"}}
	d = start(t, c, sourceOf(cloud), nil)
	status, _ = d.request(t, http.MethodGet, "/", "X-Forwarded-User", "ada")
	assert.Equal(t, http.StatusForbidden, status, "not from the proxy")
}

func TestAccess_BasicAuth(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	hash, err := bcrypt.GenerateFromPassword([]byte("pass:word"), bcrypt.MinCost)
	require.NoError(t, err)
	c := newConfig(t)
	c.access.basicAuth = filepath.Join(t.TempDir(), "users")
	require.NoError(t, os.WriteFile(c.access.basicAuth, []byte("# users\n\nada:"+string(hash)+"\n"), 0o600))
	d := start(t, c, sourceOf(cloud), nil)
	basic := func(text string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(text)) }
	for range 2 {
		for _, wrong := range []string{"", "Bearer x", basic("ada:wrong"), basic("ada:"), basic("eve:pass:word"), basic(":"), basic("ada")} {
			status, _ := d.request(t, http.MethodGet, "/", "Authorization", wrong)
			assert.Equal(t, http.StatusUnauthorized, status, wrong)
		}
		status, page := d.request(t, http.MethodGet, "/", "Authorization", basic("ada:pass:word"))
		assert.Equal(t, http.StatusOK, status)
		assert.Contains(t, page, "Logged in as <bdi>ada</bdi>")
	}
	for content, want := range map[string]string{"": "no user", "ada": "line 1: want name:hash", "ada:{SHA}x": "not a bcrypt hash", ":x": "line 1"} {
		require.NoError(t, os.WriteFile(c.access.basicAuth, []byte(content), 0o600))
		err := serve(t.Context(), c, []source{sourceOf(cloud)}, nil, io.Discard)
		require.ErrorContains(t, err, want)
	}
}

// On an address that others can reach, the dashboard needs a login, or a flag that says otherwise.
func TestParse_OpenAddress(t *testing.T) {
	for args, want := range map[string]string{
		"-addr 0.0.0.0:80": "-anyone-may-read", "-addr :80": "-anyone-may-read", "-addr 10.0.0.1:80": "-anyone-may-read", "-addr fleet.acme.example:80": "-anyone-may-read",
		"-addr 127.0.0.1:80": "", "-addr [::1]:80": "", "-addr localhost:80": "", "-addr :80 -anyone-may-read": "", "-addr :80 -auth-header X-User": "", "-addr :80 -basic-auth users": "",
		"-auth-header X-User -basic-auth users": "exclude each other", "-trust-proxy 10.0.0.300": "not an address", "-trust-proxy 10.0.0.0/8,::1": "", "-host a,,b": "empty", "-addr x": "-addr",
		"-fake -also b": "-also does not go", "-red-ratio 1": "-red-ratio", "-red-crash-free 99.5": "-red-crash-free",
	} {
		_, err := parse(strings.Fields(args), io.Discard)
		if want == "" {
			require.NoError(t, err, args)
		} else {
			require.ErrorContains(t, err, want, args)
		}
	}
	_, err := parse([]string{"-h"}, io.Discard)
	require.ErrorIs(t, err, flag.ErrHelp)
}

// clock is a clock that a test moves.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time           { return time.Now().Add(time.Duration(c.ahead.Load())) }
func (c *clock) move(ahead time.Duration) { c.ahead.Add(int64(ahead)) }

// Whoever sends unsigned webhooks changes no page, and leaves no note for ever. Here only webhooks can
// change the page, because nothing is read.
func TestWebhook_UnsignedChangesNothing(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	c := newConfig(t)
	var clock clock
	c.now = clock.now
	p, err := newParts(t.Context(), c, sourceOf(cloud), newShared(c), false)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.store.Close()) })
	site := web.Site{Servers: []*web.Server{p.site}}
	server := httptest.NewServer(site.Handler())
	t.Cleanup(server.Close)
	d := &dashboard{url: server.URL}
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.url+"/events", nil)
	require.NoError(t, err)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	for range 50 {
		require.Error(t, cloud.SendWebhook(t.Context(), d.url+"/webhook", "another secret", memfault.WebhookEvent{Type: memfault.WebhookTypeIssueCreated}))
	}
	require.NoError(t, cloud.SendWebhook(t.Context(), d.url+"/webhook", secret, memfault.WebhookEvent{Type: memfault.WebhookTypeTestNotificationDispatched}))
	buffer := make([]byte, 64<<10)
	stream := ""
	for !strings.Contains(stream, "data: sources\n\n") {
		n, err := resp.Body.Read(buffer)
		require.NoError(t, err)
		stream += string(buffer[:n])
	}
	assert.Equal(t, "retry: 2000\n\nevent: changed\ndata: sources\n\n", stream, "only the signed one")
	_, page := d.get(t, "/sections/sources")
	assert.Contains(t, page, "50 webhooks were rejected")
	clock.move(59 * time.Minute)
	_, page = d.get(t, "/sections/sources")
	assert.Contains(t, page, "50 webhooks were rejected")
	clock.move(2 * time.Minute)
	_, page = d.get(t, "/sections/sources")
	assert.NotContains(t, page, "rejected", "it was more than an hour ago")
}

func TestHealth_MeansSomething(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	c := newConfig(t)
	d := start(t, c, sourceOf(cloud), nil)
	d.requireSoon(t, "issues", "No issues.")
	status, body := d.get(t, "/healthz")
	assert.Equal(t, http.StatusOK, status)
	assert.Equal(t, "ok\n", body)
	cloud.Fail(memfaulttest.Fault{Operation: "issues.list", Status: http.StatusForbidden})
	_, err := http.Post(d.url+"/refresh", "", nil)
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		status, body = d.get(t, "/healthz")
		return strings.Contains(body, "smart-sink: issues could not be read just now")
	}, time.Minute, 20*time.Millisecond)
	assert.Equal(t, http.StatusOK, status, "that is not a failure of the dashboard")
}

// Whether the reader is stuck is decided by when it should have read.
func TestHealth_ReaderIsStuck(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	c := newConfig(t)
	var clock clock
	c.now = clock.now
	d := start(t, c, sourceOf(cloud), nil)
	require.Eventually(t, func() bool {
		_, page := d.get(t, "/sections/sources")
		return strings.Count(page, `<span class="tag done">read</span>`) == 7 && !strings.Contains(page, "<td>now</td>")
	}, time.Minute, 20*time.Millisecond)
	clock.move(c.interval + 4*time.Minute)
	status, _ := d.get(t, "/healthz")
	assert.Equal(t, http.StatusOK, status, "late, but not yet stuck")
	clock.move(2 * time.Minute)
	status, body := d.get(t, "/healthz")
	assert.Equal(t, http.StatusServiceUnavailable, status)
	assert.Contains(t, body, "failed\nsmart-sink: devices should have been read ")
	assert.NotContains(t, body, "reboots", "they are read every 24 hours")
}

func TestHealth_StoreCannotBeRead(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	c := newConfig(t)
	p, err := newParts(t.Context(), c, sourceOf(cloud), newShared(c), false)
	require.NoError(t, err)
	site := web.Site{Servers: []*web.Server{p.site}}
	get := func() *httptest.ResponseRecorder {
		response := httptest.NewRecorder()
		site.Handler().ServeHTTP(response, httptest.NewRequest(http.MethodGet, "/healthz", nil))
		return response
	}
	assert.Equal(t, http.StatusOK, get().Code)
	require.NoError(t, p.store.Close())
	assert.Equal(t, http.StatusServiceUnavailable, get().Code)
	assert.Contains(t, get().Body.String(), "smart-sink: the store cannot be read")
}

func TestMetrics_RequestsAndAges(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	addFleet(cloud)
	d := start(t, newConfig(t), sourceOf(cloud), nil)
	d.requireSoon(t, "reboots", "38 reboots in 30 days")
	status, body := d.get(t, "/metrics")
	assert.Equal(t, http.StatusOK, status)
	for _, text := range []string{
		`dashboard_requests_total{operation="device_reboots.list",status="200"} 38`, `dashboard_part_age_seconds{part="reboots",project="smart-sink"} `,
		`dashboard_part_failed{part="devices",project="smart-sink"} 0`, `dashboard_store_devices{project="smart-sink"} 40`, `dashboard_store_bytes{project="smart-sink"} `,
	} {
		assert.Contains(t, body, text)
	}
}

// One process serves several projects. Each has its own pages and its own store.
func TestSite_SeveralProjects(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	addFleet(cloud)
	other := cloud.AddOrganization("other")
	c := newConfig(t)
	c.also = []string{"other"}
	second := fakeSource(cloud, memfault.ProjectRef{Organization: "other", Project: "other"}, memfault.OrganizationToken(other))
	ctx, cancel := context.WithCancel(t.Context())
	output, out := io.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- serve(ctx, c, []source{sourceOf(cloud), second}, nil, out) }()
	t.Cleanup(func() { cancel(); require.NoError(t, <-ended) })
	line := make([]byte, 200)
	n, err := output.Read(line)
	require.NoError(t, err)
	_, url, _ := strings.Cut(strings.TrimSpace(string(line[:n])), " is at ")
	assert.Contains(t, string(line[:n]), "acme/smart-sink, other/other")
	d := &dashboard{url: url}
	require.Eventually(t, func() bool {
		_, page := d.get(t, "/")
		return strings.Contains(page, `href="/acme/smart-sink/"`) && strings.Contains(page, `href="/other/other/"`) && strings.Contains(page, "40 devices") && strings.Contains(page, "0 devices")
	}, time.Minute, 20*time.Millisecond)
	_, page := d.get(t, "/acme/smart-sink/")
	for _, text := range []string{`data-base="/acme/smart-sink"`, `aria-label="Projects"`, `href="/other/other/"`, `href="/acme/smart-sink/devices?cohort=beta"`, `action="/acme/smart-sink/refresh"`} {
		assert.Contains(t, page, text)
	}
	assert.NotContains(t, page, `href="/devices`)
	status, page := d.get(t, "/acme/smart-sink/devices/TAP-A0")
	assert.Equal(t, http.StatusOK, status)
	assert.Contains(t, page, "region")
	_, page = d.get(t, "/other/other/")
	assert.Contains(t, page, "The project has no devices yet")
	status, _ = d.get(t, "/other/other/devices/TAP-A0")
	assert.Equal(t, http.StatusNotFound, status)
	status, _ = d.get(t, "/other/none/")
	assert.Equal(t, http.StatusNotFound, status)
	files, err := filepath.Glob(filepath.Join(filepath.Dir(c.store), "*.db"))
	require.NoError(t, err)
	assert.Len(t, files, 2)

	before := cloud.RequestCount("issues.list")
	require.NoError(t, cloud.SendWebhook(t.Context(), url+"/webhook", secret, memfault.WebhookEvent{Type: memfault.WebhookTypeIssueCreated, Project: memfault.WebhookProject{Slug: "other"}}))
	require.Eventually(t, func() bool { return cloud.RequestCount("issues.list") == before+2 }, time.Minute, 20*time.Millisecond)
}

// MEMFAULT_BASE_URL points the dashboard at a fake Memfault in another process.
func TestRun_BaseURLOfEnvironment(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	addFleet(cloud)
	for name, value := range map[string]string{
		"MEMFAULT_BASE_URL": cloud.URL, "MEMFAULT_ORG_TOKEN": cloud.OrganizationToken(), "MEMFAULT_ORG": "acme", "MEMFAULT_PROJECT": "smart-sink", "MEMFAULT_EMAIL": "", "MEMFAULT_PROJECT_KEY": "",
	} {
		t.Setenv(name, value)
	}
	d := start(t, newConfig(t), envSources(nil)[0], nil)
	d.requireSoon(t, "versions", "40 devices.")
}
