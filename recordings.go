package memfault

import (
	"encoding/json"

	"github.com/memfault-go/memfault/internal/operation"
)

// RecordingsService reads custom data recordings: files of any type that devices
// uploaded.
type RecordingsService struct{ client *Client }

// CustomDataRecording is a file that a device recorded over a time.
type CustomDataRecording struct {
	// ID is a number or a string in JSON; which is UNCERTAIN. Either is read, and
	// written again as it came.
	ID        string          `json:"-"`
	Reason    string          `json:"reason"` // why it was collected
	StartTime Timestamp       `json:"start_time"`
	EndTime   Timestamp       `json:"end_time"`
	MIMETypes []string        `json:"mimetypes"`
	SizeBytes int64           `json:"size_bytes"`
	Device    json.RawMessage `json:"device"` // its form is UNCERTAIN; see DeviceSerial

	idAsNumber bool
}

// DeviceSerial returns the serial of the device that made the recording: Device
// itself if that is a string, its device_serial if it is an object, and nothing
// otherwise.
func (r CustomDataRecording) DeviceSerial() string {
	var device struct {
		DeviceSerial string `json:"device_serial"`
	}
	var asText bool
	if unmarshalEither(r.Device, &asText, &device.DeviceSerial, &device) != nil {
		return ""
	}
	return device.DeviceSerial
}

// UnmarshalJSON reads a recording whose id is a number or a string.
func (r *CustomDataRecording) UnmarshalJSON(data []byte) error {
	type object CustomDataRecording
	var read struct {
		ID json.RawMessage `json:"id"`
		object
	}
	if err := json.Unmarshal(data, &read); err != nil {
		return err
	}
	*r = CustomDataRecording(read.object)
	if len(read.ID) == 0 || string(read.ID) == "null" {
		return nil
	}
	if r.idAsNumber = read.ID[0] != '"'; !r.idAsNumber {
		return json.Unmarshal(read.ID, &r.ID)
	}
	var number json.Number
	err := json.Unmarshal(read.ID, &number)
	r.ID = number.String()
	return err
}

// MarshalJSON writes the form that was read.
func (r CustomDataRecording) MarshalJSON() ([]byte, error) {
	type object CustomDataRecording
	written := struct {
		ID any `json:"id"`
		object
	}{r.ID, object(r)}
	if r.idAsNumber {
		written.ID = json.Number(r.ID)
	}
	return json.Marshal(written)
}

// DeviceRecordingListOptions selects recordings of a device.
type DeviceRecordingListOptions struct {
	ListOptions
	StartTime Timestamp `url:"start_time,omitempty"`
	EndTime   Timestamp `url:"end_time,omitempty"`
}

// ListForDevice returns the custom data recordings of a device; one that is unknown
// is ErrNotFound. Seen only in a chip maker's programs, one of which warns that
// Memfault may not obey PerPage and may send the oldest first; not documented by
// Memfault.
func (s *RecordingsService) ListForDevice(project ProjectRef, deviceSerial string, options DeviceRecordingListOptions, opts ...CallOption) *Pager[CustomDataRecording] {
	return list[CustomDataRecording](clientOf(s), operation.DeviceCustomDataRecordingsList, project.path(deviceSerial), options, opts)
}

// RecordingListOptions selects recordings of all devices.
type RecordingListOptions struct {
	ListOptions
	CollectionReason string `url:"collection_reason,omitempty"`
}

// List returns the custom data recordings of all devices of a project. Seen only in
// a chip maker's program; not documented by Memfault.
func (s *RecordingsService) List(project ProjectRef, options RecordingListOptions, opts ...CallOption) *Pager[CustomDataRecording] {
	return list[CustomDataRecording](clientOf(s), operation.CustomDataRecordingsList, project.path(), options, opts)
}
