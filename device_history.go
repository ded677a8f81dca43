package memfault

import "github.com/memfault-go/memfault/internal/operation"

// Reboot is a restart of a device.
type Reboot struct {
	Type              string              `json:"type"` // "memfault" or "android"
	Reason            RebootReason        `json:"reason"`
	MCUReasonRegister *int64              `json:"mcu_reason_register"` // nil when the device did not tell
	Time              Timestamp           `json:"time"`
	SoftwareVersion   *SoftwareVersionRef `json:"software_version"`
}

// RebootListOptions selects reboots.
type RebootListOptions struct {
	ListOptions
	Since Timestamp `url:"since,omitempty"`
}

// LogFile is a log that a device uploaded. Its fields other than CID are unknown.
type LogFile struct {
	CID string `json:"cid"` // a UUID
}

// LogFileListOptions selects log files.
type LogFileListOptions struct {
	ListOptions
	Limit int `url:"limit,omitempty"` // one program sends it; whether Memfault obeys it is UNCERTAIN
}

// ListReboots returns the reboots of a device, the newest first. Seen only in
// Memfault's own tests and in dashboards; not documented by Memfault.
func (s *DevicesService) ListReboots(project ProjectRef, deviceSerial string, options RebootListOptions, opts ...CallOption) *Pager[Reboot] {
	return list[Reboot](s.client, operation.DeviceRebootsList, project.path(deviceSerial), options, opts)
}

// ListLogFiles returns the log files of a device. Seen only in Memfault's own
// tests; not documented by Memfault.
func (s *DevicesService) ListLogFiles(project ProjectRef, deviceSerial string, options LogFileListOptions, opts ...CallOption) *Pager[LogFile] {
	return list[LogFile](s.client, operation.DeviceLogFilesList, project.path(deviceSerial), options, opts)
}
