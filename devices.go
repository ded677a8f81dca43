package memfault

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/memfault-go/memfault/internal/operation"
)

// DevicesService manages devices and reads their attributes, reboots and log files.
type DevicesService struct{ client *Client }

// Device is one unit of a product.
type Device struct {
	ID                         int64                       `json:"id"`
	DeviceSerial               string                      `json:"device_serial"`
	Nickname                   string                      `json:"nickname"`
	Description                string                      `json:"description"`
	OwnerRef                   string                      `json:"owner_ref"` // only in older responses
	HardwareVersion            HardwareVersionRef          `json:"hardware_version"`
	Cohort                     CohortRef                   `json:"cohort"`
	Project                    *ProjectSummary             `json:"project"`
	FirstSeen                  Timestamp                   `json:"first_seen"`
	LastSeen                   Timestamp                   `json:"last_seen"`                  // the zero value until the device reports
	LastSeenSoftwareVersion    *SoftwareVersionRef         `json:"last_seen_software_version"` // nil until the device reports
	LastSeenRelease            *ReleaseRef                 `json:"last_seen_release"`          // only in older responses
	LatestInstall              json.RawMessage             `json:"latest_install"`             // only in older responses
	LatestTrace                json.RawMessage             `json:"latest_trace"`               // only in older responses
	AttributesResolution       SamplingResolution          `json:"attributes_resolution"`
	AttributesManualResolution *SamplingResolution         `json:"attributes_manual_resolution"`
	DebuggingResolution        SamplingResolution          `json:"debugging_resolution"`
	DebuggingManualResolution  *SamplingResolution         `json:"debugging_manual_resolution"`
	TimeseriesResolution       SamplingResolution          `json:"timeseries_resolution"`
	TimeseriesManualResolution *SamplingResolution         `json:"timeseries_manual_resolution"`
	ServerSideDeveloperMode    bool                        `json:"server_side_developer_mode"` // lifts the device's rate limits
	FleetSamplingConfiguration *FleetSamplingConfiguration `json:"fleet_sampling_configuration"`
	AssignedConfigRevision     *int64                      `json:"assigned_config_revision"`
	ReportedConfigRevision     *int64                      `json:"reported_config_revision"`
	CreatedDate                Timestamp                   `json:"created_date"`
	UpdatedDate                Timestamp                   `json:"updated_date"`
}

// SamplingResolution describes how much of a kind of data a device should upload.
type SamplingResolution string

// Resolutions of fleet sampling.
const (
	SamplingResolutionOff    SamplingResolution = "off"
	SamplingResolutionLow    SamplingResolution = "low"
	SamplingResolutionNormal SamplingResolution = "normal"
	SamplingResolutionHigh   SamplingResolution = "high"
)

// FleetSamplingConfiguration identifies the fleet sampling configuration of a device.
//
// UNCERTAIN(fleet-sampling-configuration): whether Memfault sends a number or an object with an
// ID. Both are decoded.
type FleetSamplingConfiguration struct {
	ID int64 `json:"id"`

	asNumber bool
}

// UnmarshalJSON decodes an object with an ID, or a number.
func (f *FleetSamplingConfiguration) UnmarshalJSON(data []byte) error {
	type object FleetSamplingConfiguration
	if f.asNumber = len(data) > 0 && data[0] != '{'; f.asNumber {
		return json.Unmarshal(data, &f.ID)
	}
	return json.Unmarshal(data, (*object)(f))
}

// MarshalJSON encodes f in the form from which it was decoded.
func (f FleetSamplingConfiguration) MarshalJSON() ([]byte, error) {
	type object FleetSamplingConfiguration
	if f.asNumber {
		return json.Marshal(f.ID)
	}
	return json.Marshal(object(f))
}

// DeviceCreate describes a new device.
type DeviceCreate struct {
	DeviceSerial    string `json:"device_serial"`    // required
	HardwareVersion string `json:"hardware_version"` // required
	Cohort          string `json:"cohort,omitempty"` // a slug; defaults to the default cohort
	OwnerRef        string `json:"owner_ref,omitempty"`
}

// DeviceUpdate contains the fields of a device to change.
type DeviceUpdate struct {
	Cohort          Opt[string] `json:"cohort,omitzero"`           // a slug
	HardwareVersion Opt[string] `json:"hardware_version,omitzero"` // must exist
	Nickname        Opt[string] `json:"nickname,omitzero"`
	Description     Opt[string] `json:"description,omitzero"`
	OwnerRef        Opt[string] `json:"owner_ref,omitzero"`
	// ServerSideDeveloperMode lifts the device's rate limits. Observed only in a program of
	// one chip maker, together with FleetSamplingConfiguration.
	ServerSideDeveloperMode    Opt[bool]  `json:"server_side_developer_mode,omitzero"`
	FleetSamplingConfiguration Opt[int64] `json:"fleet_sampling_configuration,omitzero"`
	// Release pins the device to a version. [Null] unpins it. Observed only in a program of
	// one chip maker.
	Release Opt[string] `json:"release,omitzero"`
}

// SortLastSeen sorts devices and issues by the time at which they were last seen.
const SortLastSeen = "last_seen"

// DeviceListOptions filters and sorts devices. The sort key is [SortLastSeen].
//
// There is no filter by cohort: Memfault documents none, and ignores unknown parameters. The
// devices of a cohort are a list of their own, [CohortsService.ListDevices].
//
// UNCERTAIN(devices-filter-release-owner): whether Memfault honors Release and OwnerRef, because
// devices no longer have these fields in responses.
type DeviceListOptions struct {
	ListOptions
	LastSeenSince   Timestamp `url:"last_seen_since,omitempty"`
	LastSeenUntil   Timestamp `url:"last_seen_until,omitempty"`
	HardwareVersion []string  `url:"hardware_version,omitempty"`
	Release         []string  `url:"release,omitempty"` // the version last seen
	OwnerRef        []string  `url:"owner_ref,omitempty"`
}

// List returns the devices of a project. For the devices of a cohort, use
// [CohortsService.ListDevices].
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Memfault: https://docs.memfault.com/api/list-devices
func (s *DevicesService) List(project ProjectRef, options DeviceListOptions, opts ...CallOption) *Pager[Device] {
	return list[Device](clientOf(s), operation.DevicesList, project.path(), options, opts)
}

// Get returns a device. If the device never reported and was not created, Get fails with
// [ErrNotFound].
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Memfault: https://docs.memfault.com/api/retrieve-device
func (s *DevicesService) Get(ctx context.Context, project ProjectRef, deviceSerial string, opts ...CallOption) (*Device, error) {
	return fetch[Device](ctx, clientOf(s), operation.DevicesRetrieve, requestParams{path: project.path(deviceSerial)}, opts)
}

// Create creates a device before it reports for the first time. It is not needed, because the
// first data of a device creates it. If the serial is in use, Create fails with [ErrConflict];
// see [DevicesService.Ensure].
//
// Memfault's documentation says that it only accepts the job (202, without a device), but
// every known program received the device (200). After a 202, the result contains only the
// fields of create, and no ID.
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Memfault: https://docs.memfault.com/api/create-device
func (s *DevicesService) Create(ctx context.Context, project ProjectRef, create DeviceCreate, opts ...CallOption) (*Device, error) {
	var accepted Response
	device, err := fetch[Device](ctx, clientOf(s), operation.DevicesCreate, requestParams{path: project.path(), body: create}, withExtraResponse(opts, &accepted))
	if err != nil && accepted.StatusCode == http.StatusAccepted {
		return create.device(), nil
	}
	return device, err
}

// Ensure creates a device, or returns the existing device with the same serial. It does not
// change an existing device, even if create has another cohort. If the response is lost, Ensure
// looks whether the device exists now.
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Memfault: https://docs.memfault.com/api/create-device
func (s *DevicesService) Ensure(ctx context.Context, project ProjectRef, create DeviceCreate, opts ...CallOption) (*Device, error) {
	device, err := s.Create(ctx, project, create, opts...)
	if !mayExist(err) {
		return device, err
	}
	existing, getErr := s.Get(ctx, project, create.DeviceSerial, opts...)
	if getErr != nil && isLost(err) {
		return nil, err
	}
	return existing, getErr
}

// device returns the device as far as it is known after a 202.
func (d DeviceCreate) device() *Device {
	return &Device{
		DeviceSerial:    d.DeviceSerial,
		OwnerRef:        d.OwnerRef,
		HardwareVersion: HardwareVersionRef{Name: d.HardwareVersion},
		Cohort:          CohortRef{Slug: d.Cohort},
	}
}

// Update changes a device. If the device, the cohort or the hardware version does not exist,
// Update fails with [ErrNotFound]. For a hardware version, the code of the [*Error] is 1003 and
// its message contains the name.
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Memfault: https://docs.memfault.com/api/update-a-device
func (s *DevicesService) Update(ctx context.Context, project ProjectRef, deviceSerial string, update DeviceUpdate, opts ...CallOption) (*Device, error) {
	return fetch[Device](ctx, clientOf(s), operation.DevicesUpdate, requestParams{path: project.path(deviceSerial), body: update}, opts)
}

// Delete removes a device. Memfault keeps its data under another serial, made of the old
// serial and the time.
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Memfault: https://docs.memfault.com/api/delete-device
func (s *DevicesService) Delete(ctx context.Context, project ProjectRef, deviceSerial string, opts ...CallOption) error {
	return exec(ctx, clientOf(s), operation.DevicesDelete, requestParams{path: project.path(deviceSerial)}, opts)
}
