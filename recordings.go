package memfault

import (
	"context"
	"encoding/json"
	"io"

	"github.com/memfault-go/memfault/internal/operation"
)

// RecordingsService lists and downloads custom data recordings, the files of any type that
// devices uploaded.
type RecordingsService struct{ client *Client }

// CustomDataRecording is a file that a device recorded over a period of time.
type CustomDataRecording struct {
	// ID is the ID of the recording. UNCERTAIN(recording-id): whether Memfault sends a number or a
	// string. Both are decoded, and encoded again in the same form.
	ID        string          `json:"-"`
	Reason    string          `json:"reason"` // reason for the recording
	StartTime Timestamp       `json:"start_time"`
	EndTime   Timestamp       `json:"end_time"`
	MIMETypes []string        `json:"mimetypes"`
	SizeBytes int64           `json:"size_bytes"`
	Device    json.RawMessage `json:"device"` // form unknown; see DeviceSerial

	idAsNumber bool
}

// DeviceSerial returns the serial of the device that created the recording: Device itself if
// it is a string, or its field device_serial if it is an object. Otherwise DeviceSerial
// returns "".
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

// UnmarshalJSON decodes a recording whose ID is a number or a string.
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

// MarshalJSON encodes the ID in the form from which it was decoded.
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

// DeviceRecordingListOptions filters the recordings of a device. StartTime and EndTime are compared
// with the times of a recording by the clock of the device: recordings of a device whose clock is
// wrong are not found.
type DeviceRecordingListOptions struct {
	ListOptions
	StartTime Timestamp `url:"start_time,omitempty"`
	EndTime   Timestamp `url:"end_time,omitempty"`
}

// ListForDevice returns the custom data recordings of a device. If the device does not exist,
// ListForDevice fails with [ErrNotFound].
//
// One program warns that Memfault ignores PerPage and sends the oldest recordings first. A test of
// the same chip maker takes the first of one recording as the newest, with StartTime and EndTime
// exchanged, and passes. UNCERTAIN(recordings-per-page): the order of the list, and whether Memfault
// honors PerPage, StartTime and EndTime.
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Not documented by Memfault; observed only in programs of a chip maker.
func (s *RecordingsService) ListForDevice(project ProjectRef, deviceSerial string, options DeviceRecordingListOptions, opts ...CallOption) *Pager[CustomDataRecording] {
	return list[CustomDataRecording](clientOf(s), operation.DeviceCustomDataRecordingsList, project.path(deviceSerial), options, opts)
}

// RecordingListOptions filters the recordings of all devices.
type RecordingListOptions struct {
	ListOptions
	CollectionReason string `url:"collection_reason,omitempty"`
}

// List returns the custom data recordings of all devices of a project.
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Not documented by Memfault; observed only in a program of a chip maker.
func (s *RecordingsService) List(project ProjectRef, options RecordingListOptions, opts ...CallOption) *Pager[CustomDataRecording] {
	return list[CustomDataRecording](clientOf(s), operation.CustomDataRecordingsList, project.path(), options, opts)
}

// Download writes a custom data recording to w. See [DownloadResult] for the rules of all
// downloads.
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Not documented by Memfault; observed only in programs of a chip maker.
func (s *RecordingsService) Download(ctx context.Context, project ProjectRef, recordingID string, w io.Writer, opts ...CallOption) (*DownloadResult, error) {
	return clientOf(s).saveFile(ctx, operation.CustomDataRecordingsDownload, requestParams{path: project.path(recordingID)}, w, opts)
}
