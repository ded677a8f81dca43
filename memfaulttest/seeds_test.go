package memfaulttest_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/memfaulttest"
)

func TestAddHardwareVersions_PrimarySoftwareType(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	cloud.AddHardwareVersions(memfaulttest.HardwareVersion{Name: "dvt-9", PrimarySoftwareType: "modem"})
	client := cloud.Client(t)
	_, err := client.Devices.Create(t.Context(), cloud.Project(), memfault.DeviceCreate{DeviceSerial: "ABCD1234", HardwareVersion: "dvt-9"})
	require.NoError(t, err)
	_, err = client.HardwareVersions.Create(t.Context(), cloud.Project(), memfault.HardwareVersionCreate{Name: "dvt-9", PrimarySoftwareType: "modem"})
	require.ErrorIs(t, err, memfault.ErrConflict)
	types, err := client.Software.ListTypes(cloud.Project(), memfault.SoftwareTypeListOptions{}).Collect(t.Context())
	require.NoError(t, err)
	var names []string
	for _, kind := range types {
		names = append(names, kind.Name)
	}
	assert.Contains(t, names, "modem")
}

func TestAcceptEqualFiles_SamePayloadForTwoBoards(t *testing.T) {
	for _, accepts := range []bool{false, true} {
		cloud := memfaulttest.NewServer(t)
		if accepts {
			cloud.AcceptEqualFiles()
		}
		var errs []error
		for _, hardware := range []string{"evt-1", "dvt-2"} {
			file := &memfault.File{Name: "app.bin", Size: 12, Content: strings.NewReader("the firmware")}
			_, err := cloud.Client(t).Uploads.OTAPayload(t.Context(), cloud.Project(), file, memfault.OTAPayloadOptions{
				HardwareVersion: hardware, SoftwareType: "main", SoftwareVersion: "2.0.0",
			})
			errs = append(errs, err)
		}
		require.NoError(t, errs[0])
		if accepts {
			require.NoError(t, errs[1])
		} else {
			require.ErrorIs(t, errs[1], memfault.ErrConflict)
		}
	}
}

// A test that misspells what it adds must not pass because the server did nothing.
func TestSeeds_MisspelledNamesAreViolations(t *testing.T) {
	for want, add := range map[string]func(*memfaulttest.Server){
		`a device without serial`: func(c *memfaulttest.Server) { c.AddDevices(memfaulttest.Device{Cohort: "default"}) },
		`a device with the cohort "bta"`: func(c *memfaulttest.Server) {
			c.AddDevices(memfaulttest.Device{Serial: "A", Cohort: "bta"})
		},
		`a device with the hardware version "evt1"`: func(c *memfaulttest.Server) {
			c.AddDevices(memfaulttest.Device{Serial: "A", HardwareVersion: "evt1"})
		},
		`a device with the software type "mian"`: func(c *memfaulttest.Server) {
			c.AddDevices(memfaulttest.Device{Serial: "A", SoftwareType: "mian"})
		},
		`a cohort without slug`:           func(c *memfaulttest.Server) { c.AddCohorts(memfaulttest.Cohort{Name: "Beta"}) },
		`a hardware version without name`: func(c *memfaulttest.Server) { c.AddHardwareVersions(memfaulttest.HardwareVersion{}) },
		`a software version without version`: func(c *memfaulttest.Server) {
			c.AddSoftwareVersions(memfaulttest.SoftwareVersion{SoftwareType: "main"})
		},
		`a release without version`: func(c *memfaulttest.Server) { c.AddReleases(memfaulttest.Release{Notes: "none"}) },
		`a release with the software type "mian"`: func(c *memfaulttest.Server) {
			c.AddReleases(memfaulttest.Release{Version: "2.0.0", SoftwareType: "mian"})
		},
		`a release with the hardware version "evt1"`: func(c *memfaulttest.Server) {
			c.AddReleases(memfaulttest.Release{Version: "2.0.0", Artifacts: []memfaulttest.Artifact{{}, {HardwareVersion: "evt1"}}})
		},
		`a release with the type of an artifact "binary"`: func(c *memfaulttest.Server) {
			c.AddReleases(memfaulttest.Release{Version: "2.0.0", Artifacts: []memfaulttest.Artifact{{Type: "binary"}}})
		},
		`a deployment without release`: func(c *memfaulttest.Server) { c.AddDeployments(memfaulttest.Deployment{Cohort: "default"}) },
		`a deployment with the release "1.0"`: func(c *memfaulttest.Server) {
			c.AddDeployments(memfaulttest.Deployment{Release: "1.0"})
		},
		`a deployment with the cohort "bta"`: func(c *memfaulttest.Server) {
			c.AddDeployments(memfaulttest.Deployment{Release: "1.0.0", Cohort: "bta"})
		},
		`a deployment with the delta release "0.9.0 to 1.0.0"`: func(c *memfaulttest.Server) {
			c.AddDeployments(memfaulttest.Deployment{Release: "1.0.0", DeltaFrom: "0.9.0"})
		},
		`an install without serial`: func(c *memfaulttest.Server) { c.AddInstalls(memfaulttest.Install{Version: "1.0.0"}) },
		`an install with the release "1.0"`: func(c *memfaulttest.Server) {
			c.AddInstalls(memfaulttest.Install{Serial: "A", Version: "1.0"})
		},
		`a trace without serial`: func(c *memfaulttest.Server) { c.AddTraces(memfaulttest.Trace{Reason: "Assert"}) },
		`a trace with the issue "99"`: func(c *memfaulttest.Server) {
			c.AddTraces(memfaulttest.Trace{DeviceSerial: "A", Issue: 99})
		},
		`a coredump without serial`: func(c *memfaulttest.Server) { c.AddCoredumps(memfaulttest.Coredump{}) },
		`a coredump with the issue "99"`: func(c *memfaulttest.Server) {
			c.AddCoredumps(memfaulttest.Coredump{DeviceSerial: "A", Issue: 99})
		},
		`a recording without serial`:           func(c *memfaulttest.Server) { c.AddRecordings(memfaulttest.Recording{Reason: "x"}) },
		`content with the recording "99"`:      func(c *memfaulttest.Server) { c.SetRecordingContent(99, []byte("x")) },
		`an event without serial`:              func(c *memfaulttest.Server) { c.AddEvents(memfaulttest.Event{Type: "trace"}) },
		`a report without serial`:              func(c *memfaulttest.Server) { c.AddReports(memfaulttest.Report{}) },
		`a reboot without serial`:              func(c *memfaulttest.Server) { c.AddReboots("", memfaulttest.Reboot{}) },
		`a log file without ID`:                func(c *memfaulttest.Server) { c.SetLogFile("A", "", []byte("x")) },
		`a report of a version without serial`: func(c *memfaulttest.Server) { c.Report("", "1.0.0") },
		`the build ID "C0FFEE"`:                func(c *memfaulttest.Server) { c.AddBuildID("C0FFEE") },
	} {
		t.Run(want, func(t *testing.T) {
			tb := &recordingTB{TB: t}
			cloud := memfaulttest.NewServer(tb)
			cloud.AddReleases(memfaulttest.Release{Version: "1.0.0"})
			add(cloud)
			require.Len(t, cloud.Violations(), 1)
			assert.Contains(t, cloud.Violations()[0], "the test adds "+want)
			tb.end()
			assert.Len(t, tb.failures, 1)
		})
	}
}

// What is refused is not added, and the rest is.
func TestSeeds_RefusedAreNotAdded(t *testing.T) {
	cloud := memfaulttest.NewServer(&recordingTB{TB: t})
	defer cloud.Close()
	cloud.AddReleases(memfaulttest.Release{Version: "1.0.0"}, memfaulttest.Release{Version: "2.0.0"})
	ids := cloud.AddDeployments(memfaulttest.Deployment{Release: "1.0.0"}, memfaulttest.Deployment{Release: "1.1.0"}, memfaulttest.Deployment{Release: "2.0.0"})
	require.Len(t, ids, 3)
	assert.Zero(t, ids[1])
	deployments, err := cloud.Client(t).Deployments.List(cloud.Project(), memfault.DeploymentListOptions{}).Collect(t.Context())
	require.NoError(t, err)
	assert.Len(t, deployments, 2)
	traces := cloud.AddTraces(memfaulttest.Trace{DeviceSerial: "NEW", Issue: 99}, memfaulttest.Trace{DeviceSerial: "OTHER"})
	assert.Zero(t, traces[0])
	_, err = cloud.Client(t).Devices.Get(t.Context(), cloud.Project(), "NEW")
	require.ErrorIs(t, err, memfault.ErrNotFound)
	trace, err := cloud.Client(t).Traces.Get(t.Context(), cloud.Project(), traces[1])
	require.NoError(t, err)
	assert.Equal(t, "OTHER", trace.Device.DeviceSerial)
}

// What data of a device names exists from then on, also without a seed.
func TestSeeds_DataOfDevicesCreates(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	cloud.AddDevices(memfaulttest.Device{Serial: "A", SoftwareVersion: "1.0.0-lab"})
	cloud.AddReboots("B", memfaulttest.Reboot{Reason: memfault.RebootReasonHardFault, Time: time.Now()})
	cloud.AddTraces(memfaulttest.Trace{DeviceSerial: "C", SoftwareVersion: "1.1.0-lab"})
	cloud.AddDeployments(memfaulttest.Deployment{Release: "1.0.0-lab"})
	reboots, err := cloud.Client(t).Devices.ListReboots(cloud.Project(), "B", memfault.RebootListOptions{}).Collect(t.Context())
	require.NoError(t, err)
	require.Len(t, reboots, 1)
	assert.Equal(t, memfault.RebootReasonHardFault, reboots[0].Reason)
}

func TestTraces_Received(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	wrong, now := time.Unix(60, 0).UTC(), time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	ids := cloud.AddTraces(memfaulttest.Trace{DeviceSerial: "A", Captured: wrong, Received: now}, memfaulttest.Trace{DeviceSerial: "A", Captured: wrong})
	for i, id := range ids {
		trace, err := cloud.Client(t).Traces.Get(t.Context(), cloud.Project(), id)
		require.NoError(t, err)
		assert.Equal(t, wrong, trace.CapturedDate.Time)
		if i == 0 {
			assert.Equal(t, now, trace.ArrivedAt().Time)
		} else {
			assert.Less(t, time.Since(trace.ArrivedAt().Time).Abs(), time.Hour, "now by default")
		}
	}
}

// versions returns the version of each device.
func versions(t *testing.T, cloud *memfaulttest.Server) map[string]string {
	t.Helper()
	devices, err := cloud.Client(t).Devices.List(cloud.Project(), memfault.DeviceListOptions{}).Collect(t.Context())
	require.NoError(t, err)
	all := map[string]string{}
	for _, d := range devices {
		all[d.DeviceSerial] = ""
		if d.LastSeenSoftwareVersion != nil {
			all[d.DeviceSerial] = d.LastSeenSoftwareVersion.Version
		}
	}
	return all
}

func release(version string) memfaulttest.Release {
	return memfaulttest.Release{Version: version, Artifacts: []memfaulttest.Artifact{{Content: []byte("firmware " + version)}}}
}

func TestInstallOffers(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	cloud.AddCohorts(memfaulttest.Cohort{Slug: "beta"})
	for serial, device := range map[string]memfaulttest.Device{
		"OLD": {SoftwareVersion: "1.0.0"}, "NEW": {SoftwareVersion: "2.0.0"}, "OTHER": {SoftwareVersion: "1.0.0", Cohort: "beta"},
		"SILENT": {}, "LIMITED": {SoftwareVersion: "1.0.0"}, "GONE": {SoftwareVersion: "1.0.0"},
	} {
		device.Serial = serial
		cloud.AddDevices(device)
	}
	cloud.RateLimitLatest("LIMITED")
	client := cloud.Client(t)
	require.NoError(t, client.Devices.Delete(t.Context(), cloud.Project(), "GONE"))
	assert.Zero(t, cloud.InstallOffers(), "nothing is deployed")

	pass := release("1.5.0")
	pass.MustPassThrough = true
	cloud.AddReleases(pass, release("2.0.0"))
	cloud.AddDeployments(memfaulttest.Deployment{Release: "1.5.0"}, memfaulttest.Deployment{Release: "2.0.0"})
	before := time.Now()
	assert.Equal(t, 2, cloud.InstallOffers(), "OLD and SILENT")
	want := map[string]string{"OLD": "1.5.0", "NEW": "2.0.0", "OTHER": "1.0.0", "SILENT": "2.0.0", "LIMITED": "1.0.0"}
	assert.Equal(t, want, versions(t, cloud))
	old, err := client.Devices.Get(t.Context(), cloud.Project(), "OLD")
	require.NoError(t, err)
	assert.False(t, old.LastSeen.Before(before.Truncate(time.Microsecond)), "the device reports its version")

	assert.Equal(t, 1, cloud.InstallOffers(), "OLD has passed through 1.5.0")
	want["OLD"] = "2.0.0"
	assert.Equal(t, want, versions(t, cloud))
	assert.Zero(t, cloud.InstallOffers())
}

func TestSetRolloutDevices(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	for _, serial := range []string{"A", "B", "C"} {
		cloud.AddDevices(memfaulttest.Device{Serial: serial, SoftwareVersion: "1.0.0"})
	}
	cloud.AddReleases(release("2.0.0"))
	client := cloud.Client(t)
	var asked []int
	cloud.SetRolloutDevices(func(serial string, percent int) bool {
		asked = append(asked, percent)
		return serial == "B" || serial == "A" && percent >= 50
	})
	id := cloud.AddDeployments(memfaulttest.Deployment{Release: "2.0.0", RolloutPercent: 1})[0]
	for _, step := range []struct {
		percent, updated int
		want             map[string]string
	}{
		{0, 0, map[string]string{"A": "1.0.0", "B": "1.0.0", "C": "1.0.0"}},
		{10, 1, map[string]string{"A": "1.0.0", "B": "2.0.0", "C": "1.0.0"}},
		{50, 1, map[string]string{"A": "2.0.0", "B": "2.0.0", "C": "1.0.0"}},
		{100, 1, map[string]string{"A": "2.0.0", "B": "2.0.0", "C": "2.0.0"}},
	} {
		_, err := client.Deployments.Update(t.Context(), cloud.Project(), id, memfault.DeploymentUpdate{RolloutPercent: memfault.Set(step.percent)})
		require.NoError(t, err)
		assert.Equal(t, step.updated, cloud.InstallOffers(), step.percent)
		assert.Equal(t, step.want, versions(t, cloud), step.percent)
	}
	assert.NotContains(t, asked, 0)
	assert.NotContains(t, asked, 100)
}
