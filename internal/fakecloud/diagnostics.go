package fakecloud

import (
	"fmt"
	"strconv"
)

// diagnostics is what the devices of a project reported, and what is made of it.
type diagnostics struct {
	events      []*event
	issues      []*issue
	traces      []*trace
	recordings  []*recording
	reports     []*report
	metrics     []*customMetric
	alerts      []*alert
	sdkSettings any
	files       map[string]*file
}

// withID answers 404 for an id that no item has.
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

// ensureDevice returns a device of the project that New makes, which is made if it is
// unknown: that is what the first data of a device does.
func (c *Cloud) ensureDevice(serial string) (*project, *device) {
	p := c.defaultProject()
	if p.device(serial) == nil {
		c.seedDevice(p, Device{Serial: serial})
	}
	return p, p.device(serial)
}

// refView is the device within another resource.
func (d *device) refView() object {
	return object{"id": d.id, "device_serial": d.serial, "hardware_version": d.hardwareVersion}
}

func releaseRef(version string) object {
	return object{"id": len(version), "version": version, "revision": ""}
}

// ReportSoftwareVersion makes a device report that it runs a version. An unknown
// device becomes known by it.
func (c *Cloud) ReportSoftwareVersion(serial, version string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p, d := c.ensureDevice(serial)
	c.ensureRelease(p, d.softwareType, version)
	d.softwareVersion, d.lastSeen = version, c.now()
	if d.firstSeen.IsZero() {
		d.firstSeen = d.lastSeen
	}
}
