package fakecloud_test

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"

	"github.com/memfault-go/memfault/internal/fakecloud"
)

// everything returns the responses to the requests that list what a seed added, as JSON. The
// clock is that of a synctest bubble, so each call sees the same times.
func everything(t *testing.T, seed func(*fakecloud.Cloud)) map[string]string {
	t.Helper()
	all := map[string]string{}
	synctest.Test(t, func(t *testing.T) {
		x := newTester(t)
		seed(x.cloud)
		for _, path := range []string{
			"", "/devices", "/cohorts", "/releases", "/software_types", "/issues", "/traces", "/coredumps", "/custom-data-recordings",
			"/deployments", "/installs", "/events", "/reports", "/delta-releases",
			"/devices/SINK-0001/attributes", "/devices/SINK-0002/log-files", "/devices/SINK-0003/reboots",
		} {
			all[path] = x.ok(x.get(path + "?per_page=100")).text
		}
	})
	return all
}

func TestSeedFleet_SameEachTime(t *testing.T) {
	seed := func(c *fakecloud.Cloud) { c.SeedFleet(60) }
	first := everything(t, seed)
	for range 5 {
		assert.Equal(t, first, everything(t, seed))
	}
	assert.Equal(t, 60, strings.Count(first["/devices"], "SINK-"))
}

func TestSeedDemo_SameEachTime(t *testing.T) {
	seed := func(c *fakecloud.Cloud) { c.SeedDemo() }
	first := everything(t, seed)
	assert.Equal(t, first, everything(t, seed))
	for path, text := range first {
		if path != "" {
			assert.NotContains(t, text, `"total_count":0`, path)
		}
	}
}

func TestSeedDemo_FillsEverything(t *testing.T) {
	x := newTester(t)
	x.cloud.SeedFleet(10)
	x.cloud.SeedDemo()
	assert.Equal(t, 10, x.count("/devices", "paging.total_count"))
	assert.Equal(t, 2, x.count("/issues?status=open", "paging.total_count"))
	resolved := x.get("/issues?status=resolved")
	assert.Equal(t, fakecloud.Email, resolved.at("data.0.resolution.actor.email"))
	assert.Equal(t, 3, x.count("/issues", "data.0.trace_count"))

	dump := x.get("/coredumps")
	trace := x.get("/traces?issue=" + text(dump.at("data.0.issue_id")))
	detail := x.get("/traces/" + text(trace.at("data.0.id")))
	assert.Equal(t, "CORE of SINK-0004", x.ok(x.get("/coredumps/"+text(detail.at("data.coredump.id"))+"/download")).text)
	assert.Contains(t, x.ok(x.get("/symbols/"+text(detail.at("data.coredump.symbol_file.id"))+"/download")).text, "ELF")

	logs := x.get("/devices/SINK-0001/log-files")
	cid, _ := logs.at("data.1.cid").(string)
	assert.Contains(t, x.ok(x.get("/devices/SINK-0001/log-files/"+cid+"/download")).text, "flow 2.0 l/min\n")
	assert.Equal(t, 2, x.count("/custom-data-recordings", "paging.total_count"))
	recordings := x.get("/custom-data-recordings")
	assert.Contains(t, x.ok(x.get("/custom-data-recording/"+text(recordings.at("data.0.id"))+"/download")).text, "pressure")

	assert.Equal(t, "dvt-2", x.get("/releases/2.0.0").at("data.artifacts.1.hardware_version.name"))
	assert.Equal(t, "2.0.0", x.get("/delta-releases").at("data.0.to_version.version"))
	deployments := x.get("/deployments?sort=deployed_date")
	assert.Equal(t, []any{"normal", "staged_rollout"}, []any{deployments.at("data.0.type"), deployments.at("data.1.type")})
	assert.Equal(t, "2.0.0", x.offered("SINK-0001", "1.0.0"), "a device of the cohort internal")
	assert.InDelta(t, 87.5, x.get("/reports?device_serial=SINK-0001").at("data.0.metrics.battery_level"), 0)
	assert.Equal(t, 409, x.console("POST", "/custom-metrics", `{"string_key":"pump_enabled","data_type":"BOOL"}`).status)
}
