package fakecloud

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"
)

// Device describes a device.
type Device struct {
	Serial          string
	HardwareVersion string // evt-1 by default
	Cohort          string // default by default
	SoftwareType    string // main by default
	SoftwareVersion string // its release is created if unknown
	Nickname        string
	Description     string
	OwnerRef        string
	FirstSeen       time.Time // LastSeen by default
	LastSeen        time.Time
	Attributes      map[string]any
	Reboots         []Reboot
	LogFiles        []LogFile
}

// AddDevices adds devices to the default project. A device with the same serial is deleted
// first. The cohort, the hardware version and the software type must exist.
func (c *Cloud) AddDevices(devices ...Device) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.seeded
	for _, d := range devices {
		if !c.accepts("a device", required("serial", d.Serial), refers("cohort", d.Cohort, p.cohort(d.Cohort) != nil),
			refers("hardware version", d.HardwareVersion, p.hardwareVersion(d.HardwareVersion) != nil),
			refers("software type", d.SoftwareType, p.softwareType(d.SoftwareType) != nil)) {
			continue
		}
		if old := p.device(d.Serial); old != nil && !old.deleted {
			p.fleet.remove(old, fmt.Sprintf("%s_%d", old.serial, old.id))
		}
		c.seedDevice(p, d)
	}
}

func (c *Cloud) seedDevice(p *project, d Device) *device {
	d.HardwareVersion = cmp.Or(d.HardwareVersion, defaultHardware)
	return c.newDevice(p, d)
}

// newDevice adds a device, whose hardware version may be unknown.
func (c *Cloud) newDevice(p *project, d Device) *device {
	d.SoftwareType = cmp.Or(d.SoftwareType, primarySoftwareType)
	if d.HardwareVersion != "" {
		c.ensureHardware(p, d.HardwareVersion, d.SoftwareType)
	}
	if d.SoftwareVersion != "" {
		c.ensureRelease(p, d.SoftwareType, d.SoftwareVersion)
	}
	added := &device{
		id: c.newID(), serial: d.Serial, hardwareVersion: d.HardwareVersion, cohort: c.ensureCohort(p, cmp.Or(d.Cohort, "default")),
		softwareType: d.SoftwareType, softwareVersion: d.SoftwareVersion,
		nickname: d.Nickname, description: d.Description, ownerRef: d.OwnerRef,
		firstSeen: cmp.Or(d.FirstSeen, d.LastSeen), lastSeen: d.LastSeen, reboots: slices.Clone(d.Reboots),
		created: c.now(), edited: c.now(),
	}
	p.fleet.add(added)
	added.attributes = make([]attribute, 0, len(d.Attributes))
	for _, key := range slices.Sorted(maps.Keys(d.Attributes)) {
		c.setAttribute(p, added, key, d.Attributes[key], d.LastSeen)
	}
	for _, f := range d.LogFiles {
		added.logFiles = append(added.logFiles, c.newLogFile(f))
	}
	return added
}

// SeedFleet adds n devices to the default project, with three cohorts, five software
// versions, attributes, log files, and reboots of the last days. It adds the same fleet each
// time; only the times differ. Devices that exist remain as they are.
func (c *Cloud) SeedFleet(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seedFleet(c.seeded, n)
}

func (c *Cloud) seedFleet(p *project, n int) {
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same fleet each time
	versions := []string{"1.0.0", "1.1.0", "1.1.1", "2.0.0-rc.1", "2.0.0+build.7"}
	reasons := []int{0x0002, 0x0003, 0x0004, 0x8001, 0x8002, 0x9400}
	now := c.now()
	p.fleet.grow(n)
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
			LogFiles:   []LogFile{{ID: uuid(fmt.Sprintf("%016x%016x", random.Uint64(), random.Uint64()))}},
		}
		for range random.IntN(4) {
			device.Reboots = append(device.Reboots, Reboot{
				Reason: reasons[random.IntN(len(reasons))],
				Time:   seen.Add(-time.Duration(random.IntN(72*60)) * time.Minute),
			})
		}
		if p.device(device.Serial) == nil {
			c.seedDevice(p, device)
		}
	}
}
