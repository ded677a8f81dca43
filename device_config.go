package memfault

import (
	"context"
	"encoding/json"
	"net/url"

	"github.com/memfault-go/memfault/internal/operation"
)

// DeviceConfigService calls the operations meant for devices, on behalf of a device.
type DeviceConfigService struct{ client *Client }

// DeviceIdentity identifies a device and its software.
type DeviceIdentity struct {
	DeviceSerial    string `json:"device_serial"`    // required
	HardwareVersion string `json:"hardware_version"` // required
	SoftwareVersion string `json:"software_version"` // required
	// SoftwareType is optional according to Memfault's pages, but every known program sends it.
	SoftwareType string `json:"software_type,omitempty"`
}

// DeviceConfig is the configuration that Memfault assigns to a device.
type DeviceConfig struct {
	Config   DeviceConfigValues `json:"config"`
	Revision int64              `json:"revision"`
	// Completed is the revision that the device confirmed, or nil if there is none.
	// UNCERTAIN(config-revision): whether it has this meaning.
	Completed *int64 `json:"completed"`
}

// DeviceConfigValues contains the settings by their source.
type DeviceConfigValues struct {
	Memfault SystemConfig `json:"memfault"`
}

// SystemConfig contains the settings that Memfault itself defines.
type SystemConfig struct {
	Sampling            DeviceSampling  `json:"sampling"`
	DataUploadStartDate Timestamp       `json:"data_upload_start_date"` // the zero value if there is none
	Bort                json.RawMessage `json:"bort"`                   // only for Android
}

// DeviceSampling describes how much of each kind of data a device should upload.
type DeviceSampling struct {
	Debugging  SamplingResolution `json:"debugging.resolution"`
	Logging    SamplingResolution `json:"logging.resolution"`
	Monitoring SamplingResolution `json:"monitoring.resolution"`
}

// Fetch returns the configuration of a device.
//
// If the project key is wrong, Fetch fails with [ErrForbidden] or [ErrUnauthorized].
// UNCERTAIN(config-wrong-key): which of the two.
//
// Credentials: [ProjectKey].
//
// Not documented by Memfault; observed only in Memfault's own agents.
func (s *DeviceConfigService) Fetch(ctx context.Context, device DeviceIdentity, opts ...CallOption) (*DeviceConfig, error) {
	body := struct {
		Device DeviceIdentity `json:"device"`
	}{device}
	return fetch[DeviceConfig](ctx, clientOf(s), operation.DeviceConfigFetch, requestParams{body: body}, opts)
}

// SDKSettings returns the settings for an Android build as JSON of an unknown form. If the
// project key is wrong, SDKSettings fails with [ErrUnauthorized].
//
// Credentials: [ProjectKey].
//
// Not documented by Memfault; observed only in the build of Memfault's own Android agent.
func (s *DeviceConfigService) SDKSettings(ctx context.Context, softwareType string, opts ...CallOption) (json.RawMessage, error) {
	if softwareType == "" {
		return nil, invalid("SDKSettings: software type must not be empty")
	}
	settings, err := fetch[json.RawMessage](ctx, clientOf(s), operation.SDKSettingsGet, requestParams{query: url.Values{"software_type": {softwareType}}}, opts)
	if err != nil {
		return nil, err
	}
	return *settings, nil
}

// UpdateAttributes sets attributes of a device, if their write policy allows devices to do so.
// With the credential of a user or of an organization, use [DevicesService.UpdateAttributes].
//
// If the device does not exist, UpdateAttributes fails with [ErrNotFound].
//
// Credentials: [ProjectKey].
//
// Memfault: https://docs.memfault.com/docs/platform/metrics
func (s *DeviceConfigService) UpdateAttributes(ctx context.Context, deviceSerial string, values []AttributeValue, opts ...CallOption) error {
	if deviceSerial == "" {
		return invalid("UpdateAttributes: device serial must not be empty")
	}
	query := url.Values{"device_serial": {deviceSerial}}
	return exec(ctx, clientOf(s), operation.DeviceAttributesUpdateProjectKey, requestParams{query: query, body: nonNil(values)}, opts)
}
