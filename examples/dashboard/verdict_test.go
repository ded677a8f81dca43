package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/memfaulttest"

	"github.com/memfault-go/memfault/examples/dashboard/internal/reader"
)

// The numbers of the verdict are counted by hand.
//
// Twenty devices of the cohort beta run 2.0.0 and twenty run 1.0.0. Each is seen for 5 days, so for
// 100 device-days in all. With 2.0.0, ten devices have 3 unexpected reboots each: 30 for 100
// device-days. With 1.0.0, ten devices have one each: 10. The ratio is 3. Of 40 reboots, 30 have the
// binomial interval 0.588 to 0.873 (Clopper and Pearson), so the interval of the ratio is
// 0.588/0.412 = 1.43 to 0.873/0.127 = 6.87.
func seedVerdict(t *testing.T, cloud *memfaulttest.Server, c config) {
	t.Helper()
	p := newPast(t, cloud, c, 5*24*time.Hour)
	cloud.AddCohorts(memfaulttest.Cohort{Slug: "beta"})
	cloud.AddHardwareVersions(memfaulttest.HardwareVersion{Name: "dvt-2"})
	cloud.AddReleases(memfaulttest.Release{Version: "2.0.0"})
	cloud.AddDeployments(memfaulttest.Deployment{Release: "2.0.0", Cohort: "beta", RolloutPercent: 60})
	versions := map[string]string{}
	for i := range 20 {
		for version, hardware := range map[string]string{"1.0.0": "evt-1", "2.0.0": "dvt-2"} {
			serial := fmt.Sprintf("TAP-%s-%02d", version, i)
			versions[serial] = version
			cloud.AddDevices(memfaulttest.Device{Serial: serial, Cohort: "beta", HardwareVersion: hardware, SoftwareVersion: version, LastSeen: p.now})
		}
	}
	// Another cohort, to which nothing is deployed, does not count.
	cloud.AddDevices(memfaulttest.Device{Serial: "OTHER", SoftwareVersion: "1.0.0", LastSeen: p.now})
	versions["OTHER"] = "1.0.0"
	began := p.now
	p.report(versions)
	p.read(reader.Reboots, reader.Deployments)
	for step := 1; step <= 10; step++ {
		p.now = began.Add(time.Duration(step) * 12 * time.Hour)
		if step == 3 {
			crash := func(serial string, n int) {
				for k := range n {
					cloud.AddReboots(serial, memfaulttest.Reboot{Reason: memfault.RebootReasonAssert, Time: p.now.Add(-time.Duration(k+1) * time.Hour)})
				}
				cloud.AddReboots(serial, memfaulttest.Reboot{Reason: memfault.RebootReasonLowPower, Time: p.now.Add(-5 * time.Hour)})
			}
			for i := range 10 {
				crash(fmt.Sprintf("TAP-2.0.0-%02d", i), 3)
				crash(fmt.Sprintf("TAP-1.0.0-%02d", i), 1)
			}
			crash("OTHER", 50)
		}
		if step == 8 { // an issue that only the new version has, and one of both
			for title, of := range map[string][]string{"new one": {"2.0.0"}, "of both": {"1.0.0", "2.0.0"}} {
				id := cloud.AddIssues(memfaulttest.Issue{Title: title})[0]
				for _, version := range of {
					cloud.AddTraces(memfaulttest.Trace{Issue: id, DeviceSerial: "TAP-" + version + "-00", SoftwareVersion: version, Captured: p.now})
				}
			}
		}
		p.report(versions)
	}
	p.read(reader.Reboots, reader.Issues, reader.Traces)
}

func TestVerdict_CountedByHand(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	c := newConfig(t)
	seedVerdict(t, cloud, c)
	cloud.SetClock(time.Now)
	d := start(t, c, sourceOf(cloud), nil)
	d.requireSoon(t, "verdict", "2.0.0 restarts unexpectedly 3 times as often as 1.0.0")
	_, page := d.get(t, "/sections/verdict")
	for _, text := range []string{
		`<div class="verdict red">`, "95 % interval 1.4 to 6.9: surely more often", "10 devices with <bdi>2.0.0</bdi> had one",
		"2.0.0: 30 (30 in 100 device-days)", "1.0.0: 10 (10 in 100 device-days)", "cohorts <bdi>beta</bdi>",
		"41 devices; 41 a day before; a week before is not known yet", "2 new issues since 2.0.0 was first deployed, 5 days ago; only this version has 1 of them", ">new one</bdi></a>",
		"100.0 %: 0 of 41 devices seen had an unexpected reboot",
	} {
		assert.Contains(t, page, text)
	}
	_, page = d.get(t, "/sections/rollouts")
	for _, text := range []string{`data-label="unexpected reboots*">30<`, `data-label="before*">10<`, `<span class="light red">Bad</span>`, "3 times as often as 1.0.0"} {
		assert.Contains(t, page, text)
	}
	_, page = d.get(t, "/sections/issues")
	assert.Contains(t, page, "only the new version")

	// Filters stay in the address, and choose devices. All with 2.0.0 have the hardware dvt-2.
	_, page = d.get(t, "/sections/verdict?hardware=dvt-2")
	assert.Contains(t, page, "2.0.0 cannot be judged: no version before it is known")
	assert.Contains(t, page, "20 devices; 20 a day before")
	_, page = d.get(t, "/sections/summary?version=1.0.0&cohort=beta")
	assert.Contains(t, page, "<b>20</b> devices")
	_, page = d.get(t, "/sections/reboots?version=2.0.0")
	assert.Contains(t, page, "40 reboots in 30 days")
	_, page = d.get(t, "/sections/issues?version=1.0.0")
	assert.Contains(t, page, "of both")
	assert.NotContains(t, page, ">new one<")
	_, page = d.get(t, "/?cohort=beta")
	assert.Contains(t, page, `<option selected value="beta">`)
}

// With few devices, the page says so instead of a ratio.
func TestVerdict_TooFewDevices(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	c := newConfig(t)
	c.rules.MinDevices = 21
	seedVerdict(t, cloud, c)
	d := start(t, c, sourceOf(cloud), nil)
	d.requireSoon(t, "verdict", "2.0.0 cannot be judged: too few devices yet: 20 devices ran 2.0.0, at least 21 must")
}

// A pulled rollout stays, with the devices that still run it. The one below is not called complete.
func TestRollouts_PulledStays(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	addFleet(cloud)
	cloud.AddReleases(memfaulttest.Release{Version: "0.9.0"}, memfaulttest.Release{Version: "1.2.0"})
	cloud.AddDeployments(memfaulttest.Deployment{Release: "0.9.0", Cohort: "beta"})
	_, err := cloud.Client(t).Deployments.Deactivate(t.Context(), cloud.Project(), memfault.DeploymentSelector{Release: memfault.ReleaseVersion("1.1.0"), Cohort: "beta"})
	require.NoError(t, err)
	cloud.SetClock(func() time.Time { return time.Now().AddDate(0, 0, -15) })
	cloud.AddDeployments(memfaulttest.Deployment{Release: "1.2.0", Cohort: "default", Status: "aborted"})
	cloud.SetClock(time.Now)
	d := start(t, newConfig(t), sourceOf(cloud), nil)
	d.requireSoon(t, "rollouts", "4 devices still run it")
	_, page := d.get(t, "/sections/rollouts")
	assert.Contains(t, page, `<span class="tag bad">pulled</span>`)
	assert.Contains(t, page, "0.9.0")
	d.requireSoon(t, "verdict", "4 devices still run 1.1.0, which was pulled")
	assert.NotContains(t, page, "1.2.0", "it was stopped more than 14 days ago")
}

// A new issue of five minutes ago stands above an old one with many traces.
func TestIssues_NewAboveOld(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	addFleet(cloud)
	now := time.Now()
	cloud.SetClock(func() time.Time { return now.AddDate(0, 0, -9) })
	old, quiet := cloud.AddIssues(memfaulttest.Issue{Title: "old one"})[0], cloud.AddIssues(memfaulttest.Issue{Title: "quiet one"})[0]
	for i := range 20 {
		cloud.SetClock(func() time.Time { return now.Add(-time.Duration(i*6) * time.Hour) })
		cloud.AddTraces(memfaulttest.Trace{Issue: old, DeviceSerial: "TAP-A1", SoftwareVersion: "1.0.0", Captured: now.Add(-time.Duration(i*6) * time.Hour)})
	}
	cloud.SetClock(func() time.Time { return now.AddDate(0, 0, -8) })
	for range 200 {
		cloud.AddTraces(memfaulttest.Trace{Issue: quiet, DeviceSerial: "TAP-A1", SoftwareVersion: "1.0.0", Captured: now.AddDate(0, 0, -8)})
	}
	cloud.SetClock(func() time.Time { return now.Add(-5 * time.Minute) })
	created := cloud.AddIssues(memfaulttest.Issue{Title: "new one"})[0]
	cloud.AddDeployments(memfaulttest.Deployment{Release: "1.1.0", Cohort: "beta"})
	cloud.AddTraces(memfaulttest.Trace{Issue: created, DeviceSerial: "TAP-A0", SoftwareVersion: "1.1.0", Captured: now.Add(-5 * time.Minute)})
	cloud.SetClock(time.Now)
	d := start(t, newConfig(t), sourceOf(cloud), nil)
	var order []int
	require.Eventually(t, func() bool {
		_, page := d.get(t, "/sections/issues")
		order = nil
		for _, title := range []string{"new one", "old one", "quiet one", `data-label="traces in 24 h">4<`} {
			order = append(order, strings.Index(page, title))
		}
		return !slices.Contains(order, -1)
	}, time.Minute, 20*time.Millisecond)
	assert.True(t, slices.IsSorted(order[:3]), "%v", order)
}
