package fakecloud_test

import (
	"fmt"
	"net/url"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault/internal/fakecloud"
)

// offered returns the version that a device is offered, or "" for none.
func (x *tester) offered(serial, current string, more ...string) string {
	x.Helper()
	q := url.Values{"device_serial": {serial}, "hardware_version": {"evt-1"}, "software_type": {"main"}}
	if current != "" {
		q.Set("current_version", current)
	}
	for i := 0; i < len(more); i += 2 {
		q.Set(more[i], more[i+1])
	}
	a := x.ok(x.keyed("GET", "/api/v0/releases/latest?"+q.Encode(), ""))
	if a.status == 204 {
		assert.Equal(x, "latest", a.header.Get("Memfault-Reason"))
		return ""
	}
	version, _ := a.at("version").(string)
	if a.at("is_delta") == true {
		version = "delta to " + version
	}
	return version
}

func (x *tester) release(r fakecloud.Release) {
	if r.Artifacts == nil {
		r.Artifacts = []fakecloud.Artifact{{Content: []byte(r.Version + r.DeltaFrom)}}
	}
	x.cloud.AddRelease(r)
}

func TestLatest_OfferRule(t *testing.T) {
	x := newTester(t)
	x.release(fakecloud.Release{Version: "1.0.0"})
	x.release(fakecloud.Release{Version: "1.5.0", MustPassThrough: true})
	x.release(fakecloud.Release{Version: "1.7.0", MustPassThrough: true})
	x.release(fakecloud.Release{Version: "2.0.0"})
	x.release(fakecloud.Release{Version: "3.0.0"}) // not deployed
	x.release(fakecloud.Release{Version: "2.0.0", DeltaFrom: "1.6.0"})
	x.release(fakecloud.Release{Version: "1.0.0", DeltaFrom: "2.0.0"})
	for _, version := range []string{"1.7.0", "2.0.0", "1.0.0", "1.5.0"} {
		x.cloud.AddDeployments(fakecloud.Deployment{Release: version})
	}
	x.cloud.AddDeployments(fakecloud.Deployment{Release: "2.0.0", DeltaFrom: "1.6.0"}, fakecloud.Deployment{Release: "1.0.0", DeltaFrom: "2.0.0"})
	for current, want := range map[string]string{
		"":      "2.0.0",          // the highest
		"0.9.0": "1.5.0",          // the lowest that must be passed
		"1.4.0": "1.5.0",          // the same
		"1.5.0": "1.7.0",          // the next one
		"1.6.0": "delta to 2.0.0", // a delta comes first
		"1.7.0": "2.0.0",          // nothing to pass any more
		"2.0.0": "",               // never a delta downgrade
		"2.1.0": "",               // nor a full one
	} {
		assert.Equal(t, want, x.offered("S1", current), "from %q", current)
	}
	x.cloud.AddCohorts(fakecloud.Cohort{Slug: "default", BypassVersionChecks: true})
	assert.Equal(t, "2.0.0", x.offered("S1", "2.1.0"), "the cohort bypasses the version checks")
	assert.Empty(t, x.offered("S1", "2.0.0"), "the very version that it runs")
	assert.Equal(t, true, x.get("/cohorts/default").at("data.bypass_version_checks"))
}

func TestLatest_OnlyActiveDeploymentsOfCohort(t *testing.T) {
	x := newTester(t)
	x.cloud.AddCohorts(fakecloud.Cohort{Slug: "beta"})
	x.cloud.AddDevices(fakecloud.Device{Serial: "B1", Cohort: "beta"})
	for i, d := range []fakecloud.Deployment{
		{Cohort: "beta"}, {Status: "pulled"}, {Status: "aborted"}, {Status: "in_progress"},
	} {
		d.Release = fmt.Sprintf("%d.0.0", 9-i)
		x.release(fakecloud.Release{Version: d.Release})
		x.cloud.AddDeployments(d)
	}
	assert.Equal(t, "6.0.0", x.offered("S1", "1.0.0"))
	assert.Equal(t, "9.0.0", x.offered("B1", "1.0.0"))
	x.cloud.AddHardwareVersions(fakecloud.HardwareVersion{Name: "dvt-1"})
	assert.Empty(t, x.offered("S1", "1.0.0", "hardware_version", "dvt-1"), "no payload for this board")
}

func TestLatest_StagedRolloutReachesShare(t *testing.T) {
	x := newTester(t)
	x.release(fakecloud.Release{Version: "2.0.0"})
	id := x.cloud.AddDeployments(fakecloud.Deployment{Release: "2.0.0", RolloutPercent: 30})[0]
	assert.Equal(t, "staged_rollout", x.get(fmt.Sprintf("/deployments/%d", id)).at("data.type"))
	reached := map[string]bool{}
	for i := range 500 {
		serial := fmt.Sprintf("S%d", i)
		reached[serial] = x.offered(serial, "1.0.0") != ""
		require.Equal(t, reached[serial], x.offered(serial, "1.0.0") != "", "the same each time")
	}
	count := 0
	for _, yes := range reached {
		if yes {
			count++
		}
	}
	assert.InDelta(t, 150, count, 30)
	x.ok(x.console("PATCH", fmt.Sprintf("/deployments/%d", id), `{"rollout_percent":60}`))
	for serial, yes := range reached {
		require.True(t, !yes || x.offered(serial, "1.0.0") != "", "a higher share keeps the devices")
	}
}

func TestLatest_SoftwareTypeOfPayload(t *testing.T) {
	x := newTester(t)
	for _, kind := range []string{"main", "modem"} {
		x.ok(x.upload("/releases/ota_payload", "payload of "+kind, `"hardware_version":"evt-1","must_pass_through":false,"notes":"","software_version":{"version":"2.0.0","software_type":"`+kind+`"}`))
	}
	x.cloud.AddDeployments(fakecloud.Deployment{Release: "2.0.0"})
	for _, kind := range []string{"main", "modem"} {
		a := x.ok(x.keyed("GET", "/api/v0/releases/latest?device_serial=S1&hardware_version=evt-1&software_type="+kind, ""))
		assert.Equal(t, "payload of "+kind, x.ok(x.do("GET", a.at("artifacts.0.url").(string), "")).text)
	}
}

func TestDeviceOverride_IsOffered(t *testing.T) {
	x := newTester(t)
	x.cloud.AddDevices(fakecloud.Device{Serial: "S1"})
	x.release(fakecloud.Release{Version: "1.5.0"})
	x.release(fakecloud.Release{Version: "2.0.0"})
	x.release(fakecloud.Release{Version: "1.5.0", DeltaFrom: "1.4.0"})
	x.cloud.AddDeployments(fakecloud.Deployment{Release: "2.0.0"})
	unknown := x.console("PATCH", "/devices/S1", `{"release":"9.9.9"}`)
	assert.Equal(t, 404, unknown.status)
	assert.InDelta(t, 1003, unknown.at("error.code"), 0)
	assert.Equal(t, "2.0.0", x.offered("S1", "1.0.0"))
	x.ok(x.console("PATCH", "/devices/S1", `{"release":"1.5.0"}`))
	assert.Equal(t, "1.5.0", x.offered("S1", "1.0.0"))
	assert.Equal(t, "delta to 1.5.0", x.offered("S1", "1.4.0"))
	assert.Empty(t, x.offered("S1", "1.5.0"))
	assert.Empty(t, x.offered("S1", "1.9.0"), "no downgrade")
	assert.Equal(t, "2.0.0", x.offered("S2", "1.0.0"), "of one device alone")
	x.ok(x.console("PATCH", "/devices/S1", `{"nickname":"x"}`))
	assert.Equal(t, "1.5.0", x.offered("S1", "1.0.0"))
	x.ok(x.console("PATCH", "/devices/S1", `{"release":null}`))
	assert.Equal(t, "2.0.0", x.offered("S1", "1.0.0"))
}
