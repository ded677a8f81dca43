package main

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"time"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/memfaulttest"

	"github.com/memfault-go/memfault/examples/dashboard/internal/reader"
	"github.com/memfault-go/memfault/examples/dashboard/internal/store"
)

const (
	fakeSecret  = "secret of the fake webhook"
	fakeVersion = "2.1.0" // the version that is being rolled out
	fakeDays    = 6       // since the start of the rollout
	fakeStep    = 3 * time.Hour
	fakeTick    = 2 * time.Second
)

// fakeDevice is a device of the fake fleet.
type fakeDevice struct {
	serial, cohort, version string
	silent                  bool // has not reported for a while
}

// fakeRollout is the deployment of fakeVersion to a cohort.
type fakeRollout struct {
	after   time.Duration // since the start
	percent int
	perStep float64 // share of the cohort that updates in a step
}

var fakeRollouts = map[string]fakeRollout{
	"internal": {0, 100, 0.08},
	"beta":     {48 * time.Hour, 50, 0.03},
	"default":  {96 * time.Hour, 10, 0.008},
}

// fake is a Memfault with a fleet in the middle of a rollout.
type fake struct {
	cloud   *memfaulttest.Server
	devices []*fakeDevice
	random  *rand.Rand
	start   time.Time
	updated map[string]int // devices with fakeVersion by cohort
	sizes   map[string]int // devices by cohort
}

func newFake(devices int) (*fake, error) {
	cloud, err := memfaulttest.Start()
	if err != nil {
		return nil, err
	}
	f := &fake{
		cloud: cloud, random: rand.New(rand.NewPCG(1, 2)), //nolint:gosec // the same fleet each time
		start: time.Now().Add(-fakeDays * 24 * time.Hour), updated: map[string]int{}, sizes: map[string]int{},
	}
	f.cloud.SetClock(func() time.Time { return f.start })
	f.addDevices(devices)
	f.addIssues()
	return f, nil
}

func (f *fake) source() source {
	return source{
		auth: memfault.OrganizationToken(f.cloud.OrganizationToken()), project: f.cloud.Project(), options: f.cloud.Options(),
		note: "This fleet is fake. It runs in the process of the dashboard.",
	}
}

func (f *fake) addDevices(n int) {
	f.cloud.AddCohorts(memfaulttest.Cohort{Slug: "beta", Name: "Beta"}, memfaulttest.Cohort{Slug: "internal", Name: "Internal"})
	f.cloud.AddReleases(memfaulttest.Release{Version: fakeVersion}, memfaulttest.Release{Version: "2.0.3"})
	var added []memfaulttest.Device
	for i := range n {
		d := &fakeDevice{serial: fmt.Sprintf("SINK-%05d", i+1), cohort: "default", version: "2.0.3", silent: i%23 == 7}
		switch {
		case i%10 == 0:
			d.cohort = "internal"
		case i%5 == 1:
			d.cohort = "beta"
		}
		if old := f.random.IntN(100); old < 6 {
			d.version = []string{"1.4.2", "1.9.0", "2.0.1"}[old/2]
		}
		device := memfaulttest.Device{
			Serial: d.serial, Cohort: d.cohort, HardwareVersion: []string{"evt-1", "dvt-2"}[i%2], SoftwareVersion: d.version,
			LastSeen: f.start.Add(-f.hours(24 * 20)), Attributes: map[string]any{"region": []string{"eu", "us", "apac"}[i%3]},
			Reboots: f.reboots(d, f.random.IntN(5)),
		}
		switch {
		case i%97 == 13: // it was created but never reported
			d.silent, device.LastSeen, device.SoftwareVersion, device.Reboots = true, time.Time{}, "", nil
		case i%41 == 3:
			device.Nickname = fmt.Sprintf("Kitchen %d", i)
		}
		f.devices, added = append(f.devices, d), append(added, device)
		f.sizes[d.cohort]++
	}
	f.cloud.AddDevices(added...)
}

// hours returns a random duration of at most n hours.
func (f *fake) hours(n int) time.Duration {
	return time.Duration(f.random.IntN(n*3600)) * time.Second
}

var fakeReasons = []memfault.RebootReason{
	memfault.RebootReasonLowPower, memfault.RebootReasonLowPower, memfault.RebootReasonLowPower, memfault.RebootReasonUserReset,
	memfault.RebootReasonUserReset, memfault.RebootReasonPowerOnReset, memfault.RebootReasonFirmwareUpdate, memfault.RebootReasonSoftwareWatchdog,
	memfault.RebootReasonHardFault, memfault.RebootReasonAssert, memfault.RebootReasonBrownOutReset,
}

// reboots returns reboots of the last 30 days. The new version has more watchdogs.
func (f *fake) reboots(d *fakeDevice, n int) (reboots []memfaulttest.Reboot) {
	for range n {
		reboot := memfaulttest.Reboot{Reason: int(fakeReasons[f.random.IntN(len(fakeReasons))]), Time: time.Now().Add(-f.hours(30 * 24))}
		if d.cohort == "internal" && f.random.IntN(2) == 0 {
			reboot.Reason, reboot.Time = int(memfault.RebootReasonSoftwareWatchdog), time.Now().Add(-f.hours(fakeDays*24))
		}
		reboots = append(reboots, reboot)
	}
	return reboots
}

func (f *fake) addIssues() {
	if len(f.devices) == 0 {
		return
	}
	titles := []string{
		"SoftwareWatchdog in pump_control_task", "HardFault at mqtt_publish+0x1c", "Assert at sensor.c:112", "Stack overflow in ble_rx",
		"Assert at nvs_write: no space", "HardFault at spi_dma_done+0x8", "Out of memory in tls_handshake",
	}
	for i, title := range titles {
		issue := memfaulttest.Issue{Title: title, Reason: title}
		if i == 3 {
			issue.Status = string(memfault.IssueStatusResolved)
		}
		id := f.cloud.AddIssues(issue)[0]
		var traces []memfaulttest.Trace
		for range 2 + len(f.devices)/(4<<i) {
			d := f.devices[f.random.IntN(len(f.devices))]
			traces = append(traces, memfaulttest.Trace{Issue: id, DeviceSerial: d.serial, SoftwareVersion: d.version, Reason: title, Captured: time.Now().Add(-f.hours(24 * (1 + 3*i)))})
		}
		f.cloud.AddTraces(traces...)
	}
}

// replay simulates the last days, so that the store contains samples of the rollout as if the
// dashboard had been running.
func (f *fake) replay(ctx context.Context, path string) error {
	stored, err := store.Open(ctx, path, f.cloud.Project())
	if err != nil {
		return err
	}
	defer stored.Close() //nolint:errcheck // a failure shows when the dashboard opens the file
	now := f.start
	clock := func() time.Time { return now }
	f.cloud.SetClock(clock)
	defer f.cloud.SetClock(time.Now)
	past, err := reader.New(ctx, reader.Options{Client: f.cloud.Client(nil), Project: f.cloud.Project(), Store: stored, ListAllEvery: fakeDays*24*time.Hour + 1, SampleEvery: time.Hour, Now: clock})
	if err != nil {
		return err
	}
	end := time.Now()
	for ; now.Before(end); now = now.Add(fakeStep) {
		f.step(now.Sub(f.start))
		if failed := past.Read(ctx, reader.Devices); len(failed) > 0 {
			return fmt.Errorf("fake: %w", failed[reader.Devices])
		}
	}
	for i, d := range f.devices { // the last report of each device
		if now = end.Add(-time.Duration(i*7919%1440) * time.Minute); !d.silent {
			f.cloud.Report(d.serial, d.version)
		}
	}
	now = end // the read below lists all devices again
	return past.Read(ctx, reader.Devices)[reader.Devices]
}

// step updates some devices of each cohort, until the share of its rollout is reached.
func (f *fake) step(passed time.Duration) {
	for cohort := range maps.Keys(fakeRollouts) {
		rollout := fakeRollouts[cohort]
		if since := passed - rollout.after; since >= 0 && since < fakeStep {
			deployment := memfaulttest.Deployment{Release: fakeVersion, Cohort: cohort}
			if rollout.percent < 100 {
				deployment.RolloutPercent = rollout.percent
			}
			f.cloud.AddDeployments(deployment)
		}
		if passed >= rollout.after {
			f.update(cohort, 1+int(rollout.perStep*float64(f.sizes[cohort])))
		}
	}
}

func (f *fake) update(cohort string, n int) {
	goal := f.sizes[cohort] * fakeRollouts[cohort].percent / 100
	for _, d := range f.devices {
		if n == 0 || f.updated[cohort] >= goal {
			return
		}
		if d.cohort == cohort && !d.silent && d.version != fakeVersion && f.random.IntN(3) == 0 {
			d.version = fakeVersion
			f.cloud.Report(d.serial, d.version)
			f.updated[cohort]++
			n--
		}
	}
}

// live simulates the fleet: devices report, update, restart and crash. It sends webhooks to url.
func (f *fake) live(ctx context.Context, url string) {
	if len(f.devices) == 0 {
		return
	}
	f.cloud.SubscribeWebhook(url, fakeSecret)
	gateway := f.cloud.Client(nil, memfault.ProjectKey(f.cloud.ProjectKey()))
	ticker := time.NewTicker(fakeTick)
	defer ticker.Stop()
	for tick := 1; ; tick++ {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		for range 1 + len(f.devices)/100 {
			if d := f.devices[f.random.IntN(len(f.devices))]; !d.silent {
				f.cloud.Report(d.serial, d.version)
			}
		}
		f.step(fakeDays * 24 * time.Hour)
		d := f.devices[f.random.IntN(len(f.devices))]
		if tick%3 == 0 {
			f.cloud.AddReboots(d.serial, memfaulttest.Reboot{Reason: int(fakeReasons[f.random.IntN(len(fakeReasons))]), Time: time.Now()})
		}
		if tick%8 == 1 {
			_ = gateway.Uploads.ImportTrace(ctx, memfault.TraceImport{ // the next one is as good
				DeviceIdentity: memfault.DeviceIdentity{DeviceSerial: d.serial, HardwareVersion: "evt-1", SoftwareType: "main", SoftwareVersion: d.version},
				Reason:         fmt.Sprintf("Assert at valve.c:%d", 100+tick/8%5), CapturedDate: memfault.NewTimestamp(time.Now()),
			})
		}
	}
}
