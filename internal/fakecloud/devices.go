package fakecloud

import (
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/memfault-go/memfault/internal/operation"
)

type device struct {
	id                    int64
	serial                string
	nickname, description string
	ownerRef              string
	hardwareVersion       string // empty if nothing has named it yet
	cohort                *cohort
	softwareType          string
	softwareVersion       string // last reported
	firstSeen, lastSeen   time.Time
	developerMode         bool
	sampling              *int64
	override              *release // offered instead of the releases of the cohort, or nil
	fetchedConfig         *int     // the revision that the device fetched
	reportedConfig        *int     // the revision that the device reported
	attributes            []attribute
	reboots               []Reboot
	logFiles              []*logFile
	created, edited       time.Time
	deleted               bool
}

// Reboot describes a reboot of a device.
type Reboot struct {
	Reason   int
	Time     time.Time
	Register *uint64 // with the cause of the reset; nil if unknown
}

// deviceView is a device in a response. It is a struct because large fleets are listed.
type deviceView struct {
	ID                 int64    `json:"id"`
	Serial             string   `json:"device_serial"`
	Nickname           string   `json:"nickname"`
	Description        string   `json:"description"`
	Hardware           *nameRef `json:"hardware_version"`
	Cohort             slugRef  `json:"cohort"`
	Project            slugRef  `json:"project"`
	FirstSeen          stamp    `json:"first_seen"`
	LastSeen           stamp    `json:"last_seen"`
	Version            any      `json:"last_seen_software_version"`
	Attributes         string   `json:"attributes_resolution"`
	AttributesManually any      `json:"attributes_manual_resolution"`
	Debugging          string   `json:"debugging_resolution"`
	DebuggingManually  any      `json:"debugging_manual_resolution"`
	Timeseries         string   `json:"timeseries_resolution"`
	TimeseriesManually any      `json:"timeseries_manual_resolution"`
	DeveloperMode      bool     `json:"server_side_developer_mode"`
	FleetSampling      *int64   `json:"fleet_sampling_configuration"`
	AssignedConfig     int      `json:"assigned_config_revision"`
	ReportedConfig     *int     `json:"reported_config_revision"`
	Created            stamp    `json:"created_date"`
	Updated            stamp    `json:"updated_date"`
}

type nameRef struct {
	Name string `json:"name"`
}

// slugRef is the form of a project or a cohort in another resource.
type slugRef struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
	Slug string `json:"slug"`
}

// textOrNull returns nil for an empty text.
func textOrNull(text string) any {
	if text == "" {
		return nil
	}
	return text
}

// deviceView returns the form of a device in responses to users.
//
// UNCERTAIN(device-without-hardware): what the hardware version is if no data has named it, as
// after a chunk alone. Here it is null.
func (p *project) deviceView(d *device) deviceView {
	var hardware *nameRef
	if d.hardwareVersion != "" {
		hardware = &nameRef{d.hardwareVersion}
	}
	return deviceView{
		ID: d.id, Serial: d.serial, Nickname: d.nickname, Description: d.description, Hardware: hardware,
		Cohort: d.cohort.ref(), Project: p.ref(), FirstSeen: stamp(d.firstSeen), LastSeen: stamp(d.lastSeen),
		Version:    p.softwareVersionRef(d.softwareType, d.softwareVersion),
		Attributes: "normal", Debugging: "normal", Timeseries: "normal",
		DeveloperMode: d.developerMode, FleetSampling: d.sampling,
		AssignedConfig: configRevision, ReportedConfig: d.reportedConfig,
		Created: stamp(d.created), Updated: stamp(d.edited),
	}
}

func (c *Cloud) deviceHandlers() map[*operation.Operation]handler {
	return map[*operation.Operation]handler{
		operation.DevicesCreate:          c.createDevice,
		operation.DevicesList:            func(r *request) reply { return listDevices(r, func() []*device { return r.project.fleet.devices }) },
		operation.DevicesRetrieve:        withDevice(func(r *request, d *device) reply { return data(r.project.deviceView(d)) }),
		operation.DevicesUpdate:          withDevice(c.updateDevice),
		operation.DevicesDelete:          withDevice(c.deleteDevice),
		operation.DeviceAttributesList:   withDevice(listAttributes),
		operation.DeviceAttributesUpdate: withDevice(c.updateAttributes),
		operation.DeviceRebootsList:      withDevice(listReboots),
		operation.DeviceLogFilesList:     withDevice(listLogFiles),
	}
}

// withDevice responds with 404 if the device does not exist.
func withDevice(handle func(*request, *device) reply) handler {
	return func(r *request) reply {
		serial := r.PathValue("device_serial")
		d := r.project.device(serial)
		if d == nil {
			return notFound(fmt.Sprintf("Device with serial `%s` not found", serial))
		}
		return handle(r, d)
	}
}

// listDevices returns the devices of a list that the query selects.
func listDevices(r *request, all func() []*device) reply {
	devices := r.project.fleet.list(r.URL.Path, r.query, func() []*device {
		devices := all()
		if r.hasAny("last_seen_since", "last_seen_until", "hardware_version", "owner_ref", "release") {
			devices = filter(devices, func(d *device) bool {
				return r.within(d.lastSeen, "last_seen_since", "last_seen_until") &&
					r.wants("hardware_version", d.hardwareVersion) && r.wants("owner_ref", d.ownerRef) &&
					r.wants("release", d.softwareVersion)
			})
		}
		if r.query.Has("sort") {
			devices = slices.Clone(devices)
			sortBy(r, devices, "last_seen", func(a, b *device) int { return a.lastSeen.Compare(b.lastSeen) })
		}
		return devices
	})
	return list(r, devices, r.project.deviceView)
}

func (c *Cloud) createDevice(r *request) reply {
	var body struct {
		DeviceSerial    string `json:"device_serial"`
		HardwareVersion string `json:"hardware_version"`
		Cohort          string `json:"cohort"`
		OwnerRef        string `json:"owner_ref"`
	}
	if refused, ok := r.decode(&body); !ok {
		return refused
	}
	if body.DeviceSerial == "" || body.HardwareVersion == "" {
		return invalid("device_serial", "Missing data for required field.")
	}
	if body.Cohort == "" {
		body.Cohort = "default"
	}
	co := r.project.cohort(body.Cohort)
	switch {
	case r.project.device(body.DeviceSerial) != nil:
		return fail(http.StatusConflict, fmt.Sprintf("A device with serial `%s` already exists", body.DeviceSerial))
	case r.project.hardwareVersion(body.HardwareVersion) == nil:
		return unknownHardware(body.HardwareVersion)
	case co == nil:
		return notFound(fmt.Sprintf("Cohort with slug `%s` not found", body.Cohort))
	}
	d := c.seedDevice(r.project, Device{
		Serial: body.DeviceSerial, HardwareVersion: body.HardwareVersion, Cohort: body.Cohort, OwnerRef: body.OwnerRef,
	})
	return data(r.project.deviceView(d))
}

// AddReboots adds reboots of a device. An unknown device is created.
func (c *Cloud) AddReboots(serial string, reboots ...Reboot) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.accepts("a reboot", required("serial", serial)) {
		return
	}
	_, d := c.ensureDevice(serial)
	d.reboots = append(d.reboots, reboots...)
}

// listReboots sorts the newest reboot first.
func listReboots(r *request, d *device) reply {
	reboots := filter(d.reboots, func(b Reboot) bool { return r.within(b.Time, "since", "until") })
	slices.SortStableFunc(reboots, func(a, b Reboot) int { return b.Time.Compare(a.Time) })
	return list(r, reboots, func(b Reboot) object {
		return object{
			"type": "memfault", "reason": b.Reason, "mcu_reason_register": b.Register, "time": stamp(b.Time),
			"software_version": r.project.softwareVersionRef(d.softwareType, d.softwareVersion),
		}
	})
}
