package main

import (
	"fmt"
	"time"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/memfaulttest"
)

func (f *fake) addDevices(n int) {
	f.cloud.AddCohorts(memfaulttest.Cohort{Slug: "beta", Name: "Beta"}, memfaulttest.Cohort{Slug: "internal", Name: "Internal"})
	f.cloud.AddHardwareVersions(memfaulttest.HardwareVersion{Name: "dvt-2"})
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
		reboot := memfaulttest.Reboot{Reason: fakeReasons[f.random.IntN(len(fakeReasons))], Time: time.Now().Add(-f.hours(30 * 24))}
		if d.cohort == "internal" && f.random.IntN(2) == 0 {
			reboot.Reason, reboot.Time = memfault.RebootReasonSoftwareWatchdog, time.Now().Add(-f.hours(fakeDays*24))
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
