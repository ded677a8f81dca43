package fakecloud

import (
	"encoding/json"
	"fmt"
)

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
	if body.HardwareVersion != nil && r.project.hardwareVersion(*body.HardwareVersion) == nil {
		return unknownHardware(*body.HardwareVersion)
	}
	override := d.override
	if body.Release != nil {
		var refused reply
		var ok bool
		if override, refused, ok = r.project.releaseOverride(body.Release); !ok {
			return refused
		}
	}
	r.project.fleet.change(d, func() {
		d.cohort, d.override, d.edited = co, override, c.now()
		change(&d.hardwareVersion, body.HardwareVersion)
		change(&d.nickname, body.Nickname)
		change(&d.description, body.Description)
		change(&d.ownerRef, body.OwnerRef)
		change(&d.developerMode, body.DeveloperMode)
		if body.Sampling != nil {
			d.sampling = body.Sampling
		}
	})
	return data(r.project.deviceView(d))
}

// releaseOverride returns the release that a request names, or nil to remove the override.
//
// UNCERTAIN(device-unknown-release): how Memfault responds to an unknown release. The fake cloud
// rejects it.
func (p *project) releaseOverride(text json.RawMessage) (*release, reply, bool) {
	var version *string
	if json.Unmarshal(text, &version) != nil {
		return nil, invalid("release", "Not a valid string."), false
	}
	if version == nil {
		return nil, reply{}, true
	}
	rel := p.release(*version)
	if rel == nil {
		return nil, unknownRelease(*version), false
	}
	return rel, reply{}, true
}

// deleteDevice removes the device from the lists but keeps it under another serial.
func (c *Cloud) deleteDevice(r *request, d *device) reply {
	if d.deleted {
		return notFound(fmt.Sprintf("Device with serial `%s` not found", d.serial))
	}
	r.project.fleet.remove(d, fmt.Sprintf("%s_%d", d.serial, c.now().Unix()))
	return noContent()
}
