package fakecloud

import (
	"fmt"

	"github.com/memfault-go/memfault/internal/operation"
)

// configRevision is the revision of the configuration of all devices.
const configRevision = 1

// SetSDKSettings sets the response of the default project to sdk-settings.
func (c *Cloud) SetSDKSettings(settings any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seeded.diagnostics.sdkSettings = settings
}

func (c *Cloud) deviceConfigHandlers() map[*operation.Operation]handler {
	return map[*operation.Operation]handler{
		operation.DeviceConfigFetch:                c.fetchDeviceConfig,
		operation.SDKSettingsGet:                   getSDKSettings,
		operation.DeviceAttributesUpdateProjectKey: c.updateOwnAttributes,
	}
}

// fetchDeviceConfig records that the device has the configuration. The device reports it with
// its next MAR; only then reported_config_revision changes.
//
// UNCERTAIN(config-unknown-device): whether the request creates an unknown device. Here it does
// not.
func (c *Cloud) fetchDeviceConfig(r *request) reply {
	var body struct {
		Device map[string]string `json:"device"`
	}
	if refused, ok := r.decode(&body); !ok {
		return refused
	}
	for _, name := range []string{"device_serial", "hardware_version", "software_version"} {
		if body.Device[name] == "" {
			return invalid("device", name+": Missing data for required field.")
		}
	}
	var completed *int
	if d := r.project.device(body.Device["device_serial"]); d != nil {
		r.project.fleet.change(d, func() { d.fetchedConfig = new(configRevision) })
		completed = d.reportedConfig
	}
	return data(object{
		"config": object{"memfault": object{
			"sampling": object{
				"debugging.resolution": "normal", "logging.resolution": "low", "monitoring.resolution": "normal",
			},
			"data_upload_start_date": nil,
		}},
		"revision": configRevision, "completed": completed,
	})
}

func getSDKSettings(r *request) reply {
	if r.query.Get("software_type") == "" {
		return invalid("software_type", "Missing data for required field.")
	}
	settings := r.project.diagnostics.sdkSettings
	if settings == nil {
		settings = object{}
	}
	return data(settings)
}

// updateOwnAttributes finds the device by the query and the project by the key.
func (c *Cloud) updateOwnAttributes(r *request) reply {
	serial := r.query.Get("device_serial")
	if serial == "" {
		return invalid("device_serial", "Missing data for required field.")
	}
	d := r.project.device(serial)
	if d == nil {
		return notFound(fmt.Sprintf("Device with serial `%s` not found", serial))
	}
	return c.updateAttributes(r, d)
}
