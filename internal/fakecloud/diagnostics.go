package fakecloud

import (
	"cmp"
	"fmt"
	"strconv"
)

// diagnostics contains the data that the devices of a project reported, and the issues,
// alerts and metrics of the project.
type diagnostics struct {
	events      []*event
	issues      []*issue
	traces      []*trace
	recordings  []*recording
	reports     []Report
	metrics     []*customMetric
	alerts      []*alert
	sdkSettings any
	files       map[string]*file
}

// withID responds with 404 if no item has the ID.
func withID[T interface{ identity() int64 }](kind, placeholder string, items func(*project) []T, handle func(*request, T) reply) handler {
	return func(r *request) reply {
		text := r.PathValue(placeholder)
		for _, item := range items(r.project) {
			if strconv.FormatInt(item.identity(), 10) == text {
				return handle(r, item)
			}
		}
		return notFound(fmt.Sprintf("%s with id `%s` not found", kind, text))
	}
}

// ensureDevice returns a device of the default project. It creates the device if it is unknown.
func (c *Cloud) ensureDevice(serial string) (*project, *device) {
	p := c.seeded
	d := p.device(serial)
	if d == nil {
		d = c.seedDevice(p, Device{Serial: serial})
	}
	return p, d
}

// traits is what data contains about its device. Only the serial is always known.
type traits struct{ serial, hardware, softwareType, version string }

// received records that data of a device arrived. It creates an unknown device, hardware
// version, software type and release, as the first data of a device does. The first hardware
// version that a device reports remains. A device whose first data names none, as a chunk that
// begins a message, has no hardware version until other data does.
//
// If current is true, the version in the data is the current version of the device. Otherwise
// it is the version that crashed or recorded: an older version must not replace a newer one.
func (c *Cloud) received(p *project, t traits, current bool) *device {
	d := p.device(t.serial)
	if d == nil {
		d = c.newDevice(p, Device{Serial: t.serial, SoftwareType: t.softwareType, HardwareVersion: t.hardware})
	}
	typeName := cmp.Or(t.softwareType, d.softwareType, primarySoftwareType)
	if t.hardware != "" {
		c.ensureHardware(p, t.hardware, typeName)
	}
	if t.version != "" {
		c.ensureRelease(p, typeName, t.version)
	}
	p.fleet.change(d, func() {
		if d.hardwareVersion == "" {
			d.hardwareVersion = t.hardware
		}
		if t.version != "" && (current || d.softwareVersion == "") {
			d.softwareType, d.softwareVersion = typeName, t.version
		}
		d.lastSeen = c.now()
		if d.firstSeen.IsZero() {
			d.firstSeen = d.lastSeen
		}
	})
	return d
}

// refView is the form of a device in another resource.
func (d *device) refView() object {
	return object{"id": d.id, "device_serial": d.serial, "hardware_version": textOrNull(d.hardwareVersion)}
}

func releaseRef(version string) object {
	return object{"id": len(version), "version": version, "revision": ""}
}

// ReportSoftwareVersion sets the version that a device of the default project last reported.
// It creates an unknown device.
func (c *Cloud) ReportSoftwareVersion(serial, version string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.accepts("a report of a version", required("serial", serial), required("version", version)) {
		return
	}
	p, d := c.ensureDevice(serial)
	c.received(p, traits{serial: serial, softwareType: d.softwareType, version: version}, true)
}
