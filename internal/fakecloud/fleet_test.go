package fakecloud_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault/internal/fakecloud"
)

// count returns a number in the response to a request of a user.
func (x *tester) count(path, field string) int {
	x.Helper()
	n, _ := x.ok(x.get(path)).at(field).(float64)
	return int(n)
}

func TestFleet_CountsFollowChanges(t *testing.T) {
	x := newTester(t)
	x.cloud.AddCohorts(fakecloud.Cohort{Slug: "beta", Name: "Beta testers"})
	for i := range 5 {
		x.cloud.AddDevices(fakecloud.Device{Serial: fmt.Sprintf("S%d", i), SoftwareVersion: "1.0.0"})
	}
	check := func(inDefault, inBeta, version1, version2 int) {
		t.Helper()
		assert.Equal(t, inDefault, x.count("/cohorts/default", "data.count_devices"))
		assert.Equal(t, inBeta, x.count("/cohorts/beta", "data.count_devices"))
		assert.Equal(t, inDefault, x.count("/cohorts/default/devices", "paging.total_count"))
		assert.Equal(t, inBeta, x.count("/cohorts/beta/devices", "paging.total_count"))
		assert.Equal(t, version1, x.count("/releases/1.0.0", "data.count_devices"))
		assert.Equal(t, version2, x.count("/devices?release=2.0.0", "paging.total_count"))
		assert.Equal(t, inDefault+inBeta, x.count("", "data.count_devices"))
		assert.Equal(t, inDefault+inBeta, x.count("/devices", "paging.total_count"))
	}
	check(5, 0, 5, 0)
	x.ok(x.console("PATCH", "/devices/S3", `{"cohort":"beta"}`))
	check(4, 1, 5, 0)
	x.cloud.ReportSoftwareVersion("S3", "2.0.0")
	check(4, 1, 4, 1)
	assert.Equal(t, 1, x.count("/releases/2.0.0", "data.count_devices"))
	x.ok(x.console("DELETE", "/devices/S3", ""))
	check(4, 0, 4, 0)
	assert.Equal(t, 404, x.get("/devices/S3").status)
	x.ok(x.chunk("S3", "a chunk"))
	check(5, 0, 4, 0)
	x.cloud.SetClock(func() time.Time { return time.Unix(7, 0) })
	x.ok(x.console("DELETE", "/devices/S0", ""))
	check(4, 0, 3, 0)
	x.ok(x.console("PATCH", "/devices/S0_7", `{"cohort":"beta"}`))
	assert.Equal(t, 404, x.console("DELETE", "/devices/S0_7", "").status)
	check(4, 0, 3, 0)
}

func TestFleet_ListOfPagesFollowsChanges(t *testing.T) {
	x := newTester(t)
	x.cloud.SeedFleet(30)
	first := x.get("/devices?sort=-last_seen&per_page=10&page=1").at("data.0.device_serial")
	assert.NotEqual(t, first, x.get("/devices?sort=last_seen&per_page=10&page=1").at("data.0.device_serial"))
	require.Equal(t, first, x.get("/devices?sort=-last_seen&per_page=10&page=1").at("data.0.device_serial"))
	x.cloud.ReportSoftwareVersion("SINK-0021", "3.0.0")
	assert.Equal(t, "SINK-0021", x.get("/devices?sort=-last_seen&per_page=10&page=1").at("data.0.device_serial"))
	assert.Equal(t, "SINK-0021", x.get("/devices?release=3.0.0").at("data.0.device_serial"))
	assert.Equal(t, "SINK-0001", x.get("/devices").at("data.0.device_serial"))
}

// BenchmarkFleet measures how long the cloud needs for a fleet of 100,000 devices: to seed it,
// and to list it over loopback in 1,000 pages, in the order of creation and sorted.
func BenchmarkFleet(b *testing.B) {
	const devices = 100_000
	b.Run("seed", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			fakecloud.New().SeedFleet(devices)
		}
	})
	cloud := fakecloud.New()
	cloud.SeedFleet(devices)
	server := cloud.Serve()
	defer server.Close()
	for _, query := range []string{"", "&sort=-last_seen", "&hardware_version=evt-1&hardware_version=dvt-2"} {
		b.Run("list"+query, func(b *testing.B) {
			for b.Loop() {
				seen := 0
				for page := 1; page <= devices/100; page++ {
					req, err := http.NewRequestWithContext(b.Context(), "GET", fmt.Sprintf("%s%s/devices?per_page=100&page=%d%s", server.URL, root, page, query), nil)
					require.NoError(b, err)
					req.Header.Set("Authorization", "Bearer "+fakecloud.OrgToken)
					resp, err := http.DefaultClient.Do(req)
					require.NoError(b, err)
					text, err := io.ReadAll(resp.Body)
					require.NoError(b, err)
					_ = resp.Body.Close()
					var body struct {
						Paging struct {
							ItemCount int `json:"item_count"`
						}
					}
					require.NoError(b, json.Unmarshal(text, &body))
					seen += body.Paging.ItemCount
				}
				require.Equal(b, devices, seen)
			}
		})
	}
}
