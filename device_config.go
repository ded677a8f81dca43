package memfault

import (
	"context"
	"encoding/json"
	"net/url"

	"github.com/memfault-go/memfault/internal/operation"
)

// DeviceConfigService does what devices do, or a gateway that speaks for them. Its
// methods take a ProjectKey.
type DeviceConfigService struct{ client *Client }

// DeviceIdentity tells the cloud which device speaks and what it runs.
type DeviceIdentity struct {
	DeviceSerial    string `json:"device_serial"`           // required
	HardwareVersion string `json:"hardware_version"`        // required
	SoftwareVersion string `json:"software_version"`        // required
	SoftwareType    string `json:"software_type,omitempty"` // optional by Memfault's pages; every program sends it
}

// DeviceConfig is what the cloud asks of a device.
type DeviceConfig struct {
	Config    DeviceConfigValues `json:"config"`
	Revision  int64              `json:"revision"`
	Completed *int64             `json:"completed"` // the revision that the device confirmed; nil for none. UNCERTAIN
}

// DeviceConfigValues holds the settings by who gives them.
type DeviceConfigValues struct {
	Memfault SystemConfig `json:"memfault"`
}

// SystemConfig holds the settings that Memfault itself gives.
type SystemConfig struct {
	Sampling            DeviceSampling  `json:"sampling"`
	DataUploadStartDate Timestamp       `json:"data_upload_start_date"` // zero when there is none
	Bort                json.RawMessage `json:"bort"`                   // only for Android
}

// DeviceSampling says how much of each kind of data a device is to upload.
type DeviceSampling struct {
	Debugging  SamplingResolution `json:"debugging.resolution"`
	Logging    SamplingResolution `json:"logging.resolution"`
	Monitoring SamplingResolution `json:"monitoring.resolution"`
}

// Fetch returns the configuration of a device. A bad project key is ErrForbidden or
// ErrUnauthorized; which is UNCERTAIN. Seen only in Memfault's own agents; not
// documented by Memfault.
func (s *DeviceConfigService) Fetch(ctx context.Context, traits DeviceIdentity, opts ...CallOption) (*DeviceConfig, error) {
	body := struct {
		Device DeviceIdentity `json:"device"`
	}{traits}
	return fetch[DeviceConfig](ctx, clientOf(s), operation.DeviceConfigFetch, input{body: body}, opts)
}

// SDKSettings returns the settings that an Android build takes in, as JSON of a form
// that is unknown. A bad project key is ErrUnauthorized. Seen only in the build of
// Memfault's own Android agent; not documented by Memfault.
func (s *DeviceConfigService) SDKSettings(ctx context.Context, softwareType string, opts ...CallOption) (json.RawMessage, error) {
	if softwareType == "" {
		return nil, invalid("SDKSettings: the software type is empty")
	}
	settings, err := fetch[json.RawMessage](ctx, clientOf(s), operation.SDKSettingsGet, input{query: url.Values{"software_type": {softwareType}}}, opts)
	if err != nil {
		return nil, err
	}
	return *settings, nil
}

// UpdateAttributes sets attributes of a device with the project key, as far as
// their write policy lets devices do so. With an organization's credential, use
// the method of the same name of DevicesService.
//
// Memfault: https://docs.memfault.com/docs/platform/metrics
func (s *DeviceConfigService) UpdateAttributes(ctx context.Context, deviceSerial string, values []AttributeValue, opts ...CallOption) error {
	if deviceSerial == "" {
		return invalid("UpdateAttributes: the device serial is empty")
	}
	query := url.Values{"device_serial": {deviceSerial}}
	return exec(ctx, clientOf(s), operation.DeviceAttributesUpdateProjectKey, input{query: query, body: nonNil(values)}, opts)
}
