package fakecloud

import (
	"encoding/json"
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
	hardwareVersion       string
	cohort                *cohort
	softwareType          string
	softwareVersion       string // last reported
	firstSeen, lastSeen   time.Time
	developerMode         bool
	sampling              *int64
	pinnedRelease         *string
	attributes            []*attribute
	reboots               []Reboot
	logFiles              []*logFile
	created, edited       time.Time
}

type logFile struct{ cid string }

// Reboot describes a reboot of a device.
type Reboot struct {
	Reason int
	Time   time.Time
}

func (c *Cloud) addDevice(p *project, serial, hardwareVersion string, co *cohort) *device {
	d := &device{id: c.newID(), serial: serial, hardwareVersion: hardwareVersion, cohort: co, created: c.now(), edited: c.now()}
	p.devices = append(p.devices, d)
	return d
}

// device also finds a deleted device, by the serial that it got when it was deleted.
func (p *project) device(serial string) *device {
	for _, d := range slices.Concat(p.devices, p.deleted) {
		if d.serial == serial {
			return d
		}
	}
	return nil
}

func (p *project) deviceView(d *device) object {
	return object{
		"id": d.id, "device_serial": d.serial, "nickname": d.nickname, "description": d.description,
		"hardware_version": object{"name": d.hardwareVersion}, "cohort": d.cohort.ref(), "project": p.ref(),
		"first_seen": stamp(d.firstSeen), "last_seen": stamp(d.lastSeen),
		"last_seen_software_version": p.softwareVersionRef(d.softwareType, d.softwareVersion),
		"attributes_resolution":      "normal", "attributes_manual_resolution": nil,
		"debugging_resolution": "normal", "debugging_manual_resolution": nil,
		"timeseries_resolution": "normal", "timeseries_manual_resolution": nil,
		"server_side_developer_mode": d.developerMode, "fleet_sampling_configuration": d.sampling,
		"created_date": stamp(d.created), "updated_date": stamp(d.edited),
	}
}

func (c *Cloud) deviceHandlers() map[operation.ID]handler {
	return map[operation.ID]handler{
		operation.DevicesCreate:          c.createDevice,
		operation.DevicesList:            func(r *request) reply { return listDevices(r, r.project.devices) },
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

func listDevices(r *request, devices []*device) reply {
	devices = filter(devices, func(d *device) bool {
		return r.within(d.lastSeen, "last_seen_since", "last_seen_until") &&
			r.wants("hardware_version", d.hardwareVersion) && r.wants("owner_ref", d.ownerRef) &&
			r.wants("release", d.softwareVersion)
	})
	sortBy(r, devices, "last_seen", func(a, b *device) int { return a.lastSeen.Compare(b.lastSeen) })
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
	case !slices.Contains(r.project.hardwareVersions, body.HardwareVersion):
		return unknownHardware(body.HardwareVersion)
	case co == nil:
		return notFound(fmt.Sprintf("Cohort with slug `%s` not found", body.Cohort))
	}
	d := c.addDevice(r.project, body.DeviceSerial, body.HardwareVersion, co)
	d.ownerRef = body.OwnerRef
	return data(r.project.deviceView(d))
}

func unknownHardware(name string) reply {
	return notFound(fmt.Sprintf("HardwareVersion with name `%s` not found", name))
}

func (c *Cloud) updateDevice(r *request, d *device) reply {
	var body struct {
		Cohort          *string         `json:"cohort"`
		HardwareVersion *string         `json:"hardware_version"`
		Nickname        *string         `json:"nickname"`
		Description     *string         `json:"description"`
		OwnerRef        *string         `json:"owner_ref"`
		DeveloperMode   *bool           `json:"server_side_developer_mode"`
		Sampling        *int64          `json:"fleet_sampling_configuration"`
		Release         json.RawMessage `json:"release"`
	}
	if refused, ok := r.decode(&body); !ok {
		return refused
	}
	co := d.cohort
	if body.Cohort != nil {
		if co = r.project.cohort(*body.Cohort); co == nil {
			return notFound(fmt.Sprintf("Cohort with slug `%s` not found", *body.Cohort))
		}
	}
	if body.HardwareVersion != nil && !slices.Contains(r.project.hardwareVersions, *body.HardwareVersion) {
		return unknownHardware(*body.HardwareVersion)
	}
	if body.Release != nil {
		d.pinnedRelease = nil
		if json.Unmarshal(body.Release, &d.pinnedRelease) != nil {
			return invalid("release", "Not a valid string.")
		}
	}
	d.cohort = co
	change(&d.hardwareVersion, body.HardwareVersion)
	change(&d.nickname, body.Nickname)
	change(&d.description, body.Description)
	change(&d.ownerRef, body.OwnerRef)
	change(&d.developerMode, body.DeveloperMode)
	if body.Sampling != nil {
		d.sampling = body.Sampling
	}
	d.edited = c.now()
	return data(r.project.deviceView(d))
}

// deleteDevice removes the device from the lists but keeps it under another serial.
func (c *Cloud) deleteDevice(r *request, d *device) reply {
	d.serial = fmt.Sprintf("%s_%d", d.serial, c.now().Unix())
	r.project.deleted = append(r.project.deleted, d)
	r.project.devices = slices.DeleteFunc(r.project.devices, func(other *device) bool { return other == d })
	return noContent()
}

// listReboots sorts the newest reboot first.
func listReboots(r *request, d *device) reply {
	reboots := filter(d.reboots, func(b Reboot) bool { return r.within(b.Time, "since", "until") })
	slices.SortStableFunc(reboots, func(a, b Reboot) int { return b.Time.Compare(a.Time) })
	return list(r, reboots, func(b Reboot) object {
		return object{
			"type": "memfault", "reason": b.Reason, "mcu_reason_register": nil, "time": stamp(b.Time),
			"software_version": r.project.softwareVersionRef(d.softwareType, d.softwareVersion),
		}
	})
}

func listLogFiles(r *request, d *device) reply {
	return list(r, d.logFiles, func(f *logFile) object { return object{"cid": f.cid} })
}
