package main

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault/memfaulttest"
)

// BenchmarkFirstPage measures the page of a warm start with 10,000 devices, charts included, and
// reports what a refresh costs.
func BenchmarkFirstPage(b *testing.B) {
	cloud, err := memfaulttest.Start()
	require.NoError(b, err)
	b.Cleanup(cloud.Close)
	cloud.SeedFleet(10_000)
	cloud.SeedDemo()
	c := config{store: filepath.Join(b.TempDir(), "fleet.db"), interval: time.Hour, listAll: 24 * time.Hour, unseenAfter: 24 * time.Hour, rate: 1e6}
	p, err := newParts(b.Context(), c, sourceOf(cloud))
	require.NoError(b, err)
	began := time.Now()
	require.Empty(b, p.reader.Read(b.Context()))
	b.Logf("full refresh: %d requests in %s", cloud.RequestCount(""), time.Since(began).Round(time.Millisecond))
	for _, name := range p.reader.Names() {
		last := p.reader.Status(name).Last
		b.Logf("%s: %d requests in %s", name, last.Requests, last.Took.Round(time.Millisecond))
	}
	before := cloud.RequestCount("")
	began = time.Now()
	require.Empty(b, p.reader.Read(b.Context()))
	b.Logf("usual refresh: %d requests in %s", cloud.RequestCount("")-before, time.Since(began).Round(time.Millisecond))
	require.NoError(b, p.store.Close())

	for b.Loop() {
		p, err := newParts(b.Context(), c, sourceOf(cloud))
		require.NoError(b, err)
		for _, path := range []string{"/", "/charts/versions?theme=light&size=half", "/charts/rollouts?theme=light&size=half", "/charts/reboots?theme=light&size=full"} {
			response := httptest.NewRecorder()
			p.site.Handler().ServeHTTP(response, httptest.NewRequest(http.MethodGet, path, nil))
			require.Equal(b, http.StatusOK, response.Code, path)
		}
		require.NoError(b, p.store.Close())
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
	d.requireSoon(t, "versions", "100\u202f000 devices as a table")
	d.requireSoon(t, "reboots", "devices were read")
	_, page := d.get(t, "/sections/sources")
	require.Contains(t, page, "100\u202f000 for reboots")
	_, page = d.get(t, "/devices?q=sink-99999")
	require.Contains(t, page, "1 to 1 of 1")
	require.Empty(t, cloud.Violations())
}
