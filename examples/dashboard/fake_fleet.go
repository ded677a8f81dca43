package main

import (
	"context"
	"fmt"
	"time"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/memfaulttest"
)

func (f *fake) addDevices(ctx context.Context, n int) error {
	f.cloud.AddCohorts(memfaulttest.Cohort{Slug: "beta", Name: "Beta"}, memfaulttest.Cohort{Slug: "internal", Name: "Internal"})
	f.cloud.AddHardwareVersions(memfaulttest.HardwareVersion{Name: "dvt-2"})
	f.cloud.AddReleases(memfaulttest.Release{Version: fakeGood}, memfaulttest.Release{Version: fakeBad}, memfaulttest.Release{Version: "2.0.3"})
	const before = 20 * fakeDay // of which reboots are known
	var added []memfaulttest.Device
	for i := range n {
		d := &fakeDevice{serial: fmt.Sprintf("SINK-%05d", i+1), cohort: "default", version: "2.0.3", hardware: []string{"evt-1", "dvt-2"}[i%2], silent: i%47 == 7, far: i%3 == 1}
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
			Serial: d.serial, Cohort: d.cohort, HardwareVersion: d.hardware, SoftwareVersion: d.version,
			LastSeen: f.start.Add(-f.within(before)), Attributes: map[string]any{"region": []string{"eu", "us", "apac"}[i%3]},
			LogFiles: []memfaulttest.LogFile{{ID: fmt.Sprintf("0b0f8f6e-0000-4000-8000-%012d", i), Content: []byte("pump: flow 2.0 l/min\n")}},
		}
		device.Reboots = f.reboots(d, f.start.Add(-before), before)
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
	for i, d := range f.devices {
		for _, reboot := range added[i].Reboots {
			f.now = reboot.Time
			if err := f.crash(ctx, d, reboot); err != nil {
				return err
			}
		}
	}
	f.now = f.start
	return nil
}

// crash sends the trace of a reboot, if it was a crash.
func (f *fake) crash(ctx context.Context, d *fakeDevice, reboot memfaulttest.Reboot) error {
	if !reboot.Reason.IsError() {
		return nil
	}
	return f.sendTrace(ctx, d, f.title(d, reboot), reboot.Time)
}

// sendTrace lets a device send a trace.
func (f *fake) sendTrace(ctx context.Context, d *fakeDevice, title string, at time.Time) error {
	return f.gateway.Uploads.ImportTrace(ctx, memfault.TraceImport{
		DeviceIdentity: memfault.DeviceIdentity{DeviceSerial: d.serial, HardwareVersion: d.hardware, SoftwareType: "main", SoftwareVersion: d.version},
		Reason:         title, CapturedDate: memfault.NewTimestamp(at),
	})
}

// within returns a random duration up to d.
func (f *fake) within(d time.Duration) time.Duration {
	return time.Duration(f.random.Int64N(int64(d)))
}

var (
	fakeExpected = []memfault.RebootReason{
		memfault.RebootReasonLowPower, memfault.RebootReasonLowPower, memfault.RebootReasonLowPower, memfault.RebootReasonUserReset,
		memfault.RebootReasonUserReset, memfault.RebootReasonPowerOnReset, memfault.RebootReasonFirmwareUpdate,
	}
	fakeUnexpected = []memfault.RebootReason{
		memfault.RebootReasonSoftwareWatchdog, memfault.RebootReasonHardFault, memfault.RebootReasonAssert, memfault.RebootReasonBrownOutReset,
	}
)

// reboots returns the reboots of a device in a time. Of a version in a cohort, as many happen as their
// rate says, however fast the time passes; which device has them is as good as random.
func (f *fake) reboots(d *fakeDevice, from time.Time, took time.Duration) (reboots []memfaulttest.Reboot) {
	days := took.Hours() / 24
	add := func(perDay float64, reasons []memfault.RebootReason) {
		key := dueKey{d.version, d.cohort, len(reasons)}
		for f.due[key] += perDay * days; f.due[key] >= 1; f.due[key]-- {
			reboots = append(reboots, memfaulttest.Reboot{Reason: reasons[f.random.IntN(len(reasons))], Time: from.Add(f.within(took))})
		}
	}
	add(0.15, fakeExpected)
	unexpected := 0.012
	if d.version == fakeBad {
		unexpected = 0.07
	}
	add(unexpected, fakeUnexpected)
	return reboots
}

// title returns the title of the issue of a crash. The bad version has one of its own.
func (f *fake) title(d *fakeDevice, reboot memfaulttest.Reboot) string {
	if d.version == fakeBad && f.random.IntN(3) > 0 {
		return "SoftwareWatchdog in pump_control_task"
	}
	titles := map[memfault.RebootReason][]string{
		memfault.RebootReasonSoftwareWatchdog: {"SoftwareWatchdog in ble_rx", "SoftwareWatchdog in tls_handshake"},
		memfault.RebootReasonHardFault:        {"HardFault at mqtt_publish+0x1c", "HardFault at spi_dma_done+0x8"},
		memfault.RebootReasonAssert:           {"Assert at sensor.c:112", "Assert at nvs_write: no space"},
		memfault.RebootReasonBrownOutReset:    {"Brown-out while the pump starts"},
	}[memfault.RebootReason(reboot.Reason)]
	return titles[f.random.IntN(len(titles))]
}

// dueKey identifies the reboots of a kind, of a version in a cohort.
type dueKey struct {
	version, cohort string
	kind            int
}
