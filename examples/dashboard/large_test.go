package main

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/memfaulttest"

	"github.com/memfault-go/memfault/examples/dashboard/internal/reader"
	"github.com/memfault-go/memfault/examples/dashboard/internal/store"
	"github.com/memfault-go/memfault/examples/dashboard/internal/web"
)

// BenchmarkFirstPage measures the page of a warm start, charts included, and reports what a refresh
// costs.
func BenchmarkFirstPage(b *testing.B) {
	b.Run("10000", func(b *testing.B) { benchmarkFirstPage(b, 10_000) })
	b.Run("100000", func(b *testing.B) { benchmarkFirstPage(b, 100_000) })
}

func benchmarkFirstPage(b *testing.B, devices int) {
	cloud, err := memfaulttest.Start()
	require.NoError(b, err)
	b.Cleanup(cloud.Close)
	cloud.SeedFleet(devices)
	cloud.SeedDemo()
	c := config{store: filepath.Join(b.TempDir(), "fleet.db"), interval: time.Hour, listAll: 24 * time.Hour, unseenAfter: 24 * time.Hour, rate: 1e6, rules: web.DefaultRules(), log: slog.New(slog.DiscardHandler)}
	p, err := newParts(b.Context(), c, sourceOf(cloud), newShared(c), false)
	require.NoError(b, err)
	saveEarlier(b, cloud, p.store)
	earlier := cloud.RequestCount("")
	began := time.Now()
	if devices > 10_000 { // a request for each device would take minutes
		require.Empty(b, p.reader.Read(b.Context(), reader.Project, reader.Devices, reader.Cohorts, reader.Deployments, reader.Issues, reader.Traces))
		saveReboots(b, p.store)
	}
	require.Empty(b, p.reader.Read(b.Context()))
	b.Logf("full refresh: %d requests in %s", cloud.RequestCount("")-earlier, time.Since(began).Round(time.Millisecond))
	for _, name := range p.reader.Names() {
		last := p.reader.Status(name).Last
		b.Logf("%s: %d requests in %s", name, last.Requests, last.Took.Round(time.Millisecond))
	}
	before := cloud.RequestCount("")
	began = time.Now()
	require.Empty(b, p.reader.Read(b.Context()))
	b.Logf("usual refresh: %d requests in %s", cloud.RequestCount("")-before, time.Since(began).Round(time.Millisecond))
	saveSamples(b, p.store)
	require.NoError(b, p.store.Close())

	for b.Loop() {
		p, err := newParts(b.Context(), c, sourceOf(cloud), newShared(c), false)
		require.NoError(b, err)
		site := web.Site{Servers: []*web.Server{p.site}}
		response := httptest.NewRecorder()
		site.Handler().ServeHTTP(response, httptest.NewRequest(http.MethodGet, "http://localhost/", nil))
		require.Equal(b, http.StatusOK, response.Code)
		require.NoError(b, p.store.Close())
	}
}

// saveReboots saves two reboots of each device that is pending, as if they had been read.
func saveReboots(b *testing.B, stored *store.Store) {
	b.Helper()
	pending, err := stored.PendingReboots(b.Context(), time.Now().AddDate(0, 0, -reader.RebootDays))
	require.NoError(b, err)
	for _, d := range pending {
		require.NoError(b, stored.SaveReboots(b.Context(), d, []memfault.Reboot{
			{Reason: memfault.RebootReasonAssert, Time: memfault.NewTimestamp(d.LastSeen.Add(-time.Minute))}, {Reason: memfault.RebootReasonLowPower, Time: memfault.NewTimestamp(d.LastSeen.Add(-50 * time.Hour))},
		}))
	}
}

// saveEarlier saves each device as if it had been seen 12 hours earlier, so that unexpected reboots count.
func saveEarlier(b *testing.B, cloud *memfaulttest.Server, stored *store.Store) {
	b.Helper()
	var earlier []memfault.Device
	for d, err := range cloud.Client(b).Devices.List(cloud.Project(), memfault.DeviceListOptions{ListOptions: memfault.ListOptions{PerPage: 100}}).All(b.Context()) {
		require.NoError(b, err)
		d.LastSeen = memfault.NewTimestamp(d.LastSeen.Add(-12 * time.Hour))
		earlier = append(earlier, d)
	}
	require.NoError(b, stored.SaveDevices(b.Context(), 1, earlier))
}

// saveSamples saves the samples of 30 days, as many as the reader keeps.
func saveSamples(b *testing.B, stored *store.Store) {
	b.Helper()
	now := time.Now()
	counts, err := stored.Counts(b.Context(), store.Filter{}, store.CountTimes{Seen: now.AddDate(0, 0, -1)})
	require.NoError(b, err)
	for hours := range 24 * reader.RebootDays {
		require.NoError(b, stored.SaveSample(b.Context(), now.Add(-time.Duration(hours+1)*time.Hour).Truncate(time.Hour), counts))
	}
}

// A fleet of 100,000 devices is shown while its reboots are still being read.
func TestDashboard_HundredThousandDevices(t *testing.T) {
	if raceEnabled || testing.Short() {
		t.Skip("takes minutes with the race detector")
	}
	cloud := memfaulttest.NewServer(t)
	cloud.SeedFleet(100_000)
	d := start(t, newConfig(t), sourceOf(cloud), nil)
	d.requireSoon(t, "versions", "100\u202f000 devices.")
	d.requireSoon(t, "reboots", "devices were read")
	_, page := d.get(t, "/sections/sources")
	require.Contains(t, page, "100\u202f000 for reboots")
	_, page = d.get(t, "/devices?q=sink-99999")
	require.Contains(t, page, "1 to 1 of 1")
	require.Empty(t, cloud.Violations())
}
