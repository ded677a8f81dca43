package fakecloud

import (
	"bytes"
	"fmt"
	"time"
)

// SeedDemo adds the data of a demonstration to the default project, except devices: issues with
// traces, a coredump with symbols, a report, log files, recordings, a release for two boards
// with a delta release, deployments, installs, an alert, custom metrics and events. They belong
// to the first devices of SeedFleet; SeedDemo adds 50 devices if the project has none. It adds
// the same each time; only the times differ. It must be called once.
func (c *Cloud) SeedDemo() {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.seeded
	if len(p.fleet.devices) == 0 {
		c.seedFleet(p, 50)
	}
	demo := &demo{Cloud: c, project: p, now: c.now().Truncate(time.Minute)}
	for i := range 6 {
		serial := fmt.Sprintf("SINK-%04d", i+1)
		d := p.device(serial)
		if d == nil {
			d = c.seedDevice(p, Device{Serial: serial, SoftwareVersion: "1.1.1", LastSeen: demo.now})
		}
		demo.devices = append(demo.devices, d)
	}
	demo.releases()
	demo.issues()
	demo.files()
	demo.telemetry()
}

type demo struct {
	*Cloud
	project *project
	now     time.Time
	devices []*device
}

func (x *demo) ago(hours int) time.Time { return x.now.Add(-time.Duration(hours) * time.Hour) }

// releases adds a release that is deployed to all of one cohort and to some of another.
func (x *demo) releases() {
	payload := func(name, board string) Artifact {
		return Artifact{
			HardwareVersion: board, Filename: name + "-" + board + ".bin",
			Content: bytes.Repeat([]byte(name+" for "+board+"\n"), 200),
		}
	}
	rel := x.ensureRelease(x.project, primarySoftwareType, "2.0.0")
	rel.revision, rel.notes, rel.described = "8219de4", "The pump starts more gently.", true
	rel.artifacts = x.seedArtifacts(x.project, primarySoftwareType, payload("sink-2.0.0", "evt-1"), payload("sink-2.0.0", "dvt-2"))
	d := x.ensureDelta(x.project, primarySoftwareType, "1.1.1", "2.0.0")
	d.artifacts = x.seedArtifacts(x.project, primarySoftwareType, payload("sink-1.1.1-to-2.0.0", "evt-1"), payload("sink-1.1.1-to-2.0.0", "dvt-2"))
	x.addSymbols(x.project, x.ensureSoftwareVersion(x.project, primarySoftwareType, "2.0.0"), newBlob([]byte("\x7fELF symbols of sink 2.0.0")))
	for i, seed := range []Deployment{{Release: "2.0.0", Cohort: "internal"}, {Release: "2.0.0", Cohort: "default", RolloutPercent: 25}} {
		added := x.addDeployment(x.project, seed)
		added.deployed, added.deployer = x.ago(48-24*i), x.users[0]
	}
	for i, dev := range x.devices[:3] {
		began := x.ago(40 - i)
		x.project.installs = append(x.project.installs, &install{
			id: x.newID(), status: "success", device: dev, release: rel, began: began, transitioned: began.Add(4 * time.Minute),
		})
	}
}

// issues adds two open issues and a resolved one, and a coredump of the second.
func (x *demo) issues() {
	for i, reason := range []string{"Assert", "HardFault", "SoftwareWatchdog"} {
		id := x.addIssue(x.project, Issue{Title: reason + " at pump_start", Reason: reason, Signature: fmt.Sprintf("%064x", 0xa0+i)}).id
		for j, dev := range x.devices[i : i+3] {
			t := x.addTrace(x.project, dev, Trace{Issue: id, SoftwareVersion: "1.1.1", Reason: reason, Captured: x.ago(30 - 7*j - i)})
			t.signature = fmt.Sprintf("%064x", 0xa0+i)
			if reason == "HardFault" && j == 2 {
				t.Coredump, t.Symbols = true, true
				dump, elf := newBlob([]byte("CORE of "+dev.serial)), newBlob([]byte("\x7fELF core of "+dev.serial))
				x.storeCoredump(x.project, t, coredumpFiles{dump, elf, newBlob([]byte("\x7fELF symbols of sink 1.1.1")), 0})
			}
		}
	}
	u, last := x.users[0], x.project.diagnostics.issues[len(x.project.diagnostics.issues)-1]
	last.Status = "resolved"
	last.resolution = object{"actor": object{"id": u.id, "email": u.email, "name": u.name}, "timestamp": stamp(x.ago(2))}
}

// files adds log files and recordings.
func (x *demo) files() {
	for i, dev := range x.devices[:2] {
		var lines bytes.Buffer
		for j := range 20 {
			fmt.Fprintf(&lines, "%s [I] pump: flow %d.%d l/min\n", x.ago(12).Add(time.Duration(j)*time.Minute).UTC().Format(time.RFC3339), 2+i, j%10)
		}
		lines.WriteString("pump: [E] pressure out of range\n")
		dev.logFiles = append(dev.logFiles, x.newLogFile(LogFile{ID: x.newUUID(), Content: lines.Bytes()}))
		x.addRecording(x.project, dev, Recording{
			DeviceSerial: dev.serial, Reason: []string{"button pressed", "pressure out of range"}[i], Start: x.ago(11 - i), End: x.ago(11 - i).Add(time.Minute),
			MIMETypes: []string{"text/csv"}, Content: []byte("second,pressure_bar\n0,1.9\n30,2.4\n60,3.1\n"),
		})
	}
}

// telemetry adds custom metrics, a report, events and an alert.
func (x *demo) telemetry() {
	for _, m := range [][2]string{{"battery_level", "FLOAT"}, {"pump_enabled", "BOOL"}} {
		x.addMetric(x.project, m[0], m[1]).created = true
	}
	x.setAttribute(x.project, x.devices[0], "battery_level", 87.5, x.ago(1))
	x.project.diagnostics.reports = append(x.project.diagnostics.reports, Report{
		DeviceSerial: x.devices[0].serial, Start: x.ago(2), End: x.ago(1), Metrics: map[string]any{"battery_level": 87.5, "flow_l": 42, "taps": 17},
	})
	for i, dev := range x.devices {
		x.addEvent(x.project, dev, Event{
			Type: "heartbeat", SoftwareVersion: dev.softwareVersion, Captured: x.ago(6 - i),
			Info: object{"metrics": object{"battery_level": 90 - i, "flow_l": 3 * i}},
		})
	}
	x.project.diagnostics.alerts = append(x.project.diagnostics.alerts, &alert{
		id: x.newID(), title: "Pressure out of range", delay: 900, onStart: true, targets: []string{"everyone"}, devices: "cohort != 'internal'",
	})
}
