package memfault

import "github.com/memfault-go/memfault/internal/operation"

// Reboot is a restart of a device.
type Reboot struct {
	Type              string              `json:"type"` // "memfault" or "android"
	Reason            RebootReason        `json:"reason"`
	MCUReasonRegister *int64              `json:"mcu_reason_register"` // nil if not reported
	Time              Timestamp           `json:"time"`
	SoftwareVersion   *SoftwareVersionRef `json:"software_version"`
}

// RebootListOptions filters reboots.
type RebootListOptions struct {
	ListOptions
	Since Timestamp `url:"since,omitempty"`
}

// ListReboots returns the reboots of a device, the newest first.
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Not documented by Memfault; observed only in Memfault's own tests and in dashboards.
func (s *DevicesService) ListReboots(project ProjectRef, deviceSerial string, options RebootListOptions, opts ...CallOption) *Pager[Reboot] {
	return list[Reboot](clientOf(s), operation.DeviceRebootsList, project.path(deviceSerial), options, opts)
}
