package fakecloud

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// Device describes a device.
type Device struct {
	Serial          string
	HardwareVersion string // evt-1 by default; created if unknown
	Cohort          string // default by default; created if unknown
	SoftwareType    string // main by default
	SoftwareVersion string // its release is created if unknown
	LastSeen        time.Time
	Attributes      map[string]any
	Reboots         []Reboot
	LogFiles        []string
}

// AddDevices adds devices to the default project.
func (c *Cloud) AddDevices(devices ...Device) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.defaultProject()
	for _, d := range devices {
		c.seedDevice(p, d)
	}
}

func (c *Cloud) seedDevice(p *project, d Device) {
	for field, value := range map[*string]string{&d.HardwareVersion: "evt-1", &d.Cohort: "default", &d.SoftwareType: "main"} {
		if *field == "" {
			*field = value
		}
	}
	if !slices.Contains(p.hardwareVersions, d.HardwareVersion) {
		p.hardwareVersions = append(p.hardwareVersions, d.HardwareVersion)
	}
	co := p.cohort(d.Cohort)
	if co == nil {
		co = c.addCohort(p, d.Cohort, d.Cohort)
	}
	added := c.addDevice(p, d.Serial, d.HardwareVersion, co)
	added.softwareType, added.softwareVersion = d.SoftwareType, d.SoftwareVersion
	if d.SoftwareVersion != "" {
		c.ensureRelease(p, d.SoftwareType, d.SoftwareVersion)
	}
	added.firstSeen, added.lastSeen = d.LastSeen, d.LastSeen
	added.reboots = slices.Clone(d.Reboots)
	for key, value := range d.Attributes {
		added.setAttribute(key, value, d.LastSeen)
	}
	for _, cid := range d.LogFiles {
		added.logFiles = append(added.logFiles, &logFile{cid: cid})
	}
}

// SeedFleet adds n devices to the default project, with three cohorts, five software
// versions, attributes, log files, and reboots of the last days. It adds the same fleet each
// time; only the times differ.
func (c *Cloud) SeedFleet(n int) {
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same fleet each time
	versions := []string{"1.0.0", "1.1.0", "1.1.1", "2.0.0-rc.1", "2.0.0+build.7"}
	reasons := []int{0x0002, 0x0003, 0x0004, 0x8001, 0x8002, 0x9400}
	now := c.now()
	for i := range n {
		cohort := "default"
		switch {
		case i%10 == 0:
			cohort = "internal"
		case i%5 == 1:
			cohort = "beta"
		}
		seen := now.Add(-time.Duration(random.IntN(36*60)) * time.Minute)
		device := Device{
			Serial: fmt.Sprintf("SINK-%04d", i+1), Cohort: cohort, HardwareVersion: []string{"evt-1", "dvt-2"}[i%2],
			SoftwareVersion: versions[random.IntN(len(versions))], LastSeen: seen,
			Attributes: map[string]any{"region": []string{"eu", "us", "apac"}[i%3], "tap_count": random.IntN(5000)},
			LogFiles:   []string{newUUID()},
		}
		for range random.IntN(4) {
			device.Reboots = append(device.Reboots, Reboot{
				Reason: reasons[random.IntN(len(reasons))],
				Time:   seen.Add(-time.Duration(random.IntN(72*60)) * time.Minute),
			})
		}
		c.AddDevices(device)
	}
}
