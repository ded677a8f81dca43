package memfault

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/memfault-go/memfault/internal/operation"
)

// Types of events with a known form.
const (
	EventTypeHeartbeat = "heartbeat"
	EventTypeTrace     = "trace"
)

// eventSDKVersion is the form of an event with a software type and a software version.
const eventSDKVersion = "0.5.0"

// EventCreate is an event to upload for a device.
//
// Prefer SoftwareType, SoftwareVersion and UserInfo, as current programs do. Memfault's
// documentation has ReleaseVersion and ExtraInfo instead, and older programs send FWVersion
// with the SDKVersion 0.1.0.
type EventCreate struct {
	Type            string `json:"type"`             // required; such as EventTypeHeartbeat
	DeviceSerial    string `json:"device_serial"`    // required
	HardwareVersion string `json:"hardware_version"` // required
	SDKVersion      string `json:"sdk_version"`      // defaults to 0.5.0 if SoftwareVersion is set
	SoftwareType    string `json:"software_type,omitempty"`
	SoftwareVersion string `json:"software_version,omitempty"`
	ReleaseVersion  string `json:"release_version,omitempty"` // instead of SoftwareVersion
	FWVersion       string `json:"fw_version,omitempty"`      // instead of SoftwareVersion
	// EventInfo is a [HeartbeatInfo], a [TraceInfo], or any value that is encoded as a JSON
	// object.
	EventInfo any `json:"event_info,omitempty"`
	// CapturedDate is the time of the event by the clock of the device. It defaults to the
	// time at which Memfault receives the event.
	CapturedDate Timestamp `json:"captured_date,omitzero"`
	UserInfo     any       `json:"user_info,omitempty"`  // custom data of the firmware
	ExtraInfo    any       `json:"extra_info,omitempty"` // custom data, in the documented field
}

// HeartbeatInfo is the [EventInfo] of a heartbeat. Whole numbers are sent without a fraction,
// and exactly up to 2⁵³.
type HeartbeatInfo struct {
	Metrics map[string]float64 `json:"metrics"`
}

// TraceInfo is the [EventInfo] of a trace. LR and SP are omitted if they are 0.
type TraceInfo struct {
	Reason RebootReason `json:"reason"`
	PC     uint64       `json:"pc"`
	LR     uint64       `json:"lr,omitempty"`
	SP     uint64       `json:"sp,omitempty"`
}

// encode returns the JSON of the event.
func (e EventCreate) encode() (json.RawMessage, error) {
	if e.SDKVersion == "" && e.SoftwareVersion != "" {
		e.SDKVersion = eventSDKVersion
	}
	empty := ""
	switch {
	case e.Type == "":
		empty = "Type"
	case e.DeviceSerial == "":
		empty = "DeviceSerial"
	case e.HardwareVersion == "":
		empty = "HardwareVersion"
	case e.SoftwareVersion == "" && e.ReleaseVersion == "" && e.FWVersion == "":
		return nil, errors.New("SoftwareVersion, ReleaseVersion and FWVersion must not all be empty")
	case e.SoftwareVersion != "" && e.SoftwareType == "":
		empty = "SoftwareType"
	case e.SDKVersion == "":
		empty = "SDKVersion"
	}
	if empty != "" {
		return nil, fmt.Errorf("%s must not be empty", empty)
	}
	return json.Marshal(e)
}

// Upload uploads events of devices in the project of the client's [ProjectKey]. It is meant
// for gateways that create events themselves; events created by firmware are uploaded as
// chunks, see [ChunksService.Upload]. Memfault processes the events later, in the task that
// [Response.TaskID] identifies. It silently drops events above a device's limits, such as more
// than 100 heartbeats in a day.
//
// Upload is not retried once it may have reached Memfault, except after a 429. After any other
// error, the events may or may not have arrived. If Memfault rejects one event, it rejects
// all; [Error.ItemErrors] lists the events and the reasons. Events that fail local validation
// are not sent; the error contains the index and the device of the event.
//
// Credentials: [ProjectKey].
//
// Memfault: https://docs.memfault.com/api/events
func (s *EventsService) Upload(ctx context.Context, events []EventCreate, opts ...CallOption) error {
	op := operation.EventsUpload
	if len(events) == 0 {
		return invalid("%s: events must not be empty", op.Name)
	}
	body := make([]json.RawMessage, 0, len(events))
	for i, event := range events {
		encoded, err := event.encode()
		if err != nil {
			return invalid("%s: event %d: device %q: %w", op.Name, i, event.DeviceSerial, err)
		}
		body = append(body, encoded)
	}
	return exec(ctx, clientOf(s), operation.EventsUpload, requestParams{body: body}, opts)
}
