package main

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/memfaulttest"

	"github.com/memfault-go/memfault/examples/dashboard/internal/reader"
	"github.com/memfault-go/memfault/examples/dashboard/internal/store"
	"github.com/memfault-go/memfault/examples/dashboard/internal/web"
)

const secret = "a secret of a test"

// dashboard is a running dashboard.
type dashboard struct {
	url  string
	stop func() error
}

// newConfig returns a configuration for a test: a store of its own, and no limit that slows it.
func newConfig(t *testing.T) config {
	t.Helper()
	return config{
		addr: "127.0.0.1:0", store: filepath.Join(t.TempDir(), "test.db"), interval: time.Hour, listAll: 24 * time.Hour,
		unseenAfter: 7 * 24 * time.Hour, rate: 1e6, rules: web.DefaultRules(), secrets: []string{secret}, log: slog.New(slog.DiscardHandler),
	}
}

func sourceOf(cloud *memfaulttest.Server) source {
	return fakeSource(cloud, cloud.Project(), memfault.OrganizationToken(cloud.OrganizationToken()))
}

// start runs the dashboard until the test ends.
func start(t *testing.T, c config, from source, f *fake) *dashboard {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	output, out := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := serve(ctx, c, []source{from}, f, out)
		_ = out.CloseWithError(err)
		ended <- err
	}()
	stopped := false
	d := &dashboard{stop: func() error {
		if stopped {
			return nil
		}
		stopped = true
		cancel()
		return <-ended
	}}
	t.Cleanup(func() { require.NoError(t, d.stop()) })
	line := make([]byte, 200)
	n, err := output.Read(line)
	require.NoError(t, err)
	_, after, found := strings.Cut(string(line[:n]), " is at ")
	require.True(t, found)
	d.url = strings.TrimSpace(after)
	return d
}

// get returns the status and the body of a page.
func (d *dashboard) get(t *testing.T, path string) (status int, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, d.url+path, nil)
	require.NoError(t, err)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(text)
}

// requireSoon waits until a section contains a text.
func (d *dashboard) requireSoon(t *testing.T, section, text string) {
	t.Helper()
	var body string
	require.Eventually(t, func() bool {
		_, body = d.get(t, "/sections/"+section)
		return strings.Contains(body, text)
	}, time.Minute, 20*time.Millisecond, "%s does not contain %q", section, text)
}

// addFleet adds a fleet with known numbers: 40 devices on two versions, two of them not seen
// for a month, a staged rollout, an issue, and a reboot of each device.
func addFleet(cloud *memfaulttest.Server) {
	now := time.Now()
	cloud.AddCohorts(memfaulttest.Cohort{Slug: "beta"})
	for i := range 40 {
		d := memfaulttest.Device{
			Serial: "TAP-" + string(rune('A'+i/10)) + string(rune('0'+i%10)), SoftwareVersion: "1.0.0", LastSeen: now.Add(-time.Hour),
			Attributes: map[string]any{"region": "eu"},
			Reboots:    []memfaulttest.Reboot{{Reason: memfault.RebootReasonAssert, Time: now.Add(-2 * time.Hour)}},
		}
		if i < 10 {
			d.Cohort = "beta"
		}
		if i < 4 {
			d.SoftwareVersion = "1.1.0"
		}
		if i >= 38 {
			d.LastSeen = now.AddDate(0, -1, -5)
			d.Reboots = nil
		}
		cloud.AddDevices(d)
	}
	cloud.AddDeployments(memfaulttest.Deployment{Release: "1.1.0", Cohort: "beta", RolloutPercent: 50})
	issue := cloud.AddIssues(memfaulttest.Issue{Title: "Assert at pump_start"})[0]
	for i := range 3 {
		cloud.AddTraces(memfaulttest.Trace{Issue: issue, DeviceSerial: "TAP-A" + string(rune('0'+i)), SoftwareVersion: "1.1.0", Captured: now.Add(-time.Duration(i) * time.Hour)})
	}
}

// past reads a fleet of the past into the store of a dashboard that is not started yet.
type past struct {
	t      *testing.T
	cloud  *memfaulttest.Server
	reader *reader.Reader
	now    time.Time
}

// newPast returns a past that begins some time ago.
func newPast(t *testing.T, cloud *memfaulttest.Server, c config, ago time.Duration) *past {
	t.Helper()
	p := &past{t: t, cloud: cloud, now: time.Now().Add(-ago)}
	clock := func() time.Time { return p.now }
	cloud.SetClock(clock)
	t.Cleanup(func() { cloud.SetClock(time.Now) })
	stored, err := store.Open(t.Context(), c.store, cloud.Project())
	require.NoError(t, err)
	p.reader, err = reader.New(t.Context(), reader.Options{
		Client: cloud.Client(t), Project: cloud.Project(), Store: stored, ListAllEvery: time.Nanosecond, SampleEvery: time.Minute, Now: clock,
	})
	require.NoError(t, err)
	t.Cleanup(func() { _ = stored.Close() })
	return p
}

// report lets devices report their versions, and reads them.
func (p *past) report(versions map[string]string) {
	p.t.Helper()
	for serial, version := range versions {
		p.cloud.Report(serial, version)
	}
	p.read(reader.Devices)
}

func (p *past) read(parts ...string) {
	p.t.Helper()
	require.Empty(p.t, p.reader.Read(p.t.Context(), parts...))
}
