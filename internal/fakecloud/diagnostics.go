package fakecloud

import (
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
	reports     []*report
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

// ensureDevice returns a device of the default project. It creates an unknown device, as
// the first data of a device does.
func (c *Cloud) ensureDevice(serial string) (*project, *device) {
	p := c.defaultProject()
	if p.device(serial) == nil {
		c.seedDevice(p, Device{Serial: serial})
	}
	return p, p.device(serial)
}

// refView is the form of a device in another resource.
func (d *device) refView() object {
	return object{"id": d.id, "device_serial": d.serial, "hardware_version": d.hardwareVersion}
}

func releaseRef(version string) object {
	return object{"id": len(version), "version": version, "revision": ""}
}

// ReportSoftwareVersion sets the version that a device of the default project last reported.
// It creates an unknown device.
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
